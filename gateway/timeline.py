"""Which time it is, as far as anybody can know: what is believed of a wall clock, and when.

Pure: no I/O, no clock. The gateway goes by a line of time of its own. Within one boot of the machine that line is straight: the
kernel counts seconds, suspend included, whatever happens to the wall clock. Between two boots nobody has counted, so the line goes
on from what was kept, which is never later than the truth. The wall clock is believed in one case: somebody who knows confirms it.

    at a start                             the line goes on from
    in the same boot                       what was kept, plus the seconds that the kernel has counted
    in another boot                        what was kept, or the newest stamp: the wall clock may be off by anything, either way
    with a new database                    the wall clock: there is nothing that it could harm

    from then on                           the line
    the wall clock says the same           goes on
    another time, and nobody confirms it   goes on: a year ahead shuts out nobody, a year behind keeps nobody online
    another time, confirmed                steps to it, and everything alive that was stamped on it steps along
"""

from dataclasses import dataclass, replace

STEP_S = 2.0
"""What the wall clock may differ from the line without being a step: a leap second, and the moment between two readings (facts,
platform B2)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a machine's clocks show at one moment."""

    wall_s: float
    monotonic_s: float
    """Seconds since the boot."""
    boot_id: str
    synchronised_at_s: float | None
    """When a time server was last heeded, by the wall clock; None when none has been since the boot."""

    @property
    def offset_s(self) -> float:
        """When the machine booted, by its wall clock: changes with each step of it, and never else."""
        return self.wall_s - self.monotonic_s


@dataclass(frozen=True, slots=True)
class Line:
    """A line of time, at one moment of it."""

    at_s: float
    """The time, in seconds since 1970."""
    boot_id: str | None
    monotonic_s: float
    """The same moment in the seconds of that boot."""
    since_s: float
    """What was stamped after this was stamped on this line, and moves when it steps."""
    confirmed: bool
    """Whether a time server or the provider has confirmed it in this boot."""
    stepped_s: float = 0.0
    """The sum of all its steps."""

    def at(self, monotonic_s: float) -> "Line":
        """The same line at another moment of the same boot."""
        return replace(self, at_s=self.wall_s(monotonic_s), monotonic_s=monotonic_s)

    def wall_s(self, monotonic_s: float) -> float:
        """What the line shows at another moment of the same boot."""
        return self.at_s + monotonic_s - self.monotonic_s

    def stepped(self, step_s: float) -> "Line":
        """The line after a confirmed step; what was stamped on it has moved along."""
        since_s = max(0.0, self.since_s + step_s)
        return replace(self, at_s=self.at_s + step_s, since_s=since_s, confirmed=True, stepped_s=self.stepped_s + step_s)


def resumed(kept: Line, newest_stamp_s: float, seen: Reading) -> Line:
    """The line of time after a start. `kept` is what was written last, `newest_stamp_s` what was stamped last; 0 for neither."""
    if kept.boot_id == seen.boot_id and seen.monotonic_s >= kept.monotonic_s:
        return kept.at(seen.monotonic_s)
    known_s = max(kept.at_s, newest_stamp_s)
    # What was stamped on a line that was never confirmed still waits for its step.
    since_s = known_s if kept.confirmed else kept.since_s
    return Line(known_s or seen.wall_s, seen.boot_id, seen.monotonic_s, since_s, confirmed=False, stepped_s=kept.stepped_s)


def is_synchronised(seen: Reading, steady_since_s: float) -> bool:
    """Whether a time server has set the clock that shows now: in this boot, and not before the clock was last seen to step.

    `steady_since_s` is in monotonic seconds. A time server that was heeded before a step says nothing about what came after it.
    """
    if seen.synchronised_at_s is None:
        return False
    heeded_at_s = seen.synchronised_at_s - seen.offset_s
    return steady_since_s - STEP_S <= heeded_at_s <= seen.monotonic_s + STEP_S


def step_s(line_s: float, wall_s: float, *, confirmed: bool) -> float:
    """By how much the line has to step; 0 for not at all."""
    difference_s = wall_s - line_s
    return difference_s if confirmed and abs(difference_s) > STEP_S else 0.0
