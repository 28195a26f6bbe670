"""RouterOS text to values and back: durations, booleans, numbers, rates, and our mark in a comment.

Pure. Owns every spelling that stands inside a row; knows nothing of connections, menus or decisions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.packages import MARK

Row = Mapping[str, str]
"""One row as the router sent it: attribute names to raw text; what is unset is absent (facts, routeros 2.1)."""

ANY_SERVER = "all"
"""What RouterOS calls a row that is for every hotspot server."""

_UNITS_S = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DURATION = re.compile(
    r"(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?"
    r"(?:(?P<hh>\d+):(?P<mm>\d+):(?P<ss>\d+)(?:\.\d+)?"
    r"|(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+)s)?(?:\d+ms)?(?:\d+us)?)",
    re.ASCII,
)
_NOTHING = frozenset({"", "none", "never"})
_YES = frozenset({"yes", "true"})
_RATE = re.compile(r"(\d+)([kMG]?)", re.ASCII)
_MULTIPLIERS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_MARK = re.compile(rf"{re.escape(MARK)}:(?P<grant>\S+)(?:\s+until=(?P<until>\d{{1,12}})(?!\d))?", re.ASCII)


class Unintelligible(Exception):
    """The router sent a value that no known version of RouterOS would send."""


def seconds_in(text: str) -> int | None:
    """Read a duration in any spelling of RouterOS, rounded down to seconds; None for `none` (facts, routeros 2.1).

    Raises Unintelligible for what is no duration.
    """
    if text in _NOTHING:
        return None
    if text.isdecimal():
        return int(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Unintelligible(f"{text!r} is no duration")
    parts = {name: int(amount or 0) for name, amount in match.groupdict().items()}
    letters = sum(parts[letter] * unit_s for letter, unit_s in _UNITS_S)
    return letters + parts["hh"] * 3_600 + parts["mm"] * 60 + parts["ss"]


def duration(seconds: int) -> str:
    """Write a duration as RouterOS prints it, `1d2h30m`, so that what was written compares equal when it is read back."""
    text, rest_s = "", seconds
    for letter, unit_s in _UNITS_S:
        amount, rest_s = divmod(rest_s, unit_s)
        text += f"{amount}{letter}" if amount else ""
    return text or "0s"


def seconds_at(row: Row, attribute: str) -> int | None:
    """The duration in that attribute; None when it is absent or `none`."""
    return seconds_in(row.get(attribute, ""))


def number_at(row: Row, attribute: str) -> int:
    """The whole number in that attribute; an absent one is zero, because rows omit zeros (facts, routeros 2.1)."""
    text = row.get(attribute) or "0"
    if not text.isdecimal():
        raise Unintelligible(f"{attribute}={text!r} is no number")
    return int(text)


def flag_at(row: Row, attribute: str) -> bool:
    """The boolean in that attribute; absent is false."""
    return row.get(attribute) in _YES


def bytes_in(row: Row) -> int:
    """What the row has counted, up and down together."""
    return number_at(row, "bytes-in") + number_at(row, "bytes-out")


def rates_in(text: str) -> tuple[int, int] | None:
    """Read a plain `rx/tx` limit in bits per second; None for no limit, Unintelligible for one with bursts and priorities."""
    if not text:
        return None
    first, _, second = text.strip().partition("/")
    rates = (_rate(first), _rate(second or first))
    return None if rates == (0, 0) else rates


def _rate(text: str) -> int:
    match = _RATE.fullmatch(text)
    if match is None:
        raise Unintelligible(f"{text!r} is no plain rate")
    return int(match[1]) * _MULTIPLIERS[match[2]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Our comment on a client's row: `hotspot-gateway:<grant id> until=<epoch seconds>` (contract, "On the router")."""

    grant_id: str
    until_epoch_s: int | None

    @classmethod
    def on(cls, row: Row) -> "Mark | None":
        """The mark on that row; None when the row is somebody else's.

        A comment of `hotspot-gateway` alone is infrastructure (the gateway's own bypass, walled garden), not a client's row.
        """
        match = _MARK.match(row.get("comment", ""))
        return cls(match["grant"], int(match["until"]) if match["until"] else None) if match else None

    @property
    def comment(self) -> str:
        """The text as it is written."""
        return f"{MARK}:{self.grant_id}" + ("" if self.until_epoch_s is None else f" until={self.until_epoch_s}")


def is_ours(row: Row) -> bool:
    """Whether the row carries the mark of a grant, and so may be changed and removed."""
    return Mark.on(row) is not None
