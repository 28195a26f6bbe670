"""The page on which a customer buys."""

from aiohttp import web

from gateway.catalogue import Router
from gateway.errors import NotFound
from gateway.packages import Package
from gateway.web import pages
from gateway.web.bodies import id_in
from gateway.web.services import services


async def page(request: web.Request) -> web.Response:
    """The page on which a customer buys: what is on sale at the router that the phone is on; 404 for an unknown router."""
    router = _router(request)
    owner = services(request).site.catalogue.owners[router.owner_id]
    return pages.page(
        "portal.html",
        owner=owner,
        router=router,
        packages=[package for package in router.packages.values() if package.active],
        mac=request.query.get("mac", ""),
        ip=request.query.get("ip", ""),
        terms=_terms,
    )


def _terms(package: Package) -> list[str]:
    """What the name of a package may not say."""
    said = []
    if package.description:
        said.append(package.description)
    if package.download_kbps:
        said.append(f"up to {package.download_kbps / 1000:g} Mbps")
    if package.data_limit_mb:
        said.append(f"{package.data_limit_mb:,} MB")
    return said


def _router(request: web.Request) -> Router:
    routers = services(request).site.catalogue.routers
    wanted = request.query.get("router")
    try:
        return routers[id_in(wanted) if wanted else min(routers)]
    except (ValueError, KeyError):
        raise NotFound("There is no such router") from None
