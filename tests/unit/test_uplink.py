"""The uplink is dialled, and what customers missed while nothing answered is given back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import uplink
from gateway.access import GrantState
from gateway.compensation import Compensation
from gateway.config_values import Listen
from gateway.errors import NotStored
from gateway.heartbeat import Heartbeat
from gateway.store import access as grant_rows
from gateway.uplink import ASK_AGAIN_S, ASK_S, Uplink
from tests.fakeclock import FakeClock
from tests.ledger import NOW_S, grant, in_folder, payment, record

PLACES = (Listen("1.1.1.1", 443), Listen("8.8.8.8", 53))
END_S = NOW_S + 36_000


class Site:
    """An uplink in the hand of a test: `answering` are the places that can be dialled."""

    def __init__(self, job: Uplink, compensation: Compensation, clock: FakeClock) -> None:
        self.job = job
        self.compensation = compensation
        self.clock = clock

    async def after(self, seconds: float) -> float | None:
        self.clock.advance(seconds)
        return await self.job.run_once()

    async def moved_s(self) -> float:
        return (await self.compensation.db.read(lambda tx: grant_rows.get(tx, "grant-1"))).ends_s - END_S


@pytest.fixture
def answering() -> set[Listen]:
    return set(PLACES)


@pytest.fixture
async def site(tmp_path: Path, answering: set[Listen]) -> AsyncIterator[Site]:
    db, clock = await in_folder(tmp_path), FakeClock(NOW_S)
    heartbeat = Heartbeat(db, clock)
    await heartbeat.begin()
    await record(db, payment(), grant(state=GrantState.ACTIVE, starts_at_s=NOW_S, ends_at_s=END_S))

    async def dial(place: Listen) -> bool:
        return place in answering

    compensation = Compensation(db, heartbeat, lambda _: None, from_s=300)
    yield Site(Uplink(PLACES, compensation, lambda: [1], dial), compensation, clock)
    await db.close()


async def test_what_was_missed_while_nothing_answered_is_given_back(site: Site, answering: set[Listen]):
    assert await site.after(0) == ASK_S
    answering.clear()
    assert await site.after(30) == ASK_AGAIN_S
    assert await site.after(1_000) == ASK_AGAIN_S
    answering.add(PLACES[1])
    assert await site.after(10) == ASK_S
    assert await site.moved_s() == 1_040
    await site.after(30)
    assert await site.moved_s() == 1_040


async def test_one_place_that_answers_is_enough(site: Site, answering: set[Listen]):
    await site.after(0)
    answering.remove(PLACES[0])
    for _ in range(40):
        await site.after(30)
    assert await site.moved_s() == 0


async def test_a_short_outage_and_one_before_the_first_answer_count_for_nothing(site: Site, answering: set[Listen]):
    answering.clear()
    await site.after(0)
    await site.after(1_000)
    answering.update(PLACES)
    await site.after(10)
    answering.clear()
    await site.after(30)
    answering.update(PLACES)
    await site.after(200)
    assert await site.moved_s() == 0


async def test_a_gateway_that_was_held_up_is_no_outage(site: Site):
    await site.after(0)
    await site.after(3_000)
    assert await site.moved_s() == 0


async def full(*_: object) -> None:
    raise NotStored("full")


async def test_a_disk_that_takes_nothing_is_tried_again_and_makes_no_outage_longer(
    site: Site, answering: set[Listen], monkeypatch: pytest.MonkeyPatch
):
    await site.after(0)
    answering.clear()
    await site.after(600)
    answering.update(PLACES)
    with monkeypatch.context() as disk:
        disk.setattr(site.compensation.db, "write", full)
        assert await site.after(10) == ASK_AGAIN_S
        for _ in range(100):
            assert await site.after(30) == ASK_AGAIN_S
    await site.after(10)
    assert await site.moved_s() == 610


async def test_two_outages_while_the_disk_takes_nothing_are_both_given_back(
    site: Site, answering: set[Listen], monkeypatch: pytest.MonkeyPatch
):
    await site.after(0)
    with monkeypatch.context() as disk:
        disk.setattr(site.compensation.db, "write", full)
        for seconds in (600, 700):
            answering.clear()
            await site.after(seconds)
            answering.update(PLACES)
            await site.after(10)
        answering.clear()
        await site.after(800)
    answering.update(PLACES)
    await site.after(10)
    assert await site.moved_s() == 610 + 710 + 810


async def test_without_places_nobody_is_asked(site: Site):
    async def dial(_: Listen) -> bool:
        raise AssertionError("asked")

    assert await Uplink((), site.compensation, lambda: [1], dial).run_once() is None


async def test_a_place_answers_when_a_connection_can_be_opened(monkeypatch: pytest.MonkeyPatch):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    place = Listen(*server.sockets[0].getsockname())
    assert await uplink.dial(place)
    server.close()
    await server.wait_closed()
    assert not await uplink.dial(place)

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", never)
    monkeypatch.setattr(uplink, "DIAL_S", 0.01)
    assert not await uplink.dial(place)
