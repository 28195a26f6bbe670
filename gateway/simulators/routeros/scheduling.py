"""`/system/scheduler`: which event is due when, by the router's clock, and the loop that runs them (facts, routeros 2.11).

Runs scripts through the callable that it is given; knows nothing of their language. Run counts are in memory only, as on a router.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.simulators.routeros.tables import Row, Table
from gateway.simulators.routeros.timekeeping import WallClock
from gateway.simulators.routeros.traps import Trap
from gateway.simulators.routeros.values import parse_duration_s

STARTUP_S = 3.0
"""How long after the boot `start-time=startup` runs (facts, routeros 2.11)."""

Run = Callable[[str, frozenset[str]], Awaitable[object]]
"""Runs the text of an event, or the script of that name, with those policies. Raises Trap."""


@dataclass(slots=True)
class Event:
    """What the router remembers of one row."""

    anchor_s: float
    """Where its intervals are counted from: the router's wall clock, or monotonic time for `startup`."""
    next_s: float | None
    """When it is due, on the same clock; None when it is over."""
    made_of: tuple[str, ...]
    """The settings that it was computed from: others begin anew."""
    runs: int = 0


class Schedule:
    """The events of one router."""

    def __init__(self, clock: Clock, wall: WallClock, table: Table, note: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._wall = wall
        self._table = table
        self._note = note
        self._events: dict[str, Event] = {}
        self._changed = asyncio.Event()
        self._booted_s = clock.monotonic_s()
        self.forbidden = False
        """Device-mode `home` runs no schedulers (facts, routeros 5)."""
        table.changed = self.wake

    def wake(self) -> None:
        """Look again: a row or the clock was changed."""
        self._changed.set()

    def boot(self) -> None:
        """Start counting anew."""
        self._booted_s = self._clock.monotonic_s()
        self._events.clear()
        self.wake()

    def row(self, row: Row) -> Row:
        """What the router adds to a row that it prints."""
        event = self._event(row)
        shown = {"run-count": str(event.runs)}
        wait_s = self._wait_s(row, event)
        return shown if wait_s is None else shown | {"next-run": f"in {int(wait_s)}s"}

    async def run(self, execute: Run) -> None:
        """Run what is due, as long as the router is on."""
        while True:
            self._changed.clear()
            for row in list(self._table):
                await self._run_if_due(row, execute)
            waits_s = [wait_s for row in self._table if (wait_s := self._wait_s(row, self._event(row))) is not None]
            await self._sleep(min(waits_s, default=None))

    async def _run_if_due(self, row: Row, execute: Run) -> None:
        event = self._event(row)
        wait_s = self._wait_s(row, event)
        if wait_s is None or wait_s > 0:
            return
        event.runs += 1
        event.next_s = self._following(row, event)
        try:
            await execute(row.get("on-event", ""), frozenset(row.get("policy", "").split(",")))
        except Trap as trap:
            self._note("script,error", f"executing script from scheduler ({row['name']}) failed: {trap.message}")

    async def _sleep(self, wait_s: float | None) -> None:
        """Until something is due or was changed."""
        changed = asyncio.ensure_future(self._changed.wait())
        waits = {changed} if wait_s is None else {changed, asyncio.ensure_future(self._clock.sleep(wait_s))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _event(self, row: Row) -> Event:
        made_of = tuple(row.get(name, "") for name in ("start-date", "start-time", "interval", "disabled"))
        event = self._events.get(row[".id"])
        if event is None or event.made_of != made_of:
            event = self._events[row[".id"]] = self._begin(row, made_of)
        return event

    def _begin(self, row: Row, made_of: tuple[str, ...]) -> Event:
        """The first time: `startup` with an interval does not run at the start-up itself; without a start, now counts."""
        interval_s = parse_duration_s(row["interval"])
        if row.get("start-time") == "startup":
            first_s = self._booted_s + STARTUP_S
            return Event(first_s, self._after(first_s, interval_s, self._clock.monotonic_s()) if interval_s else first_s, made_of)
        start_s = self._wall.local(row.get("start-date"), row.get("start-time"))
        ahead = start_s > self._wall.wall_s()
        return Event(
            start_s, start_s if ahead or not interval_s else self._after(start_s, interval_s, self._wall.wall_s()), made_of
        )

    def _following(self, row: Row, event: Event) -> float | None:
        interval_s = parse_duration_s(row["interval"])
        return self._after(event.anchor_s, interval_s, self._now_s(row)) if interval_s else None

    def _wait_s(self, row: Row, event: Event) -> float | None:
        """Seconds until it is due; a wall clock that was set back or forward is followed."""
        if row["disabled"] == "true" or event.next_s is None or self.forbidden:
            return None
        now_s, interval_s = self._now_s(row), parse_duration_s(row["interval"])
        if interval_s and event.next_s > now_s + interval_s and now_s >= event.anchor_s:
            event.next_s = self._after(event.anchor_s, interval_s, now_s)
        return event.next_s - now_s

    def _now_s(self, row: Row) -> float:
        return self._clock.monotonic_s() if row.get("start-time") == "startup" else self._wall.wall_s()

    @staticmethod
    def _after(anchor_s: float, interval_s: float, now_s: float) -> float:
        """The next full interval after now."""
        return anchor_s + (max(0.0, now_s - anchor_s) // interval_s + 1) * interval_s
