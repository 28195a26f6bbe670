"""What is known of the phone may be half, wrong or nothing: the money is kept in mind until the phone is there."""

import pytest

from gateway.access import GrantState
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])
LOGINS = pytest.mark.parametrize("login_by", ["mac,http-chap", "http-chap"])


async def _states(world: World) -> list[GrantState]:
    return [grant.state for grant in await world.grants()]


@WAYS
async def test_the_address_alone_is_enough(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.buy(world.amina, mac_address=None)

    grant = await world.grant(payment_id)
    assert grant is not None
    assert (str(grant.mac), str(grant.ip)) == (world.amina.mac, world.amina.ip)
    assert not world.otieno.online


@WAYS
@pytest.mark.parametrize("mac_address", ["AA:BB:CC:DD:EE:FF", "aa-bb-cc-dd-ee-ff", "aabb.ccdd.eeff", "AABBCCDDEEFF"])
async def test_the_mac_alone_is_enough_in_any_spelling(open_site: OpenSite, way: str, mac_address: str):
    world = await open_site(way=way)
    payment_id = await world.buy(world.amina, mac_address=mac_address, ip_address="")

    grant = await world.grant(payment_id)
    assert grant is not None
    assert str(grant.ip) == world.amina.ip


@WAYS
async def test_an_address_that_belongs_to_another_phone_lets_in_the_mac_that_paid(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.buy(world.amina, ip_address=world.otieno.ip)
    await world.pass_time(60)

    assert world.amina.online
    assert not world.otieno.online


@WAYS
async def test_a_phone_that_gets_another_address_before_it_pays_is_let_in_at_that_one(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.ask(world.amina)
    world.amina.ip = "192.168.1.222"
    world.amina.join()
    await world.pass_time(15)  # by now the router knows that nobody answers at the old one
    world.amina.enter_pin()

    await world.pass_time_until(lambda: world.amina.online, within_s=45)


async def test_a_payment_for_no_device_is_completed_and_its_grant_is_unclaimed(world: World):
    payment_id = await world.ask(world.amina, mac_address=None, ip_address=None)
    world.amina.enter_pin()
    await world.pass_time(120)

    assert await _states(world) == [GrantState.UNCLAIMED]
    _, answer = await world.check(payment_id)
    assert answer["status"] == "completed"
    assert answer["payment"]["package_expiry_time"] is not None
    assert ours(world.router) == []


@WAYS
@LOGINS
@pytest.mark.parametrize("away_s", [20, 4_000])
async def test_a_phone_that_the_router_does_not_see_is_let_in_when_it_appears(
    open_site: OpenSite, way: str, login_by: str, away_s: int
):
    world = await open_site(way=way, login_by=frozenset(login_by.split(",")))
    wanjiku = world.guest(joined=False)
    payment_id = await world.ask(wanjiku)
    wanjiku.enter_pin()
    await world.pass_time(10)
    await world.pass_time(away_s - 10, step_s=min(away_s / 2, 40))
    assert await _states(world) == [GrantState.UNCLAIMED]

    wanjiku.join()
    joined_s = world.clock.wall_s()
    await world.pass_time_until(lambda: wanjiku.online, within_s=15 if away_s < 3_600 else 45)
    await world.pass_time(35)

    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.state is GrantState.ACTIVE
    assert joined_s <= (grant.starts_at_s or 0) <= world.clock.wall_s()
    assert grant.ends_s - (grant.starts_at_s or 0) == 3_600
    await world.pass_time(grant.ends_s - world.clock.wall_s(), step_s=60)
    assert not wanjiku.online


@WAYS
async def test_the_phone_of_a_known_address_is_let_in_when_it_appears(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    wanjiku = world.guest(joined=False)
    await world.ask(wanjiku, mac_address=None)
    wanjiku.enter_pin()
    await world.pass_time(120)
    assert await _states(world) == [GrantState.UNCLAIMED]

    wanjiku.join()
    await world.pass_time_until(lambda: wanjiku.online, within_s=15)
    await world.pass_time(10)

    [grant] = await world.grants()
    assert (grant.state, str(grant.mac)) == (GrantState.ACTIVE, wanjiku.mac)


async def test_an_address_that_appears_hours_later_is_another_phone(world: World):
    wanjiku = world.guest(joined=False)
    await world.ask(wanjiku, mac_address=None)
    wanjiku.enter_pin()
    await world.pass_time(4_000, step_s=20)

    wanjiku.join()
    await world.pass_time(120)

    assert not wanjiku.online
    assert await _states(world) == [GrantState.UNCLAIMED]


async def test_an_address_that_appears_after_a_reboot_is_another_phone_too(world: World):
    wanjiku = world.guest(joined=False)
    await world.ask(wanjiku, mac_address=None)
    wanjiku.enter_pin()
    await world.pass_time(4_000, step_s=20)

    await world.router.reboot()
    wanjiku.join()
    await world.pass_time(50)

    assert not wanjiku.online
    assert await _states(world) == [GrantState.UNCLAIMED]


async def test_a_phone_that_waits_for_its_grant_survives_a_restart(world: World):
    wanjiku = world.guest(joined=False)
    await world.ask(wanjiku)
    wanjiku.enter_pin()
    await world.pass_time(30)
    await world.restart()
    wanjiku.join()

    await world.pass_time_until(lambda: wanjiku.online, within_s=15)


async def test_who_waits_costs_the_database_nothing(world: World):
    wanjiku = world.guest(joined=False)
    await world.ask(wanjiku)
    wanjiku.enter_pin()
    await world.pass_time(60)
    versions = [grant.version for grant in await world.grants()]

    await world.pass_time(300)

    assert [grant.version for grant in await world.grants()] == versions
