"""The jobs of one router: what differs is repaired, what is owed opened, what is due closed, and one failure stops nobody else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.access import Grant, GrantState
from gateway.catalogue import Catalogue, Router, Site
from gateway.compensation import Compensation, RouterWatch
from gateway.errors import RouterRefused, RouterUnreachable
from gateway.gate import Gate
from gateway.heartbeat import Heartbeat
from gateway.hotspot.base import Device
from gateway.identity import IpAddress
from gateway.reconciler import (
    COMPARE_S,
    PULSE_S,
    RETRY_S,
    SETTLING_S,
    Close,
    Compare,
    Open,
)
from gateway.store import access as grant_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.ledger import DAY, HOUR, IP, LOGIN, MAC, NOW_S, OTHER_MAC, active, grant, in_folder, payment, record

AMINA, OTIENO = Device(MAC, IP), Device(OTHER_MAC, IpAddress("192.168.1.101"))
END_S = NOW_S + 3_600
DOWN = RouterUnreachable("no answer")


class Post:
    """The jobs of one router with everything around them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.hotspot = FakeHotspot(AMINA, OTIENO)
        self.woken: list[str] = []
        site = Site(Catalogue([], [Router(1, 1, LOGIN, {1: HOUR, 2: DAY})]), {}, {1: self.hotspot})
        self.gate = Gate(1, site, db, self.clock, self.woken.append)
        self.moments: list[float] = []
        """When a job has gone on, in monotonic seconds."""
        self.open = Open(self.gate, db, self._note)
        self.close = Close(self.gate, db, self.clock, self._note)
        compensation = Compensation(db, Heartbeat(db, self.clock), self.woken.append, from_s=None)
        self.compare = Compare(self.gate, db, self.clock, RouterWatch(1, compensation, None), self._note)

    def _note(self) -> None:
        self.moments.append(self.clock.monotonic_s())

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


async def test_a_job_goes_on_with_each_device_that_it_is_done_with(post: Post):
    await post.sold(grant(1), grant(2, mac=OTHER_MAC))
    post.hotspot.faults[MAC] = RouterRefused("no such command")
    await post.open.run_once()
    assert len(post.moments) == 2
    post.hotspot.shown.clear()  # somebody has removed what was opened
    await post.compare.run_once()
    assert len(post.moments) == 3
    post.clock.advance(3_700)
    await post.close.run_once()
    assert len(post.moments) == 4


async def test_while_somebody_is_owed_each_pulse_looks_for_what_stands_in_the_way(post: Post):
    await post.sold(active(1))
    await post.compare.run_once()
    await post.pass_time(SETTLING_S)
    await post.pass_time(PULSE_S)
    post.hotspot.used_up.add(MAC)
    post.hotspot.faults[MAC] = RouterRefused("your traffic limit is reached")
    await post.sold(grant(2))
    assert await post.open.run_once() == RETRY_S
    post.hotspot.faults.clear()
    await post.pass_time(PULSE_S)
    assert await post.state(1) is GrantState.ENDED


async def test_a_trouble_is_told_once_and_again_when_it_is_another(post: Post, caplog):
    await post.sold(grant(1))
    for trouble in ("no such command", "no such command", "its licence is full", "its licence is full"):
        post.hotspot.faults[MAC] = RouterRefused(trouble)
        assert await post.open.run_once() == RETRY_S
    told = [(record.getMessage(), vars(record)["payment"]) for record in caplog.records if record.levelname == "WARNING"]
    assert told == [("not done yet: no such command", "payment-1"), ("not done yet: its licence is full", "payment-1")]


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


async def test_a_repair_that_fails_holds_up_no_other_and_is_told_once_by_its_payment(post: Post, caplog):
    await post.sold(active(1), active(2, mac=OTHER_MAC))
    post.hotspot.faults[MAC] = RouterRefused("its licence is full")
    assert await post.compare.run_once() == PULSE_S
    await post.pass_time(PULSE_S)
    assert post.hotspot.deeds == [("authorize", OTHER_MAC)]
    (told,) = [record for record in caplog.records if vars(record).get("action") == "repair_failed"]
    assert (told.levelname, vars(told)["payment"], vars(told)["grant"]) == ("WARNING", "payment-1", "grant-1")
    assert told.getMessage() == f"{MAC} is not as it should be yet, not let through: its licence is full"


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
