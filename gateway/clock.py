"""Time, the only door to it: nothing else in the gateway reads a clock or sleeps.

Wall time (seconds since 1970, UTC) is for what people and the router read: when a grant ends. Monotonic time (seconds since the
machine's boot) is for intervals: polling, deadlines, back-off. Most Pis have no battery clock, so wall time can be hours behind
until a time server answers (facts, platform B2). What is believed of it is decided in `gateway.timeline`.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd each time it has heeded a time server (systemd-timesyncd.service(8)). It outlives the loss of that
server: its age, by the clock that it tells of, says what it is worth."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Who boots the machine again finds another one there (random(4)). The unit's sandbox hides it, and hands it over as `BOOT_ID`."""


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


class MachineClock(Clock, Protocol):
    """The clocks of a machine, which can be set, and starts again."""

    @property
    def boot_id(self) -> str:
        """Which boot the monotonic seconds count from."""
        ...

    def synchronised_at_s(self) -> float | None:
        """When a time server was last heeded, by the wall clock; None when none has been since the boot, or nobody can tell."""
        ...


class SystemClock:
    """The machine's own clocks. `synchronised` is what the machine's time service touches."""

    def __init__(self, synchronised: Path = SYNCHRONISED) -> None:
        self._synchronised = synchronised
        self.boot_id = _boot_id()

    def wall_s(self) -> float:
        """See `Clock`."""
        return time.time()

    def monotonic_s(self) -> float:
        """See `Clock`; counts time in suspend too where the system offers it."""
        return time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(max(0.0, seconds))

    def synchronised_at_s(self) -> float | None:
        """See `MachineClock`."""
        try:
            return self._synchronised.stat().st_mtime
        except OSError:  # no time server yet, or another service than systemd's: then only the provider can confirm the clock
            return None


def _boot_id() -> str:
    """The kernel's name for this boot. Where none can be had, each start counts as a boot: then what was kept is a lower bound."""
    try:
        said = os.environ.get("BOOT_ID") or BOOT_ID.read_text("ascii")
    except OSError:
        return uuid.uuid4().hex
    return said.strip().replace("-", "")


async def done_within(seconds: float, awaited: "Iterable[asyncio.Future[Any]]", clock: Clock) -> bool:
    """Wait for all of them, at most so many seconds, and say whether they are done; those that are not go on."""
    everything, nap = asyncio.ensure_future(asyncio.wait(awaited)), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({everything, nap}, return_when=asyncio.FIRST_COMPLETED)
        return everything.done()
    finally:
        everything.cancel()
        nap.cancel()


async def within(seconds: float, work: Coroutine[Any, Any, T], clock: Clock) -> T:
    """What comes of the work. Raises TimeoutError when it takes longer; it is cancelled then."""
    doing = asyncio.ensure_future(work)
    try:
        if not await done_within(seconds, [doing], clock):
            raise TimeoutError
        return doing.result()
    finally:
        doing.cancel()


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
