"""The errors of the gateway: one tree, each with a code that the web layer maps to an HTTP status in one table.

    GatewayError
    ├── Invalid             what was sent is wrong; the sender can mend it
    ├── Denied              who sent it is not known
    ├── Forbidden           who sent it may not do that
    ├── NotFound            it does not exist, or belongs to somebody else: the same answer
    ├── Conflict            it contradicts what is already under way
    ├── Unprocessable       the same idempotency key with another body
    ├── TooMany             too often; `retry_after_s` says when again
    ├── Unavailable         not now; nothing was asked of the customer
    │   ├── RouterUnreachable     the router does not answer, or answers nonsense
    │   ├── RouterFull            as many devices are online as the router may serve
    │   ├── RouterRefused         the router answers and says no
    │   ├── DeviceAbsent          the router does not see the phone (yet)
    │   └── ProviderUnreachable   the provider could not be asked; nothing was sent
    ├── NotStored           the disk takes no writes now; the database is as it was
    ├── ProviderRefused     the provider answered and said no
    │   └── KeysRejected          it does not accept the owner's keys
    ├── PushOutcomeUnknown  the push may or may not have reached the provider: never push again, look it up
    └── Internal            our fault
        └── EncryptionKeyMismatch a stored secret does not open with the configured key

An error says what is wrong and what to do, in one sentence that may be shown to the caller. What must not be shown goes to the log.
"""

from enum import Enum


class Code(Enum):
    """The kinds of failure that a caller can tell apart; `web.errors` maps each to one HTTP status."""

    INVALID = "invalid"
    DENIED = "denied"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNPROCESSABLE = "unprocessable"
    TOO_MANY = "too_many"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class GatewayError(Exception):
    """An expected failure: `message` may be shown to the caller, `payment_id` names the record it left behind, if any."""

    code = Code.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        payment_id: str | None = None,
        fields: dict[str, list[str]] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.payment_id = payment_id
        self.fields = fields
        self.retry_after_s = retry_after_s


class Invalid(GatewayError):
    """What was sent is wrong; `fields` says which part."""

    code = Code.INVALID


class Denied(GatewayError):
    """The sender is not known."""

    code = Code.DENIED


class Forbidden(GatewayError):
    """The sender is known, and may not do what he asks for."""

    code = Code.FORBIDDEN


class NotFound(GatewayError):
    """It does not exist, or it belongs to somebody else; the two are never told apart."""

    code = Code.NOT_FOUND


class Conflict(GatewayError):
    """It contradicts what is already under way."""

    code = Code.CONFLICT


class Unprocessable(GatewayError):
    """An idempotency key that came with another body before."""

    code = Code.UNPROCESSABLE


class TooMany(GatewayError):
    """Too often; `retry_after_s` says when again."""

    code = Code.TOO_MANY


class Unavailable(GatewayError):
    """What is asked for could not be delivered now; no prompt was sent and no money asked for."""

    code = Code.UNAVAILABLE


class RouterUnreachable(Unavailable):
    """The router does not answer in time, or the connection broke: whether the last command was executed is not known."""


class RouterFull(Unavailable):
    """As many devices are online as the router may serve: there would be no room for one more that has paid."""


class RouterRefused(Unavailable):
    """The router answered with a trap that no other attempt of ours will change (rights, licence, configuration)."""


class DeviceAbsent(Unavailable):
    """The router does not see the phone at the moment: it is asleep, has left, or has another MAC address."""


class ProviderUnreachable(Unavailable):
    """The provider could not be asked: nothing was sent, or a read got no usable answer."""


class NotStored(GatewayError):
    """The disk takes no writes now (full, read-only, worn out); the database is as it was."""

    code = Code.UNAVAILABLE


class ProviderRefused(GatewayError):
    """The provider refused, for a reason in `message`; no prompt was sent."""

    code = Code.REFUSED


class KeysRejected(ProviderRefused):
    """The provider does not accept the owner's keys: nothing can be sold until the owner changes them."""


class PushOutcomeUnknown(GatewayError):
    """A push was sent and its answer lost: a prompt may be on the phone. It is looked up, never repeated."""

    code = Code.REFUSED


class Internal(GatewayError):
    """Our fault; the message is fit to be shown, the detail is in the log."""


class EncryptionKeyMismatch(Internal):
    """A stored secret does not open with any configured key (specification, "Credential Decryption Issues")."""
