"""What the clocks of the world show: each machine has its own wall clock, which may be wrong, beside the one true time."""

import asyncio
from email.utils import formatdate

from tests.simulation.loop import START_S, SimulatedLoop

EPOCH_S = 1_756_117_800.0
"""When the world begins: 2025-08-25T10:30:00Z, the specification's example."""

TICK_S = 1e-6
"""The shortest sleep that a machine can tell from none: less would be lost in the rounding, and whoever waits for what is left of a
pause would wait for ever."""

FAR_OFF_S = 60.0
"""What a time server would have mended; a machine whose clock is wrong by less has heard one that is no better."""


class SimulatedClock:
    """A `gateway.clock.MachineClock` on virtual time."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.wrong_by_s = 0.0
        """How far the wall is ahead of the truth."""
        self.booted_at_s = 0.0
        """What the monotonic clock counts from."""

    def wall_s(self) -> float:
        return EPOCH_S + self._loop.now_s - START_S + self.wrong_by_s

    def http_date(self) -> str:
        """What a web server says in its `Date` header."""
        return formatdate(self.wall_s(), usegmt=True)

    def monotonic_s(self) -> float:
        return self._loop.now_s - self.booted_at_s

    @property
    def boot_id(self) -> str:
        return f"boot-at-{self.booted_at_s}"

    def synchronised_at_s(self) -> float | None:
        """Now, unless it is far off: then its time server has not answered yet."""
        return self.wall_s() if abs(self.wrong_by_s) < FAR_OFF_S else None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(TICK_S, seconds) if seconds > 0 else 0)
