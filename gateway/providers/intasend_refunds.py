"""IntaSend's chargebacks behind the `RefundProvider` interface: money that is asked back (facts, payments 1.6 and 7).

IntaSend's people decide about each; what they say is read, never assumed. Like the rest of the adapter this decides nothing about
payments and never asks twice.
"""

from typing import Any

from gateway.errors import GatewayError, ProviderRefused, PushOutcomeUnknown
from gateway.providers.base import Refunding, RefundOrder, RefundReport
from gateway.providers.intasend_answers import as_text, invoice_of, redact
from gateway.providers.intasend_links import CURRENCY
from gateway.providers.intasend_lists import read_whole
from gateway.providers.intasend_sdk import AwaitableChargebacks, read_lost

REASON = "Unavailable service"
"""Of the reasons that IntaSend takes, the one for time that could not be used (facts, payments 1.6)."""

DETAILS_MAX = 255
"""Characters of the details. Not documented; Django's usual length of a line."""

WORDS = {
    "PENDING": Refunding.WAITING,
    "DISPUTED": Refunding.WAITING,
    "OVERDUE": Refunding.WAITING,
    "COMPLETED": Refunding.RETURNED,
    "COMPLETE": Refunding.RETURNED,
    "CANCELLED": Refunding.DECLINED,
}
"""Every status of a chargeback that is documented (facts, payments 1.6); any other word is UNRECOGNISED."""


class IntaSendRefunds:
    """The chargebacks of one owner's account (see `gateway.providers.base.RefundProvider`)."""

    def __init__(self, making: AwaitableChargebacks, reading: AwaitableChargebacks) -> None:
        self._making = making
        self._reading = reading

    async def request(self, order: RefundOrder) -> RefundReport:
        """See `RefundProvider.request`. Also raises ProviderRefused, with nothing sent, for another currency than KES."""
        if order.amount.currency != CURRENCY:
            raise ProviderRefused("M-Pesa returns Kenyan shillings only")
        answer = await self._making.create(
            invoice=order.invoice_id,
            amount=order.amount.shillings if order.amount.is_whole else str(order.amount),
            reason=REASON,
            reason_details=order.details[:DETAILS_MAX],
        )
        report = _report(answer, order.invoice_id)
        if report is None:
            raise refund_lost("an answer without a chargeback")
        return report

    async def report(self, refund_id: str, invoice_id: str) -> RefundReport:
        """See `RefundProvider.report`. An answer about another request is no answer."""
        report = _report(await self._reading.send_request("GET", f"chargebacks/{refund_id}/", None), invoice_id)
        if report is None or report.refund_id != refund_id:
            raise read_lost("an answer about another chargeback or none")
        return report

    async def listed(self) -> list[RefundReport]:
        """See `RefundProvider.listed`. Entries of which nobody can tell whose money they are about are left out."""
        entries = await read_whole(self._reading, "chargebacks/")
        named = ((entry, _invoice_id(entry)) for entry in entries)
        return [report for entry, invoice_id in named if invoice_id and (report := _report(entry, invoice_id))]


def refund_lost(what: str) -> GatewayError:
    """The error for a request that was sent and got no usable answer."""
    return PushOutcomeUnknown(f"IntaSend's answer to the refund request was lost ({what}); IntaSend may have it")


def _report(document: dict[str, Any], invoice_id: str) -> RefundReport | None:
    refund_id = as_text(document.get("chargeback_id")) or as_text(document.get("id"))
    if refund_id is None:
        return None
    word = as_text(document.get("status")) or ""
    return RefundReport(refund_id, invoice_id, WORDS.get(word.upper(), Refunding.UNRECOGNISED), word, redact(document))


def _invoice_id(document: dict[str, Any]) -> str | None:
    """Whose money it is about: the invoice stands in the transaction, beside it, or as a bare id (facts, payments 1.6 and 4)."""
    transaction = document.get("transaction")
    for holder in (transaction if isinstance(transaction, dict) else {}, document):
        found = as_text(holder.get("invoice")) or as_text(invoice_of(holder).get("invoice_id"))
        if found is not None:
            return found
    return None
