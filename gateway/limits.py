"""How often somebody may be asked for money, or try a code: the rules, and when the next push or try is allowed.

Pure: no I/O, no clock. What has happened so far is an argument, read from the payments themselves, so that a restart forgets
nothing. The rules keep a stranger's phone from ringing all evening and an owner's account from being spent by somebody else; who
pays is never slowed down, because only pushes that nobody paid count (facts, platform C4). Nor is who has a code that is right.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DAY_S = 86_400
"""The longest time that any rule looks back."""

CANCELLED = "1032"
"""M-Pesa's code for a prompt that the customer dismissed (facts, payments 2)."""

_CANCEL_PAUSE_S = 60  # whoever says no is not asked again at once
_PROMPT_LIFE_S = 180  # nobody cancels later than this: the prompt has gone (facts, payments 2)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One payment that was sent to the provider, as far as limits care. Times are seconds since 1970 in UTC."""

    at_s: float
    phone: str
    prompted: bool = True
    """A prompt was or may have been on the phone: the provider did not refuse, and it is no link."""
    paid_at_s: float | None = None
    failed_code: str | None = None
    updated_at_s: float = 0.0

    @property
    def quiet_until_s(self) -> float:
        """Until when its phone is left alone because the customer said no; later looks at the payment are no second no."""
        return min(self.updated_at_s, self.at_s + _PROMPT_LIFE_S) + _CANCEL_PAUSE_S if self.failed_code == CANCELLED else 0.0


@dataclass(frozen=True, slots=True)
class Ceiling:
    """At most `count` within any `within_s` seconds."""

    count: int
    within_s: int

    def free_at_s(self, times_s: Iterable[float]) -> float:
        """From when on one more is allowed, in the time of `times_s`; 0 for at once."""
        newest_first = sorted(times_s, reverse=True)
        return newest_first[self.count - 1] + self.within_s if len(newest_first) >= self.count else 0.0


@dataclass(frozen=True, slots=True)
class History:
    """What was sent to the provider within the last day: for one phone, one device, one address, one owner."""

    of_phone: Sequence[Attempt] = ()
    of_mac: Sequence[Attempt] = ()
    of_address: Sequence[Attempt] = ()
    of_owner: Sequence[Attempt] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The next payment."""

    phone: str
    prompts: bool
    """A push, which makes the phone ring; a link does not."""
    from_own_address: bool
    """The request comes from the phone that is to be let through, and not from a server or a router that speaks for many."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: from when on, in seconds since 1970, and why, in words for the customer."""

    until_s: float
    reason: str

    def seconds(self, now_s: float) -> int:
        """How long from now, in whole seconds, at least one: what `Retry-After` says (RFC 9110, section 10.2.3)."""
        return max(1, math.ceil(self.until_s - now_s))


def in_words(seconds: int) -> str:
    """A wait as people say it, rounded up: `45 seconds`, `3 minutes`, `2 hours`."""
    for unit, size_s in (("hour", 3_600), ("minute", 60)):
        if seconds > size_s:
            return f"{math.ceil(seconds / size_s)} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


PHONE_BURST = Ceiling(3, 600)
PHONE_DAY = Ceiling(6, DAY_S)
"""The number is the victim of whoever types it: it has the tightest limits, whoever asks."""

MAC_BURST = Ceiling(4, 600)
MAC_PHONES = Ceiling(3, DAY_S)
"""Different phones that did not pay. A device that tries one number after the other is not looking for its own."""

OWN_ADDRESS = Ceiling(6, 600)
"""Unpaid prompts from an address that is one phone's."""

ANY_ADDRESS = Ceiling(30, 600)
"""Whatever was sent and not paid, from an address behind which many may stand: a shop's server, a router with NAT."""

OWNER = Ceiling(30, 60)
"""Everything, paid or not: more than one sale in two seconds, for a minute, is nobody's hotspot but somebody's script."""

CLAIM_TRIES_S = 900
"""How long a wrong code counts: long enough to make guessing hopeless, short enough to wait for."""

CLAIMS_OF_DEVICE = Ceiling(5, CLAIM_TRIES_S)
"""Wrong codes from one device, and from one address: more than anybody mistypes a receipt that lies in front of them."""

CLAIMS_OF_OWNER = Ceiling(60, CLAIM_TRIES_S)
"""Wrong codes at one owner: addresses of devices are cheap. 5,760 guesses a day at 10^12 codes find nothing in a lifetime."""

MOVES = Ceiling(3, 3_600)
"""How often a grant goes to another device. Once an hour (facts, platform C5) would punish who claims on the wrong one of two
phones, or whose phone draws a new address when the WiFi is joined again; three are too few to share one package by turns."""

_PHONE_REASON = "This phone number was asked to pay too often"
_CANCEL_REASON = "The last request was cancelled on this phone"
_MAC_REASON = "This device has asked for too many payments that were not made"
_PHONES_REASON = "This device has tried too many phone numbers"
_ADDRESS_REASON = "Too many payments were asked for from here and not made"
_OWNER_REASON = "Very many people are paying at the moment"
_CLAIM_REASON = "Too many wrong codes"
_MOVES_REASON = "This time was moved to another device too often"


def wait_before(now_s: float, wanted: Wanted, history: History) -> Wait | None:
    """What keeps the payment from being sent now: the rule that holds longest; None where none does."""
    waits = [
        *(_phone_waits(history.of_phone) if wanted.prompts else ()),
        *_mac_waits(wanted.phone, _unpaid(history.of_mac)),
        *_address_waits(wanted, _unpaid(history.of_address)),
        Wait(OWNER.free_at_s(_times(history.of_owner)), _OWNER_REASON),
    ]
    return max((wait for wait in waits if wait.until_s > now_s), key=lambda wait: wait.until_s, default=None)


@dataclass(frozen=True, slots=True)
class Tries:
    """When codes were tried that were not right, in seconds since 1970: from one device, from one address, at one owner."""

    of_device: Sequence[float] = ()
    of_address: Sequence[float] = ()
    of_owner: Sequence[float] = ()


def wait_before_try(now_s: float, tries: Tries) -> Wait | None:
    """What keeps a code from being tried now; None where nothing does."""
    until_s = max(
        CLAIMS_OF_DEVICE.free_at_s(tries.of_device),
        CLAIMS_OF_DEVICE.free_at_s(tries.of_address),
        CLAIMS_OF_OWNER.free_at_s(tries.of_owner),
    )
    return Wait(until_s, _CLAIM_REASON) if until_s > now_s else None


def wait_before_move(now_s: float, moved_at_s: Sequence[float]) -> Wait | None:
    """What keeps a grant from going to another device now; None where nothing does."""
    until_s = MOVES.free_at_s(moved_at_s)
    return Wait(until_s, _MOVES_REASON) if until_s > now_s else None


def _phone_waits(attempts: Sequence[Attempt]) -> list[Wait]:
    """A success resets them: whoever pays with this phone holds it in the hand."""
    last_paid_s = max((attempt.paid_at_s for attempt in attempts if attempt.paid_at_s is not None), default=0.0)
    rang = [attempt for attempt in _unpaid(attempts) if attempt.prompted and attempt.at_s >= last_paid_s]
    return [
        Wait(PHONE_BURST.free_at_s(_times(rang)), _PHONE_REASON),
        Wait(PHONE_DAY.free_at_s(_times(rang)), _PHONE_REASON),
        *(Wait(attempt.quiet_until_s, _CANCEL_REASON) for attempt in rang),
    ]


def _mac_waits(phone: str, unpaid: list[Attempt]) -> list[Wait]:
    rang = [attempt for attempt in unpaid if attempt.prompted]
    last_rang_s: dict[str, float] = {}
    for attempt in rang:
        last_rang_s[attempt.phone] = max(attempt.at_s, last_rang_s.get(attempt.phone, 0.0))
    tried = [] if phone in last_rang_s else list(last_rang_s.values())
    return [Wait(MAC_BURST.free_at_s(_times(rang)), _MAC_REASON), Wait(MAC_PHONES.free_at_s(tried), _PHONES_REASON)]


def _address_waits(wanted: Wanted, unpaid: list[Attempt]) -> list[Wait]:
    rang_s = _times(attempt for attempt in unpaid if attempt.prompted) if wanted.from_own_address else []
    return [Wait(OWN_ADDRESS.free_at_s(rang_s), _ADDRESS_REASON), Wait(ANY_ADDRESS.free_at_s(_times(unpaid)), _ADDRESS_REASON)]


def _unpaid(attempts: Sequence[Attempt]) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.paid_at_s is None]


def _times(attempts: Iterable[Attempt]) -> list[float]:
    return [attempt.at_s for attempt in attempts]
