"""The values of RouterOS' language and how each is written, named, counted with and compared.

Numbers, texts and truth are Python's; arrays are lists, or dicts when they have keys; nothing is None. Stricter than a router where
that finds mistakes: no sum of number and text, no equality between different types.
"""

import ipaddress
import re
from dataclasses import dataclass

from gateway.simulators.routeros.scripting.cursor import ScriptError
from gateway.simulators.routeros.scripting.syntax import Block
from gateway.simulators.routeros.values import parse_duration_s

Value = object
"""Any of the above, or one of the classes here."""

_BITS = 64
"""The router's whole numbers: sums beyond that wrap around."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A time, in seconds."""

    seconds: int


@dataclass(frozen=True, slots=True, order=True)
class Ip:
    """An IPv4 address."""

    number: int


@dataclass(frozen=True, slots=True)
class Id:
    """The id of a row."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A function, or a text that was parsed."""

    body: Block


_NUMBER = re.compile(r"-?\d+|0x[0-9a-fA-F]+", re.ASCII)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_TIME = re.compile(r"(?:\d+(?:ms|[wdhms]))+(?:\d+:\d\d:\d\d)?|\d+:\d\d:\d\d", re.ASCII)
_ID = re.compile(r"\*[0-9A-Fa-f]+")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def from_word(word: str) -> Value:
    """What an unquoted word means."""
    if word in _TRUTH:
        return _TRUTH[word]
    if _NUMBER.fullmatch(word):
        return int(word, 0) if word.startswith("0x") else int(word)
    if _ADDRESS.fullmatch(word):
        return to_ip(word) or word
    if _TIME.fullmatch(word):
        return Duration(int(parse_duration_s(word)))
    return Id(word.upper()) if _ID.fullmatch(word) else word


def to_ip(text: str) -> Ip | None:
    """The address; None for what is none."""
    try:
        return Ip(int(ipaddress.IPv4Address(text)))
    except ValueError:
        return None


def type_name(value: Value) -> str:
    """What `:typeof` says."""
    if value is None:
        return "nothing"
    kinds = {bool: "bool", int: "num", str: "str", list: "array", dict: "array", Duration: "time", Ip: "ip", Id: "id", Code: "code"}
    return kinds[type(value)]


def to_text(value: Value, separator: str = ";") -> str:  # noqa: PLR0911  # one line for each kind
    """As `:put` shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Duration):
        return _clock(value.seconds)
    if isinstance(value, Ip):
        return str(ipaddress.IPv4Address(value.number))
    if isinstance(value, Id):
        return value.text
    if isinstance(value, dict):
        return separator.join(f"{name}={to_text(item, separator)}" for name, item in value.items())
    if isinstance(value, list):
        return separator.join(to_text(item, separator) for item in value)
    return "(code)" if isinstance(value, Code) else str(value)


def to_argument(value: Value) -> str:
    """As a command's argument takes it: lists by comma."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return to_text(value, ",")


def is_true(value: Value) -> bool:
    """What a condition takes. Raises ScriptError for what is no truth value."""
    if not isinstance(value, bool):
        raise ScriptError("conditional not boolean")
    return value


def _clock(seconds: int) -> str:
    """`1w2d03:04:05`."""
    sign, rest = ("-", -seconds) if seconds < 0 else ("", seconds)
    days, rest = divmod(rest, 86_400)
    weeks, days = divmod(days, 7)
    text = (f"{weeks}w" if weeks else "") + (f"{days}d" if days else "")
    return f"{sign}{text}{rest // 3_600:02}:{rest % 3_600 // 60:02}:{rest % 60:02}"


def wrap(number: int) -> int:
    """Into 64 bits with a sign."""
    span = 1 << _BITS
    return (number + span // 2) % span - span // 2
