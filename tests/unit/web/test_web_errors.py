"""Every error is JSON, with the contract's status, and says no more than it should."""

import asyncio
import logging
from typing import Any

import pytest

from gateway.errors import Code, EncryptionKeyMismatch
from gateway.simulators.intasend import Endpoint, fails_with
from gateway.web.errors import STATUS
from tests.e2e.world import PUBLIC_KEY, World
from tests.unit.web.requests import INITIATE, NO_PAYMENT, Send, purchase


def test_every_kind_of_failure_has_a_status() -> None:
    assert set(STATUS) == set(Code)


async def test_an_unknown_address_is_a_404_in_json(send: Send) -> None:
    for path in (
        "/nope",
        "/payments/intasend/a/",
        "/admin/",
        "/payments/intasend/a/b/check-status/",
        "//",
        "/%2e%2e/etc",
    ):
        answer = await send("GET", path)
        assert (answer.status, answer.json) == (404, {"error": "There is nothing at this address"}), path


async def test_a_wrong_method_is_a_405_that_says_which_is_right(send: Send) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await send(method, INITIATE)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.json == {"error": "This address does not take this method: see the Allow header"}


async def test_the_answer_to_head_has_no_body(send: Send) -> None:
    answer = await send("HEAD", INITIATE)
    assert (answer.status, answer.text) == (405, "")


async def test_an_unexpected_failure_shows_an_id_that_is_in_the_log_and_nothing_else(
    world: World, send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("the secret detail")

    monkeypatch.setattr(world.running.sales, "start_purchase", fails)
    answer = await send("POST", INITIATE, purchase())
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    error_id = record.__dict__["error_id"]
    assert answer.status == 500
    assert answer.json == {"error": f"Something went wrong here. Quote {error_id} when you ask for help."}
    assert record.exc_info is not None
    assert "the secret detail" in str(record.exc_info[1])


async def test_each_failure_has_an_id_of_its_own(world: World, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(type(world.running.sales), "start_purchase")
    first, second = [await send("POST", INITIATE, purchase()) for _ in range(2)]
    assert first.json != second.json


async def test_a_key_that_does_not_open_the_secrets_is_a_500_with_the_specifications_text(world: World, send: Send) -> None:
    sentence = "Failed to decrypt private key: Invalid encryption key"
    world.running.site.providers = {1: EncryptionKeyMismatch(sentence)}
    answer = await send("POST", INITIATE, purchase())
    assert (answer.status, answer.json["error"]) == (500, sentence)


async def test_a_dead_router_is_a_503_that_says_when_to_come_back(world: World, send: Send) -> None:
    await world.router.stop()
    await world.pass_time(15)
    answer = await send("POST", INITIATE, purchase())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "15")
    assert set(answer.json) == {"error", "payment_id", "retry_after_s"}
    assert answer.json["retry_after_s"] == 15
    assert not world.intasend.pushes


async def test_a_full_disk_is_a_503_that_says_when_to_come_back_and_sends_no_prompt(world: World, send: Send) -> None:
    await world.running.db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    answer = await send("POST", INITIATE, purchase())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    assert answer.json == {"error": "The gateway cannot store anything now: try again soon", "retry_after_s": 30}
    assert not world.intasend.pushes


async def test_the_gateway_lives_on_while_the_disk_is_full(world: World, send: Send) -> None:
    await world.running.db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    await world.pass_time(130, step_s=5)
    await world.running.db._writer.run(lambda tx: tx.execute("PRAGMA query_only = OFF"))
    assert (await send("POST", INITIATE, purchase())).status == 201


async def test_a_refusal_by_intasend_is_a_502_with_the_payments_id(world: World, send: Send) -> None:
    world.intasend.faults.once(Endpoint.PUSH, fails_with(400))
    answer = await send("POST", INITIATE, purchase())
    assert answer.status == 502
    assert set(answer.json) == {"error", "payment_id"}
    assert (await world.payment(answer.json["payment_id"])).status == "failed"


async def test_an_open_prompt_for_something_else_is_a_409_with_the_payments_id(send: Send) -> None:
    first = (await send("POST", INITIATE, purchase())).json["payment"]["id"]
    answer = await send("POST", INITIATE, purchase(package_id=1, amount="5"))
    assert (answer.status, answer.json["payment_id"]) == (409, first)


async def test_what_the_path_holds_cannot_forge_a_line_of_the_log(
    world: World, send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(type(world.running.settlement), "check_status")
    answer = await send("POST", NO_PAYMENT.replace("0000", "%0A2025 INFO paid", 1).replace(" ", "%20"))
    assert answer.status == 500
    assert "\n" not in caplog.messages[-1]


async def test_a_client_that_hangs_up_in_mid_sentence_is_no_failure_of_ours(
    world: World, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", world.running.port)
    head = f"POST {INITIATE} HTTP/1.1\r\nHost: a\r\nX-Public-Key: {PUBLIC_KEY}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{".encode())
    await writer.drain()
    await send("GET", "/healthz")
    writer.close()
    await writer.wait_closed()
    await send("GET", "/healthz")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
