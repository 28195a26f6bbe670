"""Which machine is asking: the peer of the connection, or whom a proxy that the configuration trusts speaks for."""

import ipaddress

from aiohttp import web

from gateway.visitors import Address
from gateway.web.services import services


def address_of(request: web.Request) -> Address | None:
    """The address that the request comes from; None when it cannot be told.

    `X-Forwarded-For` is read from its end and only as far as `server.trusted_proxies` vouch for it: what stands further left
    was written by the client itself, who may claim to be anybody.
    """
    trusted = services(request).config.server.trusted_proxies
    hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
    address = _address(request.remote or "")
    while hops and address is not None and any(address in network for network in trusted):
        address = _address(hops.pop())
    return address


def client_address(request: web.Request) -> str:
    """The address as limits count it: an IPv6 client owns the whole /64 that its address is from (RFC 4291, section 2.5.4)."""
    address = address_of(request)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address or "unknown")


def _address(text: str) -> Address | None:
    """Also out of `::ffff:192.168.1.100`, as a socket for both families spells an IPv4 peer."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
