"""The sign of life: given while everything answers, and kept back when anything does not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import NotStored
from gateway.scheduler import Scheduler
from gateway.watchdog import AGAIN_S, ANSWER_S, LAG_S, QUICK_RUN_S, RUN_S, Signs, Watchdog
from tests.fakeclock import FakeClock

EVERY_S = 30.0


class Site:
    """What a watchdog looks at, and what it says of it."""

    def __init__(self, clock: FakeClock, scheduler: Scheduler) -> None:
        self.clock = clock
        self.scheduler = scheduler
        self.told: list[str] = []
        self.stored = self.served = self._answers
        signs = Signs(self._stored, self._served, lambda: "all well")
        self.watchdog = Watchdog(clock, scheduler, signs, self.told.append, every_s=EVERY_S)

    async def _stored(self) -> None:
        await self.stored()

    async def _served(self) -> None:
        await self.served()

    async def _answers(self) -> None:
        """At once."""

    async def looks(self) -> float:
        """One look, however long the answers take."""
        looking = asyncio.create_task(self.watchdog.run_once())
        for _ in range(20):
            await asyncio.sleep(0)
        if not looking.done():
            self.clock.advance(ANSWER_S)
        return await looking

    @property
    def fed(self) -> int:
        return sum("WATCHDOG=1" in said for said in self.told)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    clock = FakeClock()
    scheduler = Scheduler(clock)
    yield Site(clock, scheduler)
    await scheduler.stop(0)


class Hanging:
    """A job that never comes to an end."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def run_once(self) -> None:
        await asyncio.Event().wait()


class Patient:
    """A job with many things to do, each of which takes its time."""

    name = "open:1"

    def __init__(self, site: "Site", things: int) -> None:
        self._site = site
        self._things = things
        self.next = asyncio.Event()

    async def run_once(self) -> None:
        for _ in range(self._things):
            await self.next.wait()
            self.next.clear()
            self._site.scheduler.went_on()
        await asyncio.Event().wait()


async def _never() -> None:
    await asyncio.Event().wait()


async def test_while_everything_answers_the_sign_of_life_comes_in_time(site: Site):
    assert await site.looks() == EVERY_S
    assert site.told == ["WATCHDOG=1\nSTATUS=all well"]


@pytest.mark.parametrize(("sign", "what"), [("stored", "the database"), ("served", "HTTP")])
async def test_what_does_not_answer_in_time_keeps_the_sign_of_life_back(site: Site, caplog, sign: str, what: str):
    setattr(site, sign, _never)
    assert await site.looks() == AGAIN_S
    assert site.fed == 0
    assert what in site.told[0]
    assert [record.__dict__["action"] for record in caplog.records] == ["watchdog_silent"]


async def test_where_nobody_listens_any_more_no_sign_is_given(site: Site):
    async def refused() -> None:
        raise ConnectionRefusedError

    site.served = refused
    await site.looks()
    assert site.fed == 0


async def test_a_disk_that_takes_no_writes_is_no_reason_to_start_again(site: Site):
    async def full() -> None:
        raise NotStored("full")

    site.stored = full
    await site.looks()
    assert site.fed == 1


@pytest.mark.parametrize(("name", "longest_s"), [("open:1", RUN_S), ("heartbeat", QUICK_RUN_S)])
async def test_a_job_that_hangs_keeps_the_sign_of_life_back(site: Site, name: str, longest_s: float):
    site.scheduler.add(Hanging(name))
    await asyncio.sleep(0)
    await site.looks()
    assert site.fed == 1
    await _after(site, longest_s + LAG_S)  # this look is late itself
    await _after(site, AGAIN_S)
    assert site.fed == 1
    assert name in site.told[-1]


async def test_a_job_that_goes_on_may_take_as_long_as_there_is_something_to_do(site: Site):
    job = Patient(site, things=3)
    site.scheduler.add(job)
    for _ in range(3):
        await _after(site, RUN_S - EVERY_S)
        job.next.set()
        await _after(site, AGAIN_S)
    assert not any("has not come to an end" in said for said in site.told)
    await _after(site, RUN_S)
    await _after(site, AGAIN_S)
    assert "open:1 has not come to an end" in site.told[-1]


async def test_a_loop_that_was_held_up_is_looked_at_again_before_it_counts_as_alive(site: Site):
    await site.looks()
    site.clock.advance(EVERY_S + LAG_S + 1)
    assert await site.looks() == AGAIN_S
    assert site.fed == 1
    assert "held up" in site.told[-1]
    await _after(site, AGAIN_S)
    assert site.fed == 2


async def test_a_fault_is_told_once_and_its_end_too(site: Site, caplog):
    site.stored = _never
    await site.looks()
    await _after(site, AGAIN_S)
    site.stored = site._answers
    await _after(site, AGAIN_S)
    assert [record.__dict__["action"] for record in caplog.records] == ["watchdog_silent", "watchdog_fed"]


async def _after(site: Site, seconds: float) -> None:
    site.clock.advance(seconds)
    await site.looks()
