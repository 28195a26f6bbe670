"""What the audit reads: stories to be replayed, a bite at a time, and how far it has come. Decides nothing.

A bite is small because one connection does all reading: a page that somebody waits for comes next, not after the whole database.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.access import Grant
from gateway.invariants import Story
from gateway.payments import Payment
from gateway.store import access as grant_rows
from gateway.store import payments as payment_rows

BITE = 50
"""Payments in one reading: a dozen events each, ten to twenty milliseconds on a small computer."""

_TOLD = "SELECT * FROM event WHERE payment_id = ? AND (kind LIKE 'payment.%' OR kind LIKE 'grant.%') ORDER BY seq"
"""What changed a payment or its grant. What the provider was asked meanwhile is most of what is told of it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the audit has come."""

    event_seq: int
    """The last event that was replayed."""
    payment_rowid: int
    """The last payment that was looked at again on the round through all of them."""


@dataclass(frozen=True, slots=True)
class News:
    """The next events: whom they are about, the number of the last one, and how many numbers are missing among them."""

    payment_ids: frozenset[str]
    last_seq: int
    missing: int


@dataclass(frozen=True, slots=True)
class Case:
    """One payment to be judged: as it is told, and as it stands."""

    story: Story
    payment: Payment
    grant: Grant | None


def progress(tx: sqlite3.Connection) -> Progress:
    """How far the last audit came."""
    row = tx.execute("SELECT event_seq, payment_rowid FROM audit_progress").fetchone()
    return Progress(row["event_seq"], row["payment_rowid"])


def note_progress(tx: sqlite3.Connection, reached: Progress) -> None:
    """Keep how far this audit came."""
    tx.execute("UPDATE audit_progress SET event_seq = ?, payment_rowid = ?", (reached.event_seq, reached.payment_rowid))


def news(tx: sqlite3.Connection, after_seq: int, limit: int) -> News:
    """The next events, at most `limit`."""
    rows = tx.execute("SELECT seq, payment_id FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit)).fetchall()
    last_seq = rows[-1]["seq"] if rows else after_seq
    about = frozenset(row["payment_id"] for row in rows if row["payment_id"] is not None)
    return News(about, last_seq, missing=last_seq - after_seq - len(rows))


def extent(tx: sqlite3.Connection) -> tuple[int, int]:
    """How many events there are, and the number of the last one."""
    row = tx.execute("SELECT count(*) AS count, ifnull(max(seq), 0) AS last_seq FROM event").fetchone()
    return row["count"], row["last_seq"]


def next_on_round(tx: sqlite3.Connection, after_rowid: int, limit: int) -> tuple[list[str], int]:
    """The next payments in the order of the table, and where to go on; nothing and 0 behind the last one."""
    rows = tx.execute("SELECT rowid, id FROM payment WHERE rowid > ? ORDER BY rowid LIMIT ?", (after_rowid, limit)).fetchall()
    return [row["id"] for row in rows], rows[-1]["rowid"] if rows else 0


def cases(tx: sqlite3.Connection, payment_ids: Iterable[str]) -> list[Case]:
    """Each of these payments with everything that was told of it; one that is not there any more is left out."""
    found = []
    for payment_id in payment_ids:
        payment = tx.execute("SELECT * FROM payment WHERE id = ?", (payment_id,)).fetchone()
        if payment is None:
            continue
        grant = tx.execute("SELECT * FROM access_grant WHERE payment_id = ?", (payment_id,)).fetchone()
        told = tx.execute(_TOLD, (payment_id,)).fetchall()
        story = Story(dict(payment), dict(grant) if grant else None, [dict(event) for event in told])
        found.append(Case(story, payment_rows.get(tx, payment_id), grant_rows.of_payment(tx, payment_id)))
    return found


def paid_with_one_receipt(tx: sqlite3.Connection) -> list[Payment]:
    """Every paid payment whose receipt another paid one has, too."""
    shared = (
        "SELECT receipt FROM payment INDEXED BY payment_receipt WHERE receipt IS NOT NULL AND state = 'paid' "
        "GROUP BY receipt HAVING count(*) > 1"
    )
    return payment_rows.several(tx, f"state = 'paid' AND receipt IN ({shared})")


def paid_without_receipt(tx: sqlite3.Connection, owner_id: int, from_s: float, to_s: float) -> list[Payment]:
    """The owner's payments made between two moments that are paid and have no receipt."""
    where = "owner_id = ? AND state = 'paid' AND created_at_s BETWEEN ? AND ? AND receipt IS NULL"
    return payment_rows.several(tx, where, owner_id, from_s, to_s)


def paid_with(tx: sqlite3.Connection, owner_id: int, credential_id: int, from_s: float, to_s: float) -> list[Payment]:
    """The owner's payments made between two moments with these keys that are paid, and whose money was not asked back."""
    where = (
        "owner_id = ? AND state = 'paid' AND created_at_s BETWEEN ? AND ? AND credential_id = ? AND NOT EXISTS "
        "(SELECT 1 FROM debt WHERE debt.payment_id = payment.id AND debt.requested_at_s IS NOT NULL)"
    )
    return payment_rows.several(tx, where, owner_id, from_s, to_s, credential_id)


def surplus_invoices(tx: sqlite3.Connection, owner_id: int) -> frozenset[str]:
    """The invoices of the owner that are known to be owed back."""
    rows = tx.execute("SELECT invoice_id FROM surplus WHERE owner_id = ?", (owner_id,))
    return frozenset(row["invoice_id"] for row in rows)
