"""Webhook delivery as IntaSend does it (facts, payments 4): a challenge in the body, no signature, few retries, then silence.

Owns attempts, retries, the deactivation after too many failures, and the ways in which delivery goes wrong. Does not know what an
invoice is: it sends what it is given.
"""

import asyncio
from dataclasses import dataclass

import aiohttp

from gateway.clock import Clock
from gateway.simulators.intasend.shapes import Json

RETRY_AFTER_S = (300.0, 1200.0, 3600.0, 7200.0, 14_400.0)
"""Five more tries; the first two delays are documented, the others go on growing (facts, payments 4 "Delivery")."""

FAILURES_TOLERATED = 20
"""More consecutive failures than this deactivate the endpoint, and only support turns it on again."""

REQUEST_TIMEOUT_S = 30.0
"""Not documented; one operator's runbook assumes it."""

_FINAL = ("COMPLETE", "FAILED")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was made: `status` is None when no answer came."""

    body: Json
    status: int | None

    @property
    def accepted(self) -> bool:
        """Whether the receiver said 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP


class Webhooks:
    """Sends each body to `url`; the public attributes are the knobs, and all may be turned at any time."""

    def __init__(self, clock: Clock, challenge: str, url: str | None) -> None:
        self.url = url
        self.challenge: str | None = challenge
        """What goes into each body; another text or None (no such key) is what a forger sends."""
        self.copies = 1
        self.delay_s = 0.0
        self.reorder = False
        """Whether what was sent before an invoice's outcome arrives after it."""
        self.nested = False
        """Whether the invoice comes inside `invoice`, as some integrators expect; production is flat."""
        self.retry_after_s: tuple[float, ...] = RETRY_AFTER_S
        self.active = True
        """Turns False after too many consecutive failures; set True to be the support desk."""
        self.attempts: list[Attempt] = []
        self._failures = 0
        self._held: dict[str, list[Json]] = {}
        self._clock = clock
        self._client: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, body: Json) -> None:
        """Deliver in the background, as the knobs say."""
        if self.url is None:
            return
        bodies = self._in_order(body)
        for _ in range(self.copies):
            task = asyncio.get_running_loop().create_task(self._deliver_all(bodies))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up whatever is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client:
            await self._client.close()
            self._client = None

    def _in_order(self, body: Json) -> list[Json]:
        if not self.reorder:
            return [body]
        if body["state"] in _FINAL:
            return [body, *self._held.pop(body["invoice_id"], [])]
        self._held.setdefault(body["invoice_id"], []).append(body)
        return []

    async def _deliver_all(self, bodies: list[Json]) -> None:
        for body in bodies:
            await self._deliver(body)

    async def _deliver(self, body: Json) -> None:
        for wait_s in (self.delay_s, *self.retry_after_s):
            await self._clock.sleep(wait_s)
            if not self.active or await self._attempt(body):
                return

    async def _attempt(self, body: Json) -> bool:
        attempt = Attempt(body, await self._post(self._dressed(body)))
        self.attempts.append(attempt)
        self._failures = 0 if attempt.accepted else self._failures + 1
        if self._failures > FAILURES_TOLERATED:
            self.active = False
        return attempt.accepted

    def _dressed(self, body: Json) -> Json:
        challenge = {} if self.challenge is None else {"challenge": self.challenge}
        return {"invoice": body, **challenge} if self.nested else {**body, **challenge}

    async def _post(self, body: Json) -> int | None:
        if self.url is None:
            return None
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S))
        try:
            async with self._client.post(self.url, json=body) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return None
