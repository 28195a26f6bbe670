"""The router goes away and comes back: who paid is let in, nobody loses a minute, and nobody is asked for money meanwhile."""

import functools

import pytest

from gateway import daemon
from gateway.access import GrantState
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.payments import PaymentState
from tests.e2e.conftest import OpenSite
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])
LOGINS = pytest.mark.parametrize("login_by", ["mac,http-chap", "http-chap"])


@WAYS
@pytest.mark.parametrize("down_s", [1, 60, 7_200])
async def test_who_paid_while_the_router_was_down_is_online_when_it_is_back(open_site: OpenSite, way: str, down_s: int):
    world = await open_site(way=way)
    payment_id = await world.ask(world.amina)
    await world.router.power_off()
    world.amina.enter_pin()
    await world.pass_time(down_s, step_s=min(down_s, 60))
    await world.router.power_on()
    back_s = world.clock.wall_s()

    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await world.pass_time(5)

    grant = await world.grant(payment_id)
    assert grant is not None
    assert (grant.starts_at_s or 0) >= back_s
    assert grant.ends_s - (grant.starts_at_s or 0) == 3_600


async def test_the_customer_is_told_an_end_before_there_is_one_and_it_only_moves_later(world: World):
    payment_id = await world.ask(world.amina)
    await world.router.power_off()
    world.amina.enter_pin()
    await world.pass_time(20)
    _, early = await world.check(payment_id)
    assert early["payment"]["completed_at"] <= early["payment"]["updated_at"]
    assert early["payment"]["package_expiry_time"] is not None

    await world.pass_time(600, step_s=10)
    await world.router.power_on()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await world.pass_time(5)
    _, late = await world.check(payment_id)

    assert late["status"] == early["status"] == "completed"
    assert late["payment"]["completed_at"] == early["payment"]["completed_at"]
    assert late["payment"]["package_expiry_time"] > early["payment"]["package_expiry_time"]


async def _assert_refused(world: World) -> None:
    status, answer = await world.initiate(world.otieno)
    assert status == 503
    assert answer["error"] == "The WiFi router does not answer at the moment. You have not been charged: try again soon."
    assert answer["retry_after_s"] > 0
    payment = await world.payment(answer["payment_id"])
    assert (payment.state, payment.failed_reason) == (PaymentState.REFUSED, answer["error"])
    assert world.intasend.pushes == []


async def test_nothing_is_sold_for_a_router_that_is_down_and_again_when_it_is_back(world: World):
    await world.router.power_off()
    await world.pass_time(15)

    await _assert_refused(world)

    await world.router.power_on()
    await world.pass_time(15)
    await world.buy(world.otieno)


async def test_nothing_is_sold_for_a_router_that_takes_everything_and_answers_nothing(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(daemon, "MikrotikHotspot", functools.partial(MikrotikHotspot, deadline_s=1.0, probe_s=0.5))
    world = await open_site()
    world.router.faults.silent = True
    await world.pass_time(10, step_s=2)

    await _assert_refused(world)

    world.router.faults.silent = False
    await world.pass_time(15)
    await world.buy(world.otieno)


async def test_nothing_is_sold_for_a_router_that_lets_us_in_no_more(world: World):
    await world.router.power_off()
    world.router.faults.refuse_login = True
    await world.router.power_on()
    await world.pass_time(15)

    await _assert_refused(world)

    world.router.faults.refuse_login = False
    await world.pass_time(15)
    await world.buy(world.otieno)


@WAYS
@LOGINS
@pytest.mark.parametrize("down_s", [0, 3, 90])
async def test_after_a_reboot_who_paid_is_online_without_doing_anything(open_site: OpenSite, way: str, login_by: str, down_s: int):
    world = await open_site(way=way, login_by=frozenset(login_by.split(",")))
    payment_id = await world.buy(world.amina)
    await world.pass_time(47)
    grant = await world.grant(payment_id)

    await world.router.power_off()
    await world.pass_time(down_s)
    await world.router.power_on()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await world.pass_time(60)

    assert world.amina.online
    assert not world.otieno.online
    assert await world.grant(payment_id) == grant


@LOGINS
async def test_after_a_reboot_the_phone_is_out_at_the_same_second_as_without_it(open_site: OpenSite, login_by: str):
    world = await open_site(login_by=frozenset(login_by.split(",")))
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    grant = await world.grant(payment_id)
    assert grant is not None
    await world.pass_time(50)
    await world.router.power_off()
    await world.router.power_on()

    await world.pass_time(grant.ends_s - world.clock.wall_s() - 1)
    assert world.amina.online
    await world.pass_time(1)

    assert not world.amina.online


@LOGINS
async def test_phones_that_come_back_one_by_one_after_a_reboot_are_let_in_one_by_one(open_site: OpenSite, login_by: str):
    world = await open_site(login_by=frozenset(login_by.split(",")))
    await world.buy(world.amina)
    await world.buy(world.otieno)
    await world.pass_time(60)
    for phone in (world.amina, world.otieno):
        phone.leave()
    await world.router.power_off()
    await world.router.power_on()
    for phone, away_s in ((world.amina, 37), (world.otieno, 10)):  # not when all is compared anyway, every 30 s
        await world.pass_time(away_s)
        phone.join()
        await world.pass_time_until(lambda phone=phone: phone.online, within_s=15)  # type: ignore[misc]


@WAYS
async def test_who_pays_for_an_address_only_while_the_router_restarts_is_online_too(open_site: OpenSite, way: str):
    """After its start the router knows no phone for a moment: not to see it then says nothing."""
    world = await open_site(way=way)
    await world.ask(world.amina, mac_address=None)
    await world.router.power_off()
    world.amina.enter_pin()
    world.amina.joined = False  # it sends nothing for a while
    await world.pass_time(30)
    await world.router.power_on()
    await world.pass_time(20)
    world.amina.joined = True

    await world.pass_time_until(lambda: world.amina.online, within_s=15)


async def test_a_router_without_our_profile_gets_it_again(world: World):
    await world.buy(world.amina)
    profiles = world.router.hotspot.user_profiles
    [profile] = [row for row in profiles if row["name"].startswith("hotspot-gateway")]
    profiles.remove(profile[".id"])
    await world.pass_time(60)

    await world.buy(world.otieno)

    [user] = [row for row in world.router.hotspot.users if row["name"] == world.otieno.mac]
    assert user["profile"] == profile["name"]


async def test_the_connection_may_break_under_any_command(world: World):
    world.router.faults.drop_after = {
        f"/ip/hotspot/{verb}" for verb in ("user/add", "active/login", "active/print", "user/print", "user/remove", "active/remove")
    }
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time_until(lambda: not world.amina.online, within_s=135)
    await world.pass_time(5)

    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]
    assert len(world.intasend.pushes) == 1
