"""Nobody is asked for money for what could not be delivered: the gateway says so instead."""

from gateway.payments import PaymentState
from tests.e2e.conftest import OpenSite
from tests.e2e.world import Answer, World


async def refused(world: World, answer: Answer, *, part: str) -> None:
    """It was refused with a sentence that says so, kept as a refused payment, and never sent to the provider."""
    status, told = answer
    assert (status, part in told["error"], "not been charged" in told["error"]) == (503, True, True), told
    assert told["retry_after_s"] > 0
    payment = await world.payment(told["payment_id"])
    assert (payment.state, payment.pushed_at_s) == (PaymentState.REFUSED, None)
    assert "payment.pushing" not in await world.story(payment.id)


async def full(open_site: OpenSite, **settings: str) -> World:
    """A site whose router may have one device online at a time."""
    world = await open_site(**settings)
    world.router.hotspot.licence = "3"
    await world.restart()
    return world


async def test_a_router_whose_licence_is_used_up_sells_to_nobody_else(open_site: OpenSite):
    world = await full(open_site)
    await world.buy(world.amina)
    await world.pass_time(20)
    pushes = len(world.intasend.pushes)

    await refused(world, await world.initiate(world.otieno), part="full")
    assert len(world.intasend.pushes) == pushes


async def test_whoever_is_online_already_extends_although_the_licence_is_used_up(open_site: OpenSite):
    world = await full(open_site)
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(20)

    await world.ask(world.amina, package_id=1, amount="5")
    world.amina.enter_pin()
    await world.pass_time(130)
    assert world.amina.online


async def test_the_place_of_somebody_who_was_asked_for_money_is_not_sold_twice(open_site: OpenSite):
    world = await full(open_site)
    first = await world.ask(world.amina)
    await refused(world, await world.initiate(world.otieno), part="full")

    status, again = await world.initiate(world.amina)
    assert (status, again["payment"]["id"]) == (200, first)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await refused(world, await world.initiate(world.otieno), part="full")


async def test_when_somebody_has_gone_the_next_one_buys(open_site: OpenSite):
    world = await full(open_site)
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(130)

    await world.buy(world.otieno)


async def test_a_router_with_room_and_one_without_limit_sell(open_site: OpenSite):
    world = await open_site()
    await world.buy(world.amina)
    world.router.hotspot.licence = "6"
    await world.restart()
    await world.buy(world.otieno)


async def test_bindings_are_no_logins_and_know_no_licence(open_site: OpenSite):
    world = await full(open_site, way="binding")
    await world.buy(world.amina)
    await world.pass_time(20)
    await world.buy(world.otieno)


async def test_a_link_is_made_while_the_wifi_is_full_because_it_is_paid_later(open_site: OpenSite):
    world = await full(open_site)
    await world.buy(world.amina)
    body = {"router_id": 1, "package_id": 2, "phone_number": "0723456789", "amount": "50"}

    assert (await world.post("/payments/intasend/create-link/", body))[0] == 201


async def test_a_router_that_is_down_sells_nothing(world: World):
    await world.router.power_off()
    await world.pass_time(15)

    await refused(world, await world.initiate(world.amina), part="router does not answer")
    assert world.intasend.pushes == []


async def test_while_the_provider_is_not_asked_no_push_is_recorded(world: World):
    await world.intasend.stop()
    for _ in range(5):
        assert (await world.initiate(world.amina))[0] == 503
    await world.intasend.start(port=world.intasend.port)

    await refused(world, await world.initiate(world.otieno), part="M-Pesa is not reachable")
    assert world.intasend.pushes == []
    await world.pass_time(16)
    await world.buy(world.otieno)
