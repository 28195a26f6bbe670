"""What the router does with a phone's TCP connection: let it pass, answer it itself, refuse it (facts, routeros 4.4).

Reads the router's tables and its hotspot; changes nothing but what the phone's packets change, such as letting it in by its MAC.
"""

import ipaddress
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.tables import Row
from gateway.simulators.routeros.values import address_range, canonical_mac

_PROXIED_PORTS = frozenset({80, 3128, 8080})
"""Where chain `hs-unauth` catches HTTP and hands it to the walled-garden proxy."""

_PACKET_BYTES = 500
"""About what a browser's request weighs, headers and handshake included."""


class Verdict(Enum):
    """What becomes of a connection."""

    PASSES = "passes"
    TO_LOGIN = "to login"
    """The router answers in the stranger's place, and leads to its login page."""
    TO_ROUTER = "to router"
    """The router's own pages are meant."""
    REFUSED = "refused"
    """A reset: what HTTPS meets, and every port that nobody opened."""
    LOST = "lost"
    """No answer at all."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a browser wants to go."""

    host: str
    """As the browser names it: a name or an address."""
    port: int
    path: str = "/"
    method: str = "GET"


def verdict(router: SimulatedRouter, mac: str, destination: Destination) -> Verdict:
    """What the router does with this connection now. The phone's request is counted as its traffic."""
    hotspot = router.hotspot
    ip = hotspot.phones.get(canonical_mac(mac)) if hotspot.powered else None
    if ip is None or hotspot.is_blocked(mac):
        return Verdict.LOST
    passes = router.traffic(mac, bytes_in=_PACKET_BYTES)
    if destination.host.lower() in own_names(router):
        return Verdict.TO_ROUTER if destination.port in _PROXIED_PORTS else Verdict.REFUSED
    return Verdict.PASSES if passes else _unauthorised(router, ip, destination)


def receives(router: SimulatedRouter, mac: str, size_bytes: int) -> bool:
    """Count what comes in for a phone; False when it is out of range and gets none of it."""
    router.traffic(mac, bytes_out=size_bytes)
    return router.hotspot.powered and canonical_mac(mac) in router.hotspot.phones


def own_names(router: SimulatedRouter) -> tuple[str, ...]:
    """What the router's pages are called: the name in the server's profile, if any, and the address."""
    profile = server_profile(router)
    return tuple(name.lower() for name in (profile.get("dns-name", ""), profile["hotspot-address"]) if name)


def server_profile(router: SimulatedRouter) -> Row:
    """The row of `/ip/hotspot/profile` that the hotspot's server uses."""
    server = router.hotspot.servers.named(router.hotspot.server)
    profiles = router.hotspot.server_profiles
    return (profiles.named(server["profile"]) if server else None) or next(iter(profiles))


def _unauthorised(router: SimulatedRouter, ip: str, destination: Destination) -> Verdict:
    """Chain `hs-unauth`: the garden of addresses first, then the proxy with the garden of names, then the reset."""
    tables, server = router.machine.configuration.tables, router.hotspot.server
    for row in tables["/ip/hotspot/walled-garden/ip"]:
        if _is_for(row, server, ip) and _fits_packets(row, destination):
            return {"accept": Verdict.PASSES, "drop": Verdict.LOST}.get(row["action"], Verdict.REFUSED)
    if destination.port not in _PROXIED_PORTS:
        return Verdict.REFUSED
    for row in tables["/ip/hotspot/walled-garden"]:
        if _is_for(row, server, ip) and _fits_request(row, destination):
            return Verdict.PASSES if row["action"] == "allow" else Verdict.TO_LOGIN
    return Verdict.TO_LOGIN


def _is_for(row: Row, server: str, ip: str) -> bool:
    on_server = row["disabled"] == "false" and row.get("server", "all") in {"all", server}
    return on_server and _in_range(ip, row.get("src-address", "")) and not row.get("src-address-list")


def _fits_packets(row: Row, destination: Destination) -> bool:
    """A row of `walled-garden/ip` sees addresses, ports and protocols. One with an address list fits nothing: there are none."""
    return (
        not row.get("dst-address-list")
        and row.get("protocol", "") in {"", "tcp", "6"}
        and _in_ports(destination.port, row.get("dst-port", ""))
        and _in_range(destination.host, row.get("dst-address", ""))
        and row.get("dst-host", destination.host).lower() == destination.host.lower()
    )


def _fits_request(row: Row, destination: Destination) -> bool:
    """A row of `walled-garden` sees the request, as a proxy does."""
    return (
        _in_ports(destination.port, row.get("dst-port", ""))
        and fnmatchcase(destination.host.lower(), row.get("dst-host", "").lower() or "*")
        and fnmatchcase(destination.path, row.get("path", "") or "*")
        and row.get("method", "") in {"", destination.method}
    )


def _in_ports(port: int, ports: str) -> bool:
    """Ports as `80,443` or `8000-8100`; none written is every port."""
    bounds = [part.partition("-") for part in ports.split(",") if part]
    return not bounds or any(int(first) <= port <= int(last or first) for first, _, last in bounds)


def _in_range(host: str, addresses: str) -> bool:
    """Whether the host is an address in the range; none written is every host, and a name is in no range."""
    if not addresses:
        return True
    try:
        address = int(ipaddress.IPv4Address(host))
    except ValueError:
        return False
    first, last = address_range(addresses)
    return first <= address <= last
