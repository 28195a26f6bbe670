"""Nobody makes a stranger's phone ring all evening, and nobody spends the owner's account at IntaSend."""

from typing import Any

from gateway.payments import PaymentState
from gateway.simulators.intasend import Outcome
from tests.e2e.world import World

HOTSPOT = "192.168.1."


def behind_a_proxy(document: dict[str, Any]) -> None:
    document["server"]["trusted_proxies"] = ["127.0.0.1/32"]


async def ring(
    world: World,
    number: int,
    *,
    phone: str = "0712345678",
    address: str | None = None,
    token: dict[str, str] | None = None,
    **changes: Any,
) -> Any:
    """One push for a device of its own, by the public key or by an access token."""
    mac, ip = f"A2:00:00:00:01:{number:02X}", f"{HOTSPOT}{number}"
    body = {
        "router_id": 1,
        "package_id": 2,
        "phone_number": phone,
        "amount": "50.00",
        "mac_address": mac,
        "ip_address": ip,
    } | changes
    headers = (token or {"X-Public-Key": "c1eb9fed9dabc57f61d56c26ef3870ae"}) | {"X-Forwarded-For": address or ip}
    async with world.http.post(f"{world.url}/payments/intasend/initiate/", json=body, headers=headers) as response:
        await response.read()
        return response


async def proxied(world: World) -> None:
    world.edits.append(behind_a_proxy)
    await world.reload()


async def let_fail(world: World) -> None:
    """Somebody types a wrong PIN."""
    await world.pass_time(60, step_s=10)


def failing(world: World, *phones: str) -> None:
    for phone in phones:
        world.intasend.script("254" + phone[1:], *[Outcome.WRONG_PIN] * 40)


async def test_a_strangers_phone_rings_three_times_in_ten_minutes_whoever_asks(world: World):
    await proxied(world)
    failing(world, "0712345678")
    for device in range(1, 4):
        assert (await ring(world, device)).status == 201
        await let_fail(world)
    refused = await ring(world, 9)
    answer = await refused.json()

    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) == answer["retry_after_s"] > 0
    assert answer["error"].startswith("This phone number was asked to pay too often: try again in")
    assert len(world.intasend.pushes) == 3
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED


async def test_the_wait_that_is_told_is_enough_and_a_restart_forgets_nothing(world: World):
    failing(world, "0712345678")
    for device in range(1, 4):
        assert (await ring(world, device)).status == 201
        await let_fail(world)
    await world.restart()
    wait_s = int((await ring(world, 9)).headers["Retry-After"])

    world.clock.advance(wait_s - 1)
    await world.quiet()
    assert (await ring(world, 9)).status == 429
    world.clock.advance(1)
    await world.quiet()
    assert (await ring(world, 9)).status == 201


async def test_whoever_pays_is_never_slowed_down(world: World):
    for _ in range(8):
        await world.buy(world.amina, 1, "5")
        await world.pass_time(1)

    assert len(world.intasend.pushes) == 8


async def test_a_cancel_leaves_the_phone_alone_for_a_minute(world: World):
    await world.ask(world.amina)
    world.amina.cancel()
    await world.pass_time(5)
    status, answer = await world.initiate(world.amina)
    assert (status, answer["error"]) == (
        429,
        f"The last request was cancelled on this phone: try again in {answer['retry_after_s']} seconds. You have not been charged.",
    )

    await world.pass_time(answer["retry_after_s"])
    assert (await world.initiate(world.amina))[0] == 201


async def test_one_device_does_not_try_one_number_after_the_other(world: World):
    numbers = [f"07123456{number}" for number in range(10, 14)]
    device: dict[str, Any] = {"mac_address": "A2:00:00:00:00:77"}
    statuses = [(await ring(world, 1, phone=number, **device)).status for number in numbers]

    assert statuses == [201, 201, 201, 429]


async def test_an_address_does_not_either_whatever_devices_it_claims_to_be(world: World):
    await proxied(world)
    statuses = [
        (await ring(world, number, phone=f"07123456{number}", address=f"{HOTSPOT}50", ip_address=f"{HOTSPOT}50")).status
        for number in range(10, 17)
    ]

    assert statuses == [201] * 6 + [429]


async def test_the_owners_own_program_may_ask_from_one_address_as_often_as_it_likes(world: World):
    await proxied(world)
    token, shop = await world.login(), f"{HOTSPOT}50"
    statuses = [
        (await ring(world, number, phone=f"07123456{number}", address=shop, token=token, ip_address=shop)).status
        for number in range(10, 20)
    ]

    assert statuses == [201] * 10


async def test_customers_behind_one_address_are_many(world: World):
    statuses = [(await ring(world, number, phone=f"07123456{number}")).status for number in range(10, 18)]

    assert statuses == [201] * 8


async def test_an_owners_account_takes_thirty_pushes_a_minute_from_wherever_they_come(world: World):
    await proxied(world)
    statuses = [(await ring(world, number, phone=f"07123456{number}")).status for number in range(10, 41)]
    await world.pass_time(60, step_s=30)

    assert statuses == [201] * 30 + [429]
    assert (await ring(world, 99, phone="0712345699")).status == 201


async def test_a_script_that_is_refused_all_the_time_leaves_one_record_a_minute(world: World):
    await world.ask(world.amina)
    world.amina.cancel()
    await world.pass_time(2)
    for _ in range(20):
        status, _ = await world.initiate(world.amina)
        assert status == 429

    assert len(await world.payments(PaymentState.REFUSED)) == 1


async def test_mistakes_without_end_are_answered_and_not_all_recorded(world: World):
    answers = [await world.initiate(world.amina, amount="1") for _ in range(40)]

    assert {status for status, _ in answers} == {400}
    assert len(await world.payments()) == 30


async def test_a_clock_that_was_set_back_neither_opens_nor_prolongs_anything(world: World):
    failing(world, "0712345678")
    for device in range(1, 4):
        await ring(world, device)
        await let_fail(world)
    before_s = int((await ring(world, 9)).headers["Retry-After"])
    world.clock.step_wall(-7_200)
    refused = await ring(world, 9)

    assert (refused.status, int(refused.headers["Retry-After"])) == (429, before_s)
