"""What the providers were asked and what they said, kept for good ("Log all API responses", specification, decision 16).

What a provider hands over has no secrets in it any more. What is waiting is stored in one write, and an answer that says nothing
new is stored once a minute: an SD card wears by each write, and a payment that waits for its PIN is asked about all the time.
"""

import json
import logging
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import NotStored
from gateway.providers.base import Exchange
from gateway.scheduler import Scheduler
from gateway.store import events
from gateway.store import payments as payment_rows
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

KIND = "provider.exchange"

SAME_AGAIN_S = 60.0
"""How often the same answer to the same question is stored: a still pending payment, a provider that is still down."""
RETRY_S = 30.0
"""When a disk that took no writes is tried again: what it lacks needs a person, or half a minute."""
WAITING_MAX = 500
"""Exchanges held for such a disk, of about 2 kB each; what is older is let go, the debug log had it."""

_REMEMBERED = 1_000  # questions whose last answer is kept; past that the old ones are forgotten, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class _Ended:
    owner_id: int
    exchange: Exchange
    at_s: float


class Exchanges:
    """The job that stores exchanges."""

    name = "exchanges"

    def __init__(self, db: Database, clock: Clock, scheduler: Scheduler) -> None:
        self._db = db
        self._clock = clock
        self._scheduler = scheduler
        self._waiting: list[_Ended] = []
        self._last: dict[tuple[int, str, str], tuple[str, float]] = {}
        """What was answered last and when it was stored, in monotonic seconds, by owner, request and body."""

    def take(self, owner_id: int, exchange: Exchange) -> None:
        """Have an exchange of this owner's account stored, unless the same was stored within the last minute."""
        if self._is_new(owner_id, exchange):
            self._waiting = [*self._waiting[1 - WAITING_MAX :], _Ended(owner_id, exchange, self._clock.wall_s())]
            self._scheduler.wake(self.name)

    async def run_once(self) -> float | None:
        """Store what is waiting, in one write."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return None
        try:
            await self._db.write(lambda tx: _store(tx, batch))
        except NotStored:  # told in the log
            self._waiting = [*batch, *self._waiting][-WAITING_MAX:]
            return RETRY_S
        return None

    def _is_new(self, owner_id: int, exchange: Exchange) -> bool:
        now_s = self._clock.monotonic_s()
        question = (owner_id, exchange.request, json.dumps(exchange.sent, sort_keys=True))
        answer = f"{exchange.outcome} {exchange.word}"
        told, at_s = self._last.get(question, ("", now_s))
        if told == answer and now_s - at_s < SAME_AGAIN_S:
            return False
        if len(self._last) >= _REMEMBERED:
            self._last = {key: (said, at_s) for key, (said, at_s) in self._last.items() if now_s - at_s < SAME_AGAIN_S}
        self._last[question] = (answer, now_s)
        return True


def _store(tx: Transaction, batch: list[_Ended]) -> None:
    for ended in batch:
        exchange = ended.exchange
        payment = payment_rows.hinted(tx, ended.owner_id, api_ref=exchange.api_ref, invoice_id=exchange.invoice_id)
        data = {
            "request": exchange.request,
            "sent": exchange.sent,
            "outcome": exchange.outcome,
            "answer": exchange.answer,
            "api_ref": exchange.api_ref,
            "invoice_id": exchange.invoice_id,
        }
        events.append(tx, KIND, ended.at_s, owner_id=ended.owner_id, payment_id=payment.id if payment else None, data=data)
