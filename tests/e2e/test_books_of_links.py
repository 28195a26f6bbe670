"""Links in the books: whoever paid one is found again after a damaged card, and what cannot be is told by its invoice."""

from pathlib import Path

import pytest
from aiohttp import web

from gateway import audit, books
from gateway.access import GrantState
from gateway.identity import Duration
from gateway.invariants import Invariant
from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint, Outcome, fails_with, reset_after
from gateway.simulators.intasend.faults import Proceed
from gateway.store import links as link_rows
from tests.e2e.test_audit import broken, told
from tests.e2e.test_books import EXACT_S, granted, in_order, lose_the_card, with_backup
from tests.e2e.test_payment_links import FRIEND, create_link, for_nobody, is_active, linked, pay, shown
from tests.e2e.world import WANJIKU, World


@pytest.fixture
async def world(tmp_path: Path):
    async with World(tmp_path) as world:
        await world.start()
        yield world


def messages(caplog: pytest.LogCaptureFixture, action: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if getattr(record, "action", "") == action]


async def test_a_link_that_was_made_and_paid_after_the_backup_is_known_again_on_its_device(world: World):
    await with_backup(world)
    made = await linked(world)
    invoice_id = await pay(world, made)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    before = await granted(world, made.id)
    await lose_the_card(world)
    assert world.amina.online
    await world.pass_time(20)
    payment, grant = await world.payment(made.id), await granted(world, made.id)
    assert await in_order(world)
    assert (payment.state, payment.is_link, payment.link_id, payment.invoice_id) == (
        PaymentState.PAID,
        True,
        made.link_id,
        invoice_id,
    )
    assert (payment.phone.digits, payment.package_id, payment.api_ref) == (FRIEND, 2, made.api_ref)
    assert (grant.id, grant.state, grant.mac) == (before.id, GrantState.ACTIVE, before.mac)
    assert grant.ends_s == pytest.approx(before.ends_s, abs=EXACT_S)
    assert not is_active(world, made)


async def test_a_link_that_was_paid_after_the_backup_is_paid_again(world: World):
    made = await linked(world)
    await with_backup(world)
    await pay(world, made)
    await world.pass_time_until(lambda: world.amina.online, within_s=60)
    before = await granted(world, made.id)
    await world.pass_time(1_200, 60)
    await lose_the_card(world)
    await world.pass_time(20)
    assert (await world.payment(made.id)).state is PaymentState.PAID
    grant = await granted(world, made.id)
    assert (grant.state, world.amina.online) == (GrantState.ACTIVE, True)
    assert grant.ends_s == pytest.approx(before.ends_s, abs=EXACT_S)


async def test_a_link_whose_time_has_run_by_the_time_that_the_card_dies_gives_nothing_more(world: World):
    made = await linked(world, package_id=1, amount="5")
    await with_backup(world)
    await pay(world, made)
    await world.pass_time_until(lambda: world.amina.online, within_s=60)
    await world.pass_time(300, 30)
    await lose_the_card(world)
    await world.pass_time(60)
    assert (await granted(world, made.id)).state is GrantState.ENDED
    assert not world.amina.online


async def test_a_link_that_was_paid_behind_what_was_running_is_behind_it_again(world: World):
    first = await world.buy(world.amina)
    made = await linked(world, package_id=3, amount="200")
    await with_backup(world)
    await pay(world, made)
    await world.pass_time(60)
    before = await granted(world, made.id)
    assert before.state is GrantState.ACTIVE
    await lose_the_card(world)
    await world.pass_time(60)
    ahead, behind = await granted(world, first), await granted(world, made.id)
    assert behind.starts_at_s == pytest.approx(ahead.ends_s, abs=EXACT_S)
    assert behind.ends_s == pytest.approx(before.ends_s, abs=EXACT_S)
    assert ahead.duration == Duration(3_600)


async def test_a_link_that_was_paid_while_the_card_was_dead_lets_its_device_in_for_the_whole_time(world: World):
    made = await linked(world)
    await with_backup(world)
    await world.stop()
    await lose_and_pay(world, made.link_id or "")
    await world.pass_time_until(lambda: world.amina.online, within_s=30)
    grant = await granted(world, made.id)
    assert grant.ends_s - world.clock.wall_s() == pytest.approx(3_600, abs=30)


async def test_a_link_that_was_paid_while_the_card_was_dead_waits_for_its_payer_with_the_same_page(world: World):
    made = await for_nobody(world)
    await world.stop()
    await lose_and_pay(world, made.link_id or "")
    await world.pass_time(20)
    grant = await granted(world, made.id)
    assert grant.state is GrantState.UNCLAIMED
    status, text = await shown(world, f"/payment/success/{made.id}")
    assert (status, (grant.claim_code or "?")[:4] in text) == (200, True)


async def lose_and_pay(world: World, link_id: str) -> None:
    """Somebody pays while the power is off and the card is dying."""
    invoice = world.intasend.pay_page(link_id, FRIEND)
    world.clock.advance(3)
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await lose_the_card(world)


async def test_a_link_that_only_the_lost_database_knew_is_served_within_two_minutes_of_its_payment(world: World):
    made = await for_nobody(world)
    await lose_the_card(world)
    await world.pass_time(1_800, 30)
    assert await world.payments() == []
    await pay(world, made)
    await world.pass_time(books.SOON_S + 5)
    payment = await world.payment(made.id)
    assert (payment.state, (await granted(world, made.id)).is_unclaimed) == (PaymentState.PAID, True)
    assert not is_active(world, payment)


async def test_a_link_that_only_the_lost_database_knew_is_served_within_the_hour_when_its_payer_took_hours(world: World):
    made = await for_nobody(world)
    await lose_the_card(world)
    open_page = world.intasend.pay_page(made.link_id or "", FRIEND)
    await world.pass_time(books.RECENT_S + books.SOON_S, 60)
    await world.buy(world.amina)  # the newest by far: the readings in between begin an hour before it
    world.intasend.answer(open_page.invoice_id, Outcome.COMPLETE)
    await world.pass_time(books.EVERY_S + books.SOON_S, 60)
    assert (await world.payment(made.id)).state is PaymentState.PAID


async def test_an_attempt_that_failed_is_not_taken_for_the_payment(world: World):
    made = await for_nobody(world)
    open_page = world.intasend.pay_page(made.link_id or "", WANJIKU[3])
    await world.pass_time(3)
    await lose_the_card(world)
    await world.pass_time(20)
    assert await world.payments() == []
    world.intasend.answer(open_page.invoice_id, Outcome.CANCELLED)
    invoice_id = await pay(world, made)
    await world.pass_time(books.SOON_S)
    payment = await world.payment(made.id)
    assert (payment.state, payment.invoice_id) == (PaymentState.PAID, invoice_id)
    assert await surplus(world, made.id) == []


async def surplus(world: World, payment_id: str) -> list[str]:
    return await world.running.db.read(lambda tx: link_rows.surplus_of(tx, payment_id))


async def test_a_link_that_was_paid_twice_is_owed_back_once_after_the_card_is_lost(world: World, caplog: pytest.LogCaptureFixture):
    made = await linked(world)
    invoices = [world.intasend.pay_page(made.link_id or "", number) for number in (FRIEND, WANJIKU[3])]
    await world.pass_time(3)
    for invoice in invoices:
        world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await world.pass_time(60)
    caplog.clear()
    await lose_the_card(world)
    await world.pass_time(300, 5)
    payment = await world.payment(made.id)
    assert {payment.invoice_id, *await surplus(world, made.id)} == {invoice.invoice_id for invoice in invoices}
    assert len(await world.grants()) == 1
    assert told(caplog, "adopted") == told(caplog, "refund_due") == [made.id]


async def test_a_link_that_is_no_gateways_is_left_alone_and_asked_about_once(world: World):
    await link_of_somebody_else(world)
    asked: list[str] = []

    async def watch(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        asked.append(request.method)
        return await proceed()

    world.intasend.faults.always(Endpoint.LINK, watch)
    await lose_the_card(world)
    await world.pass_time(3 * books.SOON_S, 10)
    assert await in_order(world)
    assert await world.payments() == []
    assert asked == ["GET"]


async def link_of_somebody_else(world: World) -> None:
    """The owner sells a haircut; the link, which is paid."""
    made = await for_nobody(world)
    world.intasend.links[made.link_id or ""]["redirect_url"] = "https://haircuts.example.org/thank-you"
    await pay(world, made)
    await world.pass_time(30)


async def test_money_through_a_link_that_cannot_be_read_stops_nobody_and_is_told(world: World, caplog: pytest.LogCaptureFixture):
    made = await for_nobody(world)
    invoice_id = await pay(world, made)
    world.intasend.faults.always(Endpoint.LINK, fails_with(404))
    await lose_the_card(world)
    await world.pass_time(10)
    assert await in_order(world)
    (sentence,) = messages(caplog, "paid_not_recorded")
    assert invoice_id in sentence
    assert "50.00 KES" in sentence
    assert f"{FRIEND[:4]}•••••{FRIEND[-3:]}" in sentence
    await world.pass_time(audit.FIRST_S + audit.EVERY_S + audit.SEEN_AFTER_S, 60)
    (sentence,) = messages(caplog, "look_at_it")
    assert invoice_id in sentence
    assert (broken(world), len(messages(caplog, "paid_not_recorded"))) == (set(), 1)


async def test_a_link_whose_answer_was_lost_before_the_backup_is_found_by_its_invoice(world: World):
    world.intasend.faults.once(Endpoint.LINKS, reset_after)
    world.intasend.faults.once(Endpoint.LINKS, fails_with(503), fails_with(503), fails_with(503))
    status, answer = await world.in_time(create_link(world))
    payment_id = answer["payment_id"]
    assert (status, (await world.payment(payment_id)).state) == (502, PaymentState.UNKNOWN)
    world.intasend.faults.always(Endpoint.LINKS, fails_with(503))  # the poller's way is closed
    (link_id,) = world.intasend.links
    invoice = world.intasend.pay_page(link_id, FRIEND)
    await world.pass_time(3)
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await world.pass_time(books.FIRST_S + 60, 60)
    payment = await world.payment(payment_id)
    assert (payment.state, payment.link_id, payment.invoice_id) == (PaymentState.PAID, link_id, invoice.invoice_id)
    assert world.amina.online


async def test_nothing_is_sold_until_it_is_known_whose_a_link_is(world: World):
    made = await for_nobody(world)
    await pay(world, made)
    world.intasend.faults.always(Endpoint.LINK, fails_with(503))
    await lose_the_card(world)
    await world.pass_time(30)
    assert not await in_order(world)
    world.intasend.faults.clear()
    await world.pass_time(60)
    assert await in_order(world)
    assert (await world.payment(made.id)).state is PaymentState.PAID


async def test_a_link_paid_by_somebody_whom_nobody_can_call_is_told_at_once(world: World, caplog: pytest.LogCaptureFixture):
    made = await for_nobody(world)
    await pay(world, made)
    (invoice,) = world.intasend.invoices.values()
    object.__setattr__(invoice.order, "phone", "jane@example.com")
    await lose_the_card(world)
    await world.pass_time(60)
    (sentence,) = messages(caplog, "paid_not_recorded")
    assert invoice.invoice_id in sentence
    await world.pass_time(audit.FIRST_S + audit.EVERY_S + audit.SEEN_AFTER_S, 60)
    assert broken(world) == {Invariant.ONE_PAYMENT.value}
    assert len(messages(caplog, "paid_not_recorded")) == 1


async def test_who_was_served_for_a_link_that_is_not_paid_after_all_is_told(world: World, caplog: pytest.LogCaptureFixture):
    made = await linked(world)
    invoice_id = await pay(world, made)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    world.intasend.answer(invoice_id, Outcome.CANCELLED)
    await world.pass_time(audit.SEEN_AFTER_S + 2 * audit.EVERY_S, 60)
    assert told(caplog, "invariant_broken") == [made.id]


async def test_a_receipt_that_pays_a_prompt_and_a_link_is_told(world: World, caplog: pytest.LogCaptureFixture):
    await world.buy(world.otieno)
    made = await linked(world)
    invoice = world.intasend.pay_page(made.link_id or "", FRIEND)
    invoice.receipt = world.intasend.pushes[0].receipt
    await world.pass_time(3)
    world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await world.pass_time(audit.FIRST_S + audit.EVERY_S, 60)
    assert told(caplog, "invariant_broken") == [made.id]
