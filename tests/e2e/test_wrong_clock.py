"""A Pi without a battery clock starts in the past: nobody is shut out early by it, and nobody stays on for the hours it lacks."""

import pytest

from gateway.access import GrantState
from gateway.simulators.intasend import Outcome
from tests.e2e.world import World

BEHIND_S = 8 * 3_600


async def _starts_in_the_past(world: World) -> None:
    await world.pass_time(60)
    await world.stop()
    world.clock.step_wall(-BEHIND_S)
    await world.start()


async def _ready(world: World) -> dict[str, str]:
    async with world.http.get(f"{world.url}/readyz") as response:
        answer: dict[str, str] = await response.json()
        return answer


async def test_a_clock_that_is_behind_closes_nobody(world: World):
    payment_id = await world.buy(world.amina)
    grant = await world.grant(payment_id)
    await _starts_in_the_past(world)

    assert (await _ready(world))["clock"] != "ok"
    await world.pass_time(1_800, step_s=10)

    assert world.amina.online
    assert await world.grant(payment_id) == grant


async def test_a_clock_that_is_behind_gives_nobody_the_hours_that_it_lacks(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await _starts_in_the_past(world)

    await world.pass_time_until(lambda: not world.amina.online, within_s=120)
    await world.pass_time(600, step_s=10)

    assert not world.amina.online


async def test_what_fell_due_meanwhile_is_closed_when_the_clock_is_right_again(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await _starts_in_the_past(world)
    await world.pass_time(300)
    world.clock.step_wall(BEHIND_S)

    await world.pass_time(6)

    assert (await _ready(world))["clock"] == "ok"
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


async def test_an_hour_that_was_sold_with_a_wrong_clock_is_an_hour_when_the_clock_is_set(world: World):
    await _starts_in_the_past(world)
    await world.buy(world.amina)
    await world.pass_time(600, step_s=10)
    world.clock.step_wall(BEHIND_S)

    await world.pass_time(2_900, step_s=10)
    assert world.amina.online
    await world.pass_time_until(lambda: not world.amina.online, within_s=130)
    await world.pass_time(60)
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


async def test_an_extension_that_was_sold_with_a_wrong_clock_begins_when_the_clock_is_set(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await _starts_in_the_past(world)
    await world.buy(world.amina)
    world.clock.step_wall(BEHIND_S)

    await world.pass_time(3_400, step_s=10)
    assert world.amina.online
    await world.pass_time_until(lambda: not world.amina.online, within_s=400)


async def test_selling_goes_on_with_a_wrong_clock(world: World):
    await _starts_in_the_past(world)

    await world.buy(world.amina)
    await world.pass_time(1_800, step_s=10)

    assert world.amina.online


async def test_a_payment_that_was_open_is_still_asked_about_with_a_wrong_clock(world: World):
    world.intasend.script(world.amina.number, Outcome.STUCK)
    await world.initiate(world.amina)
    await _starts_in_the_past(world)
    await world.pass_time(2)
    world.intasend.answer(world.intasend.pushes[0].invoice_id, Outcome.COMPLETE)

    await world.pass_time_until(lambda: world.amina.online, within_s=15)


@pytest.mark.parametrize("step_s", [-30, 30])
async def test_a_small_step_of_the_clock_interrupts_nobody(world: World, step_s: int):
    await world.buy(world.amina)
    await world.pass_time(65)
    world.clock.step_wall(step_s)
    for _ in range(120):
        await world.pass_time(1)
        assert world.amina.online
