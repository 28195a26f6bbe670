"""IntaSend's payment links behind the `LinkProvider` interface: one link, one payment (facts, payments 1.5 and 5).

Links are made through the official SDK. Its own ways to change one do nothing, so closing is a PUT of ours through its transport.
Like the rest of the adapter this decides nothing about payments and never makes a link twice.
"""

import re
from typing import Any

from gateway.errors import GatewayError, ProviderRefused, PushOutcomeUnknown
from gateway.providers.base import InvoiceReport, LinkOrder, LinkReport
from gateway.providers.intasend_answers import as_text, created_at, invoice_of, invoice_report, newest_first, redact
from gateway.providers.intasend_lists import read_list
from gateway.providers.intasend_sdk import AwaitableLinks, read_lost

CURRENCY = "KES"
"""The only currency of M-Pesa (facts, payments 3, "Limits")."""

TITLE_MAX = 100
"""Characters of a title. Not documented; the pages of a phone show fewer."""

_REFERENCE_PREFIX = "ISL_"  # of every payment through a link, before the link's id (facts, payments 4)
_REFERENCE = re.compile(rf"{_REFERENCE_PREFIX}([0-9A-Za-z-]{{1,64}})", re.ASCII)  # what an id may hold on its way into a path


class IntaSendLinks:
    """The payment links of one owner's account (see `gateway.providers.base.LinkProvider`)."""

    def __init__(self, making: AwaitableLinks, reading: AwaitableLinks) -> None:
        self._making = making
        self._reading = reading

    async def create(self, order: LinkOrder) -> LinkReport:
        """See `LinkProvider.create`. Also raises ProviderRefused, with nothing sent, for cents or another currency than KES."""
        if order.amount.currency != CURRENCY or not order.amount.is_whole:
            raise ProviderRefused("M-Pesa takes whole Kenyan shillings only")
        answer = await self._making.create(
            title=order.title[:TITLE_MAX],
            currency=CURRENCY,
            amount=order.amount.shillings,
            usage_limit=1,
            redirect_url=order.return_url,
        )
        report = _link_report(answer)
        if report is None:
            raise link_lost("an answer without a link")
        return report

    async def close(self, link_id: str) -> None:
        """See `LinkProvider.close`."""
        answer = await self._reading.send_request("PUT", f"paymentlinks/{link_id}/", {"is_active": False})
        if answer.get("is_active") is not False:
            raise read_lost("a link that stays open")

    async def find(self, return_url_end: str) -> LinkReport | None:
        """See `LinkProvider.find`."""
        listing = await read_list(self._reading, "paymentlinks/")
        for entry in listing.entries:
            if (as_text(entry.get("redirect_url")) or "").endswith(return_url_end):
                return _link_report(entry)
        if not listing.is_whole and not newest_first(listing.entries):
            raise read_lost("a list of links that is too long to search")
        return None

    async def behind(self, api_ref: str) -> LinkReport | None:
        """See `LinkProvider.behind`. An answer about another link is no answer."""
        reference = _REFERENCE.fullmatch(api_ref)
        if reference is None:
            return None
        link = _link_report(await self._reading.send_request("GET", f"paymentlinks/{reference[1]}/", None))
        if link is None or link.api_ref != api_ref:
            raise read_lost("an answer about another link or none")
        return link

    async def payments(self, api_ref: str) -> list[InvoiceReport]:
        """See `LinkProvider.payments`. Each entry is compared: the server may ignore its filter (facts, payments 1.9)."""
        listing = await read_list(self._reading, "invoices/", api_ref=api_ref)
        ours = [entry for entry in listing.entries if as_text(invoice_of(entry).get("api_ref")) == api_ref]
        if not ours and not listing.is_whole and not newest_first(listing.entries):
            raise read_lost("a list of invoices that is too long to search")
        return [report for entry in sorted(ours, key=created_at) if (report := invoice_report(entry))]


def link_lost(what: str) -> GatewayError:
    """The error for a link whose making got no usable answer."""
    return PushOutcomeUnknown(f"IntaSend's answer was lost ({what}); nobody has been charged")


def _link_report(document: dict[str, Any]) -> LinkReport | None:
    link_id, url = as_text(document.get("id")), as_text(document.get("url"))
    if link_id is None or url is None:
        return None
    return LinkReport(link_id, url, f"{_REFERENCE_PREFIX}{link_id}", as_text(document.get("redirect_url")), redact(document))
