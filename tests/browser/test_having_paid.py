"""Who has paid already: on another phone, by a link, logged out for a while, or at another place."""

from playwright.async_api import expect

from gateway.simulators.air.firewall import server_profile
from tests.browser.conftest import PickUp
from tests.browser.handset import SOMEWHERE
from tests.e2e.test_payment_links import for_nobody, pay
from tests.e2e.world import World


async def test_the_receipt_takes_the_time_to_another_phone_and_the_first_one_is_out(world: World, pick_up: PickUp):
    amina, otieno = await pick_up(world, world.amina), await pick_up(world, world.otieno)
    payment_id = await amina.get_online()
    receipt = (await world.payment(payment_id)).receipt
    assert receipt
    await amina.reads("status.receipt")
    await world.pass_time(600, step_s=60)

    await otieno.open(SOMEWHERE)
    await otieno.tap("foot.claim")
    await otieno.fill("claim.code", receipt.lower())
    await otieno.tap("claim.use")
    await world.pass_time_until(lambda: world.otieno.online, within_s=15)
    await otieno.is_at("/portal/status")
    await otieno.reads("status.online")

    assert not world.amina.online
    await amina.open(SOMEWHERE)
    await amina.reads("shop.pay")


async def test_who_paid_by_a_link_gets_a_code_and_uses_it(world: World, pick_up: PickUp):
    hand = await pick_up(world, world.amina)
    payment = await for_nobody(world)
    await pay(world, payment)
    await world.pass_time(10)
    await hand.open(f"{hand.portal}/payment/success/{payment.id}")
    await hand.reads("unclaimed_code.label")
    grant = await world.grant(payment.id)
    assert grant
    assert grant.claim_code

    await hand.open(f"{hand.portal}/portal/claim")
    await hand.fill("claim.code", grant.claim_code)
    await hand.tap("claim.use")
    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    await hand.is_at("/portal/status")


async def test_a_wrong_code_is_told_beside_the_field_and_what_was_typed_stays(world: World, pick_up: PickUp):
    hand = await pick_up(world, world.amina)
    await hand.open(f"{hand.portal}/portal/claim")

    await hand.fill("claim.code", "TJRHC8IET4")
    await hand.tap("claim.use")

    await hand.reads("refusal.claim.NotFound")
    field = hand.page.get_by_label(hand.words.say("claim.code"))
    await expect(field).to_have_value("TJRHC8IET4")
    await expect(field).to_be_focused()


async def test_who_logs_out_is_out_and_comes_back_in(world: World, pick_up: PickUp):
    hand = await pick_up(world, world.amina)
    await hand.get_online()

    await hand.tap("status.log_out")
    await hand.reads("status.logged_out")
    await world.pass_time(5)
    assert not world.amina.online

    await hand.tap("status.log_in")
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    await hand.reads("status.log_out")


async def test_the_status_is_what_the_routers_own_status_page_leads_to(world: World, pick_up: PickUp):
    hand = await pick_up(world, world.amina)
    await hand.get_online()

    await hand.open(f"http://{server_profile(world.router)['hotspot-address']}/status")

    await hand.is_at("/portal/status")
    await hand.reads("status.extend")
