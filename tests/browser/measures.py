"""What can be measured on a page in the browser: axe-core's rules, targets for a thumb, and scripts that old windows can read."""

import asyncio
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from playwright.async_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
THUMB_PX = 44
"""The side of a target (WCAG 2.2, 2.5.5); 24 would do for AA, on a desk."""

OLD_PHONE_PX = (320, 568)
"""The narrowest screen that is still in use."""
PACKET_TRAIN_BYTES = 14 * 1024
"""What a server may send before the first acknowledgement (RFC 6928: ten segments)."""

_TARGETS = """() => Array.from(document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, label"))
    .filter(target => target.getClientRects().length && !target.closest("p"))
    .map(target => target.matches("input[type=radio], input[type=checkbox]") ? target.closest("label") || target : target)
    .filter(target => !target.matches("label") || target.querySelector("input"))
    .map(target => [target.textContent.trim() || target.name || target.tagName, target.getBoundingClientRect()])
    .map(([name, box]) => [name.replace(/\\s+/g, " "), Math.round(box.width), Math.round(box.height)])"""


async def violations(page: Page, axe: str) -> list[str]:
    """What axe-core has against the page as it stands: rule, and the places."""
    await page.evaluate(axe)
    found: dict[str, Any] = await page.evaluate('tags => axe.run({runOnly: tags, resultTypes: ["violations"]})', list(RULES))
    return [f"{rule['id']}: {rule['help']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]


async def small_targets(page: Page) -> list[str]:
    """What is too small for a thumb. A link in a sentence is as high as the sentence (WCAG 2.2, 2.5.8, exception "inline")."""
    targets: list[tuple[str, int, int]] = await page.evaluate(_TARGETS)
    return [f"{name}: {width} x {height}" for name, width, height in targets if min(width, height) < THUMB_PX]


async def double_text(page: Page) -> None:
    """Set the phone to text of double size, as Android's accessibility settings do (WCAG 2.2, success criterion 1.4.4)."""
    await page.evaluate("document.documentElement.style.webkitTextSizeAdjust = '200%'")


async def too_modern(page: Page, acorn: Path) -> list[str]:
    """The faults that a browser of 2014 finds in the page's scripts: it reads ECMAScript 5 (facts, platform D5)."""
    scripts = await page.locator("script").all_text_contents()
    return [fault for script in scripts if (fault := await _fault_of(script, acorn))]


async def _fault_of(script: str, acorn: Path) -> str:
    reader = await asyncio.create_subprocess_exec(acorn, "--ecma5", "--silent", stdin=PIPE, stderr=PIPE)
    _, fault = await reader.communicate(script.encode())
    return fault.decode()
