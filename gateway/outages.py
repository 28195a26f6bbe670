"""What an outage took from whom: the arithmetic of fair clocks.

Pure: no I/O, no clock, no logging. The gateway knows two kinds of outage. A *router* was down from its last sign of life until it
was up again after a restart; one that was merely out of our sight had its customers online all the while, and its uptime says so.
The *uplink* was down while nothing on the Internet could be reached from here.

A grant that ran meanwhile has lost the part of its window that lies in the outage. For one that still runs time stood still: its
whole window moves, so that it is as long as it was, and so do the windows behind it on the same device. One that ended meanwhile is
owed again, for what it lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from gateway.access import Grant, GrantEvent, GrantState, advance, is_used_up

STARTING_S = 60.0
"""From the first second of a router's uptime until its customers are online again: half a minute for its radio and hotspot, and the
15 s of the contract ("Bounds") for letting back in whoever does not come by itself."""

UPTIME_ERROR_S = 5.0
"""How far a start that is counted back from the uptime can be off: the router says whole seconds, its answer takes time, and its
clock and ours drift apart by seconds in a day."""

LEAST_S = 60.0
"""What a grant that is over must have lost to be opened again: for less, nobody is still waiting."""


class Cause(Enum):
    """What was down."""

    ROUTER = "router"
    UPLINK = "uplink"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds since 1970 in UTC."""

    began_s: float
    ended_s: float

    @property
    def seconds(self) -> float:
        """How long it is; never less than nothing."""
        return max(0.0, self.ended_s - self.began_s)

    def after(self, moment_s: float | None) -> "Span":
        """What of it lies behind a moment; all of it where there is none."""
        return self if moment_s is None else replace(self, began_s=max(self.began_s, moment_s))

    def moved(self, by_s: float) -> "Span":
        """The same stretch on a line of time that has stepped by so much."""
        return Span(self.began_s + by_s, self.ended_s + by_s)

    def lost_by(self, grant: Grant) -> float:
        """How many seconds of a grant's window lie in it."""
        if grant.starts_at_s is None or grant.ends_at_s is None:
            return 0.0
        return max(0.0, min(grant.ends_at_s, self.ended_s) - max(grant.starts_at_s, self.began_s))


@dataclass(frozen=True, slots=True)
class Outage:
    """What was down, for the customers of which router, and when."""

    router_id: int
    cause: Cause
    span: Span


def router_outage(answered_at_s: float, now_s: float, uptime_s: float) -> Span | None:
    """When a router was down that last answered at `answered_at_s` and answers now with that uptime; None if it was not.

    It may have died any moment after its last answer; the customer gets the benefit of the doubt.
    """
    started_at_s = now_s - uptime_s
    if started_at_s <= answered_at_s + UPTIME_ERROR_S:
        return None
    return Span(answered_at_s, min(now_s, started_at_s + STARTING_S))


def made_good(grants: Iterable[Grant], outage: Span, now_s: float) -> list[Grant]:
    """The grants of one device that an outage changes, as they are after it; `compensated_s` has grown by what each has lost."""
    changed, moved_s = [], 0.0
    for grant in sorted(grants, key=lambda grant: grant.ends_s):
        lost_s = outage.lost_by(grant)
        if grant.state is not GrantState.ACTIVE or is_used_up(grant, now_s):
            changed += [_owed_again(grant, lost_s)] if lost_s >= LEAST_S else []
            continue
        moved_s += lost_s
        if moved_s:
            changed.append(_moved(grant, moved_s, lost_s))
    return changed


def by_device(grants: Iterable[Grant]) -> Sequence[list[Grant]]:
    """The grants of each device by themselves."""
    devices: dict[object, list[Grant]] = {}
    for grant in grants:
        devices.setdefault(grant.mac, []).append(grant)
    return list(devices.values())


def _owed_again(grant: Grant, lost_s: float) -> Grant:
    return replace(
        grant,
        state=advance(grant.state, GrantEvent.GIVE_BACK),
        used_s=grant.duration.seconds - lost_s,
        starts_at_s=None,
        ends_at_s=None,
        ended_because=None,
        compensated_s=grant.compensated_s + lost_s,
    )


def _moved(grant: Grant, moved_s: float, lost_s: float) -> Grant:
    starts_at_s = (grant.starts_at_s or 0.0) + moved_s
    return replace(grant, starts_at_s=starts_at_s, ends_at_s=grant.ends_s + moved_s, compensated_s=grant.compensated_s + lost_s)
