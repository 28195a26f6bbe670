"""The types of RouterOS values: how each is read, refused, written and compared (facts, routeros 2.1).

Pure. A value is kept as the text in which the router prints it; each `Kind` reads what a client may write instead.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.simulators.routeros import traps

Names = Callable[[str], Mapping[str, str]]
"""From a menu's path to the names in it, by id: what a reference may point at."""

_REMEMBERED = 4_096
"""How many values are read or written once only: a full hotspot compares its five hundred hosts with every question about one."""

_UNITS_S = {"w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_UNIT = re.compile(r"(\d+)(ms|us|[wdhms])", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(\d+):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)
_MAC = re.compile(r"[0-9A-F]{2}(?:[:.-]?[0-9A-F]{2}){5}", re.IGNORECASE)
_RATE = re.compile(r"\d+[kMG]?(?:/\d+[kMG]?)?(?: \S+){0,5}", re.ASCII)


def parse_duration_s(text: str) -> float:
    """Seconds in `1h30m`, `1d02:03:04`, `00:05:00` or `300`. ValueError for anything else."""
    if text.isascii() and text.isdigit():
        return float(text)
    if clock := _CLOCK.fullmatch(text):
        amounts = [float(part or 0) for part in clock.groups()]
        return sum(amount * unit_s for amount, unit_s in zip(amounts, (604_800, 86_400, 3_600, 60, 1), strict=True))
    if not text or _UNIT.sub("", text):
        raise ValueError("not a duration")
    return sum(int(amount) * _UNITS_S[unit] for amount, unit in _UNIT.findall(text))


def format_duration(seconds: float) -> str:
    """As the router prints it: `1d4m42s`, without zero parts; `0s` for nothing. Fractions are dropped."""
    return _in_units(int(seconds))


@lru_cache(maxsize=_REMEMBERED)
def _in_units(seconds: int) -> str:
    rest_s, text = seconds, ""
    for unit in "wdhms":
        amount, rest_s = divmod(rest_s, int(_UNITS_S[unit]))
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"


@dataclass(frozen=True, slots=True)
class Kind:
    """Any text; the base of the others."""

    def parse(self, argument: str, text: str, names: Names) -> str:
        """The text as the router would print it back. Raises Trap for a value that this type refuses."""
        del argument, names
        return text

    def key(self, text: str) -> object:
        """What queries compare. ValueError for a text that is no such value."""
        return text


TEXT = Kind()


@dataclass(frozen=True, slots=True)
class Boolean(Kind):
    """`yes`, `no`, `true` or `false` on input, the last two on output."""

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        if text not in {"yes", "no", "true", "false"}:
            raise traps.no_match(argument)
        return "true" if text in {"yes", "true"} else "false"

    def key(self, text: str) -> object:
        """See `Kind`."""
        return text in {"yes", "true"}


@dataclass(frozen=True, slots=True)
class Integer(Kind):
    """A plain decimal number, or one of a few words."""

    low: int = 0
    high: int = 2**64 - 1
    words: tuple[str, ...] = ()

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        if text in self.words:
            return text
        if not (text.isascii() and text.isdigit()):
            raise traps.invalid_value(argument)
        if not self.low <= int(text) <= self.high:
            raise traps.out_of_range(argument, self.low, self.high)
        return str(int(text))

    def key(self, text: str) -> object:
        """See `Kind`."""
        return int(text)


@dataclass(frozen=True, slots=True)
class Time(Kind):
    """A duration, or one of a few words (`none`, `received`)."""

    words: tuple[str, ...] = ()

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        if text in self.words:
            return text
        try:
            return format_duration(parse_duration_s(text))
        except ValueError:
            raise traps.invalid_time(argument) from None

    def key(self, text: str) -> object:
        """See `Kind`."""
        return parse_duration_s(text)


@dataclass(frozen=True, slots=True)
class Mac(Kind):
    """A hardware address: any common spelling in, upper case with colons out."""

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        if not _MAC.fullmatch(text):
            raise traps.mac_required(argument)
        return canonical_mac(text)

    def key(self, text: str) -> object:
        """See `Kind`."""
        return canonical_mac(text)


@lru_cache(maxsize=_REMEMBERED)
def canonical_mac(text: str) -> str:
    """Upper case with colons."""
    digits = re.sub(r"[^0-9A-F]", "", text.upper())
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


@dataclass(frozen=True, slots=True)
class Address(Kind):
    """One IPv4 address; with `prefixed`, it may carry a prefix length, with `ported` a port."""

    prefixed: bool = False
    ported: bool = False

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        host, _, port = text.partition(":") if self.ported else (text, "", "")
        try:
            read = ipaddress.IPv4Interface(host) if self.prefixed else ipaddress.IPv4Address(host)
        except ValueError:
            raise traps.invalid_value(argument) from None
        return f"{read}:{int(port)}" if port.isdigit() else str(read)

    def key(self, text: str) -> object:
        """See `Kind`."""
        return _address_number(text)


@lru_cache(maxsize=_REMEMBERED)
def _address_number(text: str) -> int:
    """An address without its port and prefix length, as a number. ValueError for what is none."""
    return int(ipaddress.IPv4Interface(text.partition(":")[0]).ip)


@dataclass(frozen=True, slots=True)
class AddressRange(Kind):
    """`10.0.0.1`, `10.0.0.1-10.0.0.9` or `10.0.0.0/24`."""

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        try:
            address_range(text)
        except ValueError:
            raise traps.range_required(argument) from None
        return text


def address_range(text: str) -> tuple[int, int]:
    """First and last address of a range, as numbers. ValueError for what is none."""
    if "/" in text:
        network = ipaddress.IPv4Network(text, strict=False)
        return int(network[0]), int(network[-1])
    first, _, last = text.partition("-")
    return int(ipaddress.IPv4Address(first)), int(ipaddress.IPv4Address(last or first))


@dataclass(frozen=True, slots=True)
class Rate(Kind):
    """`rx[/tx] [burst …]` in bits a second with k, M or G; empty for no limit."""

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        if text and not _RATE.fullmatch(text):
            raise traps.invalid_value(argument)
        return text


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One word of a list; a prefix that fits one word only will do (facts, routeros 1.8)."""

    options: tuple[str, ...]

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        return by_prefix(argument, text, self.options)


@dataclass(frozen=True, slots=True)
class Choices(Kind):
    """A set of words, separated by commas, printed in the router's order; with `negatable`, `!word` leaves one out, as printed."""

    options: tuple[str, ...]
    negatable: bool = False

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        del names
        given = [word for word in text.split(",") if word and not (self.negatable and word.startswith("!"))]
        chosen = {by_prefix(argument, word, self.options) for word in given}
        left_out = [f"!{option}" for option in self.options if option not in chosen] if self.negatable else []
        return ",".join([option for option in self.options if option in chosen] + left_out)


@dataclass(frozen=True, slots=True)
class Reference(Kind):
    """The name of a row of another menu, by unique prefix, or its id; or one of a few words (`all`, `none`)."""

    menu: str
    words: tuple[str, ...] = ()

    def parse(self, argument: str, text: str, names: Names) -> str:
        """See `Kind`."""
        targets = names(self.menu)
        if text.startswith("*") and text.upper() in targets:
            return targets[text.upper()]
        return by_prefix(argument, text, (*self.words, *targets.values()))


def by_prefix(argument: str, text: str, options: Iterable[str]) -> str:
    """The option that is meant; the exact one wins over longer ones. Raises the traps for none and for several."""
    options = tuple(options)
    if text in options:
        return text
    fitting = [option for option in options if text and option.startswith(text)]
    if not fitting:
        raise traps.no_match(argument)
    if len(fitting) > 1:
        raise traps.ambiguous(argument)
    return fitting[0]
