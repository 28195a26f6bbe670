"""Claiming: the right code brings the time to the device in hand, a wrong one brings a sentence, and tries are limited."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.access import Grant, GrantState
from gateway.catalogue import Catalogue, Owner, Router, Site
from gateway.claims import ASKED_ABOUT_S, ASKED_AT_MOST, Claims, Code
from gateway.errors import Conflict, Forbidden, Invalid, NotFound, ProviderUnreachable, TooMany, Unavailable
from gateway.gate import Gate
from gateway.hotspot.base import Device
from gateway.identity import IpAddress, MacAddress
from gateway.limits import CLAIM_TRIES_S, MOVES
from gateway.payments import Payment, PaymentKind, PaymentState
from gateway.providers.base import Reported
from gateway.scheduler import Scheduler
from gateway.settlement import ASK_GAP_S, Settlement
from gateway.store import access as grant_rows
from gateway.store import catalogue as catalogue_rows
from gateway.store import claims as claim_rows
from gateway.store import links as link_rows
from gateway.store.database import Database
from gateway.visitors import Visitor
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.fakeprovider import FakeProvider, report
from tests.ledger import HOUR, IP, LOGIN, MAC, NOW_S, OTHER_MAC, OWNER, ROUTER, VAULT, grant, in_folder, payment, record

NJERI, OUMA = Owner(1, "njeri", "Njeri WiFi", "k"), Owner(2, "ouma", "Ouma WiFi", "m")
KIOSK = Router(1, 1, LOGIN, {1: HOUR})
PIER = Router(2, 1, replace(LOGIN, router_id=2, name="Pier"), {3: replace(HOUR, id=3, router_id=2)})
MARKET = Router(3, 2, replace(LOGIN, router_id=3, name="Market"), {4: replace(HOUR, id=4, router_id=3)})
THIRD_MAC = MacAddress("A2:00:00:00:00:03")
IN_HAND = IpAddress("192.168.1.101")
RECEIPT = "TJRHC8IET4"
PHONE = "0712 345 678"
WRONG = "TZZZZZZZZ9"


class Counter:
    """Claims with everything around them; Amina's old phone is `MAC`, the one in her hand `OTHER_MAC`."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.provider = FakeProvider()
        self.hotspot = FakeHotspot(Device(MAC, IP), Device(OTHER_MAC, IN_HAND))
        catalogue = Catalogue([NJERI, OUMA], [KIOSK, PIER, MARKET])
        self.site = Site(catalogue, {1: self.provider}, {1: self.hotspot, 2: self.hotspot})
        self.scheduler = Scheduler(self.clock)
        settlement = Settlement(self.site, db, self.clock, self.scheduler)
        self.gates = {router_id: Gate(router_id, self.site, db, self.clock, self.scheduler.wake) for router_id in (1, 2, 3)}
        self.claims = Claims(self.site, db, self.clock, settlement, self.gates.__getitem__)

    async def claim(self, code: str, phone: str | None = None, visitor: "Visitor | None" = None, at: str = "here") -> Grant:
        return await self.claims.claim(visitor or in_hand(), code, phone, at)

    async def bought(self, number: int = 1, *, receipt: str | None = RECEIPT, **changes: Any) -> Grant:
        """A grant that is on the old device, and its payment."""
        await record(self.db, paid(number, receipt=receipt), made := grant(number, **changes))
        return await self.gates[made.router_id].open(made)

    async def stored(self, number: int = 1) -> Grant:
        return await self.db.read(lambda tx: grant_rows.get(tx, f"grant-{number}"))

    async def tries(self, key: str) -> int:
        return len(await self.db.read(lambda tx: claim_rows.tries(tx, key, 0, NOW_S + 10**6)))

    async def wrong(self, times: int, **how: Any) -> None:
        for _ in range(times):
            with pytest.raises(NotFound):
                await self.claim(WRONG, **how)


def in_hand(mac: MacAddress = OTHER_MAC, router: Router = KIOSK, owner: Owner = NJERI) -> Visitor:
    """Whoever holds a phone that the router sees."""
    return Visitor(owner, router, mac, IN_HAND, is_on_hotspot=True)


def paid(number: int = 1, **changes: Any) -> Payment:
    facts = {"state": PaymentState.PAID, "pushed_at_s": NOW_S, "paid_at_s": NOW_S, "invoice_id": f"INV-{number}", **changes}
    return payment(number, **facts)


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    db = await in_folder(tmp_path)
    routers = (ROUTER, replace(ROUTER, id=2, login=PIER.login, packages=tuple(PIER.packages.values())))
    theirs = replace(ROUTER, id=3, login=MARKET.login, packages=tuple(MARKET.packages.values()))
    owners = (replace(OWNER, routers=routers), replace(OWNER, id=2, username="ouma", public_key="d" * 32, routers=(theirs,)))
    await db.write(lambda tx: catalogue_rows.declare(tx, owners, VAULT))
    made = Counter(db)
    yield made
    await made.scheduler.stop(20.0)
    await db.close()


# ── what a customer types ──


@pytest.mark.parametrize(
    ("typed", "text", "is_receipt"),
    [
        ("TJRHC8IET4", RECEIPT, True),
        (" tjrhc8iet4 ", RECEIPT, True),
        ("TJR HC8 IET4", RECEIPT, True),
        ("TJRHC8IET4 Confirmed. Ksh50.00 paid to INTASEND on 25/8/25 at 1:30 PM.", RECEIPT, True),
        ("TJRHC8IET4\nImethibitishwa", RECEIPT, True),
        ("ABCD-EFGH", "ABCDEFGH", False),
        ("abcd efgh", "ABCDEFGH", False),
        ("2345\u20136789", "23456789", False),
    ],
)
def test_a_code_is_read_however_it_is_typed_or_pasted(typed, text, is_receipt):
    assert Code.parse(typed) == Code(text, is_receipt)


@pytest.mark.parametrize(
    "typed", ["", "   ", "TJRHC8IET", "TJRHC8IET45", "ABCD-EFG", "ABCD-EFG0", "ABCD-EFGI", "!", "Ⅷ" * 8, "0712345678"]
)
def test_what_is_no_code_is_refused_with_examples_of_both_kinds(typed):
    with pytest.raises(Invalid, match="such as TJRHC8IET4, or the code that you were given, such as ABCD-EFGH") as refused:
        Code.parse(typed)
    assert refused.value.fields is not None
    assert list(refused.value.fields) == ["code"]


def test_a_receipt_is_looked_for_as_it_stands_first_and_then_with_the_letters_that_people_confuse():
    assert Code("TJRHC8IET4", is_receipt=True).readings() == ["TJRHC8IET4", "TJRHC81ET4"]
    assert Code("T0RHC8IETO", is_receipt=True).readings()[0] == "T0RHC8IETO"
    assert len(Code("T0RHC8IETO", is_receipt=True).readings()) == 8
    assert len(Code("0000000000", is_receipt=True).readings()) == 64
    assert Code("ABCDEFGH", is_receipt=False).readings() == ["ABCDEFGH"]


# ── the right code ──


@pytest.mark.parametrize("typed", [RECEIPT, "tjrhc8iet4", "TJRHC81ET4"])
async def test_the_receipt_brings_the_time_to_the_device_in_hand(counter: Counter, typed):
    await counter.bought()
    counter.clock.advance(600)
    moved = await counter.claim(typed)
    assert (moved.id, moved.state, moved.mac, moved.ip, moved.used_s) == ("grant-1", GrantState.OWED, OTHER_MAC, IN_HAND, 600)
    assert MAC not in counter.hotspot.shown


async def test_the_code_of_a_payment_link_brings_its_time_to_a_device_for_the_first_time(counter: Counter):
    await record(counter.db, paid(kind=PaymentKind.LINK, mac=None, ip=None))
    await record(counter.db, grant(mac=None, ip=None, state=GrantState.UNCLAIMED, claim_code="ABCDEFGH"))
    moved = await counter.claim("abcd-efgh")
    assert (moved.state, moved.mac) == (GrantState.OWED, OTHER_MAC)


async def test_a_code_stays_good_on_the_device_that_has_the_time(counter: Counter):
    opened = await counter.bought()
    for _ in range(MOVES.count + 2):
        assert await counter.claim(RECEIPT, visitor=in_hand(MAC)) == opened


async def test_a_code_lets_a_device_that_logged_out_in_again(counter: Counter):
    await counter.bought()
    await counter.gates[1].log_out(MAC)
    assert (await counter.claim(RECEIPT, visitor=in_hand(MAC))).logged_out is False
    assert MAC in counter.hotspot.shown


async def test_a_receipt_is_good_for_moving_back_but_not_for_passing_a_package_around(counter: Counter):
    await counter.bought()
    for mac in (OTHER_MAC, MAC, THIRD_MAC):
        await counter.claim(RECEIPT, visitor=in_hand(mac))
    with pytest.raises(TooMany, match="This time was moved to another device too often: try again in 60 minutes") as refused:
        await counter.claim(RECEIPT, visitor=in_hand(MAC))
    assert refused.value.retry_after_s == MOVES.within_s
    assert (await counter.stored()).mac == THIRD_MAC
    counter.clock.advance(MOVES.within_s)
    assert (await counter.claim(RECEIPT, visitor=in_hand(MAC))).mac == MAC


# ── not here, not now ──


async def test_a_code_is_taken_on_the_hotspot_only(counter: Counter):
    await counter.bought()
    with pytest.raises(Forbidden, match="Open this page on the WiFi, with the device that is to have the time"):
        await counter.claim(RECEIPT, visitor=replace(in_hand(), is_on_hotspot=False))
    assert (await counter.stored()).mac == MAC


async def test_time_that_was_bought_at_another_router_stays_there_and_the_customer_is_told_where(counter: Counter):
    await counter.bought()
    with pytest.raises(Conflict, match="This time was bought at Kiosk: it works there only"):
        await counter.claim(RECEIPT, visitor=in_hand(router=PIER))
    counter.site.catalogue = Catalogue([NJERI, OUMA], [PIER, MARKET])
    with pytest.raises(Conflict, match="This time was bought at a place that is closed now"):
        await counter.claim(RECEIPT, visitor=in_hand(router=PIER))
    assert (await counter.stored()).mac == MAC


async def test_another_owners_codes_are_unknown(counter: Counter):
    await counter.bought(claim_code="ABCDEFGH")
    for code in (RECEIPT, "ABCDEFGH"):
        with pytest.raises(NotFound):
            await counter.claim(code, PHONE, visitor=in_hand(router=MARKET, owner=OUMA))
    assert (await counter.stored()).mac == MAC


async def test_time_that_is_over_is_said_to_be_over(counter: Counter):
    await counter.bought()
    counter.clock.advance(3_600)
    with pytest.raises(Conflict, match="This time is over"):
        await counter.claim(RECEIPT)


async def test_an_unknown_code_says_what_to_do(counter: Counter):
    with pytest.raises(NotFound, match=r"Check it letter by letter; if the SMS is new, wait a minute .* enter the phone number"):
        await counter.claim(WRONG)
    with pytest.raises(NotFound, match=r"We know no such code\. Check it letter by letter"):
        await counter.claim("ABCD-EFGH")


async def test_money_that_bought_nothing_is_not_called_unknown(counter: Counter):
    await record(counter.db, payment(1, state=PaymentState.DISPUTED, receipt=RECEIPT, pushed_at_s=NOW_S))
    with pytest.raises(Conflict, match=r"it is not the price that was asked for\. Show the SMS to the seller"):
        await counter.claim(RECEIPT)
    again = report(link := paid(2, kind=PaymentKind.LINK), Reported.PAID, invoice_id="INV-9", receipt="TJSECOND99")
    await record(counter.db, link)
    await counter.db.write(lambda tx: link_rows.keep_surplus(tx, link, again, NOW_S))
    with pytest.raises(Conflict, match=r"This money came a second time for the same time\. Show the SMS to the seller"):
        await counter.claim("TJSECOND99")


# ── payments of which nothing was heard ──


@pytest.mark.parametrize("state", [PaymentState.PUSHED, PaymentState.UNKNOWN, PaymentState.FAILED, PaymentState.LAPSED])
async def test_with_the_phone_number_a_payment_of_which_nothing_was_heard_is_found_at_the_provider(counter: Counter, state):
    lost = payment(1, state=state, pushed_at_s=NOW_S, invoice_id="INV-1")
    await record(counter.db, lost)
    counter.provider.say(lost, Reported.PAID, receipt="tjrhc8iet4".upper())
    with pytest.raises(NotFound):
        await counter.claim(RECEIPT)
    assert counter.provider.asked == []
    moved = await counter.claim(RECEIPT, PHONE)
    assert (moved.payment_id, moved.mac, moved.state) == (lost.id, OTHER_MAC, GrantState.OWED)


async def test_a_receipt_that_the_provider_learned_after_the_money_is_found_as_well(counter: Counter):
    opened = await counter.bought(receipt=None)
    counter.provider.say(paid(), Reported.PAID, receipt=RECEIPT)
    assert (await counter.claim(RECEIPT, PHONE)).id == opened.id


async def test_what_was_paid_with_another_receipt_is_not_given_away(counter: Counter):
    lost = payment(1, state=PaymentState.LAPSED, pushed_at_s=NOW_S, invoice_id="INV-1")
    await record(counter.db, lost)
    counter.provider.say(lost, Reported.PAID, receipt="TJANOTHER1")
    with pytest.raises(NotFound):
        await counter.claim(RECEIPT, PHONE)
    owed = await counter.db.read(lambda tx: grant_rows.of_payment(tx, lost.id))
    assert owed is not None
    assert owed.mac == MAC  # it was paid: the device that asked for it has it


async def test_without_a_receipt_at_the_provider_the_device_that_paid_has_its_time_and_no_other(counter: Counter):
    lost = payment(1, state=PaymentState.LAPSED, pushed_at_s=NOW_S, invoice_id="INV-1")
    await record(counter.db, lost)
    counter.provider.say(lost, Reported.PAID, receipt=None)
    with pytest.raises(Conflict, match="This payment has arrived, and its time is on the device that asked for it"):
        await counter.claim(RECEIPT, PHONE)
    counter.clock.advance(ASK_GAP_S)
    mine = await counter.claim(RECEIPT, PHONE, visitor=in_hand(MAC))
    assert (mine.payment_id, mine.mac) == (lost.id, MAC)


async def test_a_provider_that_cannot_be_asked_is_not_an_unknown_receipt(counter: Counter):
    await record(counter.db, payment(1, state=PaymentState.PUSHED, pushed_at_s=NOW_S, invoice_id="INV-1"))
    counter.provider.fault = ProviderUnreachable("no answer")
    with pytest.raises(Unavailable, match=r"M-Pesa cannot be asked at the moment\. Your money is safe: try again in a minute"):
        await counter.claim(RECEIPT, PHONE)


async def test_the_provider_is_asked_about_the_newest_payments_of_that_phone_only(counter: Counter):
    lost = [
        payment(number, state=PaymentState.LAPSED, pushed_at_s=NOW_S, created_at_s=NOW_S - number, invoice_id=f"INV-{number}")
        for number in range(1, 7)
    ]
    await record(counter.db, *lost, payment(7, state=PaymentState.LAPSED, created_at_s=NOW_S - ASKED_ABOUT_S, pushed_at_s=NOW_S))
    for one in lost:
        counter.provider.say(one, Reported.FAILED)
    with pytest.raises(NotFound):
        await counter.claim(RECEIPT, PHONE)
    assert counter.provider.asked == ["INV-1", "INV-2", "INV-3"]
    assert len(counter.provider.asked) == ASKED_AT_MOST
    with pytest.raises(NotFound):
        await counter.claim(RECEIPT, "0722000000")
    assert len(counter.provider.asked) == ASKED_AT_MOST


async def test_what_is_no_phone_number_is_refused_before_anything_is_counted(counter: Counter):
    with pytest.raises(Invalid, match="Invalid phone number format") as refused:
        await counter.claim(RECEIPT, "12")
    assert refused.value.fields == {"phone_number": ["Invalid phone number format"]}
    assert await counter.tries(f"device:{OTHER_MAC}") == 0


# ── tries ──


async def test_five_wrong_codes_are_enough_for_a_device_and_the_right_one_must_wait_as_well(counter: Counter):
    await counter.bought()
    await counter.wrong(5)
    counter.clock.advance(60)
    with pytest.raises(TooMany, match="Too many wrong codes: try again in 14 minutes") as refused:
        await counter.claim(RECEIPT, at="elsewhere")
    assert refused.value.retry_after_s == CLAIM_TRIES_S - 60
    assert (await counter.stored()).mac == MAC
    counter.clock.advance(CLAIM_TRIES_S - 60)
    assert (await counter.claim(RECEIPT)).mac == OTHER_MAC


async def test_a_device_that_changes_its_mac_is_known_by_its_address(counter: Counter):
    for number in range(5):
        await counter.wrong(1, visitor=in_hand(MacAddress(f"A2:00:00:00:01:{number:02X}")))
    with pytest.raises(TooMany):
        await counter.claim(WRONG, visitor=in_hand(MacAddress("A2:00:00:00:02:00")))


async def test_all_the_wrong_codes_at_one_owner_are_limited_too_and_another_owner_is_not(counter: Counter):
    for number in range(60):
        await counter.wrong(1, visitor=in_hand(MacAddress(f"A2:00:00:00:01:{number:02X}")), at=f"address {number}")
    stranger = in_hand(MacAddress("A2:00:00:00:02:00"))
    with pytest.raises(TooMany):
        await counter.claim(WRONG, visitor=stranger, at="new")
    with pytest.raises(NotFound):
        await counter.claim(WRONG, visitor=replace(stranger, owner=OUMA, router=MARKET), at="new")


async def test_a_right_code_costs_no_try_and_buys_none(counter: Counter):
    await counter.bought()
    await counter.wrong(3)
    for _ in range(10):
        await counter.claim(RECEIPT, visitor=in_hand(OTHER_MAC))
    assert await counter.tries(f"device:{OTHER_MAC}") == 3
    await counter.wrong(2)
    with pytest.raises(TooMany):
        await counter.claim(WRONG)


async def test_tries_that_decide_nothing_any_more_are_forgotten(counter: Counter):
    await counter.wrong(4)
    counter.clock.advance(CLAIM_TRIES_S)
    await counter.wrong(1)
    assert await counter.tries("owner:1") == 1
