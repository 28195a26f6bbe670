"""IntaSend's place taken by a server that answers whatever a test scripts, and the documents that it usually answers with."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from gateway.identity import Money, PhoneNumber, Secret
from gateway.providers.base import Environment, ProviderAccount, PushOrder

PUBLISHABLE = "ISPubKey_test_0c5f3a52-6f9e-4b1e-9d8e-0123456789ab"
SECRET = "ISSecretKey_test_91c7a1f0-2b3c-4d5e-8f90-ba9876543210"
CHALLENGE = "kiosk-challenge-0123456789"
ORDER = PushOrder(PhoneNumber("+254712345678"), Money.parse("50"), "HG-7F3K2M", "1 hour WiFi")
INVOICE = {
    "invoice_id": "Y5JJV4V",
    "state": "PENDING",
    "provider": "M-PESA",
    "charges": 0.0,
    "net_amount": "50.00",
    "currency": "KES",
    "value": 50.0,
    "account": "254712345678",
    "api_ref": ORDER.api_ref,
    "mpesa_reference": None,
    "provider_ref": None,
    "host": "41.90.56.51",
    "failed_reason": None,
    "failed_code": None,
    "created_at": "2026-02-07T16:42:46.298117+03:00",
}
PUSHED = {
    "id": "0666538f-9f84-435b-bee7-bb25f23a815f",
    "invoice": INVOICE,
    "customer": {
        "customer_id": "0VVB4G0",
        "phone_number": "254712345678",
        "email": "wanjiku@example.org",
        "first_name": "Wanjiku",
    },
}
REFUSAL = {"type": "validation_error", "errors": [{"code": "invalid", "detail": "Not a mobile number.", "attr": "phone_number"}]}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def account(base_url: str | None = None, **changes: Any) -> ProviderAccount:
    return replace(ProviderAccount(Environment.SANDBOX, PUBLISHABLE, Secret(SECRET), Secret(CHALLENGE), base_url), **changes)


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


async def _not_scripted(_request: web.Request) -> web.StreamResponse:
    raise AssertionError("the test scripted no answer")


@dataclass
class ScriptedServer:
    """Keeps each request and answers with `handler`; `released` ends whatever a handler waits for."""

    handler: Handler = _not_scripted
    base_url: str = ""
    received: list[Received] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.method, request.raw_path, await request.read(), headers))
        return await self.handler(request)

    def json(self, document: Any, status: int = 200, **headers: str) -> None:
        """Answer everything with this JSON from now on; `Retry_After` is the header `Retry-After`."""
        self.body(json.dumps(document), status, "application/json", **headers)

    def body(self, text: str, status: int = 200, content_type: str = "text/html", **headers: str) -> None:
        """Answer everything with this text from now on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def handler(_request: web.Request) -> web.Response:
            return web.Response(text=text, status=status, content_type=content_type, headers=named)

        self.handler = handler


@asynccontextmanager
async def serving() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1/"
        yield server
    finally:
        server.released.set()
        await runner.cleanup()
