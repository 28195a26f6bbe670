"""Access grants in the database. Every change goes through `change`, which writes the event of it in the same transaction."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gateway.access import Grant, GrantEvent, GrantState, advance, queue_stepped, stepped
from gateway.errors import NotFound
from gateway.identity import Duration, IpAddress, MacAddress
from gateway.store import events
from gateway.store.pages import Arm, Page, Span, read_page
from gateway.store.table import Row, Table

_GRANTS = Table(
    "access_grant",
    "id payment_id owner_id router_id package_id mac ip duration_s created_at_s updated_at_s state starts_at_s ends_at_s "
    "ended_because version claim_code used_s used_bytes logged_out compensated_s",
)
_SELECT = _GRANTS.select
_IS_LIVE = "state IN ('owed', 'unclaimed', 'active', 'ending')"
"""In the words of the index `grant_live`: only then does SQLite see that what is looked for stands there."""
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


def move_all(tx: sqlite3.Connection, queue: Sequence[Grant], moved: Sequence[Grant], at_s: float) -> None:
    """Note the windows of a device's grants that are others now. Raises Conflict like `change`."""
    for before, after in zip(queue, moved, strict=True):
        if after != before:
            move(tx, before, after, at_s)


def shift(tx: sqlite3.Connection, since_s: float, step_s: float, at_s: float) -> int:
    """Let every grant that is not over, and was stamped after a moment, follow a step of the clock to `at_s`; how many."""
    marks = ", ".join("?" * len(_LIVE))
    live = {row["id"]: _grant(row) for row in tx.execute(f"{_SELECT} WHERE state IN ({marks})", _LIVE)}
    moved = [stepped(grant, since_s, step_s) for grant in live.values() if grant.state is not GrantState.ACTIVE]
    for queue in _queues(live.values()):
        moved += queue_stepped(queue, since_s, step_s, at_s)
    changed = [grant for grant in moved if grant != live[grant.id]]
    for grant in changed:
        move(tx, live[grant.id], grant, at_s)
    return len(changed)


def extend(tx: sqlite3.Connection, grant: Grant, longer: Grant, at_s: float) -> Grant:
    """Note that the operator gave a grant more time. Raises Conflict like `change`."""
    return _write(tx, grant, longer, "grant.extended", at_s)


def compensate(tx: sqlite3.Connection, grant: Grant, given: Grant, at_s: float) -> Grant:
    """Note that a grant got back what an outage took from it. Raises Conflict like `change`."""
    return _write(tx, grant, given, f"grant.{GrantEvent.GIVE_BACK.value}", at_s)


def hand_over(tx: sqlite3.Connection, grant: Grant, moved: Grant, at_s: float) -> Grant:
    """Note that a grant goes to another device, where it is owed. Raises IllegalTransition and Conflict like `change`."""
    moved = replace(moved, state=advance(grant.state, GrantEvent.MOVE))
    return _write(tx, grant, moved, f"grant.{GrantEvent.MOVE.value}", at_s)


def log_out(tx: sqlite3.Connection, grant: Grant, counted: Grant, at_s: float) -> Grant:
    """Note that the user of its device wants to be outside, and what the router has counted. Raises Conflict like `change`."""
    return _write(tx, grant, replace(counted, logged_out=True), "grant.logged_out", at_s)


def log_in(tx: sqlite3.Connection, grant: Grant, at_s: float) -> Grant:
    """Note that the user of its device wants to be let through again. Raises Conflict like `change`."""
    return _write(tx, grant, replace(grant, logged_out=False), "grant.logged_in", at_s)


def log_in_all(tx: sqlite3.Connection, router_id: int, mac: MacAddress, at_s: float) -> list[Grant]:
    """`log_in` for each active grant of a device that is logged out; which."""
    return [log_in(tx, grant, at_s) for grant in queue(tx, router_id, mac) if grant.logged_out]


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
    """Every grant of one router in these states, oldest first; where none of them is over, without reading those that are."""
    marks, values = ", ".join("?" * len(states)), [state.value for state in states]
    among = f"INDEXED BY grant_live WHERE {_IS_LIVE} AND" if set(values) <= set(_LIVE) else "WHERE"
    rows = tx.execute(f"{_SELECT} {among} router_id = ? AND state IN ({marks}) ORDER BY created_at_s", (router_id, *values))
    return [_grant(row) for row in rows]


def owed_before(tx: sqlite3.Connection, before_s: float) -> list[Grant]:
    """Every grant on whichever router that has been owed since that moment or longer, oldest first."""
    rows = tx.execute(
        f"{_SELECT} INDEXED BY grant_live WHERE {_IS_LIVE} AND state = 'owed' AND updated_at_s <= ? ORDER BY updated_at_s",
        (before_s,),
    )
    return [_grant(row) for row in rows]


def of_device(tx: sqlite3.Connection, router_id: int, mac: MacAddress, *states: GrantState) -> list[Grant]:
    """The grants of one device on one router in these states, oldest first."""
    return [grant for grant in on_router(tx, router_id, *states) if grant.mac == mac]


def ran_in(tx: sqlite3.Connection, router_id: int, began_s: float) -> list[Grant]:
    """Every grant of one router that had time left at that moment, as far as it was not taken back or used up by its data."""
    rows = tx.execute(
        f"{_SELECT} WHERE router_id = ? AND ends_at_s > ? AND state IN ('active', 'ending', 'ended') "
        "AND (ended_because IS NULL OR ended_because = 'time') ORDER BY ends_at_s",
        (router_id, began_s),
    )
    return [_grant(row) for row in rows]


def queue(tx: sqlite3.Connection, router_id: int, mac: MacAddress) -> list[Grant]:
    """The active grants of one device on one router."""
    rows = tx.execute(f"{_SELECT} WHERE router_id = ? AND mac = ? AND state = 'active' ORDER BY ends_at_s", (router_id, mac.text))
    return [_grant(row) for row in rows]


def _queues(grants: Iterable[Grant]) -> Iterable[list[Grant]]:
    """Those that are active, by device and router."""
    queues: dict[tuple[int, MacAddress], list[Grant]] = {}
    for grant in grants:
        if grant.state is GrantState.ACTIVE:
            queues.setdefault((grant.router_id, grant.device), []).append(grant)
    return queues.values()


def is_known(tx: sqlite3.Connection, router_id: int, mac: MacAddress) -> bool:
    """Whether this device was ever granted access on this router."""
    found = tx.execute("SELECT 1 FROM access_grant WHERE router_id = ? AND mac = ? LIMIT 1", (router_id, mac.text))
    return found.fetchone() is not None


def expect(tx: sqlite3.Connection, router_id: int, mac: MacAddress) -> None:
    """Note that this device lost something, and that the router has yet to confirm it."""
    tx.execute("INSERT INTO unconfirmed_device (router_id, mac) VALUES (?, ?) ON CONFLICT DO NOTHING", (router_id, mac.text))


def confirm(tx: sqlite3.Connection, router_id: int, mac: MacAddress) -> None:
    """Note that the router shows of this device what it should."""
    tx.execute("DELETE FROM unconfirmed_device WHERE router_id = ? AND mac = ?", (router_id, mac.text))


def unconfirmed(tx: sqlite3.Connection, router_id: int) -> frozenset[MacAddress]:
    """The devices of which the router has yet to confirm what they lost."""
    rows = tx.execute("SELECT mac FROM unconfirmed_device WHERE router_id = ?", (router_id,))
    return frozenset(MacAddress(row["mac"]) for row in rows)


def counts(tx: sqlite3.Connection) -> dict[str, int]:
    """How many grants there are in each state that is not over."""
    found = dict.fromkeys(_LIVE, 0)
    marks = ", ".join("?" * len(_LIVE))
    rows = tx.execute(f"SELECT state, count(*) FROM access_grant WHERE state IN ({marks}) GROUP BY state", _LIVE)  # noqa: S608
    return found | {row[0]: row[1] for row in rows}


def known(tx: sqlite3.Connection, grant_ids: Iterable[str]) -> set[str]:
    """Of these grants, the ones that the database knows; one that was adopted is not known before its device is."""
    question = (
        "SELECT 1 FROM access_grant LEFT JOIN adopted_payment USING (payment_id) WHERE id = ? "
        "AND (adopted_payment.payment_id IS NULL OR mac IS NOT NULL OR state NOT IN ('owed', 'unclaimed'))"
    )
    return {grant_id for grant_id in grant_ids if tx.execute(question, (grant_id,)).fetchone()}


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
    facts = _GRANTS.read(row)
    mac, ip = facts.pop("mac"), facts.pop("ip")
    return Grant(
        duration=Duration(facts.pop("duration_s")),
        mac=MacAddress(mac) if mac else None,
        ip=IpAddress(ip) if ip else None,
        state=GrantState(facts.pop("state")),
        logged_out=bool(facts.pop("logged_out")),
        **facts,
    )
