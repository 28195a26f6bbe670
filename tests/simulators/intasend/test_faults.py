"""The bad network: what reaches the client, and what was processed all the same."""

import asyncio
import json

import aiohttp
import pytest
from intasend.exceptions import IntaSendServerError
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import JSONDecodeError

from gateway.simulators.intasend import (
    Endpoint,
    SimulatedIntaSend,
    drips,
    empty,
    fails_with,
    hang,
    hang_after,
    reset_after,
    reset_before,
    wrong_types,
)

BODY = {"amount": 50, "phone_number": "254712345678", "public_key": "ISPubKey_test_demo"}
PUSH = "payment/mpesa-stk-push/"


@pytest.mark.parametrize(("fault", "processed"), [(reset_before, 0), (reset_after, 1)])
async def test_a_reset_looks_the_same_before_and_after_processing(sdk, sim, fault, processed):
    sim.faults.once(Endpoint.PUSH, fault)
    with pytest.raises(RequestsConnectionError, match="Connection reset by peer"):
        await sdk.push()
    assert len(sim.pushes) == processed


@pytest.mark.parametrize(("fault", "processed"), [(hang, 0), (hang_after, 1)])
async def test_a_hanging_request_gives_no_answer_before_the_clients_own_deadline(http, sim, fault, processed):
    sim.faults.once(Endpoint.PUSH, fault)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), http.post(PUSH, json=BODY):
            pass
    assert len(sim.pushes) == processed


async def test_an_empty_answer_breaks_the_sdk_although_the_push_is_out(sdk, sim):
    sim.faults.once(Endpoint.PUSH, empty)
    with pytest.raises(JSONDecodeError):
        await sdk.push()
    assert len(sim.pushes) == 1


async def test_wrong_types_are_json_without_any_promised_shape(sdk, sim):
    sim.faults.once(Endpoint.PUSH, wrong_types)
    answer = await sdk.push()
    assert not isinstance(answer["invoice"], dict)
    assert len(sim.pushes) == 1


async def test_a_500_is_raised_by_the_sdk(sdk, sim):
    sim.faults.once(Endpoint.PUSH, fails_with(500))
    with pytest.raises(IntaSendServerError) as failed:
        await sdk.push()
    assert json.loads(str(failed.value)) == {
        "type": "server_error",
        "errors": [{"code": "error", "detail": "A server error occurred.", "attr": None}],
    }


async def test_a_503_as_json_is_returned_by_the_sdk_as_if_it_were_a_result(sdk, sim):
    sim.faults.once(Endpoint.PUSH, fails_with(503))
    assert (await sdk.push())["type"] == "server_error"
    assert sim.pushes == []


async def test_a_502_as_html_breaks_the_sdk_and_may_have_been_processed(sdk, sim):
    sim.faults.once(Endpoint.PUSH, fails_with(502, html=True, processed=True))
    with pytest.raises(JSONDecodeError):
        await sdk.push()
    assert len(sim.pushes) == 1


async def test_a_429_says_how_long_to_wait(http, sim):
    sim.faults.once(Endpoint.PUSH, fails_with(429, retry_after_s=30))
    async with http.post(PUSH, json=BODY) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "30")
        assert (await response.json())["errors"][0] == {
            "code": "throttled",
            "detail": "Request was throttled. Expected available in 30 seconds.",
            "attr": None,
        }


async def test_an_html_failure_keeps_its_status_and_is_html(http, sim):
    sim.faults.once(Endpoint.ANY, fails_with(503, html=True, retry_after_s=5))
    async with http.post(PUSH, json=BODY) as response:
        assert (response.status, response.content_type, response.headers["Retry-After"]) == (503, "text/html", "5")


async def test_a_dripping_answer_arrives_a_byte_a_second(http, sim, clock):
    sim.faults.once(Endpoint.PUSH, drips(clock))
    async with http.post(PUSH, json=BODY) as response:
        assert await response.content.readexactly(1) == b"{"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await response.content.readexactly(1)
        clock.advance(1)
        assert await response.content.readexactly(1) == b'"'
    assert len(sim.pushes) == 1


async def test_a_one_shot_fault_meets_one_request(http, sim):
    sim.faults.once(Endpoint.PUSH, fails_with(500), fails_with(502))
    assert [await _status_of_push(http) for _ in range(3)] == [500, 502, 200]


async def test_a_standing_fault_stays_until_it_is_cleared(http, sim):
    sim.faults.always(Endpoint.PUSH, fails_with(500))
    assert [await _status_of_push(http) for _ in range(2)] == [500, 500]
    sim.faults.clear()
    assert await _status_of_push(http) == 200


async def test_a_fault_stays_on_its_own_endpoint(http, sim, secret):
    sim.faults.always(Endpoint.INVOICES, fails_with(500))
    assert await _status_of_push(http) == 200
    async with http.get("invoices/", headers=secret) as response:
        assert response.status == 500
    async with http.get(f"invoices/{sim.pushes[0].invoice_id}/", headers=secret) as response:
        assert response.status == 200


async def test_a_fault_on_any_endpoint_meets_all_of_them(http, sim, secret):
    sim.faults.always(Endpoint.ANY, fails_with(500))
    for path in ("invoices/", "invoices/ABCDEFG/", "paymentlinks/", "paymentlinks/x/", "chargebacks/", "chargebacks/x/"):
        async with http.get(path, headers=secret) as response:
            assert response.status == 500, path
    for path in (PUSH, "payment/status/", "checkout/", "paymentlinks/", "chargebacks/"):
        async with http.post(path, headers=secret) as response:
            assert response.status == 500, path


async def test_a_fault_after_processing_hides_a_refusal_too(http, sim):
    sim.faults.once(Endpoint.PUSH, reset_after)
    with pytest.raises(aiohttp.ClientError):
        async with http.post(PUSH, json={**BODY, "amount": 0}):
            pass


async def test_a_stopped_server_refuses_connections_even_with_requests_hanging(clock):
    simulator = SimulatedIntaSend(clock)
    await simulator.start()
    arrived = asyncio.Event()

    async def hang_and_tell(request, proceed):
        arrived.set()
        return await hang(request, proceed)

    simulator.faults.once(Endpoint.PUSH, hang_and_tell)
    async with aiohttp.ClientSession() as session:
        hanging = asyncio.ensure_future(session.post(f"{simulator.base_url}{PUSH}", json=BODY))
        await arrived.wait()
        await simulator.stop()
        with pytest.raises(aiohttp.ClientError):
            await hanging
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(f"{simulator.base_url}{PUSH}", json=BODY)


async def _status_of_push(http: aiohttp.ClientSession) -> int:
    async with http.post(PUSH, json=BODY) as response:
        return response.status


async def test_a_fault_lies_in_wait_until_a_request_meets_it(sdk, sim):
    sim.faults.once(Endpoint.PUSH, reset_before)
    assert sim.faults.armed == 1
    with pytest.raises(RequestsConnectionError):
        await sdk.push()
    assert sim.faults.armed == 0
