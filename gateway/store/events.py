"""The event table: what happened, in order, for good. Audit trail, and the outbox of a later hub.

An event is written in the transaction of the change that it tells, so the two can never disagree.
"""

import json
import sqlite3
from typing import Any

_JSON = json.JSONEncoder(ensure_ascii=False, default=str)


def append(
    tx: sqlite3.Connection,
    kind: str,
    at_s: float,
    *,
    owner_id: int | None = None,
    payment_id: str | None = None,
    grant_id: str | None = None,
    router_id: int | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Add one event. `data["set"]` holds the columns that the change wrote, so that the tables can be made again from the events.

    Everything else in `data` must be free of secrets and of whole phone numbers.
    """
    tx.execute(
        "INSERT INTO event (at_s, kind, owner_id, payment_id, grant_id, router_id, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (at_s, kind, owner_id, payment_id, grant_id, router_id, _JSON.encode(data or {})),
    )


def of_payment(tx: sqlite3.Connection, payment_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The story of one payment and its grant: kind and data, oldest first."""
    rows = tx.execute("SELECT kind, data FROM event WHERE payment_id = ? ORDER BY seq", (payment_id,))
    return [(row["kind"], json.loads(row["data"])) for row in rows]


def newest(tx: sqlite3.Connection) -> int:
    """The number of the last event; 0 while there is none."""
    return int(tx.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])


def since(tx: sqlite3.Connection, seq: int) -> tuple[int, set[str]]:
    """What was added after an event: the number of the last one, and the payments that they are about."""
    rows = tx.execute("SELECT seq, payment_id FROM event WHERE seq > ? ORDER BY seq", (seq,)).fetchall()
    return (rows[-1]["seq"] if rows else seq), {row["payment_id"] for row in rows if row["payment_id"] is not None}
