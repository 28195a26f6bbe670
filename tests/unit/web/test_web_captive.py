"""The Captive Portal API (RFC 8908): each device learns about itself, and strangers nothing."""

import json
from typing import Any

import pytest

from tests.e2e.portal import Browser, PortalWorld

API = "/captive-portal/api"


async def told(browser: Browser) -> dict[str, Any]:
    page = await browser.open(API)
    assert (page.status, page.headers["Content-Type"]) == (200, "application/captive+json")
    assert page.headers["Cache-Control"] == "private, no-store"
    answer: dict[str, Any] = json.loads(page.text)
    return answer


async def test_a_device_without_time_is_captive(amina: Browser):
    assert await told(amina) == {"captive": True}


async def test_a_device_that_is_online_learns_how_long(site: PortalWorld, amina: Browser, otieno: Browser, desk: Browser):
    await site.buy(site.amina)
    await site.pass_time(600, step_s=60)
    answer = await told(amina)
    assert (answer.pop("captive"), answer.pop("can-extend-session")) == (False, True)
    assert 3_600 - 605 <= answer.pop("seconds-remaining") <= 3_600 - 600
    assert answer == {}
    assert await told(otieno) == {"captive": True}
    assert await told(desk) == {"captive": True}


async def test_what_is_left_of_the_data_is_told_where_there_is_a_limit(site: PortalWorld, amina: Browser):
    await site.buy(site.amina, 4, "10")
    before = (await told(amina))["bytes-remaining"]
    assert 9_000_000 < before <= 10_000_000
    site.router.traffic(site.amina.mac, 1_000_000, 2_000_000)
    assert (await told(amina))["bytes-remaining"] == before - 3_000_000


async def test_what_the_query_names_is_not_believed(site: PortalWorld, otieno: Browser, desk: Browser):
    await site.buy(site.amina)
    for browser in (otieno, desk):
        page = await browser.open(f"{API}?router=1&mac={site.amina.mac}&ip={site.amina.ip}")
        assert json.loads(page.text) == {"captive": True}


async def test_a_device_that_logged_out_is_captive(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    await amina.open("/portal/status")
    await amina.send()
    assert await told(amina) == {"captive": True}


async def test_time_that_is_over_makes_captive_again(site: PortalWorld, amina: Browser):
    await site.buy(site.amina, 1, "5")
    assert (await told(amina))["captive"] is False
    await site.pass_time(125)
    assert (await told(amina))["captive"] is True


@pytest.mark.parametrize(
    ("public_url", "portal_url"),
    [("https://wifi.example.org", "https://wifi.example.org/portal/"), ("http://10.5.50.2:8080", None)],
)
async def test_the_portal_is_named_only_where_tls_protects_it(
    site: PortalWorld, amina: Browser, public_url: str, portal_url: str | None
):
    """RFC 8908, section 5: "user-portal-url" MUST be a TLS URI."""
    site.edits.append(lambda document: document["server"].update(public_url=public_url))
    site.edits.append(lambda document: document["owners"][0].update(portal={"venue_url": "https://njeri.example.org/"}))
    await site.reload()
    answer = await told(amina)
    assert answer.get("user-portal-url") == portal_url
    assert answer["venue-info-url"] == "https://njeri.example.org/"


async def test_a_router_that_cannot_be_asked_makes_nobody_captive(site: PortalWorld, amina: Browser):
    await site.buy(site.amina)
    await site.router.power_off()
    await site.pass_time(20)
    assert (await amina.open(API)).status == 503
