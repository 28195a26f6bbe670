"""What a push answers, whom it lets in, and what it refuses."""

import json
import re

import aiohttp
import pytest
from intasend.exceptions import IntaSendBadRequest, IntaSendNotAllowed

from gateway.simulators.intasend import Outcome, Prompt, SimulatedIntaSend
from tests.fakeclock import FakeClock

BODY = {"amount": 50, "phone_number": "254712345678"}


async def test_an_accepted_push_carries_both_ids_in_their_shapes(sdk):
    answer = await sdk.push()
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", answer["id"])
    assert re.fullmatch(r"[0-9A-Z]{7}", answer["invoice"]["invoice_id"])


async def test_an_accepted_push_repeats_the_order_and_is_pending(sdk):
    invoice = (await sdk.push(amount=50, api_ref="HG-7"))["invoice"]
    told = {
        name: invoice[name] for name in ("state", "account", "api_ref", "currency", "provider", "mpesa_reference", "failed_code")
    }
    assert told == {
        "state": "PENDING",
        "account": "254712345678",
        "api_ref": "HG-7",
        "currency": "KES",
        "provider": "M-PESA",
        "mpesa_reference": None,
        "failed_code": None,
    }


async def test_money_has_the_json_types_of_2026(sdk):
    invoice = (await sdk.push())["invoice"]
    assert [(type(invoice[name]), invoice[name]) for name in ("charges", "net_amount", "value")] == [
        (float, 0.0),
        (str, "50.00"),
        (float, 50.0),
    ]


async def test_money_has_the_json_types_of_2023_when_switched(sdk, sim):
    sim.types = "2023"
    invoice = (await sdk.push())["invoice"]
    assert [invoice[name] for name in ("charges", "net_amount", "value")] == ["0.00", 50.0, "50.00"]
    assert type(invoice["net_amount"]) is float


async def test_times_are_nairobi_with_microseconds(sdk):
    assert (await sdk.push())["invoice"]["created_at"] == "2025-08-25T13:30:00.000000+03:00"


async def test_every_accepted_push_is_counted_in_order(sdk, sim):
    for reference in ("HG-1", "HG-2"):
        await sdk.push(api_ref=reference)
    assert [push.order.api_ref for push in sim.pushes] == ["HG-1", "HG-2"]


async def test_the_same_reference_twice_is_two_charges(sdk, sim):
    first, second = await sdk.push_id(phone="254712345678"), await sdk.push_id(phone="254712345679")
    assert first != second
    assert len(sim.pushes) == 2


async def test_without_a_reference_the_sdk_sends_the_one_that_everybody_shares(sdk, http, secret, sim):
    async with http.post("payment/mpesa-stk-push/", json=BODY, headers=secret):
        pass
    assert sim.pushes[0].order.api_ref == "API Request"


async def test_the_same_seed_gives_the_same_ids(clock):
    async def ids(seed: int) -> list[str]:
        simulator = SimulatedIntaSend(clock, seed=seed)
        await simulator.start()
        try:
            return [(await _push_by_http(simulator)) for _ in range(3)]
        finally:
            await simulator.stop()

    assert await ids(1) == await ids(1)
    assert await ids(1) != await ids(2)


async def _push_by_http(simulator: SimulatedIntaSend) -> str:
    headers = {"Authorization": f"Bearer {simulator.secret_key}"}
    url = f"{simulator.base_url}payment/mpesa-stk-push/"
    async with aiohttp.ClientSession() as session, session.post(url, json=BODY, headers=headers) as response:
        return str((await response.json())["invoice"]["invoice_id"])


async def test_a_wrong_secret_key_is_refused_with_the_documented_words(make_sdk, sim):
    with pytest.raises(IntaSendNotAllowed) as refused:
        await make_sdk(token="ISSecretKey_test_other").push()
    assert json.loads(str(refused.value)) == {
        "type": "client_error",
        "errors": [{"code": "authentication_failed", "detail": "Invalid api token", "attr": None}],
    }
    assert sim.pushes == []


async def test_a_wrong_publishable_key_is_refused_for_status(make_sdk, sdk):
    invoice_id = await sdk.push_id()
    with pytest.raises(IntaSendNotAllowed):
        await make_sdk(publishable_key="ISPubKey_test_other").status(invoice_id)


async def test_the_header_with_underscores_lets_nobody_in(http, sim):
    headers = {"INTASEND_PUBLIC_API_KEY": sim.publishable_key}
    async with http.post("payment/mpesa-stk-push/", json=BODY, headers=headers) as response:
        assert response.status == 403


async def test_the_documented_header_or_the_key_in_the_body_lets_in(http, sim):
    async with http.post(
        "payment/mpesa-stk-push/", json=BODY, headers={"X-IntaSend-Public-API-Key": sim.publishable_key}
    ) as response:
        assert response.status == 200
    async with http.post("payment/mpesa-stk-push/", json={**BODY, "public_key": sim.publishable_key}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("changed", "attr", "code"),
    [
        ({"phone_number": "0712345678"}, "phone_number", "invalid"),
        ({"phone_number": "+254712345678"}, "phone_number", "invalid"),
        ({"phone_number": None}, "phone_number", "null"),
        ({"phone_number": ""}, "phone_number", "blank"),
        ({"amount": 0}, "amount", "min_value"),
        ({"amount": 150_001}, "amount", "max_value"),
        ({"amount": "10.50"}, "amount", "invalid"),
        ({"amount": "a lot"}, "amount", "invalid"),
        ({"amount": None}, "amount", "null"),
        ({"amount": True}, "amount", "invalid"),
        ({"currency": "USD"}, "currency", "invalid_choice"),
        ({"api_ref": "X" * 256}, "api_ref", "max_length"),
        ({"api_ref": []}, "api_ref", "invalid"),
    ],
)
async def test_an_impossible_order_is_refused_by_field(http, secret, changed, attr, code):
    async with http.post("payment/mpesa-stk-push/", json={**BODY, **changed}, headers=secret) as response:
        assert response.status == 400
        body = await response.json()
    assert body["type"] == "validation_error"
    assert [(fault["attr"], fault["code"]) for fault in body["errors"]] == [(attr, code)]


async def test_all_missing_fields_are_named_together(http, secret):
    async with http.post("payment/mpesa-stk-push/", json={}, headers=secret) as response:
        errors = (await response.json())["errors"]
    assert errors == [
        {"code": "required", "detail": "This field is required.", "attr": "phone_number"},
        {"code": "required", "detail": "This field is required.", "attr": "amount"},
    ]


async def test_a_refused_order_puts_nothing_on_a_phone_and_the_sdk_raises(sdk, sim):
    with pytest.raises(IntaSendBadRequest, match="Enter a valid phone number"):
        await sdk.push(phone="0712345678")
    assert sim.pushes == []


@pytest.mark.parametrize(("data", "type_"), [("{", "client_error"), ("[]", "validation_error")])
async def test_a_body_that_is_no_json_object_is_refused(http, secret, data, type_):
    async with http.post("payment/mpesa-stk-push/", data=data, headers=secret) as response:
        assert (response.status, (await response.json())["type"]) == (400, type_)


async def test_a_second_push_to_a_phone_with_an_open_prompt_is_busy(sdk, clock):
    await sdk.push()
    busy = await sdk.push_id()
    clock.advance(2)
    invoice = await sdk.status(busy)
    assert (invoice["state"], invoice["failed_code"]) == ("FAILED", "1001")


async def test_a_phone_that_has_answered_can_be_asked_again(sdk, sim, clock):
    first = await sdk.push_id()
    clock.advance(3)
    sim.answer(first, Outcome.CANCELLED)
    await sdk.push()
    clock.advance(3)
    assert len(sim.prompts("254712345678")) == 1


async def test_status_of_an_unknown_invoice_is_a_404_that_the_sdk_hands_on_as_a_result(sdk):
    answer = await sdk(sdk.api.collect.status, "NOSUCH1")
    assert answer["errors"][0] == {"code": "not_found", "detail": "Not found.", "attr": None}


async def test_status_names_the_payment_id_of_the_push(sdk):
    push = await sdk.push()
    status = await sdk(sdk.api.collect.status, push["invoice"]["invoice_id"])
    assert status["meta"]["id"] == push["id"]


async def test_a_prompt_that_is_under_way_survives_a_restart(sdk, sim, clock, settle):
    seen: list[Prompt] = []
    sim.on_prompt = seen.append
    await sdk.push()
    await sim.stop()
    await sim.start(port=sim.port)
    await settle()
    clock.advance(2)
    await settle()
    assert seen == sim.prompts("254712345678") != []


async def test_stopped_and_started_again_it_remembers(sdk, sim, clock: FakeClock):
    invoice_id = await sdk.push_id()
    await sim.stop()
    clock.advance(3)
    sim.answer(invoice_id, Outcome.COMPLETE)
    await sim.start(port=sim.port)
    assert (await sdk.status(invoice_id))["state"] == "COMPLETE"
