"""What the customer reads who did not pay, or could not, and that the one big button leads on."""

import pytest
from playwright.async_api import expect

from gateway.simulators.intasend import Outcome
from tests.browser.conftest import WINDOWS, PickUp, Window
from tests.browser.handset import PAYMENT, SOMEWHERE
from tests.e2e.world import World

pytestmark = pytest.mark.long


@WINDOWS
@pytest.mark.parametrize("answer", ["cancel", "wrong_pin"])
async def test_who_did_not_pay_reads_why_and_tries_again_with_everything_filled_in(
    world: World, pick_up: PickUp, answer: str, window: Window
):
    hand = await pick_up(world, world.amina, **window)
    await hand.ask_for("1 day fast")

    getattr(world.amina, answer)()
    await world.pass_time(5)
    await hand.reads({"cancel": "failure.1032.title", "wrong_pin": "failure.2001.title"}[answer])
    await world.pass_time(60, step_s=5)  # the pause after a prompt that somebody sent away
    await hand.tap("failure.again")
    await expect(hand.page.get_by_role("radio", name="1 day fast")).to_be_checked()
    await expect(hand.page.get_by_label(hand.words.say("shop.phone"))).to_have_value("0712345678")
    await hand.tap("shop.pay")
    await hand.is_at(PAYMENT)
    await hand.reads("waiting.title")
    await world.pass_time_until(lambda: world.amina.prompt, within_s=5)

    assert len(world.intasend.pushes) == 2


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.NO_FUNDS, "1"),
        (Outcome.EXPIRED, "1019"),
        (Outcome.UNREACHABLE, "1037"),
        (Outcome.BUSY, "1001"),
        (Outcome.NOT_SENT, "1025"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_the_reason_is_told_in_plain_words(world: World, pick_up: PickUp, outcome: Outcome, code: str):
    world.intasend.script(world.amina.number, outcome)
    hand = await pick_up(world, world.amina)
    await hand.open(SOMEWHERE)
    await hand.press_pay()
    await hand.is_at(PAYMENT)

    await world.pass_time(outcome.after_s + 10, step_s=5)

    await hand.reads(f"failure.{code}.title")
    await hand.reads(f"failure.{code}.next")
    assert not world.amina.online


async def test_a_router_that_is_down_costs_nobody_money(world: World, pick_up: PickUp):
    hand = await pick_up(world, world.amina)
    await hand.open(SOMEWHERE)
    await world.router.stop()
    await world.pass_time(15)

    await hand.press_pay()
    await hand.reads("refusal.RouterUnreachable")

    assert world.intasend.pushes == []
    await world.router.start(port=world.router.port)
    await world.pass_time(15)
    await hand.get_online()


async def test_who_has_paid_while_the_router_was_down_is_let_in_when_it_is_back(world: World, pick_up: PickUp):
    hand = await pick_up(world, world.amina)
    await hand.ask_for()
    await world.router.stop()
    await world.pass_time(5)
    world.amina.enter_pin()
    await world.pass_time(10)
    await hand.reads("blocked.text")

    await world.pass_time(600, step_s=10)
    await world.router.start(port=world.router.port)
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await hand.is_at("/portal/status")

    (grant,) = await world.grants()
    assert grant.ends_s - world.clock.wall_s() > 3_500
