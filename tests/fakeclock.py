"""Time in the hand of a test."""

import asyncio
import heapq
import itertools


class FakeClock:
    """A `gateway.clock.Clock` that moves only when told.

    `advance` moves both clocks and wakes sleepers whose time has come; `step_wall` sets the wall clock, which intervals do not
    notice, `synchronise` is a time server that does so, and after `reboot` nobody knows how much time has passed.
    """

    stepped_s = 0.0
    """Of the line of time that the gateway would keep (see `gateway.tokens.LineClock`)."""

    def __init__(self, wall_s: float = 1_756_117_800.0) -> None:  # 2025-08-25T10:30:00Z, the specification's example
        self._wall_s = wall_s
        self._monotonic_s = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._boots = itertools.count(1)
        self._synchronised_at_s: float | None = None
        self.boot_id = f"boot-{next(self._boots)}"

    def wall_s(self) -> float:
        return self._wall_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic_s + seconds, next(self._order), waiter))
        await waiter

    def advance(self, seconds: float) -> None:
        """Let that much time pass at once."""
        self._wall_s += seconds
        self._monotonic_s += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic_s:
            _, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back."""
        self._wall_s += seconds

    def synchronise(self, ahead_s: float = 0.0) -> None:
        """A time server sets the wall clock, by so much, and vouches for it."""
        self.step_wall(ahead_s)
        self._synchronised_at_s = self._wall_s

    def reboot(self, *, off_s: float = 0.0, wrong_by_s: float = 0.0) -> None:
        """The machine was off for that long, and wakes with its wall clock that much ahead of the truth; no time server yet."""
        self.advance(off_s)
        self.step_wall(wrong_by_s)
        self._synchronised_at_s = None
        self.boot_id = f"boot-{next(self._boots)}"

    def synchronised_at_s(self) -> float | None:
        return self._synchronised_at_s

    def next_wake_s(self) -> float | None:
        """Seconds until the next sleeper is due; None when nobody sleeps."""
        live = [due for due, _, waiter in self._sleepers if not waiter.done()]
        return min(live) - self._monotonic_s if live else None
