"""Fair clocks: time in which customers could not use what they bought is measured, and given back.

Owns when an outage counts: from the length that the owner has configured (`payments.fair_outage_from`). What it took from whom is
`gateway.outages`' arithmetic; the router is brought along by the comparison, which finds that it shows another end. The gateway's
own absence takes nothing from anybody: the router lets its customers pass without it.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import replace

from gateway.errors import NotStored
from gateway.heartbeat import Heartbeat
from gateway.outages import Cause, Outage, Span, by_device, made_good, router_outage
from gateway.store import access as grant_rows
from gateway.store import outages as rows
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

LONGEST_ABSENCE_S = 86_400
"""How long the gateway may have been away for a router's restart meanwhile to count as an outage from its first moment on. Usually
one power cut has taken both; after more than a day nobody knows any more."""


class Compensation:
    """Gives back what outages took. `from_s` is the shortest one that counts, in seconds; None for none."""

    def __init__(self, db: Database, clock: Heartbeat, wake: Callable[[str], None], from_s: int | None) -> None:
        self.from_s = from_s
        self.db = db
        self.clock = clock
        self._wake = wake

    def counts(self, span: Span) -> bool:
        """Whether an outage is long enough to be made good."""
        return self.from_s is not None and span.seconds >= self.from_s

    async def give_back(self, outage: Outage) -> None:
        """Give back what an outage took from the customers of one router; each second once, however often this is called.

        Its span is of this moment's line of time. Raises NotStored.
        """
        stepped_s = self.clock.stepped_s
        grants, given_back_s = await self.db.write(lambda tx: self._give_back(tx, outage, stepped_s))
        log.warning(
            "router %s: nobody could be online for %.0f s (%s); %.0f s given back to %s grant(s)",
            outage.router_id,
            outage.span.seconds,
            outage.cause.value,
            given_back_s,
            grants,
            extra={"action": "outage"},
        )
        self._wake(f"open:{outage.router_id}")
        self._wake(f"close:{outage.router_id}")

    async def forget_all_but(self, router_ids: Collection[int]) -> None:
        """A router that is not in service is nobody's outage, however long it is silent. Raises NotStored."""
        gone = await self.db.read(rows.silent) - set(router_ids)
        if gone:
            await self.db.write(lambda tx: rows.speak(tx, *gone))

    def _give_back(self, tx: Transaction, outage: Outage, stepped_s: float) -> tuple[int, float]:
        """How many grants got how many seconds back in all. The line of the outage had stepped by that when it was measured."""
        now_s, moved = self.clock.wall_s(), outage.span.moved(self.clock.stepped_s - stepped_s)
        span = moved.after(rows.dealt_with_until_s(tx, outage.router_id))
        ran = {grant.id: grant for grant in grant_rows.ran_in(tx, outage.router_id, span.began_s)}
        changed = [grant for device in by_device(ran.values()) for grant in made_good(device, span, now_s)]
        for grant in changed:
            grant_rows.compensate(tx, ran[grant.id], grant, now_s)
        given = [grant.compensated_s - ran[grant.id].compensated_s for grant in changed]
        grants, given_back_s = sum(seconds > 0 for seconds in given), sum(given)
        rows.record(tx, replace(outage, span=span), grants, given_back_s)
        return grants, given_back_s


class RouterWatch:
    """Notices that one router was down, by the uptime that it answers with.

    `last_life_s` is until when the gateway's life before this one saw its routers, in seconds since 1970; None for a router that it
    did not have.
    """

    def __init__(self, router_id: int, compensation: Compensation, last_life_s: float | None) -> None:
        self._router_id = router_id
        self._given = compensation
        self._last_life_s = last_life_s
        self._answered_at_s: float | None = None
        """When it last answered, in monotonic seconds; None until what happened before this life is decided."""
        self._first_answer: tuple[float, int] | None = None
        """The first one of this life, until the clock can say how long the gateway was away: monotonic seconds, uptime."""
        self._silence_is_kept = False

    async def answered(self, uptime_s: int) -> None:
        """The router has answered: what it missed before is given back. A disk that takes nothing is tried again next time."""
        try:
            await self._judge(uptime_s)
        except NotStored as fault:
            log.warning("router %s: its outage is dealt with later: %s", self._router_id, fault, extra={"action": "outage_waits"})

    async def silent(self) -> None:
        """The router does not answer: a long silence is kept, so that a restart in the middle of it does not shorten it."""
        if self._silence_is_kept or self._answered_at_s is None:
            return
        clock, answered_at_s = self._given.clock, self._answered_at_s
        if not self._given.counts(Span(answered_at_s, clock.monotonic_s())):
            return
        try:  # the line may step before this is written
            await self._given.db.write(
                lambda tx: rows.fall_silent(tx, self._router_id, clock.wall_s() - (clock.monotonic_s() - answered_at_s))
            )
        except NotStored:  # told in the log; tried again with the next silence
            return
        self._silence_is_kept = True

    async def _judge(self, uptime_s: int) -> None:
        now_s = self._given.clock.monotonic_s()
        if self._answered_at_s is None:
            if not await self._judge_last_life(now_s, uptime_s):
                return
        else:
            wall_s = self._given.clock.wall_s()
            await self._make_good(router_outage(wall_s - (now_s - self._answered_at_s), wall_s, uptime_s))
        if self._silence_is_kept:
            await self._given.db.write(lambda tx: rows.speak(tx, self._router_id))
            self._silence_is_kept = False
        self._answered_at_s = now_s

    async def _judge_last_life(self, now_s: float, uptime_s: int) -> bool:
        """Whether it could be decided what the router missed while there was no gateway: that needs a clock that is right."""
        answered_at_s, uptime_s = self._first_answer = self._first_answer or (now_s, uptime_s)
        if not self._given.clock.clock_is_trusted:
            return False
        silent_since_s = await self._given.db.read(lambda tx: rows.silent_since_s(tx, self._router_id))
        wall_s = self._given.clock.wall_s() - (now_s - answered_at_s)
        last_seen_s = silent_since_s or self._last_life_s or wall_s
        if silent_since_s is not None or wall_s - last_seen_s <= LONGEST_ABSENCE_S:
            await self._make_good(router_outage(last_seen_s, wall_s, uptime_s))
        self._silence_is_kept = silent_since_s is not None
        return True

    async def _make_good(self, span: Span | None) -> None:
        if span is not None and self._given.counts(span):
            await self._given.give_back(Outage(self._router_id, Cause.ROUTER, span))
