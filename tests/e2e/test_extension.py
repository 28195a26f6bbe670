"""Who pays again while online stays online, and gets the sum of what was bought, each part at its own speed."""

import pytest

from gateway.access import Grant
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])
LIMITS = pytest.mark.parametrize("moves", [False, True], ids=["limit is fixed at login", "limit moves a running session"])


async def _bought_again(world: World, package_id: int = 2, amount: str = "50.00") -> Grant:
    """Amina pays once more; she must be online at every second of it."""
    status, answer = await world.initiate(world.amina, package_id, amount)
    assert status == 201
    for _ in range(20):
        await world.pass_time(1)
        assert world.amina.online
        world.amina.enter_pin()
    grant = await world.grant(answer["payment"]["id"])
    assert grant is not None
    return grant


async def _stays_online_until(world: World, end_s: float, step_s: float = 1) -> None:
    while world.clock.wall_s() + step_s < end_s:
        await world.pass_time(step_s, step_s)
        assert world.amina.online
    await world.pass_time(end_s - world.clock.wall_s())
    assert not world.amina.online
    assert ours(world.router) == []


@WAYS
@LIMITS
async def test_paying_again_adds_the_time_and_never_interrupts(open_site: OpenSite, way: str, moves: bool):  # noqa: FBT001
    world = await open_site(way=way, limit_change_moves_running_session=moves)
    first = await world.grant(await world.buy(world.amina, package_id=1, amount="5"))
    assert first is not None
    await world.pass_time(30)

    second = await _bought_again(world, package_id=1, amount="5")

    assert second.starts_at_s == first.ends_s
    assert second.ends_s == first.ends_s + 120
    await _stays_online_until(world, second.ends_s)


@WAYS
async def test_paying_again_twice_adds_up(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    first = await world.grant(await world.buy(world.amina, package_id=1, amount="5"))
    assert first is not None
    for _ in range(2):
        last = await _bought_again(world, package_id=1, amount="5")

    assert last.ends_s == first.ends_s + 240
    await _stays_online_until(world, last.ends_s)


@LIMITS
async def test_each_part_has_its_own_speed(open_site: OpenSite, moves: bool):  # noqa: FBT001
    world = await open_site(limit_change_moves_running_session=moves)
    first = await world.grant(await world.buy(world.amina, package_id=1, amount="5"))
    assert first is not None
    second = await _bought_again(world)
    assert [row["profile"] for row in ours(world.router)] == ["hotspot-gateway-0k-up-0k-down-1-devices"]

    await world.pass_time(first.ends_s - world.clock.wall_s() - 1)
    assert [row["profile"] for row in ours(world.router)] == ["hotspot-gateway-0k-up-0k-down-1-devices"]
    await world.pass_time(1)

    assert [row["profile"] for row in ours(world.router)] == ["hotspot-gateway-2000k-up-5000k-down-1-devices"]
    await _stays_online_until(world, second.ends_s, step_s=30)


@WAYS
async def test_two_payments_for_one_device_while_the_router_is_down_follow_each_other(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.ask(world.amina)
    await world.ask(world.otieno, mac_address=world.amina.mac, ip_address=world.amina.ip)
    await world.router.power_off()
    world.amina.enter_pin()
    world.otieno.enter_pin()
    await world.pass_time(60)
    await world.router.power_on()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await world.pass_time(5)

    first, second = sorted(await world.grants(), key=lambda grant: grant.ends_s)
    assert second.starts_at_s == first.ends_s
    assert second.ends_s - (first.starts_at_s or 0) == 7_200
    assert not world.otieno.online
    await _stays_online_until(world, second.ends_s, step_s=60)


async def test_who_pays_again_after_the_end_starts_anew(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time_until(lambda: not world.amina.online, within_s=121)
    await world.pass_time(60)

    grant = await world.grant(await world.buy(world.amina, package_id=1, amount="5"))

    assert grant is not None
    assert world.clock.wall_s() - 5 <= (grant.starts_at_s or 0) <= world.clock.wall_s()


async def test_who_pays_in_the_second_of_the_end_is_online_afterwards(world: World):
    first = await world.grant(await world.buy(world.amina, package_id=1, amount="5"))
    assert first is not None
    await world.pass_time(first.ends_s - world.clock.wall_s() - 6)
    await world.ask(world.amina, package_id=1, amount="5")
    world.amina.enter_pin()
    await world.pass_time(15)

    assert world.amina.online
    assert len(ours(world.router)) == 1


@WAYS
async def test_an_extension_survives_a_reboot_and_a_restart(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.buy(world.amina, package_id=1, amount="5")
    last = await _bought_again(world, package_id=1, amount="5")
    await world.router.power_off()
    await world.stop()
    await world.router.power_on()
    await world.start()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    await _stays_online_until(world, last.ends_s)
