"""Access grants in the database. Every change goes through `change`, which writes the event of it in the same transaction."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from gateway.access import Grant, GrantEvent, GrantState, advance
from gateway.errors import NotFound
from gateway.identity import Duration, IpAddress, MacAddress
from gateway.store import events
from gateway.store.pages import Arm, Page, Span, read_page
from gateway.store.table import Row, Table

_GRANTS = Table(
    "access_grant",
    "id payment_id owner_id router_id package_id mac ip duration_s created_at_s updated_at_s state starts_at_s ends_at_s "
    "ended_because version claim_code",
)
_SELECT = _GRANTS.select
_LIVE = tuple(state.value for state in (GrantState.OWED, GrantState.UNCLAIMED, GrantState.ACTIVE, GrantState.ENDING))


def insert(tx: sqlite3.Connection, grant: Grant) -> None:
    """Record a new grant; the database refuses a second one for the same payment."""
    _tell(tx, grant, "grant.owed", {"set": _GRANTS.insert(tx, _row(grant))})


def change(tx: sqlite3.Connection, grant: Grant, event: GrantEvent, at_s: float, **facts: Any) -> Grant:
    """Let an event happen to a grant: advance its state, note the new facts, write both and the event.

    Raises IllegalTransition, and Conflict when somebody else changed the grant since it was read.
    """
    return _write(tx, grant, replace(grant, state=advance(grant.state, event), **facts), f"grant.{event.value}", at_s)


def move(tx: sqlite3.Connection, grant: Grant, moved: Grant, at_s: float) -> Grant:
    """Note another window for a grant whose state stays the same. Raises Conflict like `change`."""
    return _write(tx, grant, moved, "grant.moved", at_s)


def shift(tx: sqlite3.Connection, from_s: float, to_s: float, step_s: float) -> int:
    """Move every active grant that began, or was bought, between two moments of a clock that was wrong by `step_s`; how many."""
    rows = tx.execute(
        f"{_SELECT} WHERE state = 'active' AND (starts_at_s BETWEEN ? AND ? OR created_at_s >= ?)", (from_s, to_s, from_s)
    ).fetchall()
    for grant in map(_grant, rows):
        starts_at_s = (grant.starts_at_s or from_s) + step_s
        move(tx, grant, replace(grant, starts_at_s=starts_at_s, ends_at_s=grant.ends_s + step_s), to_s + step_s)
    return len(rows)


def extend(tx: sqlite3.Connection, grant: Grant, longer: Grant, at_s: float) -> Grant:
    """Note that the operator gave a grant more time. Raises Conflict like `change`."""
    return _write(tx, grant, longer, "grant.extended", at_s)


def get(tx: sqlite3.Connection, grant_id: str) -> Grant:
    """The grant. Raises NotFound."""
    row = tx.execute(f"{_SELECT} WHERE id = ?", (grant_id,)).fetchone()
    if row is None:
        raise NotFound("Grant not found or access denied")
    return _grant(row)


def owned(tx: sqlite3.Connection, grant_id: str, owner_id: int) -> Grant:
    """The grant if it is that owner's. Raises NotFound in both other cases."""
    row = tx.execute(f"{_SELECT} WHERE id = ? AND owner_id = ?", (grant_id, owner_id)).fetchone()
    if row is None:
        raise NotFound("Grant not found or access denied")
    return _grant(row)


@dataclass(frozen=True, slots=True)
class GrantFilter:
    """Which grants of an owner; None asks for all."""

    state: GrantState | None = None
    router_id: int | None = None
    mac: MacAddress | None = None

    def arm(self, owner_id: int) -> Arm:
        """The question, and the index that answers the narrowest of the filters."""
        asked = {
            "mac": self.mac.text if self.mac else None,
            "state": self.state.value if self.state else None,
            "router_id": self.router_id,
        }
        given = {column: value for column, value in asked.items() if value is not None}
        narrowest = next(iter(given), None)
        index = f"grant_newest_by_{narrowest.removesuffix('_id')}" if narrowest else "grant_newest"
        return Arm(index, (("owner_id = ?", owner_id), *((f"{column} = ?", value) for column, value in given.items())))


def page(tx: sqlite3.Connection, owner_id: int, wanted: GrantFilter, span: Span) -> Page[Grant]:
    """The owner's grants, newest first."""
    return read_page(tx, _GRANTS, [wanted.arm(owner_id)], span, _grant)


def of_payment(tx: sqlite3.Connection, payment_id: str) -> Grant | None:
    """What a payment bought, if it bought anything yet."""
    row = tx.execute(f"{_SELECT} WHERE payment_id = ?", (payment_id,)).fetchone()
    return _grant(row) if row else None


def on_router(tx: sqlite3.Connection, router_id: int, *states: GrantState) -> list[Grant]:
    """Every grant of one router in these states, oldest first."""
    marks = ", ".join("?" * len(states))
    rows = tx.execute(
        f"{_SELECT} WHERE router_id = ? AND state IN ({marks}) ORDER BY created_at_s", (router_id, *(s.value for s in states))
    )
    return [_grant(row) for row in rows]


def queue(tx: sqlite3.Connection, router_id: int, mac: MacAddress) -> list[Grant]:
    """The active grants of one device on one router."""
    rows = tx.execute(f"{_SELECT} WHERE router_id = ? AND mac = ? AND state = 'active' ORDER BY ends_at_s", (router_id, mac.text))
    return [_grant(row) for row in rows]


def is_known(tx: sqlite3.Connection, router_id: int, mac: MacAddress) -> bool:
    """Whether this device was ever granted access on this router."""
    found = tx.execute("SELECT 1 FROM access_grant WHERE router_id = ? AND mac = ? LIMIT 1", (router_id, mac.text))
    return found.fetchone() is not None


def counts(tx: sqlite3.Connection) -> dict[str, int]:
    """How many grants there are in each state that is not over."""
    found = dict.fromkeys(_LIVE, 0)
    marks = ", ".join("?" * len(_LIVE))
    rows = tx.execute(f"SELECT state, count(*) FROM access_grant WHERE state IN ({marks}) GROUP BY state", _LIVE)  # noqa: S608
    return found | {row[0]: row[1] for row in rows}


def known(tx: sqlite3.Connection, grant_ids: Iterable[str]) -> set[str]:
    """Of these grants, the ones that the database knows."""
    return {grant_id for grant_id in grant_ids if tx.execute("SELECT 1 FROM access_grant WHERE id = ?", (grant_id,)).fetchone()}


def _write(tx: sqlite3.Connection, before: Grant, after: Grant, kind: str, at_s: float) -> Grant:
    after = replace(after, updated_at_s=at_s, version=before.version + 1)
    _tell(tx, after, kind, {"set": _GRANTS.update(tx, _row(before), _row(after))})
    return after


def _tell(tx: sqlite3.Connection, grant: Grant, kind: str, data: dict[str, Any]) -> None:
    events.append(
        tx,
        kind,
        grant.updated_at_s,
        owner_id=grant.owner_id,
        payment_id=grant.payment_id,
        grant_id=grant.id,
        router_id=grant.router_id,
        data=data,
    )


def _row(grant: Grant) -> Row:
    return {field.name: getattr(grant, field.name) for field in fields(grant)} | {
        "duration_s": grant.duration.seconds,
        "mac": str(grant.mac) if grant.mac else None,
        "ip": str(grant.ip) if grant.ip else None,
        "state": grant.state.value,
    }


def _grant(row: sqlite3.Row) -> Grant:
    facts = dict(row)
    mac, ip = facts.pop("mac"), facts.pop("ip")
    return Grant(
        duration=Duration(facts.pop("duration_s")),
        mac=MacAddress(mac) if mac else None,
        ip=IpAddress(ip) if ip else None,
        state=GrantState(facts.pop("state")),
        **facts,
    )
