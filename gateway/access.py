"""Who may pass, and until when: the states of an access grant, and the arithmetic of its time.

Pure: no I/O, no clock, no logging. A grant is what was bought: this MAC may pass for that long. It is joined to the payment by one
rule, `owes_grant`. Every (state, event) cell is decided in `TRANSITIONS`, `IGNORED` or `ILLEGAL`.

    owed ──> active ──> ending ──> ended
     │ ^        └─────> revoked
     v │
    unclaimed    no device is known, or the router does not see it

Time starts when the router has confirmed the client, not when the money came. The grants of one device follow each other: paying
again while online adds the time behind what is left, each grant at its own speed. A grant that moves to another device is owed
again, there, for what is left of it. One that ended while it could not be used is owed again for what it lost.
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
    GIVE_BACK = "compensated"
    """It ended while it could not be used, and what it lost is owed again (`gateway.outages`)."""
    MOVE = "hand_over"
    """It goes to another device. Not `move` in the record: there `grant.moved` is a window that begins at another time."""


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
    **dict.fromkeys(((state, _E.GIVE_BACK) for state in (_S.ACTIVE, _S.ENDING, _S.ENDED)), _S.OWED),
    # Owed to the other device, from whatever it was to this one.
    **dict.fromkeys(((state, _E.MOVE) for state in (_S.OWED, _S.UNCLAIMED, _S.ACTIVE)), _S.OWED),
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
        *((state, _E.SHUT) for state in (_S.OWED, _S.UNCLAIMED)),  # given back while it was being shut out
        *((_S.REVOKED, event) for event in (_E.NO_DEVICE, _E.CLAIM)),  # its device was being looked for
        (_S.ENDED, _E.NO_DEVICE),  # likewise: it was adopted, and has run by now
        *((state, event) for state in (_S.ENDED, _S.REVOKED) for event in (_E.DUE, _E.SHUT, _E.REVOKE)),
    }
)
"""Every cell that is expected and changes nothing."""

ILLEGAL: frozenset[tuple[GrantState, GrantEvent]] = frozenset(
    {
        *((state, event) for state in (_S.OWED, _S.UNCLAIMED) for event in (_E.DUE, _E.GIVE_BACK)),  # its time has not begun
        (_S.UNCLAIMED, _E.CONFIRM),  # it is claimed first
        (_S.ACTIVE, _E.NO_DEVICE),  # a phone that leaves keeps its grant
        (_S.ACTIVE, _E.SHUT),  # it is due first: the intent is written before the deed
        *((_S.ENDING, event) for event in (_E.CONFIRM, _E.NO_DEVICE, _E.CLAIM)),
        *((_S.ENDED, event) for event in (_E.CONFIRM, _E.CLAIM)),
        (_S.REVOKED, _E.CONFIRM),  # opening and revoking hold the device's lock
        (_S.REVOKED, _E.GIVE_BACK),  # the operator took it: that is no outage
        *((state, _E.MOVE) for state in (_S.ENDING, _S.ENDED, _S.REVOKED)),  # refused while the device's lock is held
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
    used_s: float = 0.0
    """Seconds of it that ran on devices that had it before this one."""
    used_bytes: int = 0
    """Bytes of its data limit that were counted on rows of the router that are gone."""
    logged_out: bool = False
    """Its device is to stay outside, by its user's own wish, while the time runs on."""
    compensated_s: float = 0.0
    """Seconds in which it could not be used and which were given back at its end."""

    @property
    def is_spent(self) -> bool:
        """Whether its time is over or was taken back, its device being shut out by now or not."""
        return self.state in {GrantState.ENDING, GrantState.ENDED, GrantState.REVOKED}

    @property
    def device(self) -> MacAddress:
        """The device that is let through. ValueError for a grant that belongs to no device yet."""
        if self.mac is None:
            raise ValueError(f"grant {self.id} was let through without a device")
        return self.mac

    @property
    def was_served(self) -> bool:
        """Whether anybody ever passed by it."""
        return self.ends_at_s is not None or self.used_s > 0 or self.compensated_s > 0

    @property
    def window_s(self) -> float:
        """How long its device may pass by it, in seconds: what was bought less what other devices have used of it."""
        return self.duration.seconds - self.used_s

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
    return replace(grant, starts_at_s=starts_at_s, ends_at_s=starts_at_s + grant.window_s)


def handed_over(grant: Grant, mac: MacAddress, ip: IpAddress | None, now_s: float) -> Grant:
    """The grant as another device's, with what has run of its window counted as used, and no window until the router confirms it.

    No second is lost but those that ran, and none is gained: waiting behind other grants is not use, nor is being owed.
    """
    begun_s = now_s if grant.starts_at_s is None else grant.starts_at_s
    used_s = grant.used_s + max(0.0, now_s - begun_s)
    return replace(grant, mac=mac, ip=ip, used_s=used_s, starts_at_s=None, ends_at_s=None, logged_out=False)


def is_used_up(grant: Grant, now_s: float) -> bool:
    """Whether nothing is left of its time, though nobody may have ended it yet."""
    return grant.ends_at_s is not None and grant.ends_at_s <= now_s


def is_let_through(queue: Sequence[Grant]) -> bool:
    """Whether a device with these active grants is to pass: it has one that its user did not log out of."""
    return not all(grant.logged_out for grant in queue)


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
        ends_at_s = grant.ends_s if begun else starts_at_s + grant.window_s
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


def stepped(grant: Grant, since_s: float, step_s: float) -> Grant:
    """The grant when the clock steps by which it was stamped after `since_s`: bought or begun then, it keeps every second."""
    bought, begun = grant.created_at_s > since_s, (grant.starts_at_s or 0.0) > since_s
    moved = replace(grant, created_at_s=grant.created_at_s + step_s) if bought else grant
    if grant.starts_at_s is None or not (bought or begun):
        return moved
    return replace(moved, starts_at_s=grant.starts_at_s + step_s, ends_at_s=grant.ends_s + step_s)


def queue_stepped(queue: Iterable[Grant], since_s: float, step_s: float, now_s: float) -> list[Grant]:
    """The active grants of one device when the clock steps to `now_s`: whoever waits moves as far as the one before.

    The planned beginning of one that waits is no stamp: it says when the one before ends. That may have been long ago, unseen by a
    clock that was behind; what was bought by that clock begins now then.
    """
    first, *waiting = sorted(queue, key=lambda grant: grant.ends_s)
    moved, before = [stepped(first, since_s, step_s)], first
    for grant in waiting:
        starts_at_s = (grant.starts_at_s or 0.0) + moved[-1].ends_s - before.ends_s
        created_at_s, before = grant.created_at_s, grant
        if created_at_s > since_s:
            created_at_s, starts_at_s = created_at_s + step_s, max(starts_at_s, now_s)
        moved.append(replace(grant, created_at_s=created_at_s, starts_at_s=starts_at_s, ends_at_s=starts_at_s + grant.window_s))
    return moved


def plus(duration: Duration, extra: Duration) -> Duration:
    """Both together. ValueError for more than a duration can be."""
    return Duration.parse(f"{duration.seconds + extra.seconds}s")


def expiry_s(grant: Grant | None, paid_at_s: float, duration: Duration) -> float:
    """What a customer is told: the confirmed end, or payment plus duration until there is one (specification, decision 13)."""
    if grant is None:
        return paid_at_s + duration.seconds
    return paid_at_s + grant.duration.seconds if grant.ends_at_s is None else grant.ends_at_s
