"""The time that the flows go by: even, kept, and set by confirmed steps only."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.access import GrantState
from gateway.errors import NotStored
from gateway.heartbeat import AGREES_S, BEAT_S, WATCH_S, Heartbeat
from gateway.store import access as grant_rows
from gateway.store import clock as clock_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.ledger import NOW_S, grant, in_folder, payment, record

HOUR_S = 3_600.0
YEAR_S = 365 * 86_400.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await in_folder(tmp_path)
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


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["action"] for record in caplog.records]


# ── it is kept ──


async def test_the_time_is_kept_at_the_start_and_every_minute_from_then_on(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    assert await kept_s(db) == NOW_S
    commits = db.commits
    while clock.wall_s() < NOW_S + BEAT_S:
        clock.advance(WATCH_S)
        assert await heartbeat.run_once() == WATCH_S
    assert await kept_s(db) == NOW_S + BEAT_S
    assert db.commits == commits + 1


async def test_a_disk_that_takes_nothing_is_tried_again_and_time_goes_on(db: Database, clock: FakeClock, monkeypatch):
    heartbeat = await begun(db, clock)
    with monkeypatch.context() as full:
        full.setattr(db, "write", _refuse)
        clock.synchronise(ahead_s=HOUR_S)
        assert await heartbeat.run_once() == WATCH_S
        assert heartbeat.wall_s() == NOW_S
    await heartbeat.run_once()
    assert heartbeat.wall_s() == await kept_s(db) == NOW_S + HOUR_S


async def _refuse(*_: object) -> None:
    raise NotStored("full")


async def test_who_waits_for_a_wall_time_hears_of_each_step_and_of_nothing_else(db: Database, clock: FakeClock):
    steps: list[float] = []
    heartbeat = Heartbeat(db, clock, on_step=lambda: steps.append(heartbeat.wall_s()))
    await heartbeat.begin()
    clock.advance(BEAT_S)
    await heartbeat.run_once()
    clock.step_wall(HOUR_S)
    await heartbeat.run_once()
    assert steps == []
    clock.synchronise()
    await heartbeat.run_once()
    assert steps == [NOW_S + BEAT_S + HOUR_S]


# ── it runs evenly ──


@pytest.mark.parametrize("step_s", [-YEAR_S, -8 * HOUR_S, 30, 8 * HOUR_S, YEAR_S])
async def test_a_clock_that_is_set_and_not_confirmed_changes_nothing(db: Database, clock: FakeClock, step_s: float):
    heartbeat = await begun(db, clock)
    clock.step_wall(step_s)
    clock.advance(90)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == await kept_s(db) == NOW_S + 90
    assert not heartbeat.clock_is_trusted


async def test_a_restart_forgets_no_second_whatever_the_clock_did_meanwhile(db: Database, clock: FakeClock):
    await begun(db, clock)
    clock.step_wall(-8 * HOUR_S)
    clock.advance(200)
    assert (await begun(db, clock)).wall_s() == NOW_S + 200


@pytest.mark.parametrize("wrong_by_s", [-YEAR_S, -8 * HOUR_S, 40.0, 8 * HOUR_S, YEAR_S])
async def test_after_a_power_cut_time_goes_on_from_what_was_kept(db, clock, caplog, wrong_by_s: float):
    await begun(db, clock)
    clock.reboot(off_s=600, wrong_by_s=wrong_by_s - 600)
    heartbeat = await begun(db, clock)
    assert heartbeat.wall_s() == NOW_S
    assert actions(caplog) == ["clock_untrusted"]
    assert "timedatectl" in str(heartbeat.complaint)


async def test_a_power_cut_is_over_when_the_time_server_has_answered_before_the_start(db: Database, clock: FakeClock):
    await begun(db, clock)
    clock.reboot(off_s=600)
    clock.synchronise()
    heartbeat = await begun(db, clock)
    assert heartbeat.wall_s() == clock.wall_s() == NOW_S + 600
    assert heartbeat.complaint is None


# ── witnesses ──


@pytest.mark.parametrize("step_s", [-YEAR_S, -8 * HOUR_S, 30, 8 * HOUR_S, YEAR_S])
async def test_a_time_server_is_followed(db: Database, clock: FakeClock, caplog, step_s: float):
    heartbeat = await begun(db, clock)
    clock.synchronise(ahead_s=step_s)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == await kept_s(db) == NOW_S + step_s
    assert heartbeat.stepped_s == step_s
    assert actions(caplog) == ["clock_stepped"]


async def test_a_time_server_does_not_vouch_for_what_somebody_did_to_the_clock_afterwards(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    clock.synchronise()
    clock.advance(WATCH_S)
    await heartbeat.run_once()
    clock.advance(WATCH_S)
    clock.step_wall(YEAR_S)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == NOW_S + 2 * WATCH_S


async def test_the_provider_confirms_the_clock_it_agrees_with(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    clock.step_wall(HOUR_S)
    heartbeat.hear_date(clock.wall_s() - AGREES_S)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == NOW_S + HOUR_S


async def test_the_provider_is_not_followed_itself(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    heartbeat.hear_date(NOW_S + YEAR_S)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == NOW_S


async def test_the_provider_does_not_vouch_for_what_somebody_did_to_the_clock_afterwards(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    heartbeat.hear_date(NOW_S)
    clock.step_wall(HOUR_S)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == NOW_S


async def test_a_certificate_that_is_not_valid_now_tells_of_a_wrong_clock_once(db: Database, clock: FakeClock, caplog):
    heartbeat = await begun(db, clock)
    heartbeat.hear_certificate()
    heartbeat.hear_certificate()
    assert actions(caplog) == ["clock_refused"]
    assert "certificate" in str(heartbeat.complaint)
    clock.synchronise(ahead_s=HOUR_S)
    await heartbeat.run_once()
    assert heartbeat.complaint is None


# ── what steps along ──


async def test_an_hour_that_runs_is_an_hour_across_a_step_and_is_told_in_the_database(db: Database, clock: FakeClock):
    heartbeat = await begun(db, clock)
    clock.advance(10)
    at_s = heartbeat.wall_s()
    active = grant(state=GrantState.ACTIVE, created_at_s=at_s, starts_at_s=at_s, ends_at_s=at_s + HOUR_S)
    await record(db, payment(created_at_s=at_s), active)
    clock.synchronise(ahead_s=-YEAR_S)
    await heartbeat.run_once()
    left = (await db.read(lambda tx: grant_rows.get(tx, active.id))).ends_s - heartbeat.wall_s()
    assert left == HOUR_S


@pytest.mark.parametrize(("was_right", "moved_s"), [(True, 0.0), (False, 8 * HOUR_S)])
async def test_an_hour_runs_on_through_a_power_cut_if_its_clock_was_known_to_be_right(db, clock, was_right: bool, moved_s: float):  # noqa: FBT001
    if was_right:
        clock.synchronise()
    heartbeat = await begun(db, clock)
    active = grant(state=GrantState.ACTIVE, created_at_s=NOW_S, starts_at_s=NOW_S, ends_at_s=NOW_S + HOUR_S)
    await record(db, payment(), active)
    clock.advance(BEAT_S)
    await heartbeat.run_once()
    clock.reboot(off_s=8 * HOUR_S, wrong_by_s=-8 * HOUR_S)
    heartbeat = await begun(db, clock)
    clock.synchronise(ahead_s=8 * HOUR_S)
    await heartbeat.run_once()
    assert heartbeat.wall_s() == clock.wall_s()
    assert (await db.read(lambda tx: grant_rows.get(tx, active.id))).ends_s == NOW_S + HOUR_S + moved_s


async def test_a_sound_clock_is_not_warned_about(db, clock, caplog):
    await begun(db, clock)
    clock.advance(5)
    await begun(db, clock)
    assert caplog.records == []
