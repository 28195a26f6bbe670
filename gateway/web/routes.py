"""What a route is: where it is, who may use it, what goes in and what comes out.

The table in `gateway.web.app` is made of these. The server is built from it and so is the OpenAPI document, so that nothing can be
served undocumented or documented without being there.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    PORTAL = "portal"
    """A public API key or a Bearer token (specification, decision 3)."""
    OWNER = "owner"
    """A Bearer token."""
    OPERATOR = "operator"
    """Addresses in `server.metrics_allow`; to others it is not there."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation."""

    method: str
    path: str
    """Canonical: without `/api`, with the trailing slash where the API has one."""
    handler: Handler
    """Its docstring is the operation's documentation."""
    access: Access
    gives: Mapping[int, type[msgspec.Struct] | None]
    """What a success looks like, by status; None for an answer that is not JSON."""
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    also: frozenset[int] = frozenset()
    """Statuses of failures that do not follow from the rest, such as 409."""
    idempotent: bool = False
    """Takes an `Idempotency-Key`."""
    media: str = "text/html"
    """What an answer without a type is made of."""
    api: bool = True
    """Part of the API: served with and without `/api` and the trailing slash (specification, decision 2)."""

    @property
    def paths(self) -> list[str]:
        """Every spelling under which it is served."""
        if not self.api:
            return [self.path]
        return [prefix + path for prefix in ("", "/api") for path in (self.path, self.path.rstrip("/"))]

    @property
    def failures(self) -> frozenset[int]:
        """Every status of a failure that it can answer with, but for 500, which each can."""
        found: set[int] = set(self.also)
        if self.body is not None:
            found |= {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_TIMEOUT}
            found |= {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
        if self.idempotent:
            found |= {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
        if self.query is not None:
            found.add(HTTPStatus.BAD_REQUEST)
        if self.access in {Access.PORTAL, Access.OWNER}:
            found.add(HTTPStatus.UNAUTHORIZED)
        if "{" in self.path or self.access is Access.OPERATOR:
            found.add(HTTPStatus.NOT_FOUND)
        return frozenset(found)


def add_routes(app: web.Application, routes: list[Route]) -> None:
    """Serve every route under each of its spellings. A path that is spelt out takes no other method than those in the table."""
    offered: dict[str, set[str]] = {}
    for route in routes:
        for path in route.paths:
            app.router.add_route(route.method, path, route.handler)
            offered.setdefault(path, set()).add(route.method)
    for path, methods in offered.items():
        if "{" not in path:
            # Or GET /payments/webhook/ would ask for a payment whose id is "webhook".
            app.router.add_route(hdrs.METH_ANY, path, _refusal(methods))


def _refusal(offered: set[str]) -> Handler:
    async def refuse(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(request.method, offered)

    return refuse
