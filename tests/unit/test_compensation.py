"""What outages took is given back: once, from the configured length on, and not before the clock is right."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.access import Grant, GrantState
from gateway.compensation import LONGEST_ABSENCE_S, Compensation, RouterWatch
from gateway.errors import NotStored
from gateway.heartbeat import Heartbeat
from gateway.outages import Cause, Outage, Span
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import outages as outage_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.ledger import NOW_S, grant, in_folder, payment, record

FROM_S = 300
UP_S = 1_000_000
"""The uptime of a router that has run for ever."""
END_S = NOW_S + 36_000


class Post:
    """One router, and somebody who is online there for ten hours."""

    def __init__(self, db: Database, from_s: int | None = FROM_S) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.heartbeat = Heartbeat(db, self.clock)
        self.woken: list[str] = []
        self.compensation = Compensation(db, self.heartbeat, self.woken.append, from_s)
        self.watch = RouterWatch(1, self.compensation, None)

    async def sell(self) -> None:
        await self.heartbeat.begin()
        await record(self.db, payment(), grant(state=GrantState.ACTIVE, starts_at_s=NOW_S, ends_at_s=END_S))

    async def grant(self) -> Grant:
        return await self.db.read(lambda tx: grant_rows.get(tx, "grant-1"))

    async def moved_s(self) -> float:
        return (await self.grant()).ends_s - END_S

    async def pass_by(self, seconds: float, uptime_s: int) -> None:
        """Let time pass, and the router answer."""
        self.clock.advance(seconds)
        await self.watch.answered(uptime_s)

    async def next_life(self, away_s: float, last_life_s: float | None) -> None:
        """The gateway starts again."""
        self.clock.advance(away_s)
        self.watch = RouterWatch(1, self.compensation, last_life_s)


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    db = await in_folder(tmp_path)
    made = Post(db)
    await made.sell()
    await made.watch.answered(UP_S)
    yield made
    await db.close()


@pytest.mark.parametrize(("down_s", "moved_s"), [(FROM_S - 1, 0), (FROM_S, FROM_S), (7_200, 7_200)])
async def test_an_outage_counts_from_the_configured_length_on(post: Post, down_s: int, moved_s: int):
    await post.pass_by(down_s, 10)
    assert await post.moved_s() == moved_s
    assert (await post.grant()).compensated_s == moved_s
    assert post.woken == (["open:1", "close:1"] if moved_s else [])


async def test_without_a_configured_length_nothing_is_given_back(post: Post):
    post.compensation.from_s = None
    await post.watch.silent()
    await post.pass_by(7_200, 10)
    assert await post.moved_s() == 0


async def test_every_second_is_given_back_once(post: Post):
    outage = Outage(1, Cause.UPLINK, Span(NOW_S + 100, NOW_S + 1_100))
    post.clock.advance(2_000)
    for _ in range(2):
        await post.compensation.give_back(outage)
    assert await post.moved_s() == 1_000
    await post.compensation.give_back(Outage(1, Cause.ROUTER, Span(NOW_S + 600, NOW_S + 1_600)))
    assert await post.moved_s() == 1_500
    assert await post.db.read(outage_rows.given_back_s) == 1_500


@pytest.mark.parametrize("step_s", [-365 * 86_400, 8 * 3_600])
async def test_a_step_of_the_clock_in_the_same_moment_neither_takes_nor_gives_anything(post: Post, step_s: int):
    post.clock.advance(1_000)
    post.clock.synchronise(ahead_s=step_s)
    await asyncio.gather(post.heartbeat.run_once(), post.watch.answered(10))
    assert post.heartbeat.stepped_s == step_s
    assert await post.moved_s() == step_s + 1_000
    assert await post.db.read(lambda tx: outage_rows.dealt_with_until_s(tx, 1)) == post.heartbeat.wall_s()


@pytest.mark.parametrize("step_s", [-365 * 86_400, 8 * 3_600])
async def test_a_silence_that_is_kept_in_the_moment_of_a_step_is_as_long_as_it_was(post: Post, step_s: int):
    post.clock.advance(1_000)
    post.clock.synchronise(ahead_s=step_s)
    await asyncio.gather(post.heartbeat.run_once(), post.watch.silent())
    assert await post.db.read(lambda tx: outage_rows.silent_since_s(tx, 1)) == post.heartbeat.wall_s() - 1_000


async def test_the_grant_and_the_outage_say_so_in_the_record(post: Post):
    await post.pass_by(600, 10)
    (_, told) = (await post.db.read(lambda tx: events.of_payment(tx, "payment-1")))[-1]
    assert told["set"]["compensated_s"] == 600
    kinds = await post.db.read(lambda tx: [row[0] for row in tx.execute("SELECT kind FROM event ORDER BY seq DESC LIMIT 2")])
    assert kinds == ["outage.recorded", "grant.compensated"]


async def test_a_long_silence_is_kept_and_counts_from_its_beginning_after_a_restart(post: Post):
    post.clock.advance(FROM_S)
    await post.watch.silent()
    await post.next_life(600, NOW_S + FROM_S)
    await post.pass_by(300, 10)
    assert await post.moved_s() == FROM_S + 900
    assert await post.db.read(lambda tx: outage_rows.silent_since_s(tx, 1)) is None


async def test_a_short_silence_is_not_written_down(post: Post):
    post.clock.advance(FROM_S - 1)
    await post.watch.silent()
    assert await post.db.read(lambda tx: outage_rows.silent_since_s(tx, 1)) is None


async def test_a_router_that_was_silent_and_ran_has_taken_nothing(post: Post):
    post.clock.advance(7_200)
    await post.watch.silent()
    await post.pass_by(10, UP_S)
    assert await post.moved_s() == 0
    assert await post.db.read(lambda tx: outage_rows.silent_since_s(tx, 1)) is None


@pytest.mark.parametrize(
    ("away_s", "uptime_s", "moved_s"),
    [(7_200, UP_S, 0), (7_200, 10, 7_200), (LONGEST_ABSENCE_S + 1, 10, 0)],
)
async def test_a_start_finds_out_what_the_router_missed_while_there_was_no_gateway(
    post: Post, away_s: int, uptime_s: int, moved_s: int
):
    await record_end(post, END_S + 2 * LONGEST_ABSENCE_S)
    await post.next_life(away_s, NOW_S)
    await post.watch.answered(uptime_s)
    assert (await post.grant()).ends_s == END_S + 2 * LONGEST_ABSENCE_S + moved_s


async def record_end(post: Post, ends_s: float) -> None:
    def work(tx: sqlite3.Connection) -> None:
        tx.execute("UPDATE access_grant SET ends_at_s = ?", (ends_s,))

    await post.db.write(work)


async def test_a_router_that_is_new_to_this_gateway_has_taken_nothing(post: Post):
    await post.next_life(7_200, None)
    await post.watch.answered(10)
    assert await post.moved_s() == 0


async def test_nothing_is_judged_before_the_clock_is_right(post: Post, monkeypatch: pytest.MonkeyPatch):
    await post.next_life(7_200, NOW_S)
    with monkeypatch.context() as dark:
        dark.setattr(Heartbeat, "clock_is_trusted", False)
        await post.watch.answered(10)
        await post.pass_by(60, 70)
        assert await post.moved_s() == 0
    await post.pass_by(60, 130)
    assert await post.moved_s() == 7_200


async def test_a_disk_that_takes_nothing_is_tried_again(post: Post, monkeypatch: pytest.MonkeyPatch):
    async def full(*_: object) -> None:
        raise NotStored("full")

    with monkeypatch.context() as disk:
        disk.setattr(post.db, "write", full)
        await post.pass_by(600, 10)
        await post.watch.silent()
    assert await post.moved_s() == 0
    await post.pass_by(5, 15)
    assert await post.moved_s() == 605
