"""What a text of the configuration file means: one function for each kind of value.

Pure, and about single values only: what contradicts what is `gateway.config`'s business. Each function takes the text of one
value and returns what it means, or raises ValueError with the rule. No message repeats the text: it may be a secret.
"""

import re
import unicodedata
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from gateway import passwords
from gateway.identity import Money, Secret

MPESA_MAX_SHILLINGS = 150_000
"""The most that M-Pesa moves in one transaction (facts, payments 3 "Limits")."""
MAX_MBPS = 10_000
"""Ten gigabit: faster than any port that a hotspot hangs on."""

_LONGEST_LINE = 200
"""Characters of a name or a key: far beyond the longest real one, and still one line in a log."""
_LONGEST_PARAGRAPH = 2_000
"""Characters of a description: a screenful on a phone, and nobody reads more before buying."""
_LONGEST_HOST = 253  # RFC 1035, 2.3.4, without the final dot
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,3}0*)?", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LISTEN = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})", re.ASCII)
_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
_FERNET_BYTES = 32
"""16 to sign and 16 to encrypt (Fernet specification, "Key Format")."""
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})

E = TypeVar("E", bound=Enum)
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server listens. Port 0 means whichever is free."""

    host: str
    port: int

    @property
    def is_concrete(self) -> bool:
        """Whether others can connect to exactly this address."""
        return self.port != 0 and self.host not in {"0.0.0.0", "::"}

    @property
    def url(self) -> str:
        """`http://host:port`, without a slash at the end."""
        return f"http://{self}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def line(text: str) -> str:
    """One line of text for people: spaces around it do not count."""
    text = text.strip()
    if not text or len(text) > _LONGEST_LINE or not _is_clean(text):
        raise ValueError(f"must be one line of 1 to {_LONGEST_LINE} characters")
    return text


def paragraph(text: str) -> str:
    """Text for people, may be empty and may have several lines."""
    text = text.strip()
    if len(text) > _LONGEST_PARAGRAPH or not _is_clean(text.replace("\n", "")):
        raise ValueError(f"must be text of at most {_LONGEST_PARAGRAPH} characters")
    return text


def token(text: str) -> str:
    """One word, as user names and keys are."""
    if not text or len(text) > _LONGEST_LINE or not _is_clean(text) or re.search(r"\s", text):
        raise ValueError(f"must be one word of 1 to {_LONGEST_LINE} characters")
    return text


def secret(min_chars: int = 1) -> Callable[[str], Secret]:
    """A parser of secrets that have at least so many characters, in one line; spaces count."""

    def parse(text: str) -> Secret:
        if len(text) < min_chars:
            raise ValueError("must not be empty" if min_chars == 1 else f"must have at least {min_chars} characters")
        if not _is_clean(text):
            raise ValueError("must be one line without control characters")
        return Secret(text)

    return parse


def password_hash(text: str) -> Secret:
    """A hash that `hotspot-gateway hash-password` printed."""
    return Secret(passwords.check(text))


def encryption_keys(text: str) -> tuple[Secret, ...]:
    """One or more Fernet keys, newest first, separated by lines, spaces or commas."""
    keys = re.split(r"[\s,]+", text.strip(" \t\r\n,"))
    if not all(_FERNET_KEY.fullmatch(key) and len(urlsafe_b64decode(key)) == _FERNET_BYTES for key in keys):
        raise ValueError("must be Fernet keys (32 bytes in URL-safe base64, 44 characters), newest first")
    return tuple(Secret(key) for key in keys)


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        number = int(text) if _INTEGER.fullmatch(text) else None
        if number is None or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return parse


def boolean(text: str) -> bool:
    """`true` or `false`; YAML's older yes, no, on and off are refused, because they are also names and countries."""
    if text.lower() not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text.lower() == "true"


def one_of(words: type[E]) -> Callable[[str], E]:
    """A parser of the values of an enumeration."""

    def parse(text: str) -> E:
        for word in words:
            if word.value == text:
                return word
        raise ValueError(f"must be {' or '.join(str(word.value) for word in words)}")

    return parse


def price(text: str) -> Money:
    """An amount that M-Pesa can take: whole shillings within its limit (facts, payments 3 "Limits")."""
    amount = Money.parse(text)
    if not amount.is_whole or not 1 <= amount.shillings <= MPESA_MAX_SHILLINGS:
        raise ValueError(f"must be whole shillings from 1 to {MPESA_MAX_SHILLINGS}, which is what M-Pesa takes")
    return amount


def kilobits(text: str) -> int:
    """Megabits per second, to three decimals, in kilobits per second of 1000 bits (facts, routeros 2.1 "Rates")."""
    number = Decimal(text) if _DECIMAL.fullmatch(text) else Decimal(0)
    if not 0 < number <= MAX_MBPS:
        raise ValueError(f"must be megabits per second, above 0 and up to {MAX_MBPS}, with at most three decimals")
    return int(number * 1000)


def public_key(text: str) -> str:
    """An owner's public key: 32 hex digits, in lower case."""
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", text):
        raise ValueError("must be 32 hex digits")
    return text.lower()


def fingerprint(text: str) -> str:
    """A certificate's SHA-256, as 64 lower-case hex digits; colons and spaces between them do not count."""
    digits = re.sub(r"[:\s]", "", text)
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        raise ValueError("must be a SHA-256 fingerprint: 64 hex digits, with or without colons")
    return digits.lower()


def host(text: str) -> str:
    """A host name or an IP address."""
    if not _is_host(text):
        raise ValueError("must be a host name or an IP address, without port")
    return text


def listen(text: str) -> Listen:
    """`host:port`, an IPv6 address in brackets; port 0 takes a free one."""
    match = _LISTEN.fullmatch(text)
    name = (match[1] or match[2]) if match else ""
    if not match or not _is_host(name) or int(match[3]) > 65_535:  # noqa: PLR2004 - 16 bits, the largest port
        raise ValueError("must be host:port, such as 0.0.0.0:8080 or [::]:8080")
    return Listen(name, int(match[3]))


def place(text: str) -> Listen:
    """`host:port` of a server that others run."""
    try:
        found = listen(text)
    except ValueError:
        raise ValueError("must be host:port, such as 1.1.1.1:443") from None
    if not found.is_concrete:
        raise ValueError("must be an address that can be dialled, such as 1.1.1.1:443")
    return found


def network(text: str) -> Network:
    """A network such as `192.168.88.0/24`; one address alone is a network of itself."""
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError("must be a network such as 192.168.88.0/24 (no address bits after the mask) or one address") from None


def origin(text: str) -> str:
    """`*`, or an origin as browsers send it: scheme, host and port (RFC 6454, 6.2), in lower case."""
    if text == "*":
        return text
    parts = _split_url(text)
    if parts is None or parts.path.strip("/") or parts.query:
        raise ValueError('must be "*" or an origin such as https://portal.example.org')
    return f"{parts.scheme}://{parts.netloc}".lower()


def url(text: str) -> str:
    """An http or https address, as it stands."""
    if _split_url(text) is None:
        raise ValueError("must be an http:// or https:// address with a host, without user, password and #")
    return text


def folder_url(text: str) -> str:
    """An http or https address under which others lie: ends in a slash, without a query."""
    if "?" in text:
        raise ValueError("must be an address without a query, because more is put behind it")
    return f"{url(text).rstrip('/')}/"


def site_url(text: str) -> str:
    """An http or https address that others can reach, without a slash at its end."""
    address = folder_url(text).rstrip("/")
    if urlsplit(address).hostname in {"0.0.0.0", "::"}:
        raise ValueError("must be an address that phones can reach, such as http://10.5.50.2:8080")
    return address


def _split_url(text: str) -> SplitResult | None:
    if not re.fullmatch(r"[!-~]+", text) or "#" in text:
        return None
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return None
    name = parts.hostname or ""
    return parts if parts.scheme in {"http", "https"} and "@" not in parts.netloc and _is_host(name) else None


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        # A name that ends in a number is a mistyped address (RFC 1123, 2.1).
        return len(text) <= _LONGEST_HOST and not labels[-1].isdigit() and all(_LABEL.fullmatch(label) for label in labels)
    return True


def _is_clean(text: str) -> bool:
    """Whether it can be stored, sent and printed: no control characters, no half of a surrogate pair, no line separators."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)
