"""The line of time that the gateway goes by, in the database, and what moves when it steps.

Whatever was stamped on a line that turns out to be wrong is wrong by the same number of seconds. What is alive moves along, so that
nobody is early or late by a step: grants that are not over, payments that are listened for, and the stamps that count as windows.
What is over stays as it was written: it decides nothing any more.
"""

import sqlite3

from gateway.payments import LINK_LIFE_S, LISTEN_S
from gateway.store import access, events, payments
from gateway.timeline import Line

WINDOWS = {
    "idempotency": ("created_at_s",),
    "failed_login": ("at_s",),
    "claim_try": ("at_s",),
    "refresh_token": ("issued_at_s", "expires_at_s"),
    "debt": ("due_since_s",),
    "outage": ("began_s", "ended_s"),
    "silent_router": ("answered_at_s",),
}
"""Stamps that something is counted from, by table, without an event of their own."""


def newest_wall_s(tx: sqlite3.Connection) -> float:
    """The time as it was last kept, in seconds since 1970; 0 in a new database."""
    return float(tx.execute("SELECT newest_wall_s FROM clock").fetchone()[0])


def line(tx: sqlite3.Connection) -> Line:
    """The line of time as it was last kept; of a new database one that begins with 1970."""
    row = tx.execute("SELECT newest_wall_s, boot_id, monotonic_s, since_s, confirmed, stepped_s FROM clock").fetchone()
    return Line(row[0], row[1], row[2], row[3], bool(row[4]), row[5])


def newest_stamp_s(tx: sqlite3.Connection) -> float:
    """When the last event was written; 0 before the first."""
    row = tx.execute("SELECT at_s FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return float(row[0]) if row else 0.0


def last_sign_s(tx: sqlite3.Connection) -> float:
    """Until when the gateway is known to have run, in seconds since 1970; 0 in a new database."""
    return max(newest_wall_s(tx), newest_stamp_s(tx))


def keep(tx: sqlite3.Connection, kept: Line) -> None:
    """Keep where the line is by now."""
    tx.execute(
        "UPDATE clock SET newest_wall_s = ?, boot_id = ?, monotonic_s = ?, since_s = ?, confirmed = ?, stepped_s = ?",
        (kept.at_s, kept.boot_id, kept.monotonic_s, kept.since_s, kept.confirmed, kept.stepped_s),
    )


def step(tx: sqlite3.Connection, before: Line, step_s: float) -> int:
    """Let the line step, and everything alive that was stamped on it; how many grants and payments that were."""
    after = before.stepped(step_s)
    moved = access.shift(tx, before.since_s, step_s, after.at_s)
    moved += payments.shift(tx, before.since_s, before.at_s - LISTEN_S - LINK_LIFE_S, step_s, after.at_s)
    for table, stamps in WINDOWS.items():
        for stamp in stamps:
            tx.execute(f"UPDATE {table} SET {stamp} = {stamp} + ? WHERE {stamp} > ?", (step_s, before.since_s))  # noqa: S608
    keep(tx, after)
    events.append(tx, "clock.stepped", after.at_s, data={"step_s": step_s})  # the newest stamp is on the new line from here on
    return moved
