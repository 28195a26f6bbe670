"""Where IntaSend tells us that something happened. What happened, we ask."""

from aiohttp import web

from gateway.web.bodies import raw
from gateway.web.replies import Done, reply
from gateway.web.services import services


async def receive(request: web.Request) -> web.Response:
    """Where IntaSend tells that something happened: 200 as soon as that is stored, 401 when its challenge is nobody's."""
    await services(request).settlement.take_webhook(await raw(request))
    return reply(Done("Webhook received"))
