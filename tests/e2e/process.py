"""The program as its operator runs it: a process of its own, on real time, between simulators that live in the test."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

import gateway
from gateway.clock import SystemClock
from gateway.simulators.intasend import SimulatedIntaSend
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import SimulatedRouter
from tests.e2e.world import AMINA, OTIENO, PUBLIC_KEY

ROUTER_PASSWORD = "router-password-9f2c"
SECRET_KEY = "ISSecretKey_test_7d1e"
CHALLENGE = "kiosk-challenge-5b3a"
SECRETS = (ROUTER_PASSWORD, SECRET_KEY, CHALLENGE)

PATIENCE_S = 10.0

START_S = 30.0
"""The same for a start: loading the program is nearly all of it, and takes ten times as long on a machine that is busy with other
tests. How long it takes on one that is not is measured by tests.e2e.test_process."""


class Program:
    """One run of the command; what it says is kept line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.out: list[str] = []
        self.log: list[str] = []
        """What came on stderr."""
        self._said = asyncio.Condition()
        self._readers = [
            asyncio.create_task(self._read(stream, lines))
            for stream, lines in ((process.stdout, self.out), (process.stderr, self.log))
        ]

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, *arguments: object, **environment: str) -> AsyncIterator[Self]:
        """Start it; whatever still runs at the end is killed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "gateway", *map(str, arguments)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=Path(gateway.__file__).parents[1],
            # An installed program is compiled; to do that at each start takes a quarter longer.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},
        )
        program = cls(process)
        try:
            yield program
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await program.ends()

    async def _read(self, stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        assert stream is not None
        async for line in stream:
            async with self._said:
                lines.append(line.decode().rstrip("\n"))
                self._said.notify_all()

    async def says(self, pattern: str, *, within_s: float = PATIENCE_S) -> re.Match[str]:
        """Wait for a line in which the pattern is found, said already or not yet."""

        def found() -> re.Match[str] | None:
            return next((match for line in (*self.out, *self.log) if (match := re.search(pattern, line))), None)

        try:
            async with asyncio.timeout(within_s), self._said:
                await self._said.wait_for(found)
        except TimeoutError:
            raise AssertionError(f"{pattern!r} was not said within {within_s} s:\n" + "\n".join(self.log)) from None
        match = found()
        assert match is not None
        return match

    async def ends(self, *, within_s: float = PATIENCE_S) -> int:
        """Wait for its end; the exit code."""
        async with asyncio.timeout(within_s):
            code = await self._process.wait()
            await asyncio.gather(*self._readers)
        return code

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)


class Kiosk:
    """A router, IntaSend and two phones on real time, and the configuration of a gateway between them."""

    def __init__(self, folder: Path) -> None:
        clock = SystemClock()
        self.path = folder / "config.yaml"
        self.data = folder / "data"
        self.router = SimulatedRouter(clock, password=ROUTER_PASSWORD)
        self.intasend = SimulatedIntaSend(clock, secret_key=SECRET_KEY, challenge=CHALLENGE)
        self.amina = SimulatedPhone(*AMINA, self.router, self.intasend, clock)
        self.otieno = SimulatedPhone(*OTIENO, self.router, self.intasend, clock)
        self.prompted = asyncio.Event()
        """A prompt has reached a phone."""
        self.listen = "127.0.0.1:0"
        self.public_url = "http://127.0.0.1"
        self.price = "5"

    async def __aenter__(self) -> Self:
        await self.router.start()
        await self.intasend.start()
        self.intasend.on_prompt = lambda _prompt: self.prompted.set()
        self.amina.join()
        self.otieno.join()
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        self.write()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.intasend.stop()
        await self.router.stop()

    def write(self, **faults: Any) -> None:
        """Write the configuration file; `faults` are keys that do not belong into it."""
        package = {"id": 1, "name": "2 seconds", "price": self.price, "duration": "2s"}
        router = {
            "id": 1,
            "name": "Kiosk",
            "host": "127.0.0.1",
            "port": self.router.port,
            "tls": False,
            "username": "gateway",
            "password": ROUTER_PASSWORD,
            "hotspot_server": "hotspot1",
            "packages": [package],
        }
        intasend = {
            "environment": "sandbox",
            "publishable_key": "ISPubKey_test_demo",
            "secret_key": SECRET_KEY,
            "webhook_challenge": CHALLENGE,
            "base_url": self.intasend.base_url,
        }
        owner = {
            "id": 1,
            "username": "njeri",
            "name": "Njeri WiFi",
            "public_key": PUBLIC_KEY,
            "intasend": intasend,
            "routers": [router],
        }
        server = {"listen": self.listen, "public_url": self.public_url, "data_dir": str(self.data)}
        self.path.write_text(yaml.safe_dump({"server": server, "owners": [owner], **faults}), "utf-8")

    @contextlib.asynccontextmanager
    async def gateway(self, **environment: str) -> AsyncIterator[Program]:
        """`hotspot-gateway run`, ready, with IntaSend's webhooks going to it."""
        async with Program.running("run", "--config", self.path, **environment) as program:
            port = int((await program.says(r"ready on port (\d+)", within_s=START_S))[1])
            self.url = f"http://127.0.0.1:{port}"
            self.intasend.webhook_url = f"{self.url}/payments/webhook/"
            yield program

    async def press_pay(self, phone: SimulatedPhone, amount: str = "5") -> tuple[int, dict[str, Any]]:
        """Ask for the package."""
        body = {"router_id": 1, "package_id": 1, "phone_number": "0" + phone.number[3:], "amount": amount}
        body |= {"mac_address": phone.mac, "ip_address": phone.ip}
        headers = {"X-Public-Key": PUBLIC_KEY}
        async with self.http.post(f"{self.url}/payments/intasend/initiate/", json=body, headers=headers) as response:
            return response.status, await response.json()

    async def pay(self, phone: SimulatedPhone) -> None:
        """Enter the PIN when the prompt is there."""
        await asyncio.wait_for(self.prompted.wait(), PATIENCE_S)
        assert phone.enter_pin()
