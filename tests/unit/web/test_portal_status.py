"""What a device has, and its user's wish to be outside: for the device itself, by the router's word."""

import pytest

from gateway.access import GrantState
from gateway.web import words
from tests.e2e.portal import Browser, PortalWorld, script_of


async def test_who_is_online_reads_until_when_how_long_and_how_fast(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    await site.pass_time(600, step_s=60)
    page = await amina.open("/portal/status")
    (grant,) = await site.grants()
    assert page.heading == f"You are online until {words._local(grant.ends_s):%H:%M}"
    assert page.read.texts["span"] == ["50 minutes"]
    assert "up to 5 Mbps" in page.words
    assert 3_600 - 605 < float(script_of(page).partition("left = ")[2].partition(",")[0]) <= 3_600 - 600
    assert grant.state is GrantState.ACTIVE


async def test_the_end_is_by_the_clock_on_the_wall(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    (grant,) = await site.grants()
    expected = f"{words._local(grant.ends_s):%H:%M}"
    assert (await amina.open("/portal/status?lang=sw")).heading == f"Umeunganishwa hadi saa {expected}"


async def test_after_paying_the_page_says_press_done_and_leads_on_to_what_was_wanted(site: PortalWorld, amina: Browser):
    await amina.open("/?orig=http://example.com/a?b=c%26d")
    await amina.send(package="2", phone="0712345678")
    await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
    site.amina.enter_pin()
    page = await amina.refresh_until(lambda page: page.path == "/portal/status")
    assert "If you see “Done” at the top, press it." in page.words
    assert page.read.links["Go on to example.com"] == "http://example.com/a?b=c&d"
    payment = (await site.payments())[0]
    assert f"Keep your M-Pesa code {payment.receipt}" in page.words
    assert "Done" not in (await amina.open("/portal/status")).words


async def test_time_behind_the_time_that_runs_is_said(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    assert "After that" not in (await amina.open("/portal/status")).words
    await site.pass_time(60)
    await site.buy(site.amina, 1, "5")
    await site.pass_time(15)
    page = await amina.open("/portal/status")
    assert "After that comes what you have paid for besides." in page.words
    assert page.read.texts["span"] == ["1 hour 1 minute"]


async def test_time_that_was_given_back_after_an_outage_is_said(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    assert "added because" not in (await amina.open("/portal/status")).words
    await site.router.power_off()
    await site.pass_time(1_500, step_s=60)
    await site.router.power_on()
    await site.pass_time(15)
    assert "25 minutes added because the WiFi was down." in (await amina.open("/portal/status")).words
    assert "Umeongezewa dakika 25" in (await amina.open("/portal/status?lang=sw")).words


async def test_data_that_is_left_is_said_by_the_routers_count(site: PortalWorld, amina: Browser):
    await site.buy(site.amina, 4, "10")
    site.router.traffic(site.amina.mac, 1_000_000, 2_000_000)
    assert "Data left: 7 MB" in (await amina.open("/portal/status")).words
    assert "MB 7" in (await amina.open("/portal/status?lang=sw")).words


async def test_a_device_without_time_is_told_where_to_get_it(amina: Browser):
    page = await amina.open("/portal/status")
    assert (page.status, page.heading) == (200, "This device has no time")
    assert (await amina.follow("Buy WiFi")).heading == "Buy WiFi"


async def test_a_device_that_has_paid_and_is_not_let_in_yet_is_led_to_its_payment(site: PortalWorld, amina: Browser):
    payment_id = await site.ask(site.amina)
    await amina.open("/")  # the router is asked who this is while it answers
    await site.router.power_off()
    site.amina.enter_pin()
    await site.running.settlement.look_up(payment_id)
    page = await amina.open("/portal/status")
    assert page.heading == "Paid. Opening the WiFi…"
    assert (await amina.follow("Open that payment")).path == f"/portal/payments/{payment_id}"


async def test_logging_out_and_in_again(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    page = await amina.open("/portal/status?lang=sw")
    page = await amina.send()
    assert (page.url, page.heading) == ("/portal/status?lang=sw", "Umetoka")
    assert not site.amina.online
    await site.pass_time(60)
    assert not site.amina.online
    assert "Umetoka. Una muda hadi" in (await amina.open("/?lang=sw")).words
    await amina.open("/portal/status?lang=sw")
    page = await amina.send()
    assert page.heading.startswith("Umeunganishwa hadi")
    assert site.amina.online


async def test_nobody_logs_out_another_device(site: PortalWorld, amina: Browser, otieno: Browser, desk: Browser):
    await site.buy(site.amina)
    for browser, status in ((otieno, 403), (desk, 403)):
        page = await browser._ask("POST", f"/portal/log-out?mac={site.amina.mac}&ip={site.amina.ip}", {}, {"mac": site.amina.mac})
        assert page.status == status
    assert site.amina.online


@pytest.mark.parametrize("path", ["/portal/status", "/portal/claim"])
async def test_whom_no_router_knows_reads_nothing_that_belongs_to_a_device(site: PortalWorld, desk: Browser, path: str):
    await site.buy(site.amina)
    page = await desk.open(f"{path}?router=1&mac={site.amina.mac}&ip={site.amina.ip}")
    assert (page.status, page.heading) == (403, "Open this page on the WiFi")
    assert page.read.forms == []


async def test_logging_out_is_asked_by_a_form_only(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    assert (await amina.open("/portal/log-out")).status == 405
    assert site.amina.online


async def test_a_router_that_does_not_answer_is_told_on_a_page(site: PortalWorld, amina: Browser):
    await site.router.power_off()
    await site.pass_time(20)
    page = await amina.open("/portal/status")
    assert (page.status, page.heading, page.headers["Retry-After"]) == (503, "That did not work", "15")
    assert "The WiFi router does not answer at the moment. Try again in 15 seconds." in page.words
