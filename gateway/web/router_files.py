"""The pages of the hotspot's HTML folder, for the router to fetch while it is set up (`hotspot-gateway router-script`)."""

from aiohttp import web

from gateway.errors import NotFound
from gateway.hotspot.pages import hotspot_pages
from gateway.web.bodies import id_in
from gateway.web.services import services


async def hotspot_file(request: web.Request) -> web.Response:
    """One file for one router, as text: only the router fills in what stands in it. 404 for an unknown file or router."""
    site = services(request)
    try:
        router = site.site.catalogue.routers[id_in(request.match_info["router_id"])]
        looks = {owner.id: owner.portal for owner in site.config.owners}
        look = looks.get(router.owner_id)
        files = hotspot_pages(site.config.server.public_url, router.id, look.support_phone if look else None)
        return web.Response(text=files[request.match_info["file"]], content_type="text/plain", charset="utf-8")
    except (ValueError, KeyError):
        raise NotFound("There is no such file") from None
