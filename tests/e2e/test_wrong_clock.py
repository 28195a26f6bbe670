"""A machine's clock that is wrong, and set, at any moment: what was bought is what is served, to the second or stated otherwise."""

from typing import Any

import pytest

from gateway.access import GrantState
from gateway.payments import PaymentState
from gateway.simulators.intasend import Outcome
from gateway.simulators.phones import SimulatedPhone
from gateway.store.database import Work
from tests.e2e.world import World

HOUR_S = 3_600
BEHIND_S = 8 * HOUR_S
YEAR_S = 365 * 86_400
LATE_S = 10
"""What somebody may be online for longer than he has paid, while the gateway and its router work: the allowance of the router's own
limit, and the steps in which time passes here."""

STEPS = pytest.mark.parametrize("step_s", [BEHIND_S, -BEHIND_S, 30, -30, YEAR_S, -YEAR_S])


async def _set(world: World, step_s: float, *, confirmed: bool = True) -> None:
    """The clock is set, by a time server or by somebody who knows no better."""
    if confirmed:
        world.clock.synchronise(ahead_s=step_s)
    else:
        world.clock.step_wall(step_s)
    await world.pass_time(6)


async def _power_cut(world: World, *, wrong_by_s: float, off_s: float = 0) -> None:
    """The gateway's machine is off for a while, and its clock wakes wrong; before that it was right."""
    world.clock.synchronise()
    await world.pass_time(66)
    await world.stop()
    world.clock.reboot(off_s=off_s, wrong_by_s=wrong_by_s)
    await world.start()


async def _served_s(world: World, phone: SimulatedPhone, *, within_s: float) -> float:
    """How long the phone is online from now on; looked at closely where it should end."""
    served_s = 0.0
    while phone.online:
        assert served_s < within_s, f"still online after {served_s} s"
        step_s = 60.0 if within_s - served_s > 180 else 5.0
        await world.pass_time(step_s, step_s)
        served_s += step_s
    return served_s


async def _clock_says(world: World) -> str:
    async with world.http.get(f"{world.url}/readyz") as response:
        return str((await response.json())["clock"])


# ── a start with a wrong clock ──


@pytest.mark.parametrize("wrong_by_s", [-BEHIND_S, YEAR_S])
async def test_a_wrong_clock_shuts_out_nobody_and_says_so(world: World, wrong_by_s: float):
    payment_id = await world.buy(world.amina)
    await _power_cut(world, wrong_by_s=wrong_by_s)
    grant = await world.grant(payment_id)

    assert "timedatectl" in await _clock_says(world)
    await world.pass_time(1_800, step_s=10)

    assert world.amina.online
    assert await world.grant(payment_id) == grant


@pytest.mark.parametrize("wrong_by_s", [-BEHIND_S, YEAR_S])
async def test_a_wrong_clock_gives_nobody_the_time_that_it_lacks(world: World, wrong_by_s: float):
    await world.buy(world.amina, package_id=1, amount="5")
    await _power_cut(world, wrong_by_s=wrong_by_s)

    await world.pass_time_until(lambda: not world.amina.online, within_s=120)
    await world.pass_time(600, step_s=10)

    assert not world.amina.online


async def test_what_fell_due_while_the_machine_was_off_is_closed_as_soon_as_its_clock_is_set(world: World):
    await world.buy(world.amina)
    await _power_cut(world, off_s=BEHIND_S, wrong_by_s=-BEHIND_S)
    await _set(world, BEHIND_S)

    assert await _clock_says(world) == "ok"
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


@pytest.mark.parametrize("wrong_by_s", [-BEHIND_S, YEAR_S])
async def test_an_hour_that_was_sold_with_a_wrong_clock_is_an_hour_when_the_clock_is_set(world: World, wrong_by_s: float):
    await _power_cut(world, wrong_by_s=wrong_by_s)
    await world.buy(world.amina)
    await world.pass_time(600, step_s=10)
    await _set(world, -wrong_by_s)

    assert HOUR_S <= 606 + await _served_s(world, world.amina, within_s=HOUR_S) <= HOUR_S + LATE_S
    await world.pass_time(6)
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]


async def test_an_extension_that_was_sold_with_a_wrong_clock_begins_when_the_clock_is_set(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await _power_cut(world, wrong_by_s=-BEHIND_S)
    await world.buy(world.amina)
    await _set(world, BEHIND_S)

    assert await _served_s(world, world.amina, within_s=HOUR_S + 120 + LATE_S) >= HOUR_S - 6


async def test_a_new_gateway_whose_clock_is_a_year_ahead_sells_hours_that_are_hours(world: World):
    world.clock.step_wall(YEAR_S)
    await world.restart()
    await world.buy(world.amina)
    await _set(world, -YEAR_S)

    assert HOUR_S <= 6 + await _served_s(world, world.amina, within_s=HOUR_S + LATE_S) <= HOUR_S + LATE_S


async def test_a_payment_that_was_open_is_still_asked_about_with_a_wrong_clock(world: World):
    world.intasend.script(world.amina.number, Outcome.STUCK)
    await world.initiate(world.amina)
    await _power_cut(world, wrong_by_s=-BEHIND_S)
    await world.pass_time(2)
    world.intasend.answer(world.intasend.pushes[0].invoice_id, Outcome.COMPLETE)

    await world.pass_time_until(lambda: world.amina.online, within_s=35)


async def test_a_day_without_a_time_server_and_with_a_restart_is_a_day(world: World):
    await _power_cut(world, wrong_by_s=-BEHIND_S)
    await world.buy(world.amina, package_id=3, amount="200")
    for _ in range(2):
        await world.pass_time(39_600, step_s=600)
        await world.stop()
        world.clock.advance(120)
        await world.start()

    served_s = 2 * (39_600 + 120) + await _served_s(world, world.amina, within_s=86_400 - 2 * 39_720 + LATE_S)
    assert 86_400 <= served_s <= 86_400 + LATE_S


# ── a clock that is set while the gateway runs ──


@STEPS
@pytest.mark.parametrize("confirmed", [True, False])
async def test_an_hour_is_an_hour_whatever_is_done_to_the_clock_meanwhile(world: World, step_s: float, confirmed: bool):  # noqa: FBT001
    await world.buy(world.amina)
    await _set(world, step_s, confirmed=confirmed)

    assert HOUR_S <= 6 + await _served_s(world, world.amina, within_s=HOUR_S + LATE_S) <= HOUR_S + LATE_S


async def test_a_time_server_that_was_a_year_ahead_takes_nothing_and_gives_nothing(world: World):
    await _set(world, YEAR_S)
    await world.buy(world.amina)
    await _set(world, -YEAR_S)

    assert HOUR_S <= 6 + await _served_s(world, world.amina, within_s=HOUR_S + LATE_S) <= HOUR_S + LATE_S


@STEPS
async def test_a_step_during_an_open_push_does_not_end_the_listening(world: World, step_s: float):
    world.intasend.script(world.amina.number, Outcome.STUCK)
    _, answer = await world.initiate(world.amina)
    await world.pass_time(5)
    await _set(world, step_s)
    await world.pass_time(30)
    assert (await world.payment(answer["payment"]["id"])).state is PaymentState.PUSHED
    world.intasend.answer(world.intasend.pushes[0].invoice_id, Outcome.COMPLETE)

    await world.pass_time_until(lambda: world.amina.online, within_s=15)


@STEPS
async def test_a_step_during_an_open_push_leads_to_no_second_prompt(world: World, step_s: float):
    await world.ask(world.amina)
    await _set(world, step_s)
    await world.initiate(world.amina)
    await world.pass_time(5)

    assert len(world.intasend.pushes) == 1


@STEPS
async def test_a_tap_in_the_moment_of_a_step_leads_to_no_second_prompt(
    world: World, step_s: float, monkeypatch: pytest.MonkeyPatch
):
    """The step is committed between the tap and its payment."""
    write = world.running.db.write

    async def step_first(work: Work[Any]) -> Any:
        if work.__qualname__.startswith("Sales.record") and not world.clock.synchronised_at_s():
            world.clock.synchronise(ahead_s=step_s)
            await world.running.heartbeat.run_once()
        return await write(work)

    monkeypatch.setattr(world.running.db, "write", step_first)
    status, first = await world.initiate(world.amina)
    again, second = await world.initiate(world.amina)

    assert (status, again, first["payment"]["id"]) == (201, 200, second["payment"]["id"])
    payment = await world.payment(first["payment"]["id"])
    assert abs(world.running.heartbeat.wall_s() - payment.created_at_s) < 10
    assert len(world.intasend.pushes) == 1


@STEPS
async def test_a_step_while_a_grant_is_ending_ends_it_once(world: World, step_s: float):
    await world.buy(world.amina, package_id=1, amount="5")
    await world.router.power_off()
    await world.pass_time(130)
    assert [grant.state for grant in await world.grants()] == [GrantState.ENDING]
    await _set(world, step_s)
    await world.router.power_on()

    await world.pass_time(60)

    assert [grant.state for grant in await world.grants()] == [GrantState.ENDED]
    assert not world.amina.online


async def test_a_router_in_1970_serves_an_hour_for_an_hour(world: World):
    world.router.set_clock(120)
    await world.buy(world.amina)

    assert HOUR_S <= await _served_s(world, world.amina, within_s=HOUR_S + LATE_S) <= HOUR_S + LATE_S


# ── who is logged in ──


@STEPS
async def test_whoever_is_logged_in_stays_so_across_a_step_and_no_longer_than_before(world: World, step_s: float):
    headers = await world.login()
    await _set(world, step_s)
    assert await _status(world, headers) == 200
    await world.pass_time(16 * 60, step_s=60)
    assert await _status(world, headers) == 401


@STEPS
async def test_a_refresh_token_outlives_a_step(world: World, step_s: float):
    _, pair = await world.post("/users/login/", {"username": "njeri", "password": "karibu-kenya"}, key=None)
    await _set(world, step_s)
    status, _ = await world.post("/users/refresh/", {"refresh_token": pair["refresh_token"]}, key=None)
    assert status == 200


async def _status(world: World, headers: dict[str, str]) -> int:
    async with world.http.get(f"{world.url}/payments/credentials/", headers=headers) as response:
        return response.status
