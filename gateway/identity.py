"""The values that identify and measure: parsed once at the border, valid ever after.

Pure: standard library only, no I/O, no clock. Each type is immutable, compares by value, and can only be made valid: `parse`
raises `ValueError` with a sentence that says the rule. Telephone numbering plans need a library, so text becomes a `PhoneNumber`
in `gateway.numbering`; the type itself and its spellings are here.
"""

import hmac
import ipaddress
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_MAC_SHAPES = re.compile(
    r"(?:[0-9A-F]{2}(:|-))(?:[0-9A-F]{2}\1){4}[0-9A-F]{2}|[0-9A-F]{12}|[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}", re.IGNORECASE
)
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?", re.ASCII)
_MONEY = re.compile(r"\d{1,9}(?:\.\d{1,2}0*)?", re.ASCII)
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")  # RFC 1122, 3.2.1.3: never an address to send to
_UNITS_S = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True, order=True)
class MacAddress:
    """The hardware address of one network card, upper case with colons as RouterOS prints it (facts, routeros 2.1)."""

    text: str

    @classmethod
    def parse(cls, text: str) -> "MacAddress":
        """Read any common spelling (colons, dashes, Cisco dots, bare hex). ValueError for what is not one device's address.

        The zero address is refused because RouterOS reads it as "any MAC" on a hotspot user (facts, routeros 2.1).
        """
        text = text.strip()
        if not _MAC_SHAPES.fullmatch(text):
            raise ValueError("must be a MAC address such as AA:BB:CC:DD:EE:FF")
        digits = re.sub(r"[^0-9A-F]", "", text.upper())
        if int(digits, 16) == 0 or int(digits[:2], 16) & 1:
            raise ValueError("must be the MAC address of one device, not zero, multicast or broadcast")
        return cls(":".join(digits[i : i + 2] for i in range(0, 12, 2)))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class IpAddress:
    """The IPv4 address of one device; the hotspot of RouterOS is IPv4 only (facts, routeros 4.4)."""

    text: str

    @classmethod
    def parse(cls, text: str) -> "IpAddress":
        """Read dotted decimal. ValueError for what cannot be one client's address."""
        try:
            address = ipaddress.IPv4Address(text.strip())
        except ValueError:
            raise ValueError("must be an IPv4 address such as 192.168.1.100") from None
        if address in _THIS_NETWORK or address.is_multicast or address.is_loopback or address.is_reserved:
            raise ValueError("must be the IPv4 address of one device")
        return cls(str(address))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A mobile number in E.164, such as `+254712345678`."""

    e164: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.e164):
            raise ValueError("must be in E.164, such as +254712345678")

    @property
    def digits(self) -> str:
        """Without the plus, as IntaSend takes it: `254712345678` (facts, payments 10)."""
        return self.e164[1:]

    @property
    def local(self) -> str:
        """As a Kenyan customer writes it, `0712345678`; other countries' numbers stay in E.164."""
        return "0" + self.e164[4:] if self.is_kenyan else self.e164

    @property
    def is_kenyan(self) -> bool:
        """Whether M-Pesa Kenya can send a prompt to it."""
        return self.e164.startswith("+254")

    @property
    def masked(self) -> str:
        """For logs: `2547•••••678` (facts, payments 10)."""
        return f"{self.digits[:4]}{'•' * (len(self.digits) - 7)}{self.digits[-3:]}"

    def __str__(self) -> str:
        return self.masked


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An exact amount in Kenyan cents; never a float."""

    cents: int
    currency: str = "KES"

    @classmethod
    def parse(cls, value: "str | int | Decimal") -> "Money":
        """Read `"50"`, `"50.00"`, 50 or Decimal("50.00"). ValueError for anything inexact, negative or absurdly large."""
        try:
            amount = Decimal(str(value).strip())
        except InvalidOperation:
            amount = Decimal("NaN")
        # The size first: written out, 1E-999999999 would fill the memory.
        if not amount.is_finite() or not -20 < amount.adjusted() < 9 or not _MONEY.fullmatch(f"{amount:f}"):  # noqa: PLR2004 - digits
            raise ValueError('must be an amount such as "50" or "50.00"')
        return cls(int(amount * 100))

    @property
    def decimal(self) -> Decimal:
        """The amount in shillings."""
        return Decimal(self.cents) / 100

    @property
    def is_whole(self) -> bool:
        """Whether M-Pesa can take it: it knows whole shillings only (facts, payments 3 "Limits")."""
        return self.cents % 100 == 0

    @property
    def shillings(self) -> int:
        """The whole shillings. ValueError when there are cents."""
        if not self.is_whole:
            raise ValueError("M-Pesa takes whole shillings only")
        return self.cents // 100

    def __str__(self) -> str:
        return f"{self.cents // 100}.{self.cents % 100:02d}"


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in whole seconds, at least one."""

    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read `90s`, `30m`, `1h`, `1d`, `7d`, `1d12h`. ValueError for anything else and for zero."""
        match = _DURATION.fullmatch(text.strip())
        amounts = [int(part or 0) for part in match.groups()] if match else []
        seconds = sum(amount * unit_s for amount, unit_s in zip(amounts, _UNITS_S.values(), strict=False))
        if seconds <= 0 or seconds > 10 * 366 * 86_400:
            raise ValueError("must be a duration such as 90s, 30m, 1h, 7d or 1d12h")
        return cls(seconds)

    @property
    def display(self) -> str:
        """For people: `1 hour`, `1 day 12 hours`."""
        rest_s, parts = self.seconds, []
        for name, unit_s in list(_UNITS_S.items())[1:]:
            amount, rest_s = divmod(rest_s, unit_s)
            if amount:
                parts.append(f"{amount} {name}{'' if amount == 1 else 's'}")
        return " ".join(parts)

    def __str__(self) -> str:
        letters = {"day": "d", "hour": "h", "minute": "m", "second": "s"}
        rest_s, text = self.seconds, ""
        for name, letter in letters.items():
            amount, rest_s = divmod(rest_s, _UNITS_S[name])
            text += f"{amount}{letter}" if amount else ""
        return text


class Secret:
    """A text that never prints: not in logs, not in errors, not in a repr. `reveal` hands it to whoever must use it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    @property
    def _bytes(self) -> bytes:
        # What a stranger typed may hold a lone surrogate from JSON's \ud800, which UTF-8 proper refuses.
        return self._text.encode(errors="surrogatepass")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes, other._bytes)

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"
