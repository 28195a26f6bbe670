"""A restart loses nothing: what fell due, was owed or was paid meanwhile is done right after it."""

import pytest

from gateway.access import GrantState
from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint, reset_after
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours, traces
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])


@WAYS
async def test_whose_time_ended_while_the_daemon_was_down_is_shut_out_right_after_the_start(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.buy(world.amina, package_id=1, amount="5")
    await world.stop()
    await world.pass_time(300, step_s=10)
    assert traces(world.router, world.amina.mac) != []

    await world.start()

    assert traces(world.router, world.amina.mac) == []
    assert not world.amina.online
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


@WAYS
async def test_who_was_owed_access_when_the_daemon_stopped_is_let_in_right_after_the_start(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.ask(world.amina)
    await world.router.power_off()
    world.amina.enter_pin()
    await world.pass_time(20)
    assert [grant.state for grant in await world.grants()] == [GrantState.OWED]
    await world.stop()
    await world.router.power_on()
    await world.pass_time(3_600, step_s=60)

    await world.start()

    assert world.amina.online
    [grant] = await world.grants()
    assert grant.starts_at_s == world.clock.wall_s()
    assert grant.ends_s - world.clock.wall_s() == 3_600


@WAYS
async def test_who_paid_while_the_daemon_was_down_is_let_in_right_after_the_start(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.ask(world.amina)
    await world.stop()
    world.amina.enter_pin()
    await world.pass_time(3 * 3_600, step_s=60)

    await world.start()

    assert world.amina.online
    assert (await world.payment(payment_id)).state is PaymentState.PAID


@WAYS
async def test_whoever_is_online_does_not_notice_a_restart(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.buy(world.amina)
    await world.pass_time(60)
    grant = await world.grant(payment_id)
    rows, writes = ours(world.router), world.router.writes

    await world.restart()
    await world.pass_time(90)

    assert world.amina.online
    assert await world.grant(payment_id) == grant
    assert (ours(world.router), world.router.writes) == (rows, writes)


async def test_the_timer_of_an_end_survives_a_restart(world: World):
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(60)
    await world.restart()
    grant = await world.grant(payment_id)
    assert grant is not None

    await world.pass_time(grant.ends_s - world.clock.wall_s() - 1)
    assert world.amina.online
    await world.pass_time(1)

    assert not world.amina.online


async def test_a_lost_push_is_still_looked_up_after_a_restart(world: World):
    world.intasend.faults.once(Endpoint.PUSH, reset_after)
    payment_id = await world.ask(world.amina)
    world.intasend.faults.clear()
    await world.restart()
    world.amina.enter_pin()

    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    assert (await world.payment(payment_id)).state is PaymentState.PAID
    assert len(world.intasend.pushes) == 1


async def test_an_open_prompt_still_keeps_its_phone_from_a_second_one_after_a_restart(world: World):
    payment_id = await world.ask(world.amina)
    await world.restart()

    status, answer = await world.initiate(world.amina)

    assert (status, answer["payment"]["id"]) == (200, payment_id)
    assert len(world.intasend.pushes) == 1


async def test_five_restarts_in_a_minute_harm_nobody(world: World):
    await world.buy(world.amina)
    payment_id = await world.ask(world.otieno)
    for _ in range(5):
        await world.restart()
        await world.pass_time(10)
        assert world.amina.online
    world.otieno.enter_pin()

    await world.pass_time_until(lambda: world.otieno.online, within_s=15)

    assert len(world.intasend.pushes) == 2
    assert (await world.payment(payment_id)).state is PaymentState.PAID
