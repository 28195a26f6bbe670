"""A phone's connection, as browsers with and without a proxy use it."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.simulators.air import Internet, PhoneConnection, Verdict
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import SimulatedRouter
from tests.simulators.air.scene import IP, MAC, PORTAL, add, let_in


class Gateway:
    """A server that tells what it was asked, and redirects and streams like a portal."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.was_left = asyncio.Event()
        app = web.Application()
        app.add_routes(
            [
                web.get("/events", self.events),
                web.get("/away", self.away),
                web.get("/empty", self.empty),
                web.route("*", "/{_:.*}", self.echo),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    async def start(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def echo(self, request: web.Request) -> web.Response:
        response = web.json_response(
            {
                "asked": f"{request.method} {request.path_qs}",
                "headers": {name.lower(): text for name, text in request.headers.items()},
                "forwarded_for": request.headers.getall("X-Forwarded-For"),
                "body": await request.text(),
            }
        )
        response.enable_compression()
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        return response

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for number in range(2):
                await response.write(b"data: %d\n\n" % number)
                await self.go_on.wait()
            await asyncio.Event().wait()
        finally:
            self.was_left.set()
        return response

    async def away(self, request: web.Request) -> web.Response:
        raise web.HTTPSeeOther(request.query["to"])

    async def empty(self, _: web.Request) -> web.Response:
        return web.Response(status=204)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    server = Gateway()
    yield server
    await server.stop()


@pytest.fixture
async def connection(phone: SimulatedPhone, router: SimulatedRouter, gateway: Gateway) -> AsyncIterator[PhoneConnection]:
    """Amina's connection, past a walled garden in which the gateway is the only flower."""
    add(router, "walled-garden/ip", dst_address="10.5.50.2", dst_port="8080", protocol="tcp")
    internet = Internet()
    internet.serve(PORTAL, await gateway.start())
    connection = PhoneConnection(phone, router, internet, PORTAL)
    await connection.start()
    yield connection
    await connection.stop()


class Browser:
    """A browser on Amina's phone."""

    def __init__(self, http: aiohttp.ClientSession, connection: PhoneConnection) -> None:
        self.http = http
        self._proxy = connection.origin

    async def open(self, url: str, method: str = "GET", **more: Any) -> tuple[aiohttp.ClientResponse, str]:
        async with self.http.request(method, url, proxy=self._proxy, **more) as answer:
            return answer, await answer.text()


@pytest.fixture
async def browser(connection: PhoneConnection) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession() as http:
        yield Browser(http, connection)


# ── as a proxy ──


async def test_any_page_is_the_login_page_until_the_phone_has_paid(browser: Browser, router: SimulatedRouter):
    answer, page = await browser.open("http://example.com/shop?a=1")
    assert [(hop.status, hop.headers["Location"]) for hop in answer.history] == [
        (302, "http://10.5.50.1/login?dst=http%3A%2F%2Fexample.com%2Fshop%3Fa%3D1")
    ]
    assert 'action="http://10.5.50.1/login"' in page
    assert answer.headers["Content-Type"] == "text/html"
    let_in(router)
    answer, page = await browser.open("http://example.com/shop?a=1")
    assert (answer.status, answer.history) == (200, ())
    assert "http://example.com/shop?a=1" in page


async def test_the_gateway_is_reached_before_paying_and_sees_whose_request_it_is(browser: Browser):
    answer, text = await browser.open(f"{PORTAL}/portal/buy?x=%20'", "POST", data="phone=07")
    told = json.loads(text)
    assert told["asked"] == "POST /portal/buy?x=%20'"
    assert told["body"] == "phone=07"
    assert told["headers"]["host"] == "10.5.50.2:8080"
    assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]


async def test_the_phones_address_is_the_last_of_those_who_handed_the_request_on(browser: Browser):
    _, told = await browser.open(f"{PORTAL}/", headers={"X-Forwarded-For": "1.2.3.4"})
    assert json.loads(told)["forwarded_for"] == ["1.2.3.4", IP]


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        ("http://connectivitycheck.gstatic.com/generate_204", 204, ""),
        ("http://captive.apple.com/hotspot-detect.html", 200, "<BODY>Success</BODY>"),
        ("http://www.msftconnecttest.com/connecttest.txt", 200, "Microsoft Connect Test"),
        ("http://detectportal.firefox.com/success.txt", 200, "success\n"),
    ],
)
async def test_the_probes_of_the_phones_see_the_hotspot_first_and_the_internet_once_online(
    browser: Browser, router: SimulatedRouter, url: str, status: int, text: str
):
    answer, _ = await browser.open(url, allow_redirects=False)
    assert answer.status == 302
    let_in(router)
    answer, page = await browser.open(url, allow_redirects=False)
    assert answer.status == status
    assert text in page


async def test_https_fails_before_and_after(browser: Browser, router: SimulatedRouter):
    with pytest.raises(aiohttp.ClientHttpProxyError):
        await browser.open("https://example.com/")
    let_in(router)
    with pytest.raises(aiohttp.ClientHttpProxyError):
        await browser.open("https://example.com/")


async def test_an_answer_passes_as_it_was_packed_and_nothing_is_added_to_the_request(connection: PhoneConnection):
    headers = {"Accept-Encoding": "gzip"}
    skipped = ("Accept", "User-Agent")
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=skipped) as http,
        http.get(f"{PORTAL}/", proxy=connection.origin, headers=headers) as answer,
    ):
        told = json.loads(gzip.decompress(await answer.read()))["headers"]
    assert answer.headers["Content-Encoding"] == "gzip"
    assert told == {"host": "10.5.50.2:8080", "accept-encoding": "gzip", "x-forwarded-for": IP}


async def test_a_port_that_nobody_opened_is_closed(browser: Browser):
    with pytest.raises(aiohttp.ClientConnectionError):
        await browser.open("http://10.5.50.2:8000/")


async def test_a_phone_that_has_left_gets_no_answer(browser: Browser, phone: SimulatedPhone):
    phone.leave()
    for url in ("http://example.com/", f"{PORTAL}/"):
        with pytest.raises(aiohttp.ClientConnectionError):
            await browser.open(url)
    phone.join()
    assert (await browser.open(f"{PORTAL}/"))[0].status == 200


async def test_a_gateway_that_is_down_gives_no_answer(browser: Browser, gateway: Gateway):
    await gateway.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await browser.open(f"{PORTAL}/")


async def test_the_form_of_the_routers_own_page_lets_the_phone_in(browser: Browser, router: SimulatedRouter):
    add(router, "user", name="guest", password="karibu")
    form = {"username": "guest", "password": "karibu", "dst": "http://example.com/"}
    _, page = await browser.open("http://10.5.50.1/login", "POST", data=form)
    assert "You are logged in" in page
    _, page = await browser.open("http://10.5.50.1/status")
    assert "Welcome guest!" in page
    _, page = await browser.open("http://10.5.50.1/logout")
    assert "You have just logged out" in page
    assert not router.passes(MAC)


async def test_traffic_is_counted(browser: Browser, router: SimulatedRouter):
    let_in(router)
    _, page = await browser.open("http://example.com/")
    counters = router.hotspot.active[IP].counters
    assert (counters.bytes_in, counters.bytes_out) == (500, len(page.encode()))
    await browser.open(f"{PORTAL}/")
    assert counters.bytes_out > len(page.encode())


async def test_every_request_is_remembered(browser: Browser, connection: PhoneConnection):
    await browser.open(f"{PORTAL}/?mac=1")
    async with browser.http.post(f"{connection.origin}/portal/buy"):
        assert list(connection.asked) == [f"GET {PORTAL}/?mac=1", f"POST {PORTAL}/portal/buy"]


async def test_one_tcp_connection_carries_many_requests(connection: PhoneConnection):
    reader, writer = await asyncio.open_connection("127.0.0.1", connection.port)
    for _ in range(3):
        writer.write(b"GET http://10.5.50.2:8080/empty HTTP/1.1\r\nHost: 10.5.50.2:8080\r\nProxy-Connection: keep-alive\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 204 No Content\r\n")
    writer.close()
    await writer.wait_closed()


# ── streams ──


async def test_events_come_one_by_one_as_they_happen(browser: Browser, gateway: Gateway, connection: PhoneConnection):
    async with browser.http.get(f"{PORTAL}/events", proxy=connection.origin) as stream:
        assert stream.content_type == "text/event-stream"
        assert await stream.content.readuntil(b"\n\n") == b"data: 0\n\n"
        gateway.go_on.set()
        assert await stream.content.readuntil(b"\n\n") == b"data: 1\n\n"


async def test_a_browser_that_closes_the_page_ends_the_stream_at_the_server(gateway: Gateway, connection: PhoneConnection):
    async with aiohttp.ClientSession() as http:
        stream = await http.get(f"{PORTAL}/events", proxy=connection.origin)
        await stream.content.readuntil(b"\n\n")
        stream.close()
        await asyncio.wait_for(gateway.was_left.wait(), 2)


async def test_a_stream_breaks_when_the_phone_goes_out_of_range(
    browser: Browser, gateway: Gateway, connection: PhoneConnection, phone: SimulatedPhone
):
    async with browser.http.get(f"{PORTAL}/events", proxy=connection.origin) as stream:
        await stream.content.readuntil(b"\n\n")
        phone.leave()
        gateway.go_on.set()
        with pytest.raises(aiohttp.ClientError):
            await stream.content.read()


# ── typed into an ordinary browser ──


async def test_the_connections_own_address_is_the_portal_on_that_phone(connection: PhoneConnection):
    async with aiohttp.ClientSession() as http, http.get(f"{connection.origin}/portal/?a=1") as answer:
        told = await answer.json()
    assert told["asked"] == "GET /portal/?a=1"
    assert (told["headers"]["host"], told["headers"]["x-forwarded-for"]) == ("10.5.50.2:8080", IP)


async def test_a_form_that_is_sent_there_comes_from_the_portals_own_page(connection: PhoneConnection):
    headers = {"Origin": connection.origin, "Referer": f"{connection.origin}/portal/?a=1", "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession() as http, http.post(f"{connection.origin}/portal/buy", data="a=1", headers=headers) as answer:
        told = (await answer.json())["headers"]
    assert (told["origin"], told["referer"], told["sec-fetch-site"]) == (PORTAL, f"{PORTAL}/portal/?a=1", "same-origin")


async def test_an_address_that_only_begins_like_the_portals_is_another(
    phone: SimulatedPhone, router: SimulatedRouter, gateway: Gateway
):
    add(router, "walled-garden/ip", dst_address="10.5.50.2")
    internet = Internet()
    internet.serve("http://10.5.50.2", await gateway.start())
    connection = PhoneConnection(phone, router, internet, "http://10.5.50.2")
    await connection.start()
    url = f"{connection.origin}/away?to=http://10.5.50.23/"
    async with aiohttp.ClientSession() as http, http.get(url, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "http://10.5.50.23/"
    await connection.stop()


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("/portal/status", "/portal/status"),
        (f"{PORTAL}/portal/status?a=1", "{origin}/portal/status?a=1"),
        (PORTAL, "{origin}"),
        (f"{PORTAL.removesuffix('0')}/", f"{PORTAL.removesuffix('0')}/"),
        ("http://example.com/", "http://example.com/"),
    ],
)
async def test_a_redirect_to_the_portal_leads_back_there(connection: PhoneConnection, to: str, location: str):
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{connection.origin}/away", params={"to": to}, allow_redirects=False) as answer,
    ):
        assert answer.status == 303
        assert answer.headers["Location"] == location.format(origin=connection.origin)


async def test_a_redirect_stays_as_it_is_for_a_browser_on_the_phone(browser: Browser):
    answer, _ = await browser.open(f"{PORTAL}/away?to={PORTAL}/portal/status", allow_redirects=False)
    assert answer.headers["Location"] == f"{PORTAL}/portal/status"


async def test_a_row_of_the_walled_garden_that_is_missing_closes_the_portal_too(
    connection: PhoneConnection, router: SimulatedRouter
):
    garden = router.machine.configuration.tables["/ip/hotspot/walled-garden/ip"]
    for row in list(garden):
        garden.remove(row[".id"])
    async with aiohttp.ClientSession() as http, http.get(f"{connection.origin}/", allow_redirects=False) as answer:
        assert answer.status == 302


# ── what the phone thinks ──


async def test_the_phone_tells_a_portal_from_the_internet(
    connection: PhoneConnection, router: SimulatedRouter, phone: SimulatedPhone
):
    assert (connection.probe(), connection.sees[:12]) == (Verdict.TO_LOGIN, "a login page")
    let_in(router)
    assert (connection.probe(), connection.sees) == (Verdict.PASSES, "the internet")
    phone.leave()
    assert (connection.probe(), connection.sees) == (Verdict.LOST, "no network")


async def test_stop_closes_the_port_and_may_come_twice(connection: PhoneConnection):
    await connection.stop()
    await connection.stop()
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", connection.port)) != 0
