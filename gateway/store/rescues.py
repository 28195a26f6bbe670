"""When an older state took the database's place, and whether what it did not know has been read again since."""

import sqlite3

from gateway.store import clock, events
from gateway.store.backups import Rescue


def note(tx: sqlite3.Connection, rescue: Rescue, at_s: float) -> None:
    """Keep that the database is an older one, or a new one, since this moment of the machine's clock.

    That clock may be wrong, and a line of time goes on from the newest event: the event is of when the older state ends.
    """
    restored_from = rescue.restored_from.name if rescue.restored_from else None
    tx.execute(
        "INSERT INTO rescue (at_s, why, moved_to, restored_from) VALUES (?, ?, ?, ?)",
        (at_s, rescue.verdict, rescue.moved_to.name, restored_from),
    )
    data = {"why": rescue.verdict, "moved_to": rescue.moved_to.name, "restored_from": restored_from}
    events.append(tx, "database.restored", clock.last_sign_s(tx) or at_s, data=data)


def is_unsettled(tx: sqlite3.Connection) -> bool:
    """Whether something may have been sold that this database does not know yet."""
    return unsettled_since_s(tx) is not None


def unsettled_since_s(tx: sqlite3.Connection) -> float | None:
    """Since when that is so; None when it is not."""
    return _moment(tx, "SELECT min(at_s) FROM rescue WHERE settled_at_s IS NULL")


def last_at_s(tx: sqlite3.Connection) -> float | None:
    """When an older state last took the database's place; None when it never did."""
    return _moment(tx, "SELECT max(at_s) FROM rescue")


def _moment(tx: sqlite3.Connection, question: str) -> float | None:
    (at_s,) = tx.execute(question).fetchone()
    return None if at_s is None else float(at_s)


def settle(tx: sqlite3.Connection, at_s: float) -> None:
    """Keep that everything was read again."""
    if tx.execute("UPDATE rescue SET settled_at_s = ? WHERE settled_at_s IS NULL", (at_s,)).rowcount:
        events.append(tx, "database.settled", at_s)
