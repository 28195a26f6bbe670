"""Payment links: what is written before and after each step, what counts as money, and how stubbornly links are closed."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.access import GrantState
from gateway.catalogue import Catalogue, Owner, Router, Site
from gateway.errors import ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money
from gateway.links import CLOSE_FOR_S, CLOSE_RETRY_S, CloseLinks, Links
from gateway.payments import LINK_LIFE_S, NOT_FOUND_S, Payment, PaymentKind, PaymentState
from gateway.providers.base import InvoiceReport, Reported, WebhookHint
from gateway.reconciler import Settle
from gateway.sales import PurchaseRequest, Sales
from gateway.scheduler import LONGEST_PAUSE_S, Scheduler
from gateway.settlement import ASK_GAP_S, Settlement
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import links as link_rows
from gateway.store import payments as payment_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.fakeprovider import FakeProvider, made_link, report
from tests.ledger import DAY, HOUR, LOGIN, MAC, NOW_S, in_folder, payment, record

NJERI = Owner(1, "njeri", "Njeri WiFi", "k")
WANTED = PurchaseRequest(1, 1, "0712345678", Money(5_000), "mpesa", MAC, None)
BASE = "http://10.5.50.2:8080/payment/success/"
DOWN = ProviderUnreachable("no answer")


class Desk:
    """Links with everything around them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.provider = FakeProvider()
        router = Router(1, 1, LOGIN, {package.id: package for package in (HOUR, DAY)})
        site = Site(Catalogue([NJERI], [router]), {1: self.provider}, {1: FakeHotspot()})
        self.scheduler = Scheduler(self.clock)
        self.settlement = Settlement(site, db, self.clock, self.scheduler)
        sales = Sales(site, db, self.clock, self.scheduler)
        self.links = Links(site, db, self.clock, self.scheduler, sales=sales, settlement=self.settlement)
        self.closing = CloseLinks(self.links, self.clock)
        self.settling = Settle(self.settlement, db, self.clock, random.Random(7))

    async def linked(self, number: int = 1, **changes: Any) -> Payment:
        """A payment whose link can be paid."""
        made = payment(number, kind=PaymentKind.LINK, state=PaymentState.PUSHED, pushed_at_s=NOW_S, link_open=True)
        link = made_link(made)
        made = replace(made, link_id=link.link_id, link_url=link.url, api_ref=link.api_ref, **changes)
        await record(self.db, made)
        return made

    def pays(self, asked: Payment, invoice_id: str, reported: Reported = Reported.PAID, **changes: Any) -> InvoiceReport:
        """Somebody pays through the link, or tries to."""
        said = report(asked, reported, invoice_id=invoice_id, **changes)
        self.provider.links.reports.append(said)
        return said

    async def settled(self, number: int = 1) -> Payment:
        self.clock.advance(ASK_GAP_S)
        return await self.settlement.settle(f"payment-{number}")

    async def stored(self, number: int = 1) -> Payment:
        return await self.db.read(lambda tx: payment_rows.get(tx, f"payment-{number}"))

    async def surplus(self, number: int = 1) -> list[str]:
        return await self.db.read(lambda tx: link_rows.surplus_of(tx, f"payment-{number}"))

    async def story(self, payment_id: str) -> list[str]:
        return [kind for kind, _ in await self.db.read(lambda tx: events.of_payment(tx, payment_id))]

    async def only(self) -> Payment:
        (found,) = [one for state in PaymentState for one in await self.db.read(lambda tx: payment_rows.in_state(tx, state))]  # noqa: B023
        return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(await in_folder(tmp_path))
    yield made
    await made.scheduler.stop(20.0)
    await made.db.close()


# Making one


async def test_a_link_is_recorded_before_it_is_made_and_confirmed_after(desk: Desk):
    made = await desk.links.start_link(NJERI, WANTED, BASE)
    assert await desk.story(made.id) == ["payment.recorded", "payment.push", "payment.accepted"]
    assert (made.kind, made.status, made.link_open, made.api_ref) == (PaymentKind.LINK, "pending", True, "ISL_link-1")
    (order,) = desk.provider.links.orders
    assert (order.title, order.amount, order.return_url) == ("WiFi 1 hour, Kiosk", Money(5_000), BASE + made.id)


async def test_a_customer_who_does_not_wait_for_the_link_does_not_stop_it(desk: Desk):
    impatient = asyncio.create_task(desk.links.start_link(NJERI, WANTED, BASE))
    await desk.provider.links.asked.wait()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    await desk.scheduler.stop(20.0)
    assert (await desk.only()).state is PaymentState.PUSHED


@pytest.mark.parametrize("fault", [ProviderRefused("no"), ProviderUnreachable("away")])
async def test_a_link_that_was_not_made_is_a_refused_payment_whose_id_is_told(desk: Desk, fault):
    desk.provider.links.fault = fault
    with pytest.raises(type(fault)) as told:
        await desk.links.start_link(NJERI, WANTED, BASE)
    refused = await desk.only()
    assert (refused.state, refused.failed_reason, told.value.payment_id) == (PaymentState.REFUSED, fault.message, refused.id)


async def test_a_link_whose_answer_was_lost_is_not_made_again(desk: Desk):
    desk.provider.links.fault = PushOutcomeUnknown("lost")
    with pytest.raises(PushOutcomeUnknown) as told:
        await desk.links.start_link(NJERI, WANTED, BASE)
    unknown = await desk.only()
    assert (unknown.state, unknown.status, told.value.payment_id) == (PaymentState.UNKNOWN, "pending", unknown.id)
    assert len(desk.provider.links.orders) == 1


async def test_a_lost_link_that_turns_up_later_is_a_link_like_any_other(desk: Desk):
    made = payment(1, kind=PaymentKind.LINK, state=PaymentState.UNKNOWN, pushed_at_s=NOW_S)
    await record(desk.db, made)
    assert (await desk.settled()).state is PaymentState.UNKNOWN
    desk.provider.links.made[made.id] = made_link(made)
    found = await desk.settled()
    assert (found.state, found.link_open, found.api_ref) == (PaymentState.PUSHED, True, made_link(made).api_ref)


async def test_a_link_that_was_being_made_when_the_daemon_died_is_looked_up_and_not_made_again(desk: Desk):
    made = payment(1, kind=PaymentKind.LINK, state=PaymentState.PUSHING, pushed_at_s=NOW_S)
    await record(desk.db, made)
    await desk.settlement.recover()
    desk.provider.links.made[made.id] = made_link(made)
    assert (await desk.settled()).link_url == made_link(made).url
    assert desk.provider.links.orders == []


async def test_a_lost_link_that_turns_up_after_it_was_given_up_is_closed(desk: Desk):
    made = payment(1, kind=PaymentKind.LINK, state=PaymentState.LAPSED, pushed_at_s=NOW_S - NOT_FOUND_S)
    await record(desk.db, made)
    desk.provider.links.made[made.id] = made_link(made)
    assert (await desk.settled()).state is PaymentState.LAPSED
    await desk.closing.run_once()
    assert desk.provider.links.closed == [made_link(made).link_id]


async def test_a_link_that_was_refused_and_is_there_all_the_same_counts_when_it_is_paid(desk: Desk):
    made = payment(1, kind=PaymentKind.LINK, state=PaymentState.REFUSED, pushed_at_s=NOW_S)
    await record(desk.db, made)
    desk.provider.links.made[made.id] = made_link(made)
    assert (await desk.settled()).state is PaymentState.REFUSED
    desk.pays(await desk.stored(), "INV-1")
    assert (await desk.settled()).state is PaymentState.PAID


# What counts as money


async def test_an_attempt_that_failed_leaves_the_link_as_it_was(desk: Desk):
    asked = await desk.linked()
    desk.pays(asked, "INV-1", Reported.FAILED)
    desk.pays(asked, "INV-2", Reported.WAITING)
    assert await desk.settled() == asked


async def test_the_first_payment_counts_and_every_other_one_is_kept_for_refund_once(desk: Desk, caplog):
    asked = await desk.linked()
    desk.pays(asked, "INV-1")
    desk.pays(asked, "INV-2")
    desk.pays(asked, "INV-3")
    for _ in range(3):
        paid = await desk.settled()
    assert (paid.state, paid.invoice_id) == (PaymentState.PAID, "INV-1")
    assert await desk.surplus() == ["INV-2", "INV-3"]
    assert (await desk.story("payment-1")).count("surplus.recorded") == 2
    told = [record for record in caplog.records if record.levelname == "ERROR" and "refund due" in record.getMessage()]
    assert len(told) == 2


async def test_money_that_comes_after_a_disputed_payment_is_kept_for_refund_too(desk: Desk):
    asked = await desk.linked()
    desk.pays(asked, "INV-1", value=None)
    desk.pays(asked, "INV-2")
    assert (await desk.settled()).state is PaymentState.DISPUTED
    assert await desk.surplus() == ["INV-2"]
    assert await desk.db.read(lambda tx: grant_rows.of_payment(tx, "payment-1")) is None


async def test_money_that_comes_after_a_link_has_lapsed_is_found_and_granted(desk: Desk):
    asked = await desk.linked(state=PaymentState.LAPSED, link_open=False)
    desk.clock.advance(LINK_LIFE_S + 60)
    await desk.settling.run_once()
    desk.pays(asked, "INV-1")
    await ages(desk, LINK_LIFE_S + 2 * 3_600)
    assert (await desk.stored()).state is PaymentState.PAID


async def test_a_second_payment_is_found_without_a_webhook(desk: Desk):
    asked = await desk.linked()
    desk.pays(asked, "INV-1")
    await desk.settling.run_once()
    desk.pays(asked, "INV-2")
    await ages(desk, 3_600)
    assert await desk.surplus() == ["INV-2"]


async def test_the_webhook_of_a_second_payment_is_followed_and_a_repeated_one_is_not(desk: Desk):
    asked = await desk.linked()
    desk.pays(asked, "INV-1")
    await desk.settled()
    desk.pays(asked, "INV-2")
    desk.clock.advance(ASK_GAP_S)
    desk.provider.hint = WebhookHint("INV-1", asked.api_ref)
    await desk.settlement.take_webhook(b"ours")
    assert desk.scheduler.is_idle
    desk.provider.hint = WebhookHint("INV-2", asked.api_ref)
    await desk.settlement.take_webhook(b"ours")
    await desk.scheduler.stop(20.0)
    assert await desk.surplus() == ["INV-2"]


async def test_an_unknown_word_changes_nothing_and_the_operator_is_told(desk: Desk, caplog):
    asked = await desk.linked()
    desk.pays(asked, "INV-1", Reported.UNRECOGNISED)
    assert await desk.settled() == asked
    assert any(record.levelname == "ERROR" and "unknown word" in record.getMessage() for record in caplog.records)


async def test_every_link_that_is_paid_has_a_claim_code_of_its_own(desk: Desk):
    codes = set()
    for number in (1, 2):
        asked = await desk.linked(number, mac=None, ip=None)
        desk.pays(asked, f"INV-{number}")
        await desk.settled(number)
        grant = await desk.db.read(lambda tx: grant_rows.of_payment(tx, f"payment-{number}"))  # noqa: B023
        assert grant is not None
        assert grant.state is GrantState.OWED
        codes.add(grant.claim_code)
    assert len(codes) == 2
    assert None not in codes


# When it is asked about


async def ages(desk: Desk, until_s: float) -> int:
    """Run the job whenever it wants to; how often it ran."""
    runs = 0
    while desk.clock.wall_s() - NOW_S < until_s:
        pause_s = await desk.settling.run_once()
        runs += 1
        desk.clock.advance(min(LONGEST_PAUSE_S if pause_s is None else pause_s, LONGEST_PAUSE_S) + 0.001)
    return runs


async def test_a_link_that_nobody_pays_lapses_after_a_day(desk: Desk):
    await desk.linked()
    await desk.settling.run_once()
    await ages(desk, LINK_LIFE_S - 10)
    assert (await desk.stored()).state is PaymentState.PUSHED
    await ages(desk, LINK_LIFE_S + 400)
    lapsed = await desk.stored()
    assert (lapsed.state, lapsed.failed_reason) == (PaymentState.LAPSED, "The link expired before it was paid")


async def test_a_lost_link_that_never_turns_up_is_given_up_after_ten_minutes(desk: Desk):
    await record(desk.db, payment(1, kind=PaymentKind.LINK, state=PaymentState.UNKNOWN, pushed_at_s=NOW_S))
    await desk.settling.run_once()
    await ages(desk, NOT_FOUND_S + 30)
    assert (await desk.stored()).state is PaymentState.LAPSED


# Closing


async def test_a_link_is_closed_once_it_is_paid_and_only_then(desk: Desk):
    asked = await desk.linked()
    await desk.closing.run_once()
    assert desk.provider.links.closed == []
    desk.pays(asked, "INV-1")
    await desk.settled()
    assert await desk.closing.run_once() is None
    assert await desk.closing.run_once() is None
    assert desk.provider.links.closed == [asked.link_id]
    assert not (await desk.stored()).link_open


async def test_a_link_that_cannot_be_closed_is_tried_again_ever_more_seldom(desk: Desk):
    await desk.linked(state=PaymentState.LAPSED)
    desk.provider.links.close_fault = DOWN
    assert await desk.closing.run_once() == CLOSE_RETRY_S
    assert await desk.closing.run_once() == CLOSE_RETRY_S
    desk.clock.advance(CLOSE_RETRY_S)
    assert await desk.closing.run_once() == 2 * CLOSE_RETRY_S
    desk.provider.links.close_fault = None
    desk.clock.advance(2 * CLOSE_RETRY_S)
    assert await desk.closing.run_once() is None
    assert len(desk.provider.links.closed) == 1


async def test_one_link_that_is_refused_holds_up_no_other(desk: Desk):
    bad, good = await desk.linked(1, state=PaymentState.LAPSED), await desk.linked(2, state=PaymentState.LAPSED)
    close = desk.provider.links.close

    async def picky(link_id: str) -> None:
        if link_id == bad.link_id:
            raise ProviderRefused("not found")
        await close(link_id)

    desk.provider.links.close = picky  # type: ignore[method-assign]
    await desk.closing.run_once()
    assert desk.provider.links.closed == [good.link_id]


async def test_closing_is_given_up_after_a_week(desk: Desk):
    await desk.linked(state=PaymentState.LAPSED)
    desk.clock.advance(CLOSE_FOR_S + 1)
    await desk.closing.run_once()
    assert desk.provider.links.closed == []
