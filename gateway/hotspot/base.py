"""What the gateway needs of the router's hotspot, in its own words.

The router is brought to a wanted state, never told to add an hour: `authorize` and `shut_out` may be called any number of times,
in any state of the router, and end in the same place. FreeRADIUS can become a second implementation.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from gateway.identity import IpAddress, MacAddress, Secret
from gateway.packages import SpeedProfile


class Way(Enum):
    """How a client is let through (facts, routeros 3.1)."""

    USER = "user"
    """A hotspot user bound to the MAC, logged in by us: speed, accounting, and a limit that holds when we are dead."""
    BINDING = "binding"
    """A bypassed ip-binding: survives everything and limits nothing."""


@dataclass(frozen=True, slots=True)
class RouterLogin:
    """Where a router's API is and how to get in."""

    router_id: int
    name: str
    host: str
    port: int
    tls: bool
    tls_fingerprint: str | None
    """SHA-256 of the router's certificate, 64 lower-case hex digits, to pin it."""
    tls_ca_file: Path | None
    username: str
    password: Secret
    hotspot_server: str | None
    """The hotspot server that our rows are for; None means all."""
    way: Way


@dataclass(frozen=True, slots=True)
class Device:
    """A phone as the router's host table shows it now."""

    mac: MacAddress
    ip: IpAddress


@dataclass(frozen=True, slots=True)
class WantedAccess:
    """How one device should stand on the router."""

    grant_id: str
    mac: MacAddress
    ip: IpAddress | None
    """Where the device was last seen; a hint, the router's host table decides."""
    profile: SpeedProfile
    until_epoch_s: int
    """When access ends, in wall time; written into the comment for the sweeper on the router."""
    remaining_s: int
    """How many seconds of online time the router's own second lock may still allow."""
    data_limit_bytes: int | None
    """How many more bytes, up and down together; None for no limit."""


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """One row on the router that carries our mark: a hotspot user or an ip-binding."""

    grant_id: str
    until_epoch_s: int | None
    mac: MacAddress | None
    online: bool
    """Traffic passes now: the user has an active row bound to this MAC, or the binding is bypassed and enabled."""
    used_up: bool
    """The data limit is reached: the router will not let the device in again."""
    left_bytes: int | None = None
    """What is left of the row's data limit, its session counted; None without a limit. Not what was used: a row goes on counting
    when it passes from one grant of its device to the next."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the router shows of ours, read in one go. A table that could not be read raises; an empty one is empty."""

    uptime_s: int
    rows: tuple[MarkedRow, ...]
    strays: tuple[MacAddress, ...]
    """Devices that are online under the name of their own MAC although no such user exists any more: removing a user does
    not end its active row (facts, routeros 2.4)."""
    hosts: frozenset[MacAddress]
    """Every device that the hotspot sees."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the cheapest questions tell of a router."""

    uptime_s: int
    """Since it started; a smaller one than before shows a reboot."""
    sessions: int = 0
    """How many devices are logged in; counted only where there is a limit."""
    session_limit: int | None = None
    """How many its licence allows; None for no limit that we would meet."""

    @property
    def room(self) -> int | None:
        """How many more devices may be logged in; None for no limit."""
        return None if self.session_limit is None else max(0, self.session_limit - self.sessions)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a router says of itself."""

    version: str
    """Of RouterOS, such as `7.20.8 (long-term)`."""
    hotspot_servers: tuple[str, ...]
    """By name."""


class Inspector(Protocol):
    """A router that is asked once, before or beside being sold on. Its method raises what those of `Hotspot` raise."""

    async def inspect(self) -> Inspection:
        """Log in and look."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...


class Hotspot(Protocol):
    """One router's hotspot.

    Every method raises RouterUnreachable when the router does not answer within its deadline, and RouterRefused when it
    answers no.
    """

    @property
    def reachable(self) -> bool | None:
        """Whether the last exchange worked, and changes are not refused for want of rights; None until the first one has ended."""
        ...

    @property
    def room(self) -> int | None:
        """How many more devices can be let through, as of the last pulse; None for no limit, and until the first pulse."""
        ...

    async def locate(self, mac: MacAddress | None, ip: IpAddress | None) -> Device | None:
        """The device in the host table with that MAC, else with that address; None when the router sees no such device."""
        ...

    async def authorize(self, wanted: WantedAccess) -> Device:
        """Let the device through and read that back. Raises DeviceAbsent when the router does not see it at the moment."""
        ...

    async def shut_out(self, mac: MacAddress) -> None:
        """Remove everything of ours that lets this device through: user, active row, cookies, binding, host row."""
        ...

    async def pulse(self) -> Pulse:
        """Whether the router answers, since when it runs, and whether there is room: the cheapest questions that tell so."""
        ...

    async def observe(self) -> Snapshot:
        """Everything of ours on the router."""
        ...
