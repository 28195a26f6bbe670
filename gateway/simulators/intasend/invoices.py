"""The life of one invoice: created PENDING, PROCESSING when the prompt is sent, then its outcome.

Owns the time line and answers "what was it at that moment"; nothing has to run for a state to change. Does no I/O and reads no
clock: every moment is an argument, in monotonic seconds.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from gateway.simulators.intasend.outcomes import PROMPT_LIFE_S, Outcome

PROCESSING_AFTER_S = 2.0
"""From the push to the prompt on the phone (facts, payments 2: a production trace)."""

UNDECIDED = ("PENDING", "PROCESSING")
"""The states in which the customer has not spoken yet."""

CHARGE_RATE = Decimal("0.03")
"""IntaSend's fee on M-Pesa collections, taken from the merchant's part (facts, payments 1.2 "Charges")."""

_TICK_S = 1e-6
"""Sleeping until a moment may end a rounding error before it."""


@dataclass(frozen=True, slots=True)
class Change:
    """The invoice entered `state` at that moment."""

    at_s: float
    state: str
    failed_code: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands on a phone's screen and waits for a PIN."""

    invoice_id: str
    phone: str
    amount: Decimal
    currency: str
    narrative: str
    shown_s: float
    """Monotonic seconds at which it appeared."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a merchant, or a payment page in his name, asks a phone for."""

    phone: str
    amount: Decimal
    api_ref: str
    narrative: str = ""
    currency: str = "KES"
    page_id: str | None = None
    """The payment link or hosted checkout through which it is paid, if it is one."""


@dataclass(slots=True)
class Invoice:
    """IntaSend's record of one payment."""

    invoice_id: str
    """Seven characters: what status is read by."""
    payment_id: str
    """A UUID: the `id` at the top of the push's answer."""
    customer_id: str
    receipt: str
    """The M-Pesa receipt that it gets if it is ever complete."""
    order: Order
    created_s: float
    created_wall_s: float
    host: str = "127.0.0.1"
    outcome: Outcome | None = None
    """What was decided or is scripted; None while it is up to the customer."""
    changes: list[Change] = field(default_factory=list)
    prompt_closes_s: float = 0.0

    @property
    def prompt_opens_s(self) -> float:
        """When the prompt is on the phone, if it gets there."""
        return self.created_s + PROCESSING_AFTER_S

    def begin(self, scripted: Outcome | None) -> None:
        """Lay out its life: with the scripted ending, or with a prompt that expires unless somebody answers it."""
        self.changes = [Change(self.created_s, "PENDING"), Change(self.prompt_opens_s, "PROCESSING")]
        ending = scripted or Outcome.EXPIRED
        self.decide(ending, self.prompt_opens_s + ending.after_s)
        self.prompt_closes_s = min(self.prompt_closes_s, self.prompt_opens_s + PROMPT_LIFE_S)
        self.outcome = scripted

    def decide(self, outcome: Outcome, at_s: float) -> list[Change]:
        """The prompt is decided at that moment; what was to come later no longer comes. Returns the changes that now will."""
        coming = [Change(at_s + step.delay_s, step.state, step.failed_code) for step in outcome.steps]
        self.changes = [change for change in self.changes if change.at_s <= at_s] + coming
        self.prompt_closes_s = at_s if outcome.shows_prompt else self.created_s
        self.outcome = outcome
        return coming

    def change_at(self, now_s: float) -> Change:
        """The state at that moment and since when."""
        return next(change for change in reversed(self.changes) if change.at_s <= now_s + _TICK_S)

    def prompt_at(self, now_s: float) -> Prompt | None:
        """The prompt that is on the phone at that moment."""
        if not self.prompt_opens_s <= now_s + _TICK_S < self.prompt_closes_s:
            return None
        order = self.order
        return Prompt(self.invoice_id, order.phone, order.amount, order.currency, order.narrative, self.prompt_opens_s)

    def holds_the_line_at(self, now_s: float) -> bool:
        """Whether its prompt is on the phone or on its way: M-Pesa then refuses another one with 1001 (facts, payments 9)."""
        return now_s < self.prompt_closes_s

    def wall_s(self, at_s: float) -> float:
        """That monotonic moment as wall time."""
        return self.created_wall_s + at_s - self.created_s
