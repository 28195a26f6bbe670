"""Who logs out is out, whatever the router and the comparison think of it; the time runs on, for when the user logs in again."""

import ipaddress

import pytest

from gateway.access import Grant, GrantState
from gateway.simulators.phones import SimulatedPhone
from gateway.visitors import Named, Visitor
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours, traces
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])
COMPARED_S = 65
"""Two comparisons."""
MEGABYTE = 1_000_000


async def who(world: World, phone: SimulatedPhone) -> Visitor:
    await world.pass_time(1)  # it asks for a page, so that the router sees it again after a row of it was removed
    return await world.running.visitors.who(ipaddress.IPv4Address(phone.ip), Named())


async def log_out(world: World) -> None:
    await world.running.portal.log_out(await who(world, world.amina))


async def log_in(world: World) -> None:
    await world.running.portal.log_in(await who(world, world.amina))


async def bought(world: World, package_id: int = 2, amount: str = "50.00") -> Grant:
    grant = await world.grant(await world.buy(world.amina, package_id, amount))
    assert grant is not None
    return grant


@WAYS
async def test_who_logs_out_stays_out_and_has_what_is_left_after_logging_in(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    grant = await bought(world)
    await log_out(world)
    assert not world.amina.online
    assert traces(world.router, world.amina.mac) == []

    await world.pass_time(COMPARED_S)
    world.amina.leave()
    world.amina.join()
    await world.pass_time(COMPARED_S)
    assert not world.amina.online

    await log_in(world)
    assert world.amina.online
    assert (await world.grants())[0].ends_at_s == grant.ends_at_s
    await world.pass_time(grant.ends_s - world.clock.wall_s() - 1, 60)
    assert world.amina.online
    await world.pass_time(1)
    assert not world.amina.online


async def test_the_time_of_who_logged_out_ends_when_it_would_have(world: World):
    grant = await bought(world, 1, "5")
    await log_out(world)
    await world.pass_time(grant.ends_s - world.clock.wall_s())
    [ended] = await world.grants()
    assert (ended.state, ended.ended_because) == (GrantState.ENDED, "time")
    await log_in(world)
    await world.pass_time(COMPARED_S)
    assert not world.amina.online


@WAYS
async def test_who_logged_out_stays_out_over_a_restart_and_a_reboot(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await bought(world)
    await log_out(world)
    await world.stop()
    await world.router.power_off()
    await world.router.power_on()
    await world.start()
    await world.pass_time(COMPARED_S)
    assert not world.amina.online
    await log_in(world)
    assert world.amina.online


@WAYS
async def test_a_router_that_does_not_hear_of_it_shuts_the_device_out_when_it_is_back(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await bought(world)
    visitor = await who(world, world.amina)
    await world.router.power_off()
    await world.running.portal.log_out(visitor)
    await world.pass_time(30, 5)
    await world.router.power_on()
    await world.pass_time(15)
    assert not world.amina.online
    assert ours(world.router) == []


async def test_a_purchase_lets_who_logged_out_in_again_with_everything(world: World):
    first = await bought(world)
    await log_out(world)
    second = await bought(world, 1, "5")
    assert world.amina.online
    assert second.starts_at_s == first.ends_s


async def test_logging_out_does_not_give_used_data_back(world: World):
    await bought(world, 4, "10")
    world.router.traffic(world.amina.mac, 1 * MEGABYTE, 5 * MEGABYTE)
    await log_out(world)
    await log_in(world)
    assert world.amina.online
    world.router.traffic(world.amina.mac, 0, 4 * MEGABYTE)
    await world.pass_time(70)
    [grant] = await world.grants()
    assert (grant.state, grant.ended_because, world.amina.online) == (GrantState.ENDED, "data", False)


async def test_somebody_elses_time_is_not_touched(world: World):
    await bought(world)
    await world.buy(world.otieno)
    await log_out(world)
    await world.pass_time(COMPARED_S)
    assert (world.amina.online, world.otieno.online) == (False, True)
