"""News of payments: who watches is told at the commit, and nobody else is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.news import News
from gateway.scheduler import Scheduler
from gateway.store import events
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.ledger import in_folder

ABOUT_S = 15.0


class Desk:
    """A database, the job, and what it reads."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock()
        self.scheduler = Scheduler(self.clock)
        self.news = News(db, self.clock, self.wake)
        self.wakes = 0
        self.reads = 0
        self.held: asyncio.Event | None = None
        """Until it is set, what was read is not handed over."""
        self.read_something = asyncio.Event()
        self.scheduler.add(self.news)
        self._read, db.read = db.read, self._counted  # type: ignore[method-assign]

    def wake(self, name: str) -> None:
        self.wakes += 1
        self.scheduler.wake(name)

    async def _counted(self, work):
        self.reads += 1
        answer = await self._read(work)
        self.read_something.set()
        if self.held is not None:
            await self.held.wait()
        return answer

    async def happen(self, *payment_ids: str | None) -> None:
        """One commit."""

        def work(tx) -> None:
            for payment_id in payment_ids:
                events.append(tx, "something", 0.0, payment_id=payment_id)

        await self.db.write(work)

    async def waiting(self, payment_id: str) -> "asyncio.Task[bool]":
        """Somebody who waits, and does so by now."""
        task = asyncio.create_task(self.news.wait(payment_id, ABOUT_S))
        await self.rest()
        return task

    async def rest(self) -> None:
        """Until nobody has anything to do: what the database's threads do takes real time."""
        turns = 0
        while turns < 5:
            await self._read(lambda _tx: None)
            turns = turns + 1 if self.scheduler.is_idle else 0


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await in_folder(tmp_path)
    made = Desk(db)
    await made.rest()
    yield made
    await made.scheduler.stop(1.0)
    await db.close()


async def test_who_waits_is_told_at_the_commit_of_his_payment_and_nobody_else_is(desk: Desk):
    mine, other = await desk.waiting("p1"), await desk.waiting("p2")
    await desk.happen("p1", None)

    assert await mine is True
    assert not other.done()
    await desk.happen("p2")
    assert await other is True


async def test_who_hears_nothing_stops_waiting_after_his_time(desk: Desk):
    waiting = await desk.waiting("p1")
    await desk.happen("p2")
    await desk.rest()
    desk.clock.advance(ABOUT_S - 0.1)
    await desk.rest()
    assert not waiting.done()

    desk.clock.advance(0.1)
    assert await waiting is False


async def test_what_happened_before_is_no_news(desk: Desk):
    await desk.happen("p1")
    waiting = await desk.waiting("p1")
    await desk.rest()

    assert not waiting.done()
    waiting.cancel()


async def test_a_commit_between_reading_and_waiting_is_not_missed(desk: Desk):
    async with desk.news.watch("p1") as watch:
        await desk.happen("p1")
        await desk.rest()
        assert await watch.wait(ABOUT_S) is True
        silence = asyncio.create_task(watch.wait(ABOUT_S))
        await desk.rest()
        desk.clock.advance(ABOUT_S)
        assert await silence is False


async def test_a_watch_that_begins_while_another_ends_misses_nothing(desk: Desk):
    first = await desk.waiting("p1")
    first.cancel()
    await desk.rest()
    await desk.happen("p2")
    async with desk.news.watch("p2") as watch:
        silence = asyncio.create_task(watch.wait(ABOUT_S))
        await desk.happen("p3")
        await desk.rest()
        assert not silence.done()  # that was before
        await desk.happen("p2")
        assert await silence is True


async def test_who_leaves_while_his_news_are_being_read_leaves_no_old_news_for_the_next(desk: Desk):
    first, desk.held = await desk.waiting("p1"), asyncio.Event()
    desk.read_something.clear()
    await desk.happen("p1")
    await desk.read_something.wait()
    first.cancel()
    await asyncio.wait({first})
    desk.held.set()
    await desk.rest()
    await desk.happen("p2")
    async with desk.news.watch("p2") as watch:
        silence = asyncio.create_task(watch.wait(ABOUT_S))
        await desk.happen("p3")
        await desk.rest()
        assert not silence.done()
        silence.cancel()


async def test_what_is_committed_while_the_first_watch_is_being_set_up_is_not_missed(desk: Desk):
    desk.held = asyncio.Event()
    waiting = asyncio.create_task(desk.news.wait("p1", ABOUT_S))
    await desk.read_something.wait()
    await desk.happen("p1")
    desk.held.set()
    await desk.rest()

    assert waiting.done()
    assert await waiting is True


async def test_who_goes_away_leaves_nothing_behind(desk: Desk):
    waiting = await desk.waiting("p1")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    reads = desk.reads
    await desk.happen("p1")
    await desk.rest()

    assert desk.news._watches == {}
    assert desk.reads == reads


async def test_while_nobody_waits_nothing_is_read(desk: Desk):
    reads, wakes = desk.reads, desk.wakes
    for _ in range(3):
        await desk.happen("p1")
    await desk.rest()

    assert (desk.reads, desk.wakes) == (reads, wakes)


async def test_five_hundred_waiters_cost_one_read_per_commit(desk: Desk):
    waiting = [await desk.waiting("p0")]
    waiting += [asyncio.create_task(desk.news.wait(f"p{number}", ABOUT_S)) for number in range(1, 500)]
    await desk.rest()
    reads = desk.reads
    await desk.happen("p7", "p8")
    await desk.rest()
    await desk.happen("p9")
    await desk.rest()

    assert desk.reads == reads + 2
    assert [number for number, task in enumerate(waiting) if task.done()] == [7, 8, 9]
    for task in waiting:
        task.cancel()


async def test_a_write_that_fails_is_no_news(desk: Desk):
    waiting = await desk.waiting("p1")

    def work(tx) -> None:
        events.append(tx, "something", 0.0, payment_id="p1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await desk.db.write(work)
    await desk.rest()

    assert not waiting.done()
    waiting.cancel()


async def test_when_the_daemon_stops_nobody_waits_any_longer(desk: Desk):
    waiting = await desk.waiting("p1")
    desk.news.end()

    with pytest.raises(asyncio.CancelledError):
        await waiting
