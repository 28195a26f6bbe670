"""What asking money back must do at every provider: the promises of `gateway.providers.base.RefundProvider`.

Written once and run on IntaSend's adapter against IntaSend's simulator, and on the double that other tests use.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

import aiohttp
import pytest

from gateway.errors import ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money, PhoneNumber
from gateway.providers.base import PushOrder, Refunding, RefundOrder, RefundProvider
from gateway.providers.intasend import IntaSend
from gateway.simulators import intasend as simulated
from tests.contract.providers import AtIntaSend
from tests.fakeclock import FakeClock
from tests.fakeprovider import FakeRefunds

PUSH = PushOrder(PhoneNumber("+254712345678"), Money.parse("50"), "HG-1", "1 hour")


class RefundWorld(Protocol):
    """One provider's refunds, and what a test may do behind them."""

    refunds: RefundProvider

    async def paid(self) -> str:
        """An invoice that is paid, of 50 shillings."""

    def made(self) -> int:
        """How many requests there are."""

    def decide(self, invoice_id: str, refunding: Refunding) -> None: ...

    def refuse(self) -> None:
        """The next request is refused."""

    def lose(self) -> None:
        """The next request is taken, and its answer lost."""

    def reads_fail(self) -> None: ...


class IntaSendRefundWorld(AtIntaSend):
    """IntaSend's chargebacks against IntaSend's simulator."""

    def __init__(self, simulator: simulated.SimulatedIntaSend, http: aiohttp.ClientSession, clock: FakeClock) -> None:
        super().__init__(simulator, http, clock)
        self._provider = IntaSend(self._account, http)
        self.refunds: RefundProvider = self._provider.refunds

    async def paid(self) -> str:
        invoice_id = (await self._provider.push(PUSH)).invoice_id
        self.clock.advance(3)
        self._simulator.answer(invoice_id, simulated.Outcome.COMPLETE)
        return invoice_id

    def made(self) -> int:
        return len(self._simulator.chargebacks)

    def decide(self, invoice_id: str, refunding: Refunding) -> None:
        words = {Refunding.RETURNED: "COMPLETED", Refunding.DECLINED: "CANCELLED", Refunding.UNRECOGNISED: "MOON"}
        for chargeback in self._simulator.chargebacks.values():
            if chargeback["transaction"]["invoice"]["invoice_id"] == invoice_id:
                chargeback["status"] = words[refunding]

    def refuse(self) -> None:
        self._simulator.faults.once(simulated.Endpoint.CHARGEBACKS, simulated.fails_with(400))

    def lose(self) -> None:
        self._simulator.faults.once(simulated.Endpoint.CHARGEBACKS, simulated.reset_after)

    def reads_fail(self) -> None:
        for endpoint in (simulated.Endpoint.CHARGEBACKS, simulated.Endpoint.CHARGEBACK):
            self._simulator.faults.always(endpoint, simulated.fails_with(500))


class FakeRefundWorld:
    """The double."""

    def __init__(self) -> None:
        self._double = FakeRefunds()
        self.refunds: RefundProvider = self._double
        self._invoices = 0

    async def paid(self) -> str:
        self._invoices += 1
        return f"INV{self._invoices}"

    def made(self) -> int:
        return len(self._double.known)

    def decide(self, invoice_id: str, refunding: Refunding) -> None:
        self._double.say(invoice_id, refunding)

    def refuse(self) -> None:
        self._double.fault = ProviderRefused("no")

    def lose(self) -> None:
        self._double.loses_answers = True

    def reads_fail(self) -> None:
        self._double.read_fault = ProviderUnreachable("no answer")


async def _at_the_double(_: AsyncExitStack) -> RefundWorld:
    return FakeRefundWorld()


WORLDS: dict[str, Callable[[AsyncExitStack], Awaitable[RefundWorld]]] = {
    "intasend": IntaSendRefundWorld.of("2026"),
    "double": _at_the_double,
}


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[RefundWorld]:
    async with AsyncExitStack() as stack:
        yield await WORLDS[request.param](stack)


def order(invoice_id: str) -> RefundOrder:
    return RefundOrder(invoice_id, Money.parse("50"), "Paid for WiFi access that could not be delivered")


async def test_a_request_has_an_id_and_waits_for_a_decision(world: RefundWorld):
    report = await world.refunds.request(order(await world.paid()))
    assert report.refund_id
    assert (report.refunding, world.made()) == (Refunding.WAITING, 1)


@pytest.mark.parametrize("refunding", [Refunding.RETURNED, Refunding.DECLINED, Refunding.UNRECOGNISED])
async def test_what_was_decided_can_be_read(world: RefundWorld, refunding: Refunding):
    invoice_id = await world.paid()
    report = await world.refunds.request(order(invoice_id))
    world.decide(invoice_id, refunding)
    later = await world.refunds.report(report.refund_id, invoice_id)
    assert (later.refund_id, later.invoice_id, later.refunding) == (report.refund_id, invoice_id, refunding)


async def test_a_request_whose_answer_was_lost_is_found_by_its_invoice(world: RefundWorld):
    others, ours = await world.paid(), await world.paid()
    await world.refunds.request(order(others))
    assert [report.invoice_id for report in await world.refunds.listed()] == [others]
    world.lose()
    with pytest.raises(PushOutcomeUnknown):
        await world.refunds.request(order(ours))
    assert {report.invoice_id for report in await world.refunds.listed()} == {others, ours}


async def test_a_refusal_is_told_apart_from_an_unknown_outcome(world: RefundWorld):
    invoice_id = await world.paid()
    world.refuse()
    with pytest.raises(ProviderRefused):
        await world.refunds.request(order(invoice_id))
    assert world.made() == 0


async def test_what_could_not_be_read_says_nothing(world: RefundWorld):
    invoice_id = await world.paid()
    report = await world.refunds.request(order(invoice_id))
    world.reads_fail()
    with pytest.raises(ProviderUnreachable):
        await world.refunds.report(report.refund_id, invoice_id)
    with pytest.raises(ProviderUnreachable):
        await world.refunds.listed()
