"""What every payment provider must do, whichever it is: the promises of `gateway.providers.base.Provider`.

Written once. Each provider brings a `World`: its adapter, talking to its simulator over a real connection, and the hands that move
the customer and the network behind it. A second provider adds a class like `IntaSendWorld` and a line to `WORLDS`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

import aiohttp
import pytest
from aiohttp import web

from gateway.errors import ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money, PhoneNumber
from gateway.providers.base import InvoiceReport, Provider, PushOrder, Reported, WebhookHint
from gateway.providers.intasend import IntaSend
from gateway.simulators import intasend as simulated
from tests.contract.providers import AtIntaSend
from tests.fakeclock import FakeClock

ORDER = PushOrder(PhoneNumber("+254712345678"), Money.parse("50"), "HG-7F3K2M", "1 hour WiFi")
HASTY_S = 0.3
"""The deadline of whatever a test lets hang: it is waited out in real time."""


class World(Protocol):
    """One provider's adapter, and what a test may do behind it."""

    provider: Provider
    stranger: Provider
    """The same account with keys that the provider does not know."""
    clock: FakeClock

    async def stop(self) -> None:
        """Nobody listens any more."""

    def prompts(self) -> list[tuple[str, Decimal]]:
        """Every prompt that ever went to a phone: digits and amount."""

    def customer_pays(self, invoice_id: str) -> None: ...

    def customer_cancels(self, invoice_id: str) -> None: ...

    def says_something_new(self, invoice_id: str) -> None:
        """The invoice enters a state for which we have no word."""

    def others_are_charged(self, count: int) -> None:
        """So many newer invoices with other references, in a list that the provider does not filter."""

    def lose_push(self, *, processed: bool, by: str) -> None:
        """The answer to the next push is lost, `by` hanging, reset, proxy or silence."""

    def reads_fail(self, by: str) -> None:
        """Every question about invoices gets no usable answer from now on."""

    def throttle(self, seconds: int) -> None:
        """The next push is turned away."""

    async def webhook(self, challenge: str | None = None) -> bytes:
        """The body of the next webhook, with the account's own challenge or that one."""


class IntaSendWorld(AtIntaSend):
    """IntaSend's adapter against IntaSend's simulator."""

    def __init__(self, simulator: simulated.SimulatedIntaSend, http: aiohttp.ClientSession, clock: FakeClock) -> None:
        super().__init__(simulator, http, clock)
        self.provider: Provider = IntaSend(self._account, http)
        self.stranger: Provider = IntaSend(self._strange, http)

    def prompts(self) -> list[tuple[str, Decimal]]:
        return [(invoice.order.phone, invoice.order.amount) for invoice in self._simulator.pushes]

    def customer_pays(self, invoice_id: str) -> None:
        self._simulator.answer(invoice_id, simulated.Outcome.COMPLETE)

    def customer_cancels(self, invoice_id: str) -> None:
        self._simulator.answer(invoice_id, simulated.Outcome.CANCELLED)

    def says_something_new(self, invoice_id: str) -> None:
        self._simulator.answer(invoice_id, simulated.Outcome.UNKNOWN_WORD)

    def lose_push(self, *, processed: bool, by: str) -> None:
        faults = {
            "hanging": simulated.hang_after if processed else simulated.hang,
            "reset": simulated.reset_after if processed else simulated.reset_before,
            "proxy": simulated.fails_with(502, html=True, processed=processed),
            "silence": simulated.empty,
        }
        self._simulator.faults.once(simulated.Endpoint.PUSH, faults[by])
        if by == "hanging":
            self.provider = IntaSend(self._account, self._http, push_deadline_s=HASTY_S)

    def reads_fail(self, by: str) -> None:
        faults = {
            "hanging": simulated.hang,
            "reset": simulated.reset_before,
            "proxy": simulated.fails_with(503, html=True),
            "nonsense": simulated.wrong_types,
        }
        for endpoint in (simulated.Endpoint.STATUS, simulated.Endpoint.INVOICES):
            self._simulator.faults.always(endpoint, faults[by])
        if by == "hanging":
            self.provider = IntaSend(self._account, self._http, read_deadline_s=HASTY_S)

    def throttle(self, seconds: int) -> None:
        self._simulator.faults.once(simulated.Endpoint.PUSH, simulated.fails_with(429, retry_after_s=seconds))

    async def webhook(self, challenge: str | None = None) -> bytes:
        if challenge is not None:
            self._simulator.webhooks.challenge = challenge
        async with receiver() as (url, bodies):
            self._simulator.webhook_url = url
            self.clock.advance(5)
            return await asyncio.wait_for(bodies.get(), 5)


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, "asyncio.Queue[bytes]"]]:
    """A small server that keeps what is posted to it."""
    bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def keep(request: web.Request) -> web.Response:
        bodies.put_nowait(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", keep)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", bodies
    finally:
        await runner.cleanup()


WORLDS = {"IntaSend with the types of 2023": IntaSendWorld.of("2023"), "IntaSend with the types of 2026": IntaSendWorld.of("2026")}


@pytest.fixture(params=list(WORLDS.values()), ids=list(WORLDS))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield await request.param(stack)


# Asking for money


async def test_a_push_puts_one_prompt_for_the_exact_amount_on_the_phone(world: World) -> None:
    report = await world.provider.push(ORDER)
    assert world.prompts() == [("254712345678", Decimal(50))]
    assert report.reported is Reported.WAITING
    assert (report.api_ref, report.value, report.currency) == (ORDER.api_ref, Decimal(50), "KES")
    assert report.invoice_id
    assert report.payment_id
    assert report.receipt is None


async def test_two_pushes_are_two_invoices(world: World) -> None:
    first = await world.provider.push(ORDER)
    second = await world.provider.push(replace(ORDER, phone=PhoneNumber("+254722000000"), api_ref="HG-2"))
    assert (first.invoice_id, first.payment_id) != (second.invoice_id, second.payment_id)


async def test_a_push_with_unknown_keys_is_refused_without_a_prompt(world: World) -> None:
    with pytest.raises(ProviderRefused, match="keys"):
        await world.stranger.push(ORDER)
    assert world.prompts() == []


async def test_a_push_to_a_number_that_cannot_pay_is_refused_with_the_reason(world: World) -> None:
    with pytest.raises(ProviderRefused, match="phone"):
        await world.provider.push(replace(ORDER, phone=PhoneNumber("+256712345678")))
    assert world.prompts() == []


async def test_a_throttled_push_says_when_to_come_back(world: World) -> None:
    world.throttle(seconds=30)
    with pytest.raises(ProviderRefused) as refused:
        await world.provider.push(ORDER)
    assert refused.value.retry_after_s == 30
    assert world.prompts() == []


async def test_a_provider_that_cannot_be_reached_was_sent_nothing(world: World) -> None:
    await world.stop()
    for attempt in (world.provider.push(ORDER), world.provider.report("Y5JJV4V"), world.provider.find(ORDER.api_ref)):
        with pytest.raises(ProviderUnreachable):
            await attempt
    assert world.prompts() == []


# What became of it


async def test_a_paid_invoice_is_reported_paid_with_amount_reference_and_receipt(world: World) -> None:
    pushed = await world.provider.push(ORDER)
    world.customer_pays(pushed.invoice_id)
    report = await world.provider.report(pushed.invoice_id)
    assert report.reported is Reported.PAID
    assert (report.invoice_id, report.payment_id) == (pushed.invoice_id, pushed.payment_id)
    assert (report.api_ref, report.value, report.currency) == (ORDER.api_ref, Decimal(50), "KES")
    assert report.receipt


async def test_an_invoice_waits_until_the_customer_has_spoken(world: World) -> None:
    pushed = await world.provider.push(ORDER)
    world.clock.advance(4)
    report = await world.provider.report(pushed.invoice_id)
    assert (report.reported, report.receipt, report.failed_code) == (Reported.WAITING, None, None)


async def test_a_cancelled_invoice_is_reported_failed_with_code_and_reason(world: World) -> None:
    pushed = await world.provider.push(ORDER)
    world.customer_cancels(pushed.invoice_id)
    report = await world.provider.report(pushed.invoice_id)
    assert (report.reported, report.failed_code, report.receipt) == (Reported.FAILED, "1032", None)
    assert report.failed_reason


async def test_a_state_without_a_word_of_ours_is_unrecognised(world: World) -> None:
    pushed = await world.provider.push(ORDER)
    world.says_something_new(pushed.invoice_id)
    report = await world.provider.report(pushed.invoice_id)
    assert report.reported is Reported.UNRECOGNISED
    assert report.word


async def test_an_invoice_that_the_provider_does_not_know_is_refused(world: World) -> None:
    with pytest.raises(ProviderRefused):
        await world.provider.report("0000000")


@pytest.mark.parametrize("by", ["hanging", "reset", "proxy", "nonsense"])
async def test_a_question_without_a_usable_answer_is_no_answer(by: str, world: World) -> None:
    pushed = await world.provider.push(ORDER)
    world.reads_fail(by)
    for question in (world.provider.report(pushed.invoice_id), world.provider.find(ORDER.api_ref)):
        with pytest.raises(ProviderUnreachable):
            await question


async def test_what_is_kept_for_the_log_does_not_name_the_phone(world: World) -> None:
    report = await world.provider.push(ORDER)
    assert report.raw
    assert ORDER.phone.digits not in str(report.raw)
    assert ORDER.phone.digits[3:] not in str(report.raw)


# A push whose answer was lost


@pytest.mark.parametrize("by", ["hanging", "reset", "proxy", "silence"])
async def test_a_push_whose_answer_was_lost_is_unknown_sent_once_and_found(by: str, world: World) -> None:
    world.lose_push(processed=True, by=by)
    with pytest.raises(PushOutcomeUnknown):
        await world.provider.push(ORDER)
    found = await world.provider.find(ORDER.api_ref)
    assert found is not None
    assert (found.api_ref, found.value, found.reported) == (ORDER.api_ref, Decimal(50), Reported.WAITING)
    assert len(world.prompts()) == 1


async def test_a_found_push_is_read_like_any_other(world: World) -> None:
    world.lose_push(processed=True, by="reset")
    with pytest.raises(PushOutcomeUnknown):
        await world.provider.push(ORDER)
    found = found_report(await world.provider.find(ORDER.api_ref))
    world.customer_pays(found.invoice_id)
    report = await world.provider.report(found.invoice_id)
    assert (report.reported, report.api_ref) == (Reported.PAID, ORDER.api_ref)
    assert found_report(await world.provider.find(ORDER.api_ref)).reported is Reported.PAID


@pytest.mark.parametrize("by", ["hanging", "reset", "proxy"])
async def test_a_push_that_was_lost_on_its_way_there_is_unknown_too_and_not_found(by: str, world: World) -> None:
    world.lose_push(processed=False, by=by)
    with pytest.raises(PushOutcomeUnknown):
        await world.provider.push(ORDER)
    assert await world.provider.find(ORDER.api_ref) is None
    assert world.prompts() == []


async def test_a_push_is_found_among_hundreds_of_newer_ones(world: World) -> None:
    pushed = await world.provider.push(ORDER)
    world.others_are_charged(230)
    found = found_report(await world.provider.find(ORDER.api_ref))
    assert found.invoice_id == pushed.invoice_id


async def test_somebody_elses_invoice_is_never_taken_for_ours(world: World) -> None:
    world.others_are_charged(3)
    assert await world.provider.find("HG-OTHER") is None


# Webhooks


async def test_a_webhook_hints_at_the_invoice_of_the_push(world: World) -> None:
    pushed = await world.provider.push(ORDER)
    hint = world.provider.read_webhook(await world.webhook())
    assert hint == WebhookHint(pushed.invoice_id, ORDER.api_ref)


async def test_a_webhook_with_a_strange_challenge_is_not_read(world: World) -> None:
    await world.provider.push(ORDER)
    assert world.provider.read_webhook(await world.webhook("another-challenge-0123456789")) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\x00\xff", b'{"challenge": null}'])
async def test_noise_is_no_webhook(body: bytes, world: World) -> None:
    assert world.provider.read_webhook(body) is None


def found_report(report: InvoiceReport | None) -> InvoiceReport:
    assert report is not None, "the provider's list does not hold it"
    return report


# The list of invoices


async def test_the_list_tells_who_was_asked_for_what_and_when(world: World) -> None:
    began_s = world.clock.wall_s()
    pushed = await world.provider.push(ORDER)
    world.customer_pays(pushed.invoice_id)
    (told,) = await world.provider.invoices.since(began_s - 1)
    assert (told.invoice_id, told.reported, told.api_ref) == (pushed.invoice_id, Reported.PAID, ORDER.api_ref)
    assert (told.payer, told.value, told.currency) == (ORDER.phone, Decimal(50), "KES")
    assert told.created_at_s == pytest.approx(began_s, abs=0.001)
    assert told.receipt


async def test_the_list_is_read_back_to_the_moment_and_each_invoice_is_told_once(world: World) -> None:
    pushed = await world.provider.push(ORDER)
    world.others_are_charged(230)
    since_s = world.clock.wall_s() - 120
    told = [report.invoice_id for report in await world.provider.invoices.since(since_s)]
    assert len(told) == len(set(told)) == 121  # of two pages: the moment is on the second
    assert pushed.invoice_id not in told
    everything = await world.provider.invoices.since(0)
    assert len(everything) == 231
    assert everything == sorted(everything, key=lambda report: report.created_at_s or 0, reverse=True)


@pytest.mark.parametrize("by", ["hanging", "reset", "proxy", "nonsense"])
async def test_a_list_that_cannot_be_read_is_no_empty_list(by: str, world: World) -> None:
    await world.provider.push(ORDER)
    world.reads_fail(by)
    with pytest.raises(ProviderUnreachable):
        await world.provider.invoices.since(0)


async def test_a_list_for_unknown_keys_is_refused(world: World) -> None:
    with pytest.raises(ProviderRefused, match="keys"):
        await world.stranger.invoices.since(0)
