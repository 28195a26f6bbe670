"""The IntaSend adapter: its requests are the SDK's, its search finds what was lost, its webhooks prove little."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import intasend
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Invalid, ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money, Secret
from gateway.providers.base import Environment
from gateway.providers.intasend import AwaitableCollect, AwaitableSdk, IntaSend, contradiction
from gateway.providers.intasend_transport import Transport
from tests.scriptedserver import CHALLENGE, INVOICE, ORDER, PUBLISHABLE, PUSHED, SECRET, ScriptedServer, account, serving

UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])
"""How fast examples run says nothing here, on a machine that does something else as well."""


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
    keys = account(environment=Environment.LIVE, publishable_key="ISPubKey_live_1", secret_key=Secret("ISSecretKey_live_1"))
    live = IntaSend(keys, http)
    for line, base_url in (
        (sandbox._pushing._transport, "https://sandbox.intasend.com/api/v1/"),
        (live._reading._transport, "https://payment.intasend.com/api/v1/"),
    ):
        assert isinstance(line, Transport)
        assert line.base_url == base_url


async def test_a_push_of_cents_or_of_another_currency_is_refused_unsent(server: ScriptedServer, provider: IntaSend) -> None:
    for amount in (Money(5050), Money(5000, "USD")):
        with pytest.raises(ProviderRefused):
            await provider.push(replace(ORDER, amount=amount))
    assert server.received == []


async def test_keys_that_could_break_out_of_a_header_are_invalid(http: aiohttp.ClientSession) -> None:
    for key in ("", "ISSecretKey_test_x\r\nX-Evil: 1", "two words", "clé"):
        with pytest.raises(Invalid):
            IntaSend(account(secret_key=Secret(key)), http)


# Reading one invoice


async def test_an_answer_about_another_invoice_is_no_answer(server: ScriptedServer, provider: IntaSend) -> None:
    server.json({"invoice": {**INVOICE, "invoice_id": "KZ5MM24", "state": "COMPLETE"}})
    with pytest.raises(ProviderUnreachable):
        await provider.report("Y5JJV4V")


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


async def test_a_list_read_to_its_end_answers_none_in_whatever_order(server: ScriptedServer, provider: IntaSend) -> None:
    listing(server, *([invoice(f"AAAAAA{n}", f"HG-2{n}", minute=n)] for n in range(5)))
    assert await provider.find("HG-1") is None


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

    @UNHURRIED
    @given(st.binary(), st.integers(0, len(genuine)), st.integers(0, len(genuine)))
    def any_bytes_are_survived(noise: bytes, start: int, end: int) -> None:
        assert reader.read_webhook(noise) is None
        reader.read_webhook(genuine[:start] + noise + genuine[end:])

    any_bytes_are_survived()


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
