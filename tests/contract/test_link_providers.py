"""What the payment links of every provider must do: the promises of `gateway.providers.base.LinkProvider`.

Written once, like `test_providers`: a second provider adds a class like `IntaSendLinkWorld` and a line to `WORLDS`.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

import aiohttp
import pytest

from gateway.errors import ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money
from gateway.providers.base import LinkOrder, LinkProvider, LinkReport, Reported
from gateway.providers.intasend import IntaSend
from gateway.simulators import intasend as simulated
from tests.contract.providers import AtIntaSend
from tests.fakeclock import FakeClock

ORDER = LinkOrder("WiFi 1 hour, Kiosk", Money.parse("50"), "https://pay.example.org/payment/success/payment-1")
PAYER = "254712345678"
NOBODYS_LINK = "00000000-0000-4000-8000-000000000000"


class LinkWorld(Protocol):
    """One provider's links, and what a test may do behind them."""

    links: LinkProvider
    stranger: LinkProvider
    """The same account with keys that the provider does not know."""

    async def stop(self) -> None:
        """Nobody listens any more."""

    def made(self) -> int:
        """How many links there are."""

    def begin(self, link: LinkReport) -> str:
        """Somebody enters a number on the page; the invoice. Raises `simulated.PageClosed`."""

    def finish(self, invoice_id: str, *, paid: bool) -> None: ...

    def lose_making(self, *, processed: bool) -> None:
        """The answer to the next making is lost."""

    def reads_fail(self) -> None:
        """Every list gets no usable answer from now on."""

    def others_are_charged(self, count: int) -> None:
        """So many newer invoices with other references, in a list that the provider does not filter."""


class IntaSendLinkWorld(AtIntaSend):
    """IntaSend's links against IntaSend's simulator."""

    def __init__(self, simulator: simulated.SimulatedIntaSend, http: aiohttp.ClientSession, clock: FakeClock) -> None:
        super().__init__(simulator, http, clock)
        self.links: LinkProvider = IntaSend(self._account, http).links
        self.stranger: LinkProvider = IntaSend(self._strange, http).links

    def made(self) -> int:
        return len(self._simulator.links)

    def begin(self, link: LinkReport) -> str:
        self.clock.advance(1)
        return str(self._simulator.pay_page(link.link_id, PAYER).invoice_id)

    def finish(self, invoice_id: str, *, paid: bool) -> None:
        self.clock.advance(3)
        self._simulator.answer(invoice_id, simulated.Outcome.COMPLETE if paid else simulated.Outcome.CANCELLED)

    def lose_making(self, *, processed: bool) -> None:
        fault = simulated.reset_after if processed else simulated.reset_before
        self._simulator.faults.once(simulated.Endpoint.LINKS, fault)

    def reads_fail(self) -> None:
        for endpoint in (simulated.Endpoint.LINKS, simulated.Endpoint.INVOICES):
            self._simulator.faults.always(endpoint, simulated.wrong_types)


WORLDS = {
    "IntaSend with the types of 2023": IntaSendLinkWorld.of("2023"),
    "IntaSend with the types of 2026": IntaSendLinkWorld.of("2026"),
}


@pytest.fixture(params=list(WORLDS.values()), ids=list(WORLDS))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[LinkWorld]:
    async with AsyncExitStack() as stack:
        yield await request.param(stack)


async def test_a_link_can_be_paid_for_the_exact_amount_under_its_reference(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    assert link.url.startswith("http")
    world.finish(world.begin(link), paid=True)
    (report,) = await world.links.payments(link.api_ref)
    assert (report.reported, report.value, report.currency, report.api_ref) == (Reported.PAID, Decimal(50), "KES", link.api_ref)
    assert report.receipt


async def test_every_attempt_to_pay_is_reported_oldest_first(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    world.finish(first := world.begin(link), paid=False)
    world.finish(second := world.begin(link), paid=True)
    reports = await world.links.payments(link.api_ref)
    assert [(report.invoice_id, report.reported) for report in reports] == [(first, Reported.FAILED), (second, Reported.PAID)]


async def test_a_link_that_nobody_has_tried_to_pay_has_no_payments(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    world.finish(world.begin(await world.links.create(ORDER)), paid=True)
    assert await world.links.payments(link.api_ref) == []


async def test_payments_are_found_among_others_in_a_list_without_a_filter(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    invoice_id = world.begin(link)
    world.others_are_charged(230)
    assert [report.invoice_id for report in await world.links.payments(link.api_ref)] == [invoice_id]


async def test_a_link_is_good_for_one_payment(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    world.finish(world.begin(link), paid=True)
    with pytest.raises(simulated.PageClosed):
        world.begin(link)


async def test_a_closed_link_cannot_be_paid_and_closing_it_again_is_harmless(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    await world.links.close(link.link_id)
    await world.links.close(link.link_id)
    with pytest.raises(simulated.PageClosed):
        world.begin(link)


async def test_a_link_that_the_provider_does_not_know_cannot_be_closed(world: LinkWorld) -> None:
    with pytest.raises(ProviderRefused):
        await world.links.close(NOBODYS_LINK)


async def test_a_link_whose_answer_was_lost_is_found_by_where_it_leads_back(world: LinkWorld) -> None:
    world.lose_making(processed=True)
    with pytest.raises(PushOutcomeUnknown):
        await world.links.create(ORDER)
    found = await world.links.find("payment-1")
    assert found is not None
    world.finish(world.begin(found), paid=True)
    assert len(await world.links.payments(found.api_ref)) == 1
    assert world.made() == 1


async def test_a_payment_leads_to_its_link_and_that_to_where_it_leads_back(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    behind = await world.links.behind(link.api_ref)
    assert behind is not None
    assert (behind.link_id, behind.url, behind.return_url) == (link.link_id, link.url, ORDER.return_url)


async def test_a_reference_that_is_no_links_leads_nowhere_and_nobody_is_asked(world: LinkWorld) -> None:
    await world.stop()
    for reference in ("HG-1", "", "ISL_", "ISL_../invoices", "ISL_1?page=2"):
        assert await world.links.behind(reference) is None


async def test_a_link_that_nobody_knows_is_refused(world: LinkWorld) -> None:
    made = await world.links.create(ORDER)
    with pytest.raises(ProviderRefused):
        await world.links.behind(made.api_ref.replace(made.link_id, NOBODYS_LINK))


async def test_a_link_that_was_lost_on_its_way_there_is_not_found(world: LinkWorld) -> None:
    await world.links.create(replace(ORDER, return_url="https://pay.example.org/payment/success/payment-2"))
    world.lose_making(processed=False)
    with pytest.raises(PushOutcomeUnknown):
        await world.links.create(ORDER)
    assert await world.links.find("payment-1") is None


async def test_unknown_keys_make_no_link(world: LinkWorld) -> None:
    with pytest.raises(ProviderRefused, match="keys"):
        await world.stranger.create(ORDER)
    assert world.made() == 0


async def test_cents_and_foreign_money_make_no_link(world: LinkWorld) -> None:
    for amount in (Money(5_050), Money(5_000, "USD")):
        with pytest.raises(ProviderRefused, match="shillings"):
            await world.links.create(replace(ORDER, amount=amount))
    assert world.made() == 0


async def test_a_list_without_a_usable_answer_is_no_answer(world: LinkWorld) -> None:
    link = await world.links.create(ORDER)
    world.reads_fail()
    for question in (world.links.find("payment-1"), world.links.payments(link.api_ref)):
        with pytest.raises(ProviderUnreachable):
            await question


async def test_a_provider_that_cannot_be_reached_was_asked_for_nothing(world: LinkWorld) -> None:
    await world.stop()
    attempts: list[Awaitable[object]] = [
        world.links.create(ORDER),
        world.links.close(NOBODYS_LINK),
        world.links.find("payment-1"),
        world.links.behind("ISL_x"),
        world.links.payments("ISL_x"),
    ]
    for attempt in attempts:
        with pytest.raises(ProviderUnreachable):
            await attempt
