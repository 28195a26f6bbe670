from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway import daemon
from tests.e2e.world import World

OpenSite = Callable[..., Awaitable[World]]


@pytest.fixture(autouse=True)
def brief_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "GRACE_S", 0.2)


@pytest.fixture
async def open_site(tmp_path: Path) -> AsyncIterator[OpenSite]:
    """Opens a site that is set up as its arguments say (see `World`), with its daemon running."""
    async with AsyncExitStack() as stack:

        async def opened(**settings: Any) -> World:
            site = await stack.enter_async_context(World(tmp_path, **settings))
            await site.start()
            return site

        yield opened


@pytest.fixture
async def world(open_site: OpenSite) -> World:
    """A site whose daemon is running and knows its router."""
    return await open_site()
