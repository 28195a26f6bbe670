"""What the router's rows tell about grants that the database has lost: whose they are, and until when.

Pure: no I/O, no clock, no logging. A row of ours names the grant whose turn it is on a device, and the end of everything that the
device has bought. After a damaged card that is newer than the database (facts, reliability A5: recovery is the last backup, the
provider's list since then, and the router's state).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.access import Grant, GrantState, horizon_s
from gateway.identity import Duration, MacAddress, Money
from gateway.packages import Package

SLACK_S = 60.0
"""How far the end on a row may be from the sum of what was bought, in seconds: rounding, and the moments between PIN and login."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of ours on a router, whose end has not come."""

    router_id: int
    grant_id: str
    mac: MacAddress
    ends_at_s: float
    """When the device's access ends altogether, what the router allows beyond it taken off."""


def placed(shown: Shown, turn: Grant, bought_at_s: float, queue: Sequence[Grant], lost: Iterable[Grant]) -> list[Grant]:
    """The grants of one device as its row shows them; those that change, in the order of their turns.

    `turn` is the grant on the row, bought at that moment; `queue` are the active grants that the database knows of the device;
    `lost` are grants of the same payer without a device, oldest first: they are behind it as far as the row's end leaves room.
    What is still left over was given by the operator, and is kept.
    """
    if turn.state is GrantState.ACTIVE and turn.mac == shown.mac:
        known_s = horizon_s([turn, *queue])
        behind, spare_s = _fitting(lost, shown.ends_at_s - known_s)
        if behind or spare_s <= SLACK_S:
            return _following(shown, known_s, behind)
        return [_given(other, turn, int(spare_s)) for other in (turn, *queue) if other.ends_s >= turn.ends_s]
    behind, _ = _fitting(lost, shown.ends_at_s - bought_at_s - turn.window_s)
    begins_s = shown.ends_at_s - sum(grant.window_s for grant in (turn, *behind))
    return _following(shown, begins_s, [turn, *behind])


def _fitting(lost: Iterable[Grant], spare_s: float) -> tuple[list[Grant], float]:
    """Those for which there is room, and how many seconds are left over."""
    behind = []
    for grant in lost:
        if grant.window_s <= spare_s + SLACK_S:
            behind.append(grant)
            spare_s -= grant.window_s
    return behind, spare_s


def _following(shown: Shown, begins_s: float, grants: Iterable[Grant]) -> list[Grant]:
    """One behind the other, on the device of the row."""
    found = []
    for grant in grants:
        ends_s = begins_s + grant.window_s
        found.append(replace(grant, router_id=shown.router_id, mac=shown.mac, starts_at_s=begins_s, ends_at_s=ends_s))
        begins_s = ends_s
    return found


def _given(grant: Grant, turn: Grant, extra_s: int) -> Grant:
    """The grant whose turn it is gets longer; one behind it begins later."""
    if grant.id == turn.id:
        return replace(grant, duration=Duration(grant.duration.seconds + extra_s), ends_at_s=grant.ends_s + extra_s)
    return replace(grant, starts_at_s=(grant.starts_at_s or 0.0) + extra_s, ends_at_s=grant.ends_s + extra_s)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which package somebody bought, as far as his money tells."""

    package: Package
    is_certain: bool
    """Whether it is the only one on sale for that."""


def package_for(amount: Money, packages: Iterable[Package]) -> Choice | None:
    """The package that was bought for that amount; None where there are no packages at all.

    Of several for the same price the longest: nobody shall get less than he paid for. Where none has that price any more, the
    dearest that costs less; else the cheapest.
    """
    offered = list(packages)
    for sold in ([one for one in offered if one.active], offered):
        same = [one for one in sold if one.price == amount]
        if same:
            return Choice(max(same, key=lambda one: (one.duration, -one.id)), is_certain=len(same) == 1)
    cheaper = [one for one in offered if one.price <= amount]
    if cheaper:
        return Choice(max(cheaper, key=lambda one: (one.price, one.duration, -one.id)), is_certain=False)
    cheapest = min(offered, key=lambda one: (one.price, one.id), default=None)
    return None if cheapest is None else Choice(cheapest, is_certain=False)
