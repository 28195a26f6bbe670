"""Books that balance: after a damaged card everything that was sold is known again, and nobody pays twice."""

from decimal import Decimal

import pytest

from gateway import backups, books
from gateway.access import Grant, GrantState
from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint, Order, Outcome, fails_with
from gateway.store import rescues
from tests.e2e.world import World
from tests.unit.store.test_backups import damage

EXACT_S = 2.0
"""The router's row carries the end in whole seconds."""


async def with_backup(world: World) -> None:
    await world.pass_time(backups.FIRST_S + 60, 20)


async def lose_the_card(world: World) -> None:
    """Power off, a damaged file, power on; a time server answers."""
    await world.stop()
    world.clock.synchronise()
    damage(world.folder / "data" / "gateway.db")
    await world.start()


async def in_order(world: World) -> bool:
    return not await world.running.db.read(rescues.is_unsettled)


async def granted(world: World, payment_id: str) -> Grant:
    grant = await world.grant(payment_id)
    assert grant is not None
    return grant


async def until_over(world: World, grant: Grant) -> None:
    """Nobody is shut out early, and nobody stays."""
    await world.pass_time(grant.ends_s - world.clock.wall_s() - 1, 30)
    assert world.amina.online
    await world.pass_time(3)
    assert not world.amina.online


async def test_what_was_sold_after_the_backup_is_known_again_and_ends_when_it_was_to_end(world: World):
    await with_backup(world)
    payment_id = await world.buy(world.amina)
    before = await granted(world, payment_id)
    await world.pass_time(600, 30)
    await lose_the_card(world)
    assert world.amina.online
    await world.pass_time(20)
    payment, grant = await world.payment(payment_id), await granted(world, payment_id)
    assert await in_order(world)
    assert (payment.state, payment.phone.digits, str(payment.amount)) == (PaymentState.PAID, world.amina.number, "50.00")
    assert payment.package_id == 2
    assert (grant.id, grant.state, grant.mac) == (before.id, GrantState.ACTIVE, before.mac)
    assert grant.ends_s == pytest.approx(before.ends_s, abs=EXACT_S)
    await until_over(world, before)
    assert len(world.intasend.pushes) == 1


HOUR_S = 3_600.0
WRONG = pytest.mark.parametrize("wrong_by_s", [-8 * HOUR_S, 8 * HOUR_S, 365 * 24 * HOUR_S])
MENDED_S = 7.0
"""Until the line has followed a clock that was set."""


async def lose_the_card_and_the_time(world: World, *, wrong_by_s: float, off_s: float = 0.0) -> None:
    await world.stop()
    world.clock.reboot(off_s=off_s, wrong_by_s=wrong_by_s)
    damage(world.folder / "data" / "gateway.db")
    await world.start()


@WRONG
async def test_a_wrong_clock_beside_a_damaged_card_takes_nothing_from_whom_the_backup_knows(world: World, wrong_by_s: float):
    world.clock.synchronise()  # until now it was right
    payment_id = await world.buy(world.amina)
    await with_backup(world)
    before = await granted(world, payment_id)
    await lose_the_card_and_the_time(world, wrong_by_s=wrong_by_s)
    await world.pass_time(900, 30)
    assert world.amina.online
    assert await granted(world, payment_id) == before
    world.clock.synchronise(ahead_s=-wrong_by_s)
    await world.pass_time(MENDED_S)
    await until_over(world, before)


@WRONG
async def test_what_was_sold_after_the_backup_ends_when_it_was_to_end_although_the_clock_was_wrong(world: World, wrong_by_s: float):
    await with_backup(world)
    await world.pass_time(600, 30)
    payment_id = await world.buy(world.amina)
    before = await granted(world, payment_id)
    await lose_the_card_and_the_time(world, wrong_by_s=wrong_by_s, off_s=60)
    await world.pass_time(books.TIME_WAIT_S - 60, 30)
    assert world.amina.online
    assert not await in_order(world)
    world.clock.synchronise(ahead_s=-wrong_by_s)
    await world.pass_time(MENDED_S + books.RETRY_S)
    assert (await granted(world, payment_id)).ends_s == pytest.approx(before.ends_s, abs=EXACT_S)
    await until_over(world, before)


@WRONG
async def test_where_nobody_knows_the_time_it_is_sold_again_after_ten_minutes(world: World, wrong_by_s: float):
    await with_backup(world)
    payment_id = await world.buy(world.amina)
    await lose_the_card_and_the_time(world, wrong_by_s=wrong_by_s)
    await world.pass_time(books.TIME_WAIT_S + 2 * books.RETRY_S, 20)
    assert await in_order(world)
    assert world.amina.online
    assert (await granted(world, payment_id)).state is GrantState.ACTIVE


async def test_without_any_backup_whoever_is_online_stays_and_is_known_again(world: World):
    payment_id = await world.buy(world.amina)
    before = await granted(world, payment_id)
    await world.pass_time(100, 10)
    await lose_the_card(world)
    await world.pass_time(20)
    grant = await granted(world, payment_id)
    assert grant.state is GrantState.ACTIVE
    assert grant.ends_s == pytest.approx(before.ends_s, abs=EXACT_S)
    await until_over(world, before)


async def test_an_extension_that_was_bought_after_the_backup_is_not_lost(world: World):
    first = await world.buy(world.amina)
    await with_backup(world)
    second = await world.buy(world.amina, package_id=3, amount="200")
    await world.pass_time(20)
    ends_s = (await granted(world, second)).ends_s
    await lose_the_card(world)
    await world.pass_time(20)
    ahead, behind = await granted(world, first), await granted(world, second)
    assert behind.state is GrantState.ACTIVE
    assert behind.starts_at_s == pytest.approx(ahead.ends_s, abs=EXACT_S)
    assert behind.ends_s == pytest.approx(ends_s, abs=EXACT_S)
    assert behind.mac == ahead.mac


async def test_an_extension_can_be_bought_afterwards(world: World):
    first = await world.buy(world.amina)
    await lose_the_card(world)
    await world.pass_time(20)
    second = await world.buy(world.amina)
    await world.pass_time(20)
    ahead, behind = await granted(world, first), await granted(world, second)
    assert behind.starts_at_s == ahead.ends_s


async def test_nothing_is_sold_and_nobody_is_cut_while_intasend_cannot_be_read(world: World, caplog: pytest.LogCaptureFixture):
    await with_backup(world)
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    await world.stop()
    world.intasend.faults.always(Endpoint.INVOICES, fails_with(503))
    damage(world.folder / "data" / "gateway.db")
    await world.start()
    status, answer = await world.in_time(world.initiate(world.otieno))
    assert status == 503
    assert "books in order" in str(answer)
    assert world.amina.online
    await world.pass_time(600, 5)
    assert not world.amina.online  # her two minutes are over, which the router knows by itself
    assert not await in_order(world)
    assert len(world.intasend.pushes) == 1
    assert [vars(record)["action"] for record in caplog.records].count("books_unread") == 1
    world.intasend.faults.clear()
    await world.pass_time(60)
    assert await in_order(world)
    assert (await granted(world, payment_id)).state is GrantState.ENDED
    await world.buy(world.otieno)


async def test_whoever_asks_about_a_payment_before_the_books_are_in_order_is_told_to_ask_again(world: World):
    await with_backup(world)
    payment_id = await world.buy(world.amina)
    world.intasend.faults.always(Endpoint.INVOICES, fails_with(503))
    await lose_the_card(world)
    status, answer = await world.in_time(world.check(payment_id))
    assert (status, "Ask again in a minute" in str(answer)) == (503, True)
    async with world.http.get(f"{world.url}/portal/payments/{payment_id}") as page:
        assert (page.status, page.headers["Retry-After"]) == (503, "60")
        assert "not here any more" not in await page.text()
    world.intasend.faults.clear()
    await world.pass_time(60)
    status, answer = await world.in_time(world.check(payment_id))
    assert (status, answer["status"]) == (200, "completed")
    status, _ = await world.in_time(world.check("00000000-0000-4000-8000-000000000000"))
    assert status == 404


async def test_an_extension_holds_while_the_books_are_not_in_order(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(60)
    assert await backups.back_up(world.config(), world.clock)
    second = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(10)
    ends_s = (await granted(world, second)).ends_s
    await world.stop()
    world.intasend.faults.always(Endpoint.INVOICES, fails_with(503))
    damage(world.folder / "data" / "gateway.db")
    await world.start()
    await world.pass_time(ends_s - world.clock.wall_s() - 20)
    assert world.amina.online  # the first is over for a minute and a half
    world.intasend.faults.clear()
    await world.pass_time(35)
    assert not world.amina.online
    assert await in_order(world)


async def test_a_prompt_that_was_open_when_the_card_died_is_followed_to_its_end(world: World):
    payment_id = await world.ask(world.amina)
    await lose_the_card(world)
    await world.pass_time(20)
    assert (await world.payment(payment_id)).state is PaymentState.PUSHED
    world.amina.enter_pin()
    await world.pass_time(60)
    assert (await world.payment(payment_id)).state is PaymentState.PAID
    assert (await granted(world, payment_id)).is_unclaimed  # nobody knows which device pressed Pay: the receipt claims it
    assert len(world.intasend.pushes) == 1


async def test_time_that_has_run_does_not_come_back(world: World):
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(200, 10)
    assert not world.amina.online
    await lose_the_card(world)
    await world.pass_time(20)
    assert (await granted(world, payment_id)).state is GrantState.ENDED
    assert await in_order(world)


async def test_a_router_that_is_silent_for_longer_than_the_books_wait_takes_nothing_from_its_customers(world: World):
    payment_id = await world.buy(world.amina)
    before = await granted(world, payment_id)
    await world.stop()
    port = world.router.port
    await world.router.stop()  # its cable: whoever is online stays so
    damage(world.folder / "data" / "gateway.db")
    await world.start()
    await world.pass_time(books.ROUTERS_WAIT_S - 60, 10)
    assert not await in_order(world)
    await world.pass_time(120, 5)
    assert await in_order(world)
    assert (await granted(world, payment_id)).is_unclaimed
    assert world.amina.online

    await world.router.start(port=port)
    for _ in range(60):
        await world.pass_time(5)
        assert world.amina.online
    grant = await granted(world, payment_id)
    assert (grant.state, grant.mac) == (GrantState.ACTIVE, before.mac)
    assert grant.ends_s == pytest.approx(before.ends_s, abs=EXACT_S)


async def test_comparing_again_changes_nothing(world: World):
    await with_backup(world)
    await world.buy(world.amina, package_id=3, amount="200")
    await lose_the_card(world)
    await world.pass_time(30)
    events = await count_of_events(world)
    writes = world.router.writes
    await world.pass_time(2 * books.EVERY_S, 60)
    assert await count_of_events(world) == events
    assert world.router.writes == writes


async def count_of_events(world: World) -> int:
    kinds = "kind GLOB 'payment.*' OR kind GLOB 'grant.*'"
    return await world.running.db.read(lambda tx: tx.execute(f"SELECT count(*) FROM event WHERE {kinds}").fetchone()[0])


async def test_another_gateways_customers_are_left_to_it(world: World):
    invoice = world.intasend.accept(Order(phone=world.amina.number, amount=Decimal(50), api_ref="HG-" + "F" * 32))
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await lose_the_card(world)
    await world.pass_time(20)
    assert await world.payments() == []
    assert await in_order(world)


async def test_money_that_everybody_missed_is_brought_in_within_the_hour(world: World):
    payment_id = await world.ask(world.amina)
    world.amina.cancel()
    await world.pass_time(30)
    assert (await world.payment(payment_id)).state is PaymentState.FAILED
    await world.pass_time(books.FIRST_S, 60)
    (push,) = world.intasend.pushes
    world.intasend.faults.always(Endpoint.STATUS, fails_with(503))  # the poller's way is closed
    world.intasend.answer(push.invoice_id, Outcome.COMPLETE)
    await world.pass_time_until(lambda: world.amina.online, within_s=books.EVERY_S + books.SOON_S + 60, step_s=30)
    assert (await world.payment(payment_id)).state is PaymentState.PAID


async def test_a_list_that_could_not_be_read_is_read_again_soon_and_not_after_an_hour(world: World):
    payment_id = await world.ask(world.amina)
    world.amina.cancel()
    await world.pass_time(30)
    (push,) = world.intasend.pushes
    for endpoint in (Endpoint.STATUS, Endpoint.INVOICES):
        world.intasend.faults.always(endpoint, fails_with(503))
    world.intasend.answer(push.invoice_id, Outcome.COMPLETE)
    await world.pass_time(books.FIRST_S + 60, 30)
    assert (await world.payment(payment_id)).state is PaymentState.FAILED
    world.intasend.faults.clear()
    world.intasend.faults.always(Endpoint.STATUS, fails_with(503))
    await world.pass_time_until(lambda: world.amina.online, within_s=2 * books.SOON_S, step_s=15)
