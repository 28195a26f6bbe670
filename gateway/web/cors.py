"""Which web pages may call us: those of `server.cors_origins`, and only at the endpoints that take a public key.

Cookies are not involved anywhere, so no page can act for somebody who did not give it a key (Fetch standard, "CORS protocol").
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

from aiohttp import hdrs, web

from gateway.web.routes import Access, Handler, Route
from gateway.web.services import services

OPEN_TO_PAGES: web.AppKey[frozenset[Handler]] = web.AppKey("open_to_pages", frozenset)
"""The handlers that foreign pages may call."""

_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-Public-Key"
_RESPONSE_HEADERS = "Idempotent-Replayed, Retry-After"
_REMEMBER_S = 600
"""How long a browser may go without asking again: Chrome remembers for two hours at most, a changed configuration holds sooner."""


def open_to_pages(routes: Iterable[Route]) -> frozenset[Handler]:
    """The handlers of the public-key endpoints."""
    return frozenset(route.handler for route in routes if route.access is Access.PORTAL)


@web.middleware
async def answer_origins(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer preflights; say on every other answer of a public-key endpoint, failures too, whether the page may read it."""
    if request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
        return await _preflight(request, handler)
    response = await handler(request)
    if request.match_info.handler in request.app[OPEN_TO_PAGES]:
        response.headers.update(_permission(request))
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _RESPONSE_HEADERS
    return response


async def _preflight(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """May this page send that method here?"""
    wanted = request.headers[hdrs.ACCESS_CONTROL_REQUEST_METHOD]
    announced = await request.app.router.resolve(request.clone(method=wanted))
    if announced.handler not in request.app[OPEN_TO_PAGES]:
        return await handler(request)
    headers = _permission(request) | {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: wanted,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _REQUEST_HEADERS,
        hdrs.ACCESS_CONTROL_MAX_AGE: str(_REMEMBER_S),
    }
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


def _permission(request: web.Request) -> dict[str, str]:
    """What is said depends on the origin, and a cache on the way must know that, also where nothing is allowed."""
    allowed = services(request).config.server.cors_origins
    origin = request.headers.get(hdrs.ORIGIN, "")
    if "*" in allowed:
        return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*"}
    headers: dict[str, str] = {hdrs.VARY: hdrs.ORIGIN}
    if origin in allowed:
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
    return headers
