"""A real browser for the walks: Debian's Chromium without a window, one per process, and a context of its own for each phone.

Playwright's objects belong to the event loop that made them: everything in this folder runs on one loop.
"""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from gateway import daemon
from gateway.simulators.phones import SimulatedPhone
from tests.browser.handset import Handset
from tests.e2e.conftest import database_in_place
from tests.e2e.world import World

__all__ = ["database_in_place"]

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--disable-dev-shm-usage",  # containers have 64 MB of it
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # what does not go through a phone's connection goes nowhere
)
NPM = Path(__file__).parent / "node_modules"
"""What package.json asks for; `make test` fetches it."""

WINDOWS = pytest.mark.parametrize("window", [{}, {"javascript": False}], ids=["scripts", "no scripts"])
"""Windows that run scripts and such that do not: how to `pick_up` a phone."""

OpenWorld = Callable[..., Awaitable[World]]
Window = dict[str, Any]
PickUp = Callable[..., Awaitable[Handset]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for the browser and for every test that uses it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def missing(what: str, remedy: str) -> NoReturn:
    """Leave the test out, and say how it could run; where a browser is promised (`.ci/run`), its absence is a failure."""
    sentence = f"{what} is not here and the portal's pages went unseen: {remedy}"
    if os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started once."""
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        missing("Chromium", "sudo apt install chromium")
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=flags)
        yield chromium
        await chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    return from_npm("axe-core/axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def acorn() -> Path:
    """A program that reads JavaScript of a given year."""
    return from_npm(".bin/acorn")


def from_npm(path: str) -> Path:
    if not (NPM / path).exists():
        missing("what package.json names", "sudo apt install npm, then: make test")
    return NPM / path


@pytest_asyncio.fixture(loop_scope="session")
async def open_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenWorld]:
    """Opens a site that is set up as edits and arguments say (see `World`), with its daemon running."""
    monkeypatch.setattr(daemon, "GRACE_S", 0.2)
    async with AsyncExitStack() as stack:

        async def opened(*edits: Callable[[dict[str, Any]], None], **settings: Any) -> World:
            world = await stack.enter_async_context(World(tmp_path, **settings))
            world.edits.extend(edits)
            await world.start()
            return world

        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def world(open_world: OpenWorld) -> World:
    """A site whose daemon is running and knows its router."""
    return await open_world()


@pytest_asyncio.fixture(loop_scope="session")
async def pick_up(browser: Browser) -> AsyncIterator[PickUp]:
    """Picks up somebody's phone: a fresh browser window on that phone's connection."""
    async with AsyncExitStack() as stack:

        async def picked(world: World, phone: SimulatedPhone, **manner: Any) -> Handset:
            return await stack.enter_async_context(Handset(browser, world, phone, **manner))

        yield picked
