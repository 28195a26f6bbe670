"""Pitfalls of addresses, names and packets: what a phone can reach before it has paid, and what reaches the gateway.

Pure, like `inspection_rules`, which calls these.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from gateway.hotspot.inspection import Judgement, Sight, Site, Verdict, servers
from gateway.hotspot.words import Row, flag_at

PROBES = (
    "connectivitycheck.gstatic.com", "clients3.google.com", "connectivitycheck.android.com", "www.google.com",
    "captive.apple.com", "www.apple.com", "www.msftconnecttest.com", "www.msftncsi.com",
    "connectivitycheck.platform.hicloud.com", "connect.rom.miui.com",
)  # fmt: skip
"""What phones ask to find out whether they are online (facts, routeros 4.5). Let through unpaid, no portal ever opens."""

SCRIPT = "run `hotspot-gateway router-script` again"

_HTTP_PORTS = {"http": 80, "https": 443}
_NARROWING = (
    "src-address", "dst-address", "src-address-list", "dst-address-list", "in-interface", "out-interface", "in-interface-list",
    "out-interface-list", "connection-mark", "hotspot",
)  # fmt: skip
"""What a fasttrack rule may say to leave the hotspot's network out."""


def portal_address(site: Site) -> str | None:
    """Where phones find the portal; None when `public_url` has a name."""
    host = urlsplit(site.public_url).hostname or ""
    return host if _address(host) else None


def gateway_address(sight: Sight, site: Site) -> str | None:
    """Where the router sees the gateway: the portal's address, else the one that is logged in to its API. Raises Unseen."""
    portal = portal_address(site)
    if portal is not None:
        return portal
    logins = [row for row in sight.rows("/user/active") if row.get("name") == site.login.username]
    return logins[0].get("address") if logins else None


def walled_garden(sight: Sight, site: Site) -> Judgement:
    """Phones must reach the portal before they have paid (facts, routeros 4.3)."""
    what = "walled garden"
    rows = [row for row in sight.rows("/ip/hotspot/walled-garden/ip") if not flag_at(row, "disabled")]
    if any(row.get("action", "accept") == "accept" and _leads_to_portal(row, site) for row in rows):
        return Judgement(what, Verdict.OK, f"leads to {site.public_url}")
    return Judgement(what, Verdict.WRONG, f"no way to {site.public_url} before paying: {SCRIPT}")


def probes(sight: Sight, _site: Site) -> Judgement:
    """Phones must not reach their own probes before they have paid."""
    what = "connectivity probes"
    rows = [*sight.rows("/ip/hotspot/walled-garden"), *sight.rows("/ip/hotspot/walled-garden/ip")]
    opened = sorted({row["dst-host"] for row in rows if _is_probe(row)})
    if not opened:
        return Judgement(what, Verdict.OK, "not let through unpaid")
    return Judgement(what, Verdict.WRONG, f"{', '.join(opened)} in the walled garden: no portal opens by itself; remove the rows")


def bypass(sight: Sight, site: Site) -> Judgement:
    """A gateway on the hotspot's network is caught like any guest (facts, routeros 4.4)."""
    what = "gateway's bypass"
    address = gateway_address(sight, site)
    if address is None:
        return Judgement(
            what, Verdict.LOOK, "the gateway's address is not known here: on the hotspot's network it needs an ip-binding"
        )
    if not any(_contains(row, address) for row in _hotspot_networks(sight, site)):
        return Judgement(what, Verdict.OK, f"not needed: {address} is not on the hotspot's network")
    macs = {row.get("mac-address") for row in sight.rows("/ip/hotspot/host") if row.get("address") == address}
    bindings = [row for row in sight.rows("/ip/hotspot/ip-binding") if _lets_through(row)]
    if any(row.get("address") == address or row.get("mac-address") in macs - {None} for row in bindings):
        return Judgement(what, Verdict.OK, f"{address} is bypassed")
    if not macs and any("address" not in row for row in bindings):
        return Judgement(what, Verdict.LOOK, f"{address} is not among the hotspot's hosts: is its MAC the one that is bypassed?")
    return Judgement(what, Verdict.WRONG, f"{address} is on the hotspot's network without a bypassed ip-binding: {SCRIPT}")


def masquerade(sight: Sight, site: Site) -> Judgement:
    """Phones must reach the gateway under their own address (facts, routeros 4.3)."""
    what = "phones' addresses"
    portal = portal_address(site)
    for row in sight.rows("/ip/firewall/nat"):
        if row.get("chain") != "srcnat" or flag_at(row, "disabled"):
            continue
        if row.get("action", "accept") == "accept" and _covers(row.get("dst-address"), portal):
            return Judgement(what, Verdict.OK, "kept on the way to the portal")
        hides = row.get("action") in {"masquerade", "src-nat"} and _covers(row.get("dst-address"), portal)
        if hides and not row.get("out-interface") and not row.get("out-interface-list"):
            return Judgement(what, Verdict.WRONG, f"a masquerade row may hide them from the portal: {SCRIPT}")
    return Judgement(what, Verdict.OK, "no masquerade on the way to the portal")


def dns(sight: Sight, site: Site) -> Judgement:
    """A phone that resolves no names before paying shows no portal (facts, routeros 4.5)."""
    what = "DNS for phones"
    if not flag_at(sight.one("/ip/dns"), "allow-remote-requests"):
        return Judgement(what, Verdict.WRONG, f"allow-remote-requests is off, so phones resolve nothing: {SCRIPT}")
    own = {row.get("address", "").partition("/")[0] for row in sight.rows("/ip/address")}
    networks = _hotspot_networks(sight, site)
    handed = {
        server
        for row in sight.rows("/ip/dhcp-server/network")
        if any(_overlap(row, network) for network in networks)
        for server in row.get("dns-server", "").split(",")
        if server
    }
    if handed - own:
        advice = "let DHCP name the router alone: others are not reached before paying"
        return Judgement(what, Verdict.LOOK, f"DHCP hands out {', '.join(sorted(handed - own))}: {advice}")
    return Judgement(what, Verdict.OK, "the router answers")


def fasttrack(sight: Sight, _site: Site) -> Judgement:
    """Fasttracked connections pass by queues and counters (facts, routeros 3.7)."""
    what = "fasttrack"
    rows = [row for row in sight.rows("/ip/firewall/filter") if row.get("action") == "fasttrack-connection"]
    live = [row for row in rows if not flag_at(row, "disabled")]
    if any(not any(row.get(name) for name in _NARROWING) for row in live):
        advice = "leave the hotspot's network out of the rule (src-address, dst-address), or disable it"
        return Judgement(what, Verdict.WRONG, f"takes the hotspot's network too, past speed and data limits: {advice}")
    if live:
        return Judgement(what, Verdict.LOOK, "a rule with conditions: see that it leaves the hotspot's network out")
    return Judgement(what, Verdict.OK, "not used")


def ipv6(sight: Sight, site: Site) -> Judgement:
    """The hotspot holds IPv4 only: IPv6 is Internet without paying (facts, routeros 4.4)."""
    what = "IPv6"
    if flag_at(sight.one("/ipv6/settings"), "disable-ipv6"):
        return Judgement(what, Verdict.OK, "switched off")
    interfaces = {row.get("interface") for row in servers(sight, site)}
    rows = [row for row in sight.rows("/ipv6/address") if row.get("interface") in interfaces and not flag_at(row, "disabled")]
    public = [row.get("address", "") for row in rows if not row.get("address", "").lower().startswith("fe80:")]
    if public:
        advice = "remove it, or set disable-ipv6=yes: the hotspot holds IPv4 only"
        return Judgement(what, Verdict.WRONG, f"{public[0]} on the hotspot's interface is Internet without paying: {advice}")
    return Judgement(what, Verdict.OK, "no address on the hotspot's interface")


def address_pool(sight: Sight, site: Site) -> Judgement:
    """With a pool, phones have two addresses (facts, routeros 2.7)."""
    what = "address pool"
    pooled = sorted(row.get("name", "") for row in servers(sight, site) if row.get("address-pool", "none") != "none")
    if pooled:
        return Judgement(
            what, Verdict.WRONG, f"{', '.join(pooled)} gives phones a second address: set address-pool=none, or {SCRIPT}"
        )
    return Judgement(what, Verdict.OK, "none")


# Inside


def _leads_to_portal(row: Row, site: Site) -> bool:
    """Whether a walled-garden row lets phones through to the portal's host and port."""
    parts = urlsplit(site.public_url)
    port = str(parts.port or _HTTP_PORTS.get(parts.scheme, 0))
    right_place = row.get("dst-host") == parts.hostname or (
        "dst-address" in row and _covers(row["dst-address"], portal_address(site))
    )
    return right_place and row.get("dst-port", port) == port and row.get("protocol", "tcp") in {"tcp", "6"}


def _is_probe(row: Row) -> bool:
    """Whether the row opens a probe. Patterns of the walled garden (`*`) are taken by their fixed end."""
    host = row.get("dst-host", "").lower()
    opens = row.get("action", "allow") in {"allow", "accept"} and not flag_at(row, "disabled")
    fixed = host.lstrip("*").lstrip(".")
    return opens and bool(fixed) and any(probe == host or (host.startswith("*") and probe.endswith(fixed)) for probe in PROBES)


def _lets_through(row: Row) -> bool:
    return (row.get("type") == "bypassed" or flag_at(row, "bypassed")) and not flag_at(row, "disabled")


def _hotspot_networks(sight: Sight, site: Site) -> Iterable[Row]:
    interfaces = {row.get("interface") for row in servers(sight, site)}
    return [row for row in sight.rows("/ip/address") if row.get("interface") in interfaces and not flag_at(row, "disabled")]


def _contains(row: Row, address: str) -> bool:
    network = _network(row.get("address", ""))
    return network is not None and _address(address) in network


def _overlap(row: Row, other: Row) -> bool:
    mine, theirs = _network(row.get("address", "")), _network(other.get("address", ""))
    return mine is not None and theirs is not None and mine.overlaps(theirs)


def _covers(pattern: str | None, address: str | None) -> bool:
    """Whether a row with that destination is about the portal; one without is about everything."""
    if not pattern or address is None:
        return True
    network = _network(pattern.removeprefix("!"))
    return network is not None and (_address(address) in network) is not pattern.startswith("!")


def _network(text: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None
