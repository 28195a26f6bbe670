"""The answers of the payment endpoints, field for field (specification, "Response Format")."""

from typing import Any

from gateway.simulators.intasend import Endpoint, reset_after
from tests.e2e.world import World
from tests.unit.web.requests import INITIATE, Send, purchase

STARTED = "2025-08-25T10:30:00Z"


async def check(world: World, payment_id: str) -> dict[str, Any]:
    status, answer = await world.check(payment_id)
    assert status == 200, answer
    return answer


async def test_initiate_answers_as_the_specification_shows(world: World, send: Send) -> None:
    answer = await send("POST", INITIATE, purchase())
    payment, intasend = answer.json["payment"], answer.json["intasend"]
    (pushed,) = world.intasend.invoices.values()
    payment_id = intasend["payment_id"]
    assert (answer.status, answer.json["message"]) == (201, "STK push initiated successfully")
    assert intasend == {
        "payment_id": payment_id,
        "invoice_id": pushed.invoice_id,
        "state": "PENDING",
        "message": "STK push sent successfully",
    }
    assert payment == {
        "id": payment["id"],
        "user": 1,
        "router": 1,
        "package": 2,
        "phone_number": "0712345678",
        "amount": "50.00",
        "currency": "KES",
        "payment_method": "mpesa",
        "payment_provider": "instasend",
        "status": "processing",
        "intasend_payment_id": payment_id,
        "intasend_invoice_id": pushed.invoice_id,
        "intasend_state": "PENDING",
        "mac_address": "AA:BB:CC:DD:EE:FF",
        "ip_address": "192.168.1.100",
        "created_at": STARTED,
        "updated_at": STARTED,
    }


async def test_a_missing_device_is_shown_as_empty_text(send: Send) -> None:
    payment = (await send("POST", INITIATE, purchase(mac_address=..., ip_address=...))).json["payment"]
    assert (payment["mac_address"], payment["ip_address"]) == ("", "")


async def test_what_is_spelt_otherwise_comes_back_in_the_specifications_spelling(send: Send) -> None:
    body = purchase(router_id="1", package_id="2", phone_number="+254 712-345-678", amount=50, mac_address="aa-bb-cc-dd-ee-ff")
    payment = (await send("POST", INITIATE, body)).json["payment"]
    shown = {name: payment[name] for name in ("router", "package", "phone_number", "amount", "mac_address")}
    assert shown == {
        "router": 1,
        "package": 2,
        "phone_number": "0712345678",
        "amount": "50.00",
        "mac_address": "AA:BB:CC:DD:EE:FF",
    }


async def test_a_second_tap_is_answered_with_200_and_the_same_payment(world: World, send: Send) -> None:
    first = await send("POST", INITIATE, purchase())
    second = await send("POST", INITIATE, purchase())
    assert (first.status, second.status) == (201, 200)
    assert second.json["payment"] == first.json["payment"]
    assert len(world.intasend.pushes) == 1


async def test_a_push_whose_answer_was_lost_is_not_called_a_success(world: World, send: Send) -> None:
    world.intasend.faults.once(Endpoint.PUSH, reset_after)
    answer = await send("POST", INITIATE, purchase())
    assert (answer.status, answer.json["message"]) == (201, "STK push sent; waiting for IntaSend to confirm it")
    assert answer.json["payment"]["status"] == "processing"
    assert answer.json["intasend"] == {
        "payment_id": None,
        "invoice_id": None,
        "state": "PENDING",
        "message": "The answer was lost: check the status, do not pay twice",
    }


async def test_a_pending_payment_is_shown_with_details(world: World) -> None:
    payment_id = await world.ask(world.amina)
    answer = await check(world, payment_id)
    payment = await world.payment(payment_id)
    assert answer == {
        "message": "Payment status checked successfully",
        "payment": {
            "id": payment_id,
            "status": "processing",
            "intasend_state": answer["state"],
            "updated_at": answer["payment"]["updated_at"],
        },
        "status": "processing",
        "state": answer["state"],
        "intasend_status": {"state": answer["state"], "invoice_id": payment.invoice_id},
        "details": {"amount": "50.00", "currency": "KES", "provider": "M-PESA", "mpesa_reference": payment.api_ref},
    }
    assert answer["state"] in ("PENDING", "PROCESSING")


async def test_a_completed_payment_is_shown_with_its_expiry_and_without_details(world: World) -> None:
    payment_id = await world.buy(world.amina)
    answer = await check(world, payment_id)
    payment, grant = await world.payment(payment_id), await world.grant(payment_id)
    assert grant is not None
    assert payment.paid_at_s is not None
    assert answer == {
        "message": "Payment completed successfully!",
        "payment": {
            "id": payment_id,
            "status": "completed",
            "intasend_state": "COMPLETE",
            "package_expiry_time": answer["payment"]["package_expiry_time"],
            "completed_at": answer["payment"]["completed_at"],
            "updated_at": answer["payment"]["updated_at"],
        },
        "status": "completed",
        "state": "COMPLETE",
        "intasend_status": {"state": "COMPLETE", "invoice_id": payment.invoice_id},
    }
    assert "2025-08-25T11:30:00Z" < answer["payment"]["package_expiry_time"] < "2025-08-25T11:30:30Z"


async def test_a_failed_payment_says_why(world: World) -> None:
    payment_id = await world.ask(world.amina)
    world.amina.cancel()
    await world.pass_time(20)
    answer = await check(world, payment_id)
    assert (answer["status"], answer["message"]) == ("failed", "Payment status checked successfully")
    assert answer["payment"]["failed_code"] == "1032"
    assert "cancelled" in answer["payment"]["failed_reason"].lower()
    assert "package_expiry_time" not in answer["payment"]


async def test_a_payment_that_never_reached_intasend_is_shown_as_failed(world: World, send: Send) -> None:
    refused = await send("POST", INITIATE, purchase(amount="49"))
    assert refused.json["error"] == "Amount must match package price: 50.00 KES"
    answer = await check(world, refused.json["payment_id"])
    assert (answer["status"], answer["state"]) == ("failed", "FAILED")
    assert answer["payment"]["failed_reason"] == refused.json["error"]
    assert not world.intasend.pushes


async def test_check_status_needs_no_body_and_no_content_type(world: World, send: Send) -> None:
    payment_id = await world.ask(world.amina)
    path = f"/payments/intasend/{payment_id}/check-status/"
    for body, headers in ((None, {}), (b"{}", {}), (b"", {}), (b"\xff", {"Content_Type": "text/plain"})):
        assert (await send("POST", path, body, **headers)).status == 200


async def test_no_secret_is_in_any_answer(world: World, send: Send) -> None:
    texts = [(await send("POST", INITIATE, purchase())).text, (await send("POST", INITIATE, purchase(amount="1"))).text]
    assert not [word for word in ("ISSecretKey", "demo-challenge", "api_ref") if word in "".join(texts)]
