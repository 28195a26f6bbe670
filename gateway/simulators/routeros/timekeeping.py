"""The router's own wall clock: what it believes, in which zone, and how this version writes it.

Independent of the gateway's: a board without a battery comes up in 1970 and stays there until a time server or a hand sets it
(facts, routeros 6). Intervals (uptime, limits) do not follow it.
"""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from functools import lru_cache

from gateway.clock import Clock
from gateway.simulators.routeros import traps
from gateway.simulators.routeros.schema import ISO_DATES, Version
from gateway.simulators.routeros.tables import Row


def _date(moment: dt.datetime, *, iso: bool) -> str:
    return f"{moment:%Y-%m-%d}" if iso else f"{moment:%b/%d/%Y}".lower()


@lru_cache(maxsize=16)
def _stamp(wall_s: int, zone: dt.tzinfo, *, iso: bool) -> str:
    """What is logged together is stamped alike: phones that knock all day fill most of the log."""
    moment = dt.datetime.fromtimestamp(wall_s, zone)
    return f"{_date(moment, iso=iso)} {moment:%H:%M:%S}"


class WallClock:
    """Reads the simulator's clock, off by as much as the router is wrong."""

    def __init__(self, clock: Clock, version: Version) -> None:
        self._clock = clock
        self._version = version
        self._wrong_by_s = 0.0
        self._zone: dt.tzinfo = dt.UTC
        self.zone_name = "UTC"

    def wall_s(self) -> float:
        """Seconds since 1970 in UTC, as the router believes."""
        return self._clock.wall_s() + self._wrong_by_s

    @property
    def is_right(self) -> bool:
        """Whether it shows the same as the simulator's clock: what a time server would have made of it."""
        return abs(self._wrong_by_s) < 1

    def set_to(self, wall_s: float) -> None:
        """Set it; 0 is the first of January 1970, as after a power cut without a time server."""
        self._wrong_by_s = wall_s - self._clock.wall_s()

    def set_zone(self, name: str) -> None:
        """Live in another time zone. Raises the trap for a name that is none."""
        try:
            self._zone = zoneinfo.ZoneInfo(name)
        except (ValueError, zoneinfo.ZoneInfoNotFoundError):
            raise traps.no_match("time-zone-name") from None
        self.zone_name = name

    def now(self) -> dt.datetime:
        """Local date and time."""
        return dt.datetime.fromtimestamp(self.wall_s(), self._zone)

    def gmt_offset_s(self) -> int:
        """How far local time is ahead of UTC."""
        offset = self.now().utcoffset()
        return int(offset.total_seconds()) if offset else 0

    def date(self) -> str:
        """Today as this version writes it (facts, routeros 5)."""
        return self.write_date(self.now())

    def stamp(self) -> str:
        """Date and time, as in the log."""
        return _stamp(int(self.wall_s()), self._zone, iso=self._version >= ISO_DATES)

    def write_date(self, moment: dt.datetime) -> str:
        """A date as this version writes it."""
        return _date(moment, iso=self._version >= ISO_DATES)

    def local(self, date: str | None, time: str | None) -> float:
        """Seconds since 1970 of a local date and time, either of which may be missing for now's. Raises Trap."""
        now = self.now()
        day = self._read("date", date, ("%Y-%m-%d", "%b/%d/%Y")) if date else now
        at = self._read("time", time, ("%H:%M:%S",)) if time else now
        return dt.datetime.combine(day.date(), at.time(), self._zone).timestamp()

    def set_from(self, values: Mapping[str, str]) -> None:
        """`/system/clock/set`. Raises Trap for a value that cannot be read."""
        if "time-zone-name" in values:
            self.set_zone(values["time-zone-name"])
        if "date" in values or "time" in values:
            self.set_to(self.local(values.get("date"), values.get("time")))

    def row(self) -> Row:
        """`/system/clock` as printed."""
        hours, seconds = divmod(abs(self.gmt_offset_s()), 3_600)
        return {
            "time": f"{self.now():%H:%M:%S}",
            "date": self.date(),
            "time-zone-autodetect": "true",
            "time-zone-name": self.zone_name,
            "gmt-offset": f"{'-' if self.gmt_offset_s() < 0 else '+'}{hours:02}:{seconds // 60:02}",
            "dst-active": "false",
        }

    def _read(self, argument: str, text: str, formats: tuple[str, ...]) -> dt.datetime:
        for known in formats:
            try:
                return dt.datetime.strptime(text, known).replace(tzinfo=self._zone)
            except ValueError:
                continue
        raise traps.invalid_value(argument)
