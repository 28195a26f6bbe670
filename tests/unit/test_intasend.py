"""The IntaSend adapter against a server of this file that answers whatever a test scripts."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import aiohttp
import intasend
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Invalid, ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money, PhoneNumber, Secret
from gateway.providers.base import Environment, ProviderAccount, PushOrder, Reported
from gateway.providers.intasend import WORDS, AwaitableCollect, AwaitableSdk, IntaSend, contradiction, redact
from gateway.providers.intasend_answers import as_amount, invoice_report, refusal
from gateway.providers.intasend_transport import ANSWER_MAX_BYTES, Transport

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
    "customer": {"customer_id": "0VVB4G0", "phone_number": "254712345678", "email": "wanjiku@example.org", "first_name": "Wanjiku"},
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class ScriptedServer:
    """Keeps each request and answers with `handler`; `released` ends whatever a handler waits for."""

    handler: Handler
    base_url: str = ""
    received: list[Received] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.method, request.raw_path, await request.read(), headers))
        return await self.handler(request)

    def json(self, document: Any, status: int = 200, **headers: str) -> None:
        """Answer everything with this JSON from now on."""
        self.body(json.dumps(document), status, "application/json", **headers)

    def body(self, text: str, status: int = 200, content_type: str = "text/html", **headers: str) -> None:
        """Answer everything with this text from now on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def handler(_request: web.Request) -> web.Response:
            return web.Response(text=text, status=status, content_type=content_type, headers=named)

        self.handler = handler


@asynccontextmanager
async def serving(handler: Handler | None = None) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(handler or _not_scripted)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.base_url = f"http://127.0.0.1:{port}/api/v1/"
    try:
        yield server
    finally:
        server.released.set()
        await runner.cleanup()


async def _not_scripted(_request: web.Request) -> web.StreamResponse:
    raise AssertionError("the test scripted no answer")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with serving() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


def account(base_url: str | None = None, **changes: Any) -> ProviderAccount:
    return replace(ProviderAccount(Environment.SANDBOX, PUBLISHABLE, Secret(SECRET), Secret(CHALLENGE), base_url), **changes)


@pytest.fixture
def provider(server: ScriptedServer, http: aiohttp.ClientSession) -> IntaSend:
    return IntaSend(account(server.base_url), http, push_deadline_s=2, read_deadline_s=2)


def hasty(base_url: str, http: aiohttp.ClientSession) -> IntaSend:
    return IntaSend(account(base_url), http, push_deadline_s=0.1, read_deadline_s=0.1)


# The requests are the SDK's


CALLS: dict[str, Callable[[Any], Any]] = {
    "a push": lambda sdk: sdk.mpesa_stk_push(254712345678, 50, "1 hour: café", api_ref="HG-1"),
    "a status read": lambda sdk: sdk.status("Y5JJV4V"),
    "a status read by signature": lambda sdk: sdk.status("Y5JJV4V", "checkout", "signature"),
    "a checkout": lambda sdk: sdk.checkout("a@example.org", 50, "KES"),
    "a list": lambda sdk: sdk.send_request("GET", "invoices/?api_ref=HG-1&page=2", None),
    "a read with an empty object": lambda sdk: sdk.send_request("GET", "chargebacks/", {}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_request_is_byte_for_byte_the_one_of_the_stock_sdk(
    call: Callable[[Any], Any], server: ScriptedServer, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intasend.client.get_service_url", lambda endpoint, _test: server.base_url + endpoint)
    server.json(PUSHED)
    stock = intasend.Collect(token=SECRET, publishable_key=PUBLISHABLE, test=True)
    ours = AwaitableCollect(Transport(http, server.base_url, 2.0, PushOutcomeUnknown), account(server.base_url))

    assert await asyncio.to_thread(call, stock) == json.loads(json.dumps(PUSHED))
    await call(ours)

    theirs, mine = server.received
    assert (mine.method, mine.path, mine.body) == (theirs.method, theirs.path, theirs.body)
    for header in ("authorization", "intasend_public_api_key", "content-type", "content-length"):
        assert mine.headers.get(header) == theirs.headers.get(header)


async def test_a_push_sends_whole_shillings_and_the_phone_without_plus(server: ScriptedServer, provider: IntaSend) -> None:
    server.json(PUSHED)
    await provider.push(ORDER)
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/api/v1/payment/mpesa-stk-push/")
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert json.loads(request.body) == {
        "public_key": PUBLISHABLE,
        "currency": "KES",
        "method": "M-PESA",
        "amount": 50,
        "phone_number": "254712345678",
        "api_ref": "HG-7F3K2M",
        "name": None,
        "email": None,
        "narrative": "1 hour WiFi",
    }


async def test_the_mixin_makes_the_other_classes_of_the_sdk_awaitable_too(
    server: ScriptedServer, http: aiohttp.ClientSession
) -> None:
    class AwaitableLinks(AwaitableSdk, intasend.PaymentLinks):  # type: ignore[misc]
        pass

    async def slash_wanted(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/"):
            return web.Response(status=301, headers={"Location": request.path + "/"})
        return web.json_response({"id": "L1"})

    server.handler = slash_wanted
    links = AwaitableLinks(Transport(http, server.base_url, 2.0, ProviderUnreachable), account())
    assert await links.details("L1") == {"id": "L1"}


async def test_without_a_base_url_each_environment_has_the_host_of_the_sdk(http: aiohttp.ClientSession) -> None:
    sandbox = IntaSend(account(), http)
    live = IntaSend(account(environment=Environment.LIVE), http)
    assert sandbox._pushing._transport.base_url == "https://sandbox.intasend.com/api/v1/"
    assert live._reading._transport.base_url == "https://payment.intasend.com/api/v1/"


async def test_a_push_of_cents_or_of_another_currency_is_refused_unsent(server: ScriptedServer, provider: IntaSend) -> None:
    for amount in (Money(5050), Money(5000, "USD")):
        with pytest.raises(ProviderRefused):
            await provider.push(replace(ORDER, amount=amount))
    assert server.received == []


async def test_keys_that_could_break_out_of_a_header_are_invalid(http: aiohttp.ClientSession) -> None:
    for key in ("", "ISSecretKey_test_x\r\nX-Evil: 1", "two words", "clé"):
        with pytest.raises(Invalid):
            IntaSend(account(secret_key=Secret(key)), http)


# Every way in which an exchange can end


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_any_2xx_with_an_invoice_is_accepted(status: int, server: ScriptedServer, provider: IntaSend) -> None:
    server.json(PUSHED, status)
    report = await provider.push(ORDER)
    assert (report.invoice_id, report.payment_id) == ("Y5JJV4V", "0666538f-9f84-435b-bee7-bb25f23a815f")
    assert (report.reported, report.word, report.value, report.currency) == (Reported.WAITING, "PENDING", Decimal(50), "KES")


ERROR = {"type": "validation_error", "errors": [{"code": "invalid", "detail": "Not a mobile number.", "attr": "phone_number"}]}


@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_a_refusal_is_refused_with_the_reason(status: int, server: ScriptedServer, provider: IntaSend) -> None:
    server.json(ERROR, status)
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
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "Request was throttled.", None),
        ({"Retry_After": "9" * 30}, "", 86_400),
        ({"Retry_After": "-5"}, "", None),
    ],
)
async def test_throttling_says_how_long_to_wait(
    headers: dict[str, str], detail: str, expected_s: int | None, server: ScriptedServer, provider: IntaSend
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


# What answers mean


@pytest.mark.parametrize("word", [*WORDS, *(word.lower() for word in WORDS)])
async def test_a_known_word_is_translated_in_any_case(word: str, server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"invoice": {**INVOICE, "state": f" {word} "}})
    report = await provider.report("Y5JJV4V")
    assert (report.reported, report.word) == (WORDS[word.upper()], word)


@pytest.mark.parametrize("word", ["PARTIAL", "", None, 7, ["COMPLETE"], {"COMPLETE": 1}, True])
async def test_an_unknown_word_is_unrecognised(word: Any, server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"invoice": {**INVOICE, "state": word}})
    assert (await provider.report("Y5JJV4V")).reported is Reported.UNRECOGNISED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("50", 50),
        ("50.0", 50),
        ('"50.00"', 50),
        ("0.1", "0.1"),
        ("10.000000000001", "10.000000000001"),
        ("5e1", 50),
        ('" 50 "', 50),
        ("null", None),
        ("true", None),
        ('"fifty"', None),
        ('"5_0"', None),
        ('"\\u0665\\u0660"', None),
        ('"NaN"', None),
        ('"Infinity"', None),
        ("1e999999999999999999999", None),
        ("[50]", None),
        ('{"value": 50}', None),
        ('""', None),
    ],
)
async def test_money_is_exact_whatever_its_json_type(
    value: str, expected: int | str | None, server: ScriptedServer, provider: IntaSend
) -> None:
    server.body(f'{{"invoice": {{"invoice_id": "Y5JJV4V", "state": "COMPLETE", "value": {value}}}}}')
    report = await provider.report("Y5JJV4V")
    assert report.value == (None if expected is None else Decimal(expected))


async def test_the_receipt_comes_late_and_from_either_field(server: ScriptedServer, provider: IntaSend) -> None:
    for fields, receipt in (
        ({"state": "COMPLETE"}, None),
        ({"mpesa_reference": "TJRHC8IET4", "provider_ref": "OTHER12345"}, "TJRHC8IET4"),
        ({"provider_ref": "TJRHC8IET4"}, "TJRHC8IET4"),
        ({"provider_ref": "ws_CO_070220261642"}, None),
    ):
        server.json({"invoice": {**INVOICE, **fields}})
        assert (await provider.report("Y5JJV4V")).receipt == receipt


@pytest.mark.parametrize("code", ["1032", 1032])
async def test_a_failure_has_its_code_as_text(code: str | int, server: ScriptedServer, provider: IntaSend) -> None:
    server.json(
        {
            "invoice": {**INVOICE, "state": "FAILED", "failed_code": code, "failed_reason": "Request Cancelled by user."},
            "meta": {"id": "U"},
        }
    )
    report = await provider.report("Y5JJV4V")
    assert (report.reported, report.failed_code) == (Reported.FAILED, "1032")
    assert (report.failed_reason, report.payment_id) == ("Request Cancelled by user.", "U")


async def test_an_answer_about_another_invoice_is_no_answer(server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"invoice": {**INVOICE, "invoice_id": "KZ5MM24", "state": "COMPLETE"}})
    with pytest.raises(ProviderUnreachable):
        await provider.report("Y5JJV4V")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*INVOICE, "invoice", "meta", "id", "errors", "detail", "customer"]), json_values))
def test_wrong_types_anywhere_never_crash(document: dict[str, Any]) -> None:
    invoice_report({**document, "invoice_id": "Y5JJV4V"})
    invoice_report({"invoice": document})
    refusal(document)
    json.dumps(redact(document), allow_nan=False)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=2))
def test_an_amount_reads_the_same_as_number_and_as_text(amount: Decimal) -> None:
    assert as_amount(amount) == as_amount(str(amount)) == amount


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (ERROR, "phone_number: Not a mobile number."),
        ({"detail": "Authentication credentials were not provided."}, "Authentication credentials were not provided."),
        ({"details": "Device id not found"}, "Device id not found"),
        ({"amount": ["A valid number is required."]}, "amount: A valid number is required."),
        ({"errors": "no list", "status": 4}, None),
        ({"errors": [{"detail": f"{n}"} for n in range(9)]}, "0; 1; 2"),
        ({"detail": "x" * 5000}, "x" * 200),
        (None, None),
    ],
)
def test_a_refusal_is_one_short_sentence_from_any_shape_of_error(document: dict[str, Any] | None, sentence: str | None) -> None:
    assert refusal(document) == sentence


# Looking for a lost push


def listing(server: ScriptedServer, *pages: list[dict[str, Any]], last_next: str | None = None) -> None:
    """Serve these pages of invoices; `next` names another host, as a proxy in between may make it do."""

    async def handler(request: web.Request) -> web.StreamResponse:
        number = int(request.query.get("page", "1"))
        following = f"https://elsewhere.example/api/v1/invoices/?page={number + 1}" if number < len(pages) else last_next
        return web.json_response({"count": 0, "next": following, "previous": None, "results": pages[number - 1]})

    server.handler = handler


def invoice(invoice_id: str, api_ref: Any, state: str = "PENDING", minute: int = 0) -> dict[str, Any]:
    return {
        **INVOICE,
        "invoice_id": invoice_id,
        "api_ref": api_ref,
        "state": state,
        "created_at": f"2026-02-07T16:{minute:02}:00+03:00",
    }


async def test_a_lost_push_is_found_by_its_exact_reference_only(server: ScriptedServer, provider: IntaSend) -> None:
    listing(server, [invoice("AAAAAAA", "HG-12"), invoice("BBBBBBB", "hg-1"), invoice("CCCCCCC", None), invoice("DDDDDDD", "HG-1")])
    found = await provider.find("HG-1")
    assert found is not None
    assert (found.invoice_id, found.payment_id) == ("DDDDDDD", None)
    assert server.received[0].path == "/api/v1/invoices/?api_ref=HG-1&page=1&page_size=100"
    assert server.received[0].headers["authorization"] == f"Bearer {SECRET}"


async def test_a_list_without_the_reference_answers_none(server: ScriptedServer, provider: IntaSend) -> None:
    listing(server, [invoice("AAAAAAA", "HG-2")], [])
    assert await provider.find("HG-1") is None


async def test_pages_are_followed_by_number_on_our_own_host(server: ScriptedServer, provider: IntaSend) -> None:
    listing(server, [invoice("AAAAAAA", "HG-2")], [invoice("BBBBBBB", "HG-3")], [invoice("CCCCCCC", "HG-1")])
    found = await provider.find("HG-1")
    assert found is not None
    assert found.invoice_id == "CCCCCCC"
    assert len(server.received) == 3


async def test_of_several_matches_the_paid_one_is_taken(server: ScriptedServer, provider: IntaSend) -> None:
    listing(
        server, [invoice("AAAAAAA", "HG-1", "FAILED", 9), invoice("BBBBBBB", "HG-1", "COMPLETE", 5), invoice("CCCCCCC", "HG-1")]
    )
    found = await provider.find("HG-1")
    assert found is not None
    assert found.invoice_id == "BBBBBBB"


async def test_of_several_unpaid_matches_the_newest_is_taken(server: ScriptedServer, provider: IntaSend) -> None:
    listing(
        server, [invoice("AAAAAAA", "HG-1", minute=3), invoice("BBBBBBB", "HG-1", minute=7), invoice("CCCCCCC", "HG-1", minute=5)]
    )
    found = await provider.find("HG-1")
    assert found is not None
    assert found.invoice_id == "BBBBBBB"


async def test_the_search_ends_after_five_pages_of_a_list_that_begins_with_the_newest(
    server: ScriptedServer, provider: IntaSend
) -> None:
    listing(server, *([invoice(f"AAAAAA{n}", f"HG-2{n}", minute=50 - n)] for n in range(9)))
    assert await provider.find("HG-1") is None
    assert len(server.received) == 5


async def test_a_long_list_that_begins_with_the_oldest_says_nothing(server: ScriptedServer, provider: IntaSend) -> None:
    listing(server, *([invoice(f"AAAAAA{n}", f"HG-2{n}", minute=n)] for n in range(9)))
    with pytest.raises(ProviderUnreachable, match="too long to search"):
        await provider.find("HG-1")


@pytest.mark.parametrize("following", ["https://x/?cursor=abc", "https://x/?page=two", "http://[", "https://x/?page="])
async def test_a_list_that_cannot_be_followed_says_nothing(following: str, server: ScriptedServer, provider: IntaSend) -> None:
    listing(server, [], last_next=following)
    with pytest.raises(ProviderUnreachable):
        await provider.find("HG-1")


async def test_entries_that_are_no_invoices_are_passed_over(server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"results": [None, 7, "HG-1", [], {"api_ref": ["HG-1"]}, {"invoice": invoice("AAAAAAA", "HG-1")}], "next": None})
    found = await provider.find("HG-1")
    assert found is not None
    assert found.invoice_id == "AAAAAAA"


# Webhooks


def webhook(**changes: Any) -> bytes:
    return json.dumps({**INVOICE, "value": "50.00", "challenge": CHALLENGE, **changes}).encode()


@pytest.fixture
async def reader(http: aiohttp.ClientSession) -> IntaSend:
    return IntaSend(account(), http)


async def test_a_webhook_with_our_challenge_hints_at_an_invoice(reader: IntaSend) -> None:
    hint = reader.read_webhook(webhook())
    assert hint is not None
    assert (hint.invoice_id, hint.api_ref) == ("Y5JJV4V", ORDER.api_ref)


async def test_a_nested_webhook_is_read_as_a_courtesy(reader: IntaSend) -> None:
    hint = reader.read_webhook(json.dumps({"challenge": CHALLENGE, "invoice": INVOICE}).encode())
    assert hint is not None
    assert hint.invoice_id == "Y5JJV4V"


@pytest.mark.parametrize("challenge", ["", CHALLENGE[:-1], CHALLENGE + " ", CHALLENGE.upper(), None, 0, True, [CHALLENGE], "ключ"])
async def test_a_webhook_with_another_challenge_is_refused(challenge: Any, reader: IntaSend) -> None:
    assert reader.read_webhook(webhook(challenge=challenge)) is None


@pytest.mark.parametrize("configured", [None, Secret("")])
async def test_without_a_configured_challenge_every_webhook_is_refused(
    configured: Secret | None, http: aiohttp.ClientSession
) -> None:
    reader = IntaSend(account(webhook_challenge=configured), http)
    assert reader.read_webhook(webhook()) is None
    assert reader.read_webhook(webhook(challenge="")) is None


async def test_a_genuine_event_about_something_else_hints_at_nothing(reader: IntaSend) -> None:
    hint = reader.read_webhook(json.dumps({"challenge": CHALLENGE, "tracking_id": "t", "transactions": []}).encode())
    assert hint is not None
    assert (hint.invoice_id, hint.api_ref) == (None, None)


async def test_ids_of_a_webhook_are_text_or_absent(reader: IntaSend) -> None:
    hint = reader.read_webhook(webhook(invoice_id=150, api_ref={"$ne": 1}))
    assert hint is not None
    assert (hint.invoice_id, hint.api_ref) == ("150", None)


MALFORMED = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"\xff\xfe",
    b"{" * 100_000,
    b'{"challenge": "\\ud800"}',
    webhook()[:-1],
    webhook() + b"x",
]


@pytest.mark.parametrize("body", MALFORMED)
async def test_a_malformed_webhook_is_refused(body: bytes, reader: IntaSend) -> None:
    assert reader.read_webhook(body) is None


async def test_no_bytes_whatever_make_the_webhook_reader_raise(reader: IntaSend) -> None:
    genuine = webhook()

    @given(st.binary(), st.integers(0, len(genuine)), st.integers(0, len(genuine)))
    def any_bytes_are_survived(noise: bytes, start: int, end: int) -> None:
        assert reader.read_webhook(noise) is None
        reader.read_webhook(genuine[:start] + noise + genuine[end:])

    any_bytes_are_survived()


# What is kept


async def test_what_is_kept_of_an_answer_has_no_person_and_no_secret_in_it(server: ScriptedServer, provider: IntaSend) -> None:
    server.json(
        {**PUSHED, "signature": "eyJ", "public_key": PUBLISHABLE, "meta": {"id": "U", "note": f"call 0712345678, {SECRET}"}}
    )
    report = await provider.push(ORDER)
    kept = json.dumps(report.raw)
    for private in ("254712345678", "0712345678", "Wanjiku", "wanjiku@", "eyJ", PUBLISHABLE, SECRET):
        assert private not in kept
    assert report.raw["invoice"]["account"] == report.raw["customer"]["phone_number"] == "2547•••••678"
    assert report.raw["invoice"]["api_ref"] == ORDER.api_ref
    assert report.raw["invoice"]["value"] == "50.0"


def test_redaction_drops_secrets_by_their_names_at_every_level() -> None:
    secrets = {"challenge": "c", "token": "t", "Signature": "s", "secretKey": "k", "X-API-Key": "k", "password": "p"}
    assert redact({"state": "FAILED", **secrets, "deep": [{"deeper": secrets}]}) == {"state": "FAILED", "deep": [{"deeper": {}}]}


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("254712345678", "2547•••••678"),
        (254712345678, "2547•••••678"),
        ("+254112345678", "2541•••••678"),
        ("jane@example.org", "•••"),
    ],
)
def test_an_account_is_masked_whatever_its_type(number: str | int, masked: str) -> None:
    assert redact({"account": number}) == {"account": masked}


def test_redaction_keeps_ids_flags_and_nothing_of_what_is_absent() -> None:
    document = {"id": "0666538f-9f84-435b-bee7-254712345678"[:-1], "retry_count": 0, "refundable": False, "failed_code": None}
    assert redact(document) == document


def test_redaction_ends_at_a_depth_and_a_length() -> None:
    deep: dict[str, Any] = {"x": "y" * 5000}
    for _ in range(500):
        deep = {"x": deep}
    assert len(json.dumps(redact(deep))) < 100
    assert redact({"x": "y" * 5000}) == {"x": "y" * 500}


# Keys


@pytest.mark.parametrize(
    ("environment", "publishable", "secret", "expected"),
    [
        (Environment.SANDBOX, PUBLISHABLE, SECRET, None),
        (Environment.LIVE, "ISPubKey_live_1", "ISSecretKey_live_1", None),
        (Environment.SANDBOX, "your_public_api_key", "your_secret_key", None),
        (
            Environment.LIVE,
            PUBLISHABLE,
            "ISSecretKey_live_1",
            "the publishable key is of IntaSend's sandbox world, the environment is live",
        ),
        (
            Environment.SANDBOX,
            PUBLISHABLE,
            "ISSecretKey_live_1",
            "the secret key is of IntaSend's live world, the environment is sandbox",
        ),
        (Environment.SANDBOX, SECRET, PUBLISHABLE, "the publishable key is a secret key (ISSecretKey_...)"),
        (Environment.SANDBOX, PUBLISHABLE, PUBLISHABLE, "the secret key is a publishable key (ISPubKey_...)"),
    ],
)
def test_keys_contradict_the_environment_or_their_place(
    environment: Environment, publishable: str, secret: str, expected: str | None
) -> None:
    keys = account(environment=environment, publishable_key=publishable, secret_key=Secret(secret))
    assert contradiction(keys) == expected


def test_the_errors_of_a_push_are_all_expected_ones() -> None:
    assert all(issubclass(error, GatewayError) for error in (ProviderRefused, ProviderUnreachable, PushOutcomeUnknown))
