"""Fixtures for tests of every kind."""

import asyncio
import gc
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from gateway import cli

MEMORY = Path("/dev/shm")
ROOM_BYTES = 256 * 2**20
"""A few hundred small databases of tests that failed, and those of the two that run; a container may have less than this."""


def pytest_configure() -> None:
    """Folders of tests lie in memory where there is room: every commit waits for the disk otherwise, some ten thousand times.

    What a sync is worth is tested with `tests.disk`, which asks no disk either.
    """
    hypothesis.settings.register_profile("no clock", deadline=None)  # it goes by the wall clock, and build machines are busy
    hypothesis.settings.load_profile("no clock")
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: looking through it at each collection of garbage costs a tenth of a run."""
    gc.collect()
    gc.freeze()


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The program's own loop; long walks go on the one that it has where there is no wheel of that."""
    faster = None if item.get_closest_marker("long") else cli._loop_factory()
    return {"loop": faster or asyncio.new_event_loop}


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """The commands set up logging for a whole process; a test is only a part of one."""
    root, ours, theirs = logging.getLogger(), logging.getLogger("gateway"), logging.getLogger("aiohttp.server")
    handlers, levels = root.handlers[:], [logger.level for logger in (root, ours, theirs)]
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    for logger, level in zip((root, ours, theirs), levels, strict=True):
        logger.setLevel(level)
