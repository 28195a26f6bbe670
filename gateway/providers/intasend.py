"""IntaSend behind the `Provider` interface: the official SDK's requests, sent without blocking.

The SDK builds every request and hands it to its own `send_request`, which blocks, waits for ever and reports many failures as
success. `AwaitableSdk` replaces that one method; all else stays the SDK's. What answers mean is in `intasend_answers`, how an
exchange can end in `intasend_transport`. This module decides nothing about payments and never repeats a push.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from intasend import Collect
from intasend.client import APIBase, get_service_url

from gateway.errors import GatewayError, Invalid, ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.providers.base import Environment, InvoiceReport, ProviderAccount, PushOrder, WebhookHint
from gateway.providers.intasend_answers import WORDS, as_text, invoice_of, invoice_report, newest_first, parse_object, pick, redact
from gateway.providers.intasend_transport import Transport

__all__ = ["WORDS", "AwaitableSdk", "IntaSend", "contradiction", "redact"]

PUSH_DEADLINE_S = 30.0
"""The SDK has none. IntaSend answers a push in about two seconds; later than this the customer has put the phone away, and an
answer that is still under way is found by our reference."""
READ_DEADLINE_S = 10.0
"""Reads have no consequences and are asked again; one that hangs must not hold up the others."""
CURRENCY = "KES"
"""The only currency of M-Pesa's prompts (facts, payments 3, "Limits")."""
FIND_PAGES_MAX = 5
FIND_PAGE_SIZE = 100
"""Five hundred invoices: half a day of a busy site, should IntaSend ignore the filter; with the filter one page has it all."""

_KINDS = {"ISPubKey": "publishable", "ISSecretKey": "secret"}
_WORLDS = {"test": Environment.SANDBOX, "live": Environment.LIVE}
_KEY = re.compile(r"(ISPubKey|ISSecretKey)_(test|live)_.*", re.DOTALL)
_HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,500}")


class AwaitableSdk(APIBase):  # type: ignore[misc]  # the SDK carries no types
    """Mixed in before a class of the SDK (`Collect`, later `PaymentLinks` and `Chagebacks`), makes all its methods awaitable.

    Each of them ends in `return self.send_request(...)`: what they return is what there is to await.
    """

    def __init__(self, transport: Transport, account: ProviderAccount) -> None:
        super().__init__(
            token=account.secret_key.reveal(),
            publishable_key=account.publishable_key,
            test=account.environment is Environment.SANDBOX,
        )
        self._transport = transport

    async def send_request(self, request_type: str, service_endpoint: str, payload: Any, noauth: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - the SDK's signature
        """The SDK's way out, over our transport; raises what `Transport.exchange` raises instead of the SDK's exceptions."""
        return await self._transport.exchange(request_type, service_endpoint, payload, self.get_headers(noauth))


class AwaitableCollect(AwaitableSdk, Collect):  # type: ignore[misc]
    """The SDK's pushes and status reads."""


class IntaSend:
    """One owner's account at IntaSend (see `gateway.providers.base.Provider`).

    `http` is the pooled client of the whole daemon; who made it closes it. Deadlines are in seconds and hold for one exchange.
    Raises Invalid for keys that cannot stand in an HTTP header.
    """

    def __init__(
        self,
        account: ProviderAccount,
        http: aiohttp.ClientSession,
        *,
        push_deadline_s: float = PUSH_DEADLINE_S,
        read_deadline_s: float = READ_DEADLINE_S,
    ) -> None:
        for key in (account.publishable_key, account.secret_key.reveal()):
            if not _HEADER_VALUE.fullmatch(key):
                raise Invalid("IntaSend keys are printable ASCII without spaces")
        base_url = account.base_url or get_service_url("", account.environment is Environment.SANDBOX)
        base_url = base_url.rstrip("/") + "/"
        self._challenge = account.webhook_challenge
        self._pushing = AwaitableCollect(Transport(http, base_url, push_deadline_s, _push_lost), account)
        self._reading = AwaitableCollect(Transport(http, base_url, read_deadline_s, _read_lost), account)

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
            raise _read_lost("an answer about another invoice or none")
        return report

    async def find(self, api_ref: str) -> InvoiceReport | None:
        """See `Provider.find`. Reads at most `FIND_PAGES_MAX` pages.

        What these do not hold is not there if the list is at its end, or is plainly sorted newest first; otherwise nothing is
        known, and ProviderUnreachable says so.
        """
        entries: list[dict[str, Any]] = []
        page_number: int | None = 1
        for _ in range(FIND_PAGES_MAX):
            page = await self._page(api_ref, page_number)
            entries += page.entries
            page_number = page.next_number
            if page_number is None:
                break
        found = pick(entries, api_ref)
        if found is None and not page.is_last and not newest_first(entries):
            raise _read_lost("a list of invoices that is too long to search")
        return found

    def read_webhook(self, body: bytes) -> WebhookHint | None:
        """See `Provider.read_webhook`; never raises.

        An event about something else than an invoice (send-money) has a hint without ids: it is genuine, and must be answered with
        200, or IntaSend deactivates the webhook after 21 failures (facts, payments 4).
        """
        event = parse_object(body)
        if event is None or not self._is_challenge(event.get("challenge")):
            return None
        invoice = invoice_of(event)
        return WebhookHint(invoice_id=as_text(invoice.get("invoice_id")), api_ref=as_text(invoice.get("api_ref")))

    def _is_challenge(self, text: Any) -> bool:
        """Whether it is ours. There is no signature to check, this is all that a webhook proves (facts, payments 0.4)."""
        ours = self._challenge.reveal() if self._challenge else ""
        return bool(ours) and isinstance(text, str) and hmac.compare_digest(text.encode(), ours.encode())

    async def _page(self, api_ref: str, number: int | None) -> "_Page":
        query = urlencode({"api_ref": api_ref, "page": number, "page_size": FIND_PAGE_SIZE})
        answer = await self._reading.send_request("GET", f"invoices/?{query}", None)
        results = answer.get("results")
        if not isinstance(results, list):
            raise _read_lost("a list of invoices without results")
        following = answer.get("next")
        return _Page([entry for entry in results if isinstance(entry, dict)], _page_number(following), is_last=following is None)


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of the list of invoices; `next_number` is None where the list cannot be followed further."""

    entries: list[dict[str, Any]]
    next_number: int | None
    is_last: bool


def contradiction(account: ProviderAccount) -> str | None:
    """What is wrong with an account's keys as a sentence without the keys; None when nothing contradicts.

    IntaSend's prefixes say kind and world: `ISPubKey_test_`, `ISSecretKey_live_` (facts, payments 1). A key without such a prefix
    contradicts nothing; IntaSend will judge it.
    """
    fields = {"publishable": account.publishable_key, "secret": account.secret_key.reveal()}
    for field, key in fields.items():
        match = _KEY.fullmatch(key)
        if match and _KINDS[match[1]] != field:
            return f"the {field} key is a {_KINDS[match[1]]} key ({match[1]}_...)"
        if match and _WORLDS[match[2]] is not account.environment:
            return (
                f"the {field} key is of IntaSend's {_WORLDS[match[2]].value} world, the environment is {account.environment.value}"
            )
    return None


def _page_number(following: Any) -> int | None:
    """The page that `next` names. Only the number is taken from it: the host stays ours, whatever the answer says."""
    try:
        text = parse_qs(urlsplit(following).query)["page"][0]
        return int(text) if text.isascii() and text.isdigit() else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def _push_lost(what: str) -> GatewayError:
    return PushOutcomeUnknown(f"IntaSend's answer to the push was lost ({what}); a prompt may be on the phone")


def _read_lost(what: str) -> GatewayError:
    return ProviderUnreachable(f"IntaSend gave no usable answer ({what})")
