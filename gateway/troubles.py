"""What keeps payments from being settled: said aloud once, and tried again ever more seldom.

Owns the memory of it, which a restart may forget; decides nothing about any payment.
"""

import logging
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import GatewayError, KeysRejected, ProviderUnreachable
from gateway.payments import Payment

log = logging.getLogger(__name__)

UNREAD_S = 30.0
"""How soon a payment is asked about again whose state could not be read, however old it is: the poller's rhythm alone may take an
hour, and no answer does not mean that nothing has changed. While the circuit is open this costs nothing."""

_REMEMBERED = 1_000  # payments that could not be read, and sentences that were said; past that they are forgotten in bulk

Told = tuple[object, ...]
"""What a sentence of the log was about: a payment, an account, a word that was said of a payment."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A payment whose state could not be read, by the poller or after a webhook; both in monotonic seconds."""

    since_s: float
    again_at_s: float


class Troubles:
    """Of the payments that could not be read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unread: dict[str, Unread] = {}
        """By payment id."""
        self._told: set[Told] = set()

    def note(self, payment_id: str, fault: GatewayError) -> None:
        """A payment could not be read. The pauses double: what cannot be read all day comes down to the poller's rhythm."""
        now_s = self._clock.monotonic_s()
        since_s = self._unread[payment_id].since_s if payment_id in self._unread else now_s
        if len(self._unread) >= _REMEMBERED:
            self._unread.clear()
        self._unread[payment_id] = Unread(since_s, now_s + max(UNREAD_S, fault.retry_after_s or 0, now_s - since_s))

    def again_at_s(self, payment_id: str) -> float:
        """When a payment that could not be read is to be asked about again, in monotonic seconds; infinity for any other."""
        unread = self._unread.get(payment_id)
        return float("inf") if unread is None else unread.again_at_s

    def over(self, payment: Payment) -> None:
        """The payment could be read, and so could any other of its account."""
        self._unread.pop(payment.id, None)
        self._told -= {_payment_of(payment), _account_of(payment)}

    def tell(self, payment: Payment, fault: GatewayError, action: str) -> None:
        """Say that a payment could not be settled: aloud once, and then at DEBUG until its question is answered.

        What keeps every payment of an account from being asked about is told once for all of them: an outage is one trouble.
        """
        level = logging.WARNING if self.is_new(_trouble(payment, fault)) else logging.DEBUG
        ids = {"action": action, "payment": payment.id}
        log.log(level, "the payment could not be settled yet: %s", fault, extra=ids)

    def is_new(self, told: Told) -> bool:
        """Whether that is to be said: the first time it is."""
        if told in self._told:
            return False
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told.add(told)
        return True


def _trouble(payment: Payment, fault: GatewayError) -> Told:
    """Whose trouble it is that the provider cannot be asked."""
    is_the_accounts = isinstance(fault, ProviderUnreachable | KeysRejected) or fault.retry_after_s is not None
    return _account_of(payment) if is_the_accounts else _payment_of(payment)


def _account_of(payment: Payment) -> Told:
    return ("account", payment.owner_id, payment.credential_id)


def _payment_of(payment: Payment) -> Told:
    return ("payment", payment.id)
