"""A reload makes the file true and interrupts nothing; a faulty file changes nothing."""

from typing import Any

import pytest

from gateway import config
from gateway.access import GrantState
from tests.e2e.world import World


def _router_in(document: dict[str, Any]) -> dict[str, Any]:
    router: dict[str, Any] = document["owners"][0]["routers"][0]
    return router


def _with_new_price(document: dict[str, Any]) -> None:
    _router_in(document)["packages"][1]["price"] = "60"


def _without_router(document: dict[str, Any]) -> None:
    document["owners"][0]["routers"] = []


async def test_a_new_price_holds_from_the_reload_on(world: World):
    world.edits.append(_with_new_price)
    await world.reload()

    status, answer = await world.initiate(world.amina, amount="50.00")
    assert (status, answer["error"]) == (400, "Amount must match package price: 60.00 KES")
    await world.buy(world.amina, amount="60")


async def test_who_was_asked_for_the_old_price_gets_what_was_bought(world: World):
    await world.ask(world.amina, amount="50.00")
    world.edits.append(_with_new_price)
    await world.reload()
    world.amina.enter_pin()

    await world.pass_time_until(lambda: world.amina.online, within_s=15)


async def test_a_longer_package_does_not_lengthen_what_was_bought(world: World):
    payment_id = await world.ask(world.amina)
    world.edits.append(lambda document: _router_in(document)["packages"][1].update(duration="5h"))
    await world.reload()
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.ends_s - (grant.starts_at_s or 0) == 3_600


async def test_a_package_that_disappears_is_not_sold_and_who_has_it_keeps_it(world: World):
    payment_id = await world.buy(world.amina)
    world.edits.append(lambda document: _router_in(document)["packages"].pop(1))
    await world.reload()

    status, _ = await world.initiate(world.otieno)
    assert status == 404
    await world.pass_time(120)
    assert world.amina.online
    assert (await world.check(payment_id))[1]["status"] == "completed"


async def test_a_router_that_disappears_is_not_sold_for_and_its_payments_stay(world: World):
    payment_id = await world.buy(world.amina)
    world.edits.append(_without_router)
    await world.reload()

    status, answer = await world.initiate(world.otieno)
    assert (status, answer["error"]) == (404, "Router not found or access denied")
    assert (await world.check(payment_id))[1]["status"] == "completed"
    await world.pass_time(30)
    assert world.amina.online


async def test_who_pays_while_the_router_is_not_in_the_file_is_let_in_when_it_is_back(world: World):
    await world.ask(world.amina)
    world.edits.append(_without_router)
    await world.reload()
    world.amina.enter_pin()
    await world.pass_time(30)
    assert [grant.state for grant in await world.grants()] == [GrantState.OWED]

    world.edits.clear()
    await world.reload()

    assert world.amina.online


async def test_another_password_of_the_router_is_used_from_the_reload_on(world: World):
    payment_id = await world.buy(world.amina)
    world.router.user = type(world.router.user)("gateway", "another", world.router.user.policies)
    await world.router.power_off()
    await world.router.power_on()
    await world.pass_time(20)
    assert (await world.initiate(world.otieno))[0] == 503

    world.edits.append(lambda document: _router_in(document).update(password="another"))
    await world.reload()
    await world.pass_time(10)

    assert world.amina.online
    await world.buy(world.otieno)
    assert (await world.grant(payment_id)) is not None


@pytest.mark.parametrize(("before", "after"), [("user", "binding"), ("binding", "user")])
async def test_another_way_of_letting_in_takes_over_without_an_interruption_that_lasts(world: World, before: str, after: str):
    world.settings["way"] = before
    await world.reload()
    await world.buy(world.amina, package_id=1, amount="5")
    world.settings["way"] = after
    await world.reload()
    await world.pass_time(40)
    assert world.amina.online

    await world.pass_time(90)

    assert not world.amina.online
    hotspot = world.router.hotspot
    assert [*hotspot.active, *hotspot.bindings] == []
    assert not [row for row in hotspot.users if row.get("comment", "").startswith("hotspot-gateway")]


async def test_a_faulty_file_is_reported_and_the_old_one_stays(world: World):
    await world.ask(world.amina)

    def faulty(document: dict[str, Any]) -> None:
        _router_in(document)["packages"][1]["price"] = "fifty"
        _router_in(document)["prot"] = 8728

    world.edits.append(faulty)
    with pytest.raises(config.ConfigError) as refused:
        await world.reload()
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    assert "packages" in str(refused.value)
    assert "prot" in str(refused.value)
    await world.buy(world.otieno, amount="50.00")


async def test_a_reload_without_a_change_disturbs_nobody(world: World):
    await world.buy(world.amina)
    writes, connections = world.router.writes, set(world.router.connections)
    for _ in range(5):
        await world.reload()
        await world.pass_time(10)
        assert world.amina.online

    assert world.router.writes == writes
    assert set(world.router.connections) == connections
