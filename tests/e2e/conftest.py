import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
import yaml

from gateway import config, daemon
from gateway.store import database
from tests import schema
from tests.disk import Disk, observed
from tests.e2e.world import World

T = TypeVar("T")

OpenSite = Callable[..., Awaitable[World]]

THREADED = {
    "test_webhook_path",
    "test_restart",
    "test_fault_cancel",
    "test_fault_disk",
    "test_fault_ends",
    "test_power_cut",
    "test_backup",
}
"""Files whose worlds have the database's threads, as the program has them. Elsewhere they would only be waited for, by spinning:
that is most of what a world costs, and says nothing about the rest of the daemon. Theirs are migrated as well, not copied."""


class InPlace:
    """Stands for a database connection with a thread of its own: the same functions on the same file, at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    async def opened(cls, path: Path, *, read_only: bool = False) -> Self:
        return cls(database._connect(path, read_only=read_only))

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._connection)
        finally:
            await asyncio.sleep(0)  # whoever is cancelled has had it done, as with a thread

    async def close(self) -> None:
        self._connection.close()


@pytest.fixture(autouse=True)
def database_in_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.path.stem not in THREADED:
        monkeypatch.setattr(database, "_Connection", InPlace)
        monkeypatch.setattr(database, "migrate", schema.lay)


class LibYaml(yaml.CSafeLoader):
    """Reads what is good YAML in a tenth of the time. What is not is the business of `tests/unit/test_config_reader.py`."""

    yaml_implicit_resolvers: dict[Any, Any] = {  # noqa: RUF012 - the base class declares it so; only nothing is guessed, all else is text
        first: [(tag, pattern) for tag, pattern in guesses if tag.endswith(":null")]
        for first, guesses in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


@pytest.fixture(autouse=True)
def quickly_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "read_tree", lambda path: yaml.load(path.read_text("utf-8"), LibYaml))


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


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """The card under a test's world, on which everything can go wrong; well again at the end, so that the world can end."""
    with observed(tmp_path) as disk:
        yield disk
        disk.heal()
