"""Background work: when a job runs again, what happens when one dies, and what a stop waits for."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.errors import NotStored, Unavailable
from gateway.scheduler import LONGEST_PAUSE_S, STORE_AGAIN_S, Errand, Scheduler
from tests.fakeclock import FakeClock

MANY_TURNS = 200


class Counter:
    """A job that counts its runs, and pauses as long as it is told."""

    def __init__(self, name: str = "count", pause_s: float | None = 5.0) -> None:
        self.name = name
        self.pause_s = pause_s
        self.runs = 0

    async def run_once(self) -> float | None:
        self.runs += 1
        return self.pause_s


class Stuck:
    """A job that is in the middle of its run until it is let go; then it may die."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.name = "stuck"
        self.let_go = asyncio.Event()
        self.runs = 0
        self.was_cancelled = False
        self._fault = fault

    async def run_once(self) -> float | None:
        self.runs += 1
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self._fault:
            raise self._fault
        return None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def scheduler(clock: FakeClock) -> AsyncIterator[Scheduler]:
    made = Scheduler(clock)
    yield made
    await made.stop(0.0)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(MANY_TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("never came true")


async def settled() -> None:
    """Let everybody run who can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def runs_after(job: Counter, clock: FakeClock, seconds: float) -> int:
    clock.advance(seconds)
    await settled()
    return job.runs


async def test_a_job_runs_at_once_and_then_whenever_it_said(scheduler: Scheduler, clock: FakeClock):
    job = Counter(pause_s=5)
    scheduler.add(job)
    assert await runs_after(job, clock, 0) == 1
    assert await runs_after(job, clock, 4.9) == 1
    assert await runs_after(job, clock, 0.1) == 2
    assert await runs_after(job, clock, 5) == 3


@pytest.mark.parametrize("pause_s", [None, 3_600.0, LONGEST_PAUSE_S])
async def test_no_job_pauses_for_longer_than_a_minute(scheduler: Scheduler, clock: FakeClock, pause_s):
    job = Counter(pause_s=pause_s)
    scheduler.add(job)
    assert await runs_after(job, clock, 0) == 1
    assert await runs_after(job, clock, LONGEST_PAUSE_S - 0.1) == 1
    assert await runs_after(job, clock, 0.1) == 2


async def test_a_job_that_has_more_to_do_at_once_lets_the_others_run(scheduler: Scheduler, clock: FakeClock):
    greedy, modest = Counter("greedy", 0.0), Counter("modest")
    scheduler.add(greedy)
    scheduler.add(modest)
    await until(lambda: greedy.runs > 3)
    assert modest.runs == 1
    greedy.pause_s = None


async def test_a_stepped_wall_clock_neither_wakes_a_job_nor_puts_it_to_sleep(scheduler: Scheduler, clock: FakeClock):
    job = Counter(pause_s=5)
    scheduler.add(job)
    await settled()
    clock.step_wall(86_400)
    assert await runs_after(job, clock, 4) == 1
    clock.step_wall(-7 * 86_400)
    assert await runs_after(job, clock, 1) == 2


async def test_whoever_wakes_a_job_has_it_run_now(scheduler: Scheduler, clock: FakeClock):
    job, other = Counter(pause_s=None), Counter("other", None)
    scheduler.add(job)
    scheduler.add(other)
    await settled()
    scheduler.wake("count")
    assert (await runs_after(job, clock, 0), other.runs) == (2, 1)


async def test_all_jobs_run_now_when_all_are_woken(scheduler: Scheduler, clock: FakeClock):
    job, other = Counter(pause_s=None), Counter("other", 10)
    scheduler.add(job)
    scheduler.add(other)
    await settled()
    scheduler.wake_all()
    assert (await runs_after(job, clock, 0), other.runs) == (2, 2)


async def test_a_job_that_was_woken_early_counts_its_pause_from_there(scheduler: Scheduler, clock: FakeClock):
    job = Counter(pause_s=10)
    scheduler.add(job)
    assert await runs_after(job, clock, 6) == 1
    scheduler.wake("count")
    assert await runs_after(job, clock, 0) == 2
    assert await runs_after(job, clock, 9) == 2
    assert await runs_after(job, clock, 1) == 3


async def test_work_that_comes_while_the_job_runs_is_not_forgotten(scheduler: Scheduler):
    job = Stuck()
    scheduler.add(job)
    await until(lambda: job.runs == 1)
    scheduler.wake("stuck")
    job.let_go.set()
    await until(lambda: job.runs == 2)


async def test_waking_often_runs_once(scheduler: Scheduler, clock: FakeClock):
    job = Counter(pause_s=None)
    scheduler.add(job)
    await settled()
    for _ in range(5):
        scheduler.wake("count")
    assert await runs_after(job, clock, 0) == 2


async def test_waking_a_job_that_is_not_there_does_nothing(scheduler: Scheduler):
    scheduler.wake("nobody")
    assert scheduler.is_idle


async def test_one_jobs_long_run_holds_up_no_other(scheduler: Scheduler, clock: FakeClock):
    stuck, job = Stuck(), Counter(pause_s=5)
    scheduler.add(stuck)
    scheduler.add(job)
    await settled()
    assert await runs_after(job, clock, 5) == 2


# ── dying ──


async def test_a_job_that_dies_ends_the_run_with_what_killed_it(scheduler: Scheduler, caplog: pytest.LogCaptureFixture):
    job = Stuck(LookupError("no such thing"))
    scheduler.add(job)
    run = asyncio.create_task(scheduler.run())
    await settled()
    assert not run.done()
    job.let_go.set()
    with pytest.raises(LookupError, match="no such thing"):
        await run
    (record,) = caplog.records
    assert (record.levelno, record.__dict__["action"]) == (logging.CRITICAL, "job_died")
    assert "job stuck died: LookupError('no such thing')" in record.message
    assert record.exc_info is not None


async def test_the_first_death_is_the_one_that_is_told(scheduler: Scheduler):
    first, second = Stuck(LookupError("first")), Stuck(LookupError("second"))
    second.name = "second"
    for job in (first, second):
        scheduler.add(job)
        await settled()
    first.let_go.set()
    await settled()
    second.let_go.set()
    await settled()
    with pytest.raises(LookupError, match="first"):
        await scheduler.run()


async def test_a_job_that_died_before_anybody_waited_is_told_all_the_same(scheduler: Scheduler):
    job = Stuck(LookupError("early"))
    job.let_go.set()
    scheduler.add(job)
    await settled()
    with pytest.raises(LookupError, match="early"):
        await scheduler.run()


async def test_a_job_that_died_is_busy_no_more(scheduler: Scheduler):
    job = Stuck(LookupError("gone"))
    job.let_go.set()
    scheduler.add(job)
    with pytest.raises(LookupError):
        await scheduler.run()
    assert scheduler.is_idle


async def test_a_job_whose_result_the_disk_does_not_take_runs_again_later(scheduler: Scheduler, clock: FakeClock):
    job = Stuck(NotStored("full"))
    job.let_go.set()
    scheduler.add(job)
    await settled()
    assert scheduler.is_idle
    assert clock.next_wake_s() == STORE_AGAIN_S


# ── removing ──


async def test_a_job_that_was_removed_never_runs_again(scheduler: Scheduler, clock: FakeClock):
    job = Counter(pause_s=5)
    scheduler.add(job)
    await settled()
    await scheduler.remove("count")
    scheduler.wake("count")
    assert await runs_after(job, clock, 60) == 1


async def test_removing_ends_a_job_in_the_middle_of_its_run_and_kills_nothing(scheduler: Scheduler):
    job = Stuck()
    scheduler.add(job)
    await until(lambda: job.runs == 1)
    run = asyncio.create_task(scheduler.run())
    await scheduler.remove("stuck")
    await settled()
    assert job.was_cancelled
    assert not run.done()
    run.cancel()


async def test_a_name_is_free_again_after_its_job_was_removed(scheduler: Scheduler, clock: FakeClock):
    old, new = Counter(), Counter()
    scheduler.add(old)
    await settled()
    await scheduler.remove("count")
    scheduler.add(new)
    assert (await runs_after(new, clock, 0), old.runs) == (1, 1)


# ── idle ──


async def test_the_scheduler_is_idle_when_every_job_waits_for_its_time(scheduler: Scheduler):
    job = Stuck()
    assert scheduler.is_idle
    scheduler.add(job)
    assert not scheduler.is_idle
    await until(lambda: job.runs == 1)
    assert not scheduler.is_idle
    job.let_go.set()
    await until(lambda: scheduler.is_idle)
    scheduler.wake("stuck")
    assert not scheduler.is_idle
    await until(lambda: scheduler.is_idle)


# ── what is in hand ──


async def test_what_is_in_hand_outlives_whoever_asked_for_it(scheduler: Scheduler):
    gate, done = asyncio.Event(), []

    async def work() -> str:
        await gate.wait()
        done.append("work")
        return "result"

    async def ask() -> str:
        return await asyncio.shield(scheduler.in_hand(work()))

    asker = asyncio.create_task(ask())
    await settled()
    asker.cancel()
    await asyncio.gather(asker, return_exceptions=True)
    assert not scheduler.is_idle
    gate.set()
    await until(lambda: scheduler.is_idle)
    assert done == ["work"]


async def test_the_result_of_what_is_in_hand_can_be_awaited(scheduler: Scheduler):
    async def work() -> str:
        return "result"

    assert await scheduler.in_hand(work()) == "result"


async def test_an_errand_is_done_once_however_often_it_is_run():
    attempts: list[Exception | None] = [None, NotStored("full")]
    done = []

    async def work() -> None:
        if fault := attempts.pop():
            raise fault
        done.append(1)

    errand = Errand("once", work)
    with pytest.raises(NotStored):
        await errand.run_once()
    for _ in range(3):
        await errand.run_once()
    assert done == [1]


async def test_a_stop_waits_for_what_is_in_hand(clock: FakeClock):
    scheduler, gate = Scheduler(clock), asyncio.Event()
    work = scheduler.in_hand(gate.wait())
    stop = asyncio.create_task(scheduler.stop(20.0))
    await settled()
    assert not stop.done()
    gate.set()
    await stop
    assert work.result() is True


async def test_a_stop_cancels_what_is_still_in_hand_after_its_grace(clock: FakeClock):
    scheduler = Scheduler(clock)
    work = scheduler.in_hand(asyncio.Event().wait())
    await scheduler.stop(0.0)
    assert work.cancelled()


async def test_a_stop_ends_every_job_first_and_then_nothing_runs(clock: FakeClock):
    scheduler, job, stuck = Scheduler(clock), Counter(), Stuck()
    scheduler.add(job)
    scheduler.add(stuck)
    await settled()
    await scheduler.stop(0.0)
    scheduler.wake("count")
    assert await runs_after(job, clock, 60) == 1
    assert stuck.was_cancelled


@pytest.mark.parametrize(("fault", "told"), [(LookupError("a bug"), ["in_hand_failed"]), (Unavailable("not now"), [])])
async def test_a_fault_in_what_is_in_hand_keeps_nobody_from_stopping_and_a_bug_is_told(clock: FakeClock, caplog, fault, told):
    scheduler = Scheduler(clock)

    async def fail() -> None:
        raise fault

    work = scheduler.in_hand(fail())
    await scheduler.stop(20.0)
    assert work.exception() is fault
    assert [record.__dict__["action"] for record in caplog.records] == told


async def test_a_job_in_which_a_library_swallowed_the_cancellation_ends_all_the_same() -> None:
    class Swallower:
        name = "swallower"
        runs = 0

        async def run_once(self) -> float | None:
            self.runs += 1
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()
            return None

    scheduler, job = Scheduler(FakeClock()), Swallower()
    scheduler.add(job)
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await scheduler.remove("swallower")
    assert job.runs == 1
