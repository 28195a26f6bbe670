"""The machine's own clocks."""

import asyncio
import time

import pytest

from gateway.clock import Clock, SystemClock


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What asyncio was asked to sleep; nobody does."""
    asked: list[float] = []

    async def note(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr("gateway.clock.asyncio.sleep", note)
    return asked


def test_wall_time_is_the_machines_seconds_since_1970():
    before_s = time.time()
    assert before_s <= SystemClock().wall_s() <= time.time()


def test_monotonic_time_never_goes_back():
    system = SystemClock()
    readings = [system.monotonic_s() for _ in range(1_000)]
    assert readings == sorted(readings)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_monotonic_time_counts_the_time_in_suspend():
    before_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before_s <= SystemClock().monotonic_s() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_step_of_the_wall_clock_does_not_touch_monotonic_time(monkeypatch):
    system = SystemClock()
    before_s = system.monotonic_s()
    monkeypatch.setattr("gateway.clock.time.time", lambda: 0.0)
    assert system.wall_s() == 0.0
    assert 0 <= system.monotonic_s() - before_s < 60


async def test_sleep_waits_as_long_as_it_is_told(sleeps):
    await SystemClock().sleep(2.5)
    assert sleeps == [2.5]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_no_time_to_sleep_lets_the_others_run_once(seconds):
    ran: list[str] = []
    other = asyncio.create_task(_note(ran))
    clock: Clock = SystemClock()
    await clock.sleep(seconds)
    assert ran == ["other"]
    await other


async def _note(ran: list[str]) -> None:
    ran.append("other")
