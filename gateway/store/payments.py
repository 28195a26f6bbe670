"""Payments in the database. Every change goes through `change`, which writes the event of it in the same transaction."""

import sqlite3
from dataclasses import fields, replace
from typing import Any

from gateway.errors import NotFound
from gateway.identity import Duration, IpAddress, MacAddress, Money, PhoneNumber
from gateway.payments import Payment, PaymentEvent, PaymentState, advance
from gateway.store import events
from gateway.store.table import Row, Table

_PAYMENTS = Table(
    "payment",
    "id owner_id router_id package_id phone amount_cents currency duration_s method provider api_ref mac ip created_at_s "
    "updated_at_s state provider_payment_id invoice_id provider_state receipt failed_code failed_reason pushed_at_s paid_at_s "
    "version",
)
_SELECT = _PAYMENTS.select


def insert(tx: sqlite3.Connection, payment: Payment) -> None:
    """Record a new payment."""
    _tell(tx, payment, "payment.recorded", {"set": _PAYMENTS.insert(tx, _row(payment))})


def change(
    tx: sqlite3.Connection,
    payment: Payment,
    event: PaymentEvent,
    at_s: float,
    data: dict[str, Any] | None = None,
    **facts: Any,
) -> Payment:
    """Let an event happen to a payment: advance its state, note the new facts, write both and the event.

    Raises IllegalTransition, and Conflict when somebody else changed the payment since it was read.
    """
    after = replace(payment, state=advance(payment.state, event), updated_at_s=at_s, version=payment.version + 1, **facts)
    changed = _PAYMENTS.update(tx, _row(payment), _row(after))
    _tell(tx, after, f"payment.{event.value}", {"set": changed, **(data or {})})
    return after


def meet(
    tx: sqlite3.Connection,
    payment_id: str,
    event: PaymentEvent,
    at_s: float,
    data: dict[str, Any] | None = None,
    **facts: Any,
) -> Payment:
    """`change` for a payment that is known by its id: it meets the event in whatever state it is by now."""
    return change(tx, get(tx, payment_id), event, at_s, data, **facts)


def get(tx: sqlite3.Connection, payment_id: str) -> Payment:
    """The payment. Raises NotFound."""
    return _one(tx, "id = ?", payment_id)


def owned(tx: sqlite3.Connection, payment_id: str, owner_id: int) -> Payment:
    """The payment if it is that owner's. Raises NotFound, with the specification's sentence, in both other cases."""
    return _one(tx, "id = ? AND owner_id = ?", payment_id, owner_id)


def hinted(tx: sqlite3.Connection, owner_id: int, *, api_ref: str | None, invoice_id: str | None) -> Payment | None:
    """The payment that a webhook speaks of, by our own reference before the provider's."""
    for column, value in (("api_ref", api_ref), ("invoice_id", invoice_id)):
        if value:
            row = tx.execute(f"{_SELECT} WHERE owner_id = ? AND {column} = ?", (owner_id, value)).fetchone()
            if row:
                return _payment(row)
    return None


def invoice_is_taken(tx: sqlite3.Connection, invoice_id: str, payment: Payment) -> bool:
    """Whether another payment has that invoice already: a provider that answers so cannot be believed."""
    found = tx.execute(
        "SELECT 1 FROM payment WHERE provider = ? AND invoice_id = ? AND id <> ?", (payment.provider, invoice_id, payment.id)
    )
    return found.fetchone() is not None


def open_for_phone(tx: sqlite3.Connection, phone: PhoneNumber, pushed_after_s: float) -> Payment | None:
    """The newest payment whose prompt is or may be on that phone, if it was pushed after that moment."""
    row = tx.execute(
        f"{_SELECT} WHERE phone = ? AND state IN ('pushing', 'pushed', 'unknown') AND pushed_at_s > ? ORDER BY created_at_s DESC",
        (phone.e164, pushed_after_s),
    ).fetchone()
    return _payment(row) if row else None


def in_state(tx: sqlite3.Connection, state: PaymentState) -> list[Payment]:
    """Every payment in one state, oldest first."""
    return [_payment(row) for row in tx.execute(f"{_SELECT} WHERE state = ? ORDER BY created_at_s", (state.value,))]


def listened_for(tx: sqlite3.Connection, pushed_after_s: float) -> list[Payment]:
    """Every payment of which the provider may still have something to say: undecided, or pushed after that moment and not paid."""
    rows = tx.execute(
        # Two selections, not one with OR: each has its index, while OR would read every payment ever made.
        f"{_SELECT} WHERE state IN ('pushing', 'pushed', 'unknown') UNION ALL "
        f"{_SELECT} WHERE state IN ('refused', 'failed', 'lapsed') AND pushed_at_s > ? ORDER BY created_at_s",
        (pushed_after_s,),
    )
    return [_payment(row) for row in rows]


def _one(tx: sqlite3.Connection, where: str, *values: Any) -> Payment:
    row = tx.execute(f"{_SELECT} WHERE {where}", values).fetchone()
    if row is None:
        raise NotFound("Payment not found or access denied")
    return _payment(row)


def _tell(tx: sqlite3.Connection, payment: Payment, kind: str, data: dict[str, Any]) -> None:
    events.append(
        tx,
        kind,
        payment.updated_at_s,
        owner_id=payment.owner_id,
        payment_id=payment.id,
        router_id=payment.router_id,
        data=data,
    )


def _row(payment: Payment) -> Row:
    return {field.name: getattr(payment, field.name) for field in fields(payment)} | {
        "phone": payment.phone.e164,
        "amount_cents": payment.amount.cents,
        "currency": payment.amount.currency,
        "duration_s": payment.duration.seconds,
        "mac": str(payment.mac) if payment.mac else None,
        "ip": str(payment.ip) if payment.ip else None,
        "state": payment.state.value,
    }


def _payment(row: sqlite3.Row) -> Payment:
    facts = dict(row)
    mac, ip = facts.pop("mac"), facts.pop("ip")
    return Payment(
        phone=PhoneNumber(facts.pop("phone")),
        amount=Money(facts.pop("amount_cents"), facts.pop("currency")),
        duration=Duration(facts.pop("duration_s")),
        mac=MacAddress(mac) if mac else None,
        ip=IpAddress(ip) if ip else None,
        state=PaymentState(facts.pop("state")),
        **facts,
    )
