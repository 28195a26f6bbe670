"""Who may pass, and until when: the states of an access grant, and the arithmetic of its time.

Pure: no I/O, no clock, no logging. A grant is what was bought: this MAC may pass for that long. It is joined to the payment by one
rule, `owes_grant`. Every (state, event) cell is decided in `TRANSITIONS`, `IGNORED` or `ILLEGAL`.

    owed ──> active ──> ending ──> ended
     │ ^        └─────> revoked
     v │
    unclaimed    no device is known, or the router does not see it

Time starts when the router has confirmed the client, not when the money came. The grants of one device follow each other: paying
again while online adds the time behind what is left, each grant at its own speed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from gateway.identity import Duration, IpAddress, MacAddress
from gateway.payments import IllegalTransition, PaymentState


class GrantState(Enum):
    """Where a grant stands."""

    OWED = "owed"
    """Paid for; the router has not let the device through yet. Survives a dead router for days."""
    UNCLAIMED = "unclaimed"
    """Owed, but to no device that the router sees."""
    ACTIVE = "active"
    """The router has confirmed it; its time runs, or waits behind an earlier grant of the same device."""
    ENDING = "ending"
    """Its time is over; the router has not confirmed that the device is out."""
    ENDED = "ended"
    REVOKED = "revoked"
    """Ended by the operator."""


class GrantEvent(Enum):
    """What can happen to a grant."""

    CONFIRM = "confirm"
    """The router lets the device through, read back."""
    NO_DEVICE = "no_device"
    """No device is known, or the router does not see it."""
    CLAIM = "claim"
    """The device is known again."""
    DUE = "due"
    """Its time, or its data, is used up."""
    SHUT = "shut"
    """The router has shut the device out, or carries it on under the next grant."""
    REVOKE = "revoke"


_S, _E = GrantState, GrantEvent

TRANSITIONS: dict[tuple[GrantState, GrantEvent], GrantState] = {
    (_S.OWED, _E.CONFIRM): _S.ACTIVE,
    (_S.OWED, _E.NO_DEVICE): _S.UNCLAIMED,
    (_S.OWED, _E.REVOKE): _S.REVOKED,
    (_S.UNCLAIMED, _E.CLAIM): _S.OWED,
    (_S.UNCLAIMED, _E.REVOKE): _S.REVOKED,
    (_S.ACTIVE, _E.DUE): _S.ENDING,
    (_S.ACTIVE, _E.REVOKE): _S.REVOKED,
    (_S.ENDING, _E.SHUT): _S.ENDED,
}
"""Every cell that changes something."""

IGNORED: frozenset[tuple[GrantState, GrantEvent]] = frozenset(
    {
        (_S.OWED, _E.CLAIM),
        (_S.UNCLAIMED, _E.NO_DEVICE),
        (_S.ACTIVE, _E.CONFIRM),  # the router was brought to the wanted state once more
        (_S.ACTIVE, _E.CLAIM),
        (_S.ENDING, _E.DUE),
        (_S.ENDING, _E.REVOKE),
        *((_S.REVOKED, event) for event in (_E.NO_DEVICE, _E.CLAIM)),  # its device was being looked for
        *((state, event) for state in (_S.ENDED, _S.REVOKED) for event in (_E.DUE, _E.SHUT, _E.REVOKE)),
    }
)
"""Every cell that is expected and changes nothing."""

ILLEGAL: frozenset[tuple[GrantState, GrantEvent]] = frozenset(
    {
        *((state, event) for state in (_S.OWED, _S.UNCLAIMED) for event in (_E.DUE, _E.SHUT)),  # its time has not begun
        (_S.UNCLAIMED, _E.CONFIRM),  # it is claimed first
        (_S.ACTIVE, _E.NO_DEVICE),  # a phone that leaves keeps its grant
        (_S.ACTIVE, _E.SHUT),  # it is due first: the intent is written before the deed
        *((_S.ENDING, event) for event in (_E.CONFIRM, _E.NO_DEVICE, _E.CLAIM)),
        *((_S.ENDED, event) for event in (_E.CONFIRM, _E.NO_DEVICE, _E.CLAIM)),
        (_S.REVOKED, _E.CONFIRM),  # opening and revoking hold the device's lock
    }
)
"""Every cell that only a bug can reach."""


def advance(state: GrantState, event: GrantEvent) -> GrantState:
    """The state after the event; the same state where the event is expected and changes nothing.

    Raises IllegalTransition for a cell that only a bug can reach.
    """
    if (state, event) in IGNORED:
        return state
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"a grant that is {state.value} cannot meet {event.value}") from None


def owes_grant(payment_state: PaymentState, *, granted: bool) -> bool:
    """The joint rule of the two machines: paid and no grant means that a grant is owed. Once."""
    return payment_state is PaymentState.PAID and not granted


@dataclass(frozen=True, slots=True)
class Grant:
    """What was bought. Times are seconds since 1970 in UTC; both are None until the router has confirmed it."""

    id: str
    payment_id: str
    owner_id: int
    router_id: int
    package_id: int
    mac: MacAddress | None
    ip: IpAddress | None
    duration: Duration
    created_at_s: float
    updated_at_s: float
    state: GrantState = GrantState.OWED
    starts_at_s: float | None = None
    ends_at_s: float | None = None
    ended_because: str | None = None
    """`time`, `data` or `revoked`."""
    version: int = 0
    """Rises with every write."""
    claim_code: str | None = None
    """What somebody who paid through a link types in on the device that is to have the time."""

    @property
    def is_on_its_way(self) -> bool:
        """Whether the device is let through as soon as the router can do it."""
        return self.state is GrantState.OWED

    @property
    def is_unclaimed(self) -> bool:
        """Whether it waits for a device."""
        return self.state is GrantState.UNCLAIMED

    @property
    def is_over(self) -> bool:
        """Whether nobody passes by it any more."""
        return self.state in {GrantState.ENDED, GrantState.REVOKED}

    @property
    def ends_s(self) -> float:
        """When it ends. Only for a confirmed grant; ValueError otherwise."""
        if self.ends_at_s is None:
            raise ValueError(f"grant {self.id} has not begun")
        return self.ends_at_s


def confirmed(grant: Grant, queue: Iterable[Grant], now_s: float) -> Grant:
    """The grant with its window: from now, or from the end of the last grant that its device still has."""
    starts_at_s = max([now_s, *(other.ends_s for other in queue if other.id != grant.id)])
    return replace(grant, starts_at_s=starts_at_s, ends_at_s=starts_at_s + grant.duration.seconds)


def current(queue: Sequence[Grant]) -> Grant:
    """Of the active grants of one device, the one whose turn it is. ValueError when there is none."""
    return min(queue, key=lambda grant: (grant.ends_s, grant.created_at_s))


def horizon_s(queue: Iterable[Grant]) -> float:
    """When the device's access ends altogether. ValueError when there is none."""
    return max(grant.ends_s for grant in queue)


def moved_up(queue: Sequence[Grant], now_s: float) -> list[Grant]:
    """The grants behind one that ended before its time, each moved so that the first begins now and none loses a second."""
    moved, starts_at_s = [], now_s
    for grant in sorted(queue, key=lambda grant: grant.ends_s):
        begun = grant.starts_at_s is not None and grant.starts_at_s <= now_s
        ends_at_s = grant.ends_s if begun else starts_at_s + grant.duration.seconds
        moved.append(grant if begun else replace(grant, starts_at_s=starts_at_s, ends_at_s=ends_at_s))
        starts_at_s = ends_at_s
    return moved


def extended(queue: Sequence[Grant], grant: Grant, extra: Duration) -> list[Grant]:
    """The grants of one device when one of them gets longer: those behind it begin and end later, and none loses a second.

    ValueError for more than a duration can be.
    """
    longer = []
    for other in queue:
        if other.id == grant.id:
            longer.append(replace(other, duration=plus(other.duration, extra), ends_at_s=other.ends_s + extra.seconds))
        elif other.starts_at_s is not None and other.starts_at_s >= grant.ends_s:
            starts_at_s, ends_at_s = other.starts_at_s + extra.seconds, other.ends_s + extra.seconds
            longer.append(replace(other, starts_at_s=starts_at_s, ends_at_s=ends_at_s))
        else:
            longer.append(other)
    return longer


def plus(duration: Duration, extra: Duration) -> Duration:
    """Both together. ValueError for more than a duration can be."""
    return Duration.parse(f"{duration.seconds + extra.seconds}s")


def expiry_s(grant: Grant | None, paid_at_s: float, duration: Duration) -> float:
    """What a customer is told: the confirmed end, or payment plus duration until there is one (specification, decision 13)."""
    if grant is None:
        return paid_at_s + duration.seconds
    return paid_at_s + grant.duration.seconds if grant.ends_at_s is None else grant.ends_at_s
