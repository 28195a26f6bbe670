"""What the gateway needs of a payment provider, in its own words.

IntaSend is one module behind this interface; KopoKopo becomes a second one (specification, decision 14). A provider translates
the foreign vocabulary once, at its border, and decides nothing: what a report means for a payment is `gateway.payments`' business.
"""

from collections.abc import Callable
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


class Circuit(Enum):
    """Whether a provider is asked at the moment."""

    CLOSED = "closed"
    """As usual."""
    HALF_OPEN = "half_open"
    """It was not reachable; the next question finds out whether it is again."""
    OPEN = "open"
    """Not now: it was not reachable, or has asked us to wait."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to the provider and what came of it, as it may be kept: secrets removed, phone numbers masked."""

    request: str
    """Method and path."""
    sent: dict[str, Any]
    """The body, empty when there was none."""
    outcome: int | str
    """The HTTP status, or the kind of fault that left none."""
    answer: dict[str, Any]
    """The JSON object that came back; of a list its length only, because it may speak of other customers."""
    api_ref: str | None = None
    invoice_id: str | None = None
    word: str | None = None
    """The provider's own word for the state of the one invoice that it is about."""


Recorder = Callable[[Exchange], None]
"""Is told of each exchange that has ended; returns at once and never raises."""


class Witness(Protocol):
    """Hears what a provider's server lets us know about the time: it has a clock that is right, most probably."""

    def hear_date(self, date_s: float) -> None:
        """Its clock shows that moment, in seconds since 1970. Only said of a server whose certificate was verified."""
        ...

    def hear_certificate(self) -> None:
        """Its certificate is not valid yet, or not any more, by our machine's clock."""
        ...


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
    payer: PhoneNumber | None = None
    """The phone that was asked; None where it was no phone, or no Kenyan one."""
    created_at_s: float | None = None
    """When the provider recorded it, in seconds since 1970 by the provider's clock."""


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """One page to be paid once, for exactly this amount."""

    title: str
    """What the payer reads that it is for."""
    amount: Money
    return_url: str
    """Where the payer is sent after paying. Unique, so that a link whose answer was lost can be found by it."""


@dataclass(frozen=True, slots=True)
class LinkReport:
    """The provider's record of a link."""

    link_id: str
    url: str
    """Where it is paid."""
    api_ref: str
    """The reference that every payment through it carries."""
    return_url: str | None = None
    """Where the payer is sent after paying."""
    raw: dict[str, Any] = field(default_factory=dict)
    """The answer for the event log, secrets removed."""


@dataclass(frozen=True, slots=True)
class WebhookHint:
    """What a webhook whose challenge was right hints at; never proof of anything."""

    invoice_id: str | None
    api_ref: str | None


class LinkProvider(Protocol):
    """The payment links of one owner's account."""

    async def create(self, order: LinkOrder) -> LinkReport:
        """Make a link. Never call twice for one payment.

        Raises ProviderRefused, ProviderUnreachable (there is none) or PushOutcomeUnknown (there may be one; nobody has its
        address).
        """
        ...

    async def close(self, link_id: str) -> None:
        """Let nobody pay through it any more. Raises ProviderUnreachable or ProviderRefused; closing twice is harmless."""
        ...

    async def find(self, return_url_end: str) -> LinkReport | None:
        """Look for a link whose answer was lost by the end of its `return_url`; None when the provider's list does not hold it.

        Raises ProviderUnreachable or ProviderRefused, also when the list could not be read to its end.
        """
        ...

    async def behind(self, api_ref: str) -> LinkReport | None:
        """The link whose payments carry that reference; None for a reference that is no link's, and nobody is asked then.

        Raises ProviderUnreachable or ProviderRefused, also for a link that the provider does not know.
        """
        ...

    async def payments(self, api_ref: str) -> list[InvoiceReport]:
        """Every payment that was ever begun through the link with that reference, oldest first. Raises like `find`."""
        ...


class Refunding(Enum):
    """What the provider says about a request for a refund, in our words."""

    WAITING = "waiting"
    RETURNED = "returned"
    DECLINED = "declined"
    UNRECOGNISED = "unrecognised"
    """A word that we do not know: changes nothing, the operator is told."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money to be given back: of one invoice, at most what was paid by it."""

    invoice_id: str
    amount: Money
    details: str
    """For the provider's people, who decide."""


@dataclass(frozen=True, slots=True)
class RefundReport:
    """The provider's record of a request for a refund."""

    refund_id: str
    invoice_id: str
    refunding: Refunding
    word: str
    """The provider's own word for the state, as received."""
    raw: dict[str, Any] = field(default_factory=dict)
    """The answer for the event log, secrets removed and phone number masked."""


class RefundProvider(Protocol):
    """Asking back what was paid into one owner's account."""

    async def request(self, order: RefundOrder) -> RefundReport:
        """Ask for it. Never call twice for one invoice.

        Raises ProviderRefused, ProviderUnreachable (nothing was asked) or PushOutcomeUnknown (the provider may have it).
        """
        ...

    async def report(self, refund_id: str, invoice_id: str) -> RefundReport:
        """How a request stands. Raises ProviderUnreachable or ProviderRefused; neither says anything about the money."""
        ...

    async def listed(self) -> list[RefundReport]:
        """Every request that the provider has, whoever made it.

        Raises like `report`, also when the list could not be read to its end: half a list says nothing about what is not in it.
        """
        ...


class InvoiceList(Protocol):
    """Every payment that was ever begun at one owner's account, whoever asked for it."""

    async def since(self, at_s: float) -> list[InvoiceReport]:
        """All that were recorded since that moment by the provider's clock, newest first, and those of which it says no moment.

        Raises ProviderUnreachable or ProviderRefused, also when the list could not be read that far: half a list says nothing
        about what is not in it.
        """
        ...


class Provider(Protocol):
    """One owner's account at a payment provider."""

    @property
    def invoices(self) -> InvoiceList:
        """The provider's own books: what our database is compared with."""
        ...

    @property
    def links(self) -> LinkProvider:
        """The account's payment links."""
        ...

    @property
    def refunds(self) -> RefundProvider:
        """How money is asked back."""
        ...

    @property
    def circuit(self) -> Circuit:
        """Whether it is asked at the moment. While it is not, everything that would ask raises ProviderUnreachable at once."""
        ...

    def admit_push(self) -> None:
        """Say now what `push` would say without asking the provider; returns when it would ask.

        Raises ProviderUnreachable while the circuit is open, and KeysRejected for keys that were rejected a moment ago.
        """
        ...

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
