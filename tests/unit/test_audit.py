"""The audit's bookkeeping: what stands, for as long as there is something to ask."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from gateway.access import GrantEvent, GrantState
from gateway.audit import BACK_MAX_S, BACK_S, EVERY_S, FIRST_S, Audit, Examiner
from gateway.catalogue import Account, Catalogue, Owner, Router, Site
from gateway.errors import RouterUnreachable
from gateway.hotspot.base import Device, WantedAccess
from gateway.invariants import Invariant
from gateway.payments import PaymentState
from gateway.providers.base import Reported
from gateway.references import new_payment_id, reference_of
from gateway.store import access as grant_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.fakeprovider import FakeProvider
from tests.ledger import HOUR, IP, LOGIN, MAC, NOW_S, OTHER_MAC, grant, in_folder, payment, record

NJERI = Owner(1, "njeri", "Njeri WiFi", "k")
TAG = "0a1b2c3d"
ROUTER = Router(1, 1, LOGIN, {HOUR.id: HOUR})


class Board:
    """What was shown last."""

    def __init__(self) -> None:
        self.broken: Mapping[str, int] = {}

    def show_audit(self, broken: Mapping[str, int], at_s: float) -> None:
        """See `gateway.audit.Board`."""
        assert at_s >= NOW_S
        self.broken = broken


class Desk:
    """An audit that finds somebody who has paid, is in sight, and waits."""

    def __init__(self, db: Database) -> None:
        self.clock = FakeClock(NOW_S)
        self.hotspot = FakeHotspot(Device(MAC, IP))
        self.provider = FakeProvider()
        self.site = Site(Catalogue([NJERI], [ROUTER]), {}, {1: self.hotspot}, {1: Account(1, self.provider)}, tag=TAG)
        self.board = Board()
        self.audit = Audit(db, self.site, self.clock, self.board)
        self.examiner = Examiner(db, self.site, self.clock)
        self.db = db

    async def unserved(self) -> int:
        """How many there are after one more audit."""
        await self.one_audit()
        return self.board.broken[Invariant.PAID_IS_SERVED.value]

    async def unknown_money(self) -> int:
        """How many invoices have no payment after one more audit."""
        await self.one_audit()
        return self.board.broken[Invariant.ONE_PAYMENT.value]

    async def one_audit(self) -> None:
        self.clock.advance(FIRST_S + EVERY_S)
        await self.audit.run_once()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await in_folder(tmp_path)
    made = Desk(db)
    paid = payment(state=PaymentState.PAID, receipt="TJRHC8IET4", paid_at_s=NOW_S, invoice_id="INV-1")
    made.provider.say(paid, Reported.PAID, created_at_s=NOW_S)
    await record(db, paid, grant(state=GrantState.OWED))
    yield made
    await db.close()


async def test_what_was_found_stands_while_its_router_cannot_be_asked(desk: Desk):
    assert await desk.unserved() == 1
    desk.hotspot.fault = RouterUnreachable("no answer")
    assert await desk.unserved() == 1


async def test_what_was_found_at_a_router_that_is_gone_is_gone(desk: Desk):
    assert await desk.unserved() == 1
    desk.site.catalogue, desk.site.hotspots = Catalogue([NJERI], []), {}
    assert await desk.unserved() == 0


async def test_money_that_has_no_payment_here_does_not_look_mended_because_a_day_has_passed(desk: Desk):
    stranger = payment(2, api_ref=reference_of(new_payment_id(TAG)), invoice_id="INV-2")
    desk.provider.say(stranger, Reported.PAID, created_at_s=NOW_S)
    while await desk.unknown_money() == 0:
        assert desk.clock.wall_s() < NOW_S + BACK_S
    while desk.clock.wall_s() < NOW_S + BACK_MAX_S - 2 * EVERY_S:
        assert await desk.unknown_money() == 1
    desk.clock.advance(BACK_S)
    assert await desk.unknown_money() == 0


async def test_a_row_whose_grant_has_just_ended_is_no_strangers(desk: Desk):
    running = grant(2, state=GrantState.ACTIVE, mac=OTHER_MAC, starts_at_s=NOW_S, ends_at_s=NOW_S + 3_600)
    await record(desk.db, payment(2, state=PaymentState.PAID, mac=OTHER_MAC), running)
    desk.hotspot.shown[OTHER_MAC] = WantedAccess(
        running.id, OTHER_MAC, None, HOUR.profile, int(NOW_S) + 3_600, remaining_s=3_600, data_limit_bytes=None
    )
    desk.hotspot.pause = asyncio.Event()
    asked = asyncio.create_task(desk.examiner.router(1))
    await desk.hotspot.asked.wait()
    await desk.db.write(lambda tx: grant_rows.change(tx, grant_rows.get(tx, running.id), GrantEvent.REVOKE, NOW_S + 60))
    desk.hotspot.pause.set()
    assert [finding.what for finding in await asked if "does not know" in finding.what] == []
