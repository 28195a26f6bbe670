from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import daemon
from tests.e2e.world import World


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A site whose daemon is running and knows its router."""
    monkeypatch.setattr(daemon, "GRACE_S", 0.2)
    async with World(tmp_path) as site:
        await site.start()
        yield site
