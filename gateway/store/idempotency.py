"""Idempotency keys in the database: what came with a key, which payment it became, and the answer."""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One request that carries an `Idempotency-Key`."""

    owner_id: int
    key: str
    path: str
    body_digest: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a key."""

    claim: Claim
    payment_id: str
    status: int | None
    """Of the answer; None as long as the daemon has not given it, or died before."""
    answer: str | None


def find(tx: sqlite3.Connection, claim: Claim, kept_after_s: float) -> Kept | None:
    """What is known of the key of that request, if it came after that moment."""
    row = tx.execute(
        "SELECT path, body_digest, payment_id, status, answer FROM idempotency WHERE owner_id = ? AND key = ? AND created_at_s > ?",
        (claim.owner_id, claim.key, kept_after_s),
    ).fetchone()
    if row is None:
        return None
    return Kept(Claim(claim.owner_id, claim.key, row["path"], row["body_digest"]), row["payment_id"], row["status"], row["answer"])


def claim(tx: sqlite3.Connection, wanted: Claim, payment_id: str, at_s: float) -> None:
    """The key stands for that payment from now on: written in the transaction that records it."""
    tx.execute(
        "INSERT OR REPLACE INTO idempotency (owner_id, key, path, body_digest, payment_id, created_at_s) VALUES (?, ?, ?, ?, ?, ?)",
        (wanted.owner_id, wanted.key, wanted.path, wanted.body_digest, payment_id, at_s),
    )


def keep(tx: sqlite3.Connection, wanted: Claim, status: int, answer: str) -> None:
    """Keep the answer that was given; does nothing for a key that stands for no payment."""
    tx.execute(
        "UPDATE idempotency SET status = ?, answer = ? WHERE owner_id = ? AND key = ?",
        (status, answer, wanted.owner_id, wanted.key),
    )


def release(tx: sqlite3.Connection, wanted: Claim) -> None:
    """Let the key be used again: what it stood for came to nothing, and may be tried once more."""
    tx.execute("DELETE FROM idempotency WHERE owner_id = ? AND key = ?", (wanted.owner_id, wanted.key))


def prune(tx: sqlite3.Connection, until_s: float) -> None:
    """Forget what came up to that moment."""
    tx.execute("DELETE FROM idempotency WHERE created_at_s <= ?", (until_s,))
