"""IntaSend's chargebacks: the request is the SDK's, the answer is read in each of its known shapes, and nothing else counts."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import intasend
import pytest

from gateway.errors import ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.identity import Money
from gateway.providers.base import Refunding, RefundOrder
from gateway.providers.intasend import IntaSend
from gateway.providers.intasend_refunds import REASON, WORDS, IntaSendRefunds
from tests.scriptedserver import PUBLISHABLE, SECRET, ScriptedServer, account, serving

ORDER = RefundOrder("Y5JJV4V", Money.parse("50"), "Paid for WiFi access that could not be delivered")
CHARGEBACK = {
    "chargeback_id": "VYBBVY4",
    "session_id": "5f0e2b1c-0000-4000-8000-0123456789ab",
    "transaction": {"transaction_id": "KZ5MM24", "invoice": {"invoice_id": ORDER.invoice_id, "account": "254712345678"}},
    "amount": "50.00",
    "reason": REASON,
    "status": "PENDING",
    "resolution": None,
    "staff_created": False,
}
OLD = {"id": 1, "transaction": 1, "invoice": ORDER.invoice_id, "amount": 50, "reason": REASON, "status": "PENDING"}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with serving() as running:
        yield running


@pytest.fixture
async def refunds(server: ScriptedServer) -> AsyncIterator[IntaSendRefunds]:
    async with aiohttp.ClientSession() as http:
        yield IntaSend(account(server.base_url), http).refunds


def listed(*entries: Any, following: str | None = None) -> dict[str, Any]:
    return {"count": len(entries), "next": following, "previous": None, "results": list(entries)}


async def test_a_refund_is_asked_for_as_the_stock_sdk_does(
    refunds: IntaSendRefunds, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("intasend.client.get_service_url", lambda endpoint, _test: server.base_url + endpoint)
    server.json(CHARGEBACK, 201)
    stock = intasend.Chagebacks(token=SECRET, publishable_key=PUBLISHABLE, test=True)
    details = {"invoice": ORDER.invoice_id, "amount": 50, "reason": REASON, "reason_details": ORDER.details}
    await asyncio.to_thread(stock.create, **details)
    await refunds.request(ORDER)

    theirs, ours = server.received
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert json.loads(ours.body) == json.loads(theirs.body) == details
    assert ours.headers["authorization"] == theirs.headers["authorization"]


async def test_cents_travel_exactly_and_never_as_a_float(refunds: IntaSendRefunds, server: ScriptedServer):
    server.json(CHARGEBACK, 201)
    await refunds.request(RefundOrder(ORDER.invoice_id, Money.parse("50.10"), ""))
    assert json.loads(server.received[0].body)["amount"] == "50.10"


async def test_another_currency_is_refused_with_nothing_sent(refunds: IntaSendRefunds, server: ScriptedServer):
    with pytest.raises(ProviderRefused):
        await refunds.request(RefundOrder(ORDER.invoice_id, Money(5_000, "USD"), ""))
    assert server.received == []


@pytest.mark.parametrize(("document", "refund_id"), [(CHARGEBACK, "VYBBVY4"), (OLD, "1")])
async def test_both_known_shapes_are_read(refunds: IntaSendRefunds, server: ScriptedServer, document: Any, refund_id: str):
    server.json(document, 201)
    report = await refunds.request(ORDER)
    assert (report.refund_id, report.invoice_id, report.refunding) == (refund_id, ORDER.invoice_id, Refunding.WAITING)
    server.json(listed(document))
    assert await refunds.listed() == [report]
    assert "254712345678" not in str(report.raw)


@pytest.mark.parametrize("word", [*WORDS, "MOON", "", None, 7])
async def test_each_word_is_translated_and_an_unknown_one_is_told_apart(
    refunds: IntaSendRefunds, server: ScriptedServer, word: Any
):
    server.json({**CHARGEBACK, "status": word})
    report = await refunds.report("VYBBVY4", ORDER.invoice_id)
    assert report.refunding is WORDS.get(word, Refunding.UNRECOGNISED)


async def test_an_answer_without_a_chargeback_may_be_one_all_the_same(refunds: IntaSendRefunds, server: ScriptedServer):
    server.json({"message": "thank you"}, 201)
    with pytest.raises(PushOutcomeUnknown):
        await refunds.request(ORDER)


async def test_an_answer_about_another_chargeback_is_no_answer(refunds: IntaSendRefunds, server: ScriptedServer):
    server.json(CHARGEBACK)
    with pytest.raises(ProviderUnreachable):
        await refunds.report("OTHER01", ORDER.invoice_id)


async def test_a_bare_array_is_a_list_as_well(refunds: IntaSendRefunds, server: ScriptedServer):
    server.json([OLD, CHARGEBACK | {"transaction": None, "invoice": "OTHER01"}])
    assert [report.invoice_id for report in await refunds.listed()] == [ORDER.invoice_id, "OTHER01"]
    with pytest.raises(PushOutcomeUnknown):
        await refunds.request(ORDER)  # a list is no chargeback


async def test_others_chargebacks_are_not_ours_and_half_a_list_says_nothing(refunds: IntaSendRefunds, server: ScriptedServer):
    server.json(listed({**OLD, "invoice": "OTHER01"}, {"chargeback_id": "X"}, "nonsense"))
    assert [report.invoice_id for report in await refunds.listed()] == ["OTHER01"]
    server.json(listed(following="https://example.org/?page=nonsense"))
    with pytest.raises(ProviderUnreachable):
        await refunds.listed()
