"""Whether the wall clock may be believed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.heartbeat import BEAT_S, WATCH_S, Heartbeat
from gateway.store import clock as clock_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.ledger import NOW_S


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_S)


async def begun(db: Database, clock: FakeClock) -> Heartbeat:
    """A heartbeat as after a start."""
    heartbeat = Heartbeat(db, clock)
    await heartbeat.begin()
    return heartbeat


async def kept_s(db: Database) -> float:
    return await db.read(clock_rows.newest_wall_s)


async def test_a_clock_that_nobody_contradicts_is_trusted(db: Database, clock: FakeClock):
    assert (await begun(db, clock)).clock_is_trusted


async def test_every_beat_keeps_the_time_and_says_when_the_next_one_is(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    assert await heartbeat.run_once() == BEAT_S
    assert await kept_s(db) == NOW_S
    clock.advance(BEAT_S)
    await heartbeat.run_once()
    assert await kept_s(db) == NOW_S + BEAT_S


async def test_a_machine_that_woke_in_the_past_is_not_trusted_until_it_has_caught_up(db, clock, caplog):
    await (await begun(db, clock)).run_once()
    clock.step_wall(-3_600)
    heartbeat = await begun(db, clock)
    assert not heartbeat.clock_is_trusted
    assert [record.__dict__["action"] for record in caplog.records] == ["clock_untrusted"]
    clock.advance(3_599.5)
    assert not heartbeat.clock_is_trusted
    clock.advance(0.5)
    assert heartbeat.clock_is_trusted


async def test_a_time_server_that_answers_ends_the_distrust_at_once(db: Database, clock: FakeClock):
    await (await begun(db, clock)).run_once()
    clock.step_wall(-3_600)
    heartbeat = await begun(db, clock)
    clock.step_wall(3_601)
    assert heartbeat.clock_is_trusted


async def test_a_clock_that_falls_back_while_the_gateway_runs_is_not_trusted(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    await heartbeat.run_once()
    clock.step_wall(-1)
    assert not heartbeat.clock_is_trusted


async def test_time_goes_on_from_what_was_seen_while_the_clock_is_behind_it(db: Database, clock: FakeClock):
    await (await begun(db, clock)).run_once()
    clock.step_wall(-8 * 3_600)
    heartbeat = await begun(db, clock)
    assert heartbeat.wall_s() == NOW_S
    clock.advance(90)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == NOW_S + 90
    clock.step_wall(9 * 3_600)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == clock.wall_s() == NOW_S + 90 + 3_600


async def test_a_beat_of_a_clock_that_is_not_trusted_keeps_nothing(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    await heartbeat.run_once()
    clock.step_wall(-3_600)
    assert await heartbeat.run_once() == WATCH_S
    assert await kept_s(db) == NOW_S
    assert not heartbeat.clock_is_trusted


async def test_at_most_one_beat_of_the_past_is_forgotten_by_a_power_cut(db: Database, clock: FakeClock):
    await (await begun(db, clock)).run_once()
    clock.advance(BEAT_S - 1)
    after_the_cut = await begun(db, clock)
    clock.step_wall(-BEAT_S)
    assert not after_the_cut.clock_is_trusted


async def test_a_sound_clock_is_not_warned_about(db, clock, caplog):
    await (await begun(db, clock)).run_once()
    clock.advance(5)
    await begun(db, clock)
    assert caplog.records == []
