"""A customer whose phone has another MAC address, or who paid from elsewhere, takes the time along; the old device is shut out."""

import ipaddress
from typing import Any

import pytest

from gateway.access import Grant, GrantState
from gateway.errors import Conflict, NotFound, TooMany
from gateway.payments import LISTEN_S, PaymentState
from gateway.simulators.intasend import Outcome
from gateway.simulators.phones import SimulatedPhone
from gateway.visitors import Named
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours, traces
from tests.e2e.world import OTIENO, World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])
SOON_S = 5
BACK_S = 15
"""A router that is back has everybody online within this (contract, "Bounds")."""
MEGABYTE = 1_000_000


async def claim(world: World, phone: SimulatedPhone, code: str, number: str | None = None) -> Grant:
    """Type the code in on that phone, as the portal does for whom the router sees at the phone's address."""
    visitor = await world.running.visitors.who(ipaddress.IPv4Address(phone.ip), Named())
    return await world.running.claims.claim(visitor, code, number, phone.ip)


async def receipt_of(world: World, payment_id: str) -> str:
    return (await world.payment(payment_id)).receipt or ""


async def bought(world: World, package_id: int = 2, amount: str = "50.00") -> tuple[Grant, str]:
    """What Amina buys, and the receipt in her SMS."""
    payment_id = await world.buy(world.amina, package_id, amount)
    grant = await world.grant(payment_id)
    assert grant is not None
    return grant, await receipt_of(world, payment_id)


async def again(world: World, grant: Grant) -> Grant:
    """The grant as it is by now."""
    return next(one for one in await world.grants() if one.id == grant.id)


@WAYS
async def test_a_phone_that_changed_its_mac_has_what_is_left_to_the_second(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    first, receipt = await bought(world)
    await world.pass_time(600, 60)
    world.amina.leave()
    wanjiku = world.guest()

    await claim(world, wanjiku, receipt)
    await world.pass_time_until(lambda: wanjiku.online, within_s=SOON_S)

    moved = await again(world, first)
    used_s = moved.used_s
    assert abs(used_s - (world.clock.wall_s() - (first.starts_at_s or 0))) <= SOON_S
    assert moved.ends_s - (moved.starts_at_s or 0) == 3_600 - used_s
    await world.pass_time(moved.ends_s - world.clock.wall_s() - 1, 60)
    assert wanjiku.online
    await world.pass_time(1)
    assert not wanjiku.online
    assert ours(world.router) == []


@WAYS
async def test_a_phone_whose_mac_changes_between_pay_and_pin_takes_its_time_with_the_receipt(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.ask(world.amina)
    world.router.leave(world.amina.mac)
    wanjiku = world.guest()  # the same phone by another address: the router has not seen it before
    world.amina.enter_pin()
    await world.pass_time(20)
    grant = await world.grant(payment_id)
    assert grant is not None
    assert not wanjiku.online

    await claim(world, wanjiku, await receipt_of(world, payment_id))
    await world.pass_time_until(lambda: wanjiku.online, within_s=SOON_S)
    opened = await again(world, grant)
    assert opened.used_s + opened.ends_s - (opened.starts_at_s or 0) == 3_600
    assert opened.used_s <= 20
    assert len(world.intasend.pushes) == 1


@WAYS
async def test_the_old_device_is_out_while_it_is_online_and_stays_out(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    _, receipt = await bought(world)
    wanjiku = world.guest()
    await world.pass_time(60)

    await claim(world, wanjiku, receipt)
    assert not world.amina.online
    assert traces(world.router, world.amina.mac) == []
    await world.pass_time_until(lambda: wanjiku.online, within_s=SOON_S)
    await world.pass_time(120, 10)
    assert (world.amina.online, wanjiku.online) == (False, True)
    world.amina.leave()
    world.amina.join()
    await world.pass_time(10)
    assert not world.amina.online


async def test_time_moves_back_with_the_same_receipt_but_is_not_passed_around(world: World):
    grant, receipt = await bought(world)
    wanjiku = world.guest()
    for phone in (wanjiku, world.amina, wanjiku):
        await claim(world, phone, receipt)
        await world.pass_time_until(lambda phone=phone: phone.online, within_s=SOON_S)  # type: ignore[misc]
        await world.pass_time(60)

    with pytest.raises(TooMany):
        await claim(world, world.amina, receipt)

    moved = await again(world, grant)
    assert (world.amina.online, wanjiku.online) == (False, True)
    assert moved.used_s + (moved.ends_s - (moved.starts_at_s or 0)) == 3_600
    assert (await world.story(moved.payment_id)).count("grant.hand_over") == 3


async def test_what_else_the_old_device_bought_goes_on_there_at_once(world: World):
    first, receipt = await bought(world)
    await world.ask(world.amina, package_id=1, amount="5")
    world.amina.enter_pin()
    await world.pass_time(15)
    wanjiku = world.guest()

    await claim(world, wanjiku, receipt)
    await world.pass_time_until(lambda: wanjiku.online, within_s=SOON_S)
    assert world.amina.online

    second = next(grant for grant in await world.grants() if grant.id != first.id)
    assert second.ends_s - (second.starts_at_s or 0) == 120
    assert second.ends_s <= world.clock.wall_s() + 120
    await world.pass_time_until(lambda: not world.amina.online, within_s=121)
    assert wanjiku.online


async def test_time_that_moves_to_a_device_with_time_of_its_own_follows_it(world: World):
    _, receipt = await bought(world)
    own = await world.grant(await world.buy(world.otieno, package_id=1, amount="5"))
    assert own is not None

    moved = await claim(world, world.otieno, receipt)
    await world.pass_time(3)

    moved = await again(world, moved)
    assert moved.starts_at_s == own.ends_s
    await world.pass_time(own.ends_s - world.clock.wall_s() + 2)
    assert world.otieno.online


async def test_a_payer_by_link_takes_the_time_to_a_device_with_the_code(world: World):
    body = {"router_id": 1, "package_id": 1, "phone_number": "0712345678", "amount": "5", "payment_method": "mpesa"}
    status, answer = await world.post("/payments/intasend/create-link/", body)
    assert status == 201, answer
    payment = await world.payment(answer["payment"]["id"])
    invoice = world.intasend.pay_page(payment.link_id or "", OTIENO[3])
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await world.pass_time(15)
    [grant] = await world.grants()
    assert grant.state is GrantState.UNCLAIMED

    code = grant.claim_code or ""
    await claim(world, world.amina, f"{code[:4]}-{code[4:]}".lower())
    await world.pass_time_until(lambda: world.amina.online, within_s=SOON_S)

    opened = await again(world, grant)
    assert opened.ends_s - (opened.starts_at_s or 0) == 120


async def test_a_payment_of_which_nobody_told_us_is_found_by_its_receipt_and_the_phone_number(world: World):
    world.intasend.script(world.amina.number, Outcome.STUCK)
    _, answer = await world.initiate(world.amina)
    await world.pass_time(LISTEN_S + 7_200, 1_800)
    assert (await world.payment(answer["payment"]["id"])).state is PaymentState.LAPSED
    [invoice] = world.intasend.pushes
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    receipt = invoice.receipt
    wanjiku = world.guest()
    with pytest.raises(NotFound, match="enter the phone number"):
        await claim(world, wanjiku, receipt)

    await claim(world, wanjiku, f"{receipt} Confirmed. Ksh50.00 paid.", "0712345678")
    await world.pass_time_until(lambda: wanjiku.online, within_s=SOON_S)
    assert not world.amina.online


@WAYS
async def test_a_move_while_the_router_is_down_is_made_good_when_it_is_back(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    grant, receipt = await bought(world)
    wanjiku = world.guest()
    await world.pass_time(60)
    visitor = await world.running.visitors.who(ipaddress.IPv4Address(wanjiku.ip), Named())
    await world.router.power_off()
    await world.running.claims.claim(visitor, receipt, None, wanjiku.ip)
    await world.pass_time(120, 5)
    await world.router.power_on()
    await world.pass_time_until(lambda: wanjiku.online and not world.amina.online, within_s=BACK_S)

    moved = await again(world, grant)
    assert moved.ends_s - (moved.starts_at_s or 0) == 3_600 - moved.used_s
    assert moved.used_s < 120
    assert traces(world.router, world.amina.mac) == []


async def test_a_router_that_misses_the_end_of_the_old_device_hears_of_it_with_the_next_comparison(world: World):
    _, receipt = await bought(world)
    wanjiku = world.guest()
    world.router.faults.drop_after.add("/ip/hotspot/user/remove")
    world.router.faults.drop_after.add("/ip/hotspot/active/remove")
    await claim(world, wanjiku, receipt)
    await world.pass_time_until(lambda: wanjiku.online and not world.amina.online, within_s=60)
    assert traces(world.router, world.amina.mac) == []


async def test_data_that_was_used_on_the_old_device_is_not_given_again(world: World):
    _, receipt = await bought(world, 4, "10")
    world.router.traffic(world.amina.mac, 1 * MEGABYTE, 5 * MEGABYTE)
    wanjiku = world.guest()
    moved = await claim(world, wanjiku, receipt)
    assert 6 * MEGABYTE <= moved.used_bytes < 7 * MEGABYTE
    await world.pass_time_until(lambda: wanjiku.online, within_s=SOON_S)

    world.router.traffic(wanjiku.mac, 0, 4 * MEGABYTE)
    await world.pass_time_until(lambda: not wanjiku.online, within_s=35)
    await world.pass_time(35)
    ended = await again(world, moved)
    assert (ended.state, ended.ended_because) == (GrantState.ENDED, "data")


async def test_data_of_an_earlier_package_is_not_taken_from_the_next_one_that_moves(world: World):
    await bought(world, 4, "10")
    second = await world.ask(world.amina, 4, "10")
    world.amina.enter_pin()
    await world.pass_time(10)
    world.router.traffic(world.amina.mac, 1 * MEGABYTE, 10 * MEGABYTE)  # uses up the first, on the row that the second goes on with
    await world.pass_time(35)
    world.router.traffic(world.amina.mac, 0, 2 * MEGABYTE)
    wanjiku = world.guest()
    moved = await claim(world, wanjiku, await receipt_of(world, second))
    assert 2 * MEGABYTE <= moved.used_bytes < 5 * MEGABYTE


async def test_a_device_that_never_came_in_cannot_come_in_any_more_once_another_took_over(world: World):
    lost = world.guest(joined=False)
    payment_id = await world.ask(lost)
    lost.enter_pin()
    await world.pass_time(15)
    assert [grant.state for grant in await world.grants()] == [GrantState.UNCLAIMED]
    assert traces(world.router, lost.mac) != []  # with its next packet it would be let in

    await claim(world, world.amina, await receipt_of(world, payment_id))
    assert traces(world.router, lost.mac) == []
    await world.pass_time_until(lambda: world.amina.online, within_s=SOON_S)


async def test_time_of_one_router_is_no_good_at_another(open_site: OpenSite):
    world = await open_site()
    _, receipt = await bought(world)

    def renamed(document: dict[str, Any]) -> None:
        [kiosk] = document["owners"][0]["routers"]
        stage = kiosk | {"id": 2, "name": "Stage", "packages": [{"id": 21, "name": "2 minutes", "price": "5", "duration": "2m"}]}
        document["owners"][0]["routers"] = [stage]

    world.edits.append(renamed)
    await world.reload()
    with pytest.raises(Conflict, match="This time was bought at a place that is closed now"):
        await claim(world, world.otieno, receipt)
