"""Whether the wall clock may be believed.

Most Pis have no battery clock: after a power cut they resume near the moment of the cut and step forward when a time server
answers (facts, platform B2). The newest wall time ever seen is kept in the database; a clock behind it is wrong for certain, and
nobody is shut out by it. Selling goes on, and the router's own limit counts on regardless.
"""

import contextlib
import logging

from gateway.clock import Clock
from gateway.errors import NotStored
from gateway.store import clock as clock_rows
from gateway.store.database import Database

log = logging.getLogger(__name__)

BEAT_S = 60.0
"""How often the time is kept: the most that a clock can be behind after a power cut without being noticed, for one small write."""


class Heartbeat:
    """The job that keeps the time, and the judgement that rests on it."""

    name = "heartbeat"

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._newest_wall_s = 0.0

    async def begin(self) -> None:
        """Read the newest time that was kept before this start."""
        self._newest_wall_s = await self._db.read(clock_rows.newest_wall_s)
        if not self.clock_is_trusted:
            log.warning("the clock is behind the time already seen: nobody is shut out by it", extra={"action": "clock_untrusted"})

    @property
    def clock_is_trusted(self) -> bool:
        """False while the clock is behind a time that was already seen."""
        return self._clock.wall_s() >= self._newest_wall_s

    async def run_once(self) -> float:
        """Keep the time, if it is newer."""
        if self.clock_is_trusted:
            self._newest_wall_s = self._clock.wall_s()
            with contextlib.suppress(NotStored):  # told in the log; selling can wait for the disk, closing cannot
                await self._db.write(lambda tx: clock_rows.note_wall_s(tx, self._newest_wall_s))
        return BEAT_S
