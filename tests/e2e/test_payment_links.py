"""Payment links end to end: one link, one payment, whoever pays it, from which place ever."""

import re
from typing import Any

import pytest
from aiohttp import web

from gateway.access import GrantState
from gateway.payments import LINK_LIFE_S, Payment, PaymentState
from gateway.simulators.intasend import Endpoint, Outcome, PageClosed, fails_with, reset_after, reset_before
from gateway.simulators.intasend.faults import Proceed
from gateway.store import links as link_rows
from tests.e2e.conftest import OpenSite
from tests.e2e.world import OTIENO, World

FRIEND = OTIENO[3]
"""The number of somebody far away."""


async def create_link(world: World, **changes: Any) -> tuple[int, dict[str, Any]]:
    body = {
        "router_id": 1,
        "package_id": 2,
        "phone_number": "0712345678",
        "amount": "50.00",
        "payment_method": "mpesa",
        "mac_address": world.amina.mac,
        "ip_address": world.amina.ip,
    } | changes
    return await world.post("/payments/intasend/create-link/", {name: value for name, value in body.items() if value is not None})


async def linked(world: World, **changes: Any) -> Payment:
    status, answer = await create_link(world, **changes)
    assert status == 201, answer
    return await world.payment(answer["payment"]["id"])


async def for_nobody(world: World) -> Payment:
    """A link without a device."""
    return await linked(world, mac_address=None, ip_address=None)


def is_active(world: World, payment: Payment) -> bool:
    return bool(world.intasend.links[payment.link_id or ""]["is_active"])


async def pay(world: World, payment: Payment, phone: str = FRIEND, outcome: Outcome = Outcome.COMPLETE) -> str:
    """Somebody opens the link, enters a number and answers the prompt; the invoice's id."""
    invoice = world.intasend.pay_page(payment.link_id or "", phone)
    await world.pass_time(3)
    world.intasend.answer(invoice.invoice_id, outcome)
    return str(invoice.invoice_id)


async def shown(world: World, path: str) -> tuple[int, str]:
    async with world.http.get(world.url + path) as response:
        return response.status, await response.text()


# Making one


async def test_the_answer_is_that_of_the_specification(world: World):
    status, answer = await create_link(world)
    payment = await world.payment(answer["payment"]["id"])
    assert status == 201
    assert answer == {
        "message": "Payment link created successfully",
        "payment": {
            "id": payment.id,
            "status": "pending",
            "intasend_invoice_id": payment.link_id,
            "intasend_state": "PENDING",
        },
        "intasend": {"payment_url": payment.link_url, "invoice_id": payment.link_id, "state": "PENDING"},
    }


async def test_a_token_does_instead_of_the_public_key_and_nothing_does_not(world: World):
    body = {"router_id": "1", "package_id": "2", "phone_number": "0712345678", "amount": 50}
    url = f"{world.url}/api/payments/intasend/create-link"
    async with world.http.post(url, json=body, headers=await world.login()) as response:
        assert response.status == 201
    async with world.http.post(url, json=body) as response:
        assert response.status == 401
    assert len(world.intasend.links) == 1


async def test_a_link_is_for_one_payment_of_the_exact_price_and_leads_back(world: World):
    payment = await linked(world)
    (link,) = world.intasend.links.values()
    assert (link["usage_limit"], link["amount"], link["currency"], link["is_active"]) == (1, 50, "KES", True)
    assert link["redirect_url"] == f"http://127.0.0.1/payment/success/{payment.id}"
    assert "1 hour" in link["title"]
    assert world.intasend.pushes == []


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({"amount": "49"}, 400, "Amount must match package price: 50.00 KES"),
        ({"package_id": 5}, 404, "Package not found or not active for this router"),
        ({"router_id": 9}, 404, "Router not found or access denied"),
        ({"phone_number": "12"}, 400, "Invalid phone number format"),
    ],
)
async def test_what_cannot_be_bought_gets_no_link(world: World, changes: dict[str, Any], status: int, sentence: str):
    answered, answer = await create_link(world, **changes)
    assert (answered, answer["error"]) == (status, sentence)
    assert world.intasend.links == {}


async def test_a_link_is_no_open_prompt_of_the_phone(world: World):
    await linked(world)
    assert (await world.initiate(world.amina))[0] == 201


async def test_a_router_that_is_down_gets_no_link(world: World):
    await world.router.stop()
    await world.pass_time(15)
    status, answer = await create_link(world)
    assert status == 503
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED
    assert world.intasend.links == {}


async def test_a_link_that_intasend_refuses_is_a_failed_payment(world: World):
    world.intasend.faults.once(Endpoint.LINKS, fails_with(400))
    status, answer = await create_link(world)
    assert status == 502
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED


async def test_without_intasend_there_is_no_link_and_the_payment_has_failed(world: World):
    await world.intasend.stop()
    status, answer = await create_link(world)
    assert status == 503
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED


# Paying it


async def test_a_link_that_is_paid_lets_its_device_through_and_is_closed(world: World):
    payment = await linked(world)
    invoice_id = await pay(world, payment)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    paid = await world.payment(payment.id)
    assert (paid.state, paid.invoice_id, paid.link_open) == (PaymentState.PAID, invoice_id, False)
    assert paid.receipt
    assert not is_active(world, paid)
    _, answer = await world.check(payment.id)
    assert (answer["status"], answer["intasend_status"]["invoice_id"]) == ("completed", invoice_id)


async def test_the_webhook_of_a_link_grants_within_three_seconds(open_site: OpenSite):
    world = await open_site(webhooks=True)
    payment = await linked(world)
    await world.pass_time(3_000, step_s=10)
    invoice = world.intasend.pay_page(payment.link_id or "", FRIEND)
    await world.pass_time_until(lambda: world.intasend.prompts(FRIEND), within_s=5)
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await world.pass_time_until(lambda: world.amina.online, within_s=3)


async def test_a_link_stays_pending_until_it_is_paid_and_an_attempt_that_fails_does_not_end_it(world: World):
    payment = await linked(world)
    await pay(world, payment, outcome=Outcome.CANCELLED)
    await world.pass_time(12)
    _, answer = await world.check(payment.id)
    assert (answer["status"], answer["state"], answer["intasend_status"]["invoice_id"]) == ("pending", "PENDING", payment.link_id)
    assert is_active(world, payment)
    await pay(world, payment)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)


async def test_a_link_that_nobody_pays_lapses_after_a_day_and_is_closed(world: World):
    payment = await linked(world)
    await world.pass_time(LINK_LIFE_S - 600, step_s=300)
    assert (await world.payment(payment.id)).state is PaymentState.PUSHED
    await world.pass_time(1_500, step_s=60)
    lapsed = await world.payment(payment.id)
    assert (lapsed.state, lapsed.failed_reason) == (PaymentState.LAPSED, "The link expired before it was paid")
    assert not is_active(world, lapsed)
    with pytest.raises(PageClosed):
        world.intasend.pay_page(lapsed.link_id or "", FRIEND)


async def test_a_second_payment_of_one_link_is_kept_for_refund_and_grants_nothing(world: World, caplog):
    payment = await linked(world)
    first = world.intasend.pay_page(payment.link_id or "", FRIEND)
    second = world.intasend.pay_page(payment.link_id or "", "254734567890")
    await world.pass_time_until(lambda: world.intasend.prompts("254734567890"), within_s=5)
    for invoice in (first, second):
        world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await world.pass_time(3_600, step_s=10)

    surplus = await world.running.db.read(lambda tx: link_rows.surplus_of(tx, payment.id))
    paid = await world.payment(payment.id)
    assert {paid.invoice_id, *surplus} == {first.invoice_id, second.invoice_id}
    assert len(surplus) == 1
    assert len(await world.grants()) == 1
    assert (await world.story(payment.id)).count("surplus.recorded") == 1
    (told,) = [record for record in caplog.records if getattr(record, "action", "") == "refund_due"]
    assert told.levelname == "ERROR"
    assert surplus[0] in told.getMessage()


async def test_a_link_that_was_paid_the_wrong_amount_is_disputed_and_closed(world: World):
    payment = await linked(world)
    world.intasend.links[payment.link_id or ""]["amount"] = 5
    await pay(world, payment)
    await world.pass_time(15)
    disputed = await world.payment(payment.id)
    assert disputed.state is PaymentState.DISPUTED
    assert await world.grant(payment.id) is None
    assert not is_active(world, disputed)


# Faults


async def test_a_link_whose_answer_was_lost_is_found_again_in_the_same_request(world: World):
    world.intasend.faults.once(Endpoint.LINKS, reset_after)
    status, answer = await create_link(world)
    payment = await world.payment(answer["payment"]["id"])
    assert status == 201
    assert answer["intasend"]["payment_url"] == payment.link_url
    assert list(world.intasend.links) == [payment.link_id]


async def test_a_link_that_never_arrived_is_given_up_without_a_second_one(world: World):
    world.intasend.faults.once(Endpoint.LINKS, reset_before)
    status, answer = await create_link(world)
    assert status == 502
    payment_id = answer["payment_id"]
    assert (await world.check(payment_id))[1]["status"] == "pending"
    await world.pass_time(700, step_s=10)
    assert (await world.payment(payment_id)).state is PaymentState.LAPSED
    assert world.intasend.links == {}


async def test_a_refusal_that_the_disk_does_not_take_is_written_when_it_does(world: World):
    async def turn_read_only(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        await let_write(world, "OFF")
        return await fails_with(400)(request, proceed)

    world.intasend.faults.once(Endpoint.LINKS, turn_read_only)
    assert (await create_link(world))[0] == 503
    [payment] = await world.payments()
    assert payment.state is PaymentState.PUSHING

    await let_write(world, "ON")
    await world.pass_time(31)
    assert (await world.payment(payment.id)).state is PaymentState.REFUSED


async def let_write(world: World, on_or_off: str) -> None:
    query_only = {"ON": "OFF", "OFF": "ON"}[on_or_off]
    await world.running.db._writer.run(lambda tx: tx.execute(f"PRAGMA query_only = {query_only}").fetchall())


async def test_a_link_that_could_not_be_closed_is_closed_when_intasend_lets_us(world: World):
    payment = await linked(world)
    world.intasend.faults.always(Endpoint.LINK, fails_with(409))
    await pay(world, payment)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    assert is_active(world, payment)
    world.intasend.faults.clear()
    await world.pass_time(120, step_s=10)
    assert not is_active(world, payment)
    assert not (await world.payment(payment.id)).link_open


async def test_links_survive_a_restart(world: World):
    payment = await linked(world)
    await world.stop()
    invoice = world.intasend.pay_page(payment.link_id or "", FRIEND)
    world.clock.advance(5)
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await world.start()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)


# Without a device, and the pages to which the payer comes back


async def test_a_link_paid_by_somebody_without_a_device_leaves_a_grant_with_a_claim_code(world: World):
    payment = await for_nobody(world)
    await pay(world, payment)
    await world.pass_time(15)
    (grant,) = await world.grants()
    assert grant.state is GrantState.UNCLAIMED
    assert re.fullmatch(r"[2-9A-HJKMNP-Z]{8}", grant.claim_code or "")
    status, text = await shown(world, f"/payment/success/{payment.id}")
    assert status == 200
    assert f"{(grant.claim_code or '')[:4]}-{(grant.claim_code or '')[4:]}" in text


async def test_a_push_gets_no_claim_code(world: World):
    grant = await world.grant(await world.buy(world.amina))
    assert grant is not None
    assert grant.claim_code is None


@pytest.mark.parametrize("page", ["success", "failed"])
async def test_a_result_page_never_believes_the_payment_page(world: World, page: str):
    payment = await linked(world)
    _, text = await shown(world, f"/payment/{page}/{payment.id}")
    assert "<h1>One moment</h1>" in text
    assert 'http-equiv="refresh"' in text
    await pay(world, payment)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    _, text = await shown(world, f"/payment/{page}/{payment.id}")
    assert "<h1>Online until " in text
    assert 'http-equiv="refresh"' not in text


async def test_the_payer_who_comes_back_is_not_kept_waiting_for_the_poller(world: World):
    payment = await linked(world)
    await world.pass_time(3_000, step_s=10)
    await pay(world, payment)
    await shown(world, f"/payment/success/{payment.id}")
    await world.quiet()
    assert world.amina.online


async def test_a_result_page_says_why_a_payment_failed_and_shows_no_phone_number(world: World):
    _, answer = await create_link(world, amount="1")
    status, text = await shown(world, f"/payment/failed/{answer['payment_id']}")
    assert status == 200
    assert "Amount must match package price" in text
    assert "712345678" not in text


async def test_a_result_page_of_no_payment_is_not_found(world: World):
    for path in ("/payment/success/nothing", "/payment/failed/%3Cscript%3E"):
        status, text = await shown(world, path)
        assert status == 404
        assert "script>" not in text
