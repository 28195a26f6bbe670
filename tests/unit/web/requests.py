"""Requests as strangers send them, and the specification's own."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from yarl import URL

from tests.e2e.world import PUBLIC_KEY, World

INITIATE = "/payments/intasend/initiate/"
NO_PAYMENT = "/payments/intasend/00000000-0000-4000-8000-000000000000/check-status/"


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json; charset=utf-8", self.text
        return json.loads(self.text)


Send = Callable[..., Awaitable[Answer]]


def sender(world: World) -> Send:
    """Sends one request, the path byte for byte as it is given, by default with the owner's public key."""

    async def sent(method: str, path: str, body: Any = None, *, key: str | None = PUBLIC_KEY, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["X-Public-Key"] = key
        if body is not None:
            named.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        where = URL(world.url + path, encoded=True)
        async with world.http.request(method, where, data=data, headers=named, allow_redirects=False) as response:
            return Answer(response.status, response.headers, await response.text())

    return sent


def purchase(**changes: Any) -> dict[str, Any]:
    """The specification's request; `...` leaves a field out."""
    body = {
        "router_id": 1,
        "package_id": 2,
        "phone_number": "0712345678",
        "amount": "50.00",
        "payment_method": "mpesa",
        "mac_address": "AA:BB:CC:DD:EE:FF",
        "ip_address": "192.168.1.100",
    } | changes
    return {name: value for name, value in body.items() if value is not ...}
