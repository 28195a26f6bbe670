"""Payment links in the database: which are to be closed, which are still watched, and money that came twice.

A link is a payment's: what it is made of stands in the payment's row.
"""

import secrets
import sqlite3

from gateway.payments import LINK_LIFE_S, Payment
from gateway.providers.base import InvoiceReport
from gateway.store import events
from gateway.store import payments as payment_rows

CLAIM_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without 0, 1, I, L and O: people read a code aloud and copy it by hand."""

CLAIM_LENGTH = 8
"""Characters of a code: with 31 letters nearly 10^12 of them, so that guessing one is hopeless where guesses are limited."""


def to_close(tx: sqlite3.Connection, made_after_s: float) -> list[Payment]:
    """Every link that is paid, disputed or over and still open at the provider, if it was made after that moment."""
    decided = "state NOT IN ('new', 'pushing', 'pushed', 'unknown')"
    return payment_rows.several(tx, f"link_open = 1 AND created_at_s > ? AND {decided}", made_after_s)


def closed(tx: sqlite3.Connection, payment_id: str, at_s: float) -> Payment:
    """Note that nobody can pay through the link of this payment any more."""
    return payment_rows.note(tx, payment_rows.get(tx, payment_id), "link_closed", at_s, link_open=False)


def listened_for(tx: sqlite3.Connection, after_s: float) -> list[str]:
    """The payment of every decided link through which money may still come: over, or paid, since that moment."""
    links = "SELECT id FROM payment WHERE kind = 'link' AND"
    over = f"{links} state IN ('refused', 'failed', 'lapsed') AND pushed_at_s > ? ORDER BY created_at_s"
    paid = f"{links} paid_at_s > ? ORDER BY created_at_s"
    rows = [*tx.execute(over, (after_s - LINK_LIFE_S,)), *tx.execute(paid, (after_s,))]
    return list(dict.fromkeys(row["id"] for row in rows))


def keep_surplus(tx: sqlite3.Connection, payment: Payment, report: InvoiceReport, at_s: float) -> bool:
    """Record money that nobody asked for, once per invoice; whether it is news."""
    row = {
        "invoice_id": report.invoice_id,
        "payment_id": payment.id,
        "owner_id": payment.owner_id,
        "value": None if report.value is None else str(report.value),
        "currency": report.currency,
        "receipt": report.receipt,
        "at_s": at_s,
    }
    added = tx.execute(
        "INSERT INTO surplus (invoice_id, payment_id, owner_id, value, currency, receipt, at_s) "
        "VALUES (:invoice_id, :payment_id, :owner_id, :value, :currency, :receipt, :at_s) ON CONFLICT (invoice_id) DO NOTHING",
        row,
    )
    if added.rowcount != 1:
        return False
    events.append(
        tx,
        "surplus.recorded",
        at_s,
        owner_id=payment.owner_id,
        payment_id=payment.id,
        router_id=payment.router_id,
        data={"set": row, "report": report.raw},
    )
    return True


def surplus_of(tx: sqlite3.Connection, payment_id: str) -> list[str]:
    """The invoices that paid a payment once more, to be refunded, oldest first."""
    rows = tx.execute("SELECT invoice_id FROM surplus WHERE payment_id = ? ORDER BY at_s", (payment_id,))
    return [row["invoice_id"] for row in rows]


def new_claim_code(tx: sqlite3.Connection) -> str:
    """A code that no grant has."""
    while True:
        code = "".join(secrets.choice(CLAIM_ALPHABET) for _ in range(CLAIM_LENGTH))
        if tx.execute("SELECT 1 FROM access_grant WHERE claim_code = ?", (code,)).fetchone() is None:
            return code
