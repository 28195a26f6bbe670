"""IntaSend's list of invoices behind the `InvoiceList` interface: everything that was ever asked for at one account.

Filters on the server are not proven to work (facts, payments 1.9), so nothing is asked of them: pages are walked from the newest
one back, and every entry is looked at here.
"""

from gateway.providers.base import InvoiceReport
from gateway.providers.intasend_answers import created_at_s, invoice_report
from gateway.providers.intasend_lists import read_back
from gateway.providers.intasend_sdk import AwaitableCollect


class IntaSendInvoices:
    """The invoices of one owner's account (see `gateway.providers.base.InvoiceList`)."""

    def __init__(self, reading: AwaitableCollect) -> None:
        self._reading = reading

    async def since(self, at_s: float) -> list[InvoiceReport]:
        """See `InvoiceList.since`. An invoice that moved to the next page while they were read is told once."""
        read = await read_back(self._reading, "invoices/", at_s)
        entries = [entry for entry in read if (created_at_s(entry) or at_s) >= at_s]  # a page goes back as far as it goes
        reports = [report for entry in entries if (report := invoice_report(entry))]
        return list({report.invoice_id: report for report in reports}.values())
