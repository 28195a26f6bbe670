"""Faults of the way between the gateway and IntaSend (facts, payments 6.6): each is a function that stands before a handler.

A fault decides whether the handler runs at all (`proceed`) and what of its answer reaches the client. `Faults` says which fault
meets which request.
"""

import asyncio
import socket
import struct
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from enum import Enum

from aiohttp import web

from gateway.clock import Clock
from gateway.simulators.intasend.refusals import failure

Proceed = Callable[[], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Proceed], Awaitable[web.StreamResponse]]


class Endpoint(Enum):
    """What a fault can be laid on."""

    ANY = "any"
    PUSH = "push"
    STATUS = "status"
    INVOICES = "invoices"
    INVOICE = "invoice"
    LINKS = "links"
    LINK = "link"
    CHECKOUT = "checkout"
    CHARGEBACKS = "chargebacks"
    CHARGEBACK = "chargeback"


class Faults:
    """Which fault meets which request: one-shot faults first, in order, then the standing one."""

    def __init__(self) -> None:
        self._once: defaultdict[Endpoint, deque[Fault]] = defaultdict(deque)
        self._standing: dict[Endpoint, Fault] = {}

    def once(self, endpoint: Endpoint, *faults: Fault) -> None:
        """The next requests there meet these, one each."""
        self._once[endpoint].extend(faults)

    def always(self, endpoint: Endpoint, fault: Fault) -> None:
        """Every request there meets this, until `clear`."""
        self._standing[endpoint] = fault

    def clear(self) -> None:
        """All is well again."""
        self._once.clear()
        self._standing.clear()

    @property
    def armed(self) -> int:
        """How many one-shot faults no request has met yet."""
        return sum(map(len, self._once.values()))

    def take(self, endpoint: Endpoint) -> Fault | None:
        """The fault for the request that has come, if any; a one-shot fault is used up."""
        for place in (endpoint, Endpoint.ANY):
            if self._once[place]:
                return self._once[place].popleft()
        return self._standing.get(endpoint) or self._standing.get(Endpoint.ANY)


async def hang(_: web.Request, _proceed: Proceed) -> web.StreamResponse:
    """Take the request and never answer; nothing was processed."""
    await asyncio.Event().wait()
    raise AssertionError


async def hang_after(request: web.Request, proceed: Proceed) -> web.StreamResponse:
    """Process the request and never answer."""
    await proceed()
    return await hang(request, proceed)


async def reset_before(request: web.Request, _: Proceed) -> web.StreamResponse:
    """Reset the connection; nothing was processed. The body is read first, or the client might meet the reset while it writes."""
    await request.read()
    return _reset(request)


async def reset_after(request: web.Request, proceed: Proceed) -> web.StreamResponse:
    """Process the request, then reset the connection: the client cannot know."""
    await proceed()
    return _reset(request)


async def empty(_: web.Request, proceed: Proceed) -> web.StreamResponse:
    """Process the request and answer 200 with nothing in it."""
    await proceed()
    return web.Response()


async def wrong_types(_: web.Request, proceed: Proceed) -> web.StreamResponse:
    """Process the request and answer 200 with JSON in which nothing is of the type that was promised."""
    await proceed()
    return web.json_response({"id": 7, "invoice": "Y5JJV4V", "meta": [], "customer": 0, "results": {"0": None}, "count": "many"})


def fails_with(status: int, *, html: bool = False, retry_after_s: int | None = None, processed: bool = False) -> Fault:
    """Answer with that HTTP status: JSON from the service, or HTML from the proxy before it.

    `processed` says whether the request was carried out all the same.
    """

    async def fault(_: web.Request, proceed: Proceed) -> web.StreamResponse:
        if processed:
            await proceed()
        refusal = failure(status, retry_after_s)
        if not html:
            return refusal.response()
        page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center><hr>nginx</body></html>"
        return web.Response(status=status, text=page, content_type="text/html", headers=refusal.headers)

    return fault


def drips(clock: Clock, *, seconds_per_byte: float = 1.0) -> Fault:
    """Process the request and send the answer a byte at a time: the connection is never idle and never done."""

    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        whole = await proceed()
        body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
        slow = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
        await slow.prepare(request)
        for offset in range(len(body)):
            await slow.write(body[offset : offset + 1])
            await clock.sleep(seconds_per_byte)
        return slow

    return fault


def _reset(request: web.Request) -> web.StreamResponse:
    """Close with RST instead of FIN: no lingering, so that the client sees the connection break."""
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
