"""Money that is to be given back: why it is owed, and where its refund stands.

Pure: no I/O, no clock, no logging. A debt stands beside the payment and changes nothing about it: what is paid stays paid, and a
grant that is let through after all lifts the debt. Every (state, event) cell is decided in `TRANSITIONS` or `IGNORED`; the others
only a bug can reach.

    due ──> requesting ──> requested ──> returned
     │ ^       │  │            └───────> declined
     │ └───────┘  └──> unknown ──> requested      no answer: it is looked up, never requested again
     └──> lifted      served after all

A request is money that moves once: `requesting` is written before the provider is asked.
"""

from dataclasses import dataclass
from enum import Enum

from gateway.access import Grant, GrantState
from gateway.identity import Money
from gateway.payments import IllegalTransition, Payment, PaymentState


class DebtState(Enum):
    """Where a debt stands."""

    DUE = "due"
    """Nobody has asked the provider to give the money back."""
    LIFTED = "lifted"
    """The customer was let through after all."""
    REQUESTING = "requesting"
    """The provider is being asked: written before the call, so that a crash in mid-call is seen afterwards."""
    UNKNOWN = "unknown"
    """No answer to the request: the provider may have it."""
    REQUESTED = "requested"
    """The provider has the request, and decides."""
    RETURNED = "returned"
    DECLINED = "declined"
    """The provider does not give it back."""


class DebtEvent(Enum):
    """What can happen to a debt."""

    SERVED = "served"
    """The router lets the device through, late."""
    REQUEST = "request"
    """We are about to ask the provider."""
    REJECTED = "rejected"
    """The provider refused to take the request, or it never left us."""
    NO_ANSWER = "no_answer"
    """It was sent and no usable answer came."""
    ACCEPTED = "accepted"
    """The provider has the request."""
    RETURNED = "returned"
    DECLINED = "declined"


class Why(Enum):
    """Why the money is owed."""

    UNDELIVERED = "undelivered"
    """Paid, and not let through within the configured time."""
    REVOKED = "revoked"
    """Paid, and taken back by the operator before anybody passed."""
    DISPUTED = "disputed"
    """Paid, but not what was asked for: nothing was granted."""
    SURPLUS = "surplus"
    """A link that was paid once more."""


_S, _E = DebtState, DebtEvent

TRANSITIONS: dict[tuple[DebtState, DebtEvent], DebtState] = {
    (_S.DUE, _E.SERVED): _S.LIFTED,
    (_S.DUE, _E.REQUEST): _S.REQUESTING,
    (_S.REQUESTING, _E.ACCEPTED): _S.REQUESTED,
    (_S.REQUESTING, _E.REJECTED): _S.DUE,  # nothing was asked: it may be asked again
    (_S.REQUESTING, _E.NO_ANSWER): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ACCEPTED): _S.REQUESTED,
    (_S.REQUESTED, _E.RETURNED): _S.RETURNED,
    (_S.REQUESTED, _E.DECLINED): _S.DECLINED,
}
"""Every cell that changes something."""

IGNORED: frozenset[tuple[DebtState, DebtEvent]] = frozenset(
    {
        *((state, _E.SERVED) for state in _S if state is not _S.DUE),  # a refund that was asked for is not taken back
        (_S.REQUESTED, _E.ACCEPTED),  # still being decided
    }
)
"""Every cell that is expected and changes nothing."""


def advance(state: DebtState, event: DebtEvent) -> DebtState:
    """The state after the event. Raises IllegalTransition for a cell that only a bug can reach."""
    if (state, event) in IGNORED:
        return state
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"a debt that is {state.value} cannot meet {event.value}") from None


@dataclass(frozen=True, slots=True)
class Debt:
    """What is owed back for one invoice. Times are seconds since 1970 in UTC."""

    id: str
    payment_id: str
    owner_id: int
    invoice_id: str | None
    """None where the provider's invoice is not known: then no program can ask for a refund."""
    why: Why
    due_since_s: float
    updated_at_s: float
    state: DebtState = DebtState.DUE
    amount: Money | None = None
    """What was asked back; None until then."""
    requested_at_s: float | None = None
    refund_id: str | None = None
    """The provider's name for the request."""
    provider_state: str | None = None
    """The provider's own word, as last received."""
    refusal: str | None = None
    """Why the provider took no request, the last time it was asked."""
    version: int = 0
    """Rises with every write."""

    @property
    def is_open(self) -> bool:
        """Whether the customer waits for money, or for the time."""
        return self.state not in {DebtState.LIFTED, DebtState.RETURNED}


def why_owed(payment: Payment, grant: Grant | None) -> Why | None:
    """Why the money of a payment is owed back if nothing else happens; None for one that was not paid, or was served.

    An operator who takes back what nobody has used yet keeps money for nothing: that is owed at once, whatever his reason. Taking
    back time that has begun is his decision alone.
    """
    if payment.state is PaymentState.DISPUTED:
        return Why.DISPUTED
    if payment.state is not PaymentState.PAID or grant is None or grant.was_served:
        return None
    return Why.REVOKED if grant.state is GrantState.REVOKED else Why.UNDELIVERED
