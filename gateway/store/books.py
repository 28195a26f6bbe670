"""What comparing with the provider's books needs of the database: how far it has come, what is missing, what has no device."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.access import Grant, GrantEvent, GrantState
from gateway.payments import Payment, PaymentEvent
from gateway.providers.base import InvoiceReport
from gateway.store import access as grant_rows
from gateway.store import payments as payment_rows


def compared_until_s(tx: sqlite3.Connection, credential_id: int) -> float | None:
    """Up to which moment of the provider's clock that account was compared; None when it never was."""
    row = tx.execute("SELECT until_s FROM compared_account WHERE credential_id = ?", (credential_id,)).fetchone()
    return None if row is None else float(row["until_s"])


def note_compared(tx: sqlite3.Connection, credential_id: int, until_s: float) -> None:
    """Keep that the account was compared up to that moment; it never goes back."""
    tx.execute(
        "INSERT INTO compared_account (credential_id, until_s) VALUES (?, ?) "
        "ON CONFLICT (credential_id) DO UPDATE SET until_s = max(until_s, excluded.until_s)",
        (credential_id, until_s),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """An invoice, and the payment of ours that it is about, if the database has one."""

    report: InvoiceReport
    payment: Payment | None


def entries(tx: sqlite3.Connection, owner_id: int, reports: Iterable[InvoiceReport]) -> list[Entry]:
    """Each of the provider's invoices beside the owner's payment; without those of others who sell with the same keys."""
    found = [Entry(report, _payment_of(tx, owner_id, report)) for report in reports]
    return [entry for entry in found if entry.payment is None or entry.payment.owner_id == owner_id]


def _payment_of(tx: sqlite3.Connection, owner_id: int, report: InvoiceReport) -> Payment | None:
    own = payment_rows.hinted(tx, owner_id, api_ref=report.api_ref, invoice_id=report.invoice_id)
    return own or next(iter(payment_rows.several(tx, "api_ref = ?", report.api_ref)), None)


def known(tx: sqlite3.Connection, payment_id: str) -> Payment | None:
    """The payment with that id, whoever's it is, if the database has it."""
    return next(iter(payment_rows.several(tx, "id = ?", payment_id)), None)


def adopt(tx: sqlite3.Connection, payment: Payment, report: InvoiceReport, at_s: float, *, is_certain: bool) -> Payment:
    """Record a payment again that only the provider still knows, as far as its push: what came of it takes the ordinary path.

    `is_certain` says whether its package is known, not guessed. The payment as it stands, if somebody was quicker.
    """
    if (earlier := known(tx, payment.id)) is not None:
        return earlier
    payment_rows.insert(tx, payment)
    tx.execute(
        "INSERT INTO adopted_payment (payment_id, owner_id, at_s, is_certain) VALUES (?, ?, ?, ?)",
        (payment.id, payment.owner_id, at_s, is_certain),
    )
    pushed = payment_rows.change(tx, payment, PaymentEvent.PUSH, at_s, pushed_at_s=payment.created_at_s)
    data = {"adopted": True, "report": report.raw}
    return payment_rows.change(tx, pushed, PaymentEvent.ACCEPTED, at_s, data, **_of_its_push(tx, payment, report))


def _of_its_push(tx: sqlite3.Connection, payment: Payment, report: InvoiceReport) -> dict[str, Any]:
    """What the answer to a push had said. A link has no invoice before it is paid, and this one may be an attempt of many."""
    if payment.is_link or payment_rows.invoice_is_taken(tx, report.invoice_id, payment):
        return {}
    return {"invoice_id": report.invoice_id, "provider_payment_id": report.payment_id, "provider_state": report.word}


@dataclass(frozen=True, slots=True)
class Lost:
    """An adopted grant of which nobody knows on which device it runs, and the payment that bought it."""

    grant: Grant
    payment: Payment


def without_device(tx: sqlite3.Connection, owner_id: int) -> list[Lost]:
    """The owner's adopted grants that are owed to nobody known, in the order in which they were bought."""
    rows = tx.execute(
        "SELECT access_grant.id FROM adopted_payment JOIN access_grant USING (payment_id) "
        "WHERE adopted_payment.owner_id = ? AND mac IS NULL AND ip IS NULL AND state IN ('owed', 'unclaimed')",
        (owner_id,),
    )
    grants = [grant_rows.get(tx, row["id"]) for row in rows]
    found = [Lost(grant, payment_rows.get(tx, grant.payment_id)) for grant in grants]
    return sorted(found, key=lambda lost: (lost.payment.created_at_s, lost.payment.id))


def owed_since(tx: sqlite3.Connection, owner_id: int, since_s: float, paid_at_s: Mapping[str, float]) -> list[Lost]:
    """The owner's grants that are owed since a moment although they were paid for before; each with the moment of its payment."""
    rows = tx.execute(
        "SELECT payment_id FROM access_grant WHERE owner_id = ? AND state IN ('owed', 'unclaimed') AND created_at_s >= ?",
        (owner_id, since_s),
    )
    found = [payment_rows.get(tx, row["payment_id"]) for row in rows if paid_at_s.get(row["payment_id"], since_s) < since_s]
    paid = [replace(payment, created_at_s=paid_at_s[payment.id]) for payment in found]
    grants = [(grant_rows.of_payment(tx, payment.id), payment) for payment in sorted(paid, key=lambda one: one.created_at_s)]
    return [Lost(grant, payment) for grant, payment in grants if grant is not None]


def place(tx: sqlite3.Connection, grant: Grant, found: Grant, at_s: float) -> None:
    """Note on which device a grant runs, and in which window. Raises Conflict when somebody changed it meanwhile."""
    if grant.state is GrantState.ACTIVE and grant.mac == found.mac:
        note = grant_rows.move if grant.duration == found.duration else grant_rows.extend
        note(tx, grant, found, at_s)
        return
    if grant.state is GrantState.ACTIVE:
        grant = grant_rows.hand_over(tx, grant, replace(found, ip=None, starts_at_s=None, ends_at_s=None), at_s)
    _confirm(tx, grant, found, at_s)


def end(tx: sqlite3.Connection, lost: Lost, at_s: float) -> None:
    """Note that a grant which no router shows has run by now. Raises Conflict when somebody changed it meanwhile."""
    starts_at_s = lost.payment.created_at_s
    ran = replace(lost.grant, starts_at_s=starts_at_s, ends_at_s=starts_at_s + lost.grant.window_s)
    due = grant_rows.change(tx, _confirm(tx, lost.grant, ran, at_s), GrantEvent.DUE, at_s, ended_because="time")
    grant_rows.change(tx, due, GrantEvent.SHUT, at_s)


def _confirm(tx: sqlite3.Connection, grant: Grant, found: Grant, at_s: float) -> Grant:
    if grant.state is GrantState.UNCLAIMED:
        grant = grant_rows.change(tx, grant, GrantEvent.CLAIM, at_s)
    window = {"starts_at_s": found.starts_at_s, "ends_at_s": found.ends_at_s}
    return grant_rows.change(tx, grant, GrantEvent.CONFIRM, at_s, mac=found.mac, router_id=found.router_id, **window)
