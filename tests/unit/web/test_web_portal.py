"""The portal page: what is on sale, and that nothing in its address can break out of it."""

import html
import json
import re
from urllib.parse import urlencode

import pytest

from tests.e2e.world import PUBLIC_KEY, World
from tests.unit.web.requests import Answer, Send

HOSTILE = [
    "</script><script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "\\u003cscript\\u003e",
    "{{ 7*7 }}",
    "${alert(1)}",
    "\u2028\n\r\x00",
    "A" * 3_000,
]


def device(page: Answer) -> dict[str, str]:
    """The device as the page's script will read it."""
    found = re.search(r"const device = \{ router_id: (\d+), mac_address: (.*), ip_address: (.*) \};", page.text)
    assert found, page.text
    return {"router": found[1], "mac": json.loads(found[2]), "ip": json.loads(found[3])}


@pytest.mark.parametrize("path", ["/", "/portal/"])
async def test_the_page_shows_what_is_on_sale_and_nothing_else(send: Send, path: str) -> None:
    page = await send("GET", path, key=None)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["Cache-Control"] == "no-store"
    assert [html.unescape(name) for name in re.findall(r"<span>([^<]+)", page.text)] == [
        "2 minutes",
        "1 hour",
        "1 day fast",
        "10 megabytes",
    ]
    assert re.findall(r'value="(\d+)" data-price="([\d.]+)"', page.text) == [
        ("1", "5.00"),
        ("2", "50.00"),
        ("3", "200.00"),
        ("4", "10.00"),
    ]
    assert re.findall(r"<b>(KES \d+)</b>", page.text) == ["KES 5", "KES 50", "KES 200", "KES 10"]
    assert re.findall(r"<small>(.*?)</small>", page.text) == ["up to 5 Mbps", "up to 20 Mbps", "10 MB"]
    assert f'"X-Public-Key": "{PUBLIC_KEY}"' in page.text


async def test_the_page_sends_the_device_that_the_router_named(send: Send) -> None:
    page = await send("GET", "/?mac=AA:BB:CC:DD:EE:FF&ip=192.168.1.100")
    assert device(page) == {"router": "1", "mac": "AA:BB:CC:DD:EE:FF", "ip": "192.168.1.100"}


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_in_the_address_breaks_out_of_the_page(send: Send, text: str) -> None:
    page = await send("GET", "/?" + urlencode({"mac": text, "ip": text}))
    assert page.status == 200
    assert device(page) == {"router": "1", "mac": text, "ip": text}
    assert page.text.count("<script") == page.text.count("</script>") == 1
    assert "<img" not in page.text


async def test_what_the_owner_wrote_is_shown_as_text(world: World, send: Send) -> None:
    def rename(site: dict) -> None:  # type: ignore[type-arg]
        site["owners"][0]["name"] = "<b>Njeri & Sons</b>"
        site["owners"][0]["routers"][0]["packages"][0] |= {"name": "<i>1</i>", "description": "</label><script>"}

    world.edits.append(rename)
    await world.reload()
    page = await send("GET", "/")
    assert "<h1>&lt;b&gt;Njeri &amp; Sons&lt;/b&gt;</h1>" in page.text
    assert "&lt;i&gt;1&lt;/i&gt;" in page.text
    assert page.text.count("<script") == 1


@pytest.mark.parametrize("router", ["77", "0", "-1", "x", "1.0", "9" * 5_000, "1 OR 1=1", "\u0661"])
async def test_a_router_that_is_not_there_is_a_404(send: Send, router: str) -> None:
    answer = await send("GET", "/?" + urlencode({"router": router}))
    assert (answer.status, answer.json) == (404, {"error": "There is no such router"})


@pytest.mark.parametrize("query", ["?router=1", "?router=", ""])
async def test_the_router_may_be_named_or_left_out(send: Send, query: str) -> None:
    assert device(await send("GET", f"/{query}"))["router"] == "1"


async def test_nothing_on_sale_is_said_and_cannot_be_bought(world: World, send: Send) -> None:
    world.edits.append(lambda site: site["owners"][0]["routers"][0].update(packages=[]))
    await world.reload()
    page = await send("GET", "/")
    assert "Nothing is on sale here at the moment." in page.text
    assert "<button disabled>" in page.text


async def test_a_site_without_routers_has_no_portal(world: World, send: Send) -> None:
    world.edits.append(lambda site: site["owners"][0].update(routers=[]))
    await world.reload()
    assert (await send("GET", "/")).status == 404
