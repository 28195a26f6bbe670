"""The application: every route on one screen. Server and documentation are both made from this table."""

from aiohttp import web

from gateway.web import health, payments, portal, webhooks
from gateway.web.bodies import PurchaseBody
from gateway.web.errors import answer_errors
from gateway.web.replies import Done
from gateway.web.routes import Access, Route, add_routes
from gateway.web.services import SERVICES, Services

MAX_BODY_BYTES = 64 * 1024
"""The largest body that is read (contract, "HTTP": 413)."""

_ANYONE, _PORTAL, _OPERATOR = Access.ANYONE, Access.PORTAL, Access.OPERATOR
_SALE = frozenset({404, 409, 422, 429, 502, 503})  # everything that can stand in the way of a sale
_PUSH = {201: payments.Initiated, 200: payments.Initiated}

# fmt: off
ROUTES = [
    # Payments: what the portal needs
    Route("POST", "/payments/intasend/initiate/", payments.initiate, _PORTAL, _PUSH, body=PurchaseBody, also=_SALE),
    Route("POST", "/payments/intasend/{payment_id}/check-status/", payments.check_status, _PORTAL, {200: payments.Checked},
          also=frozenset({400})),
    Route("POST", "/payments/webhook/", webhooks.receive, _ANYONE, {200: Done}, also=frozenset({400, 401, 413, 503})),

    # For phones and operators: pages and figures, no part of the API
    Route("GET", "/", portal.page, _ANYONE, {200: None}, api=False),
    Route("GET", "/portal/", portal.page, _ANYONE, {200: None}, api=False),
    Route("GET", "/healthz", health.live, _OPERATOR, {200: None}, api=False),
    Route("GET", "/readyz", health.ready, _OPERATOR, {200: None, 503: None}, api=False),
    Route("GET", "/metrics", health.metrics, _OPERATOR, {200: None}, api=False),
]
"""Every route of the gateway."""
# fmt: on


def build(services: Services) -> web.Application:
    """The daemon's HTTP application."""
    app = web.Application(middlewares=[answer_errors], client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services
    add_routes(app, ROUTES)
    return app
