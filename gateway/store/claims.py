"""What claiming needs of the database: whose code that is, and how often somebody has tried."""

import sqlite3
from collections.abc import Iterable, Sequence

from gateway.access import Grant
from gateway.store import access as grant_rows


def grant_with_code(tx: sqlite3.Connection, owner_id: int, claim_code: str) -> Grant | None:
    """The owner's grant with that claim code."""
    row = tx.execute("SELECT id FROM access_grant WHERE claim_code = ? AND owner_id = ?", (claim_code, owner_id)).fetchone()
    return grant_rows.get(tx, row["id"]) if row else None


def is_surplus(tx: sqlite3.Connection, owner_id: int, receipts: Sequence[str]) -> bool:
    """Whether that is the receipt of money that came a second time."""
    marks = ", ".join("?" * len(receipts))
    found = tx.execute(f"SELECT 1 FROM surplus WHERE owner_id = ? AND receipt IN ({marks})", (owner_id, *receipts))  # noqa: S608
    return found.fetchone() is not None


def moved_at_s(tx: sqlite3.Connection, grant: Grant, since_s: float, now_s: float) -> list[float]:
    """When a grant went to another device, oldest first. What the clock has yet to reach is left out: it was set back since."""
    rows = tx.execute(
        "SELECT at_s FROM event WHERE payment_id = ? AND kind = 'grant.hand_over' AND at_s > ? AND at_s <= ? ORDER BY seq",
        (grant.payment_id, since_s, now_s),
    )
    return [row["at_s"] for row in rows]


# ── tries ──


def tries(tx: sqlite3.Connection, key: str, since_s: float, now_s: float) -> list[float]:
    """When codes were tried under that key, oldest first; the future is left out as above."""
    rows = tx.execute("SELECT at_s FROM claim_try WHERE key = ? AND at_s > ? AND at_s <= ? ORDER BY at_s", (key, since_s, now_s))
    return [row["at_s"] for row in rows]


def add_try(tx: sqlite3.Connection, keys: Iterable[str], at_s: float) -> None:
    """Note one more under each of the keys."""
    tx.executemany("INSERT INTO claim_try (key, at_s) VALUES (?, ?)", [(key, at_s) for key in keys])


def forgive(tx: sqlite3.Connection, keys: Iterable[str], at_s: float) -> None:
    """Forget this one try: the code was right. The others stay, or a right code would buy new guesses at a wrong one."""
    for key in keys:
        tx.execute(
            "DELETE FROM claim_try WHERE rowid = (SELECT rowid FROM claim_try WHERE key = ? AND at_s = ? LIMIT 1)", (key, at_s)
        )


def prune(tx: sqlite3.Connection, before_s: float) -> None:
    """Forget what decides nothing any more."""
    tx.execute("DELETE FROM claim_try WHERE at_s <= ?", (before_s,))
