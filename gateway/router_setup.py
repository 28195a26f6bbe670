"""`hotspot-gateway router-script`: prepares a router for the gateway, as a script to paste or over the API.

Owns what of the configuration goes into the plan. What the plan says is `gateway.hotspot.setup`'s business.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from gateway.clock import SystemClock
from gateway.config import API_PORT, Config, OwnerConfig, RouterConfig
from gateway.hotspot.base import RouterLogin
from gateway.hotspot.link import Link
from gateway.hotspot.setup.apply import Setup, require_rights
from gateway.hotspot.setup.plan import BY_EYE, Installation, plan
from gateway.hotspot.setup.script import script
from gateway.identity import IpAddress, MacAddress, Secret
from gateway.providers.base import Environment

_PAYMENT_SITES = {Environment.SANDBOX: "sandbox.intasend.com", Environment.LIVE: "payment.intasend.com"}
"""Where IntaSend's payment pages are (facts, payments 1.2)."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the configuration does not say."""

    router_id: int
    gateway: IPv4Address | None = None
    """Where the router sees the gateway; None for the host of public_url."""
    gateway_mac: MacAddress | None = None
    links: bool = False
    """Phones may open payment pages before they have paid."""
    inline: bool = False
    """The router shall not fetch its pages."""


def installation(config: Config, wishes: Wishes) -> Installation:
    """What the plan is made for. ValueError for an unknown router, or when nothing says where the gateway is."""
    owner, router = _router(config.owners, wishes.router_id)
    public_url = config.server.public_url
    return Installation(
        login=router.login,
        gateway=IpAddress(str(wishes.gateway or _address_in(public_url))),
        public_url=public_url,
        speeds=tuple(package.profile for package in router.packages),
        payment_hosts=(_payment_host(owner),) if wishes.links else (),
        gateway_mac=wishes.gateway_mac,
        support_phone=owner.portal.support_phone,
        inline_pages=wishes.inline,
    )


def printed(site: Installation, *, with_password: bool) -> str:
    """The script for one router."""
    title = f"hotspot-gateway: prepares router {site.login.router_id}, {site.login.name}, for the gateway at {site.gateway}"
    return script(plan(site), title=title, password=site.login.password if with_password else None)


async def apply(site: Installation, admin: RouterLogin, show: Callable[[str], None], *, dry: bool) -> int:
    """Do it over the API and show each step; 0 when the router is as it should be, 1 when something is left to do.

    Raises RouterUnreachable and RouterRefused.
    """
    link, well = Link(admin, SystemClock(), purpose="setting it up"), True
    try:
        await require_rights(link)
        async for outcome in Setup(link, dry=dry).bring(plan(site)):
            show(str(outcome))
            well = well and outcome.is_well
    finally:
        await link.close()
    show("Nothing was changed: this was a dry run." if dry else "Look at these yourself:")
    for line in () if dry else BY_EYE:
        show(f"  {line}")
    return 0 if well else 1


def admin_login(login: RouterLogin, username: str, password: Secret, *, plain: bool, port: int | None) -> RouterLogin:
    """The way in for the set-up. `plain` is for a router whose api-ssl has no certificate yet."""
    if plain:
        login = replace(login, tls=False, tls_fingerprint=None, tls_ca_file=None, port=API_PORT)
    return replace(login, username=username, password=password, port=port or login.port)


def _router(owners: Iterable[OwnerConfig], router_id: int) -> tuple[OwnerConfig, RouterConfig]:
    known = {router.id: (owner, router) for owner in owners for router in owner.routers}
    if router_id not in known:
        raise ValueError(f"the configuration has no router {router_id}; it has {', '.join(map(str, sorted(known))) or 'none'}")
    return known[router_id]


def _address_in(public_url: str) -> IPv4Address:
    host = urlsplit(public_url).hostname or ""
    try:
        return IPv4Address(host)
    except ValueError:
        raise ValueError(f"server.public_url names the gateway {host}: give its address with --gateway-address") from None


def _payment_host(owner: OwnerConfig) -> str:
    account = owner.intasend.account if owner.intasend else None
    return _PAYMENT_SITES[account.environment if account else Environment.LIVE]
