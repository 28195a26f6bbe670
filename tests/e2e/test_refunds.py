"""Paid and not delivered: the operator hears of it once, and one command has IntaSend give the money back, once."""

import asyncio
import functools
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from gateway.access import GrantState
from gateway.cli_refund import refund
from gateway.config import Config
from gateway.errors import GatewayError
from gateway.simulators.intasend import Endpoint, Outcome, fails_with, reset_after, reset_before
from gateway.simulators.intasend.faults import Fault, Proceed
from tests.e2e.test_payment_links import FRIEND, let_write, linked, pay
from tests.e2e.world import Answer, World

DUE_S = 7_200
NOTICED_S = 120


async def wait(world: World, seconds: float = DUE_S + NOTICED_S) -> None:
    await world.pass_time(seconds, step_s=60)


async def paid_for_nothing(world: World) -> str:
    """Amina pays while the router is down; the payment's id."""
    payment_id = await world.ask(world.amina)
    await world.router.power_off()
    world.amina.enter_pin()
    await world.pass_time(30)
    return payment_id


async def ask_back(world: World, payment_id: str) -> Answer:
    headers = await world.login()
    async with world.http.post(f"{world.url}/payments/{payment_id}/refund/", headers=headers) as response:
        return response.status, await response.json()


async def shown(world: World, payment_id: str) -> Any:
    """What the owner reads of it."""
    headers = await world.login()
    async with world.http.get(f"{world.url}/payments/{payment_id}/", headers=headers) as response:
        return (await response.json())["refund"]


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[str]:
    return [record.__dict__["payment"] for record in caplog.records if getattr(record, "action", "") == action]


def asked(fault: Fault) -> Fault:
    """The fault for whoever asks money back, and not for whoever reads what was asked back."""

    async def met(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        return await (fault(request, proceed) if request.method == "POST" else proceed())

    return met


async def asked_back_in_the_dashboard(world: World, payment_id: str) -> None:
    """The operator has gone to IntaSend himself."""
    invoice_id = (await world.payment(payment_id)).invoice_id
    body = {"invoice": invoice_id, "amount": 50, "reason": "Unavailable service", "reason_details": ""}
    headers = {"Authorization": f"Bearer {world.intasend.secret_key}"}
    async with world.http.post(f"{world.intasend.base_url}chargebacks/", json=body, headers=headers) as response:
        assert response.status == 201


def settings_of(world: World) -> Config:
    """The configuration as the command reads it, with the port that the daemon got."""
    config = world.config()
    return replace(config, server=replace(config.server, listen_port=world.running.port))


async def test_what_is_not_delivered_in_two_hours_is_refund_due_and_told_once(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await paid_for_nothing(world)
    await wait(world, DUE_S - 60)
    assert (await shown(world, payment_id), told(caplog, "refund_due")) == (None, [])

    await wait(world, NOTICED_S)
    assert told(caplog, "refund_due") == [payment_id]
    refund = await shown(world, payment_id)
    assert (refund["status"], refund["why"], refund["requested_at"]) == ("due", "undelivered", None)
    async with world.http.get(f"{world.url}/metrics") as response:
        assert 'hotspot_gateway_refunds{status="due"} 1.0' in await response.text()

    await world.restart()
    await wait(world, 600)
    assert told(caplog, "refund_due") == [payment_id]


async def test_who_is_online_after_all_is_owed_nothing(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    await world.router.power_on()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await wait(world, NOTICED_S)

    assert (await shown(world, payment_id))["status"] == "lifted"
    assert told(caplog, "refund_lifted") == [payment_id]
    status, answer = await ask_back(world, payment_id)
    assert status == 409
    assert "has begun" in answer["error"]
    assert world.amina.online
    assert world.intasend.chargebacks == {}


async def test_a_refund_is_asked_for_once_and_the_time_is_gone(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    first, second = await ask_back(world, payment_id), await ask_back(world, payment_id)

    assert (first[0], second[0]) == (200, 200)
    (refund,) = first[1]["refunds"]
    assert (refund["status"], refund["amount"], refund["refund_state"]) == ("requested", "50.00", "PENDING")
    (chargeback,) = world.intasend.chargebacks.values()
    assert (chargeback["amount"], chargeback["reason"]) == ("50.00", "Unavailable service")
    assert second[1] == first[1]

    await world.router.power_on()
    await world.pass_time(60)
    grant = await world.grant(payment_id)
    assert grant is not None
    assert (grant.state, world.amina.online) == (GrantState.REVOKED, False)


async def test_a_phone_that_never_came_is_refund_due_as_well(world: World):
    guest = world.guest(joined=False)
    payment_id = await world.ask(guest, mac_address=guest.mac, ip_address=None)
    guest.enter_pin()
    await wait(world)
    assert (await shown(world, payment_id))["status"] == "due"


async def test_what_the_operator_takes_back_before_anybody_used_it_is_owed_at_once(world: World):
    payment_id = await paid_for_nothing(world)
    grant = await world.grant(payment_id)
    assert grant is not None
    headers = await world.login()
    async with world.http.post(f"{world.url}/grants/{grant.id}/revoke/", headers=headers) as response:
        assert response.status == 200
    await wait(world, NOTICED_S)

    assert (await shown(world, payment_id))["why"] == "revoked"
    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"]) == (200, "requested")


async def test_an_answer_that_is_lost_is_looked_up_and_never_asked_again(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    world.intasend.faults.always(Endpoint.CHARGEBACKS, asked(reset_after))
    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"]) == (200, "unknown")
    world.intasend.faults.clear()

    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"]) == (200, "requested")
    assert list(world.intasend.chargebacks) == [answer["refunds"][0]["refund_id"]]


async def test_a_request_that_may_have_been_lost_on_the_way_is_not_repeated(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    world.intasend.faults.always(Endpoint.CHARGEBACKS, asked(reset_before))
    for _ in range(3):
        status, answer = await ask_back(world, payment_id)
        assert (status, answer["refunds"][0]["status"]) == (200, "unknown")
    assert world.intasend.chargebacks == {}


async def test_a_daemon_that_dies_while_asking_looks_it_up_afterwards(world: World, monkeypatch: pytest.MonkeyPatch):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    monkeypatch.setattr(type(world.running.refunds), "_learn", functools.partialmethod(_die))
    assert (await ask_back(world, payment_id))[0] == 500
    monkeypatch.undo()
    await world.restart()

    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"]) == (200, "requested")
    assert len(world.intasend.chargebacks) == 1


async def _die(*_: object) -> None:
    raise RuntimeError("the power is gone")


@pytest.mark.parametrize(("word", "status"), [("COMPLETED", "returned"), ("CANCELLED", "declined"), ("OVERDUE", "requested")])
async def test_what_intasend_decides_is_read_when_it_is_asked_for(world: World, word: str, status: str):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    await ask_back(world, payment_id)
    for chargeback in world.intasend.chargebacks.values():
        chargeback["status"] = word
    _, answer = await ask_back(world, payment_id)
    assert (answer["refunds"][0]["status"], answer["refunds"][0]["refund_state"]) == (status, word)


async def test_nothing_is_given_back_for_a_payment_that_was_not_made_or_is_in_use(world: World):
    unpaid = await world.ask(world.amina)
    status, answer = await ask_back(world, unpaid)
    assert (status, answer["error"]) == (409, "Nothing is owed back: this payment was not paid")
    used = await world.buy(world.otieno)
    status, answer = await ask_back(world, used)
    assert status == 409
    assert world.otieno.online
    assert (await ask_back(world, "00000000-0000-4000-8000-000000000000"))[0] == 404


async def test_two_who_ask_at_once_ask_for_the_money_once(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    answers = await asyncio.gather(*(ask_back(world, payment_id) for _ in range(3)))
    assert {status for status, _ in answers} == {200}
    assert {answer["refunds"][0]["status"] for _, answer in answers} == {"requested"}
    assert len(world.intasend.chargebacks) == 1


async def test_a_request_that_intasend_refuses_can_be_made_again(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    world.intasend.faults.always(Endpoint.CHARGEBACKS, asked(fails_with(400)))
    status, _ = await ask_back(world, payment_id)
    world.intasend.faults.clear()
    refund = await shown(world, payment_id)
    assert (status, refund["status"], refund["requested_at"]) == (502, "due", None)
    assert refund["refusal"]

    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"], answer["refunds"][0]["refusal"]) == (200, "requested", None)


async def test_nobody_loses_the_time_while_intasend_cannot_even_be_asked(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    world.intasend.faults.always(Endpoint.STATUS, fails_with(500))
    status, _ = await world.in_time(ask_back(world, payment_id))
    grant = await world.grant(payment_id)
    assert status == 503
    assert grant is not None
    assert grant.state is GrantState.OWED


async def test_a_link_that_was_paid_twice_gives_back_the_second_payment_only(world: World, caplog: pytest.LogCaptureFixture):
    payment = await linked(world)
    invoices = [world.intasend.pay_page(payment.link_id or "", number) for number in (world.amina.number, FRIEND)]
    await world.pass_time(3)
    for invoice in invoices:
        world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await wait(world, 600)
    assert told(caplog, "refund_due") == [payment.id]
    kept = (await world.payment(payment.id)).invoice_id

    status, answer = await ask_back(world, payment.id)
    (refund,) = answer["refunds"]
    assert (status, refund["why"], refund["status"]) == (200, "surplus", "requested")
    assert {kept, refund["invoice_id"]} == {invoice.invoice_id for invoice in invoices}
    assert world.amina.online


async def test_money_that_was_not_asked_for_is_owed_back_as_it_came(world: World, caplog: pytest.LogCaptureFixture):
    payment = await linked(world)
    world.intasend.links[payment.link_id or ""]["amount"] = 5
    await pay(world, payment)
    await wait(world, NOTICED_S)
    assert told(caplog, "refund_due") == [payment.id]

    status, answer = await ask_back(world, payment.id)
    (refund,) = answer["refunds"]
    assert (status, refund["why"], refund["amount"], refund["status"]) == (200, "disputed", "5.00", "requested")


async def test_what_was_asked_back_in_the_dashboard_is_not_asked_back_again(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    await asked_back_in_the_dashboard(world, payment_id)
    status, answer = await ask_back(world, payment_id)
    (refund,) = answer["refunds"]
    assert (status, refund["status"], [refund["refund_id"]]) == (200, "requested", list(world.intasend.chargebacks))


async def test_nothing_is_asked_back_while_nobody_knows_whether_it_was(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    world.intasend.faults.once(Endpoint.CHARGEBACKS, *[fails_with(500)] * 3)
    status, _ = await world.in_time(ask_back(world, payment_id))
    grant = await world.grant(payment_id)
    assert status == 503
    assert world.intasend.chargebacks == {}
    assert grant is not None
    assert grant.state is GrantState.OWED


async def test_the_command_asks_the_running_gateway(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)

    said = await refund(settings_of(world), payment_id, world.clock)
    (refund_id,) = world.intasend.chargebacks
    assert said.startswith("50.00 KES of invoice ")
    assert f"asked back from IntaSend as {refund_id}: PENDING" in said
    world.intasend.chargebacks[refund_id]["status"] = "COMPLETED"
    assert "given back by IntaSend" in await refund(settings_of(world), payment_id, world.clock)
    assert len(world.intasend.chargebacks) == 1


async def test_the_command_at_two_terminals_at_once_asks_once(world: World):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    said = await asyncio.gather(*(refund(settings_of(world), payment_id, world.clock) for _ in range(2)))
    (refund_id,) = world.intasend.chargebacks
    assert all(f"asked back from IntaSend as {refund_id}" in each for each in said)


async def test_the_command_says_why_not(world: World):
    used = await world.buy(world.amina)
    config = settings_of(world)
    with pytest.raises(GatewayError, match="the time of this payment has begun"):
        await refund(config, used, world.clock)
    with pytest.raises(GatewayError, match="There is no such payment"):
        await refund(config, "nobody's", world.clock)
    await world.stop()
    with pytest.raises(GatewayError, match=r"does not answer at .*: is it running"):
        await refund(config, used, world.clock)


async def test_what_was_paid_at_a_router_that_is_out_of_service_is_given_back(world: World):
    payment_id = await paid_for_nothing(world)
    world.edits.append(lambda document: document["owners"][0].update(routers=[]))
    await world.reload()
    await wait(world)
    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"]) == (200, "requested")
    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.state is GrantState.REVOKED


async def test_a_refund_whose_answer_came_while_the_disk_was_full_is_looked_up(world: World):
    async def turn_read_only(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        answer = await proceed()
        await let_write(world, "OFF")
        return answer

    payment_id = await paid_for_nothing(world)
    await wait(world)
    world.intasend.faults.always(Endpoint.CHARGEBACKS, asked(turn_read_only))
    assert (await ask_back(world, payment_id))[0] == 503
    world.intasend.faults.clear()
    await let_write(world, "ON")
    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"]) == (200, "requested")
    assert len(world.intasend.chargebacks) == 1
