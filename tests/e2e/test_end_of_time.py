"""When the time is over the phone is out, to the second, whatever the router would do to let it in again."""

import pytest

from gateway.access import GrantState
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.hotspot.profiles import KEEPALIVE_S
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours, traces
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])


async def _end_of(world: World, payment_id: str) -> float:
    grant = await world.grant(payment_id)
    assert grant is not None
    return grant.ends_s


@WAYS
async def test_the_phone_is_out_within_a_second_of_the_end_and_nothing_of_it_is_left(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    ends_s = await _end_of(world, payment_id)
    await world.pass_time(ends_s - world.clock.wall_s() - 1)
    assert world.amina.online

    await world.pass_time(1)

    assert world.clock.wall_s() == ends_s
    assert not world.amina.online
    assert traces(world.router, world.amina.mac) == []
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


async def test_the_shortest_package_ends_on_time_too(world: World):
    half_a_minute = {"id": 6, "name": "half a minute", "price": "1", "duration": "30s"}
    world.edits.append(lambda document: document["owners"][0]["routers"][0]["packages"].append(half_a_minute))
    await world.reload()
    ends_s = await _end_of(world, await world.buy(world.amina, package_id=6, amount="1"))

    await world.pass_time(ends_s - world.clock.wall_s())

    assert not world.amina.online


@WAYS
@pytest.mark.parametrize("login_by", ["mac,http-chap", "cookie,mac-cookie,http-chap", "mac,cookie,mac-cookie", "http-pap"])
async def test_the_phone_stays_out_although_it_keeps_sending(open_site: OpenSite, way: str, login_by: str):
    world = await open_site(way=way, login_by=frozenset(login_by.split(",")))
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time_until(lambda: not world.amina.online, within_s=121)

    for _ in range(90):
        await world.pass_time(1)
        assert not world.amina.online
    assert traces(world.router, world.amina.mac) == []


async def test_a_phone_that_sleeps_and_comes_back_is_online_without_paying_again_until_the_end(world: World):
    payment_id = await world.buy(world.amina)
    world.amina.leave()
    await world.pass_time(1_500, step_s=10)
    assert world.router.hotspot.active == {}
    world.amina.join()
    await world.pass_time_until(lambda: world.amina.online, within_s=5)
    world.amina.leave()

    await world.pass_time(await _end_of(world, payment_id) - world.clock.wall_s(), step_s=10)
    world.amina.join()
    await world.pass_time(40)

    assert not world.amina.online
    assert traces(world.router, world.amina.mac) == []


async def test_a_phone_with_another_address_is_online_again_when_the_router_has_dropped_its_old_session(
    world: World,
):
    await world.buy(world.amina)
    world.amina.leave()
    world.amina.ip = "192.168.1.177"
    world.amina.join()

    await world.pass_time_until(lambda: world.amina.online, within_s=KEEPALIVE_S + 30, step_s=5)


async def test_the_router_shuts_the_phone_out_by_itself_when_the_gateway_is_dead(world: World):
    ends_s = await _end_of(world, await world.buy(world.amina, package_id=1, amount="5"))
    await world.stop()

    await world.pass_time(ends_s - world.clock.wall_s())
    assert world.amina.online
    await world.pass_time(ACTIVATION_ALLOWANCE_S + 1)
    assert not world.amina.online


@WAYS
async def test_a_router_that_is_down_at_the_end_shuts_the_phone_out_when_it_is_back(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(100)
    await world.router.power_off()
    await world.pass_time(60)
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDING]

    await world.router.power_on()
    await world.pass_time_until(lambda: not ours(world.router), within_s=15)

    assert not world.amina.online
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


@pytest.mark.parametrize("path", ["/ip/hotspot/user/remove", "/ip/hotspot/active/remove", "/ip/hotspot/active/print"])
async def test_a_router_that_refuses_once_is_asked_again(world: World, path: str):
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(await _end_of(world, payment_id) - world.clock.wall_s() - 1)
    world.router.faults.trap_next[path] = "failure: busy"

    await world.pass_time_until(lambda: not traces(world.router, world.amina.mac), within_s=5)

    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


async def test_the_end_of_one_is_not_the_end_of_another(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await world.buy(world.otieno)

    await world.pass_time_until(lambda: not world.amina.online, within_s=121)
    await world.pass_time(60)

    assert world.otieno.online
