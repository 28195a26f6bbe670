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


async def as_owner(world: World, username: str = "njeri") -> Send:
    """Sends one request with a Bearer token of that owner."""
    send, bearer = sender(world), await world.login(username)

    async def sent(method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return await send(method, path, body, key=None, **bearer, **headers)

    return sent


def with_stranger(document: dict[str, Any]) -> None:
    """An edit of the configuration: Mwangi sells as well, at router 9, package 90, and knows nobody's things but his own."""
    first = document["owners"][0]
    package = {"id": 90, "name": "his hour", "price": "40", "duration": "1h"}
    router = {**first["routers"][0], "id": 9, "name": "Mwangi", "host": "10.9.9.8", "packages": [package]}
    stranger = {"id": 2, "username": "mwangi", "public_key": "0" * 32, "password_hash": first["password_hash"]}
    document["owners"].append({**stranger, "routers": [router]})


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
