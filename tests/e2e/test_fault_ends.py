"""Whose time is over is out in time, whatever the card does; and what cannot be done now is not tried at the router's expense."""

import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.access import GrantState
from gateway.gate import STALL_S
from gateway.heartbeat import WATCH_S
from gateway.hotspot.link import Link
from gateway.reconciler import RETRY_S
from gateway.simulators.intasend import Outcome
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import ALL_POLICIES
from tests.disk import Disk
from tests.e2e.test_fault_router import set_rights
from tests.e2e.world import World

CROWD = 10

WAITS_FOR_THE_CARD = {"heartbeat", "exchanges", "close:1", "open:1", "settle", "backup", "audit", "books", "links"}
"""Jobs that write, and do not come to an end before the card does."""


@pytest.fixture
async def world(tmp_path: Path, disk: Disk) -> AsyncIterator[World]:
    async with World(tmp_path) as world:
        await world.start()
        yield world
        disk.heal()


@pytest.fixture
def sentences(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What the router was asked, from now on."""
    asked: Counter[str] = Counter()
    real = Link.ask

    async def ask(self: Link, *words: str, **named: Any) -> list[dict[str, str]]:
        asked[words[0]] += 1
        return await real(self, *words, **named)

    monkeypatch.setattr(Link, "ask", ask)
    return asked


async def sell_two_minutes(world: World, count: int) -> list[SimulatedPhone]:
    """To so many, who are all online then."""
    crowd = [guest(world, number) for number in range(count)]
    for phone in crowd:
        phone.join()
        world.intasend.script(phone.number, Outcome.COMPLETE.after(1))
        status, _ = await world.initiate(phone, 1, "5")
        assert status == 201
    await world.pass_time_until(lambda: all(phone.online for phone in crowd), within_s=20)
    return crowd


def guest(world: World, number: int) -> SimulatedPhone:
    mac, ip = f"A2:00:00:00:01:{number:02X}", f"192.168.2.{number + 1}"
    return SimulatedPhone(f"guest {number}", mac, ip, f"2547000000{number:02}", world.router, world.intasend, world.clock)


async def test_on_a_full_disk_everybody_who_is_due_is_shut_out_and_then_left_alone(
    world: World, disk: Disk, sentences: Counter[str], caplog: pytest.LogCaptureFixture
):
    crowd = await sell_two_minutes(world, CROWD)
    disk.fill()
    await world.pass_time(121)
    assert not [phone.name for phone in crowd if phone.online]

    sentences.clear()
    caplog.clear()
    await world.pass_time(60)
    assert sum(sentences.values()) < 60, "more than the pulse and the comparison ask"
    assert not [record for record in caplog.records if vars(record).get("action") == "grant_failed"]

    disk.heal()
    await world.pass_time(WATCH_S + RETRY_S)
    assert {grant.state for grant in await world.grants()} == {GrantState.ENDED}


async def test_a_router_that_takes_no_change_is_not_knocked_at_all_night(
    world: World, sentences: Counter[str], caplog: pytest.LogCaptureFixture
):
    crowd = await sell_two_minutes(world, CROWD)
    set_rights(world.router, ALL_POLICIES - {"write"}, at_once=True)
    await world.pass_time(125)
    sentences.clear()
    caplog.clear()
    await world.pass_time(60)
    assert sum(sentences.values()) < 60, "more than the pulse and the comparison ask"
    assert [vars(record)["action"] for record in caplog.records if vars(record).get("grant")] == []

    set_rights(world.router, ALL_POLICIES, at_once=True)
    await world.pass_time(15)
    assert not [phone.name for phone in crowd if phone.online]
    assert {grant.state for grant in await world.grants()} == {GrantState.ENDED}


async def test_a_card_that_stalls_keeps_nobody_online_behind_the_end(world: World, disk: Disk):
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    grant = await world.grant(payment_id)
    assert grant is not None
    await world.pass_time(grant.ends_s - world.clock.wall_s() - 1)
    begun, may_go_on = threading.Event(), threading.Event()

    def stall(_: Path) -> int | None:
        begun.set()
        assert may_go_on.wait(20)
        return None

    disk.fail_sync = stall
    world.stuck = WAITS_FOR_THE_CARD
    try:
        await world.pass_time(1)
        await world.until(begun.is_set)
        await world.until(lambda: (world.clock.next_wake_s() or 0) <= STALL_S)
        world.clock.advance(STALL_S)
        await world.until(lambda: not world.amina.online)
        assert world.clock.wall_s() <= grant.ends_s + 1
    finally:
        disk.heal()
        may_go_on.set()
    world.stuck = set()
    await world.pass_time(2 * RETRY_S)
    assert {grant.state for grant in await world.grants()} == {GrantState.ENDED}
