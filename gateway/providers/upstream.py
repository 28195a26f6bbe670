"""What may be asked of a provider at this moment: patience on reads, a circuit breaker, and the times that the provider asks for.

One `Upstream` for each account, one `Door` for each kind of question through it. Knows no provider and holds no connection; what it
knows is forgotten with the process. Nothing but a read is ever repeated: a second push is a second prompt on somebody's phone
(specification, decision 15).
"""

import logging
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from gateway.clock import Clock
from gateway.errors import GatewayError, KeysRejected, ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.providers.base import Circuit

T = TypeVar("T")

FAILURES_TO_OPEN = 5
"""Questions in a row without a usable answer: one lost packet or one bad minute of one server is no outage."""
OPEN_FIRST_S, OPEN_CAP_S = 15.0, 30.0
"""A hiccup costs a quarter of a minute of sales; after a long outage half a minute passes at most before somebody
notices its end, so that a lost push is found again within the minute of the contract ("Bounds")."""
PROBING_S = 2.0
"""What whoever comes while the one question of a half-open circuit is under way has to wait: a push is answered in that time."""

READ_TRIES = 3
PAUSE_FIRST_S = 0.5  # doubled each time, and shortened by up to half at random, so that many gateways do not ask in step
REPEAT_WITHIN_S = 4.0
"""No try of a read begins later than this after the first: a person may be waiting, and the poller asks again anyway."""

KEYS_REST_S = 60.0
"""How long rejected keys are not tried again. Changed keys are another account; one that is unlocked sells a minute later."""

_log = logging.getLogger(__name__)


class Line(Protocol):
    """What carries one request to the provider and brings the answer back."""

    async def exchange(self, method: str, endpoint: str, payload: Any, headers: dict[str, str]) -> dict[str, Any]:
        """The JSON object of a success. Raises ProviderUnreachable, ProviderRefused or PushOutcomeUnknown for the rest."""
        ...


class Upstream:
    """What is known about the provider of one account; `name` is what the log calls it.

    The circuit opens after five questions in a row without a usable answer: nothing is asked then. After 15 s one question is let
    through. When it is answered the circuit closes; else the pause doubles, up to 30 s. A time that the provider asks for
    (429 or 503 with Retry-After) is kept whatever the circuit says.
    """

    def __init__(self, name: str, clock: Clock, *, random_share: Callable[[], float] = random.random) -> None:
        self.name = name
        self.clock = clock
        self._random_share = random_share
        self._failures = 0
        self._pause_s = OPEN_FIRST_S
        self._probe_at_s: float | None = None
        """When an open circuit lets one question through, in monotonic seconds; None while it is closed."""
        self._probing = False
        self._not_before_s = clock.monotonic_s()
        """Until then the provider wants to hear nothing, in monotonic seconds."""

    @property
    def circuit(self) -> Circuit:
        """Whether the provider is asked at the moment; see `Provider.circuit`."""
        if self.clock.monotonic_s() < max(self._not_before_s, self._probe_at_s or 0.0):
            return Circuit.OPEN
        return Circuit.CLOSED if self._probe_at_s is None else Circuit.HALF_OPEN

    def seconds_to_wait(self) -> float:
        """How long nothing may be asked; 0 when the next question may go."""
        wait_s = max(self._not_before_s, self._probe_at_s or 0.0) - self.clock.monotonic_s()
        return max(wait_s, PROBING_S if self._probing else 0.0, 0.0)

    def pause_s(self, tries: int) -> float:
        """How long to wait before a read that failed that many times is tried again."""
        return float(PAUSE_FIRST_S * 2 ** (tries - 1) * (1 - self._random_share() / 2))

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask one question, now that it may be asked, and learn from how it ends; raises what it raises."""
        probe = self._probe_at_s is not None
        self._probing = self._probing or probe
        try:
            answer = await question()
        except GatewayError as fault:
            self._learn(fault, probe=probe)
            raise
        else:
            self._answered()
            return answer
        finally:
            if probe:
                self._probing = False

    def hear(self) -> None:
        """The provider has spoken to us: if the circuit is open, the next question goes through."""
        if self._probe_at_s is not None:
            self._probe_at_s = self.clock.monotonic_s()

    def _learn(self, fault: GatewayError, *, probe: bool) -> None:
        if fault.retry_after_s is not None:
            self._not_before_s = max(self._not_before_s, self.clock.monotonic_s() + fault.retry_after_s)
            self._tell(logging.WARNING, "throttled", f"wants to hear nothing for {fault.retry_after_s} s")
        if isinstance(fault, ProviderRefused):
            self._answered()
        elif isinstance(fault, ProviderUnreachable | PushOutcomeUnknown):
            self._failed(fault, probe=probe)

    def _answered(self) -> None:
        self._failures = 0
        if self._probe_at_s is not None:
            self._probe_at_s, self._pause_s = None, OPEN_FIRST_S
            self._tell(logging.INFO, "circuit_closed", "answers again")

    def _failed(self, fault: GatewayError, *, probe: bool) -> None:
        self._failures += 1
        if self._probe_at_s is None and self._failures >= FAILURES_TO_OPEN:
            self._tell(logging.WARNING, "circuit_opened", f"is not asked for {self._pause_s:g} s: {fault}")
        elif probe:
            self._pause_s = min(2 * self._pause_s, OPEN_CAP_S)
        else:
            return  # too few yet, or it was under way already when the circuit opened
        self._probe_at_s = self.clock.monotonic_s() + self._pause_s

    def _tell(self, level: int, action: str, what: str) -> None:
        _log.log(level, "%s %s", self.name, what, extra={"action": action})


class Door:
    """A `Line` with discipline: what may be repeated is, and what would be in vain is not asked.

    `tries` is how often one request may be sent, `closed` the sentence for whoever comes while nothing may be asked. Rejected keys
    are remembered for each door alone: keys that may read and not sell are possible.
    """

    def __init__(self, line: Line, upstream: Upstream, *, tries: int, closed: str) -> None:
        self._line = line
        self._upstream = upstream
        self._tries = tries
        self._closed = closed
        self._rejection: str | None = None
        self._rejected_until_s = 0.0

    async def exchange(self, method: str, endpoint: str, payload: Any, headers: dict[str, str]) -> dict[str, Any]:
        """See `Line`. Also raises ProviderUnreachable and KeysRejected with nothing sent, when asking would be in vain."""
        began_s, tries = self._now_s, 0
        while True:
            self.admit()
            tries += 1
            try:
                return await self._ask(lambda: self._line.exchange(method, endpoint, payload, headers))
            except ProviderUnreachable:
                pause_s = self._upstream.pause_s(tries)
                too_late = self._now_s + pause_s - began_s > REPEAT_WITHIN_S
                if tries >= self._tries or too_late or self._upstream.seconds_to_wait() > 0:
                    raise
            await self._upstream.clock.sleep(pause_s)

    def admit(self) -> None:
        """Say whether the next request would be sent. Raises ProviderUnreachable and KeysRejected when it would be in vain."""
        wait_s = self._upstream.seconds_to_wait()
        if wait_s > 0:
            raise ProviderUnreachable(self._closed, retry_after_s=math.ceil(wait_s))
        if self._rejection is not None and self._now_s < self._rejected_until_s:
            raise KeysRejected(self._rejection)

    async def _ask(self, question: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        try:
            answer = await self._upstream.ask(question)
        except KeysRejected as fault:
            if self._rejection is None:
                _log.error("%s: %s", self._upstream.name, fault, extra={"action": "keys_rejected"})
            self._rejection, self._rejected_until_s = fault.message, self._now_s + KEYS_REST_S
            raise
        self._rejection = None
        return answer

    @property
    def _now_s(self) -> float:
        return self._upstream.clock.monotonic_s()
