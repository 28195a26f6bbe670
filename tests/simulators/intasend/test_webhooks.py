"""Webhooks: what they look like, when they come, and how their delivery goes wrong."""

import asyncio
import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from gateway.simulators.intasend import Order, Outcome, SimulatedIntaSend
from tests.fakeclock import FakeClock

PHONE = "254712345678"


class Receiver:
    """The merchant's endpoint: keeps what comes, answers with the next of `statuses`, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: asyncio.Queue[tuple[dict[str, str], dict[str, Any]]] = asyncio.Queue()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.requests.put_nowait((dict(request.headers), await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            return (await self.requests.get())[1]

    async def states(self, count: int) -> list[str]:
        return [(await self.next())["state"] for _ in range(count)]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    endpoint = Receiver()
    app = web.Application()
    app.router.add_post("/hook/", endpoint.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook/"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
def hooked(sim: SimulatedIntaSend, receiver: Receiver) -> SimulatedIntaSend:
    sim.webhook_url = receiver.url
    return sim


async def _pay(sim: SimulatedIntaSend, clock: FakeClock, settle: Any, outcome: Outcome = Outcome.COMPLETE) -> str:
    """Push, prompt and answer, three seconds in all."""
    invoice = sim.accept_push(Order(PHONE, Decimal(50), "HG-1"), "127.0.0.1")
    await settle()
    clock.advance(3)
    sim.answer(invoice.invoice_id, outcome)
    return invoice.invoice_id


async def _attempted(sim: SimulatedIntaSend, count: int) -> None:
    async with asyncio.timeout(5):
        while len(sim.webhooks.attempts) < count:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0)


async def test_without_a_url_nothing_is_sent(sim, clock, settle):
    await _pay(sim, clock, settle)
    await settle()
    assert sim.webhooks.attempts == []


async def test_the_states_arrive_with_the_prompt_and_with_the_outcome(hooked, receiver, clock, settle):
    hooked.accept_push(Order(PHONE, Decimal(50), "HG-1"), "127.0.0.1")
    await settle()
    clock.advance(1.9)
    await settle()
    assert receiver.requests.empty()
    clock.advance(0.1)
    assert set(await receiver.states(2)) == {"PENDING", "PROCESSING"}
    clock.advance(60)
    assert await receiver.states(1) == ["FAILED"]


async def test_the_body_is_flat_with_money_as_strings_and_the_challenge(hooked, receiver, clock, settle):
    invoice_id = await _pay(hooked, clock, settle)
    body = next(body for body in [await receiver.next() for _ in range(3)] if body["state"] == "COMPLETE")
    told = {name: body[name] for name in ("invoice_id", "api_ref", "value", "charges", "net_amount", "challenge")}
    assert told == {
        "invoice_id": invoice_id,
        "api_ref": "HG-1",
        "value": "50.00",
        "charges": "1.50",
        "net_amount": "48.50",
        "challenge": "demo-challenge-0123456789",
    }


async def test_there_is_no_signature(hooked, receiver, clock, settle):
    await _pay(hooked, clock, settle)
    async with asyncio.timeout(5):
        headers, _ = await receiver.requests.get()
    assert [name for name in headers if "sign" in name.lower() or "auth" in name.lower()] == []


async def test_a_failure_carries_its_code(hooked, receiver, clock, settle):
    await _pay(hooked, clock, settle, Outcome.CANCELLED)
    bodies = [await receiver.next() for _ in range(3)]
    assert [body["failed_code"] for body in bodies if body["state"] == "FAILED"] == ["1032"]


async def test_an_answer_takes_back_what_was_to_be_sent(hooked, receiver, clock, settle):
    await _pay(hooked, clock, settle)
    assert sorted(await receiver.states(3)) == ["COMPLETE", "PENDING", "PROCESSING"]
    clock.advance(600)
    await settle()
    assert receiver.requests.empty()


async def test_copies_arrive_that_often(hooked, receiver, clock, settle):
    hooked.webhooks.copies = 3
    await _pay(hooked, clock, settle)
    assert sorted(await receiver.states(9)) == ["COMPLETE"] * 3 + ["PENDING"] * 3 + ["PROCESSING"] * 3


async def test_reordered_the_outcome_comes_first(hooked, receiver, clock, settle):
    hooked.webhooks.reorder = True
    hooked.accept_push(Order(PHONE, Decimal(50), "HG-1"), "127.0.0.1")
    await settle()
    clock.advance(3)
    await settle()
    assert hooked.webhooks.attempts == []
    hooked.answer(hooked.pushes[0].invoice_id, Outcome.COMPLETE)
    assert sorted(await receiver.states(3)) == ["COMPLETE", "PENDING", "PROCESSING"]
    assert [attempt.body["state"] for attempt in hooked.webhooks.attempts][:1] == ["COMPLETE"]


async def test_a_delay_holds_each_back(hooked, receiver, clock, settle):
    hooked.webhooks.delay_s = 10
    await _pay(hooked, clock, settle)
    await settle()
    assert hooked.webhooks.attempts == []
    clock.advance(10)
    assert len(await receiver.states(3)) == 3


@pytest.mark.parametrize("challenge", ["something else", None])
async def test_a_forged_challenge_is_wrong_or_missing(hooked, receiver, clock, settle, challenge):
    hooked.webhooks.challenge = challenge
    await _pay(hooked, clock, settle)
    assert (await receiver.next()).get("challenge") == challenge


async def test_the_invoice_can_come_nested(hooked, receiver, clock, settle):
    hooked.webhooks.nested = True
    invoice_id = await _pay(hooked, clock, settle)
    body = await receiver.next()
    assert (sorted(body), body["invoice"]["invoice_id"]) == (["challenge", "invoice"], invoice_id)


async def test_a_refused_webhook_is_sent_again_later_and_later(hooked, receiver, clock, settle):
    receiver.statuses = [500] * 5
    hooked.webhooks.send({"invoice_id": "ABCDEFG", "state": "COMPLETE"})
    for attempts, delay_s in enumerate((300, 1200, 3600, 7200, 14_400), start=1):
        await _attempted(hooked, attempts)
        await settle()
        clock.advance(delay_s - 1)
        await settle()
        assert len(hooked.webhooks.attempts) == attempts
        clock.advance(1)
    await _attempted(hooked, 6)
    assert [attempt.status for attempt in hooked.webhooks.attempts] == [500] * 5 + [200]


async def test_after_five_more_tries_it_is_given_up(hooked, receiver, clock, settle):
    receiver.statuses = [500] * 9
    hooked.webhooks.retry_after_s = (1, 1, 1, 1, 1)
    hooked.webhooks.send({"invoice_id": "ABCDEFG", "state": "COMPLETE"})
    for attempts in range(1, 7):
        await _attempted(hooked, attempts)
        await settle()
        clock.advance(1)
    await settle()
    assert len(hooked.webhooks.attempts) == 6
    assert hooked.webhooks.active


async def test_an_endpoint_that_does_not_answer_is_a_failure(sim):
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        sim.webhook_url = f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}/"
        sim.webhooks.send({"invoice_id": "ABCDEFG", "state": "COMPLETE"})
        await _attempted(sim, 1)
    assert sim.webhooks.attempts[0].status is None


async def test_more_than_twenty_failures_in_a_row_turn_the_endpoint_off_until_support_turns_it_on(hooked, receiver):
    receiver.statuses = [500] * 21
    hooked.webhooks.retry_after_s = ()
    for failures in range(1, 22):
        assert hooked.webhooks.active
        hooked.webhooks.send({"invoice_id": "ABCDEFG", "state": "COMPLETE"})
        await _attempted(hooked, failures)
    assert not hooked.webhooks.active
    hooked.webhooks.active = True
    hooked.webhooks.send({"invoice_id": "ABCDEFG", "state": "COMPLETE"})
    await _attempted(hooked, 22)
    assert hooked.webhooks.attempts[-1].accepted


async def test_one_success_among_failures_keeps_the_endpoint_on(hooked, receiver):
    receiver.statuses = [500] * 20 + [200] + [500] * 20
    hooked.webhooks.retry_after_s = ()
    for attempts in range(1, 42):
        hooked.webhooks.send({"invoice_id": "ABCDEFG", "state": "COMPLETE"})
        await _attempted(hooked, attempts)
    assert hooked.webhooks.active
