"""An outage takes nothing from anybody who had paid: what could not be used is given back, and no second more."""

import functools

import pytest

from gateway import daemon
from gateway.access import GrantState
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.outages import STARTING_S
from gateway.simulators.phones import SimulatedPhone
from gateway.store import outages as outage_rows
from tests.e2e.conftest import OpenSite
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])
NOTICE_S = 10
"""How long after its return a router is noticed at most: the pause between two tries of a connection, and a pulse."""


async def down(world: World, seconds: float) -> None:
    """The router loses its power for so long."""
    await world.router.power_off()
    await world.pass_time(seconds, step_s=60)
    await world.router.power_on()


async def served_s(world: World, phone: SimulatedPhone, payment_id: str) -> float:
    """How long the phone is online until its time is over."""
    online_s, step_s = 0.0, 10.0
    while (grant := await world.grant(payment_id)) is None or not grant.is_over:
        online_s += step_s * phone.online
        await world.pass_time(step_s, step_s)
    return online_s


async def given_back_s(world: World) -> float:
    return await world.running.db.read(outage_rows.given_back_s)


@WAYS
async def test_an_hour_that_the_router_interrupts_for_two_is_an_hour(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.buy(world.amina)
    await world.pass_time(600, step_s=20)

    await down(world, 7_200)
    left_s = 3_000
    await world.pass_time(NOTICE_S)
    online_s = await served_s(world, world.amina, payment_id)

    assert online_s == pytest.approx(left_s, abs=2 * NOTICE_S)
    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.state is GrantState.ENDED
    assert grant.compensated_s == pytest.approx(left_s, abs=NOTICE_S)
    assert await given_back_s(world) == pytest.approx(left_s, abs=NOTICE_S)


@WAYS
async def test_time_stands_still_for_a_grant_that_outlives_the_outage_and_for_those_behind_it(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    first, second = [await world.buy(world.amina) for _ in range(2)]
    await world.pass_time(600, step_s=20)
    before = [await world.grant(payment_id) for payment_id in (first, second)]

    await down(world, 1_800)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await world.pass_time(30)

    after = [await world.grant(payment_id) for payment_id in (first, second)]
    moved = [now.ends_s - then.ends_s for then, now in zip(before, after, strict=True) if now and then]
    assert moved == pytest.approx([1_800, 1_800], abs=NOTICE_S)
    assert moved[0] == moved[1]
    assert [grant and grant.ends_s - (grant.starts_at_s or 0) for grant in after] == [3_600, 3_600]
    assert after[0] is not None
    assert after[0].compensated_s == moved[0]


async def test_a_router_that_ran_all_along_out_of_our_sight_has_taken_nothing(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daemon, "MikrotikHotspot", functools.partial(MikrotikHotspot, deadline_s=1.0, probe_s=0.5))
    world = await open_site()
    payment_id = await world.buy(world.amina)
    before = await world.grant(payment_id)

    world.router.faults.silent = True
    await world.pass_time(1_200, step_s=400)
    assert world.running.site.hotspots[1].reachable is False
    world.router.faults.silent = False
    await world.pass_time(30, step_s=5)

    after = await world.grant(payment_id)
    assert before is not None
    assert after is not None
    assert (after.ends_s, after.compensated_s) == (before.ends_s, 0)
    assert await given_back_s(world) == 0


@pytest.mark.parametrize("setting", ["none", "20m"])
async def test_a_shorter_outage_than_the_configured_one_is_not_made_good(world: World, setting: str):
    world.edits.append(lambda document: document.update(payments={"fair_outage_from": setting}))
    await world.restart()
    payment_id = await world.buy(world.amina)
    before = await world.grant(payment_id)

    await down(world, 900)
    await world.pass_time(30)

    assert await world.grant(payment_id) == before


async def test_an_outage_is_made_good_once_however_often_the_gateway_starts_after_it(world: World):
    payment_id = await world.buy(world.amina)
    await down(world, 1_200)
    await world.pass_time(NOTICE_S)
    given = await world.grant(payment_id)
    for _ in range(2):
        await world.restart()
        await world.pass_time(20)

    after = await world.grant(payment_id)
    assert given is not None
    assert after is not None
    assert after.compensated_s == given.compensated_s == pytest.approx(1_200, abs=NOTICE_S)
    assert after.ends_s == given.ends_s


async def power_cut_of_both(world: World, seconds: float) -> None:
    await world.router.power_off()
    await world.stop()
    world.clock.advance(seconds)
    await world.router.power_on()
    await world.start()
    await world.pass_time(NOTICE_S)


async def test_a_power_cut_that_takes_router_and_gateway_is_an_outage(world: World):
    payment_id = await world.buy(world.amina)
    await world.pass_time(120)
    before = await world.grant(payment_id)
    await power_cut_of_both(world, 7_200)
    assert world.amina.online

    after = await world.grant(payment_id)
    assert before is not None
    assert after is not None
    # Until when the gateway lived is kept once a minute.
    assert 0 <= after.ends_s - before.ends_s - 7_200 <= 60 + NOTICE_S


@pytest.mark.parametrize("silent_s", [0, 400])
async def test_a_router_that_was_out_of_service_meanwhile_has_taken_nothing(world: World, silent_s: float):
    await world.buy(world.amina)
    await down(world, silent_s)
    world.edits.append(lambda document: document["owners"][0]["routers"].clear())
    await world.reload()
    given_back = await given_back_s(world)
    await down(world, 1_200)
    world.edits.pop()
    await world.reload()
    await world.pass_time(NOTICE_S)
    assert await given_back_s(world) == given_back == 0


async def test_such_an_outage_counts_from_the_last_thing_that_was_written_down(world: World):
    payment_id = await world.buy(world.amina)
    before = await world.grant(payment_id)
    await world.pass_time(110)
    await world.buy(world.otieno)
    await power_cut_of_both(world, 7_200)

    after = await world.grant(payment_id)
    assert before is not None
    assert after is not None
    assert 0 <= after.ends_s - before.ends_s - 7_200 <= 2 * NOTICE_S


async def test_the_gateways_own_absence_takes_nothing_from_who_stays_online(world: World):
    payment_id = await world.buy(world.amina)
    before = await world.grant(payment_id)
    await world.stop()
    world.clock.advance(1_800)
    await world.start()
    await world.pass_time(20)
    assert await world.grant(payment_id) == before


async def test_a_silence_that_begins_before_a_restart_counts_from_its_beginning(world: World):
    payment_id = await world.buy(world.amina)
    before = await world.grant(payment_id)
    await world.router.power_off()
    await world.pass_time(1_200, step_s=10)
    await world.restart()
    await world.pass_time(300, step_s=10)
    await world.router.power_on()
    await world.pass_time(NOTICE_S)
    assert world.amina.online

    after = await world.grant(payment_id)
    assert before is not None
    assert after is not None
    assert after.ends_s - before.ends_s == pytest.approx(1_500, abs=NOTICE_S)


async def test_who_has_left_meanwhile_finds_the_rest_when_the_phone_comes_back(world: World):
    payment_id = await world.buy(world.amina)
    await world.pass_time(600, step_s=20)
    await world.router.power_off()
    world.amina.leave()
    await world.pass_time(7_200, step_s=60)
    await world.router.power_on()
    await world.pass_time(120, step_s=5)
    waiting = await world.grant(payment_id)
    assert waiting is not None
    assert waiting.is_unclaimed

    world.amina.join()
    await world.pass_time_until(lambda: world.amina.online, within_s=60)
    await world.pass_time(30)
    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.ends_s - world.clock.wall_s() == pytest.approx(3_000, abs=NOTICE_S + STARTING_S)


async def test_the_customer_reads_how_much_was_given_back_and_the_owner_too(world: World):
    payment_id = await world.buy(world.amina)
    await down(world, 1_260)
    await world.pass_time(15)

    owner = await world.login()
    async with world.http.get(f"{world.url}/grants/", headers=owner) as response:
        (grant,) = (await response.json())["results"]
    assert grant["payment_id"] == payment_id
    assert grant["compensated_s"] == pytest.approx(1_260, abs=NOTICE_S)
    async with world.http.get(f"{world.url}/metrics") as response:
        metrics = await response.text()
    assert f"hotspot_gateway_given_back_seconds {grant['compensated_s']}" in metrics.replace(".0\n", "\n")
    assert 'hotspot_gateway_actions_total{action="outage"} 1.0' in metrics
