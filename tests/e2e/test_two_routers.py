"""Two routers of one owner: what happens at one is nothing to the other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.access import GrantState
from gateway.hotspot.wire import Conversation
from gateway.simulators.routeros import SimulatedRouter
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours
from tests.e2e.world import PATIENCE_S, World


class Chain:
    """A site with a second router, and Wanjiku's phone there."""

    def __init__(self, world: World, second: SimulatedRouter) -> None:
        self.world = world
        self.second = second
        self.wanjiku = world.guest(router=second)

    async def buy_there(self) -> str:
        return await self.world.buy(self.wanjiku, package_id=21, amount="5", router_id=2)


@pytest.fixture
async def chain(open_site: OpenSite) -> AsyncIterator[Chain]:
    world = await open_site()
    second = SimulatedRouter(world.clock)
    await second.start()

    def with_second_router(document: dict[str, Any]) -> None:
        [first] = document["owners"][0]["routers"]
        packages = [{"id": 21, "name": "2 minutes", "price": "5", "duration": "2m"}]
        document["owners"][0]["routers"].append(first | {"id": 2, "name": "Stage", "port": second.port, "packages": packages})

    world.edits.append(with_second_router)
    await world.reload()
    yield Chain(world, second)
    await second.stop()


async def test_each_phone_is_let_in_at_its_own_router(chain: Chain):
    await chain.buy_there()
    await chain.world.buy(chain.world.amina)

    assert [row["mac-address"] for row in ours(chain.second)] == [chain.wanjiku.mac]
    assert [row["mac-address"] for row in ours(chain.world.router)] == [chain.world.amina.mac]


async def test_a_router_that_is_dead_holds_up_nothing_at_the_other(chain: Chain):
    world = chain.world
    await world.buy(world.amina, package_id=1, amount="5")
    await chain.second.power_off()
    await world.pass_time(20)

    status, _ = await world.initiate(chain.wanjiku, package_id=21, amount="5", router_id=2)
    assert status == 503
    await world.buy(world.otieno, package_id=1, amount="5")
    await world.pass_time_until(lambda: not world.amina.online, within_s=121)
    await world.pass_time_until(lambda: not world.otieno.online, within_s=121)

    assert {grant.state for grant in await world.grants()} == {GrantState.ENDED}


async def test_a_router_that_never_answers_holds_up_nothing_at_the_other(chain: Chain):
    world = chain.world
    world.stuck = {"compare:2"}
    chain.second.faults.silent = True
    await world.pass_time(6)
    assert world.running.scheduler._busy == {"compare:2"}

    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(121)

    assert world.running.scheduler._busy == {"compare:2"}
    assert not world.amina.online
    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.state is GrantState.ENDED


async def test_a_package_is_sold_at_its_own_router_only(chain: Chain):
    status, answer = await chain.world.initiate(chain.world.amina, package_id=21, amount="5")

    assert (status, answer["error"]) == (404, "Package not found or not active for this router")


async def test_both_are_mended_after_a_power_cut_of_the_whole_house(chain: Chain):
    world = chain.world
    await world.buy(world.amina)
    await chain.buy_there()
    await world.stop()
    for router in (world.router, chain.second):
        await router.power_off()
        await router.power_on()

    await world.start()
    await world.pass_time_until(lambda: world.amina.online and chain.wanjiku.online, within_s=15)


async def test_a_stop_closes_the_connections_to_all_routers_at_the_same_time(chain: Chain, monkeypatch: pytest.MonkeyPatch):
    """One that never answers the end of TLS is waited for during a second (facts, routeros 1.1), not each after the other."""
    real, all_closing = Conversation.close, asyncio.Barrier(4)  # two connections to each router

    async def close(self: Conversation) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await all_closing.wait()
        await real(self)

    await chain.world.pass_time(35)  # compared: both connections are open
    monkeypatch.setattr(Conversation, "close", close)
    await chain.world.stop()
