"""A damaged card has forgotten what was asked back: nobody is paid back twice, and nobody gets the time and the money."""

import pytest

from gateway.access import GrantState
from gateway.backups import back_up
from gateway.books import REFUNDS_WAIT_S, ROUTERS_WAIT_S
from gateway.debts import DebtState
from gateway.simulators.intasend import Endpoint, Outcome, fails_with
from tests.e2e.test_books import in_order, lose_the_card
from tests.e2e.test_payment_links import FRIEND, linked
from tests.e2e.test_refunds import NOTICED_S, ask_back, asked_back_in_the_dashboard, paid_for_nothing, shown, wait
from tests.e2e.world import World


@pytest.mark.parametrize("backup", [True, False])
async def test_nobody_gets_both_though_a_damaged_card_has_forgotten_the_refund(world: World, *, backup: bool):
    payment_id = await paid_for_nothing(world)
    await wait(world)
    if backup:
        assert await back_up(world.config(), world.clock)
    assert (await ask_back(world, payment_id))[0] == 200
    await lose_the_card(world)
    await world.pass_time(ROUTERS_WAIT_S + 60, 30)
    assert await in_order(world)
    assert (await shown(world, payment_id))["status"] == "requested"

    await world.router.power_on()
    await world.pass_time(60)
    status, answer = await ask_back(world, payment_id)
    assert (status, answer["refunds"][0]["status"]) == (200, "requested")
    assert len(world.intasend.chargebacks) == 1
    grant = await world.grant(payment_id)
    assert grant is not None
    assert (grant.state, world.amina.online) == (GrantState.REVOKED, False)


async def test_of_a_link_that_was_paid_twice_the_same_payment_is_owed_back_after_a_damaged_card(world: World):
    payment = await linked(world)
    invoices = [world.intasend.pay_page(payment.link_id or "", number) for number in (world.amina.number, FRIEND)]
    await world.pass_time(3)
    for invoice in invoices:
        world.intasend.answer(invoice.invoice_id, Outcome.COMPLETE)
    await wait(world, 600)
    kept = (await world.payment(payment.id)).invoice_id
    assert (await ask_back(world, payment.id))[0] == 200
    await lose_the_card(world)
    await wait(world, NOTICED_S)
    assert (await world.payment(payment.id)).invoice_id == kept
    assert [debt.state for debt in await world.running.refunds.of_payment(payment.id)] == [DebtState.REQUESTED]
    assert len(world.intasend.chargebacks) == 1
    assert world.amina.online


async def test_whoever_got_his_money_back_out_of_courtesy_stays_online_after_a_damaged_card(world: World):
    payment_id = await world.buy(world.amina)
    await asked_back_in_the_dashboard(world, payment_id)
    await lose_the_card(world)
    await world.pass_time(60)
    assert await in_order(world)
    assert world.amina.online
    assert await shown(world, payment_id) is None


@pytest.mark.parametrize(("status", "within_s"), [(403, 0), (500, REFUNDS_WAIT_S)])
async def test_where_what_was_asked_back_cannot_be_read_nobodys_sales_stop_for_long(world: World, status: int, within_s: float):
    await world.buy(world.amina)
    world.intasend.faults.always(Endpoint.CHARGEBACKS, fails_with(status))
    await lose_the_card(world)
    await world.pass_time(20)
    assert await in_order(world) == (within_s == 0)
    await world.pass_time(within_s + 60, 5)
    assert await in_order(world)
    await world.buy(world.otieno)
