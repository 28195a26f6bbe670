"""The demonstration, as a newcomer meets it: a process of its own, in real time."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from gateway import demo
from gateway.clock import SystemClock
from tests.e2e.world import PUBLIC_KEY

START_S, STOP_S = 10, 10
ONLINE_S = 15  # contract, "Bounds"
AMINA = {"mac_address": "AA:BB:CC:DD:EE:FF", "ip_address": "192.168.1.100", "phone_number": "0712345678"}


class Demonstration:
    """A running demonstration and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process, welcome: str) -> None:
        self.process = process
        self.welcome = welcome
        self.log = ""
        (self.gateway,) = re.findall(r"Gateway, for the API (http://127\.0\.0\.1:\d+)/", welcome)
        self.on_amina, self.on_otieno = re.findall(r"portal  (http://127\.0\.0\.1:\d+)/\n", welcome)
        self.amina, self.otieno = re.findall(r"phone   (http://\S+/phones/\w+) ", welcome)
        (self.intasend,) = re.findall(r"IntaSend, simulated  (http://\S+/)\n", welcome)

    async def tells(self, action: str) -> None:
        """Read the log until it tells of that."""
        assert self.process.stderr is not None
        self.log += (await self.process.stderr.readuntil(f"action={action}".encode())).decode()

    async def stop(self) -> int:
        """Press Ctrl+C; the exit code."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_S):
            self.log += (await self.process.stderr.read()).decode()
            return await self.process.wait()


@asynccontextmanager
async def demonstration() -> AsyncIterator[Demonstration]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "demo", "--port", "0"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            welcome = (await process.stdout.readuntil(b"nothing is kept.\n")).decode()
        yield Demonstration(process, welcome)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.long
async def test_a_newcomer_buys_on_one_phone_and_claims_the_time_on_the_other() -> None:
    async with demonstration() as shown, aiohttp.ClientSession() as http:
        assert "no internet" in await (await http.get(shown.amina)).text()
        form = {"package": "2", "price-2": "50.00", "phone": "0712345678"}
        async with http.post(f"{shown.on_amina}/portal/buy", data=form) as waiting:
            assert str(waiting.url).startswith(f"{shown.on_amina}/portal/payments/")
        async with asyncio.timeout(ONLINE_S):
            await shown.tells("online")
        phone = await (await http.get(shown.amina)).text()
        assert '<span class="good">online</span>' in phone
        assert "Its apps see the internet" in phone
        assert re.findall(r"action=(asked|pushed|paid|online)\b", shown.log) == ["asked", "pushed", "paid", "online"]
        (receipt,) = re.findall(r"receipt (\w+)", shown.log)
        await http.post(f"{shown.on_otieno}/portal/claim", data={"code": receipt})
        async with asyncio.timeout(ONLINE_S):
            await shown.tells("online")
        assert "no internet" in await (await http.get(shown.amina)).text()
        assert "Its apps see the internet" in await (await http.get(shown.otieno)).text()
        assert await shown.stop() == 0
    assert "Traceback" not in shown.log
    assert "712345678" not in shown.log


async def test_the_example_of_the_payment_api_works_as_it_is_printed() -> None:
    async with demonstration() as shown, aiohttp.ClientSession(headers={"X-Public-Key": PUBLIC_KEY}) as http:
        body = AMINA | {"router_id": 1, "package_id": 2, "amount": "50.00"}
        async with http.post(f"{shown.gateway}/payments/intasend/initiate/", json=body) as bought:
            assert bought.status == 201
        async with asyncio.timeout(ONLINE_S):
            await shown.tells("pushed")
        assert await shown.stop() == 0


async def test_what_the_welcome_names_is_there() -> None:
    async with demonstration() as shown, aiohttp.ClientSession() as http:
        addresses = re.findall(r"http://\S+", shown.welcome)
        assert [address.removesuffix(",") for address in addresses if "127.0.0.1" not in address] == ["http://example.com/"]
        for address in (address for address in addresses if "127.0.0.1" in address):
            async with http.get(address) as page:
                assert page.status == 200, address
        assert "1 hour" in await (await http.get(f"{shown.on_otieno}/")).text()
        phone = await (await http.get(shown.amina)).text()
        assert f'href="{shown.on_amina}/"' in phone
        assert "Its apps see a login page" in phone
        assert await shown.stop() == 0


async def test_a_browser_whose_proxy_is_the_phone_meets_the_routers_redirect() -> None:
    async with demonstration() as shown, aiohttp.ClientSession() as http:
        async with http.get("http://example.com/?a=1", proxy=shown.on_amina, allow_redirects=False) as stranger:
            to = stranger.headers["Location"]
        assert to.startswith(f"{shown.gateway}/?router=1&mac=AA%3ABB%3ACC%3ADD%3AEE%3AFF&ip=192.168.1.100&")
        assert "orig=http%3A%2F%2Fexample.com%2F%3Fa%3D1" in to
        assert await shown.stop() == 0


async def test_ctrl_c_is_quiet() -> None:
    async with demonstration() as shown:
        assert await shown.stop() == 0
    assert not [line for line in shown.log.splitlines() if " INFO " not in line]


async def test_the_surroundings_close_whatever_they_opened() -> None:
    async with demo.surroundings(SystemClock()) as around:
        assert [phone.online for phone in around.phones] == [False, False]
        async with around.on_the_air("http://127.0.0.1:8080") as connections:
            ports = [around.router.port, around.intasend.port, *(connection.port for connection in connections)]
    for closed in ports:
        try:
            await asyncio.open_connection("127.0.0.1", closed)
        except ConnectionRefusedError:
            continue
        raise AssertionError(f"port {closed} is still open")
