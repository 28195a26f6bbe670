"""The time that the flows go by: the wall clock where it may be believed, a lower bound of the truth where it may not.

Most Pis have no battery clock: after a power cut they resume near the moment of the cut, or hours before it, and step forward when
a time server answers (facts, platform B2). The newest wall time ever seen is kept in the database; a clock behind it is wrong for
certain. Then time is what was seen last plus what has passed since: never later than the truth, so that nobody is shut out early,
and never standing still, so that nobody stays on for hours. When the clock is right again, what began in between is moved by the
step: a customer who bought at the wrong time of day has bought an hour all the same.
"""

import contextlib
import logging

from gateway.clock import Clock
from gateway.errors import NotStored
from gateway.store import access as grant_rows
from gateway.store import clock as clock_rows
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

BEAT_S = 60.0
"""How often the time is kept: the most that a clock can be behind after a power cut without being noticed, for one small write."""

WATCH_S = 5.0
"""How often a clock that is not believed is looked at: until it is found right again, time is the lower bound."""


class Heartbeat:
    """A `Clock` that does not run behind what was already seen, and the job that keeps what was seen."""

    name = "heartbeat"

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._newest_wall_s = 0.0
        self._newest_at_s = clock.monotonic_s()
        """When the newest wall time was seen, or read from the database, in monotonic seconds."""
        self._in_the_dark_since_s: float | None = None
        """The newest time seen when this start found the clock behind it; None when time is known."""

    async def begin(self) -> None:
        """Read the newest time that was kept before this start."""
        self._newest_wall_s = await self._db.read(clock_rows.newest_wall_s)
        self._newest_at_s = self._clock.monotonic_s()
        if not self.clock_is_trusted:
            self._in_the_dark_since_s = self._newest_wall_s
            log.warning("the clock is behind the time already seen, and not believed", extra={"action": "clock_untrusted"})

    @property
    def clock_is_trusted(self) -> bool:
        """False while the wall clock is behind a time that was already seen."""
        return self._clock.wall_s() >= self._newest_wall_s

    def wall_s(self) -> float:
        """See `Clock`: what the wall clock says, or at least how late it must be."""
        if self.clock_is_trusted and self._in_the_dark_since_s is None:
            return self._clock.wall_s()
        return self._newest_wall_s + self._clock.monotonic_s() - self._newest_at_s

    def monotonic_s(self) -> float:
        """See `Clock`."""
        return self._clock.monotonic_s()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await self._clock.sleep(seconds)

    async def run_once(self) -> float:
        """Keep the time, if it is newer; after a time in the dark, first put right what began in it."""
        if not self.clock_is_trusted:
            return WATCH_S
        with contextlib.suppress(NotStored):  # told in the log; selling can wait for the disk, closing cannot
            await self._db.write(self._note)
            self._newest_wall_s, self._newest_at_s = self._clock.wall_s(), self._clock.monotonic_s()
            self._in_the_dark_since_s = None
        return BEAT_S if self._in_the_dark_since_s is None else WATCH_S

    def _note(self, tx: Transaction) -> None:
        clock_rows.note_wall_s(tx, self._clock.wall_s())
        if self._in_the_dark_since_s is not None:
            believed_s = self.wall_s()
            step_s = self._clock.wall_s() - believed_s
            moved = grant_rows.shift(tx, self._in_the_dark_since_s, believed_s, step_s) if step_s > 0 else 0
            log.warning("the clock is right again, by %.0f s: %s grant(s) moved", step_s, moved, extra={"action": "clock_stepped"})
