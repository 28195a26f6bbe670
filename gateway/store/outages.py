"""Outages in the database: those for which time was given back, and routers that are silent at the moment."""

import sqlite3

from gateway.outages import Outage
from gateway.store import events


def record(tx: sqlite3.Connection, outage: Outage, grants: int, given_back_s: float) -> None:
    """Note an outage that is over, and what was given back for it."""
    row = {
        "router_id": outage.router_id,
        "cause": outage.cause.value,
        "began_s": outage.span.began_s,
        "ended_s": outage.span.ended_s,
        "grants": grants,
        "given_back_s": given_back_s,
    }
    tx.execute(
        "INSERT INTO outage (router_id, cause, began_s, ended_s, grants, given_back_s) "
        "VALUES (:router_id, :cause, :began_s, :ended_s, :grants, :given_back_s)",
        row,
    )
    events.append(tx, "outage.recorded", outage.span.ended_s, router_id=outage.router_id, data=row)


def dealt_with_until_s(tx: sqlite3.Connection, router_id: int) -> float | None:
    """The end of the last outage that was recorded for a router: nothing before it is given back once more."""
    found: float | None = tx.execute("SELECT max(ended_s) FROM outage WHERE router_id = ?", (router_id,)).fetchone()[0]
    return found


def given_back_s(tx: sqlite3.Connection) -> float:
    """All the time that was ever given back, in seconds."""
    return float(tx.execute("SELECT coalesce(sum(given_back_s), 0) FROM outage").fetchone()[0])


def fall_silent(tx: sqlite3.Connection, router_id: int, answered_at_s: float) -> None:
    """Note when a silent router last answered; what was noted before stands."""
    tx.execute(
        "INSERT INTO silent_router (router_id, answered_at_s) VALUES (?, ?) ON CONFLICT (router_id) DO NOTHING",
        (router_id, answered_at_s),
    )


def speak(tx: sqlite3.Connection, *router_ids: int) -> None:
    """Note that these routers answer again, or need not any more."""
    tx.executemany("DELETE FROM silent_router WHERE router_id = ?", [(router_id,) for router_id in router_ids])


def silent_since_s(tx: sqlite3.Connection, router_id: int) -> float | None:
    """When a router that is noted as silent last answered; None for one that is not."""
    row = tx.execute("SELECT answered_at_s FROM silent_router WHERE router_id = ?", (router_id,)).fetchone()
    return None if row is None else float(row["answered_at_s"])


def silent(tx: sqlite3.Connection) -> set[int]:
    """The routers that are noted as silent."""
    return {row["router_id"] for row in tx.execute("SELECT router_id FROM silent_router")}
