"""The customer's whole walk with forms alone: from the page that the router's login page opens to the page that was wanted."""

import pytest

from tests.e2e.portal import Browser, PortalWorld, amina, otieno, site

__all__ = ["amina", "otieno", "site"]

LED_HERE = (
    "/?router=1&mac=AA%3ABB%3ACC%3ADD%3AEE%3AFF&ip=192.168.1.100&server=hotspot1"
    "&login=http%3A%2F%2F10.5.50.1%2Flogin&orig=http%3A%2F%2Fexample.com%2Fnews&error="
)


@pytest.mark.parametrize("language", ["en", "sw"])
async def test_from_the_login_page_to_the_page_that_was_wanted(site: PortalWorld, language: str):
    browser = site.browser(site.amina, language)
    await browser.open(LED_HERE)
    await browser.send(package="2", phone="0712 345 678")
    await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
    site.amina.enter_pin()
    page = await browser.refresh_until(lambda page: page.path == "/portal/status")
    assert site.amina.online
    assert (
        page.read.links[{"en": "Go on to example.com", "sw": "Endelea kwenye example.com"}[language]] == "http://example.com/news"
    )


async def test_closing_the_window_and_a_restart_of_the_gateway_lose_nothing(site: PortalWorld, amina: Browser):
    paying = await amina.pay()
    await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
    await site.restart()
    again = site.browser(site.amina, "sw")
    assert (await again.open(LED_HERE)).path == paying.path
    site.amina.enter_pin()
    await again.refresh_until(lambda page: page.path == "/portal/status")
    assert len(site.intasend.pushes) == 1


async def test_buying_again_while_online_adds_the_time(site: PortalWorld, amina: Browser):
    for package_id in (2, 1):
        if package_id == 1:
            await amina.follow("Buy more time")
            await amina.send(package="1", phone="0712345678")
        else:
            await amina.pay(package_id)
        await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
        site.amina.enter_pin()
        await amina.refresh_until(lambda page: page.path == "/portal/status")
    await site.pass_time(5)
    first, second = sorted(await site.grants(), key=lambda grant: grant.ends_s)
    assert second.starts_at_s == first.ends_at_s
    assert (await amina.open("/portal/status")).read.texts["span"] == ["1 hour 2 minutes"]


async def test_a_phone_with_a_new_mac_takes_its_time_along(site: PortalWorld, amina: Browser):
    payment_id = await site.buy(site.amina)
    receipt = (await site.payment(payment_id)).receipt or ""
    site.amina.leave()
    renewed = site.guest()
    browser = site.browser(renewed)
    assert (await browser.open("/portal/status")).heading == "This device has no time"
    await browser.follow("I have paid, but I am not online")
    await browser.send(code=receipt)
    await browser.refresh_until(lambda page: page.path == "/portal/status")
    assert (renewed.online, site.amina.online) == (True, False)


async def test_whoever_holds_the_address_of_a_payment_does_not_read_the_receipt_that_moves_its_time(
    site: PortalWorld, amina: Browser
):
    payment_id = await site.buy(site.amina)
    receipt = (await site.payment(payment_id)).receipt
    assert receipt is not None
    assert receipt not in (await site.browser().open(f"/portal/payments/{payment_id}")).text
    assert receipt not in (await site.browser(site.otieno).open(f"/portal/payments/{payment_id}")).text
    assert receipt in (await amina.open(f"/portal/status?paid={payment_id}")).text
