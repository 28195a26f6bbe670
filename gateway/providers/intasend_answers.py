"""IntaSend's documents in our words: states, money, receipts, refusals; and what of them may be kept.

Pure: bytes and dictionaries in, our types out; no network. Nothing here trusts a JSON type: IntaSend changes them between
endpoints and years (facts, payments 0.9 and 1.2), so a field of the wrong type reads as absent and never raises.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from gateway.identity import PhoneNumber
from gateway.numbering import parse_phone
from gateway.providers.base import InvoiceReport, Reported

WORDS = {
    "PENDING": Reported.WAITING,
    "PROCESSING": Reported.WAITING,
    "RETRY": Reported.WAITING,
    "IN-PROGRESS": Reported.WAITING,
    "NEW": Reported.WAITING,
    "COMPLETE": Reported.PAID,
    "COMPLETED": Reported.PAID,
    "FAILED": Reported.FAILED,
    "CANCELLED": Reported.FAILED,
    "REVERSED": Reported.FAILED,
}
"""Every state of an invoice that is documented or was seen (facts, payments 2); any other word is UNRECOGNISED."""

BARE_ARRAY = "[]"
"""Under which name an array stands that came without an object around it; no field of IntaSend's is called that."""

TEXT_MAX = 500
"""Characters kept of one field: M-Pesa's longest result text has under 200; what is longer is no field but a page."""
SENTENCE_MAX = 200
"""Characters of a refusal that are shown to a person on a phone."""
DEPTH_MAX = 8
"""Levels kept of a document: the deepest known one, a chargeback with its transaction's invoice, has four."""

_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?(?:E[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
_RECEIPT = re.compile(r"[A-Z0-9]{6,20}", re.ASCII)
_WITHHELD_FIELD = re.compile(
    r"key|token|challenge|signature|secret|password|authorization|qrcode|name|email|address|zipcode|comment", re.IGNORECASE
)
_PHONE_FIELD = re.compile(r"account|.*phone.*|.*msisdn.*", re.IGNORECASE)
_KEY_IN_TEXT = re.compile(r"IS(?:Pub|Secret)Key_[\w-]+", re.ASCII)
_PHONE_IN_TEXT = re.compile(r"(?<![0-9A-Za-z])\+?(?:254|0)[17]\d{8}(?![0-9A-Za-z])", re.ASCII)
_SHORTEST_SECRET = 10  # characters of `0712345678` and of `ISPubKey_x`; most values are shorter
_NAMES_REMEMBERED = 256  # IntaSend's documents have some sixty fields; each is looked at in every entry of every list


def parse_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, numbers with a point as Decimal; None for anything else. Never raises."""
    document = _parsed(body)
    return document if isinstance(document, dict) else None


def parse_answer(body: bytes) -> dict[str, Any] | None:
    """`parse_object` for an answer; a bare array, which some lists were in 2022 (facts, payments 1.6), comes as `BARE_ARRAY`."""
    document = _parsed(body)
    return {BARE_ARRAY: document} if isinstance(document, list) else document if isinstance(document, dict) else None


def _parsed(body: bytes) -> Any:
    try:
        return _DECODER.decode(body)
    except (ValueError, RecursionError):  # malformed JSON or UTF-8; brackets nested by the thousand
        return None


def invoice_of(document: dict[str, Any]) -> dict[str, Any]:
    """The invoice in an answer: pushes and status answers nest it, lists and webhooks are flat (facts, payments 1 and 4)."""
    nested = document.get("invoice")
    return nested if isinstance(nested, dict) else document


def invoice_report(document: dict[str, Any]) -> InvoiceReport | None:
    """What an answer says about an invoice; None when it names no invoice, which is never a success (facts, payments 0.3)."""
    invoice = invoice_of(document)
    invoice_id = as_text(invoice.get("invoice_id"))
    if invoice_id is None:
        return None
    word = as_text(invoice.get("state")) or ""
    currency = as_text(invoice.get("currency"))
    return InvoiceReport(
        invoice_id=invoice_id,
        reported=WORDS.get(word.upper(), Reported.UNRECOGNISED),
        word=word,
        api_ref=as_text(invoice.get("api_ref")),
        value=as_amount(invoice.get("value")),
        currency=currency.upper() if currency else None,
        payment_id=_payment_id(document),
        receipt=_receipt(invoice),
        failed_code=as_text(invoice.get("failed_code")),
        failed_reason=as_text(invoice.get("failed_reason")),
        raw=redact(document),
        payer=_payer(invoice),
        created_at_s=created_at_s(invoice),
    )


def pick(entries: Iterable[dict[str, Any]], api_ref: str) -> InvoiceReport | None:
    """The entry of a list that has exactly this reference: the paid one if there is one, else the newest.

    The server may ignore its filter and list everybody's invoices (facts, payments 1.9), so each entry is compared here.
    """
    ours = [entry for entry in entries if as_text(invoice_of(entry).get("api_ref")) == api_ref]
    ours.sort(key=created_at, reverse=True)
    reports = [report for entry in ours if (report := invoice_report(entry))]
    return max(reports, key=lambda report: report.reported is Reported.PAID, default=None)


def newest_first(entries: list[dict[str, Any]]) -> bool:
    """Whether a list can be seen to begin with the newest invoice: only then does its head answer for its tail."""
    times = [created_at(entry) for entry in entries]
    return bool(times) and all(times) and times == sorted(times, reverse=True)


def as_text(value: Any) -> str | None:
    """A name, id or code as text, at most `TEXT_MAX` characters; None when it is empty or neither text nor integer."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip()[:TEXT_MAX] or None


def as_amount(value: Any) -> Decimal | None:
    """Money as a number or as text, exactly; None for what is no plain number, which then differs from every price."""
    text = str(value).strip() if isinstance(value, str | int | Decimal) else ""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def refusal(document: dict[str, Any] | None) -> str | None:
    """The reason in an error body, as one short sentence for people; None when it gives none.

    Shapes: `{"errors": [{"detail", "attr"}]}` as IntaSend documents, `{"detail"}` and `{"details"}` as it used to, and Django's
    plain `{"field": ["sentence"]}` (facts, payments 3).
    """
    if document is None:
        return None
    listed = document.get("errors")
    reasons = [_reason(item) for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    reasons += [as_text(document.get(name)) for name in ("detail", "details", "message", "error")]
    reasons += [_field_reason(name, value) for name, value in document.items() if name != "errors"]
    told = [reason for reason in reasons if reason]
    return scrub("; ".join(told[:3]))[:SENTENCE_MAX] if told else None


def redact(document: dict[str, Any], levels: int = DEPTH_MAX) -> dict[str, Any]:
    """A copy for the event log, plain JSON: no key, token, challenge or signature, no customer's name, phone numbers masked.

    Amounts become text, so that any JSON writer can store them exactly. Fields are dropped by their names; keys and phone
    numbers that stand inside a sentence are masked there too.
    """
    return {label: _redacted(name, value, levels - 1) for name, value in document.items() if (label := _label(name)) is not None}


def scrub(text: str) -> str:
    """The text with IntaSend keys and Kenyan mobile numbers masked."""
    if len(text) < _SHORTEST_SECRET:
        return text
    return _PHONE_IN_TEXT.sub(lambda match: _masked(match[0]), _KEY_IN_TEXT.sub("***", text))


@lru_cache(maxsize=_NAMES_REMEMBERED)
def _label(name: str) -> str | None:
    """How a field is kept: under its name, without what is secret in it; None for one that is withheld."""
    return None if _WITHHELD_FIELD.search(name) else scrub(name)[:TEXT_MAX]


@lru_cache(maxsize=_NAMES_REMEMBERED)
def _holds_phone(name: str) -> bool:
    return _PHONE_FIELD.fullmatch(name) is not None


def _redacted(name: str, value: Any, levels: int) -> Any:
    if isinstance(value, dict | list) and levels <= 0:
        return "…"
    if isinstance(value, dict):
        return redact(value, levels)
    if isinstance(value, list):
        return [_redacted(name, item, levels - 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    text = _masked(str(value)) if _holds_phone(name) else scrub(str(value))
    return value if isinstance(value, int) and text == str(value) else text[:TEXT_MAX]


def _masked(text: str) -> str:
    """`2547•••••678`; an account that is no phone number shows nothing: with cards it is an e-mail address."""
    digits = text.strip().lstrip("+")
    if not digits.isdigit() or len(digits) < 9:  # noqa: PLR2004 - shorter than any subscriber number
        return "•••"
    return f"{digits[:4]}{'•' * (len(digits) - 7)}{digits[-3:]}"


def _payment_id(document: dict[str, Any]) -> str | None:
    """The UUID beside the invoice: `id` of a push's answer, `meta.id` of a status answer; a flat invoice has none."""
    meta = document.get("meta")
    if isinstance(meta, dict):
        return as_text(meta.get("id"))
    return None if invoice_of(document) is document else as_text(document.get("id"))


def _receipt(invoice: dict[str, Any]) -> str | None:
    """The M-Pesa receipt; `provider_ref` counts only if it is shaped like one, as it may hold Safaricom's request id before."""
    receipt = as_text(invoice.get("mpesa_reference"))
    reference = as_text(invoice.get("provider_ref")) or ""
    return receipt or (reference if _RECEIPT.fullmatch(reference) else None)


def created_at(entry: dict[str, Any]) -> str:
    """IntaSend's times are ISO 8601 and all in +03:00 (facts, payments 1.2): as text they sort as they follow."""
    return as_text(invoice_of(entry).get("created_at")) or ""


def created_at_s(entry: dict[str, Any]) -> float | None:
    """The same in seconds since 1970; None for what is no moment, or does not say in which zone."""
    try:
        moment = datetime.fromisoformat(created_at(entry))
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()


def _payer(invoice: dict[str, Any]) -> PhoneNumber | None:
    try:
        return parse_phone(as_text(invoice.get("account")) or "")
    except ValueError:  # paid by card, or from abroad
        return None


def _reason(error: dict[str, Any]) -> str | None:
    detail, field = as_text(error.get("detail")), as_text(error.get("attr"))
    return f"{field}: {detail}" if detail and field else detail


def _field_reason(name: str, value: Any) -> str | None:
    sentence = as_text(value[0]) if isinstance(value, list) and value else None
    return f"{name}: {sentence}" if sentence else None


def _exact(digits: str) -> Decimal | None:
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent beyond what even Decimal holds
        return None


_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_exact)
