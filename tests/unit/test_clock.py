"""The machine's own clocks."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from gateway import clock
from gateway.clock import Clock, SystemClock, within
from tests.fakeclock import FakeClock


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


def test_a_time_server_was_heeded_when_the_time_service_says_so(tmp_path: Path):
    synchronised = tmp_path / "synchronized"
    system = SystemClock(synchronised)
    assert system.synchronised_at_s() is None
    synchronised.touch()
    os.utime(synchronised, (12.5, 12.5))
    assert system.synchronised_at_s() == 12.5


def test_the_boot_is_what_the_unit_hands_over_or_what_the_kernel_calls_it(tmp_path: Path, monkeypatch):
    (tmp_path / "boot_id").write_text("0bad-cafe\n")
    monkeypatch.setattr(clock, "BOOT_ID", tmp_path / "boot_id")
    monkeypatch.delenv("BOOT_ID", raising=False)
    assert SystemClock().boot_id == "0badcafe"
    monkeypatch.setenv("BOOT_ID", "feed")
    assert SystemClock().boot_id == "feed"


def test_where_nobody_names_the_boot_each_start_counts_as_one(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(clock, "BOOT_ID", tmp_path / "hidden by the sandbox")
    monkeypatch.delenv("BOOT_ID", raising=False)
    assert SystemClock().boot_id != SystemClock().boot_id


async def test_work_that_is_done_in_time_gives_what_it_gives():
    async def succeed() -> str:
        return "done"

    async def fail() -> None:
        raise KeyError("its own")

    hand = FakeClock()
    assert await within(1, succeed(), hand) == "done"
    with pytest.raises(KeyError, match="its own"):
        await within(1, fail(), hand)


async def test_work_that_takes_longer_is_cancelled():
    ended: list[str] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    hand = FakeClock()
    waiting = asyncio.create_task(within(1, for_ever(), hand))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    hand.advance(1)
    with pytest.raises(TimeoutError):
        await waiting
    await asyncio.sleep(0)
    assert ended == ["cancelled"]
