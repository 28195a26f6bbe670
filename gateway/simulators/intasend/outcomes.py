"""What can become of an STK prompt, as M-Pesa and IntaSend report it.

Owns the vocabulary of endings: result codes, their texts, and the delays with which they arrive. Knows no invoice and no clock.
"""

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

PROMPT_LIFE_S = 60.0
"""How long a prompt stays on a phone (facts, payments 2 "Prompt life")."""

REACTION_S = 5.0
"""How long a scripted customer looks at the prompt; the fastest that is seen in reality (facts, payments 6.4)."""

FAILED_REASONS = {
    "1": "The balance is insufficient for the transaction.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current subscriber",
    "1019": "Transaction expired",
    "1025": "An error occurred while sending a push request",
    "1032": "Request Cancelled by user.",
    "1037": "DS timeout user cannot be reached",
    "2001": "The initiator information is invalid.",
}
"""M-Pesa's result codes, which IntaSend hands on as strings, and their texts (facts, payments 2)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of state, `delay_s` seconds after the prompt was decided."""

    delay_s: float
    state: str
    failed_code: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one prompt; the constants of this class are the known ones.

    `value`, `currency` and `api_ref` replace what was ordered in everything that is reported afterwards: the wrong answers that
    the gateway must notice (facts, payments 4 "Known attack").
    """

    name: str
    steps: tuple[Step, ...]
    after_s: float = REACTION_S
    """Seconds from the prompt to the decision when the outcome is scripted; an `answer` decides at once."""
    shows_prompt: bool = True
    """Whether the phone shows anything at all."""
    receipt: bool = True
    """Whether `mpesa_reference` is filled once it is COMPLETE; in reality it sometimes never is (facts, payments 1.2)."""
    value: Decimal | None = None
    currency: str | None = None
    api_ref: str | None = None

    COMPLETE: ClassVar["Outcome"]
    COMPLETE_LATE: ClassVar["Outcome"]
    COMPLETE_WITHOUT_RECEIPT: ClassVar["Outcome"]
    WRONG_VALUE: ClassVar["Outcome"]
    WRONG_CURRENCY: ClassVar["Outcome"]
    WRONG_API_REF: ClassVar["Outcome"]
    CANCELLED: ClassVar["Outcome"]
    WRONG_PIN: ClassVar["Outcome"]
    NO_FUNDS: ClassVar["Outcome"]
    EXPIRED: ClassVar["Outcome"]
    UNREACHABLE: ClassVar["Outcome"]
    BUSY: ClassVar["Outcome"]
    NOT_SENT: ClassVar["Outcome"]
    STUCK: ClassVar["Outcome"]
    FAILED_THEN_COMPLETE: ClassVar["Outcome"]
    UNKNOWN_WORD: ClassVar["Outcome"]

    def after(self, seconds: float) -> "Outcome":
        """The same, decided that many seconds after the prompt when scripted."""
        return dataclasses.replace(self, after_s=seconds)


_PAID = (Step(0, "COMPLETE"),)


def _failed(name: str, code: str, *, after_s: float = REACTION_S, shows_prompt: bool = True) -> Outcome:
    return Outcome(name, (Step(0, "FAILED", code),), after_s, shows_prompt)


Outcome.COMPLETE = Outcome("complete", _PAID)
Outcome.COMPLETE_LATE = Outcome("complete_late", (Step(300, "COMPLETE"),))
Outcome.COMPLETE_WITHOUT_RECEIPT = Outcome("complete_without_receipt", _PAID, receipt=False)
Outcome.WRONG_VALUE = Outcome("wrong_value", _PAID, value=Decimal(1))
Outcome.WRONG_CURRENCY = Outcome("wrong_currency", _PAID, currency="UGX")
Outcome.WRONG_API_REF = Outcome("wrong_api_ref", _PAID, api_ref="API Request")
Outcome.CANCELLED = _failed("cancelled", "1032")
Outcome.WRONG_PIN = _failed("wrong_pin", "2001")
Outcome.NO_FUNDS = _failed("no_funds", "1")
Outcome.EXPIRED = _failed("expired", "1019", after_s=PROMPT_LIFE_S)
Outcome.UNREACHABLE = _failed("unreachable", "1037", after_s=PROMPT_LIFE_S, shows_prompt=False)
Outcome.BUSY = _failed("busy", "1001", after_s=0, shows_prompt=False)
Outcome.NOT_SENT = _failed("not_sent", "1025", after_s=0, shows_prompt=False)
Outcome.STUCK = Outcome("stuck", ())
Outcome.FAILED_THEN_COMPLETE = Outcome("failed_then_complete", (Step(0, "FAILED", "1037"), Step(30, "COMPLETE")))
Outcome.UNKNOWN_WORD = Outcome("unknown_word", (Step(0, "ON-HOLD"),))

OUTCOMES = {outcome.name: outcome for outcome in vars(Outcome).values() if isinstance(outcome, Outcome)}
"""Every known outcome by its name, for pages and command lines."""
