"""The page on which a customer buys."""

from pathlib import Path

import jinja2
from aiohttp import web

from gateway.catalogue import Router
from gateway.errors import Invalid, NotFound
from gateway.web.services import services

_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


async def page(request: web.Request) -> web.Response:
    """`GET /` and `/portal/`: what is on sale at the router that the phone is on."""
    router = _router(request)
    owner = services(request).site.catalogue.owners[router.owner_id]
    html = _PAGES.get_template("portal.html").render(
        owner=owner,
        router=router,
        packages=[package for package in router.packages.values() if package.active],
        mac=request.query.get("mac", ""),
        ip=request.query.get("ip", ""),
    )
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})


def _router(request: web.Request) -> Router:
    routers = services(request).site.catalogue.routers
    wanted = request.query.get("router", "")
    found = routers.get(int(wanted)) if wanted.isascii() and wanted.isdigit() else next(iter(routers.values()), None)
    if found is None:
        raise web.HTTPNotFound(reason="No such router")
    return found
