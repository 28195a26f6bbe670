"""Two owners of one gateway who sell with the same keys: the same list of invoices, and each has his own customers."""

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway import audit
from gateway.access import GrantState
from gateway.audit_table import run_audit
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import SimulatedRouter
from tests.e2e.test_audit import broken
from tests.e2e.test_books import granted, in_order, lose_the_card
from tests.e2e.world import World

KEY = "d" * 32
"""The brother's public key."""


def with_a_brother(port: int, document: dict[str, Any]) -> None:
    """Njeri's brother sells with her keys, at a router of his own."""
    [njeri] = document["owners"]
    brother = copy.deepcopy(njeri) | {"id": 2, "username": "kamau", "public_key": KEY}
    [shop] = brother["routers"]
    shop |= {"id": 2, "name": "Shop", "port": port}
    for package in shop["packages"]:
        package["id"] += 100
    document["owners"].append(brother)


@pytest.fixture
async def family(tmp_path: Path):
    """Two owners with the same keys, a router each; Wanjiku is at the second one."""
    async with World(tmp_path) as world:
        shop = SimulatedRouter(world.clock)
        await shop.start()
        world.edits.append(partial(with_a_brother, shop.port))
        wanjiku = world.guest(router=shop)
        await world.start()
        yield world, wanjiku
        await world.stop()
        await shop.stop()


async def buy_at_the_shop(world: World, wanjiku: SimulatedPhone) -> str:
    body = {"router_id": 2, "package_id": 102, "phone_number": "0" + wanjiku.number[3:], "amount": "50.00"}
    path = "/payments/intasend/initiate/"
    status, answer = await world.post(path, body | {"mac_address": wanjiku.mac, "ip_address": wanjiku.ip}, key=KEY)
    assert status == 201, answer
    await world.pass_time_until(lambda: wanjiku.prompt, within_s=5)
    wanjiku.enter_pin()
    await world.pass_time_until(lambda: wanjiku.online, within_s=15)
    return str(answer["payment"]["id"])


async def test_owners_who_share_their_keys_leave_each_others_customers_alone(
    family: tuple[World, SimulatedPhone], caplog: pytest.LogCaptureFixture
):
    world, wanjiku = family
    payment_ids = [await world.buy(world.amina), await buy_at_the_shop(world, wanjiku)]
    await world.pass_time(2 * audit.EVERY_S + audit.SEEN_AFTER_S, 60)
    assert {payment.id for payment in await world.payments()} == set(payment_ids)
    assert [record for record in caplog.records if getattr(record, "action", "") in {"invariant_broken", "adopted"}] == []


async def test_after_a_rescue_each_customer_is_the_owners_on_whose_router_he_is(family: tuple[World, SimulatedPhone]):
    world, wanjiku = family
    payment_ids = [await world.buy(world.amina), await buy_at_the_shop(world, wanjiku)]
    await world.pass_time(60)
    await lose_the_card(world)
    await world.pass_time(60)
    assert await in_order(world)
    found = [await world.payment(payment_id) for payment_id in payment_ids]
    assert [(payment.owner_id, payment.router_id, payment.package_id) for payment in found] == [(1, 1, 2), (2, 2, 102)]
    assert [(await granted(world, payment_id)).state for payment_id in payment_ids] == [GrantState.ACTIVE] * 2


async def test_an_owner_who_sells_no_more_does_not_stop_the_audit(family: tuple[World, SimulatedPhone]):
    world, wanjiku = family
    await buy_at_the_shop(world, wanjiku)
    world.edits.append(lambda document: document["owners"].pop())
    await world.reload()
    lines: list[str] = []
    assert await run_audit(world.config(), lines.append, world.clock) == 0, lines
    await world.pass_time(2 * audit.EVERY_S, 60)
    assert broken(world) == set()
