"""Where a payment stands for the customer who looks at it: the states of payment, grant and router, as one word.

Pure. What a state means is decided by the rules; here is only which page tells it.
"""

from enum import Enum

from gateway.access import is_used_up
from gateway.debts import why_owed
from gateway.payments import PaymentState
from gateway.settlement import Standing


class Phase(Enum):
    """One page each, or one paragraph."""

    WAITING = "waiting"
    """The prompt is on the phone."""
    UNKNOWN = "unknown"
    """The push's answer was lost: it is being looked up."""
    REFUSED = "refused"
    """No prompt was sent."""
    FAILED = "failed"
    LAPSED = "lapsed"
    """Nobody ever told us."""
    DISPUTED = "disputed"
    """Money came, but not what was asked for."""
    OPENING = "opening"
    """Paid, and the router is being told."""
    BLOCKED = "blocked"
    """Paid, and the router does not answer."""
    UNCLAIMED = "unclaimed"
    """Paid, and no device is known or seen."""
    ONLINE = "online"
    OVER = "over"
    WITHDRAWN = "withdrawn"
    """Taken back by the seller before anybody used it: its money is owed back."""

    @property
    def moves(self) -> bool:
        """Whether something is going to happen by itself that is worth watching."""
        return self in _MOVING

    @property
    def is_asked_about(self) -> bool:
        """Whether a prompt is or may be on the phone."""
        return self in {Phase.WAITING, Phase.UNKNOWN}


_MOVING = frozenset({Phase.WAITING, Phase.UNKNOWN, Phase.LAPSED, Phase.OPENING, Phase.BLOCKED, Phase.UNCLAIMED})

_UNPAID = {
    PaymentState.NEW: Phase.WAITING,
    PaymentState.PUSHING: Phase.WAITING,
    PaymentState.PUSHED: Phase.WAITING,
    PaymentState.UNKNOWN: Phase.UNKNOWN,
    PaymentState.REFUSED: Phase.REFUSED,
    PaymentState.FAILED: Phase.FAILED,
    PaymentState.LAPSED: Phase.LAPSED,
    PaymentState.DISPUTED: Phase.DISPUTED,
}
"""As long as nothing was bought."""


def phase_of(standing: Standing, now_s: float, *, router_answers: bool) -> Phase:
    """Where the payment stands for its customer."""
    grant = standing.grant
    if grant is None:
        return _UNPAID.get(standing.payment.state, Phase.OPENING)
    if grant.is_on_its_way:
        return Phase.OPENING if router_answers else Phase.BLOCKED
    if grant.is_unclaimed:
        return Phase.UNCLAIMED
    if why_owed(standing.payment, grant) is not None:
        return Phase.WITHDRAWN
    return Phase.OVER if grant.is_over or is_used_up(grant, now_s) else Phase.ONLINE


_REASONS = {"cancel": "1032", "insufficient": "1", "timeout": "1037", "initiator": "2001"}
"""What M-Pesa's texts contain, for a provider that leaves the code out (facts, payments 2)."""

_SAME = {"9999": "1025", "1036": "1037"}
"""Codes that mean the same to a customer (facts, payments 2)."""


def failure_code(code: str | None, reason: str | None) -> str | None:
    """The code under which the failure is explained; the text of the reason counts only where there is no code."""
    if code is not None:
        return _SAME.get(code, code)
    return next((found for part, found in _REASONS.items() if part in (reason or "").lower()), None)
