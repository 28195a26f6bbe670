"""Invoices as the JSON that IntaSend answers and sends (facts, payments 1.2, 1.3 and 4).

Owns field names and JSON types, which differ by endpoint and by year. Pure.
"""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from gateway.simulators.intasend.invoices import CHARGE_RATE, UNDECIDED, Change, Invoice
from gateway.simulators.intasend.outcomes import FAILED_REASONS

Json = dict[str, Any]
Types = Literal["2023", "2026"]
"""Which year's JSON types answers have: in 2023 charges and value were strings, in 2026 the net amount is one."""

_NAIROBI = timezone(timedelta(hours=3))
_REMEMBERED = 4_096  # moments as text: each list says again when everything on it happened


@lru_cache(maxsize=_REMEMBERED)
def moment(wall_s: float) -> str:
    """ISO 8601 with microseconds and `+03:00`."""
    return datetime.fromtimestamp(wall_s, _NAIROBI).isoformat(timespec="microseconds")


def invoice_json(invoice: Invoice, change: Change, types: Types) -> Json:
    """The `invoice` object of an answer."""
    body = _facts(invoice, change)
    texts = ("net_amount",) if types == "2026" else ("charges", "value")
    for name in ("charges", "net_amount", "value"):
        body[name] = f"{body[name]:.2f}" if name in texts else float(body[name])
    return body


def push_json(invoice: Invoice, change: Change, types: Types) -> Json:
    """The answer to a push."""
    return {
        "id": invoice.payment_id,
        "invoice": invoice_json(invoice, change, types),
        "customer": _customer(invoice),
        "payment_link": None,
        "customer_comment": None,
        "refundable": False,
        **_times(invoice, change),
    }


def status_json(invoice: Invoice, change: Change, types: Types, link: Json | None) -> Json:
    """The answer to a question for the status."""
    meta = {"id": invoice.payment_id, "customer": _customer(invoice), "payment_link": link, "customer_comment": ""}
    return {"invoice": invoice_json(invoice, change, types), "meta": {**meta, **_times(invoice, change)}}


def webhook_json(invoice: Invoice, change: Change) -> Json:
    """The flat body of a collection webhook, without the challenge; money is strings."""
    body = _facts(invoice, change)
    body.update({name: f"{body[name]:.2f}" for name in ("charges", "net_amount", "value")})
    return body


def _facts(invoice: Invoice, change: Change) -> Json:
    """Every field of an invoice, money still as Decimal."""
    order, outcome, paid = invoice.order, invoice.outcome, change.state == "COMPLETE"
    told = None if change.state in UNDECIDED else outcome
    value = (told and told.value) or order.amount
    charges = (value * CHARGE_RATE).quantize(Decimal("0.01")) if paid else Decimal(0)
    return {
        "invoice_id": invoice.invoice_id,
        "state": change.state,
        "provider": "M-PESA",
        "charges": charges,
        "net_amount": value - charges,
        "currency": (told and told.currency) or order.currency,
        "value": value,
        "account": order.phone,
        "api_ref": (told and told.api_ref) or order.api_ref,
        "clearing_status": "AVAILABLE" if paid else None,
        "mpesa_reference": invoice.receipt if paid and told and told.receipt else None,
        "provider_ref": None,
        "host": invoice.host,
        "card_info": {"bin_country": None, "card_type": None},
        "retry_count": 0,
        "failed_reason": FAILED_REASONS[change.failed_code] if change.failed_code else None,
        "failed_code": change.failed_code,
        "failed_code_link": "https://intasend.com/troubleshooting" if change.failed_code else None,
        **_times(invoice, change),
    }


def _times(invoice: Invoice, change: Change) -> Json:
    return {"created_at": moment(invoice.created_wall_s), "updated_at": moment(invoice.wall_s(change.at_s))}


def _customer(invoice: Invoice) -> Json:
    created_at = moment(invoice.created_wall_s)
    return {
        "customer_id": invoice.customer_id,
        "phone_number": invoice.order.phone,
        "email": None,
        "first_name": None,
        "last_name": None,
        "country": None,
        "zipcode": None,
        "provider": "M-PESA",
        "created_at": created_at,
        "updated_at": created_at,
    }
