"""The Captive Portal API of RFC 8908: whether a device is let through, for how long, and where its user can do something about it.

Who asks is found out by the router's word, as on every page; a device that no router knows is captive and learns no more.
"""

import msgspec
from aiohttp import hdrs, web

from gateway.visitors import Named, Visitor
from gateway.web.peers import address_of
from gateway.web.portal import SHOP, look_of
from gateway.web.services import services

MEDIA_TYPE = "application/captive+json"
"""RFC 8908, section 5."""


class CaptiveState(msgspec.Struct, rename="kebab", omit_defaults=True):
    """What a phone is told (RFC 8908, section 5); a key without a value is left out."""

    captive: bool
    user_portal_url: str | None = None
    """Only where it is https: the RFC demands it, and phones refuse another."""
    venue_info_url: str | None = None
    can_extend_session: bool | None = None
    """Said of a session that runs."""
    seconds_remaining: int | None = None
    bytes_remaining: int | None = None
    """By the router's own count; left out without a data limit."""


async def api(request: web.Request) -> web.Response:
    """Whether this device is captive, and how long it still has."""
    visitor = await services(request).visitors.who(address_of(request), Named())
    state = _state(request, visitor)
    if visitor.is_on_hotspot:
        await _add_session(request, visitor, state)
    body = msgspec.json.encode(state)
    # Each device gets its own answer, and each a new one the next time (RFC 8908, section 4.1.1).
    return web.Response(body=body, content_type=MEDIA_TYPE, headers={hdrs.CACHE_CONTROL: "private, no-store"})


def _state(request: web.Request, visitor: Visitor) -> CaptiveState:
    """Of a device that is not let through, or not known."""
    public_url = services(request).config.server.public_url
    return CaptiveState(
        captive=True,
        user_portal_url=f"{public_url}{SHOP}" if public_url.startswith("https://") else None,
        venue_info_url=look_of(services(request), visitor.owner).venue_url,
    )


async def _add_session(request: web.Request, visitor: Visitor, state: CaptiveState) -> None:
    """What a device that is let through learns besides."""
    portal = services(request).portal
    device = await portal.device(visitor)
    if device.ends_s is None or device.logged_out:
        return
    state.captive, state.can_extend_session = False, True
    state.seconds_remaining = max(0, int(device.ends_s - services(request).clock.wall_s()))
    state.bytes_remaining = await portal.bytes_left(visitor, device)
