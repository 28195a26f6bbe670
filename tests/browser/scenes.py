"""Every page and state of the portal, and how a customer comes to it: what is looked at, and photographed.

A scene begins with somebody who has joined the WiFi, and ends when the page stands. It takes the language of the handset.
"""

from collections.abc import Awaitable, Callable

from gateway.simulators.intasend import Endpoint, Outcome, fails_with, reset_after
from tests.browser.handset import PAYMENT, SOMEWHERE, Handset
from tests.e2e.test_payment_links import for_nobody, pay

Scene = Callable[[Handset], Awaitable[None]]

SCENES: dict[str, Scene] = {}
"""By name, in the order in which a customer may meet them."""


ANSWERS: set[str] = set()
"""Those that are the answer to a form, so that they cannot be asked for again in another language."""


def scene(arrive: Scene) -> Scene:
    SCENES[arrive.__name__.replace("_", "-")] = arrive
    return arrive


def answer(arrive: Scene) -> Scene:
    ANSWERS.add(arrive.__name__.replace("_", "-"))
    return scene(arrive)


@scene
async def shop(hand: Handset) -> None:
    await hand.open(SOMEWHERE)
    await hand.reads("shop.pay")


@answer
async def shop_wrong_number(hand: Handset) -> None:
    await shop(hand)
    await hand.press_pay(number="0812 345 678")
    await hand.reads("refusal.buy.phone")


@answer
async def shop_router_down(hand: Handset) -> None:
    await shop(hand)
    await hand.world.router.stop()
    await hand.world.pass_time(15)
    await hand.press_pay()
    await hand.reads("refusal.RouterUnreachable")


@answer
async def shop_too_many(hand: Handset) -> None:
    await cancelled(hand)
    await hand.tap("failure.again")
    await hand.press_pay()
    await hand.reads("refusal.buy.TooMany")


@scene
async def waiting(hand: Handset) -> None:
    await hand.ask_for()
    await hand.reads("waiting.title")


@scene
async def waiting_long(hand: Handset) -> None:
    await waiting(hand)
    hand.world.intasend.faults.always(Endpoint.STATUS, fails_with(503))
    hand.phone.ignore()
    await hand.world.pass_time(150, step_s=5)
    await hand.page.reload()
    await hand.reads("waiting.over")


@scene
async def unknown(hand: Handset) -> None:
    hand.world.intasend.faults.once(Endpoint.PUSH, reset_after)
    hand.world.intasend.faults.always(Endpoint.INVOICES, fails_with(503))
    await shop(hand)
    await hand.press_pay()
    await hand.reads("unknown.title")


async def _fail(hand: Handset, outcome: Outcome) -> None:
    hand.world.intasend.script(hand.phone.number, outcome)
    await shop(hand)
    await hand.press_pay()
    await hand.is_at(PAYMENT)
    await hand.world.pass_time(outcome.after_s + 10, step_s=5)
    await hand.reads("failure.again")


@scene
async def cancelled(hand: Handset) -> None:
    await _fail(hand, Outcome.CANCELLED)


@scene
async def wrong_pin(hand: Handset) -> None:
    await _fail(hand, Outcome.WRONG_PIN)


@scene
async def no_funds(hand: Handset) -> None:
    await _fail(hand, Outcome.NO_FUNDS)


@scene
async def not_reached(hand: Handset) -> None:
    await _fail(hand, Outcome.UNREACHABLE)


@scene
async def expired(hand: Handset) -> None:
    await _fail(hand, Outcome.EXPIRED)


@scene
async def lapsed(hand: Handset) -> None:
    hand.world.intasend.script(hand.phone.number, Outcome.STUCK)
    await waiting(hand)
    await hand.world.pass_time(26 * 3_600, step_s=1_800)
    await hand.reads("lapsed.title")


@scene
async def disputed(hand: Handset) -> None:
    hand.world.intasend.script(hand.phone.number, Outcome.WRONG_VALUE)
    await shop(hand)
    await hand.press_pay()
    await hand.world.pass_time(15)
    await hand.reads("disputed.title")


@scene
async def opening(hand: Handset) -> None:
    await waiting(hand)
    await hand.world.router.stop()
    await hand.world.pass_time(5)
    hand.phone.enter_pin()
    await hand.world.pass_time(10)
    await hand.reads("blocked.text")


@scene
async def paid_for_another(hand: Handset) -> None:
    payment_id = await hand.world.buy(hand.world.otieno)
    await hand.open(f"{hand.portal}/portal/payments/{payment_id}")
    await hand.reads("online.title")


@scene
async def over(hand: Handset) -> None:
    await paid_for_another(hand)
    await hand.world.pass_time(3_700, step_s=60)
    await hand.page.reload()
    await hand.reads("over.title")


@scene
async def status(hand: Handset) -> None:
    await hand.get_online()
    await hand.reads("status.done")


@scene
async def status_logged_out(hand: Handset) -> None:
    await status(hand)
    await hand.tap("status.log_out")
    await hand.reads("status.logged_out")


@scene
async def status_nothing(hand: Handset) -> None:
    await hand.open(f"{hand.portal}/portal/status")
    await hand.reads("status.none")


@scene
async def status_elsewhere(hand: Handset) -> None:
    await hand.leave_wifi()
    await hand.open(f"{hand.world.url}/portal/status")
    await hand.reads("elsewhere.title")


@scene
async def shop_elsewhere(hand: Handset) -> None:
    await hand.leave_wifi()
    await hand.open(f"{hand.world.url}/")
    await hand.reads("shop.away")


@scene
async def shop_online(hand: Handset) -> None:
    await status(hand)
    await hand.tap("status.extend")
    await hand.reads("shop.extend")


@scene
async def claim(hand: Handset) -> None:
    await shop(hand)
    await hand.tap("foot.claim")
    await hand.reads("claim.use")


@answer
async def claim_refused(hand: Handset) -> None:
    await claim(hand)
    await hand.fill("claim.code", "ABCD-EFGH")
    await hand.tap("claim.use")
    await hand.reads("refusal.claim.NotFound")


@scene
async def link_waiting(hand: Handset) -> None:
    payment = await for_nobody(hand.world)
    await hand.open(f"{hand.portal}/payment/success/{payment.id}")
    await hand.reads("link.title")


@scene
async def link_paid(hand: Handset) -> None:
    payment = await for_nobody(hand.world)
    await pay(hand.world, payment)
    await hand.world.pass_time(10)
    await hand.open(f"{hand.portal}/payment/success/{payment.id}")
    await hand.reads("unclaimed_code.title")


@scene
async def link_not_paid(hand: Handset) -> None:
    payment = await for_nobody(hand.world)
    await hand.open(f"{hand.portal}/payment/failed/{payment.id}")
    await hand.reads("link.said_failed")


@scene
async def nothing_here(hand: Handset) -> None:
    await hand.open(f"{hand.portal}/portal/payments/00000000-0000-4000-8000-000000000000")
    await hand.reads("refusal.NotFound")
