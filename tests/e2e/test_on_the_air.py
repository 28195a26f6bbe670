"""What a browser on a phone meets: any page leads to the portal until the phone is online, and to itself from then on."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from gateway.simulators.air import PhoneConnection, Verdict
from tests.e2e.conftest import OpenSite
from tests.e2e.world import World

WANTED = "http://example.com/shop?a=1&b=%22x%22&c=%C3%A9"


async def read(world: World, connection: PhoneConnection, url: str, **more: bool) -> tuple[aiohttp.ClientResponse, str]:
    """Open a page on the phone."""
    async with world.http.get(url, proxy=connection.origin, **more) as answer:  # type: ignore[arg-type]
        return answer, await answer.text()


async def led_to(world: World, connection: PhoneConnection, url: str) -> str:
    """Where a page leads a browser without JavaScript: by a redirect, or by its meta refresh."""
    answer, page = await read(world, connection, url, allow_redirects=False)
    if "Location" in answer.headers:
        return answer.headers["Location"]
    found = re.search(r'<meta http-equiv="refresh" content="0;\s*url=([^"]*)">', page)
    assert found, page
    return unescape(found[1])


async def test_any_page_leads_to_the_portal_and_remembers_what_was_wanted(world: World):
    connection = await world.browse(world.amina)
    to = await led_to(world, connection, WANTED)
    assert to.startswith(f"{world.public_url}/?")
    told = {name: text for name, (text,) in parse_qs(urlsplit(to).query).items()}
    assert told["orig"] == WANTED
    assert (told["router"], told["mac"], told["ip"]) == ("1", world.amina.mac, world.amina.ip)
    assert (told["server"], told["login"]) == ("hotspot1", "http://10.5.50.1/login")
    answer, portal = await read(world, connection, to)
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert "1 hour" in portal


async def test_the_whole_walk_from_any_page_to_that_page(world: World):
    connection = await world.browse(world.amina)
    _, shop = await read(world, connection, WANTED)
    form = {name: unescape(text) for name, text in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', shop)}
    form |= {"package": "2", "phone": "0712345678"}
    async with world.http.post(f"{world.public_url}/portal/buy", data=form, proxy=connection.origin) as waiting:
        payment_page = str(waiting.url)
    await world.pass_time_until(lambda: world.amina.prompt, within_s=5)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    answer, status = await read(world, connection, payment_page)
    assert answer.url.path == "/portal/status"
    assert WANTED in [unescape(link) for link in re.findall(r'href="([^"]+)"', status)]
    _, page = await read(world, connection, WANTED)
    assert WANTED in unescape(page)


async def test_the_routers_own_pages_lead_to_the_portal_too(world: World):
    connection = await world.browse(world.amina)
    for path in ("/", "/login", "/status", "/logout"):
        to = await led_to(world, connection, f"http://10.5.50.1{path}")
        assert to.startswith(f"{world.public_url}/?router=1&mac=AA%3ABB%3ACC%3ADD%3AEE%3AFF&"), path


async def test_the_same_page_is_itself_once_the_phone_has_paid(world: World):
    connection = await world.browse(world.amina)
    assert connection.probe() is Verdict.TO_LOGIN
    await world.buy(world.amina)
    assert connection.probe() is Verdict.PASSES
    answer, page = await read(world, connection, WANTED)
    assert answer.history == ()
    assert unescape(page).count("example.com/shop?a=1")


async def test_the_routers_pages_lead_a_customer_to_the_status_page(world: World):
    connection = await world.browse(world.amina)
    await world.buy(world.amina)
    for path in ("/login", "/status"):
        to = await led_to(world, connection, f"http://10.5.50.1{path}")
        assert urlsplit(to).path == "/portal/status"


async def test_the_daemon_is_found_again_after_its_restart_and_not_before(world: World):
    connection = await world.browse(world.amina)
    await world.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await read(world, connection, f"{world.public_url}/")
    await world.start()
    answer, _ = await read(world, connection, f"{world.public_url}/")
    assert answer.status == 200


async def test_two_phones_are_two_visitors(world: World):
    for phone in (world.amina, world.otieno):
        connection = await world.browse(phone)
        other = world.otieno if phone is world.amina else world.amina
        assert (await read(world, connection, f"{world.public_url}/?mac={phone.mac}"))[0].status == 200
        assert (await read(world, connection, f"{world.public_url}/?mac={other.mac}"))[0].status == 403


async def test_the_portals_address_may_be_any_that_phones_reach(open_site: OpenSite):
    site = await open_site()
    site.edits.append(lambda document: document["server"].update(public_url="http://10.5.50.2:8080"))
    await site.restart()
    connection = await site.browse(site.amina)
    answer, _ = await read(site, connection, await led_to(site, connection, WANTED))
    assert answer.status == 200
    assert answer.url.authority == "10.5.50.2:8080"
