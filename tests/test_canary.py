"""Secrets are planted, everything that can happen happens, and then they are searched for wherever the gateway leaves something."""

import base64
import logging
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.simulators.intasend import faults
from gateway.simulators.intasend.faults import Endpoint
from tests.e2e.conftest import brief_grace
from tests.e2e.world import World

__all__ = ["brief_grace"]

PLANTED = {
    "IntaSend's secret key": "ISSecretKey_test_canary-4f1d8a",
    "the webhook challenge": "challenge-canary-93be02",
    "the router's password": "router-canary-77aa10",
    "the owner's password": "password-canary-5c61fe",
    "a secret key from the API": "ISSecretKey_test_canary-0b77c3",
    "a challenge from the API": "challenge-canary-e810d4",
    "a router's password from the API": "router-canary-2d9f66",
    "a key that does not fit": "ISSecretKey_live_canary-c0ffee",
    "a wrong password": "password-canary-wrong-1a2b",
}
KEY_FILE = "encryption.key"
SHOWN_ONCE = re.compile(r"/users/")
"""Where tokens and keys are handed out; no planted secret may be there either."""


class Canaries:
    """The secrets, and everything that was seen."""

    def __init__(self) -> None:
        self.secrets = dict(PLANTED)
        self.given: dict[str, str] = {}
        """What we make ourselves and hand out once."""
        self.answers: list[tuple[str, str]] = []
        """Path, and headers with body."""

    def found_in(self, places: Iterable[tuple[str, bytes]]) -> list[str]:
        """Which secret is where, in clear or only packed differently."""
        every = self.secrets | self.given
        forms = [(name, form) for name, secret in every.items() for form in (secret.encode(), base64.b64encode(secret.encode()))]
        return [f"{name} in {place}" for place, content in places for name, form in forms if form in content]

    def found_in_answers(self) -> list[str]:
        elsewhere = [(path, text.encode()) for path, text in self.answers if not SHOWN_ONCE.search(path)]
        found = self.found_in(elsewhere)
        for path, text in self.answers:
            found += [f"{name} in {path}" for name, secret in self.secrets.items() if secret in text]
        return found

    def recorder(self) -> aiohttp.TraceConfig:
        """Keeps every answer as it comes over the wire."""
        trace = aiohttp.TraceConfig()

        async def headers(_: Any, context: SimpleNamespace, seen: aiohttp.TraceRequestEndParams) -> None:
            context.path = seen.url.path
            self.answers.append((seen.url.path, str(dict(seen.response.headers))))

        async def body(_: Any, context: SimpleNamespace, seen: aiohttp.TraceResponseChunkReceivedParams) -> None:
            self.answers.append((str(seen.url.path), seen.chunk.decode("utf-8", "replace")))

        trace.on_request_end.append(headers)
        trace.on_response_chunk_received.append(body)
        return trace


class Site(World):
    """A world whose secrets are canaries."""

    def __init__(self, folder: Path, canaries: Canaries) -> None:
        super().__init__(folder, webhooks=True, password=PLANTED["the router's password"])
        self.intasend.secret_key = PLANTED["IntaSend's secret key"]
        self.intasend.webhooks.challenge = PLANTED["the webhook challenge"]
        self.canaries = canaries
        self.edits.append(with_canaries)

    async def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        async with self.http.request(method, self.url + path, json=body, headers=headers) as response:
            text = await response.text()
            return response.status, await response.json() if response.content_type == "application/json" else text


def with_canaries(document: dict[str, Any]) -> None:
    owner = document["owners"][0]
    del owner["password_hash"]
    owner["password"] = PLANTED["the owner's password"]
    owner["intasend"]["secret_key"] = PLANTED["IntaSend's secret key"]
    owner["intasend"]["webhook_challenge"] = PLANTED["the webhook challenge"]
    owner["routers"][0]["password"] = PLANTED["the router's password"]
    document["owners"].append({"id": 2, "username": "mwangi", "password": PLANTED["the owner's password"]})


def echoes(secret: str) -> faults.Fault:
    """IntaSend answers with what it was sent, as servers in debug mode do."""

    async def fault(request: web.Request, _: faults.Proceed) -> web.StreamResponse:
        headers = dict(request.headers) | {"Authorization": f"Bearer {secret}"}
        return web.json_response({"errors": [{"code": "debug", "detail": str(headers)}], "request": headers}, status=400)

    return fault


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
async def site(tmp_path: Path, canaries: Canaries, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Site]:
    caplog.set_level(logging.DEBUG)
    async with Site(tmp_path, canaries) as site:
        await site.http.close()
        site.http = aiohttp.ClientSession(trace_configs=[canaries.recorder()])
        await site.start()
        yield site


async def test_no_secret_is_found_anywhere(site: Site, canaries: Canaries, caplog: pytest.LogCaptureFixture) -> None:
    for happen in (sell, administer, refuse, fail_at_intasend, fail_at_the_router):
        await happen(site)
    for path in ("/metrics", "/readyz", "/healthz", "/openapi.json", "/docs", "/portal/"):
        assert (await site.send("GET", path))[0] in {200, 503}
    keys = (site.folder / "data" / KEY_FILE).read_text()
    canaries.given |= {f"encryption key {number}": key for number, key in enumerate(keys.split())}

    assert len(canaries.answers) > 60
    assert not canaries.found_in(data_files(site))
    await site.stop()
    assert not canaries.found_in(data_files(site))
    assert not canaries.found_in_answers()
    assert not canaries.found_in(logged(caplog))


async def test_the_search_finds_what_leaks(site: Site, canaries: Canaries, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("gateway").debug("sent %s", PLANTED["the router's password"])
    packed = base64.b64encode(PLANTED["the owner's password"].encode())
    (site.folder / "data" / "leak").write_bytes(b"..." + packed + b"...")
    canaries.answers.append(("/routers/", PLANTED["the webhook challenge"]))
    assert canaries.found_in(logged(caplog)) == ["the router's password in log"]
    assert canaries.found_in(data_files(site)) == ["the owner's password in leak"]
    assert canaries.found_in_answers()


async def sell(site: Site) -> None:
    """A push that is paid, one that is cancelled, a link."""
    await site.buy(site.amina)
    payment_id = await site.ask(site.otieno)
    site.otieno.cancel()
    await site.pass_time(20)
    await site.check(payment_id)
    body = {"router_id": 1, "package_id": 2, "phone_number": "0712345678", "amount": "50.00"}
    assert (await site.post("/payments/intasend/create-link/", body))[0] == 201


async def administer(site: Site) -> None:
    """Log in, make credentials, a router and API keys, look at everything."""
    owner = await login(site, "njeri")
    keys = {"provider": "instasend", "environment": "sandbox", "api_key": "ISPubKey_test_canary"}
    keys |= {"private_key": PLANTED["a secret key from the API"], "webhook_challenge": PLANTED["a challenge from the API"]}
    status, credential = await site.send("POST", "/payments/credentials/", keys, owner)
    assert status == 201
    own = f"/payments/credentials/{credential['id']}/"
    private = {"private_key": PLANTED["a secret key from the API"]}
    for method, path, body in (
        ("GET", own, None),
        ("PUT", own, keys),
        ("POST", own + "update-private-key/", private),
        ("POST", own + "verify/", private),
        ("POST", own + "toggle-status/", None),
    ):
        assert (await site.send(method, path, body, owner))[0] == 200, path
    router = {"name": "Second", "host": "127.0.0.1", "port": 1, "tls": False, "username": "gateway"}
    status, made = await site.send("POST", "/routers/", router | {"password": PLANTED["a router's password from the API"]}, owner)
    assert status == 201
    assert (await site.send("POST", f"/routers/{made['id']}/test-connection/", None, owner))[0] == 200
    for path in ("/routers/", "/payments/", "/grants/", "/payments/credentials/", "/routers/1/packages/"):
        assert (await site.send("GET", path, None, owner))[0] == 200
    await use_api_keys(site)


async def use_api_keys(site: Site) -> None:
    status, keys = await site.send("POST", "/users/rotate-api-keys/", None, await login(site, "mwangi"))
    assert status == 200
    site.canaries.given["a private API key"] = keys["private_key"]
    status, session = await site.send("POST", "/users/api-key-login/", keys)
    assert status == 200
    remember(site, session)
    for _ in range(2):  # the second time is a theft
        _, renewed = await site.send("POST", "/users/refresh/", {"refresh_token": session["refresh_token"]})
        remember(site, renewed)


async def login(site: Site, username: str) -> dict[str, str]:
    status, session = await site.send("POST", "/users/login/", {"username": username, "password": PLANTED["the owner's password"]})
    assert status == 200
    remember(site, session)
    return {"Authorization": f"Bearer {session['access_token']}"}


def remember(site: Site, session: dict[str, Any]) -> None:
    tokens = {name: token for name, token in session.items() if name.endswith("_token")}
    site.canaries.given |= {f"{name} {len(site.canaries.given)}": token for name, token in tokens.items()}


async def refuse(site: Site) -> None:
    """Requests that are wrong beside the secret that they carry."""
    owner = await login(site, "njeri")
    keys = {"provider": "instasend", "environment": "sandbox", "api_key": "ISPubKey_test_canary"}
    misfit = PLANTED["a key that does not fit"]
    password = PLANTED["a router's password from the API"]
    for path, body in (
        ("/payments/credentials/", keys | {"private_key": misfit}),
        ("/payments/credentials/", keys | {"private_key": misfit, "environment": "moon"}),
        ("/payments/credentials/", keys | {"private_key": [misfit]}),
        ("/payments/credentials/", keys | {"private_key": PLANTED["a secret key from the API"] + "\n"}),
        ("/routers/", {"name": "x", "host": "127.0.0.1", "username": "gateway", "password": password + "\x00"}),
        ("/routers/", {"name": "x", "host": "127.0.0.1", "username": "gateway", "password": password, "port": 0}),
        ("/payments/webhook/", {"challenge": PLANTED["the webhook challenge"], "invoice_id": 7}),
        ("/payments/webhook/", {"challenge": PLANTED["a challenge from the API"] + "x", "invoice_id": "ABC"}),
    ):
        assert (await site.send("POST", path, body, owner))[0] in {200, 400, 401}, body
    wrong = {"username": "njeri", "password": PLANTED["a wrong password"]}
    for expected in (401, 401, 401, 401, 401, 429):
        assert (await site.send("POST", "/users/login/", wrong))[0] == expected


async def fail_at_intasend(site: Site) -> None:
    """IntaSend breaks in every way it can, and takes the key for a wrong one."""
    secret = PLANTED["IntaSend's secret key"]
    site.intasend.webhook_url = None
    for fault in (echoes(secret), faults.fails_with(500, html=True), faults.empty, faults.wrong_types, faults.reset_after):
        site.intasend.faults.always(Endpoint.ANY, fault)
        await site.initiate(site.otieno)
        await site.pass_time(400, step_s=20)  # past every pause after a failure
    site.intasend.faults.clear()
    site.intasend.secret_key = "somebody else's"
    await site.initiate(site.otieno)
    await site.pass_time(60, step_s=10)


async def fail_at_the_router(site: Site) -> None:
    """The router takes the password for a wrong one, and goes away."""
    site.router.user = replace(site.router.user, password="somebody else's")
    await site.router.stop()
    await site.pass_time(30, step_s=5)
    await site.router.start()
    await site.pass_time(30, step_s=5)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, bytes]]:
    """Everything in the log: sentences, tracebacks, and what stands beside them."""
    beside = [str(vars(record)) for record in caplog.records]
    return [("log", (caplog.text + "\n".join(beside)).encode())]


def data_files(site: Site) -> list[tuple[str, bytes]]:
    """Every file that the gateway keeps, but for the one that is the key."""
    files = [path for path in (site.folder / "data").rglob("*") if path.is_file() and path.name != KEY_FILE]
    assert files
    return [(path.name, path.read_bytes()) for path in files]
