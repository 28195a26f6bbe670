"""IntaSend's payment links: the request is the SDK's, and what is no link, no closing or no list is not taken for one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import intasend
import pytest

from gateway.errors import ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money
from gateway.providers.base import LinkOrder
from gateway.providers.intasend import IntaSend
from gateway.providers.intasend_links import IntaSendLinks
from gateway.providers.intasend_lists import PAGES_MAX
from tests.scriptedserver import PUBLISHABLE, SECRET, ScriptedServer, account, serving

ORDER = LinkOrder("WiFi 1 hour, Kiosk", Money.parse("50"), "https://pay.example.org/payment/success/payment-1")
LINK_ID = "e8bf51f4-4f3c-4b53-8c43-0123456789ab"
LINK = {
    "id": LINK_ID,
    "title": ORDER.title,
    "is_active": True,
    "redirect_url": ORDER.return_url,
    "amount": 50,
    "usage_limit": 1,
    "qrcode_file": "https://s3.example.org/qr.png?signature=secret",
    "url": f"https://sandbox.intasend.com/pay/{LINK_ID}/",
    "currency": "KES",
    "mobile_tarrif": "BUSINESS-PAYS",
    "card_tarrif": "BUSINESS-PAYS",
    "created_at": "2026-05-31T10:00:00.000000+03:00",
}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with serving() as running:
        yield running


@pytest.fixture
async def links(server: ScriptedServer) -> AsyncIterator[IntaSendLinks]:
    async with aiohttp.ClientSession() as http:
        yield IntaSend(account(server.base_url), http).links


def listed(*entries: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"count": len(entries), "next": following, "previous": None, "results": list(entries)}


async def test_a_link_is_asked_for_byte_for_byte_as_the_stock_sdk_does(
    links: IntaSendLinks, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intasend.client.get_service_url", lambda endpoint, _test: server.base_url + endpoint)
    server.json(LINK, 201)
    stock = intasend.PaymentLinks(token=SECRET, publishable_key=PUBLISHABLE, test=True)
    await asyncio.to_thread(
        lambda: stock.create(
            title=ORDER.title, currency="KES", amount=50, usage_limit=1, redirect_url=ORDER.return_url, is_active=True
        )
    )
    await links.create(ORDER)
    theirs, mine = server.received
    assert (mine.method, mine.path, mine.body) == (theirs.method, theirs.path, theirs.body)
    for header in ("authorization", "content-type", "content-length"):
        assert mine.headers[header] == theirs.headers[header]


async def test_a_link_is_known_by_its_id_and_the_reference_of_its_payments(links: IntaSendLinks, server: ScriptedServer) -> None:
    server.json(LINK, 201)
    link = await links.create(ORDER)
    assert (link.link_id, link.url, link.api_ref) == (LINK_ID, LINK["url"], f"ISL_{LINK_ID}")
    assert "signature=secret" not in str(link.raw)


@pytest.mark.parametrize("answer", [{}, {"id": LINK_ID}, {"url": LINK["url"]}, {"id": None, "url": LINK["url"]}])
async def test_an_answer_without_a_link_is_a_lost_answer(
    answer: dict[str, Any], links: IntaSendLinks, server: ScriptedServer
) -> None:
    server.json(answer, 201)
    with pytest.raises(PushOutcomeUnknown):
        await links.create(ORDER)


async def test_a_link_is_closed_by_a_change_to_that_link(links: IntaSendLinks, server: ScriptedServer) -> None:
    server.json({**LINK, "is_active": False})
    await links.close(LINK_ID)
    (request,) = server.received
    assert (request.method, request.path) == ("PUT", f"/api/v1/paymentlinks/{LINK_ID}/")
    assert json.loads(request.body) == {"is_active": False}
    assert request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("answer", [LINK, {}, {"is_active": "false"}])
async def test_a_link_that_does_not_say_that_it_is_closed_is_not_closed(
    answer: dict[str, Any], links: IntaSendLinks, server: ScriptedServer
) -> None:
    server.json(answer)
    with pytest.raises(ProviderUnreachable):
        await links.close(LINK_ID)


async def test_a_lost_link_is_found_by_where_it_leads_back_and_by_nothing_else(
    links: IntaSendLinks, server: ScriptedServer
) -> None:
    server.json(listed({**LINK, "redirect_url": None}, {"redirect_url": 7}, LINK))
    found = await links.find("payment-1")
    assert found is not None
    assert found.link_id == LINK_ID
    assert await links.find("payment-2") is None


async def test_an_answer_about_another_link_is_no_answer(links: IntaSendLinks, server: ScriptedServer) -> None:
    server.json(LINK)
    assert await links.behind(f"ISL_{LINK_ID}") is not None
    for answer in ({**LINK, "id": "another"}, {}):
        server.json(answer)
        with pytest.raises(ProviderUnreachable):
            await links.behind(f"ISL_{LINK_ID}")
    assert {request.path for request in server.received} == {f"/api/v1/paymentlinks/{LINK_ID}/"}


async def test_a_list_that_is_too_long_and_in_no_order_says_nothing(links: IntaSendLinks, server: ScriptedServer) -> None:
    older, newer = {**LINK, "created_at": "2026-01-01"}, {**LINK, "created_at": "2026-02-01"}
    server.json(listed(older, newer, following="https://elsewhere.example/?page=2"))
    for question in (links.find("payment-9"), links.payments("ISL_other")):
        with pytest.raises(ProviderUnreachable, match="too long"):
            await question
    assert len(server.received) == 2 * PAGES_MAX


async def test_a_title_is_cut_to_what_a_phone_shows(links: IntaSendLinks, server: ScriptedServer) -> None:
    server.json(LINK, 201)
    await links.create(LinkOrder("W" * 1_000, ORDER.amount, ORDER.return_url))
    assert json.loads(server.received[0].body)["title"] == "W" * 100
