"""What the handlers may use, and where they find it. Decides nothing."""

from dataclasses import dataclass

from aiohttp import web

from gateway.accounts import Accounts
from gateway.catalogue import Site
from gateway.claims import Claims
from gateway.clock import Clock
from gateway.config import Config
from gateway.credentials import Credentials
from gateway.grants import Grants
from gateway.health import Health
from gateway.idempotency import Idempotency
from gateway.inventory import Inventory
from gateway.links import Links
from gateway.news import News
from gateway.portal import Portal
from gateway.records import Records
from gateway.refunds import Refunds
from gateway.sales import Sales
from gateway.settlement import Settlement
from gateway.visitors import Visitors


@dataclass(slots=True)
class Services:
    """The flows, and the configuration that the web layer itself obeys."""

    config: Config
    """Replaced by a reload."""
    site: Site
    clock: Clock
    """The one that knows whether its wall time can be believed."""
    visitors: Visitors
    news: News
    sales: Sales
    links: Links
    idempotency: Idempotency
    settlement: Settlement
    accounts: Accounts
    credentials: Credentials
    inventory: Inventory
    records: Records
    grants: Grants
    refunds: Refunds
    claims: Claims
    portal: Portal
    health: Health


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """The services of the application that serves this request."""
    return request.app[SERVICES]
