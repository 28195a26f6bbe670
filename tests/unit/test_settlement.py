"""Settling: what the provider says is applied once, money is matched exactly, and a hint is never proof."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.access import Grant, GrantState
from gateway.catalogue import Catalogue, Owner, Site
from gateway.errors import Denied, EncryptionKeyMismatch, Invalid, NotFound, ProviderUnreachable
from gateway.payments import Payment, PaymentState
from gateway.providers.base import Reported, WebhookHint
from gateway.scheduler import Scheduler
from gateway.settlement import ASK_GAP_S, Settlement
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import payments as payment_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.fakeprovider import FakeProvider, report
from tests.ledger import NOW_S, in_folder, payment, record

NJERI = Owner(1, "njeri", "Njeri WiFi", "k")
DOWN = ProviderUnreachable("no answer")


class Desk:
    """A settlement with everything around it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.provider = FakeProvider()
        self.site = Site(Catalogue([NJERI], []), {1: self.provider}, {})
        self.scheduler = Scheduler(self.clock)
        self.settlement = Settlement(self.site, db, self.clock, self.scheduler)

    async def pushed(self, number: int = 1, **changes: Any) -> Payment:
        """A payment whose prompt is on the phone."""
        facts = {"state": PaymentState.PUSHED, "invoice_id": f"INV-{number}", "pushed_at_s": NOW_S, **changes}
        made = payment(number, **facts)
        await record(self.db, made)
        return made

    async def stored(self, number: int = 1) -> Payment:
        return await self.db.read(lambda tx: payment_rows.get(tx, f"payment-{number}"))

    async def grant(self, number: int = 1) -> Grant | None:
        return await self.db.read(lambda tx: grant_rows.of_payment(tx, f"payment-{number}"))

    async def story(self, number: int = 1) -> list[str]:
        return [kind for kind, _ in await self.db.read(lambda tx: events.of_payment(tx, f"payment-{number}"))]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(await in_folder(tmp_path))
    yield made
    await made.scheduler.stop(20.0)
    await made.db.close()


# ── what a report does ──


async def test_money_that_came_is_paid_and_owes_its_grant_in_one_commit(desk: Desk):
    asked = await desk.pushed()
    before = desk.db.commits
    paid = await desk.settlement.apply_provider_report(asked.id, report(asked, Reported.PAID, receipt="TJRHC8IET4"))
    assert desk.db.commits - before == 1
    assert (paid.state, paid.paid_at_s, paid.receipt, paid.provider_state) == (PaymentState.PAID, NOW_S, "TJRHC8IET4", "COMPLETE")
    owed = await desk.grant()
    assert owed is not None
    assert (owed.state, owed.mac, owed.ip, owed.duration) == (GrantState.OWED, asked.mac, asked.ip, asked.duration)
    assert await desk.story() == ["payment.recorded", "payment.complete", "grant.owed"]


async def test_the_same_report_again_grants_nothing_more_and_writes_nothing(desk: Desk):
    asked = await desk.pushed()
    for _ in range(3):
        await desk.settlement.apply_provider_report(asked.id, report(asked, Reported.PAID, receipt="TJR"))
    assert await desk.story() == ["payment.recorded", "payment.complete", "grant.owed"]
    assert (await desk.stored()).version == 1


async def test_reports_that_come_all_at_once_grant_once(desk: Desk):
    asked = await desk.pushed()
    await asyncio.gather(*(desk.settlement.apply_provider_report(asked.id, report(asked, Reported.PAID)) for _ in range(5)))
    assert (await desk.story()).count("grant.owed") == 1


@pytest.mark.parametrize(
    "wrong",
    [{"value": Decimal(49)}, {"value": None}, {"currency": "USD"}, {"api_ref": "HG-2"}, {"api_ref": None}],
)
async def test_money_that_is_not_what_was_asked_is_disputed_and_grants_nothing(desk: Desk, wrong, caplog):
    asked = await desk.pushed()
    disputed = await desk.settlement.apply_provider_report(asked.id, report(asked, Reported.PAID, **wrong))
    assert disputed.state is PaymentState.DISPUTED
    assert "50.00 KES for HG-1 was asked" in (disputed.failed_reason or "")
    assert await desk.grant() is None
    assert [record.__dict__["action"] for record in caplog.records if record.levelname == "ERROR"] == ["disputed"]


async def test_money_that_comes_after_a_failure_is_paid_and_clears_the_reason(desk: Desk):
    asked = await desk.pushed()
    said = report(asked, Reported.FAILED, failed_code="1032", failed_reason="Request cancelled by user")
    failed = await desk.settlement.apply_provider_report(asked.id, said)
    assert (failed.state, failed.failed_code, failed.failed_reason) == (PaymentState.FAILED, "1032", "Request cancelled by user")
    paid = await desk.settlement.apply_provider_report(asked.id, report(asked, Reported.PAID))
    assert (paid.state, paid.failed_code, paid.failed_reason) == (PaymentState.PAID, None, None)
    assert await desk.grant() is not None


async def test_nothing_takes_back_what_was_paid_but_a_late_receipt_is_kept(desk: Desk):
    asked = await desk.pushed()
    paid = await desk.settlement.apply_provider_report(asked.id, report(asked, Reported.PAID))
    desk.clock.advance(60)
    after = await desk.settlement.apply_provider_report(
        asked.id, report(asked, Reported.FAILED, failed_reason="reversed", receipt="TJR")
    )
    assert (after.state, after.paid_at_s, after.failed_reason) == (PaymentState.PAID, paid.paid_at_s, None)
    assert (await desk.stored()).receipt == "TJR"


async def test_an_unknown_word_changes_no_state_and_the_operator_is_told(desk: Desk, caplog):
    asked = await desk.pushed()
    after = await desk.settlement.apply_provider_report(asked.id, report(asked, Reported.UNRECOGNISED))
    assert (after.state, after.provider_state) == (PaymentState.PUSHED, "MOON")
    assert [record.__dict__["action"] for record in caplog.records] == ["unknown_state"]


async def test_still_pending_is_written_once_only(desk: Desk):
    asked = await desk.pushed()
    for _ in range(10):
        await desk.settlement.apply_provider_report(asked.id, report(asked))
    assert (await desk.stored()).version == 1


async def test_a_lost_push_that_is_found_again_learns_its_invoice(desk: Desk):
    asked = await desk.pushed(state=PaymentState.UNKNOWN, invoice_id=None)
    desk.provider.say(asked, Reported.WAITING, payment_id="uuid-of-the-push")
    found = await desk.settlement.settle(asked.id)
    assert desk.provider.asked == ["HG-1"]
    assert (found.state, found.invoice_id, found.provider_payment_id) == (PaymentState.PUSHED, "INV-payment-1", "uuid-of-the-push")


async def test_a_lost_push_that_is_not_in_the_list_stays_unknown(desk: Desk):
    asked = await desk.pushed(state=PaymentState.UNKNOWN, invoice_id=None)
    assert await desk.settlement.settle(asked.id) == asked


# ── asking ──


async def test_whoever_asks_while_somebody_asks_shares_the_answer(desk: Desk):
    asked = await desk.pushed()
    desk.provider.say(asked, Reported.PAID)
    answers = await asyncio.gather(*(desk.settlement.settle(asked.id) for _ in range(5)))
    assert {answer.state for answer in answers} == {PaymentState.PAID}
    assert desk.provider.asked == ["INV-1"]


async def test_the_provider_is_asked_about_one_payment_every_two_seconds_at_most(desk: Desk):
    asked = await desk.pushed()
    desk.provider.say(asked, Reported.WAITING)
    for seconds in (0, ASK_GAP_S - 0.1, 0.1):
        desk.clock.advance(seconds)
        await desk.settlement.settle(asked.id)
    assert len(desk.provider.asked) == 2
    assert desk.settlement.seconds_to_wait(asked.id) == ASK_GAP_S
    assert desk.settlement.seconds_to_wait("payment-2") == 0


async def test_within_the_two_seconds_what_is_known_is_answered(desk: Desk):
    asked = await desk.pushed()
    desk.provider.say(asked, Reported.WAITING)
    await desk.settlement.settle(asked.id)
    desk.provider.say(asked, Reported.PAID)
    assert (await desk.settlement.settle(asked.id)).state is PaymentState.PUSHED


async def test_a_provider_that_cannot_be_asked_says_nothing_about_the_money(desk: Desk):
    asked = await desk.pushed()
    desk.provider.fault = DOWN
    with pytest.raises(ProviderUnreachable):
        await desk.settlement.settle(asked.id)
    assert await desk.stored() == asked
    desk.clock.advance(ASK_GAP_S)
    desk.provider.fault = None
    desk.provider.say(asked, Reported.PAID)
    assert (await desk.settlement.settle(asked.id)).state is PaymentState.PAID


async def test_a_customer_who_does_not_wait_for_the_answer_does_not_stop_it(desk: Desk):
    asked = await desk.pushed()
    desk.provider.say(asked, Reported.PAID)
    desk.provider.pause = asyncio.Event()
    customer = asyncio.create_task(desk.settlement.settle(asked.id))
    while not desk.provider.asked:  # noqa: ASYNC110 - one turn is enough
        await asyncio.sleep(0)
    customer.cancel()
    await asyncio.gather(customer, return_exceptions=True)
    desk.provider.pause.set()
    await desk.scheduler.stop(20.0)
    assert (await desk.stored()).state is PaymentState.PAID


async def test_the_memory_of_who_was_asked_when_stays_bounded(desk: Desk):
    for number in range(3_000):
        desk.settlement._asked_at_s[f"old-{number}"] = desk.clock.monotonic_s() - 60
    desk.settlement.seconds_to_wait("any")
    assert desk.settlement._asked_at_s == {}


# ── the button ──


async def test_the_button_asks_while_the_payment_is_undecided_and_never_after(desk: Desk):
    asked = await desk.pushed()
    desk.provider.say(asked, Reported.PAID)
    for _ in range(2):
        standing = await desk.settlement.check_status(NJERI, asked.id)
        desk.clock.advance(60)
    assert standing.payment.state is PaymentState.PAID
    assert standing.grant == await desk.grant()
    assert len(desk.provider.asked) == 1


async def test_the_button_answers_what_is_known_when_the_provider_is_away(desk: Desk):
    asked = await desk.pushed()
    desk.provider.fault = DOWN
    assert (await desk.settlement.check_status(NJERI, asked.id)).payment == asked


async def test_the_button_is_for_the_owners_payments_through_intasend(desk: Desk):
    await desk.pushed(1)
    await desk.pushed(2, provider="kopokopo")
    with pytest.raises(NotFound, match="Payment not found or access denied"):
        await desk.settlement.check_status(Owner(2, "o", "O", "k2"), "payment-1")
    with pytest.raises(Invalid, match="This payment was not initiated through IntaSend"):
        await desk.settlement.check_status(NJERI, "payment-2")


# ── the webhook ──


async def test_a_webhook_is_a_hint_and_the_provider_decides(desk: Desk):
    asked = await desk.pushed()
    desk.provider.hint = WebhookHint(invoice_id="INV-1", api_ref=None)
    desk.provider.say(asked, Reported.PAID)
    await desk.settlement.take_webhook(b"ours")
    assert (await desk.story())[-1] == "webhook.received"
    await desk.scheduler.stop(20.0)
    assert (await desk.stored()).state is PaymentState.PAID


async def test_a_webhook_whose_challenge_is_nobodys_is_refused_and_not_stored(desk: Desk):
    await desk.pushed()
    with pytest.raises(Denied):
        await desk.settlement.take_webhook(b"forged")
    assert (await desk.story(), desk.provider.asked) == (["payment.recorded"], [])


async def test_an_owner_whose_keys_do_not_open_keeps_no_other_from_their_webhooks(desk: Desk):
    await desk.pushed()
    desk.site.providers = {7: EncryptionKeyMismatch("no"), 1: desk.provider}
    desk.provider.hint = WebhookHint(invoice_id=None, api_ref="HG-1")
    await desk.settlement.take_webhook(b"ours")
    assert (await desk.story())[-1] == "webhook.received"


async def test_a_webhook_about_nobodys_payment_is_stored_and_nothing_is_asked(desk: Desk):
    desk.provider.hint = WebhookHint(invoice_id="INV-9", api_ref="HG-9")
    await desk.settlement.take_webhook(b"ours")
    await desk.scheduler.stop(20.0)
    assert desk.provider.asked == []


async def test_an_invoice_that_a_webhook_puts_forward_must_carry_our_reference(desk: Desk):
    asked = await desk.pushed(state=PaymentState.UNKNOWN, invoice_id=None)
    stranger = report(asked, Reported.PAID, invoice_id="INV-9", api_ref="HG-9")
    desk.provider.reports["INV-9"] = stranger
    assert await desk.settlement.settle(asked.id, "INV-9") == asked
    assert await desk.grant() is None


# ── giving up, recovering ──


async def test_giving_up_says_why_and_a_late_success_still_counts(desk: Desk):
    asked = await desk.pushed()
    lapsed = await desk.settlement.give_up(asked.id)
    assert (lapsed.state, lapsed.failed_reason) == (PaymentState.LAPSED, "No final answer from IntaSend in time")
    paid = await desk.settlement.apply_provider_report(asked.id, report(asked, Reported.PAID))
    assert (paid.state, paid.failed_reason) == (PaymentState.PAID, None)


async def test_what_was_being_pushed_when_the_daemon_died_is_unknown_after_the_start(desk: Desk):
    await desk.pushed(1, state=PaymentState.PUSHING, invoice_id=None)
    await desk.pushed(2)
    await desk.settlement.recover()
    await desk.settlement.recover()
    assert ((await desk.stored(1)).state, (await desk.stored(2)).state) == (PaymentState.UNKNOWN, PaymentState.PUSHED)
    assert await desk.story(1) == ["payment.recorded", "payment.no_answer"]
