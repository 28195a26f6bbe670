"""The simulation's disk: real SQLite, real refusals, and what is found again after the plug was pulled."""

import asyncio
import random
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import NotStored
from gateway.store.backups import integrity
from gateway.store.database import Database
from tests.simulation.disk import Disk, Trouble
from tests.simulation.loop import SimulatedLoop


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    simulated = SimulatedLoop()
    yield simulated
    simulated.bury()
    simulated.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path, "seed")
    made.folder.mkdir()
    with made.in_use():
        yield made
    for writer in made.writers:
        writer.connection.close()


async def _opened(disk: Disk) -> Database:
    db = await Database.open(disk.folder / "gateway.db")
    await db.write(lambda tx: tx.execute("CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, text TEXT)"))
    return db


async def _note(db: Database, number: int) -> None:
    await db.write(lambda tx: tx.execute("INSERT INTO entry VALUES (?, ?)", (number, "x" * 5_000)))


async def _numbers(db: Database) -> list[int]:
    return await db.read(lambda tx: [row["number"] for row in tx.execute("SELECT number FROM entry ORDER BY number")])


def _run(loop: SimulatedLoop, story: Coroutine[Any, Any, Any]) -> Any:
    return loop.run_until_complete(story)


@pytest.mark.parametrize("trouble", Trouble)
def test_a_disk_in_trouble_takes_nothing_and_loses_nothing(loop: SimulatedLoop, disk: Disk, trouble: Trouble):
    async def story() -> list[int]:
        db = await _opened(disk)
        await _note(db, 1)
        disk.trouble = trouble
        with pytest.raises(NotStored):
            await _note(db, 2)
        disk.trouble = None
        await _note(db, 3)
        return await _numbers(db)

    assert _run(loop, story()) == [1, 3]


def test_a_card_that_stalls_keeps_everybody_waiting(loop: SimulatedLoop, disk: Disk):
    async def story() -> float:
        db = await _opened(disk)
        disk.stall_s = 10.0
        began_s = loop.time()
        await _note(db, 1)
        return loop.time() - began_s

    assert 10.0 <= _run(loop, story()) < 10.1


def test_a_write_is_done_although_nobody_waits_for_it_any_more(loop: SimulatedLoop, disk: Disk):
    async def story() -> list[int]:
        db = await _opened(disk)
        writing = asyncio.ensure_future(_note(db, 1))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await asyncio.sleep(1)
        return await _numbers(db)

    assert _run(loop, story()) == [1]


def test_what_was_answered_is_there_after_a_power_cut_and_what_was_not_may_be(loop: SimulatedLoop, disk: Disk):
    async def story() -> set[tuple[int, ...]]:
        found = set()
        for _ in range(12):
            db = await _opened(disk)
            answered = len(await _numbers(db)) + 1
            await _note(db, answered)
            unanswered = asyncio.ensure_future(_note(db, answered + 1))
            await asyncio.sleep(0.0001)  # it is in the log, and its sync takes longer
            assert disk.writers[-1].under_way is not None
            disk.survive(power_cut=True)
            await asyncio.gather(unanswered)
            numbers = await _numbers(await _opened(disk))
            assert numbers[:answered] == list(range(1, answered + 1))
            found.add(tuple(numbers[answered:]) and (1,))
        return found

    assert () in _run(loop, story())


def test_a_log_that_is_lost_takes_with_it_what_was_not_folded_in(loop: SimulatedLoop, disk: Disk):
    async def story() -> list[int]:
        db = await _opened(disk)
        await _note(db, 1)
        await db.close()  # folds it in
        await _note(await Database.open(disk.folder / "gateway.db"), 2)
        disk.survive(power_cut=True)
        disk.lose_log()
        return await _numbers(await _opened(disk))

    assert _run(loop, story()) == [1]
    assert disk.losses == 1


def test_pages_that_rot_are_no_sound_database_any_more(loop: SimulatedLoop, disk: Disk):
    async def story() -> None:
        db = await _opened(disk)
        for number in range(20):
            await _note(db, number)
        await db.close()

    _run(loop, story())
    assert integrity(disk.folder / "gateway.db") == "ok"
    for seed in range(9):  # one page alone may be a free one
        disk.damage(random.Random(seed))
    assert integrity(disk.folder / "gateway.db") != "ok"
    assert disk.is_damaged
