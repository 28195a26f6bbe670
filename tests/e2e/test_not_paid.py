"""Whoever does not pay is not let in; and money that comes late, or comes wrong, is neither lost nor believed."""

import pytest

from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint, Outcome, fails_with
from tests.e2e.conftest import OpenSite
from tests.e2e.world import World

DAY_S = 86_400


async def _told(world: World, payment_id: str) -> dict[str, object]:
    _, answer = await world.check(payment_id)
    return dict(answer["payment"]) | {"state": answer["state"], "top": answer["status"]}


@pytest.mark.parametrize(
    ("outcome", "code", "reason"),
    [
        (Outcome.CANCELLED, "1032", "Request Cancelled by user."),
        (Outcome.WRONG_PIN, "2001", "The initiator information is invalid."),
        (Outcome.NO_FUNDS, "1", "The balance is insufficient for the transaction."),
        (Outcome.UNREACHABLE, "1037", "DS timeout user cannot be reached"),
        (Outcome.EXPIRED, "1019", "Transaction expired"),
        (Outcome.BUSY, "1001", "Unable to lock subscriber, a transaction is already in process for the current subscriber"),
    ],
)
async def test_a_payment_that_fails_says_why(world: World, outcome: Outcome, code: str, reason: str):
    world.intasend.script(world.amina.number, outcome)
    _, answer = await world.initiate(world.amina)
    await world.pass_time(75)

    told = await _told(world, answer["payment"]["id"])

    assert told["status"] == told["top"] == "failed"
    assert told["intasend_state"] == told["state"] == "FAILED"
    assert (told["failed_code"], told["failed_reason"]) == (code, reason)
    assert "package_expiry_time" not in told
    assert await world.grants() == []
    assert not world.amina.online


async def test_whoever_failed_may_try_again_at_once(world: World):
    await world.ask(world.amina)
    world.amina.wrong_pin()
    await world.pass_time(4)

    await world.buy(world.amina)

    assert len(world.intasend.pushes) == 2


async def test_money_that_comes_after_a_failure_is_granted(world: World):
    world.intasend.script(world.amina.number, Outcome.FAILED_THEN_COMPLETE)
    _, answer = await world.initiate(world.amina)
    payment_id = answer["payment"]["id"]
    await world.pass_time_until(lambda: world.intasend.state(world.intasend.pushes[0].invoice_id) == "FAILED", within_s=10)
    await world.pass_time(5)
    assert (await world.payment(payment_id)).state is PaymentState.FAILED

    await world.pass_time_until(lambda: world.amina.online, within_s=330, step_s=5)

    told = await _told(world, payment_id)
    assert (told["status"], told["state"]) == ("completed", "COMPLETE")
    assert "failed_code" not in told
    assert (await world.payment(payment_id)).failed_code is None


async def test_a_webhook_makes_late_money_count_at_once(open_site: OpenSite):
    world = await open_site(webhooks=True)
    payment_id = await world.ask(world.amina)
    invoice_id = world.intasend.pushes[0].invoice_id
    world.amina.cancel()
    await world.pass_time(60)
    assert (await world.payment(payment_id)).state is PaymentState.FAILED

    world.intasend.answer(invoice_id, Outcome.COMPLETE)
    await world.quiet()

    assert world.amina.online


async def test_money_that_comes_after_the_gateway_gave_up_is_granted(open_site: OpenSite):
    world = await open_site(webhooks=True)
    world.intasend.script(world.amina.number, Outcome.STUCK)
    _, answer = await world.initiate(world.amina)
    await world.pass_time(DAY_S + 7_200, step_s=300)
    assert (await world.payment(answer["payment"]["id"])).state is PaymentState.LAPSED
    assert (await _told(world, answer["payment"]["id"]))["status"] == "failed"

    world.intasend.answer(world.intasend.pushes[0].invoice_id, Outcome.COMPLETE)
    await world.quiet()

    assert world.amina.online


async def test_money_that_comes_although_the_push_was_refused_is_granted(world: World):
    world.intasend.faults.once(Endpoint.PUSH, fails_with(400, processed=True))
    status, answer = await world.initiate(world.amina)
    assert status == 502
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED

    await world.pass_time_until(lambda: world.amina.prompt, within_s=5)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=330, step_s=5)

    assert (await world.payment(answer["payment_id"])).state is PaymentState.PAID


@pytest.mark.parametrize("outcome", [Outcome.WRONG_VALUE, Outcome.WRONG_CURRENCY, Outcome.WRONG_API_REF], ids=lambda o: o.name)
async def test_money_that_was_not_asked_for_is_disputed_and_grants_nothing(world: World, outcome: Outcome):
    world.intasend.script(world.amina.number, outcome)
    _, answer = await world.initiate(world.amina)
    await world.pass_time(60)

    payment = await world.payment(answer["payment"]["id"])
    assert payment.state is PaymentState.DISPUTED
    assert payment.paid_at_s is None
    assert "50.00 KES" in (payment.failed_reason or "")
    assert (await _told(world, payment.id))["status"] == "failed"
    assert await world.grants() == []
    assert not world.amina.online


async def test_a_disputed_payment_is_not_paid_by_a_later_correction(open_site: OpenSite):
    """A person decides about it: whoever could correct it could also forge it."""
    world = await open_site(webhooks=True)
    world.intasend.script(world.amina.number, Outcome.WRONG_VALUE)
    _, answer = await world.initiate(world.amina)
    await world.pass_time(30)

    world.intasend.answer(world.intasend.pushes[0].invoice_id, Outcome.COMPLETE)
    await world.pass_time(60)

    assert (await world.payment(answer["payment"]["id"])).state is PaymentState.DISPUTED


async def test_an_unknown_word_changes_nothing_and_the_money_still_counts(world: World):
    world.intasend.script(world.amina.number, Outcome.UNKNOWN_WORD)
    _, answer = await world.initiate(world.amina)
    payment_id = answer["payment"]["id"]
    await world.pass_time(60)
    assert (await world.payment(payment_id)).state is PaymentState.PUSHED
    assert (await _told(world, payment_id))["status"] == "processing"

    world.intasend.answer(world.intasend.pushes[0].invoice_id, Outcome.COMPLETE)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)


async def test_a_receipt_that_never_comes_keeps_nobody_out(world: World):
    world.intasend.script(world.amina.number, Outcome.COMPLETE_WITHOUT_RECEIPT)
    _, answer = await world.initiate(world.amina)
    await world.pass_time_until(lambda: world.amina.online, within_s=25)

    assert (await world.payment(answer["payment"]["id"])).receipt is None


async def test_completed_counts_as_complete_and_is_answered_as_complete(world: World):
    payment_id = await world.ask(world.amina)
    world.intasend.answer(world.intasend.pushes[0].invoice_id, _said("COMPLETED"))
    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    told = await _told(world, payment_id)
    assert (told["status"], told["state"], told["intasend_state"]) == ("completed", "COMPLETE", "COMPLETE")


async def test_cancelled_is_a_failure_that_keeps_its_word(world: World):
    payment_id = await world.ask(world.amina)
    world.intasend.answer(world.intasend.pushes[0].invoice_id, _said("CANCELLED"))
    await world.pass_time(15)

    told = await _told(world, payment_id)
    assert (told["status"], told["state"], told["intasend_state"]) == ("failed", "CANCELLED", "CANCELLED")


def _said(word: str) -> Outcome:
    step = Outcome.COMPLETE.steps[0]
    return Outcome("said", (type(step)(0, word),))
