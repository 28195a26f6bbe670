"""Whether anything on the Internet can be reached from here: the evidence for an outage of the uplink.

Asks nothing but whether a TCP connection can be opened, at the places that the owner has named (`server.uplink_probe`); one that
answers is enough. Without any nothing is asked, and an uplink that is down is not noticed. That IntaSend fails is no evidence: its
servers can be down while the customers surf.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from gateway.compensation import Compensation
from gateway.config_values import Listen
from gateway.errors import NotStored
from gateway.outages import Cause, Outage, Span

log = logging.getLogger(__name__)

ASK_S = 30.0
"""How often it is asked while all is well: less than a megabyte a day, and the error at the beginning of an outage."""

ASK_AGAIN_S = 10.0
"""How often while nothing answers: the error at its end."""

DIAL_S = 8.0
"""How long a place may take: TCP repeats a lost SYN after 1, 3 and 7 s."""

Dial = Callable[[Listen], Awaitable[bool]]
"""Whether a connection to that place can be opened."""


async def dial(place: Listen) -> bool:
    """Open a TCP connection and close it again; whether that worked within `DIAL_S`."""
    try:
        async with asyncio.timeout(DIAL_S):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except OSError:  # TimeoutError and a name that cannot be looked up are OSErrors
        return False
    writer.close()
    return True


class Uplink:
    """The job that asks, and has what customers missed given back to those of every router."""

    name = "uplink"

    def __init__(
        self, places: Sequence[Listen], compensation: Compensation, router_ids: Callable[[], Iterable[int]], dial: Dial = dial
    ) -> None:
        self._places = places
        self._compensation = compensation
        self._router_ids = router_ids
        self._dial = dial
        self._answered_at_s: float | None = None
        """When a place last answered, in monotonic seconds."""
        self._is_down = False
        self._missed: list[Span] = []
        """Outages that are over and not given back yet, oldest first, in monotonic seconds."""

    async def run_once(self) -> float | None:
        """Ask; when it is up again after an outage, give back what that took."""
        if not self._places:
            return None
        if not any(await asyncio.gather(*(self._dial(place) for place in self._places))):
            if not self._is_down:
                log.warning("the uplink is down: none of server.uplink_probe answers", extra={"action": "uplink_down"})
            self._is_down = True
            return ASK_AGAIN_S
        if self._is_down:
            self._come_back()
        self._answered_at_s = self._compensation.clock.monotonic_s()
        try:
            await self._give_back()
        except NotStored:  # told in the log; what was missed is remembered until the disk takes it
            return ASK_AGAIN_S
        return ASK_S

    def _come_back(self) -> None:
        if self._answered_at_s is not None:
            self._missed.append(Span(self._answered_at_s, self._compensation.clock.monotonic_s()))
        self._is_down = False
        log.warning("the uplink is up again", extra={"action": "uplink_up"})

    async def _give_back(self) -> None:
        """What customers missed, to those of every router. Raises NotStored."""
        while self._missed:
            missed = self._missed[0]
            for router_id in list(self._router_ids()) if self._compensation.counts(missed) else []:
                await self._compensation.give_back(Outage(router_id, Cause.UPLINK, self._on_the_line(missed)))
            self._missed.pop(0)

    def _on_the_line(self, missed: Span) -> Span:
        """The same stretch in seconds since 1970, as the line of time is at this moment."""
        booted_s = self._compensation.clock.wall_s() - self._compensation.clock.monotonic_s()
        return Span(booted_s + missed.began_s, booted_s + missed.ended_s)
