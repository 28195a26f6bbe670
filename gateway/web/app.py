"""The application: every route on one screen."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.web import health, payments, portal, webhooks
from gateway.web.errors import answer_errors
from gateway.web.services import SERVICES, Services

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY_BYTES = 64 * 1024
"""The largest body that is read (contract, "HTTP": 413)."""


def build(services: Services) -> web.Application:
    """The daemon's HTTP application."""
    app = web.Application(middlewares=[answer_errors], client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services

    _api(app, "POST", "/payments/intasend/initiate/", payments.initiate)
    _api(app, "POST", "/payments/intasend/{payment_id}/check-status/", payments.check_status)
    _api(app, "POST", "/payments/webhook/", webhooks.receive)

    app.router.add_get("/", portal.page)
    app.router.add_get("/portal/", portal.page)

    app.router.add_get("/healthz", health.live)
    app.router.add_get("/readyz", health.ready)
    app.router.add_get("/metrics", health.metrics)
    return app


def _api(app: web.Application, method: str, path: str, handler: Handler) -> None:
    """Serve a path with and without `/api` and the trailing slash (specification, decision 2)."""
    for prefix in ("", "/api"):
        app.router.add_route(method, prefix + path, handler)
        app.router.add_route(method, prefix + path.rstrip("/"), handler)
