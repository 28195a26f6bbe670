"""What a router should be like before anything is sold on it: the one description, from which script and `--apply` are made.

Pure: one router of the configuration in, steps out, in the order in which they are safe. Settings that are not ours alone (the
hotspot's own profile and server, the API service, DNS) are named in a step's reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from gateway.hotspot.base import RouterLogin
from gateway.hotspot.pages import hotspot_pages
from gateway.hotspot.profiles import wanted_of
from gateway.hotspot.setup import sweeper
from gateway.hotspot.setup.steps import (
    Bypass,
    Certificate,
    Exactly,
    Is,
    Members,
    OnlyFrom,
    Pages,
    ProfilesOf,
    Row,
    Step,
    Value,
)
from gateway.hotspot.words import duration
from gateway.identity import IpAddress, MacAddress
from gateway.packages import MARK, SpeedProfile

CERTIFICATE_DAYS = 3650
"""Ten years: the gateway pins the certificate itself, so its age says nothing; a shorter one would stop sales on some quiet day."""

_HTTP_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Installation:
    """One router, and the gateway that will sell on it."""

    login: RouterLogin
    gateway: IpAddress
    """Where the router sees the gateway's API connection come from."""
    public_url: str
    """How phones reach the portal; no slash at the end."""
    speeds: tuple[SpeedProfile, ...]
    payment_hosts: tuple[str, ...] = ()
    """Sites that phones may reach before they have paid, because payment links are used."""
    gateway_mac: MacAddress | None = None
    """Of the gateway on the hotspot's network; None when the router is to find it."""
    support_phone: str | None = None
    inline_pages: bool = False

    @property
    def portal(self) -> IpAddress:
        """Where phones find the portal; with a name in `public_url` the gateway's own address."""
        try:
            return IpAddress.parse(urlsplit(self.public_url).hostname or "")
        except ValueError:
            return self.gateway


def plan(site: Installation) -> list[Step]:
    """Every step. What may end the connection over which it is done stands last."""
    return [
        *_login(site),
        *(_speed(profile) for profile in dict.fromkeys(site.speeds)),
        *_hotspot(site),
        *_garden(site),
        *_network(site),
        _bypass(site),
        *_sweeper(),
        *_service(site),
    ]


def _login(site: Installation) -> Iterable[Step]:
    yield Row(
        f"group {MARK}",
        "the fewest rights that selling needs; write lets it change anything but users, so keep its password",
        "/user/group",
        {"name": MARK},
        {"policy": Exactly(("api", "read", "write"))},
    )
    yield Row(
        f"user {site.login.username}",
        f"the gateway logs in as this, and only from {site.gateway}",
        "/user",
        {"name": site.login.username},
        {"group": Is(MARK), "address": OnlyFrom(site.gateway), "comment": Is(MARK), "disabled": Is("no")},
        when_added={"password": site.login.password},
        needs_mark=True,
    )


def _service(site: Installation) -> Iterable[Step]:
    wanted: dict[str, Value] = {"address": OnlyFrom(site.gateway), "disabled": Is("no")}
    if site.login.tls and site.login.tls_ca_file is None:
        yield Certificate(
            "certificate for the API",
            "without one the API has no TLS that can be trusted; the gateway pins its fingerprint",
            f"{MARK}-api",
            site.login.host,
            CERTIFICATE_DAYS,
        )
        wanted = {"certificate": Is(f"{MARK}-api"), **wanted}
    yield Row(
        f"service {'api-ssl' if site.login.tls else 'api'}",
        f"the API answers {site.gateway} and nobody else: other programs that use it are locked out",
        "/ip/service",
        {"name": "api-ssl" if site.login.tls else "api"},
        wanted,
        may_be_added=False,
    )


def _speed(profile: SpeedProfile) -> Step:
    return Row(
        f"speed {profile.name}",
        "what packages of this speed grant",
        "/ip/hotspot/user/profile",
        {"name": profile.name},
        {name: Is(text) for name, text in wanted_of(profile).items()},
    )


def _hotspot(site: Installation) -> Iterable[Step]:
    profiles = ProfilesOf(site.login.hotspot_server)
    yield Row(
        "hotspot profile",
        "mac lets who has paid back in after a reboot; a cookie would let a phone in after its time",
        "/ip/hotspot/profile",
        {},
        {"login-by": Members(("mac", "http-chap"), ("cookie", "mac-cookie")), "mac-auth-mode": Is("mac-as-username")},
        used_by=profiles,
        may_be_added=False,
    )
    yield Row(
        "hotspot server",
        "without a pool a phone keeps its address, and the gateway knows it by that",
        "/ip/hotspot",
        {} if site.login.hotspot_server is None else {"name": site.login.hotspot_server},
        {"address-pool": Is("none")},
        may_be_added=False,
    )
    yield Pages(
        "pages of the hotspot",
        "lead every phone on to the portal; they replace what is in the folder of the hotspot's profile",
        profiles,
        hotspot_pages(site.public_url, site.login.router_id, site.support_phone),
        f"{site.public_url}/router/{site.login.router_id}/hotspot/",
        site.inline_pages,
    )


def _garden(site: Installation) -> Iterable[Step]:
    parts = urlsplit(site.public_url)
    portal = Row(
        "walled garden: the portal",
        "phones reach the portal before they have paid; never their own connectivity probes, or they show no portal",
        "/ip/hotspot/walled-garden/ip",
        {"comment": f"{MARK} portal"},
        {
            "action": Is("accept"),
            "dst-address": Is(site.portal.text),
            "protocol": Is("tcp"),
            "dst-port": Is(str(parts.port or _HTTP_PORTS[parts.scheme])),
        },
    )
    yield portal
    for host in site.payment_hosts:
        yield replace(
            portal,
            title=f"walled garden: {host}",
            why="a payment link opens before the phone is online; card payments may need further hosts of the card's bank",
            found_by={"comment": f"{MARK} payment page {host}"},
            wanted={"action": Is("accept"), "dst-host": Is(host), "protocol": Is("tcp"), "dst-port": Is("443")},
        )


def _network(site: Installation) -> Iterable[Step]:
    yield Row(
        "DNS for phones",
        "a phone that resolves no names shows no portal; the firewall must keep the Internet out of it",
        "/ip/dns",
        {},
        {"allow-remote-requests": Is("yes")},
        may_be_added=False,
        is_single=True,
    )
    yield Row(
        "private DNS falls back",
        "a phone that insists on encrypted DNS before it has paid finds no portal: it is told no at once",
        "/ip/firewall/filter",
        {"comment": f"{MARK} private DNS falls back"},
        {
            "chain": Is("forward"),
            "action": Is("reject"),
            "reject-with": Is("tcp-reset"),
            "protocol": Is("tcp"),
            "dst-port": Is("853"),
            "hotspot": Exactly(("from-client", "!auth")),
        },
        goes_first="forward",
    )
    yield Row(
        "phones keep their address",
        "masqueraded phones would all look like the router to the gateway, which knows them by their address",
        "/ip/firewall/nat",
        {"comment": f"{MARK} phones keep their address"},
        {"chain": Is("srcnat"), "action": Is("accept"), "dst-address": Is(site.portal.text)},
        goes_first="srcnat",
    )


def _bypass(site: Installation) -> Step:
    return Bypass(
        "the gateway's own bypass",
        "a gateway on the hotspot's network is a guest like any other and would be caught by it",
        f"{MARK} gateway",
        site.portal,
        site.gateway_mac,
    )


def _sweeper() -> Iterable[Step]:
    yield Row(
        "sweeper",
        "ends what is overdue when the gateway is dead; refuses to act on a clock that is not set",
        "/system/script",
        {"name": sweeper.NAME},
        {"source": Is(sweeper.source()), "policy": Exactly(("read", "write"))},
    )
    yield Row(
        "sweeper's timer",
        f"runs the sweeper every {sweeper.INTERVAL_S} seconds; from startup, because a date from 1970 would come late or never",
        "/system/scheduler",
        {"name": sweeper.NAME},
        {
            "on-event": Is(sweeper.NAME),
            "interval": Is(duration(sweeper.INTERVAL_S)),
            "start-time": Is("startup"),
            "policy": Exactly(("read", "write")),
            "disabled": Is("no"),
            "comment": Is(MARK),
        },
    )


BY_EYE = (
    "/system device-mode print   (RouterOS 7.17 and later): hotspot, scheduler and fetch say yes",
    "/system clock print         : date and time are right, and a time server is set (/system ntp client print)",
    "/ip dhcp-server network print : dns-server is this router alone",
    "/ip firewall filter print   : port 53 is not open to the Internet; no fasttrack rule takes the hotspot's network",
    "/ipv6 address print         : no IPv6 on the hotspot's interface, or phones are online without paying",
    "/ip firewall nat print      : the row of hotspot-gateway stands before every masquerade",
    "/ip service print           : api, telnet, ftp and www are off or limited to addresses",
    "On a phone: forget the WiFi, join it again: the portal comes up by itself",
)
"""What no script can judge; the last lines of both renderings."""
