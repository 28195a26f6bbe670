"""The page on which a customer buys: what is on sale, what is refused how it is said, and one payment for any number of taps."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.access import GrantState
from gateway.payments import PaymentState
from gateway.portal import DeviceStanding
from gateway.simulators.intasend import Endpoint, Outcome, fails_with
from gateway.visitors import Visitor, Visitors, no_answer
from gateway.web import portal_shop
from tests.e2e.portal import Browser, PortalWorld
from tests.unit.web.purchases import GRANT, PAYMENT
from tests.unit.web.requests import with_stranger

NO_PHONE = "This is not a Kenyan mobile number"


async def money_asked(site: PortalWorld) -> int:
    await site.quiet()
    return len(site.intasend.pushes)


@pytest.mark.parametrize("path", ["/", "/portal/"])
async def test_the_page_shows_what_is_on_sale_and_nothing_else(amina: Browser, path: str):
    page = await amina.open(path)
    assert page.read.texts["b"] == ["Njeri WiFi", "KES 5", "KES 50", "KES 200", "KES 10"]
    assert page.read.texts["span"] == ["2 minutes", "1 hour", "1 day fast", "10 megabytes"]
    assert page.read.texts["small"] == ["up to 5 Mbps", "up to 20 Mbps", "10 MB"]
    assert page.read.texts["legend"] == ["How long? WiFi at Kiosk"]
    assert [said["value"] for said in page.marks("input") if said.get("type") == "radio"] == ["1", "2", "3", "4"]
    (phone,) = [said for said in page.marks("input") if said.get("type") == "tel"]
    assert (phone["inputmode"], phone["autocomplete"]) == ("numeric", "tel")
    assert "required" in phone


async def test_nothing_on_sale_is_said_and_cannot_be_bought(site: PortalWorld, amina: Browser):
    site.edits.append(lambda document: document["owners"][0]["routers"][0].update(packages=[]))
    await site.reload()
    page = await amina.open("/")
    assert "Nothing is on sale here at the moment." in page.words
    assert page.read.forms == []


async def test_a_site_without_routers_has_no_shop(site: PortalWorld, desk: Browser):
    site.edits.append(lambda document: document["owners"][0].update(routers=[]))
    await site.reload()
    assert (await desk.open("/")).status == 404


# --------------------------------------------------------------------------------------------------------------------------- buying


async def test_pay_leads_to_the_payment_of_the_device_that_the_router_sees(site: PortalWorld, amina: Browser):
    page = await amina.pay(package_id=3, phone="0712 345-678")
    (payment,) = await site.payments()
    assert page.url == f"/portal/payments/{payment.id}"
    assert (payment.package_id, str(payment.mac), str(payment.ip)) == (3, site.amina.mac, site.amina.ip)
    assert payment.asked_from == site.amina.ip


async def test_a_visitor_whom_no_router_knows_buys_for_the_device_that_he_names(site: PortalWorld, desk: Browser):
    page = await desk.open(f"/?router=1&mac={site.otieno.mac}&ip={site.otieno.ip}")
    assert "We do not see your device on the WiFi" in page.words
    page = await desk.send(phone="0712345678")
    (payment,) = await site.payments()
    assert (page.status, str(payment.mac)) == (200, site.otieno.mac)


async def test_the_router_that_the_phone_is_on_sells_whatever_the_form_says(site: PortalWorld, amina: Browser):
    site.edits.append(with_stranger)
    await site.reload()
    await amina.open("/")
    page = await amina.send(router="9", phone="0712345678")
    assert page.status == 403
    assert await money_asked(site) == 0


async def test_however_much_is_on_sale_each_package_can_be_bought(site: PortalWorld, amina: Browser):
    def stocked(document: dict[str, Any]) -> None:
        packages = document["owners"][0]["routers"][0]["packages"]
        packages += [packages[0] | {"id": number, "name": f"Number {number}"} for number in range(100, 300)]

    site.edits.append(stocked)
    await site.reload()
    assert (await amina.pay(299)).heading == "Enter your M-Pesa PIN"


async def test_a_second_tap_leads_to_the_same_payment(site: PortalWorld, amina: Browser):
    await amina.open("/")
    pages = await asyncio.gather(*(site.browser(site.amina).pay() for _ in range(5)))
    assert {(page.status, page.url) for page in pages} == {(200, pages[0].url)}
    assert await money_asked(site) == 1


async def test_opening_the_portal_again_shows_the_payment_that_is_under_way(site: PortalWorld, amina: Browser):
    paying = await amina.pay()
    again = await amina.open("/?mac=AA:BB:CC:DD:EE:FF&ip=192.168.1.100&lang=sw")
    assert again.path == paying.path
    assert again.heading == "Weka PIN yako ya M-Pesa"


@pytest.mark.parametrize("state", [GrantState.OWED, GrantState.UNCLAIMED])
def test_what_is_paid_and_not_open_yet_is_shown_again(state: GrantState):
    owed = replace(GRANT, state=state)
    assert portal_shop._under_way(DeviceStanding(None, None, [], [owed], logged_out=False, ends_s=None)) == GRANT.payment_id
    assert portal_shop._under_way(DeviceStanding(PAYMENT, None, [], [owed], logged_out=False, ends_s=None)) == PAYMENT.id
    assert portal_shop._under_way(DeviceStanding(None, None, [GRANT], [], logged_out=False, ends_s=9.0)) is None


async def test_a_wrong_number_can_be_corrected_while_the_other_phone_is_asked(site: PortalWorld, amina: Browser):
    await amina.pay(package_id=3, phone="0799999999")
    page = await amina.follow("Wrong number? Correct it")
    assert page.heading == "Buy WiFi"
    assert {name: page.read.forms[0].fields[name] for name in ("package", "phone")} == {"package": "3", "phone": "0799999999"}
    page = await amina.send(phone="0712345678")
    assert page.heading == "Enter your M-Pesa PIN"
    assert await money_asked(site) == 2


async def test_an_unknown_payment_to_try_again_is_a_fresh_form(amina: Browser):
    page = await amina.open("/?again=nothing")
    assert page.read.forms[0].fields["phone"] == ""


async def test_somebody_elses_number_is_not_filled_in(site: PortalWorld, amina: Browser, otieno: Browser, desk: Browser):
    payment_id = (await amina.pay(package_id=3)).path.rpartition("/")[2]
    for browser in (otieno, desk):
        page = await browser.open(f"/?again={payment_id}")
        assert (page.read.forms[0].fields["package"], page.read.forms[0].fields["phone"]) == ("3", "")


async def test_who_is_online_is_told_until_when_and_what_more_does(site: PortalWorld, amina: Browser, desk: Browser):
    await site.buy(site.amina)
    page = await amina.open("/")
    assert "You are online until 1" in page.words
    assert "What you buy now is added at the end." in page.words
    assert "My time" in page.read.links
    assert "online" not in (await desk.open(f"/?mac={site.amina.mac}")).words.replace("not online", "").replace("go online", "")


async def test_who_failed_a_moment_ago_is_told_and_sees_the_shop(site: PortalWorld, amina: Browser):
    paying = await amina.pay()
    await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
    site.amina.cancel()
    await site.pass_time(5)
    page = await amina.open("/")
    assert "Your last payment did not go through." in page.words
    assert (await amina.follow("See why")).path == paying.path
    await site.pass_time(600, step_s=60)
    assert "Your last payment" not in (await amina.open("/")).words


async def test_a_router_that_let_nobody_in_is_not_quoted(amina: Browser):
    page = await amina.open("/?error=call+0700+666+666+and+send+money")
    assert "The WiFi did not let you in." in page.words
    assert "666" not in page.words


# ------------------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("phone", ["", "07", "not a number", "0612345678", "+256712345678", "9" * 500])
async def test_what_is_no_number_is_said_beside_the_field_that_keeps_it(site: PortalWorld, amina: Browser, phone: str):
    await amina.open("/?orig=http://example.com/")
    page = await amina.send(package="3", phone=phone)
    assert (page.status, page.heading) == (400, "Buy WiFi")
    assert NO_PHONE in page.words
    (field,) = [said for said in page.marks("input") if said.get("id") == "phone"]
    assert (field["value"], field["aria-invalid"]) == (phone[:32], "true")
    assert "phone-fault" in field["aria-describedby"].split()
    assert page.read.forms[0].fields["package"] == "3"
    assert page.read.forms[0].fields["orig"] == "http://example.com/"
    assert await site.payments() == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"package": "5"}, 400),  # no price was shown for it
        ({"package": "5", "price-5": "50"}, 404),
        ({"package": "77", "price-77": "1"}, 404),
        ({"package": "x"}, 400),
        ({"package": ""}, 400),
        ({"package": "2", "price-2": "49"}, 400),
        ({"package": "2", "price-2": "free"}, 400),
        ({"package": "2", "price-2": "-50"}, 400),
    ],
)
async def test_what_is_not_on_sale_at_that_price_is_refused_on_the_page(
    site: PortalWorld, amina: Browser, sent: dict[str, str], status: int
):
    await amina.open("/")
    page = await amina.send(phone="0712345678", **sent)
    assert (page.status, page.heading) == (status, "Buy WiFi")
    assert any(said.get("role") == "alert" for tag in ("div", "p") for said in page.marks(tag))
    assert page.read.forms[0].fields["phone"] == "0712345678"
    assert await money_asked(site) == 0


async def test_a_price_that_changed_since_the_page_was_opened_is_not_charged(site: PortalWorld, amina: Browser):
    await amina.open("/")
    site.edits.append(lambda document: document["owners"][0]["routers"][0]["packages"][1].update(price="60"))
    await site.reload()
    page = await amina.send(package="2", phone="0712345678")
    assert (page.status, page.heading) == (400, "Buy WiFi")
    assert "The price or the package has changed." in page.words
    assert "KES 60" in page.words
    assert await money_asked(site) == 0


async def test_a_router_that_is_down_is_told_before_and_after_pay_and_nobody_is_charged(site: PortalWorld, amina: Browser):
    await amina.open("/")
    await site.router.power_off()
    await site.pass_time(20)
    page = await amina.send(package="3", phone="0712345678")
    assert (page.status, page.headers["Retry-After"]) == (503, "15")
    assert "The WiFi router does not answer at the moment. You have not been charged. Try again in 15 seconds." in page.words
    assert {name: page.read.forms[0].fields[name] for name in ("package", "phone")} == {"package": "3", "phone": "0712345678"}
    page = await amina.open("/?lang=sw")
    assert (page.status, page.heading) == (503, "Nunua WiFi")
    assert "Ruta ya WiFi haijibu kwa sasa. Hujatozwa pesa." in page.words
    assert await money_asked(site) == 0
    await site.router.power_on()
    await site.pass_time(20)
    assert (await amina.pay()).heading == "Enter your M-Pesa PIN"


async def test_nothing_is_sold_while_it_cannot_be_found_out_who_buys(
    site: PortalWorld, amina: Browser, monkeypatch: pytest.MonkeyPatch
):
    await amina.open("/")

    async def silence(*_: object) -> Visitor:
        raise no_answer()

    monkeypatch.setattr(Visitors, "who", silence)
    page = await amina.send(package="2", phone="0712345678", mac=site.otieno.mac)
    assert page.status == 503
    assert await money_asked(site) == 0


async def test_a_router_that_is_not_there_has_no_shop_though_the_others_are_silent(site: PortalWorld, amina: Browser):
    await site.router.power_off()
    await site.pass_time(20)
    assert (await amina.open("/?router=77")).status == 404


async def test_an_m_pesa_that_cannot_be_reached_is_told_on_the_page(site: PortalWorld, amina: Browser):
    await amina.open("/")
    await site.intasend.stop()
    answer = asyncio.create_task(amina.send(phone="0712345678"))
    while not answer.done():
        await asyncio.wait({answer}, timeout=0.02)  # what travels through sockets takes real time
        site.clock.advance(0.25)
    page = answer.result()
    await site.intasend.start()
    assert (page.status, page.heading) == (503, "Buy WiFi")
    assert "M-Pesa cannot be reached at the moment. You have not been charged." in page.words


async def test_an_m_pesa_that_refuses_is_told_on_the_page(site: PortalWorld, amina: Browser):
    site.intasend.faults.once(Endpoint.PUSH, fails_with(400))
    page = await amina.pay()
    assert (page.status, page.heading) == (502, "Buy WiFi")
    assert "M-Pesa did not take the request. You have not been charged." in page.words


async def test_too_many_tries_are_told_with_the_wait_in_words(site: PortalWorld, amina: Browser):
    for _ in range(3):
        site.intasend.script(site.amina.number, Outcome.WRONG_PIN)
        await amina.pay()
        await site.pass_time(20)
    page = await amina.pay()
    assert page.status == 429
    assert int(page.headers["Retry-After"]) > 60
    assert "Please wait a little. You have not been charged. Try again in 9 minutes." in page.words
    assert page.read.forms[0].fields["phone"] == "0712345678"


async def test_a_phone_that_is_asked_already_leads_to_its_own_payment_only(site: PortalWorld, amina: Browser, otieno: Browser):
    paying = await amina.pay()
    page = await amina.open("/?new=1")
    page = await amina.send(package="3", phone="0712345678")
    assert (page.status, "M-Pesa is asking this phone already." in page.words) == (409, True)
    assert (await amina.follow("Open that payment")).path == paying.path
    page = await otieno.pay(package_id=3, phone="0712345678")
    assert page.status == 409
    assert "Open that payment" not in page.read.links
    assert await money_asked(site) == 1


async def test_an_owner_without_keys_sells_nothing_and_says_so(site: PortalWorld, amina: Browser):
    def keyless(document: dict[str, Any]) -> None:
        del document["owners"][0]["intasend"]

    await site.stop()
    site.edits.append(keyless)
    site.folder.joinpath("data").rename(site.folder / "old")
    await site.start()
    page = await amina.pay()
    assert (page.status, page.heading) == (404, "Buy WiFi")
    assert "This cannot be bought at the moment." in page.words
    (payment,) = await site.payments()
    assert payment.state is PaymentState.REFUSED
