"""For the operator's monitoring: live, ready, metrics. Not for phones on the hotspot (contract, `server.metrics_allow`)."""

from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.web.peers import address_of
from gateway.web.services import services


async def live(request: web.Request) -> web.Response:
    """Whether the process answers."""
    _only_for_operators(request)
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Whether the gateway can sell, each condition named; 503 when one of them fails."""
    _only_for_operators(request)
    report = await services(request).health.examine()
    return web.json_response(report.as_json(), status=HTTPStatus.OK if report.ready else HTTPStatus.SERVICE_UNAVAILABLE)


async def metrics(request: web.Request) -> web.Response:
    """Figures in Prometheus' text format."""
    _only_for_operators(request)
    report = await services(request).health.report()
    body = generate_latest(services(request).health.metrics(report).registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _only_for_operators(request: web.Request) -> None:
    peer = address_of(request)
    if peer is None or not any(peer in network for network in services(request).config.server.metrics_allow):
        raise web.HTTPNotFound
