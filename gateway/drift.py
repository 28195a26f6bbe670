"""What one router shows against what the database says: who should pass and does not, who passes and should not.

Pure: no I/O, no clock, no logging. It finds the devices; what is done about each is `gateway.gate`'s business.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.access import Grant, GrantState, current, horizon_s, is_let_through
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.hotspot.base import MarkedRow, Snapshot
from gateway.identity import MacAddress


@dataclass(frozen=True, slots=True)
class Drift:
    """A device for which the router shows something else than the database."""

    mac: MacAddress
    what: str
    turn: Grant | None = None
    """The grant by which the device is, or was, to pass; None where there is none."""
    is_used_up: bool = False
    """Whether the router has counted that grant's data limit to its end."""


@dataclass(frozen=True, slots=True)
class History:
    """What the database remembers of what the router shows."""

    customers: frozenset[MacAddress]
    """Of the strays, those that were granted access on this router once: the others are none of our business."""
    unknown_grants: frozenset[str]
    """Grants on our rows that the database does not know: sold before it was restored from a backup."""
    unconfirmed: frozenset[MacAddress] = frozenset()
    """Devices that lost something, and nobody knows whether the router was brought along: the daemon may have died of it."""
    in_doubt: bool = False
    """Whether an older database has taken the place of a damaged one, and the books are not in order yet: until then the router
    knows better, and nothing is taken from anybody whose row has not ended."""


def drifts(grants: Iterable[Grant], seen: Snapshot, history: History, now_s: float) -> list[Drift]:
    """Both kinds of difference: who should pass and does not, and who passes and should not."""
    queues, under_way = _by_device(grants, now_s)
    rows: dict[MacAddress, list[MarkedRow]] = {}
    for row in seen.rows:
        if row.mac is not None:
            rows.setdefault(row.mac, []).append(row)
    found = [
        drift
        for mac, queue in queues.items()
        if (drift := _difference(mac, queue, rows.get(mac, []), seen)) and not _knows_better(rows.get(mac, []), queue, history)
    ]
    idle = {mac for mac in rows if mac not in queues and mac not in under_way}
    found += [Drift(mac, "let through without a grant") for mac in idle if not _is_adopted(rows[mac], history, now_s)]
    strays = frozenset() if history.in_doubt else history.customers - queues.keys() - under_way
    found += [Drift(mac, "online without a user") for mac in strays]
    told = {drift.mac for drift in found}
    return [*found, *(Drift(mac, "what it lost is not confirmed") for mac in history.unconfirmed - told)]


def _by_device(grants: Iterable[Grant], now_s: float) -> tuple[dict[MacAddress, list[Grant]], set[MacAddress]]:
    """The active grants of each device, and the devices on which something is under way: a closing that waits for the disk, too."""
    queues: dict[MacAddress, list[Grant]] = {}
    under_way: set[MacAddress] = set()
    for grant in grants:
        if grant.mac is None:
            continue
        if grant.state is GrantState.ACTIVE and grant.ends_s > now_s:
            queues.setdefault(grant.mac, []).append(grant)
        else:
            under_way.add(grant.mac)
    return queues, under_way


def _difference(mac: MacAddress, queue: list[Grant], shown: list[MarkedRow], seen: Snapshot) -> Drift | None:
    if is_let_through(queue):
        return _missing(mac, queue, shown, seen)
    return Drift(mac, "let through though logged out", current(queue)) if shown or mac in seen.strays else None


def _missing(mac: MacAddress, queue: list[Grant], shown: list[MarkedRow], seen: Snapshot) -> Drift | None:
    turn = current(queue)
    if len(shown) != 1:
        return Drift(mac, "not let through" if not shown else "let through twice", turn)
    row = shown[0]
    if row.used_up and row.grant_id == turn.id:
        return Drift(mac, "data limit reached", turn, is_used_up=True)
    if row.grant_id != turn.id:
        return Drift(mac, "let through under another grant", turn)
    if row.until_epoch_s is None or abs(row.until_epoch_s - ACTIVATION_ALLOWANCE_S - horizon_s(queue)) > ACTIVATION_ALLOWANCE_S:
        return Drift(mac, "its end is another", turn)
    if not row.online and mac in seen.hosts:
        return Drift(mac, "in sight, but not online", turn)
    return None


def _is_adopted(shown: list[MarkedRow], history: History, now_s: float) -> bool:
    """Whether a row stays although the database knows nothing of it: its time was paid for, and its comment says until when."""
    unknown = all(row.grant_id in history.unknown_grants for row in shown)
    return (unknown or history.in_doubt) and all((row.until_epoch_s or 0) > now_s for row in shown)


def _knows_better(shown: list[MarkedRow], queue: list[Grant], history: History) -> bool:
    """Whether the router shows something that was sold after the state in which the database is."""
    ends_s = horizon_s(queue) + 2 * ACTIVATION_ALLOWANCE_S
    return history.in_doubt and any((row.until_epoch_s or 0) > ends_s for row in shown)
