"""The time that the flows go by, and the job that keeps it.

Owns one line of time (`gateway.timeline`): straight while the gateway runs, whatever somebody does to the machine's clock, and kept
in the database, so that a restart forgets nothing and a power cut a minute at most. It hears witnesses of the true time: the time
service of the machine, and the clock of the provider, asked over verified TLS. When a witness confirms that it is another time, the
line steps, and everything alive that was stamped on it steps along in the same transaction: an hour that was bought is an hour,
and a push that is open stays as old as it is. It decides nothing about anybody's access.

The router's clock is no witness: it boots in 1970, and nothing here reads it.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from gateway.clock import MachineClock
from gateway.errors import NotStored
from gateway.store import clock as clock_rows
from gateway.store.database import Database, Transaction
from gateway.timeline import STEP_S, Line, Reading, is_synchronised, resumed, step_s

log = logging.getLogger(__name__)

BEAT_S = 60.0
"""How often the time is kept: the most that a power cut can make the line forget, for one small write."""

WATCH_S = 5.0
"""How often the machine's clock and its witnesses are looked at: until a step is followed, what people read is wrong."""

AGREES_S = 90.0
"""How far the provider's clock may differ from ours and still confirm it: an answer may take 30 s, a cache in between may add to
that, and the clocks that matter here are wrong by minutes, hours or years."""


class OnTheLine:
    """A `Clock` that goes by a line of time, and not by what the machine's clock shows."""

    _line: Line
    _clock: MachineClock

    def wall_s(self) -> float:
        """See `Clock`: the time on the line. It moves evenly but for confirmed steps."""
        return self._line.wall_s(self._clock.monotonic_s())

    def monotonic_s(self) -> float:
        """See `Clock`."""
        return self._clock.monotonic_s()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await self._clock.sleep(seconds)

    @property
    def stepped_s(self) -> float:
        """The sum of all steps that the line ever made: how old something is can be told without them."""
        return self._line.stepped_s


class Heartbeat(OnTheLine):
    """A `Clock` that runs evenly, and the job that keeps it.

    `on_step` is called after each step: whoever waits for a wall time may be due.
    """

    name = "heartbeat"

    def __init__(self, db: Database, clock: MachineClock, on_step: Callable[[], None] = lambda: None) -> None:
        self._db = db
        self._clock = clock
        self._on_step = on_step
        seen = self._read()
        self._line = Line(seen.wall_s, seen.boot_id, seen.monotonic_s, 0.0, confirmed=False)
        self._is_counted = False
        """Whether the kernel has counted every second since the line was kept: then it goes on exactly, right or wrong."""
        self._kept_at_s = float("-inf")
        self._offset_s = seen.offset_s
        """Of the machine's clock when it was last looked at: another one is a step."""
        self._looked_at_s = self._steady_since_s = 0.0
        self._confirmed_offset_s: float | None = None
        """Of the machine's clock when the provider's agreed with it."""
        self._refused_offset_s: float | None = None
        """Of the machine's clock when the provider's certificate was not valid by it."""

    async def begin(self) -> None:
        """Take up the line where it was left, and follow the machine's clock if somebody confirms it."""
        kept, newest_stamp_s = await self._db.read(lambda tx: (clock_rows.line(tx), clock_rows.newest_stamp_s(tx)))
        seen = self._read()
        self._line = resumed(kept, newest_stamp_s, seen)
        self._is_counted = self._line == kept.at(seen.monotonic_s)
        await self.run_once()
        if (complaint := self.complaint) is not None:
            log.warning("%s", complaint, extra={"action": "clock_untrusted"})

    # ── whether it is right ──

    @property
    def clock_is_trusted(self) -> bool:
        """False while the machine's clock says another time than the line, or cannot be right."""
        return self.complaint is None

    @property
    def may_step(self) -> bool:
        """Whether the line may be behind: the machine was off since it was kept, and nobody has confirmed the time since."""
        return not (self._is_counted or self._line.confirmed)

    @property
    def complaint(self) -> str | None:
        """What is wrong with the machine's clock, for its operator; None when nothing is known to be."""
        seen = self._read()
        shown, off_s = _moment(seen.wall_s), seen.wall_s - self.wall_s()
        if self._is_refused(seen):
            return f"the machine's clock is wrong ({shown}): IntaSend's certificate is not valid then; see timedatectl"
        if abs(off_s) <= STEP_S:
            return None
        where = "ahead of" if off_s > 0 else "behind"
        return (
            f"the machine's clock ({shown}) is {abs(off_s):.0f} s {where} the time already seen, and not confirmed; see timedatectl"
        )

    def hear_date(self, date_s: float) -> None:
        """See `Witness`: the provider's clock confirms the machine's, or does not. It may be wrong, too, and is never followed."""
        seen = self._read()
        self._confirmed_offset_s = seen.offset_s if abs(seen.wall_s - date_s) <= AGREES_S else None
        self._refused_offset_s = None

    def hear_certificate(self) -> None:
        """See `Witness`."""
        seen = self._read()
        if self._refused_offset_s is None:
            text = "the machine's clock is wrong (%s), or IntaSend's certificate: it is not valid then; see timedatectl"
            log.error(text, _moment(seen.wall_s), extra={"action": "clock_refused"})
        self._refused_offset_s = seen.offset_s

    def _is_confirmed(self, seen: Reading) -> bool:
        if is_synchronised(seen, self._steady_since_s):
            return True
        return self._confirmed_offset_s is not None and abs(seen.offset_s - self._confirmed_offset_s) <= STEP_S

    def _is_refused(self, seen: Reading) -> bool:
        """Whether the provider's certificate was not valid by this clock; one that a time server set knows better."""
        refused = self._refused_offset_s is not None and abs(seen.offset_s - self._refused_offset_s) <= STEP_S
        return refused and not self._is_confirmed(seen)

    # ── the job ──

    async def run_once(self) -> float:
        """Look at the machine's clock; follow it when it was confirmed to show another time, and keep the time every minute."""
        seen = self._look()
        now, confirmed = self._line.at(seen.monotonic_s), self._is_confirmed(seen)
        by_s = step_s(now.at_s, seen.wall_s, confirmed=confirmed)
        try:
            if by_s:
                await self._follow(now, by_s)
            elif seen.monotonic_s - self._kept_at_s >= BEAT_S or confirmed > now.confirmed:
                await self._keep(replace(now, confirmed=now.confirmed or confirmed))
        except NotStored:  # told in the log; tried again with the next look
            pass
        return WATCH_S

    def _look(self) -> Reading:
        """Read the clocks, and notice a step: it happened after the last look."""
        seen = self._read()
        if abs(seen.offset_s - self._offset_s) > STEP_S:
            self._steady_since_s, self._offset_s = self._looked_at_s, seen.offset_s
        self._looked_at_s = seen.monotonic_s
        return seen

    async def _keep(self, now: Line) -> None:
        await self._db.write(lambda tx: clock_rows.keep(tx, now))
        self._line, self._kept_at_s = now, now.monotonic_s

    async def _follow(self, now: Line, by_s: float) -> None:
        """Step, together with everything alive. Raises NotStored, and then nothing has stepped."""
        before = self._line
        try:
            moved = await self._db.write(lambda tx: self._step(tx, now, by_s))
        except NotStored:
            self._line = before
            raise
        self._kept_at_s = now.monotonic_s
        self._on_step()
        log.warning("the clock is right again, by %.0f s: %s moved along", by_s, moved, extra={"action": "clock_stepped"})

    def _step(self, tx: Transaction, now: Line, by_s: float) -> int:
        """In the transaction, the line itself, too: whatever is written after this is stamped on the new one."""
        moved = clock_rows.step(tx, now, by_s)
        self._line = now.stepped(by_s)
        return moved

    def _read(self) -> Reading:
        return _reading(self._clock)


class KeptTime(OnTheLine):
    """A `Clock` for a command beside a gateway: the time that the gateway goes by, which need not be the machine's.

    What it kept within the last minute goes on; where no gateway has run since the machine started, a time server knows better.
    """

    def __init__(self, tx: Transaction, clock: MachineClock) -> None:
        seen = _reading(clock)
        line = resumed(clock_rows.line(tx), clock_rows.newest_stamp_s(tx), seen)
        by_s = step_s(line.wall_s(seen.monotonic_s), seen.wall_s, confirmed=is_synchronised(seen, 0.0))
        self._line = line.stepped(by_s) if by_s else line
        self._clock = clock


def _reading(clock: MachineClock) -> Reading:
    return Reading(clock.wall_s(), clock.monotonic_s(), clock.boot_id, clock.synchronised_at_s())


def _moment(wall_s: float) -> str:
    return f"{datetime.fromtimestamp(wall_s, UTC):%Y-%m-%d %H:%M} UTC"
