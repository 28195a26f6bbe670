"""What a device has: its open payment, its newest one, its time, and whether its user wants to be outside."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.access import Grant, GrantState
from gateway.catalogue import Catalogue, Owner, Router, Site
from gateway.errors import Forbidden
from gateway.gate import Gate
from gateway.hotspot.base import Device
from gateway.payments import Payment, PaymentKind, PaymentState
from gateway.portal import RECENT_S, DeviceStanding, Portal
from gateway.store.database import Database
from gateway.visitors import Visitor
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.ledger import HOUR, IP, LOGIN, MAC, NOW_S, OTHER_MAC, grant, in_folder, payment, record

NJERI, KIOSK = Owner(1, "njeri", "Njeri WiFi", "k"), Router(1, 1, LOGIN, {1: HOUR})
AMINA = Visitor(NJERI, KIOSK, MAC, IP, is_on_hotspot=True)
NOTHING = DeviceStanding(payment=None, last=None, queue=[], owed=[], logged_out=False, ends_s=None)


class Door:
    """A portal with everything around it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.hotspot = FakeHotspot(Device(MAC, IP))
        self.gate = Gate(1, Site(Catalogue([NJERI], [KIOSK]), {}, {1: self.hotspot}), db, self.clock, lambda _: None)
        self.portal = Portal(db, self.clock, {1: self.gate}.__getitem__)

    async def standing(self) -> DeviceStanding:
        return await self.portal.device(AMINA)

    async def bought(self, number: int = 1, **changes: Any) -> Grant:
        await record(self.db, pushed(number, state=PaymentState.PAID), made := grant(number, **changes))
        return made


def pushed(number: int = 1, **changes: Any) -> Payment:
    return payment(number, **{"state": PaymentState.PUSHED, "pushed_at_s": NOW_S, **changes})


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    db = await in_folder(tmp_path)
    yield Door(db)
    await db.close()


async def test_a_device_that_never_bought_has_nothing(door: Door):
    await record(door.db, pushed(1, mac=OTHER_MAC), grant(1, mac=OTHER_MAC))
    assert await door.standing() == NOTHING


@pytest.mark.parametrize("state", [PaymentState.PUSHING, PaymentState.PUSHED, PaymentState.UNKNOWN])
async def test_its_newest_payment_that_is_not_decided_is_its_open_one(door: Door, state):
    await record(door.db, pushed(1, created_at_s=NOW_S - 60), open_ := pushed(2, state=state), pushed(3, kind=PaymentKind.LINK))
    assert (await door.standing()).payment == open_


@pytest.mark.parametrize("state", [PaymentState.PAID, PaymentState.FAILED, PaymentState.LAPSED, PaymentState.REFUSED])
async def test_a_payment_that_is_decided_is_not_open_but_shown_for_a_while(door: Door, state):
    await record(door.db, made := pushed(state=state))
    standing = await door.standing()
    assert standing.payment is None
    assert standing.last is not None
    assert (standing.last.payment, standing.last.grant) == (made, None)
    door.clock.advance(RECENT_S)
    assert (await door.standing()).last is None


async def test_what_was_bought_and_not_opened_yet_is_owed_also_while_the_device_was_out_of_sight(door: Door):
    first, second = await door.bought(1), await door.bought(2, state=GrantState.UNCLAIMED, created_at_s=NOW_S + 1)
    standing = await door.standing()
    assert (standing.owed, standing.queue, standing.ends_s) == ([first, second], [], None)


async def test_what_is_open_is_told_with_the_end_of_everything(door: Door):
    opened = [await door.gate.open(await door.bought(number)) for number in (1, 2)]
    standing = await door.standing()
    assert (standing.queue, standing.owed, standing.logged_out, standing.ends_s) == (opened, [], False, NOW_S + 7_200)
    assert standing.last is not None
    assert standing.last.grant in opened


async def test_who_logs_out_is_shut_out_and_told_so_until_logging_in_again(door: Door):
    await door.gate.open(await door.bought())
    await door.portal.log_out(AMINA)
    out = await door.standing()
    assert (out.logged_out, out.ends_s, MAC in door.hotspot.shown) == (True, NOW_S + 3_600, False)
    await door.portal.log_in(AMINA)
    assert ((await door.standing()).logged_out, MAC in door.hotspot.shown) == (False, True)


@pytest.mark.parametrize("stranger", [replace(AMINA, is_on_hotspot=False), replace(AMINA, mac=None)])
@pytest.mark.parametrize("verb", [Portal.device, Portal.log_out, Portal.log_in])
async def test_nothing_is_told_or_done_for_who_is_not_on_the_hotspot(door: Door, stranger, verb):
    await door.gate.open(await door.bought())
    with pytest.raises(Forbidden, match="Open this page on the WiFi"):
        await verb(door.portal, stranger)
    assert MAC in door.hotspot.shown
