"""Every way in which an exchange with IntaSend can end, over real connections (facts, payments 3, "SDK outcome matrix")."""

import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.errors import ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.providers.base import Circuit, Reported
from gateway.providers.intasend import IntaSend
from gateway.providers.intasend_transport import ANSWER_MAX_BYTES
from gateway.providers.upstream import FAILURES_TO_OPEN, Upstream
from tests.fakeclock import FakeClock
from tests.scriptedserver import CHALLENGE, INVOICE, ORDER, PUSHED, REFUSAL, SECRET, ScriptedServer, account, serving

HASTY_S = 0.3
"""The deadline of whatever a test lets hang: it is waited out in real time."""


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with serving() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
def provider(server: ScriptedServer, http: aiohttp.ClientSession) -> IntaSend:
    return IntaSend(account(server.base_url), http)


def hasty(base_url: str, http: aiohttp.ClientSession) -> IntaSend:
    return IntaSend(account(base_url), http, push_deadline_s=HASTY_S, read_deadline_s=HASTY_S)


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_any_2xx_with_an_invoice_is_accepted(status: int, server: ScriptedServer, provider: IntaSend) -> None:
    server.json(PUSHED, status)
    report = await provider.push(ORDER)
    assert (report.invoice_id, report.payment_id) == ("Y5JJV4V", "0666538f-9f84-435b-bee7-bb25f23a815f")
    assert (report.reported, report.word, report.value, report.currency) == (Reported.WAITING, "PENDING", Decimal(50), "KES")


@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_a_refusal_is_refused_with_the_reason(status: int, server: ScriptedServer, provider: IntaSend) -> None:
    server.json(REFUSAL, status)
    for refused in (provider.push(ORDER), provider.report("Y5JJV4V"), provider.find("HG-1")):
        with pytest.raises(ProviderRefused, match=r"^IntaSend refused: phone_number: Not a mobile number\.$"):
            await refused
    assert len(server.received) == 3


@pytest.mark.parametrize("status", [401, 403])
async def test_rejected_keys_are_named_as_the_cause(status: int, server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"type": "client_error", "errors": [{"code": "authentication_failed", "detail": "Invalid api token"}]}, status)
    with pytest.raises(ProviderRefused, match="rejects the owner's keys: Invalid api token"):
        await provider.push(ORDER)


async def test_the_page_of_a_firewall_says_nothing_about_the_keys(server: ScriptedServer, provider: IntaSend) -> None:
    server.body("<h1>Forbidden</h1>", 403)
    with pytest.raises(ProviderRefused, match=r"^IntaSend refused: HTTP 403$"):
        await provider.push(ORDER)


@pytest.mark.parametrize(
    ("headers", "detail", "expected_s"),
    [
        ({"Retry_After": "17"}, "Request was throttled.", 17),
        ({}, "Request was throttled. Expected available in 42 seconds.", 42),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "Request was throttled.", 30),
        ({"Retry_After": "9" * 30}, "", 86_400),
        ({"Retry_After": "-5"}, "", 30),
    ],
)
async def test_throttling_says_how_long_to_wait(
    headers: dict[str, str], detail: str, expected_s: int, server: ScriptedServer, provider: IntaSend
) -> None:
    server.json({"detail": detail}, 429, **headers)
    with pytest.raises(ProviderRefused) as refused:
        await provider.push(ORDER)
    assert refused.value.retry_after_s == expected_s


UNUSABLE = {
    "empty 200": ("", 200),
    "HTML 200": ("<html>welcome</html>", 200),
    "a JSON list": ("[]", 200),
    "no invoice": ('{"detail": "Accepted"}', 200),
    "an invoice without an id": ('{"id": "x", "invoice": {"state": "PENDING"}}', 200),
    "an invoice that is a number": ('{"id": "x", "invoice": 150}', 200),
    "204": ("", 204),
    "302": ("", 302),
    "408": ("{}", 408),
    "500 JSON": ('{"type": "server_error", "errors": [{"code": "error", "detail": "A server error occurred."}]}', 500),
    "502 HTML": ("<h1>502 Bad Gateway</h1>", 502),
    "503 JSON": ('{"detail": "busy"}', 503),
    "504 with an invoice": (json.dumps(PUSHED), 504),
    "an endless answer": (f'{{"invoice": {{"invoice_id": "Y5JJV4V", "pad": "{"x" * ANSWER_MAX_BYTES}"}}}}', 200),
    "nested to the bottom": ("[" * 100_000, 200),
}


@pytest.mark.parametrize(("body", "status"), UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_an_unusable_answer_leaves_a_push_unknown_and_a_read_unread(
    body: str, status: int, server: ScriptedServer, provider: IntaSend
) -> None:
    server.body(body, status, "application/json")
    with pytest.raises(PushOutcomeUnknown):
        await provider.push(ORDER)
    for read in (provider.report("Y5JJV4V"), provider.find("HG-1")):
        with pytest.raises(ProviderUnreachable):
            await read
    assert len(server.received) == 3


async def hang(server: ScriptedServer, _request: web.Request) -> web.StreamResponse:
    await server.released.wait()
    return web.Response()


async def reset(_server: ScriptedServer, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stop_short(_server: ScriptedServer, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"invoice": {"invoice_id": "Y5JJV4V"')
    return await reset(_server, request)


async def drip(server: ScriptedServer, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"{")
    await server.released.wait()
    return response


async def garble(_server: ScriptedServer, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"\x15\x03\x01 not HTTP at all\r\n\r\n")
    return await reset(_server, request)


@pytest.mark.parametrize("fault", [hang, reset, stop_short, drip, garble])
async def test_an_answer_lost_on_the_way_leaves_a_push_unknown_and_never_repeats_it(
    fault: Callable[[ScriptedServer, web.Request], Awaitable[web.StreamResponse]],
    server: ScriptedServer,
    http: aiohttp.ClientSession,
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await fault(server, request)

    server.handler = handler
    provider = hasty(server.base_url, http)
    with pytest.raises(PushOutcomeUnknown, match="a prompt may be on the phone"):
        await provider.push(ORDER)
    assert len(server.received) == 1
    with pytest.raises(ProviderUnreachable):
        await provider.report("Y5JJV4V")


async def test_a_push_over_a_connection_that_was_used_before_is_not_repeated_either(
    server: ScriptedServer, provider: IntaSend
) -> None:
    server.json({"invoice": INVOICE})
    await provider.report("Y5JJV4V")

    async def handler(request: web.Request) -> web.StreamResponse:
        return await reset(server, request)

    server.handler = handler
    with pytest.raises(PushOutcomeUnknown):
        await provider.push(ORDER)
    assert [request.path for request in server.received] == ["/api/v1/payment/status/", "/api/v1/payment/mpesa-stk-push/"]


async def test_a_refused_connection_means_that_nothing_was_sent(http: aiohttp.ClientSession) -> None:
    with socket.socket() as closed:  # bound and not listening: nobody else gets the port meanwhile
        closed.bind(("127.0.0.1", 0))
        provider = hasty(f"http://127.0.0.1:{closed.getsockname()[1]}/api/v1/", http)
        for attempt in (provider.push(ORDER), provider.report("Y5JJV4V")):
            with pytest.raises(ProviderUnreachable, match="nothing was sent"):
                await attempt


async def test_a_name_that_does_not_resolve_means_that_nothing_was_sent() -> None:
    class NoNames(AbstractResolver):
        async def resolve(self, *_question: Any, **_more: Any) -> list[ResolveResult]:
            raise OSError(None, "no such name")

        async def close(self) -> None: ...

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoNames())) as http:
        with pytest.raises(ProviderUnreachable, match="nothing was sent"):
            await hasty("http://intasend.test/api/v1/", http).push(ORDER)


async def test_a_failed_tls_handshake_means_that_nothing_was_sent(server: ScriptedServer, http: aiohttp.ClientSession) -> None:
    provider = IntaSend(account(server.base_url.replace("http:", "https:")), http, push_deadline_s=5)
    with pytest.raises(ProviderUnreachable, match="nothing was sent"):
        await provider.push(ORDER)
    assert server.received == []


async def test_a_connection_that_never_comes_about_means_that_nothing_was_sent(http: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody ever answers the TLS hello
        provider = hasty(f"https://127.0.0.1:{silent.getsockname()[1]}/api/v1/", http)
        with pytest.raises(ProviderUnreachable, match="nothing was sent"):
            await provider.push(ORDER)


async def test_a_base_url_without_a_host_means_that_nothing_was_sent(http: aiohttp.ClientSession) -> None:
    with pytest.raises(ProviderUnreachable, match="nothing was sent"):
        await hasty("http:///api/v1/", http).push(ORDER)


async def test_a_push_does_not_follow_redirects(server: ScriptedServer, provider: IntaSend) -> None:
    server.body("", 307, Location="/elsewhere/")
    with pytest.raises(PushOutcomeUnknown):
        await provider.push(ORDER)
    assert len(server.received) == 1


async def test_an_answer_from_another_host_is_not_believed(server: ScriptedServer, provider: IntaSend) -> None:
    async with serving() as stranger:
        stranger.json({"results": [INVOICE], "next": None})
        server.body("", 302, Location=f"{stranger.base_url}invoices/")
        with pytest.raises(ProviderUnreachable):
            await provider.find(ORDER.api_ref)
        assert all("authorization" not in request.headers for request in stranger.received)


async def test_an_error_does_not_carry_the_secret_key(server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"detail": f"Token {SECRET} of 254712345678 is unknown"}, 400)
    with pytest.raises(ProviderRefused) as refused:
        await provider.push(ORDER)
    assert refused.value.message == "IntaSend refused: Token *** of 2547•••••678 is unknown"


async def test_each_exchange_leaves_one_debug_record_without_secrets(
    server: ScriptedServer, provider: IntaSend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gateway")
    server.json(PUSHED)
    await provider.push(ORDER)
    server.body("", 502)
    with pytest.raises(PushOutcomeUnknown):
        await provider.push(ORDER)
    records = [record for record in caplog.records if record.name.startswith("gateway")]
    assert [record.getMessage() for record in records] == [
        "IntaSend POST payment/mpesa-stk-push/: 200",
        "IntaSend POST payment/mpesa-stk-push/: 502",
    ]
    assert {getattr(record, "action", None) for record in records} == {"intasend_exchange"}
    assert not any(SECRET in str(vars(record)) for record in records)


async def test_an_overload_that_says_when_to_come_back_is_heard(server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"detail": "busy"}, 503, Retry_After="20")
    for asked, kind in ((provider.push(ORDER), PushOutcomeUnknown), (provider.report("Y5JJV4V"), ProviderUnreachable)):
        with pytest.raises(kind) as overloaded:
            await asked
        assert overloaded.value.retry_after_s == 20


@pytest.mark.parametrize(("challenge", "circuit"), [(CHALLENGE, Circuit.HALF_OPEN), ("somebody-elses-challenge", Circuit.OPEN)])
async def test_only_a_genuine_webhook_shows_that_intasend_is_there_again(
    challenge: str, circuit: Circuit, server: ScriptedServer, http: aiohttp.ClientSession
) -> None:
    provider = IntaSend(account(server.base_url), http, upstream=Upstream("IntaSend", FakeClock()))
    server.body("", 502)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(PushOutcomeUnknown):
            await provider.push(ORDER)
    provider.read_webhook(json.dumps(INVOICE | {"challenge": challenge}).encode())
    assert provider.circuit is circuit
