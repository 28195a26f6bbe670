"""Whose device it is says the router, not the request: only so far as no router knows better may a request speak for itself."""

from typing import Any

import pytest

from gateway.payments import PaymentState
from gateway.simulators.phones import SimulatedPhone
from tests.e2e.world import PUBLIC_KEY, Answer, World

STRANGE_MAC = "A2:00:00:00:0B:AD"


async def initiate_from(
    world: World, address: str, phone: SimulatedPhone, path: str = "initiate", headers: dict[str, str] | None = None, **changes: Any
) -> Answer:
    """Press Pay on the phone at that address."""
    body = {"router_id": 1, "package_id": 2, "phone_number": "0" + phone.number[3:], "amount": "50.00"} | changes
    headers = {"X-Forwarded-For": address} | (headers or {"X-Public-Key": PUBLIC_KEY})
    async with world.http.post(f"{world.url}/payments/intasend/{path}/", json=body, headers=headers) as response:
        return response.status, await response.json()


async def test_a_phone_on_the_hotspot_buys_for_itself_without_saying_what_it_is(world: World):
    status, answer = await initiate_from(world, world.amina.ip, world.amina)

    assert (status, answer["payment"]["mac_address"], answer["payment"]["ip_address"]) == (201, world.amina.mac, world.amina.ip)
    await world.pass_time_until(lambda: world.amina.prompt, within_s=5)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)


@pytest.mark.parametrize(
    "lie",
    [
        {"mac_address": STRANGE_MAC},
        {"ip_address": "192.168.1.101"},
        {"mac_address": "A2:00:00:00:00:02", "ip_address": "192.168.1.101"},
    ],
    ids=["MAC", "address", "somebody else altogether"],
)
async def test_a_phone_on_the_hotspot_that_names_another_device_is_refused_and_nobody_is_asked_for_money(
    world: World, lie: dict[str, Any]
):
    status, answer = await initiate_from(world, world.amina.ip, world.amina, **lie)

    assert status == 403
    assert "payment link" in answer["error"]
    assert (await world.payments(), world.intasend.pushes) == ([], [])


async def test_paying_for_another_device_stays_possible_through_a_link(world: World):
    status, _ = await initiate_from(
        world, world.amina.ip, world.amina, "create-link", mac_address=world.otieno.mac, ip_address=world.otieno.ip
    )

    assert status == 201


async def test_the_owners_own_program_may_name_any_device(world: World):
    bearer = await world.login()
    status, answer = await initiate_from(world, world.amina.ip, world.amina, headers=bearer, mac_address=world.otieno.mac)

    assert (status, answer["payment"]["mac_address"]) == (201, world.otieno.mac)


async def test_off_the_hotspot_a_request_speaks_for_itself(world: World):
    status, answer = await initiate_from(world, "203.0.113.7", world.amina, mac_address=world.otieno.mac)

    assert (status, answer["payment"]["mac_address"]) == (201, world.otieno.mac)


async def test_an_address_that_is_another_phones_by_now_buys_for_that_one(world: World):
    await initiate_from(world, world.amina.ip, world.amina)
    world.amina.leave()
    newcomer = world.guest(joined=False)
    newcomer.ip = world.amina.ip
    newcomer.join()
    await world.pass_time(5)

    status, answer = await initiate_from(world, newcomer.ip, newcomer)
    assert (status, answer["payment"]["mac_address"]) == (201, newcomer.mac)


async def test_while_the_router_is_down_nobody_on_its_wifi_is_asked_for_money_and_the_refusal_is_kept(world: World):
    await world.router.power_off()
    await world.pass_time(15)
    status, answer = await initiate_from(world, world.amina.ip, world.amina)

    assert (status, answer["retry_after_s"]) == (503, 15)
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED
    assert world.intasend.pushes == []


async def test_a_router_that_falls_silent_over_the_question_sells_nothing(world: World):
    world.router.faults.silent = True
    status, answer = await world.in_time(initiate_from(world, world.amina.ip, world.amina))

    assert status == 503
    assert "not been charged" in answer["error"]
    assert world.intasend.pushes == []
    world.router.faults.silent = False
