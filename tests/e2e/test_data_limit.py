"""A package of data ends when the router has counted it to its end, and nobody gets it twice."""

from gateway.access import Grant, GrantState
from tests.e2e.rows import ours, traces
from tests.e2e.world import World

TEN_MB = {"package_id": 4, "amount": "10"}
SOON_S = 35
"""A comparison, and what follows from it."""


def _use(world: World, megabytes: int) -> None:
    world.router.traffic(world.amina.mac, megabytes * 1_000_000 // 10, megabytes * 1_000_000 * 9 // 10)


async def _bought(world: World, package_id: int, amount: str) -> Grant:
    grant = await world.grant(await world.buy(world.amina, package_id, amount))
    assert grant is not None
    return grant


async def test_who_has_used_up_the_data_is_out_and_the_grant_ends(world: World):
    await _bought(world, 4, "10")
    await world.pass_time(10)
    assert world.amina.online

    _use(world, 10)
    await world.pass_time_until(lambda: not traces(world.router, world.amina.mac), within_s=SOON_S)
    await world.pass_time(60)

    assert not world.amina.online
    [grant] = await world.grants()
    assert (grant.state, grant.ended_because) == (GrantState.ENDED, "data")


async def test_who_uses_less_data_is_out_when_the_time_is_over(world: World):
    grant = await _bought(world, 4, "10")
    world.amina.leave()
    await world.pass_time(grant.ends_s - world.clock.wall_s(), step_s=60)

    [grant] = await world.grants()
    assert (grant.state, grant.ended_because) == (GrantState.ENDED, "time")


async def test_the_next_grant_moves_up_when_the_data_is_used_up(world: World):
    await _bought(world, 4, "10")
    await _bought_again(world, 2, "50.00")
    _use(world, 10)

    await world.pass_time(SOON_S)

    assert world.amina.online
    first, second = sorted(await world.grants(), key=lambda grant: grant.created_at_s)
    assert (first.state, second.state) == (GrantState.ENDED, GrantState.ACTIVE)
    assert (second.starts_at_s or 0) <= world.clock.wall_s()
    assert second.ends_s - (second.starts_at_s or 0) == 3_600
    [user] = ours(world.router)
    assert user.get("limit-bytes-total", "0") == "0"
    await world.pass_time(second.ends_s - world.clock.wall_s() - 30, step_s=30)
    assert world.amina.online
    await world.pass_time(30)
    assert not world.amina.online


async def test_paying_again_does_not_count_the_data_anew(world: World):
    await _bought(world, 4, "10")
    _use(world, 8)
    await _bought_again(world, 4, "10")
    _use(world, 3)
    await world.pass_time(SOON_S)
    first, second = sorted(await world.grants(), key=lambda grant: grant.created_at_s)
    assert (first.state, second.state) == (GrantState.ENDED, GrantState.ACTIVE)
    assert world.amina.online

    _use(world, 11)
    await world.pass_time(SOON_S)

    assert not world.amina.online
    assert [grant.ended_because for grant in await world.grants()] == ["data", "data"]


async def test_a_restart_does_not_count_the_data_anew(world: World):
    await _bought(world, 4, "10")
    _use(world, 8)
    await world.restart()
    await world.pass_time(SOON_S)
    _use(world, 3)
    await world.pass_time(SOON_S)

    assert not world.amina.online
    assert [grant.ended_because for grant in await world.grants()] == ["data"]


async def _bought_again(world: World, package_id: int, amount: str) -> None:
    payment_id = await world.ask(world.amina, package_id, amount)
    world.amina.enter_pin()
    await world.pass_time(10)
    assert await world.grant(payment_id) is not None
