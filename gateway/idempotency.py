"""The same request twice is done once: what an `Idempotency-Key` promises (contract, "HTTP").

A key is bound to its payment in the transaction that records it, so that there is no moment at which a payment exists and its key
is not known. The answer is kept beside it, and survives a restart. Died the daemon in between, the payment is found and answered
with as it stands; nothing is ever sent twice. Knows nothing of HTTP but the number of a status.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from gateway.clock import Clock
from gateway.errors import Code, GatewayError, NotStored, ProviderRefused, PushOutcomeUnknown, Unprocessable
from gateway.payments import Payment, PaymentState
from gateway.store import idempotency as key_rows
from gateway.store import payments as payment_rows
from gateway.store.database import Database, Transaction, Work
from gateway.store.idempotency import Claim, Kept

KEEP_S = 86_400
"""How long a key is remembered: a day is what integrators know from other payment APIs (facts, reliability A2)."""

_LASTING = frozenset({Code.INVALID, Code.REFUSED})
"""Failures that are answers. The others say "not now": repeating them would make a wall of what a retry can get through."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body in JSON."""

    status: int
    body: str
    replayed: bool = False
    """It is the answer of an earlier request."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How an operation puts its answers."""

    of_payment: Callable[[Payment], Answer]
    """How a payment stands: for one whose own answer was never given."""
    of_fault: Callable[[GatewayError], Answer]


class Idempotency:
    """Runs each keyed request once."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    async def once(self, claim: Claim, work: Callable[[], Awaitable[Answer]], voice: Voice) -> Answer:
        """The answer of `work`, or that of the first request with this key; whoever comes while the first still runs waits for it.

        `work` records its payment together with the claim. Raises Unprocessable for a key that came with something else before,
        and what `work` raises: that gives the key back, unless it is kept as the answer or the outcome is not known.
        """
        async with self._turns.setdefault((claim.owner_id, claim.key), asyncio.Lock()):
            found = await self._db.read(lambda tx: self._find(tx, claim))
            if found is None:
                return await self._first(claim, work, voice)
            return _again(claim, *found, voice)

    async def _first(self, claim: Claim, work: Callable[[], Awaitable[Answer]], voice: Voice) -> Answer:
        try:
            answer = await work()
        except PushOutcomeUnknown:
            raise  # the key goes on standing for the payment: the next request learns what became of it
        except GatewayError as fault:
            refusal = voice.of_fault(fault) if fault.code in _LASTING else None
            await self._note(lambda tx: self._keep(tx, claim, refusal) if refusal else self._release(tx, claim))
            raise
        await self._note(lambda tx: self._keep(tx, claim, answer))
        return answer

    async def _note(self, outcome: Work[None]) -> None:
        """Write it down for whoever asks again; on a disk that takes nothing he is told how the payment stands by then."""
        with contextlib.suppress(NotStored):
            await self._db.write(outcome)

    def _find(self, tx: Transaction, claim: Claim) -> tuple[Kept, Payment] | None:
        kept = key_rows.find(tx, claim, self._clock.wall_s() - KEEP_S)
        return (kept, payment_rows.get(tx, kept.payment_id)) if kept else None

    def _release(self, tx: Transaction, claim: Claim) -> None:
        """Give the key back, but for one whose payment goes on: a disk that did not take the answer to a push has not undone it."""
        found = self._find(tx, claim)
        if found is not None and found[1].state is PaymentState.REFUSED:
            key_rows.release(tx, claim)

    def _keep(self, tx: Transaction, claim: Claim, answer: Answer) -> None:
        key_rows.keep(tx, claim, answer.status, answer.body)
        key_rows.prune(tx, self._clock.wall_s() - KEEP_S)


def _again(claim: Claim, kept: Kept, payment: Payment, voice: Voice) -> Answer:
    """Answer a request whose key is known."""
    if kept.claim != claim:
        raise Unprocessable("This Idempotency-Key came with another request before: use a new key for a new payment")
    if kept.status is not None and kept.answer is not None:
        return Answer(kept.status, kept.answer, replayed=True)
    if payment.state is PaymentState.REFUSED:
        raise ProviderRefused(payment.failed_reason or "No payment was asked for: use a new key", payment_id=payment.id)
    return replace(voice.of_payment(payment), replayed=True)
