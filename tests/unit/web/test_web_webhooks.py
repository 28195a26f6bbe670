"""`POST /payments/webhook/`: 200 for what carries the challenge, 401 for everything else, whatever its shape."""

from typing import Any

import pytest

from tests.e2e.world import World
from tests.unit.web.requests import Send

WEBHOOK = "/payments/webhook/"
CHALLENGE = "demo-challenge-0123456789"


def hint(**changes: Any) -> dict[str, Any]:
    return {"invoice_id": "Y5JJV4V", "state": "COMPLETE", "api_ref": "HG-X", "value": "50.00", "challenge": CHALLENGE} | changes


async def test_a_webhook_with_the_challenge_is_taken_without_a_key(send: Send) -> None:
    answer = await send("POST", WEBHOOK, hint(), key=None)
    assert (answer.status, answer.json) == (200, {"message": "Webhook received"})


@pytest.mark.parametrize(
    "challenge", ["wrong", "", None, 5, CHALLENGE.upper(), CHALLENGE + "\x00", "é", ["demo"], {"a": CHALLENGE}]
)
async def test_a_webhook_with_another_challenge_is_a_401(send: Send, challenge: Any) -> None:
    answer = await send("POST", WEBHOOK, hint(challenge=challenge), key=None)
    assert answer.status == 401
    assert answer.json == {"error": "The webhook's challenge is not the one that is configured"}


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"\xff", b"[]", b"null", b'{"challenge":' + b"[" * 60_000, b'"' + b"a" * 60_000]
)
async def test_a_webhook_that_cannot_be_read_is_a_401(send: Send, body: bytes) -> None:
    assert (await send("POST", WEBHOOK, body, key=None)).status == 401


async def test_a_webhook_about_nothing_of_ours_changes_nothing(world: World, send: Send) -> None:
    payment_id = await world.ask(world.amina)
    before = await world.payment(payment_id)
    for changes in ({}, {"invoice_id": None, "api_ref": None}, {"invoice_id": {"a": 1}, "api_ref": 5}, {"state": ["x"]}):
        assert (await send("POST", WEBHOOK, hint(**changes), key=None)).status == 200
    assert await world.payment(payment_id) == before


async def test_a_webhook_that_says_complete_is_not_believed(world: World, send: Send) -> None:
    payment_id = await world.ask(world.amina)
    payment = await world.payment(payment_id)
    await send("POST", WEBHOOK, hint(invoice_id=payment.invoice_id, api_ref=payment.api_ref), key=None)
    await world.pass_time(10)
    assert (await world.payment(payment_id)).status == "processing"
    assert not world.amina.online
