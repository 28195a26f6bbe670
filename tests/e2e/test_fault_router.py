"""Routers that are slow, lose our rights, or wear out: what the other tests of outages and drift leave open."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.access import GrantState
from gateway.simulators.routeros import ALL_POLICIES, SimulatedRouter
from tests.e2e.conftest import OpenSite
from tests.e2e.world import World

DAY_S = 86_400.0

SLOW_COMMAND_S = 1.5
"""A whole activation then takes about fifteen seconds (facts, routeros 1.10)."""


async def test_a_day_of_comparisons_writes_nothing_to_the_routers_flash(world: World):
    await world.buy(world.amina, package_id=3, amount="200")
    await world.pass_time(60)
    before = world.router.writes
    await world.pass_time(DAY_S - 120, step_s=300)
    assert world.amina.online
    assert world.router.writes == before


async def test_who_pays_while_our_user_may_not_write_is_online_when_it_may_again(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.ask(world.amina)
    whole = world.router.user
    world.router.user = replace(whole, policies=ALL_POLICIES - {"write", "policy"})
    for connection in list(world.router.connections):
        connection.abort()
    world.amina.enter_pin()
    await world.pass_time(30)
    assert not world.amina.online
    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.state is GrantState.OWED
    assert any(getattr(record, "action", "") == "grant_failed" for record in caplog.records)
    status, _ = await world.initiate(world.otieno)
    assert status == 503

    world.router.user = whole
    for connection in list(world.router.connections):
        connection.abort()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    assert len(world.intasend.pushes) == 1


def set_rights(router: SimulatedRouter, policies: frozenset[str], *, at_once: bool) -> None:
    """Of our user: at once, or from the next login on, which comes now."""
    router.user = replace(router.user, policies=policies)
    for connection in list(router.connections):
        if at_once:
            connection._policies = policies
        else:
            connection.abort()


@pytest.mark.parametrize("at_once", [False, True])
async def test_nothing_is_sold_on_a_router_that_takes_no_change_of_ours_until_it_does_again(
    world: World,
    at_once: bool,  # noqa: FBT001 - a parameter of the test
    caplog: pytest.LogCaptureFixture,
):
    await world.buy(world.otieno, package_id=1, amount="5")
    set_rights(world.router, ALL_POLICIES - {"write"}, at_once=at_once)
    await world.pass_time(150)  # Otieno's two minutes end, and he cannot be shut out
    status, answer = await world.initiate(world.amina)
    assert (status, bool(answer["retry_after_s"])) == (503, True)
    async with world.http.get(f"{world.url}/readyz") as response:
        assert response.status == 503

    set_rights(world.router, ALL_POLICIES, at_once=at_once)
    await world.pass_time(15)
    await world.buy(world.amina)
    actions = [vars(record).get("action", "") for record in caplog.records]
    assert [action for action in actions if action.startswith("rights_")] == ["rights_missing", "rights_back"]


async def test_nobody_pays_first_when_our_user_may_not_write_from_the_beginning(open_site: OpenSite):
    world = await open_site(policies=frozenset({"api", "read"}))
    status, _ = await world.initiate(world.amina)
    assert status == 503
    assert not world.intasend.pushes


@pytest.fixture
async def slow(open_site: OpenSite) -> AsyncIterator[tuple[World, SimulatedRouter]]:
    """A site whose second router is slow."""
    world = await open_site(webhooks=True)
    second = SimulatedRouter(world.clock)
    await second.start()

    def with_second_router(document: dict[str, Any]) -> None:
        [first] = document["owners"][0]["routers"]
        packages = [{"id": 21, "name": "1 hour", "price": "5", "duration": "1h"}]
        document["owners"][0]["routers"].append(first | {"id": 2, "name": "Stage", "port": second.port, "packages": packages})

    world.edits.append(with_second_router)
    await world.reload()
    yield world, second
    await second.stop()


async def test_a_router_that_takes_fifteen_seconds_to_activate_holds_up_nobody_at_the_other(slow: tuple[World, SimulatedRouter]):
    world, second = slow
    wanjiku = world.guest(router=second)
    world.stuck = {"compare:2", "open:2", "close:2"}
    await world.ask(wanjiku, package_id=21, amount="5", router_id=2)
    await world.ask(world.amina)
    second.faults.delay_s = SLOW_COMMAND_S
    wanjiku.enter_pin()
    world.amina.enter_pin()
    paid = world.intasend.pushes[-1]
    await world.pass_time_until(lambda: paid.outcome is not None, within_s=30, step_s=0.25)
    await world.pass_time_until(lambda: world.amina.online, within_s=3, step_s=0.25)  # contract, "Bounds"
    assert not wanjiku.online
    await world.pass_time_until(lambda: wanjiku.online, within_s=60)
