"""Every page and state of the portal, in both languages, on a small old phone: can everybody use it?

With PICTURES=folder each is also photographed there, at the size of a common phone; `make screenshots` does that.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.web.words import FIRST
from tests.architecture.source import ROOT
from tests.browser.conftest import OpenWorld, PickUp
from tests.browser.handset import SCREEN_PX, Handset
from tests.browser.measures import OLD_PHONE_PX, PACKET_TRAIN_BYTES, double_text, small_targets, too_modern, violations
from tests.browser.scenes import ANSWERS, SCENES
from tests.e2e.world import World

pytestmark = pytest.mark.long

WIDTH_PX, _ = OLD_PHONE_PX
SHOWN_TWICE = {"shop", "waiting", "status"}


@pytest.mark.parametrize(("name", "language"), [(name, "en") for name in SCENES] + [(name, "sw") for name in sorted(ANSWERS)])
async def test_everybody_can_use(name: str, language: str, world: World, pick_up: PickUp, axe: str):
    hand = await pick_up(world, world.amina, language=f"{language}-KE", screen_px=OLD_PHONE_PX)

    await SCENES[name](hand)

    await look_at(hand, name, axe)
    if name not in ANSWERS:
        await hand.switch_to("sw")
        await look_at(hand, name, axe)


async def look_at(hand: Handset, name: str, axe: str) -> None:
    assert await violations(hand.page, axe) == []
    assert await small_targets(hand.page) == []
    assert await hand.page.locator("html").get_attribute("lang") == hand.words.code
    assert await hand.heaviest_bytes() <= PACKET_TRAIN_BYTES
    assert await hand.width_px() == WIDTH_PX
    await photograph(hand, name)
    await double_text(hand.page)
    assert await hand.width_px() == WIDTH_PX


async def photograph(hand: Handset, name: str) -> None:
    """For the documentation: everything in English, and enough of the other language to see what it looks like."""
    folder, is_english = os.environ.get("PICTURES"), hand.words.code == FIRST
    if folder and (is_english or name in SHOWN_TWICE):
        picture = f"portal-{name}.png" if is_english else f"portal-{name}-{hand.words.code}.png"
        await hand.page.set_viewport_size({"width": SCREEN_PX[0], "height": SCREEN_PX[1]})
        await hand.page.screenshot(path=Path(folder) / picture, full_page=True)
        await hand.page.set_viewport_size({"width": WIDTH_PX, "height": OLD_PHONE_PX[1]})


@pytest.mark.parametrize("name", ["shop", "waiting", "status"])
async def test_a_browser_of_2014_can_read_the_scripts(name: str, world: World, pick_up: PickUp, acorn: Path):
    hand = await pick_up(world, world.amina)

    await SCENES[name](hand)

    assert await too_modern(hand.page, acorn) == []


@pytest.mark.parametrize("language", ["en-KE", "sw-KE"])
async def test_the_first_page_comes_whole_in_one_train_of_packets_however_much_is_on_sale(
    language: str, open_world: OpenWorld, pick_up: PickUp
):
    world = await open_world(eight_packages)
    hand = await pick_up(world, world.amina, language=language)

    await SCENES["shop"](hand)

    assert await hand.page.get_by_role("radio").count() == 8
    (request,) = hand.answered
    response = await request.response()
    assert response
    assert response.headers["content-encoding"] in {"gzip", "deflate"}
    assert await hand.heaviest_bytes() <= PACKET_TRAIN_BYTES


def eight_packages(document: dict[str, Any]) -> None:
    """More than fit on a screen, each with everything that can be said of it."""
    document["owners"][0]["routers"][0]["packages"] = [
        {
            "id": number,
            "name": f"Package of the {number}th kind",
            "price": f"{number}0",
            "duration": f"{number}h",
            "download_mbps": number,
            "upload_mbps": number,
            "data_limit_mb": 1_000 * number,
            "devices": 1,
            "description": f"For whoever watches and listens {number} hours long",
        }
        for number in range(1, 9)
    ]


def test_the_documentation_shows_every_page() -> None:
    shown = set(re.findall(r"images/portal-([\w-]+)\.png", (ROOT / "docs" / "portal.md").read_text("utf-8")))
    taken = {picture.stem.removeprefix("portal-") for picture in (ROOT / "docs" / "images").glob("portal-*.png")}
    assert shown == taken == SCENES.keys() | {f"{name}-sw" for name in SHOWN_TWICE}
