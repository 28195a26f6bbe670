"""What may become of a payment: the states, the events, and the table that joins them.

Pure: no I/O, no clock, no logging. `advance` is the only way from one state to the next; every (state, event) cell is decided in
`TRANSITIONS`, `IGNORED` or `ILLEGAL`, and an illegal one raises and changes nothing.

    new ──> pushing ──> pushed ──> paid          refused   no prompt was sent
             │  │         │  └───> failed        failed    the customer did not pay
             │  └─> unknown ─┴───> lapsed        lapsed    nobody ever told us
             └────> refused                      disputed  money came, but not what was asked for

The cells where money is lost elsewhere:

- lapsed, failed or refused + complete: the PIN came late. Paid, and the time is given.
- paid + anything: ignored. Nothing takes back what was paid.
- complete with a wrong amount, currency or reference: disputed. Nothing is granted, the operator is told.
- unknown: a prompt may be on a phone. It is looked up, never pushed again.
- a word that we do not know: no change, the operator is told.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from gateway.identity import Duration, IpAddress, MacAddress, Money, PhoneNumber


class PaymentState(Enum):
    """Where a payment stands."""

    NEW = "new"
    """Recorded; nothing has left the house."""
    PUSHING = "pushing"
    """The push is being sent: written before the call, so that a crash in mid-call is seen afterwards."""
    PUSHED = "pushed"
    """The provider took the push; the customer has not decided."""
    UNKNOWN = "unknown"
    """No answer to the push: money may move."""
    REFUSED = "refused"
    """By us or by the provider: no prompt was sent."""
    PAID = "paid"
    FAILED = "failed"
    """Cancelled, wrong PIN, no funds, phone off."""
    LAPSED = "lapsed"
    """No final word in time; still listened for."""
    DISPUTED = "disputed"
    """Complete, but with another amount, currency or reference than ours."""


class PaymentEvent(Enum):
    """What can happen to a payment."""

    REFUSE = "refuse"
    """We refuse before anything is sent."""
    PUSH = "push"
    """We are about to send the push."""
    ACCEPTED = "accepted"
    """The provider took the push."""
    REJECTED = "rejected"
    """The provider refused the push, or it never left us."""
    NO_ANSWER = "no_answer"
    """The push was sent and its answer lost, or the daemon died while sending."""
    WAITING = "waiting"
    """The provider says: not decided yet."""
    COMPLETE = "complete"
    """The provider says: paid, and amount, currency and reference are ours."""
    MISMATCH = "mismatch"
    """The provider says: paid, but amount, currency or reference are not ours."""
    FAIL = "fail"
    """The provider says: not paid."""
    UNRECOGNISED = "unrecognised"
    """The provider says something that we do not know."""
    GIVE_UP = "give_up"
    """We have waited long enough."""


class IllegalTransition(Exception):
    """An event that cannot happen in this state: a bug, not a fault. Nothing was changed."""


_S, _E = PaymentState, PaymentEvent

TRANSITIONS: dict[tuple[PaymentState, PaymentEvent], PaymentState] = {
    (_S.NEW, _E.REFUSE): _S.REFUSED,
    (_S.NEW, _E.PUSH): _S.PUSHING,
    # The answer to the push. A report can overtake it: the webhook of a fast customer.
    (_S.PUSHING, _E.ACCEPTED): _S.PUSHED,
    (_S.PUSHING, _E.REJECTED): _S.REFUSED,
    (_S.PUSHING, _E.NO_ANSWER): _S.UNKNOWN,
    (_S.PUSHING, _E.WAITING): _S.PUSHED,
    (_S.PUSHING, _E.COMPLETE): _S.PAID,
    (_S.PUSHING, _E.MISMATCH): _S.DISPUTED,
    (_S.PUSHING, _E.FAIL): _S.FAILED,
    (_S.PUSHED, _E.COMPLETE): _S.PAID,
    (_S.PUSHED, _E.MISMATCH): _S.DISPUTED,
    (_S.PUSHED, _E.FAIL): _S.FAILED,
    (_S.PUSHED, _E.GIVE_UP): _S.LAPSED,
    # A lost push that is found again.
    (_S.UNKNOWN, _E.ACCEPTED): _S.PUSHED,
    (_S.UNKNOWN, _E.WAITING): _S.PUSHED,
    (_S.UNKNOWN, _E.COMPLETE): _S.PAID,
    (_S.UNKNOWN, _E.MISMATCH): _S.DISPUTED,
    (_S.UNKNOWN, _E.FAIL): _S.FAILED,
    (_S.UNKNOWN, _E.GIVE_UP): _S.LAPSED,
    # Money that comes late is money all the same.
    (_S.REFUSED, _E.COMPLETE): _S.PAID,
    (_S.REFUSED, _E.MISMATCH): _S.DISPUTED,
    (_S.FAILED, _E.COMPLETE): _S.PAID,
    (_S.FAILED, _E.MISMATCH): _S.DISPUTED,
    (_S.LAPSED, _E.COMPLETE): _S.PAID,
    (_S.LAPSED, _E.MISMATCH): _S.DISPUTED,
    (_S.LAPSED, _E.FAIL): _S.FAILED,
}
"""Every cell that changes something."""

_REPORTS = (_E.WAITING, _E.COMPLETE, _E.MISMATCH, _E.FAIL, _E.UNRECOGNISED)
_ANSWERS = (_E.ACCEPTED, _E.REJECTED, _E.NO_ANSWER)

IGNORED: frozenset[tuple[PaymentState, PaymentEvent]] = frozenset(
    {
        # A final state outlives every later report, every late answer to the push, and every timer.
        *((state, event) for state in (_S.PAID, _S.DISPUTED) for event in (*_REPORTS, *_ANSWERS, _E.GIVE_UP)),
        *((state, event) for state in (_S.FAILED, _S.LAPSED) for event in (*_ANSWERS, _E.GIVE_UP, _E.WAITING, _E.UNRECOGNISED)),
        (_S.FAILED, _E.FAIL),
        *((_S.REFUSED, event) for event in (_E.WAITING, _E.FAIL, _E.UNRECOGNISED, _E.GIVE_UP)),
        (_S.REFUSED, _E.ACCEPTED),  # a link that is there all the same: it is closed, and money through it counts
        *((state, _E.UNRECOGNISED) for state in (_S.PUSHING, _S.PUSHED, _S.UNKNOWN)),
        (_S.PUSHED, _E.WAITING),
        (_S.PUSHED, _E.ACCEPTED),  # a report overtook the answer to the push
        (_S.PUSHED, _E.NO_ANSWER),  # the same, and the answer was lost
        (_S.PUSHED, _E.REJECTED),  # the same, and the provider contradicts itself: its report counts
        (_S.UNKNOWN, _E.NO_ANSWER),
        (_S.PUSHING, _E.GIVE_UP),  # the call has a deadline of its own
    }
)
"""Every cell that is expected and changes nothing."""

ILLEGAL: frozenset[tuple[PaymentState, PaymentEvent]] = frozenset(
    {
        *((_S.NEW, event) for event in (*_REPORTS, *_ANSWERS, _E.GIVE_UP)),  # nothing was sent, nobody can know of it
        *((state, event) for state in _S if state is not _S.NEW for event in (_E.REFUSE, _E.PUSH)),  # one payment, one push
        (_S.UNKNOWN, _E.REJECTED),  # its answer is lost for good
        *((_S.REFUSED, event) for event in (_E.REJECTED, _E.NO_ANSWER)),  # the answer came already
    }
)
"""Every cell that only a bug can reach."""


def advance(state: PaymentState, event: PaymentEvent) -> PaymentState:
    """The state after the event; the same state where the event is expected and changes nothing.

    Raises IllegalTransition for a cell that only a bug can reach.
    """
    if (state, event) in IGNORED:
        return state
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"a payment that is {state.value} cannot meet {event.value}") from None


WIRE_STATUS = {
    _S.NEW: "pending",
    _S.PUSHING: "processing",
    _S.PUSHED: "processing",
    _S.UNKNOWN: "processing",
    _S.REFUSED: "failed",
    _S.PAID: "completed",
    _S.FAILED: "failed",
    _S.LAPSED: "failed",
    _S.DISPUTED: "failed",
}
"""The four words of the specification ("Payment Status Transitions")."""


class PaymentKind(Enum):
    """How the customer is asked for the money. Both kinds live by the same table: making a link is its push."""

    PUSH = "push"
    """A prompt on the phone."""
    LINK = "link"
    """A page at the provider that anybody may pay, once."""


def wire_status(state: PaymentState, kind: PaymentKind) -> str:
    """The specification's word; a link that waits for its payer is still pending."""
    return "pending" if kind is PaymentKind.LINK and state in UNDECIDED else WIRE_STATUS[state]


def shown_as(status: str) -> list[tuple[PaymentState, PaymentKind | None]]:
    """Which states have that word on the wire; with a kind where only one kind has."""
    shown: list[tuple[PaymentState, PaymentKind | None]] = []
    for state in PaymentState:
        kinds = [kind for kind in PaymentKind if wire_status(state, kind) == status]
        shown += [(state, None)] if len(kinds) == len(PaymentKind) else [(state, kind) for kind in kinds]
    return shown


INTASEND = "instasend"
"""IntaSend as the specification spells it in its fields (specification, decision 5)."""

UNDECIDED = frozenset({_S.PUSHING, _S.PUSHED, _S.UNKNOWN})
"""A prompt is or may be on a phone."""

PUSH_OPEN_S = 600
"""How long a push without a final word keeps its phone from a second one: integrators allow another after ten minutes without
an answer; before that it would be a second prompt that can be paid as well (facts, payments 2)."""

LISTEN_S = 86_400
"""How long after the push the provider is asked: a day covers every late PIN and every outage of the uplink seen so far."""

NOT_FOUND_S = 600
"""How long a lost push may be missing from the provider's list before it counts as never sent (facts, payments 4)."""

LINK_LIFE_S = 86_400
"""How long a link can be paid: it is sent to somebody who pays when they come to it, at the price of the day."""

_LINK_RHYTHM_S = ((600, 10), (3_600, 60), (LINK_LIFE_S, 300))
"""Until which age a link is asked about, and how often: most are paid while whoever asked for them waits; the rest within minutes
of the webhook that did not come. Under four hundred questions in a link's life."""

_FIRST_CHECKS_S = (3, 6, 10, 15, 20, 30)
_PROMPT_LIFE_S = 180  # a prompt lives one to three minutes (facts, payments 2): until then every ten seconds
_LOST_PUSH_S = 900  # a lost push is to be found within a minute (contract, "Bounds"): until then every thirty seconds
_LONGEST_GAP_S = 3_600  # a late success is seen within the hour, for two dozen questions a day


def next_check_s(age_s: float, *, undecided: bool = True) -> float:
    """At which age, in seconds since the push, the provider is asked again.

    Follows the customer: close together while the prompt is on the phone, then ever more seldom. A payment that has failed is
    asked about a few more times, because money that comes late is money all the same.
    """
    if not undecided:
        return min(max(age_s * 1.5, age_s + 300), age_s + _LONGEST_GAP_S)
    for check_s in _FIRST_CHECKS_S:
        if check_s > age_s:
            return check_s
    if age_s < _PROMPT_LIFE_S:
        return age_s + 10
    if age_s < _LOST_PUSH_S:
        return age_s + 30
    return min(age_s * 1.3, age_s + _LONGEST_GAP_S)


def next_link_check_s(age_s: float) -> float:
    """At which age, in seconds since it was made, the provider is asked again about a link that is not paid."""
    return age_s + next((gap_s for until_s, gap_s in _LINK_RHYTHM_S if age_s < until_s), _LONGEST_GAP_S)


@dataclass(frozen=True, slots=True)
class Payment:
    """Our record of money asked for. Times are seconds since 1970 in UTC."""

    id: str
    owner_id: int
    router_id: int
    package_id: int
    phone: PhoneNumber
    amount: Money
    """What the customer is asked for: the package's price at that moment, or what the customer offered where that is refused."""
    duration: Duration
    """What is bought for it."""
    method: str
    provider: str
    api_ref: str
    """The unique reference under which the provider reports it: ours, and for a link the one that the provider gave it."""
    mac: MacAddress | None
    ip: IpAddress | None
    created_at_s: float
    updated_at_s: float
    state: PaymentState = PaymentState.NEW
    provider_payment_id: str | None = None
    invoice_id: str | None = None
    provider_state: str | None = None
    """The provider's own word, as last received."""
    receipt: str | None = None
    failed_code: str | None = None
    failed_reason: str | None = None
    pushed_at_s: float | None = None
    paid_at_s: float | None = None
    credential_id: int | None = None
    """The keys with which it was pushed; its state is read with the same."""
    version: int = 0
    """Rises with every write."""
    kind: PaymentKind = PaymentKind.PUSH
    link_id: str | None = None
    """The provider's id of the link."""
    link_url: str | None = None
    """Where the link is paid."""
    link_open: bool = False
    """Whether the link can still be paid at the provider, for all that we know."""
    asked_from: str | None = None
    """The address that asked, as limits count it."""

    @property
    def is_link(self) -> bool:
        """Whether it is paid through a page at the provider."""
        return self.kind is PaymentKind.LINK

    @property
    def provider_reference(self) -> str | None:
        """The provider's name for it: its invoice, and the link for as long as nobody has paid through it."""
        return self.invoice_id or self.link_id

    @property
    def status(self) -> str:
        """The specification's word for the state; a link that waits for its payer is still pending."""
        return wire_status(self.state, self.kind)

    def next_check_s(self, age_s: float) -> float:
        """At which age, in seconds since the push, the provider is asked about it again."""
        if self.is_link and self.is_undecided:
            return next_link_check_s(age_s)
        return next_check_s(age_s, undecided=self.is_undecided)

    @property
    def is_undecided(self) -> bool:
        """Whether a prompt is or may be on a phone."""
        return self.state in UNDECIDED

    def is_what_was_asked(self, value: Decimal | None, currency: str | None, api_ref: str | None) -> bool:
        """Whether money that came is the money that was asked for: amount, currency and reference, each exactly."""
        return value == self.amount.decimal and currency == self.amount.currency and api_ref == self.api_ref
