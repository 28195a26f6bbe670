"""What the hotspot holds in memory about who is there: hosts, active entries, cookies; and the counters of a user.

Plain records that can print themselves as rows. Rules are in `hotspot`.
"""

import ipaddress
from dataclasses import dataclass, field

from gateway.simulators.routeros.tables import Row, hex_id
from gateway.simulators.routeros.values import format_duration

_PACKET_BYTES = 1_400
"""A typical packet, to print packet counters that go with the bytes."""


@dataclass(slots=True)
class Counters:
    """Bytes as the router counts them: in is from the client, out is to it (facts, routeros 2.4)."""

    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def total(self) -> int:
        """Both directions."""
        return self.bytes_in + self.bytes_out

    def count(self, bytes_in: int, bytes_out: int) -> None:
        """Add traffic."""
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out

    def row(self) -> Row:
        """As printed."""
        return {
            "bytes-in": str(self.bytes_in),
            "bytes-out": str(self.bytes_out),
            "packets-in": str(-(-self.bytes_in // _PACKET_BYTES)),
            "packets-out": str(-(-self.bytes_out // _PACKET_BYTES)),
        }


@dataclass(slots=True)
class Usage:
    """What a hotspot user has used up in all ended sessions: the part that a reboot keeps."""

    uptime_s: float = 0.0
    counters: Counters = field(default_factory=Counters)


@dataclass(slots=True)
class Host:
    """A device that the hotspot sees."""

    id: str
    mac: str
    ip: str
    since_s: float
    last_traffic_s: float
    absent_since_s: float | None = None
    """When the phone went away; None while it is there."""
    bypassed: bool = False
    """Let past by a binding; stays so when the binding is removed, until this row goes (facts, routeros 3.3)."""
    counters: Counters = field(default_factory=Counters)

    def row(self, *, server: str, authorized: bool, now_s: float) -> Row:
        """As printed in `/ip/hotspot/host` (facts, routeros 2.7)."""
        dead_s = 0.0 if self.absent_since_s is None else now_s - self.absent_since_s
        return {
            ".id": self.id,
            "mac-address": self.mac,
            "address": self.ip,
            "to-address": self.ip,
            "server": server,
            "uptime": format_duration(now_s - self.since_s),
            "idle-time": format_duration(now_s - self.last_traffic_s),
            "host-dead-time": format_duration(dead_s),
            **self.counters.row(),
            "found-by": "ARP",
            "static": "false",
            "DHCP": "true",
            "dynamic": "true",
            "authorized": _flag(authorized),
            "bypassed": _flag(self.bypassed),
        }


@dataclass(slots=True)
class Allowance:
    """What was left for one login when it began; None is no limit."""

    uptime_s: float | None
    session_s: float | None
    bytes_in: int | None
    bytes_out: int | None
    bytes_total: int | None

    def spent(self, used: Counters) -> bool:
        """Whether one of the byte limits is reached."""
        pairs = ((self.bytes_in, used.bytes_in), (self.bytes_out, used.bytes_out), (self.bytes_total, used.total))
        return any(limit is not None and amount >= limit for limit, amount in pairs)

    def row(self) -> Row:
        """The byte limits as printed."""
        limits = {"limit-bytes-in": self.bytes_in, "limit-bytes-out": self.bytes_out, "limit-bytes-total": self.bytes_total}
        return {name: str(limit) for name, limit in limits.items() if limit is not None}


@dataclass(slots=True)
class ActiveEntry:
    """One login. Its id is the client's address in hex (facts, routeros 1.8)."""

    user_id: str
    user: str
    mac: str
    ip: str
    login_by: str
    started_s: float
    allowance: Allowance
    keepalive_s: float | None
    idle_s: float | None
    comment: str = ""
    counters: Counters = field(default_factory=Counters)

    @property
    def id(self) -> str:
        """Derived from the address, without leading zeros."""
        return hex_id(int(ipaddress.IPv4Address(self.ip)))

    def row(self, *, server: str, now_s: float, idle_s: float, left_s: float | None) -> Row:
        """As printed in `/ip/hotspot/active` (facts, routeros 2.6)."""
        optional = {
            "session-time-left": None if left_s is None else format_duration(left_s),
            "idle-timeout": None if self.idle_s is None else format_duration(self.idle_s),
            "keepalive-timeout": None if self.keepalive_s is None else format_duration(self.keepalive_s),
            "comment": self.comment or None,
        }
        return {
            ".id": self.id,
            "server": server,
            "user": self.user,
            "address": self.ip,
            "mac-address": self.mac,
            "login-by": self.login_by,
            "uptime": format_duration(now_s - self.started_s),
            "idle-time": format_duration(idle_s),
            **{name: text for name, text in optional.items() if text is not None},
            **self.allowance.row(),
            **self.counters.row(),
            "radius": "false",
            "blocked": "false",
        }


@dataclass(slots=True)
class Cookie:
    """What lets a device back in without a new login."""

    id: str
    user: str
    mac: str
    expires_s: float
    is_mac_cookie: bool

    def row(self, now_s: float) -> Row:
        """As printed in `/ip/hotspot/cookie` (facts, routeros 2.9)."""
        return {
            ".id": self.id,
            "user": self.user,
            "mac-address": self.mac,
            "expires-in": format_duration(self.expires_s - now_s),
            "mac-cookie": _flag(self.is_mac_cookie),
        }


def _flag(value: bool) -> str:  # noqa: FBT001
    return "true" if value else "false"
