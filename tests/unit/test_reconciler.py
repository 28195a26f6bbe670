"""The jobs of one router: what differs is found, what is owed opened, what is due closed, and one failure stops nobody else."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.access import Grant, GrantState
from gateway.catalogue import Catalogue, Router, Site
from gateway.compensation import Compensation, RouterWatch
from gateway.errors import RouterRefused, RouterUnreachable
from gateway.gate import ACTIVATION_ALLOWANCE_S, Gate
from gateway.heartbeat import Heartbeat
from gateway.hotspot.base import Device, MarkedRow, Snapshot
from gateway.identity import IpAddress, MacAddress
from gateway.reconciler import (
    COMPARE_S,
    PULSE_S,
    RETRY_S,
    SETTLING_S,
    Close,
    Compare,
    Drift,
    History,
    Open,
    drifts,
)
from gateway.store import access as grant_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.ledger import DAY, HOUR, IP, LOGIN, MAC, NOW_S, OTHER_MAC, grant, in_folder, payment, record

AMINA, OTIENO = Device(MAC, IP), Device(OTHER_MAC, IpAddress("192.168.1.101"))
THIRD_MAC = MacAddress("A2:00:00:00:00:03")
END_S = NOW_S + 3_600
DOWN = RouterUnreachable("no answer")


def active(number: int = 1, **changes: Any) -> Grant:
    return grant(number, **{"state": GrantState.ACTIVE, "starts_at_s": NOW_S, "ends_at_s": END_S, **changes})


def row(number: int = 1, **changes: Any) -> MarkedRow:
    """What the router shows for an active grant when all is well."""
    shown = MarkedRow(f"grant-{number}", int(END_S) + ACTIVATION_ALLOWANCE_S, MAC, online=True, used_up=False)
    return replace(shown, **changes)


def snapshot(*rows: MarkedRow, hosts: frozenset[MacAddress] = frozenset({MAC}), strays: tuple[MacAddress, ...] = ()) -> Snapshot:
    return Snapshot(10_000, rows, strays, hosts)


def found(grants: list[Grant], seen: Snapshot, *, customers: Iterable[MacAddress] = (), unknown: Iterable[str] = ()) -> list[Drift]:
    return drifts(grants, seen, History(frozenset(customers), frozenset(unknown)), NOW_S)


def whats(*arguments: Any, **keywords: Any) -> list[tuple[MacAddress, str]]:
    return [(drift.mac, drift.what) for drift in found(*arguments, **keywords)]


# ── what differs ──


def test_a_router_that_shows_what_the_database_says_has_no_drift():
    assert found([active()], snapshot(row())) == []
    assert found([], snapshot()) == []


def test_a_device_that_paid_and_is_not_let_through_is_found():
    assert whats([active()], snapshot()) == [(MAC, "not let through")]


def test_a_device_that_is_let_through_twice_is_found():
    assert whats([active()], snapshot(row(), row())) == [(MAC, "let through twice")]


def test_a_device_under_the_wrong_grant_is_found():
    queue = [active(1), active(2, starts_at_s=END_S, ends_at_s=END_S + 60)]
    shown = row(2, until_epoch_s=int(END_S) + 60 + ACTIVATION_ALLOWANCE_S)
    assert whats(queue, snapshot(shown)) == [(MAC, "let through under another grant")]
    assert found(queue, snapshot(replace(shown, grant_id="grant-1"))) == []


@pytest.mark.parametrize(("off_s", "drifts"), [(0, 0), (5, 0), (-5, 0), (6, 1), (-6, 1), (3_600, 1)])
def test_an_end_that_differs_by_more_than_the_allowance_is_found(off_s, drifts):
    shown = row(until_epoch_s=int(END_S) + ACTIVATION_ALLOWANCE_S + off_s)
    assert whats([active()], snapshot(shown)) == [(MAC, "its end is another")] * drifts


def test_a_row_without_an_end_is_found():
    assert whats([active()], snapshot(row(until_epoch_s=None))) == [(MAC, "its end is another")]


def test_a_device_that_is_in_sight_but_not_online_is_found_and_one_that_has_left_is_not():
    assert whats([active()], snapshot(row(online=False))) == [(MAC, "in sight, but not online")]
    assert found([active()], snapshot(row(online=False), hosts=frozenset())) == []


def test_a_device_that_logged_out_is_left_outside():
    assert found([active(logged_out=True)], snapshot()) == []


def test_a_device_that_is_let_through_though_it_logged_out_is_found():
    assert whats([active(logged_out=True)], snapshot(row())) == [(MAC, "let through though logged out")]
    assert whats([active(logged_out=True)], snapshot(strays=(MAC,)), customers={MAC}) == [(MAC, "let through though logged out")]


def test_a_device_that_logged_out_of_one_grant_and_bought_another_is_let_through():
    queue = [active(1, logged_out=True), active(2, starts_at_s=END_S, ends_at_s=END_S + 60)]
    assert whats(queue, snapshot()) == [(MAC, "not let through")]


def test_a_device_that_lost_something_is_looked_after_until_the_router_has_confirmed_it():
    history = History(frozenset(), frozenset(), frozenset({MAC, OTHER_MAC}))
    assert [(drift.mac, drift.what) for drift in drifts([active(mac=OTHER_MAC)], snapshot(), history, NOW_S)] == [
        (OTHER_MAC, "not let through"),
        (MAC, "what it lost is not confirmed"),
    ]


def test_a_device_whose_time_has_moved_is_found_and_the_one_that_is_owed_it_left_alone():
    moved = grant(mac=OTHER_MAC, used_s=600)
    assert whats([moved], snapshot(row(), row(mac=OTHER_MAC))) == [(MAC, "let through without a grant")]


def test_a_data_limit_that_is_reached_ends_the_grant_whose_turn_it_is():
    one = active()
    assert found([one], snapshot(row(used_up=True, online=False))) == [Drift(MAC, "data limit reached", used_up=one)]


def test_a_data_limit_of_another_grant_ends_nothing():
    (drift,) = found([active()], snapshot(row(2, used_up=True)))
    assert drift.used_up is None


def test_a_row_without_a_grant_is_found():
    assert whats([], snapshot(row())) == [(MAC, "let through without a grant")]


@pytest.mark.parametrize("state", [GrantState.OWED, GrantState.UNCLAIMED, GrantState.ENDING])
def test_a_device_on_which_something_is_under_way_is_left_alone(state):
    assert found([grant(state=state)], snapshot(row(), strays=(MAC,)), customers={MAC}) == []


def test_a_grant_of_no_device_is_nobodys_drift():
    assert found([grant(mac=None), grant(2, mac=None, state=GrantState.UNCLAIMED)], snapshot()) == []


def test_a_row_that_was_sold_before_the_database_was_restored_stays_until_its_end():
    for until_s, expected in (
        (NOW_S + 1, []),
        (NOW_S, [(MAC, "let through without a grant")]),
        (None, [(MAC, "let through without a grant")]),
    ):
        shown = row(until_epoch_s=until_s and int(until_s))
        assert whats([], snapshot(shown), unknown={"grant-1"}) == expected


def test_a_row_of_a_grant_that_is_over_does_not_stay():
    assert whats([], snapshot(row()), unknown={"grant-2"}) == [(MAC, "let through without a grant")]


def test_a_row_without_a_device_is_nobodys():
    assert found([], snapshot(row(mac=None))) == []


def test_a_former_customer_who_is_online_without_a_user_is_found_and_a_stranger_is_not():
    seen = snapshot(strays=(MAC, OTHER_MAC))
    assert whats([], seen, customers={MAC}) == [(MAC, "online without a user")]
    assert found([active()], snapshot(row(), strays=(MAC,)), customers={MAC}) == []


def test_every_device_is_judged_by_itself():
    grants = [active(1), active(2, mac=OTHER_MAC)]
    shown = snapshot(row(2, mac=OTHER_MAC), row(3, mac=THIRD_MAC), hosts=frozenset())
    assert whats(grants, shown) == [(MAC, "not let through"), (THIRD_MAC, "let through without a grant")]


# ── the jobs ──


class Post:
    """The jobs of one router with everything around them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.hotspot = FakeHotspot(AMINA, OTIENO)
        self.woken: list[str] = []
        site = Site(Catalogue([], [Router(1, 1, LOGIN, {1: HOUR, 2: DAY})]), {}, {1: self.hotspot})
        self.gate = Gate(1, site, db, self.clock, self.woken.append)
        self.open = Open(self.gate, db)
        self.close = Close(self.gate, db, self.clock)
        compensation = Compensation(db, Heartbeat(db, self.clock), self.woken.append, from_s=None)
        self.compare = Compare(self.gate, db, self.clock, RouterWatch(1, compensation, None))

    async def sold(self, *grants: Grant) -> None:
        for one in grants:
            await record(self.db, payment(int(one.id.split("-")[1])), one)

    async def state(self, number: int = 1) -> GrantState:
        return (await self.db.read(lambda tx: grant_rows.get(tx, f"grant-{number}"))).state

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, here and on the router, with a pulse at its end."""
        self.clock.advance(seconds)
        self.hotspot.booted_s += int(seconds)
        await self.compare.run_once()


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    db = await in_folder(tmp_path)
    yield Post(db)
    await db.close()


async def test_everybody_who_is_owed_access_is_let_through_oldest_first(post: Post):
    await post.sold(grant(1, created_at_s=NOW_S + 5), grant(2, mac=OTHER_MAC))
    assert await post.open.run_once() is None
    assert post.hotspot.deeds == [("authorize", OTHER_MAC), ("authorize", MAC)]


async def test_one_device_that_cannot_be_let_through_holds_up_no_other_and_is_tried_again(post: Post, caplog):
    await post.sold(grant(1), grant(2, mac=OTHER_MAC, created_at_s=NOW_S + 5))
    post.hotspot.faults[MAC] = RouterRefused("no such command")
    assert await post.open.run_once() == RETRY_S
    assert (await post.state(1), await post.state(2)) == (GrantState.OWED, GrantState.ACTIVE)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == ["not done yet: no such command"]
    post.hotspot.faults.clear()
    assert await post.open.run_once() is None
    assert await post.state(1) is GrantState.ACTIVE


async def test_nobody_owed_is_nothing_to_do(post: Post):
    await post.sold(active(1), grant(2, state=GrantState.UNCLAIMED))
    assert await post.open.run_once() is None
    assert post.hotspot.deeds == []


async def test_the_closing_job_waits_for_the_next_end(post: Post):
    await post.sold(active(1), active(2, mac=OTHER_MAC, ends_at_s=NOW_S + 60))
    assert await post.close.run_once() == 60
    assert post.hotspot.deeds == []


async def test_whose_time_is_over_is_shut_out_and_the_next_end_is_waited_for(post: Post):
    await post.sold(active(1), active(2, mac=OTHER_MAC, ends_at_s=NOW_S + 60))
    post.clock.advance(60)
    assert await post.close.run_once() == 3_540
    assert post.hotspot.deeds == [("shut_out", OTHER_MAC)]
    assert (await post.state(1), await post.state(2)) == (GrantState.ACTIVE, GrantState.ENDED)


async def test_a_grant_that_moves_up_behind_one_that_has_ended_is_waited_for_at_its_new_end(post: Post):
    await post.sold(active(1), active(2, starts_at_s=END_S + 900, ends_at_s=END_S + 4_500))
    post.clock.advance(3_600)
    assert await post.close.run_once() == 3_600


async def test_an_end_that_the_router_missed_is_tried_again_soon(post: Post):
    await post.sold(active(1))
    post.hotspot.fault = DOWN
    post.clock.advance(3_600)
    assert await post.close.run_once() == RETRY_S
    assert await post.state() is GrantState.ENDING
    post.hotspot.fault = None
    assert await post.close.run_once() is None
    assert await post.state() is GrantState.ENDED


async def test_an_end_that_is_sooner_than_the_next_try_is_waited_for(post: Post):
    await post.sold(active(1), active(2, mac=OTHER_MAC, ends_at_s=END_S + 1))
    post.hotspot.fault = DOWN
    post.clock.advance(3_600)
    assert await post.close.run_once() == 1


async def test_the_router_is_compared_when_it_is_first_seen(post: Post):
    await post.sold(active(1))
    assert await post.compare.run_once() == PULSE_S
    assert post.hotspot.deeds == [("authorize", MAC)]


async def test_a_calm_router_is_compared_every_half_minute_only(post: Post):
    await post.compare.run_once()
    await post.pass_time(SETTLING_S)
    before = post.hotspot.observed
    for _ in range(int(10 * COMPARE_S / PULSE_S)):
        await post.pass_time(PULSE_S)
    assert post.hotspot.observed - before == 10


async def test_a_reboot_is_noticed_however_quick_it_was_and_repaired_at_once(post: Post, caplog):
    await post.sold(active(1))
    await post.compare.run_once()
    await post.pass_time(SETTLING_S)
    post.hotspot.shown.clear()
    post.hotspot.booted_s = 3
    post.clock.advance(PULSE_S)
    await post.compare.run_once()
    assert post.hotspot.deeds == [("authorize", MAC)] * 2
    assert "router_rebooted" in [record.__dict__.get("action") for record in caplog.records]


async def test_a_reboot_is_noticed_although_the_router_was_up_for_seconds_only(post: Post, caplog):
    post.hotspot.booted_s = 2
    await post.compare.run_once()
    post.clock.advance(PULSE_S)
    post.hotspot.booted_s = 3
    await post.compare.run_once()
    assert "router_rebooted" in [record.__dict__.get("action") for record in caplog.records]


@pytest.mark.parametrize("lag_s", [-1, 1, 2])
async def test_a_second_more_or_less_is_no_reboot(post: Post, caplog, lag_s):
    await post.compare.run_once()
    post.hotspot.booted_s -= lag_s
    await post.pass_time(PULSE_S)
    assert "router_rebooted" not in [record.__dict__.get("action") for record in caplog.records]


async def test_an_answer_that_was_long_on_its_way_is_no_reboot(post: Post, caplog):
    """A router that is busy for 15 s tells its uptime, and the rest of the pulse has to wait for it (facts, routeros 1.10)."""
    await post.compare.run_once()
    post.hotspot.asked.clear()
    post.hotspot.pause = asyncio.Event()
    post.hotspot.booted_s += int(PULSE_S)
    post.clock.advance(PULSE_S)
    asked = asyncio.create_task(post.compare.run_once())
    await post.hotspot.asked.wait()
    post.clock.advance(15)
    post.hotspot.pause.set()
    await asked
    post.hotspot.booted_s += 15
    await post.pass_time(PULSE_S)
    assert "router_rebooted" not in [record.__dict__.get("action") for record in caplog.records]


async def test_a_clock_that_was_stepped_is_no_reboot(post: Post, caplog):
    await post.compare.run_once()
    post.clock.step_wall(86_400)
    await post.pass_time(PULSE_S)
    assert "router_rebooted" not in [record.__dict__.get("action") for record in caplog.records]


async def test_after_a_reboot_every_pulse_compares_for_a_minute(post: Post):
    await post.compare.run_once()
    before = post.hotspot.observed
    for _ in range(int(SETTLING_S / PULSE_S) - 1):
        await post.pass_time(PULSE_S)
    assert post.hotspot.observed - before == SETTLING_S / PULSE_S - 1


async def test_a_router_that_comes_back_is_compared_at_once_and_its_absence_is_told_once(post: Post, caplog):
    await post.sold(active(1))
    await post.compare.run_once()
    await post.pass_time(SETTLING_S)
    post.hotspot.fault = DOWN
    for _ in range(3):
        post.clock.advance(RETRY_S)
        assert await post.compare.run_once() == RETRY_S
    post.hotspot.fault, post.hotspot.shown = None, {}
    await post.pass_time(RETRY_S)
    assert post.hotspot.deeds == [("authorize", MAC)] * 2
    assert [record.__dict__["action"] for record in caplog.records].count("router_unreachable") == 1


async def test_a_router_that_is_down_from_the_start_is_told_once(post: Post, caplog):
    post.hotspot.fault = DOWN
    for _ in range(3):
        await post.compare.run_once()
    assert [record.__dict__["action"] for record in caplog.records] == ["router_unreachable"]


async def test_a_repair_that_fails_holds_up_no_other(post: Post):
    await post.sold(active(1), active(2, mac=OTHER_MAC))
    post.hotspot.faults[MAC] = RouterRefused("no")
    assert await post.compare.run_once() == PULSE_S
    assert post.hotspot.deeds == [("authorize", OTHER_MAC)]


async def test_a_phone_that_paid_and_is_in_sight_again_is_owed_its_time(post: Post):
    await post.sold(grant(1, state=GrantState.UNCLAIMED))
    await post.compare.run_once()
    assert (await post.state(), post.woken) == (GrantState.OWED, ["open:1"])


async def test_a_phone_that_paid_and_is_not_in_sight_is_looked_for_with_every_pulse(post: Post):
    await post.sold(grant(1, state=GrantState.UNCLAIMED))
    del post.hotspot.devices[MAC]
    await post.compare.run_once()
    await post.pass_time(SETTLING_S + COMPARE_S)
    before = post.hotspot.observed
    for _ in range(4):
        await post.pass_time(PULSE_S)
    assert post.hotspot.observed - before == 4
    assert await post.state() is GrantState.UNCLAIMED


async def test_used_up_data_ends_the_grant_and_shuts_the_device_out(post: Post):
    await post.sold(active(1))
    await post.gate.repair(MAC)
    post.hotspot.used_up.add(MAC)
    await post.compare.run_once()
    ended = await post.db.read(lambda tx: grant_rows.get(tx, "grant-1"))
    assert (ended.state, ended.ended_because, post.hotspot.shown) == (GrantState.ENDED, "data", {})


async def test_a_former_customer_who_stayed_online_is_shut_out_and_a_stranger_is_not(post: Post):
    await post.sold(grant(1, state=GrantState.ENDED))
    post.hotspot.strays = (MAC, OTHER_MAC)
    await post.compare.run_once()
    assert post.hotspot.deeds == [("shut_out", MAC)]
