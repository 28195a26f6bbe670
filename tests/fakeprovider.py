"""A payment provider in the hand of a test: it says what it is told to, and keeps what it was asked."""

import asyncio
from dataclasses import replace
from typing import Any

from gateway.errors import PushOutcomeUnknown
from gateway.payments import Payment
from gateway.providers.base import (
    Circuit,
    InvoiceReport,
    LinkOrder,
    LinkReport,
    PushOrder,
    Refunding,
    RefundOrder,
    RefundReport,
    Reported,
    WebhookHint,
)


def report(payment: Payment, reported: Reported = Reported.WAITING, **changes: Any) -> InvoiceReport:
    """What a provider that is right says about a payment."""
    words = {Reported.WAITING: "PENDING", Reported.PAID: "COMPLETE", Reported.FAILED: "FAILED", Reported.UNRECOGNISED: "MOON"}
    said = InvoiceReport(
        invoice_id=payment.invoice_id or f"INV-{payment.id}",
        reported=reported,
        word=words[reported],
        api_ref=payment.api_ref,
        value=payment.amount.decimal,
        currency="KES",
        raw={"state": words[reported]},
    )
    return replace(said, **changes)


def made_link(payment: Payment, **changes: Any) -> LinkReport:
    """What a provider says about the link of a payment."""
    link_id = f"link-{payment.id}"
    return replace(LinkReport(link_id, f"https://pay.example/{link_id}/", f"ISL_{link_id}", raw={"id": link_id}), **changes)


class FakeLinks:
    """A `gateway.providers.base.LinkProvider` without a network."""

    def __init__(self) -> None:
        self.made: dict[str, LinkReport] = {}
        """By the end of the address to which the payer is sent back: what `find` finds."""
        self.reports: list[InvoiceReport] = []
        self.closed: list[str] = []
        self.orders: list[LinkOrder] = []
        self.asked = asyncio.Event()
        """Set with the first order."""
        self.fault: Exception | None = None
        self.close_fault: Exception | None = None

    async def create(self, order: LinkOrder) -> LinkReport:
        """See `LinkProvider`."""
        self.orders.append(order)
        self.asked.set()
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        return LinkReport("link-1", "https://pay.example/link-1/", "ISL_link-1", raw={"id": "link-1"})

    async def close(self, link_id: str) -> None:
        """See `LinkProvider`."""
        await asyncio.sleep(0)
        if self.close_fault is not None:
            raise self.close_fault
        self.closed.append(link_id)

    async def find(self, return_url_end: str) -> LinkReport | None:
        """See `LinkProvider`."""
        await asyncio.sleep(0)
        return self.made.get(return_url_end)

    async def behind(self, api_ref: str) -> LinkReport | None:
        """See `LinkProvider`."""
        await asyncio.sleep(0)
        return next((link for link in self.made.values() if link.api_ref == api_ref), None)

    async def payments(self, api_ref: str) -> list[InvoiceReport]:
        """See `LinkProvider`."""
        await asyncio.sleep(0)
        return [said for said in self.reports if said.api_ref == api_ref]


class FakeInvoices:
    """A `gateway.providers.base.InvoiceList` without a network; it tells what `FakeProvider.say` was told."""

    def __init__(self, provider: "FakeProvider") -> None:
        self._provider = provider
        self.asked_since_s: list[float] = []

    async def since(self, at_s: float) -> list[InvoiceReport]:
        """See `InvoiceList`."""
        self.asked_since_s.append(at_s)
        await self._provider.answer("the list")
        found = [said for said in self._provider.reports.values() if said.created_at_s is None or said.created_at_s > at_s]
        return sorted(found, key=lambda said: said.created_at_s or at_s, reverse=True)


class FakeRefunds:
    """A `gateway.providers.base.RefundProvider` without a network."""

    def __init__(self) -> None:
        self.orders: list[RefundOrder] = []
        self.known: dict[str, RefundReport] = {}
        """By invoice: what the provider has, whatever it answered."""
        self.fault: Exception | None = None
        """Raised by `request`."""
        self.loses_answers = False
        """Takes the request and says nothing."""
        self.read_fault: Exception | None = None
        self.pause: asyncio.Event | None = None
        """Until it is set, no request is answered."""

    async def request(self, order: RefundOrder) -> RefundReport:
        """See `RefundProvider`."""
        self.orders.append(order)
        if self.pause is not None:
            await self.pause.wait()
        if self.fault is not None:
            raise self.fault
        self.say(order.invoice_id, Refunding.WAITING)
        if self.loses_answers:
            raise PushOutcomeUnknown("no answer")
        return self.known[order.invoice_id]

    async def report(self, refund_id: str, invoice_id: str) -> RefundReport:
        """See `RefundProvider`."""
        await asyncio.sleep(0)
        if self.read_fault is not None:
            raise self.read_fault
        assert self.known[invoice_id].refund_id == refund_id
        return self.known[invoice_id]

    async def listed(self) -> list[RefundReport]:
        """See `RefundProvider`."""
        await asyncio.sleep(0)
        if self.read_fault is not None:
            raise self.read_fault
        return list(self.known.values())

    def say(self, invoice_id: str, refunding: Refunding) -> None:
        """From now on, of the request for that invoice."""
        self.known[invoice_id] = RefundReport(f"CB-{invoice_id}", invoice_id, refunding, refunding.value.upper())


class FakeProvider:
    """A `gateway.providers.base.Provider` without a network."""

    def __init__(self) -> None:
        self.reports: dict[str, InvoiceReport] = {}
        """By invoice."""
        self.fault: Exception | None = None
        self.pause: asyncio.Event | None = None
        """Until it is set, nothing is answered."""
        self.asked: list[str] = []
        """Each invoice or reference that was asked about."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.hint: WebhookHint | None = None
        self.circuit = Circuit.CLOSED
        self.links = FakeLinks()
        self.refunds = FakeRefunds()
        self.invoices = FakeInvoices(self)

    def say(self, payment: Payment, reported: Reported, **changes: Any) -> InvoiceReport:
        """From now on."""
        said = report(payment, reported, **changes)
        self.reports[said.invoice_id] = said
        return said

    def admit_push(self) -> None:
        """See `Provider`."""

    async def push(self, order: PushOrder) -> InvoiceReport:
        """See `Provider`."""
        raise AssertionError(f"nobody pushes here: {order}")

    async def report(self, invoice_id: str) -> InvoiceReport:
        """See `Provider`."""
        await self.answer(invoice_id)
        return self.reports[invoice_id]

    async def find(self, api_ref: str) -> InvoiceReport | None:
        """See `Provider`."""
        await self.answer(api_ref)
        return next((said for said in self.reports.values() if said.api_ref == api_ref), None)

    def read_webhook(self, body: bytes) -> WebhookHint | None:
        """See `Provider`."""
        return self.hint if body == b"ours" else None

    async def answer(self, about: str) -> None:
        """Do what every answer has in common."""
        self.asked.append(about)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.pause is not None:
                await self.pause.wait()
            await asyncio.sleep(0)
            if self.fault is not None:
                raise self.fault
        finally:
            self.in_flight -= 1
