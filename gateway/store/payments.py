"""Payments in the database. Every change goes through `change`, which writes the event of it in the same transaction."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from gateway.errors import NotFound
from gateway.identity import Duration, IpAddress, MacAddress, Money, PhoneNumber
from gateway.payments import INTASEND, Payment, PaymentEvent, PaymentKind, PaymentState, advance, shown_as
from gateway.store import events
from gateway.store.pages import Arm, Conditions, Page, Span, read_page
from gateway.store.table import Row, Table

_PAYMENTS = Table(
    "payment",
    "id owner_id router_id package_id phone amount_cents currency duration_s method provider api_ref mac ip created_at_s "
    "updated_at_s state provider_payment_id invoice_id provider_state receipt failed_code failed_reason pushed_at_s paid_at_s "
    "credential_id version kind link_id link_url link_open asked_from",
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
    after = replace(payment, state=advance(payment.state, event), updated_at_s=at_s, **facts)
    return _write(tx, payment, after, event.value, data)


def note(tx: sqlite3.Connection, payment: Payment, what: str, at_s: float, **facts: Any) -> Payment:
    """Note new facts about a payment whose state stays the same; `what` names the event. Raises Conflict like `change`."""
    return _write(tx, payment, replace(payment, updated_at_s=at_s, **facts), what)


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


def several(tx: sqlite3.Connection, where: str, *values: Any) -> list[Payment]:
    """The payments that meet a condition, which is a constant of the caller, oldest first."""
    return [_payment(row) for row in tx.execute(f"{_SELECT} WHERE {where} ORDER BY created_at_s", values)]


def open_for_phone(tx: sqlite3.Connection, phone: PhoneNumber, pushed_after_s: float) -> Payment | None:
    """The newest payment whose prompt is or may be on that phone, if it was pushed after that moment."""
    row = tx.execute(
        f"{_SELECT} WHERE phone = ? AND state IN ('pushing', 'pushed', 'unknown') AND kind = 'push' AND pushed_at_s > ? "
        "ORDER BY created_at_s DESC",
        (phone.e164, pushed_after_s),
    ).fetchone()
    return _payment(row) if row else None


def open_on_router(tx: sqlite3.Connection, router_id: int, pushed_after_s: float) -> list[Payment]:
    """The payments at one router whose prompt is or may be on a phone, if they were pushed after that moment, oldest first."""
    where = "state IN ('pushing', 'pushed', 'unknown') AND kind = 'push' AND router_id = ? AND pushed_at_s > ?"
    return several(tx, where, router_id, pushed_after_s)


def of_device(tx: sqlite3.Connection, router_id: int, mac: MacAddress, after_s: float) -> list[Payment]:
    """What a device asked for on one router since that moment, newest first."""
    rows = tx.execute(
        f"{_SELECT} INDEXED BY payment_of_mac WHERE mac = ? AND created_at_s > ? AND router_id = ? ORDER BY created_at_s DESC",
        (mac.text, after_s, router_id),
    )
    return [_payment(row) for row in rows]


def with_receipt(tx: sqlite3.Connection, owner_id: int, receipts: Iterable[str]) -> Payment | None:
    """The owner's newest payment with the first of these M-Pesa receipts that any has."""
    for receipt in receipts:
        row = tx.execute(
            f"{_SELECT} INDEXED BY payment_receipt WHERE receipt = ? AND owner_id = ? ORDER BY created_at_s DESC",
            (receipt, owner_id),
        ).fetchone()
        if row:
            return _payment(row)
    return None


def doubtful(tx: sqlite3.Connection, owner_id: int, phone: PhoneNumber, after_s: float, limit: int) -> list[Payment]:
    """The newest payments of a phone of which the provider may know more than we do: not paid, or paid and no receipt known."""
    rows = tx.execute(
        f"{_SELECT} INDEXED BY payment_of_phone WHERE phone = ? AND created_at_s > ? AND owner_id = ? "
        "AND pushed_at_s IS NOT NULL AND state <> 'disputed' AND NOT (state = 'paid' AND receipt IS NOT NULL) "
        "ORDER BY created_at_s DESC LIMIT ?",
        (phone.e164, after_s, owner_id, limit),
    )
    return [_payment(row) for row in rows]


def in_state(tx: sqlite3.Connection, state: PaymentState) -> list[Payment]:
    """Every payment in one state, oldest first."""
    return several(tx, "state = ?", state.value)


def listened_for(tx: sqlite3.Connection, pushed_after_s: float) -> list[str]:
    """The id of every payment of which the provider may still have something to say, oldest first.

    Those are the undecided ones, and those that were pushed after that moment and are not paid.

    Links that are decided have a longer story: see `gateway.store.links`.
    """
    rows = tx.execute(
        # Two selections, not one with OR: each has its index, while OR would read every payment ever made.
        "SELECT id, created_at_s FROM payment WHERE state IN ('pushing', 'pushed', 'unknown') UNION ALL "
        "SELECT id, created_at_s FROM payment WHERE state IN ('refused', 'failed', 'lapsed') AND kind = 'push' AND pushed_at_s > ? "
        "ORDER BY created_at_s",
        (pushed_after_s,),
    )
    return [row["id"] for row in rows]


def shift(tx: sqlite3.Connection, since_s: float, listened_after_s: float, step_s: float, at_s: float) -> int:
    """Let every payment that somebody may still ask about, and was stamped after a moment, follow a step of the clock; how many."""
    alive = several(
        tx,
        "id IN (SELECT id FROM payment WHERE state IN ('pushing', 'pushed', 'unknown') UNION ALL "
        "SELECT id FROM payment WHERE state IN ('refused', 'failed', 'lapsed') AND pushed_at_s > ? UNION ALL "
        "SELECT payment_id FROM access_grant WHERE state IN ('owed', 'unclaimed', 'active', 'ending')) "
        "AND max(created_at_s, ifnull(paid_at_s, 0)) > ?",
        listened_after_s,
        since_s,
    )
    for payment in alive:
        stamps = {name: getattr(payment, name) for name in ("created_at_s", "pushed_at_s", "paid_at_s")}
        note(tx, payment, "moved", at_s, **{name: s + step_s for name, s in stamps.items() if s is not None and s > since_s})
    return len(alive)


def _write(tx: sqlite3.Connection, before: Payment, after: Payment, what: str, data: dict[str, Any] | None = None) -> Payment:
    after = replace(after, version=before.version + 1)
    changed = _PAYMENTS.update(tx, _row(before), _row(after))
    _tell(tx, after, f"payment.{what}", {"set": changed, **(data or {})})
    return after


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments of an owner; None asks for all."""

    status: str | None = None
    """One of the specification's four words."""
    phone: PhoneNumber | None = None
    router_id: int | None = None
    reference: str | None = None
    """Ours, the provider's invoice or link, or M-Pesa's receipt."""

    @property
    def index(self) -> str:
        """The index of the narrowest filter; the other filters look at what it finds."""
        if self.phone is not None:
            return "payment_of_phone"
        if self.status is not None:
            return "payment_newest_by_state"
        return "payment_newest" if self.router_id is None else "payment_newest_by_router"


def page(tx: sqlite3.Connection, owner_id: int, wanted: PaymentFilter, span: Span) -> Page[Payment]:
    """The owner's payments, newest first."""
    return read_page(tx, _PAYMENTS, _arms(tx, owner_id, wanted), span, _payment)


def _arms(tx: sqlite3.Connection, owner_id: int, wanted: PaymentFilter) -> list[Arm]:
    narrowed = [(("owner_id = ?", owner_id), *_simple_conditions(wanted), *shown) for shown in _status_conditions(wanted.status)]
    if wanted.reference is None:
        return [Arm(wanted.index, conditions) for conditions in narrowed]
    found = _referenced(tx, wanted.reference)
    return [Arm(None, (("id = ?", payment_id), *conditions)) for payment_id in found for conditions in narrowed]


def _simple_conditions(wanted: PaymentFilter) -> Conditions:
    asked = {"phone": wanted.phone.e164 if wanted.phone else None, "router_id": wanted.router_id}
    return tuple((f"{column} = ?", value) for column, value in asked.items() if value is not None)


def _status_conditions(status: str | None) -> list[Conditions]:
    """One for each state that has this word on the wire: each is in order in the index, all of them together are not."""
    if status is None:
        return [()]
    return [
        (("state = ?", state.value),) if kind is None else (("state = ?", state.value), ("kind = ?", kind.value))
        for state, kind in shown_as(status)
    ]


def _referenced(tx: sqlite3.Connection, reference: str) -> list[str]:
    """The ids of the payments that somebody knows by that reference."""
    rows = tx.execute(
        # One selection for each reference: each has its index, while OR would read every payment ever made.
        "SELECT id FROM payment WHERE api_ref = ?1 "
        "UNION SELECT id FROM payment WHERE provider = ?2 AND invoice_id = ?1 "
        "UNION SELECT id FROM payment INDEXED BY payment_receipt WHERE receipt = ?1 "
        "UNION SELECT id FROM payment INDEXED BY payment_of_link WHERE link_id = ?1",
        (reference, INTASEND),
    )
    return [row["id"] for row in rows]


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
        "kind": payment.kind.value,
    }


def _payment(row: sqlite3.Row) -> Payment:
    facts = _PAYMENTS.read(row)
    mac, ip = facts.pop("mac"), facts.pop("ip")
    return Payment(
        phone=PhoneNumber(facts.pop("phone")),
        amount=Money(facts.pop("amount_cents"), facts.pop("currency")),
        duration=Duration(facts.pop("duration_s")),
        mac=MacAddress(mac) if mac else None,
        ip=IpAddress(ip) if ip else None,
        state=PaymentState(facts.pop("state")),
        kind=PaymentKind(facts.pop("kind")),
        link_open=bool(facts.pop("link_open")),
        **facts,
    )
