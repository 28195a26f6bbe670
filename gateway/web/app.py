"""The application: every route on one screen. Server and documentation are both made from this table."""

import asyncio

from aiohttp import web

from gateway.web import (
    access,
    captive,
    credentials,
    docs,
    health,
    links,
    listing,
    packages,
    payments,
    portal_claim,
    portal_payment,
    portal_shop,
    portal_status,
    refunds,
    results,
    router_files,
    routers,
    users,
    webhooks,
)
from gateway.web.bodies import PurchaseBody
from gateway.web.cors import OPEN_TO_PAGES, answer_origins, open_to_pages
from gateway.web.docs import DESCRIPTION, Description
from gateway.web.errors import answer_errors
from gateway.web.replies import Done
from gateway.web.routes import Access, Route, add_routes
from gateway.web.services import SERVICES, Services

MAX_BODY_BYTES = 64 * 1024
"""The largest body that is read (contract, "HTTP": 413)."""

_ANYONE, _PORTAL, _OWNER, _OPERATOR = Access.ANYONE, Access.PORTAL, Access.OWNER, Access.OPERATOR
_SALE = frozenset({404, 409, 422, 429, 502, 503})  # everything that can stand in the way of a sale
_LOGIN = frozenset({401, 429, 503})
_SESSION = {200: users.SessionAnswer}
_CREDENTIAL = {200: credentials.CredentialAnswer}
_CHANGE = frozenset({409, 500, 503})  # managed by config.yaml, does not open, not stored
_ROUTER, _PACKAGE, _GRANT = {200: routers.RouterAnswer}, {200: packages.PackageDetail}, {200: access.GrantAnswer}
_PAGE = {200: None, 303: None}
_LOST = frozenset({403, 404, 503})  # another device's address, no such router, a router that cannot be asked who this is
_PUSH = {201: payments.Initiated, 200: payments.Initiated}

# fmt: off
ROUTES = [
    # Payments: what the portal needs
    Route("POST", "/payments/intasend/initiate/", payments.initiate, _PORTAL, _PUSH, body=PurchaseBody,
          also=_SALE | {403}, idempotent=True),
    Route("POST", "/payments/intasend/{payment_id}/check-status/", payments.check_status, _PORTAL, {200: payments.Checked},
          also=frozenset({400, 503})),
    Route("POST", "/payments/intasend/create-link/", links.create_link, _PORTAL, {201: links.LinkCreated}, body=PurchaseBody,
          also=_SALE, idempotent=True),
    Route("POST", "/payments/webhook/", webhooks.receive, _ANYONE, {200: Done}, also=frozenset({400, 401, 408, 413, 503})),

    # Users: logging in
    Route("POST", "/users/login/", users.login, _ANYONE, _SESSION, body=users.LoginBody, also=_LOGIN),
    Route("POST", "/users/api-key-login/", users.api_key_login, _ANYONE, _SESSION, body=users.ApiKeyLoginBody, also=_LOGIN),
    Route("POST", "/users/refresh/", users.refresh, _ANYONE, _SESSION, body=users.RefreshBody, also=frozenset({401, 503})),
    Route("POST", "/users/rotate-api-keys/", users.rotate_api_keys, _OWNER, {200: users.ApiKeysAnswer}, also=frozenset({409, 503})),

    # Credentials: an owner's keys at IntaSend
    Route("GET", "/payments/credentials/", credentials.list_all, _OWNER, {200: credentials.CredentialList}),
    Route("POST", "/payments/credentials/", credentials.create, _OWNER, {201: credentials.CredentialAnswer},
          body=credentials.CredentialBody, also=_CHANGE),
    Route("GET", "/payments/credentials/{credential_id}/", credentials.show, _OWNER, _CREDENTIAL),
    Route("PUT", "/payments/credentials/{credential_id}/", credentials.update, _OWNER, _CREDENTIAL,
          body=credentials.CredentialChange, also=_CHANGE),
    Route("DELETE", "/payments/credentials/{credential_id}/", credentials.remove, _OWNER, {200: Done}, also=_CHANGE),
    Route("POST", "/payments/credentials/{credential_id}/update-private-key/", credentials.update_private_key, _OWNER, _CREDENTIAL,
          body=credentials.PrivateKeyBody, also=_CHANGE),
    Route("POST", "/payments/credentials/{credential_id}/verify/", credentials.verify, _OWNER, {200: credentials.Verified},
          body=credentials.PrivateKeyBody),
    Route("POST", "/payments/credentials/{credential_id}/toggle-status/", credentials.toggle_status, _OWNER, _CREDENTIAL,
          also=_CHANGE),

    # Routers, packages, grants, payments: the owner's own
    Route("GET", "/routers/", routers.list_routers, _OWNER, {200: routers.RouterList}),
    Route("POST", "/routers/", routers.create_router, _OWNER, {201: routers.RouterAnswer}, body=routers.RouterBody, also=_CHANGE),
    Route("GET", "/routers/{router_id}/", routers.read_router, _OWNER, _ROUTER),
    Route("PUT", "/routers/{router_id}/", routers.change_router, _OWNER, _ROUTER, body=routers.RouterChange, also=_CHANGE),
    Route("DELETE", "/routers/{router_id}/", routers.retire_router, _OWNER, _ROUTER, also=_CHANGE),
    Route("POST", "/routers/{router_id}/test-connection/", routers.test_connection, _OWNER, {200: routers.TrialAnswer}),
    Route("GET", "/routers/{router_id}/packages/", packages.list_packages, _PORTAL, {200: packages.PackageList},
          query=packages.PackagesQuery),
    Route("POST", "/routers/{router_id}/packages/", packages.create_package, _OWNER, {201: packages.PackageDetail},
          body=packages.PackageBody, also=_CHANGE),
    Route("GET", "/packages/{package_id}/", packages.read_package, _OWNER, _PACKAGE),
    Route("PUT", "/packages/{package_id}/", packages.change_package, _OWNER, _PACKAGE, body=packages.PackageChange, also=_CHANGE),
    Route("DELETE", "/packages/{package_id}/", packages.retire_package, _OWNER, _PACKAGE, also=_CHANGE),
    Route("GET", "/grants/", access.list_grants, _OWNER, {200: access.GrantPage}, query=access.GrantQuery),
    Route("GET", "/grants/{grant_id}/", access.read_grant, _OWNER, _GRANT),
    Route("POST", "/grants/{grant_id}/revoke/", access.revoke, _OWNER, _GRANT, also=_CHANGE),
    Route("POST", "/grants/{grant_id}/extend/", access.extend, _OWNER, _GRANT, body=access.ExtendBody, also=_CHANGE),
    Route("GET", "/payments/", listing.list_payments, _OWNER, {200: listing.PaymentPage}, query=listing.PaymentQuery),
    Route("GET", "/payments/{payment_id}/", listing.read_payment, _OWNER, {200: listing.PaymentDetail}, also=frozenset({503})),
    Route("POST", "/payments/{payment_id}/refund/", refunds.request_refund, _OWNER, {200: refunds.RefundList},
          also=frozenset({409, 502, 503})),

    # For phones and operators: pages and figures, no part of the API
    Route("GET", "/", portal_shop.shop, _ANYONE, _PAGE, also=_LOST, api=False),
    Route("GET", "/portal/", portal_shop.shop, _ANYONE, _PAGE, also=_LOST, api=False),
    Route("POST", "/portal/buy", portal_shop.buy, _ANYONE, {303: None}, also=_SALE | _LOST | {400}, api=False),
    Route("GET", "/portal/payments/{payment_id}", portal_payment.show, _ANYONE, _PAGE, api=False),
    Route("GET", "/portal/payments/{payment_id}/state", portal_payment.state, _ANYONE, {200: portal_payment.PhaseAnswer},
          also=frozenset({503}), api=False),
    Route("GET", "/portal/payments/{payment_id}/events", portal_payment.events, _ANYONE, {200: None}, also=frozenset({503}),
          media="text/event-stream", api=False),
    Route("GET", "/portal/status", portal_status.status, _ANYONE, _PAGE, also=_LOST, api=False),
    Route("POST", "/portal/log-out", portal_status.log_out, _ANYONE, {303: None}, also=_LOST, api=False),
    Route("POST", "/portal/log-in", portal_status.log_in, _ANYONE, {303: None}, also=_LOST, api=False),
    Route("GET", "/portal/claim", portal_claim.show, _ANYONE, _PAGE, also=_LOST, api=False),
    Route("POST", "/portal/claim", portal_claim.claim, _ANYONE, {303: None}, also=_SALE | _LOST | {400}, api=False),
    Route("GET", "/captive-portal/api", captive.api, _ANYONE, {200: captive.CaptiveState}, also=frozenset({503}),
          media=captive.MEDIA_TYPE, api=False),
    Route("GET", "/payment/success/{payment_id}", results.success, _ANYONE, {200: None, 404: None}, api=False),
    Route("GET", "/payment/failed/{payment_id}", results.failed, _ANYONE, {200: None, 404: None}, api=False),
    Route("GET", "/router/{router_id}/hotspot/{file}", router_files.hotspot_file, _ANYONE, {200: None}, media="text/plain",
          also=frozenset({404}), api=False),
    Route("GET", "/openapi.json", docs.document, _ANYONE, {200: None}, media="application/json", api=False),
    Route("GET", "/docs", docs.page, _ANYONE, {200: None}, api=False),
    Route("GET", "/healthz", health.live, _OPERATOR, {200: None}, media="application/json", api=False),
    Route("GET", "/readyz", health.ready, _OPERATOR, {200: None, 503: None}, media="application/json", api=False),
    Route("GET", "/metrics", health.metrics, _OPERATOR, {200: None}, media="text/plain", api=False),
]
"""Every route of the gateway."""
# fmt: on


def build(services: Services) -> web.Application:
    """The daemon's HTTP application."""
    app = web.Application(middlewares=[answer_origins, answer_errors], client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services
    app[DESCRIPTION] = Description(ROUTES)
    app[OPEN_TO_PAGES] = open_to_pages(ROUTES)
    app[portal_payment.ROOM] = asyncio.Semaphore(portal_payment.MOST_STREAMS)
    add_routes(app, ROUTES)
    return app
