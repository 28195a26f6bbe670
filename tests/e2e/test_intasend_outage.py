"""IntaSend is slow, down or full: nobody is charged twice, nothing is asked in vain, and what was asked is kept."""

import json
import logging
from typing import Any

import pytest

from gateway.identity import Secret
from gateway.payments import PaymentState
from gateway.providers.intasend import NOT_REACHABLE
from gateway.providers.upstream import FAILURES_TO_OPEN
from gateway.simulators.intasend import Endpoint, fails_with
from gateway.store.database import Transaction
from tests.e2e.world import World


async def circuit(world: World) -> str:
    async with world.http.get(world.url + "/readyz") as response:
        return str((await response.json())["providers"][0]["circuit"])


async def metric(world: World) -> str:
    async with world.http.get(world.url + "/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(line for line in lines if line.startswith("hotspot_gateway_provider_circuit{"))


async def exchanges(world: World) -> list[dict[str, Any]]:
    def work(tx: Transaction) -> list[dict[str, Any]]:
        rows = tx.execute("SELECT payment_id, data FROM event WHERE kind = 'provider.exchange' ORDER BY seq")
        return [json.loads(row["data"]) | {"payment_id": row["payment_id"]} for row in rows]

    return await world.running.db.read(work)


async def knock_until_open(world: World) -> None:
    """Customers press Pay while nobody listens at IntaSend."""
    for _ in range(FAILURES_TO_OPEN):
        status, answer = await world.initiate(world.amina)
        assert (status, "nothing was sent" in answer["error"]) == (503, True)


async def test_while_intasend_is_down_sales_are_refused_and_nobody_is_charged(world: World):
    await world.intasend.stop()
    await knock_until_open(world)

    async with world.http.post(
        world.url + "/payments/intasend/initiate/",
        json={"router_id": 1, "package_id": 2, "phone_number": "0723456789", "amount": "50"},
        headers={"X-Public-Key": "c1eb9fed9dabc57f61d56c26ef3870ae"},
    ) as response:
        status, answer, header = response.status, await response.json(), response.headers["Retry-After"]

    assert (status, answer["error"], answer["retry_after_s"], header) == (503, NOT_REACHABLE, 15, "15")
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED
    assert (await circuit(world), await metric(world)) == ("open", 'hotspot_gateway_provider_circuit{owner="1"} 2.0')


async def test_when_intasend_is_back_the_first_customer_after_the_pause_buys(world: World):
    await world.intasend.stop()
    await knock_until_open(world)
    await world.intasend.start(port=world.intasend.port)
    assert (await world.initiate(world.amina))[1]["error"] == NOT_REACHABLE

    await world.pass_time(16)
    assert await circuit(world) == "half_open"
    await world.buy(world.amina)

    assert await circuit(world) == "closed"
    assert len(world.intasend.pushes) == 1


async def test_a_payment_under_way_survives_an_outage_of_reads(world: World):
    payment_id = await world.ask(world.amina)
    for endpoint in (Endpoint.STATUS, Endpoint.INVOICES):
        world.intasend.faults.always(endpoint, fails_with(503))
    world.amina.enter_pin()
    await world.pass_time(30)
    assert await circuit(world) != "closed"
    assert (await world.payment(payment_id)).state is PaymentState.PUSHED

    world.intasend.faults.clear()
    await world.pass_time_until(lambda: world.amina.online, within_s=135)
    assert await circuit(world) == "closed"


async def test_throttling_stops_every_question_until_its_time_is_over(world: World):
    world.intasend.faults.once(Endpoint.PUSH, fails_with(429, retry_after_s=40))
    status, answer = await world.initiate(world.amina)
    assert (status, answer["retry_after_s"]) == (502, 40)

    status, answer = await world.initiate(world.otieno)
    assert (status, answer["error"], answer["retry_after_s"]) == (503, NOT_REACHABLE, 40)
    await world.pass_time(41)
    status, _ = await world.initiate(world.otieno)
    assert status == 201


async def test_rejected_keys_are_told_to_the_operator_once(world: World, caplog: pytest.LogCaptureFixture):
    def with_wrong_key(document: dict[str, Any]) -> None:
        document["owners"][0]["intasend"]["secret_key"] = "ISSecretKey_test_wrong"

    world.edits.append(with_wrong_key)
    await world.reload()
    answers = [await world.initiate(world.amina) for _ in range(3)]

    assert {status for status, _ in answers} == {502}
    told = [record for record in caplog.records if getattr(record, "action", None) == "keys_rejected"]
    assert [record.levelno for record in told] == [logging.ERROR]
    assert [said["outcome"] for said in await exchanges(world)] == [403]  # asked once
    assert Secret("ISSecretKey_test_wrong").reveal() not in caplog.text


async def test_every_exchange_of_a_sale_is_kept_without_secrets(world: World):
    payment_id = await world.buy(world.amina)
    kept = await exchanges(world)

    push = next(said for said in kept if said["request"] == "POST payment/mpesa-stk-push/")
    assert (push["payment_id"], push["outcome"], push["sent"]["amount"]) == (payment_id, 200, 50)
    assert push["answer"]["invoice"]["state"] == "PENDING"
    assert kept[-1]["answer"]["invoice"]["state"] == "COMPLETE"
    assert {said["payment_id"] for said in kept} == {payment_id}
    everything = json.dumps(kept)
    assert not [word for word in ("254712345678", "ISSecretKey", "ISPubKey", "demo-challenge") if word in everything]


async def test_a_payment_that_stays_pending_is_kept_once_a_minute(world: World):
    await world.ask(world.amina)
    await world.pass_time(59)
    asked = [said for said in await exchanges(world) if said["request"] == "POST payment/status/"]

    assert len({said["answer"]["invoice"]["state"] for said in asked}) == len(asked)


async def test_what_was_exchanged_last_is_kept_when_the_daemon_stops(world: World):
    payment_id = await world.ask(world.amina)
    await world.restart()

    assert payment_id in {said["payment_id"] for said in await exchanges(world)}
