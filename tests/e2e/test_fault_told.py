"""Whoever paid is online, or the operator knows within two minutes: by the payment's id, whatever stands in the way."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.simulators.routeros import ALL_POLICIES
from tests.e2e.world import World

KNOWN_WITHIN_S = 120

Fault = Callable[[World], Awaitable[None]]


def told(caplog: pytest.LogCaptureFixture, payment_id: str, level: int = logging.WARNING) -> list[str]:
    """The actions of what the operator reads about this payment, oldest first."""
    records = [record for record in caplog.records if record.levelno >= level]
    return [vars(record)["action"] for record in records if vars(record).get("payment") == payment_id]


async def metrics(world: World) -> str:
    async with world.http.get(f"{world.url}/metrics") as response:
        return await response.text()


async def down(world: World) -> None:
    await world.router.power_off()


async def takes_no_changes(world: World) -> None:
    world.router.user = replace(world.router.user, policies=ALL_POLICIES - {"write"})
    for connection in list(world.router.connections):
        connection.abort()


async def locks_us_out(world: World) -> None:
    world.router.user = replace(world.router.user, password="another")
    for connection in list(world.router.connections):
        connection.abort()


@pytest.mark.parametrize("fault", [down, takes_no_changes, locks_us_out])
async def test_who_paid_and_cannot_be_let_in_is_told_by_his_payment(world: World, caplog: pytest.LogCaptureFixture, fault: Fault):
    payment_id = await world.ask(world.amina)
    whole = world.router.user
    await fault(world)
    world.amina.enter_pin()
    await world.pass_time(KNOWN_WITHIN_S)

    assert told(caplog, payment_id, logging.ERROR) == ["paid_not_served"]
    shown = await metrics(world)
    assert 'hotspot_gateway_grants{state="owed"} 1.0' in shown
    assert 'hotspot_gateway_actions_total{action="paid_not_served"} 1.0' in shown

    await world.pass_time(600, step_s=30)
    assert told(caplog, payment_id, logging.ERROR) == ["paid_not_served"]

    world.router.user = whole
    if fault is down:
        await world.router.power_on()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await world.pass_time(30)
    assert told(caplog, payment_id)[-1] == "owed_no_more"


async def test_a_router_that_is_back_within_half_a_minute_calls_nobody(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.ask(world.amina)
    await world.router.power_off()
    world.amina.enter_pin()
    await world.pass_time(30)
    await world.router.power_on()
    await world.pass_time(KNOWN_WITHIN_S)
    assert world.amina.online
    assert "paid_not_served" not in told(caplog, payment_id)


async def test_a_router_that_was_taken_out_of_service_with_somebody_waiting_is_told(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.ask(world.amina)
    world.edits.append(lambda document: document["owners"][0]["routers"].clear())
    await world.reload()
    world.amina.enter_pin()
    await world.pass_time(KNOWN_WITHIN_S + 15)
    assert told(caplog, payment_id, logging.ERROR) == ["paid_not_served"]
    assert "not in service" in caplog.text


async def test_a_phone_that_the_router_does_not_see_is_told_at_once(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.ask(world.amina)
    world.router.leave(world.amina.mac)
    await world.router.reboot()  # and has forgotten whom it saw
    world.amina.enter_pin()
    await world.pass_time_until(lambda: "unclaimed" in told(caplog, payment_id), within_s=KNOWN_WITHIN_S)
    assert 'hotspot_gateway_grants{state="unclaimed"} 1.0' in await metrics(world)
