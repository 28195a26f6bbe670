"""A payment provider in the hand of a test: it says what it is told to, and keeps what it was asked."""

import asyncio
from dataclasses import replace
from typing import Any

from gateway.payments import Payment
from gateway.providers.base import Circuit, InvoiceReport, LinkOrder, LinkReport, PushOrder, Reported, WebhookHint


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
    return replace(LinkReport(link_id, f"https://pay.example/{link_id}/", f"ISL_{link_id}", {"id": link_id}), **changes)


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
        return LinkReport("link-1", "https://pay.example/link-1/", "ISL_link-1", {"id": "link-1"})

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

    async def payments(self, api_ref: str) -> list[InvoiceReport]:
        """See `LinkProvider`."""
        await asyncio.sleep(0)
        return [said for said in self.reports if said.api_ref == api_ref]


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

    def say(self, payment: Payment, reported: Reported, **changes: Any) -> InvoiceReport:
        """From now on."""
        said = report(payment, reported, **changes)
        self.reports[said.invoice_id] = said
        return said

    async def push(self, order: PushOrder) -> InvoiceReport:
        """See `Provider`."""
        raise AssertionError(f"nobody pushes here: {order}")

    async def report(self, invoice_id: str) -> InvoiceReport:
        """See `Provider`."""
        await self._answer(invoice_id)
        return self.reports[invoice_id]

    async def find(self, api_ref: str) -> InvoiceReport | None:
        """See `Provider`."""
        await self._answer(api_ref)
        return next((said for said in self.reports.values() if said.api_ref == api_ref), None)

    def read_webhook(self, body: bytes) -> WebhookHint | None:
        """See `Provider`."""
        return self.hint if body == b"ours" else None

    async def _answer(self, about: str) -> None:
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
