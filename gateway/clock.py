"""Time, the only door to it: nothing else in the gateway reads a clock or sleeps.

Wall time (seconds since 1970, UTC) is for what people and the router read: when a grant ends. Monotonic time (seconds, arbitrary
zero) is for intervals: polling, deadlines, back-off. Most Pis have no battery clock, so wall time can be hours behind until NTP
answers (facts, platform B2); `trusted` says whether it may be used to close somebody's access.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the gateway needs of time."""

    def wall_s(self) -> float:
        """Seconds since 1970 in UTC, as far as this machine knows."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only ever grow, unrelated to the wall."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many monotonic seconds; zero or less yields once."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_s(self) -> float:
        """See `Clock`."""
        return time.time()

    def monotonic_s(self) -> float:
        """See `Clock`; counts time in suspend too where the system offers it."""
        return time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(max(0.0, seconds))


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
