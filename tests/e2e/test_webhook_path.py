"""A webhook is a hint: it makes things fast, proves nothing, and is never lost."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from gateway.access import GrantState
from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint, Order, Outcome, fails_with
from tests.e2e.conftest import OpenSite
from tests.e2e.world import World

CHALLENGE = "demo-challenge-0123456789"
BETWEEN_POLLS_S = 21
"""With the two seconds until the prompt: the poller asked 20 s after the push and asks again at 30 s."""

LATE_S = 600


@pytest.fixture
async def hooked(open_site: OpenSite) -> World:
    """A site to which IntaSend sends webhooks."""
    return await open_site(webhooks=True)


def _body(invoice_id: str | None, api_ref: str | None, challenge: str | None = CHALLENGE) -> dict[str, Any]:
    return {"invoice_id": invoice_id, "state": "COMPLETE", "value": "50.00", "api_ref": api_ref, "challenge": challenge}


async def _post(world: World, body: dict[str, Any]) -> int:
    status, _ = await world.post("/payments/webhook/", body, key=None)
    await world.quiet()
    return status


async def test_the_webhook_of_a_payment_brings_the_phone_online_at_once(hooked: World):
    payment_id = await hooked.ask(hooked.amina)
    await hooked.pass_time(BETWEEN_POLLS_S)

    hooked.amina.enter_pin()
    await hooked.quiet()

    assert hooked.amina.online
    assert (await hooked.payment(payment_id)).state is PaymentState.PAID


async def test_a_webhook_that_comes_five_times_grants_once(hooked: World):
    hooked.intasend.webhooks.copies = 5
    payment_id = await hooked.ask(hooked.amina)
    hooked.amina.enter_pin()
    await hooked.pass_time(10)

    assert len([a for a in hooked.intasend.webhooks.attempts if a.accepted and a.body["state"] == "COMPLETE"]) == 5
    story = await hooked.story(payment_id)
    assert story.count("payment.complete") == story.count("grant.owed") == story.count("grant.confirm") == 1
    assert len(await hooked.grants()) == 1


async def test_a_webhook_that_comes_ten_minutes_late_finds_everything_done(hooked: World):
    hooked.intasend.webhooks.delay_s = LATE_S
    payment_id = await hooked.buy(hooked.amina)
    before, grants = await hooked.payment(payment_id), await hooked.grants()
    await hooked.pass_time(LATE_S + 10, 10)

    assert [a.body["state"] for a in hooked.intasend.webhooks.attempts if a.accepted][-1] == "COMPLETE"
    assert (await hooked.payment(payment_id), await hooked.grants()) == (before, grants)
    assert len(hooked.intasend.pushes) == 1


async def test_webhooks_in_the_wrong_order_lose_nothing(hooked: World):
    hooked.intasend.webhooks.reorder = True
    payment_id = await hooked.buy(hooked.amina)
    await hooked.pass_time(10)

    assert [a.body["state"] for a in hooked.intasend.webhooks.attempts] == ["COMPLETE", "PENDING", "PROCESSING"]
    assert (await hooked.payment(payment_id)).state is PaymentState.PAID


async def test_a_webhook_with_the_invoice_nested_is_understood(hooked: World):
    hooked.intasend.webhooks.nested = True
    await hooked.ask(hooked.amina)
    await hooked.pass_time(BETWEEN_POLLS_S)

    hooked.amina.enter_pin()
    await hooked.quiet()

    assert hooked.amina.online


@pytest.mark.parametrize("challenge", ["demo-challenge-0123456780", "", None])
async def test_a_forged_webhook_is_refused_and_changes_nothing(world: World, challenge: str | None):
    payment_id = await world.ask(world.amina)
    before = await world.payment(payment_id)
    story = await world.story(payment_id)
    world.amina.enter_pin()

    assert await _post(world, _body(before.invoice_id, before.api_ref, challenge)) == 401

    assert await world.payment(payment_id) == before
    assert await world.story(payment_id) == story
    assert not world.amina.online


async def test_a_webhook_that_claims_a_payment_is_not_believed(world: World):
    payment_id = await world.ask(world.amina)
    payment = await world.payment(payment_id)

    assert await _post(world, _body(payment.invoice_id, payment.api_ref)) == 200

    assert (await world.payment(payment_id)).state is PaymentState.PUSHED
    assert await world.grants() == []


async def test_the_invoice_of_another_who_paid_does_not_pay_for_this_one(world: World):
    """Not even while the gateway does not know which invoice is its own."""
    world.intasend.faults.once(Endpoint.PUSH, _reset_after)
    payment_id = await world.ask(world.otieno)
    paid = await world.payment(await world.buy(world.amina))
    lost = await world.payment(payment_id)
    await world.pass_time(2)

    assert await _post(world, _body(paid.invoice_id, lost.api_ref)) == 200
    await world.pass_time(30)

    assert (await world.payment(payment_id)).state is PaymentState.PUSHED
    assert not world.otieno.online


async def test_an_invoice_that_is_not_ours_does_not_pay_for_a_push_whose_answer_was_lost(world: World):
    """The owner's account takes money elsewhere too."""
    world.intasend.script(world.otieno.number, Outcome.COMPLETE.after(0))
    elsewhere = world.intasend.accept(Order(world.otieno.number, Decimal(50), "TILL-7"))
    world.intasend.faults.once(Endpoint.PUSH, _reset_after)
    payment_id = await world.ask(world.amina)
    payment = await world.payment(payment_id)

    assert await _post(world, _body(elsewhere.invoice_id, payment.api_ref)) == 200
    await world.pass_time(10)

    payment = await world.payment(payment_id)
    assert (payment.state, payment.invoice_id) == (PaymentState.PUSHED, world.intasend.pushes[0].invoice_id)


async def test_a_webhook_about_nothing_of_ours_is_taken_and_changes_nothing(world: World):
    payment_id = await world.ask(world.amina)
    story = await world.story(payment_id)

    assert await _post(world, _body("ZZZZZZZ", "HG-NOT-OURS")) == 200
    assert await _post(world, {"challenge": CHALLENGE, "tracking_id": "send-money"}) == 200

    assert await world.story(payment_id) == story


async def test_an_owner_cannot_hint_at_the_payments_of_another(world: World):
    def with_second_owner(document: dict[str, Any]) -> None:
        intasend = document["owners"][0]["intasend"] | {"webhook_challenge": "wairimus-own-challenge"}
        document["owners"].append({"id": 2, "username": "wairimu", "name": "Wairimu WiFi", "intasend": intasend})

    world.edits.append(with_second_owner)
    await world.reload()
    payment_id = await world.ask(world.amina)
    payment = await world.payment(payment_id)
    world.amina.enter_pin()

    assert await _post(world, _body(payment.invoice_id, payment.api_ref, "wairimus-own-challenge")) == 200

    assert not world.amina.online
    assert "webhook.received" not in await world.story(payment_id)


async def test_a_webhook_may_overtake_the_answer_to_the_push(hooked: World):
    released = asyncio.Event()

    async def answer_late(_: web.Request, proceed: Any) -> web.StreamResponse:
        answer: web.StreamResponse = await proceed()
        await released.wait()
        return answer

    hooked.intasend.faults.once(Endpoint.PUSH, answer_late)
    hooked.intasend.script(hooked.amina.number, Outcome.COMPLETE.after(0))
    tap = asyncio.create_task(hooked.initiate(hooked.amina))
    await hooked.until(lambda: hooked.intasend.pushes)
    for _ in range(5):
        hooked.clock.advance(1)
        await hooked.until(lambda: hooked.intasend._tasks <= hooked.clock.waiting)
    await hooked.until(lambda: hooked.amina.online)
    assert not tap.done()

    released.set()
    status, answer = await tap
    await hooked.quiet()

    assert (status, answer["payment"]["status"]) == (201, "completed")
    assert answer["payment"]["intasend_invoice_id"] == hooked.intasend.pushes[0].invoice_id
    assert [grant.state for grant in await hooked.grants()] == [GrantState.ACTIVE]
    assert (await hooked.story(answer["payment"]["id"])).count("grant.owed") == 1


async def test_a_hint_within_two_seconds_of_a_question_is_followed_when_they_are_over(hooked: World):
    payment_id = await hooked.ask(hooked.amina)
    await hooked.pass_time(BETWEEN_POLLS_S)
    _, answer = await hooked.check(payment_id)
    assert answer["status"] == "processing"

    hooked.amina.enter_pin()
    await hooked.pass_time(1)
    assert not hooked.amina.online
    await hooked.pass_time(1)

    assert hooked.amina.online


async def test_a_webhook_that_was_sent_while_the_gateway_was_down_is_not_needed(hooked: World):
    await hooked.ask(hooked.amina)
    await hooked.stop()
    hooked.amina.enter_pin()
    await hooked.pass_time(120)

    await hooked.start()

    assert hooked.amina.online


async def _reset_after(request: web.Request, proceed: Any) -> web.StreamResponse:
    await proceed()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_a_webhook_that_meets_a_throttled_reader_is_followed_up_all_the_same(hooked: World):
    payment_id = await hooked.ask(hooked.amina)
    hooked.amina.cancel()
    await hooked.pass_time(1_800, step_s=10)
    assert (await hooked.payment(payment_id)).state is PaymentState.FAILED
    (push,) = hooked.intasend.pushes
    hooked.intasend.faults.once(Endpoint.STATUS, fails_with(429, retry_after_s=30))
    hooked.intasend.answer(push.invoice_id, Outcome.COMPLETE)
    await hooked.pass_time_until(lambda: hooked.amina.online, within_s=60)
