"""IntaSend behind the `Provider` interface: the official SDK's requests, sent without blocking.

How the SDK is made awaitable is in `intasend_sdk`, how an exchange can end in `intasend_transport`, what answers mean in
`intasend_answers`, the payment links in `intasend_links`. This module decides nothing about payments and never repeats a push.
"""

import hmac
from functools import partial
from typing import Any

import aiohttp
from intasend.client import get_service_url

from gateway.errors import GatewayError, ProviderRefused, PushOutcomeUnknown
from gateway.providers.base import Circuit, Environment, InvoiceReport, ProviderAccount, PushOrder, Recorder, WebhookHint, Witness
from gateway.providers.intasend_answers import WORDS, as_text, invoice_of, invoice_report, newest_first, parse_object, pick, redact
from gateway.providers.intasend_invoices import IntaSendInvoices
from gateway.providers.intasend_keys import contradiction, demand_usable
from gateway.providers.intasend_links import CURRENCY, IntaSendLinks, link_lost
from gateway.providers.intasend_lists import read_list
from gateway.providers.intasend_refunds import IntaSendRefunds, refund_lost
from gateway.providers.intasend_sdk import AwaitableChargebacks, AwaitableCollect, AwaitableLinks, AwaitableSdk, read_lost
from gateway.providers.intasend_transport import Transport
from gateway.providers.upstream import READ_TRIES, Door, Line, Upstream

__all__ = ["WORDS", "AwaitableCollect", "AwaitableSdk", "IntaSend", "contradiction", "redact"]

PUSH_DEADLINE_S = 30.0
"""The SDK has none. IntaSend answers a push in about two seconds; later than this the customer has put the phone away, and an
answer that is still under way is found by our reference."""
READ_DEADLINE_S = 10.0
"""Reads have no consequences and are asked again; one that hangs must not hold up the others."""

NOT_REACHABLE = "M-Pesa is not reachable at the moment. You have not been charged."
NOT_ASKED = "IntaSend is not asked at the moment: it was not reachable, or wants us to wait"


class IntaSend:
    """One owner's account at IntaSend (see `gateway.providers.base.Provider`).

    `http` is the pooled client of the whole daemon; who made it closes it. Deadlines are in seconds and hold for one exchange.
    Without an `upstream` each question is sent once, whatever became of those before it. `record` is told of each exchange, and
    `witness` of what IntaSend's clock shows. Raises Invalid for keys that cannot stand in an HTTP header, or contradict each other
    or their environment.
    """

    def __init__(
        self,
        account: ProviderAccount,
        http: aiohttp.ClientSession,
        *,
        push_deadline_s: float = PUSH_DEADLINE_S,
        read_deadline_s: float = READ_DEADLINE_S,
        upstream: Upstream | None = None,
        record: Recorder | None = None,
        witness: Witness | None = None,
    ) -> None:
        demand_usable(account)
        base_url = account.base_url or get_service_url("", account.environment is Environment.SANDBOX)
        base_url = base_url.rstrip("/") + "/"
        self._challenge = account.webhook_challenge
        self._upstream = upstream
        reads = Transport(http, base_url, read_deadline_s, read_lost, record, witness)
        reading = self._reads(reads)
        selling = partial(Transport, http, base_url, push_deadline_s, record=record, witness=witness)
        self._push_line = self._sells(selling(lost=_push_lost))
        self._pushing = AwaitableCollect(self._push_line, account)
        self._reading = AwaitableCollect(reading, account)
        self._links = IntaSendLinks(
            making=AwaitableLinks(self._sells(selling(lost=link_lost)), account),
            reading=AwaitableLinks(reading, account),
        )
        self._refunds = IntaSendRefunds(
            making=AwaitableChargebacks(self._sells(selling(lost=refund_lost)), account),
            reading=AwaitableChargebacks(self._reads(reads), account),  # keys that may not read these may read invoices
        )
        self._invoices = IntaSendInvoices(self._reading)

    @property
    def links(self) -> IntaSendLinks:
        """See `Provider.links`."""
        return self._links

    @property
    def invoices(self) -> IntaSendInvoices:
        """See `Provider.invoices`."""
        return self._invoices

    @property
    def refunds(self) -> IntaSendRefunds:
        """See `Provider.refunds`."""
        return self._refunds

    @property
    def circuit(self) -> Circuit:
        """See `Provider.circuit`."""
        return Circuit.CLOSED if self._upstream is None else self._upstream.circuit

    def admit_push(self) -> None:
        """See `Provider.admit_push`."""
        if isinstance(self._push_line, Door):
            self._push_line.admit()

    async def push(self, order: PushOrder) -> InvoiceReport:
        """See `Provider.push`. Also raises ProviderRefused, with nothing sent, for cents or another currency than KES."""
        if order.amount.currency != CURRENCY or not order.amount.is_whole:
            raise ProviderRefused("M-Pesa takes whole Kenyan shillings only")
        answer = await self._pushing.mpesa_stk_push(
            phone_number=order.phone.digits,
            amount=order.amount.shillings,
            narrative=order.narrative,
            currency=CURRENCY,
            api_ref=order.api_ref,
        )
        report = invoice_report(answer)
        if report is None:
            raise _push_lost("an answer without an invoice")
        return report

    async def report(self, invoice_id: str) -> InvoiceReport:
        """See `Provider.report`. An answer about another invoice is no answer."""
        report = invoice_report(await self._reading.status(invoice_id))
        if report is None or report.invoice_id != invoice_id:
            raise read_lost("an answer about another invoice or none")
        return report

    async def find(self, api_ref: str) -> InvoiceReport | None:
        """See `Provider.find`. Reads at most `PAGES_MAX` pages.

        What these do not hold is not there if the list is at its end, or is plainly sorted newest first; otherwise nothing is
        known, and ProviderUnreachable says so.
        """
        listing = await read_list(self._reading, "invoices/", api_ref=api_ref)
        found = pick(listing.entries, api_ref)
        if found is None and not listing.is_whole and not newest_first(listing.entries):
            raise read_lost("a list of invoices that is too long to search")
        return found

    def read_webhook(self, body: bytes) -> WebhookHint | None:
        """See `Provider.read_webhook`; never raises. One that is genuine also shows that IntaSend is there again.

        An event about something else than an invoice (send-money) has a hint without ids: it is genuine, and must be answered with
        200, or IntaSend deactivates the webhook after 21 failures (facts, payments 4).
        """
        event = parse_object(body)
        if event is None or not self._is_challenge(event.get("challenge")):
            return None
        if self._upstream is not None:
            self._upstream.hear()
        invoice = invoice_of(event)
        return WebhookHint(invoice_id=as_text(invoice.get("invoice_id")), api_ref=as_text(invoice.get("api_ref")))

    def _sells(self, transport: Transport) -> Line:
        """For what is never repeated: a push, a link."""
        return transport if self._upstream is None else Door(transport, self._upstream, tries=1, closed=NOT_REACHABLE)

    def _reads(self, transport: Transport) -> Line:
        """For what changes nothing, or the same again."""
        return transport if self._upstream is None else Door(transport, self._upstream, tries=READ_TRIES, closed=NOT_ASKED)

    def _is_challenge(self, text: Any) -> bool:
        """Whether it is ours. There is no signature to check, this is all that a webhook proves (facts, payments 0.4)."""
        ours = self._challenge.reveal() if self._challenge else ""
        return bool(ours) and isinstance(text, str) and hmac.compare_digest(text.encode(), ours.encode())


def _push_lost(what: str) -> GatewayError:
    return PushOutcomeUnknown(f"IntaSend's answer to the push was lost ({what}); a prompt may be on the phone")
