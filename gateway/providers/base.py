"""What the gateway needs of a payment provider, in its own words.

IntaSend is one module behind this interface; KopoKopo becomes a second one (specification, decision 14). A provider translates
the foreign vocabulary once, at its border, and decides nothing: what a report means for a payment is `gateway.payments`' business.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol

from gateway.identity import Money, PhoneNumber, Secret


class Environment(Enum):
    """Which of the provider's worlds a key belongs to; the two are never mixed."""

    SANDBOX = "sandbox"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """One owner's keys at a provider."""

    environment: Environment
    publishable_key: str
    secret_key: Secret
    webhook_challenge: Secret | None
    """What the provider puts into each webhook; without it every webhook is refused and polling alone carries the payments."""
    base_url: str | None
    """Another place than the provider's own, ending in a slash: a simulator."""


class Reported(Enum):
    """What the provider says about an invoice, in our words."""

    WAITING = "waiting"
    """Asked, sent or being processed: no decision yet."""
    PAID = "paid"
    FAILED = "failed"
    UNRECOGNISED = "unrecognised"
    """A word that we do not know: changes nothing, the operator is told."""


@dataclass(frozen=True, slots=True)
class PushOrder:
    """One prompt to put on one phone. `api_ref` is our own unique reference, `[A-Z0-9-]`, at most 40 characters."""

    phone: PhoneNumber
    amount: Money
    api_ref: str
    narrative: str


@dataclass(frozen=True, slots=True)
class InvoiceReport:
    """The provider's record of one payment, as it was when it was read."""

    invoice_id: str
    reported: Reported
    word: str
    """The provider's own word for the state, as received: `PENDING`, `COMPLETE`."""
    api_ref: str | None
    value: Decimal | None
    """What the payer was charged, in `currency`; to be compared with the price, unlike the net amount."""
    currency: str | None
    payment_id: str | None = None
    """The provider's second id: for IntaSend the UUID of the push's answer."""
    receipt: str | None = None
    """The M-Pesa receipt such as `TJRHC8IET4`; often late, sometimes never there."""
    failed_code: str | None = None
    failed_reason: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    """The answer for the event log, secrets removed and phone number masked."""


@dataclass(frozen=True, slots=True)
class WebhookHint:
    """What a webhook whose challenge was right hints at; never proof of anything."""

    invoice_id: str | None
    api_ref: str | None


class Provider(Protocol):
    """One owner's account at a payment provider."""

    async def push(self, order: PushOrder) -> InvoiceReport:
        """Put one prompt on the phone. Never call twice for one payment.

        Raises ProviderRefused (the provider said no), ProviderUnreachable (nothing was sent) or PushOutcomeUnknown (it may
        have been sent).
        """
        ...

    async def report(self, invoice_id: str) -> InvoiceReport:
        """Read the state of an invoice. Raises ProviderUnreachable or ProviderRefused; neither says anything about the money."""
        ...

    async def find(self, api_ref: str) -> InvoiceReport | None:
        """Look for a push whose answer was lost, by our own reference; None when the provider's list does not hold it.

        Raises like `report`: "not in the list" and "the list could not be read" are different things.
        """
        ...

    def read_webhook(self, body: bytes) -> WebhookHint | None:
        """The hint in a webhook body if its challenge is ours (compared in constant time), else None."""
        ...
