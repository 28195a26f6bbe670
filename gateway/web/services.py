"""What the handlers may use, and where they find it. Decides nothing."""

from dataclasses import dataclass

from aiohttp import web

from gateway.catalogue import Site
from gateway.config import Config
from gateway.health import Health
from gateway.sales import Sales
from gateway.settlement import Settlement


@dataclass(slots=True)
class Services:
    """The flows, and the configuration that the web layer itself obeys."""

    config: Config
    """Replaced by a reload."""
    site: Site
    sales: Sales
    settlement: Settlement
    health: Health


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """The services of the application that serves this request."""
    return request.app[SERVICES]
