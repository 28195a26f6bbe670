"""The demonstration, as a newcomer meets it: a process of its own, in real time."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

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
        (self.portal, *_) = re.findall(r"portal  (http://127\.0\.0\.1:\d+)/\?mac=AA:BB:CC:DD:EE:FF&ip=192\.168\.1\.100\n", welcome)
        (self.amina,) = re.findall(r"phone   (http://\S+/phones/amina) ", welcome)
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


async def test_a_newcomer_buys_an_hour_and_sees_the_phone_go_online() -> None:
    key = {"X-Public-Key": PUBLIC_KEY}
    async with demonstration() as shown, aiohttp.ClientSession(headers=key) as http:
        payments = f"{shown.portal}/payments/intasend"
        assert "no internet" in await (await http.get(shown.amina)).text()
        async with http.post(f"{payments}/initiate/", json=AMINA | {"router_id": 1, "package_id": 2, "amount": "50.00"}) as bought:
            payment_id = (await bought.json())["payment"]["id"]
        async with asyncio.timeout(ONLINE_S):
            await shown.tells("online")
        checked = await (await http.post(f"{payments}/{payment_id}/check-status/")).json()
        assert checked["message"] == "Payment completed successfully!"
        phone = await (await http.get(shown.amina)).text()
        assert '<span class="good">online</span>' in phone
        assert await shown.stop() == 0
    assert re.findall(r"action=(asked|pushed|paid|online)\b", shown.log) == ["asked", "pushed", "paid", "online"]
    assert "Traceback" not in shown.log
    assert "712345678" not in shown.log


async def test_what_the_welcome_names_is_there() -> None:
    async with demonstration() as shown, aiohttp.ClientSession() as http:
        addresses = re.findall(r"http://\S+", shown.welcome)
        assert len(addresses) == 5
        for address in addresses:
            async with http.get(address) as page:
                assert page.status == 200, address
        portal = await (await http.get(f"{shown.portal}/?mac=AA:BB:CC:DD:EE:FF&ip=192.168.1.100")).text()
        assert "1 hour" in portal
        phone = await (await http.get(shown.amina)).text()
        assert f"{shown.portal}/?mac=AA:BB:CC:DD:EE:FF&amp;ip=192.168.1.100" in phone
        assert await shown.stop() == 0


async def test_ctrl_c_is_quiet() -> None:
    async with demonstration() as shown:
        assert await shown.stop() == 0
    assert not [line for line in shown.log.splitlines() if " INFO " not in line]


async def test_the_surroundings_close_whatever_they_opened() -> None:
    async with demo.surroundings(SystemClock()) as around:
        assert [phone.online for phone in around.phones] == [False, False]
        port = around.router.port
    for closed in (port, around.intasend.port):
        try:
            await asyncio.open_connection("127.0.0.1", closed)
        except ConnectionRefusedError:
            continue
        raise AssertionError(f"port {closed} is still open")
