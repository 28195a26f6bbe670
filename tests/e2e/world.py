"""A small world around a real daemon: simulated router, IntaSend and phones, and time that moves when told.

Everything is real but the far ends: sockets, SQLite files, the SDK's requests. `pass_time` lets time pass second by second and
waits, after each, until the daemon has nothing more to do.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web_app

from gateway import config, daemon
from gateway.access import Grant, GrantState
from gateway.demo import lead_to_portal
from gateway.identity import Secret
from gateway.passwords import hash_password
from gateway.payments import Payment, PaymentState
from gateway.simulators.air import Internet, PhoneConnection
from gateway.simulators.intasend import SimulatedIntaSend
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import SimulatedRouter
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import payments as payment_rows
from tests.fakeclock import FakeClock

PUBLIC_KEY = "c1eb9fed9dabc57f61d56c26ef3870ae"
PASSWORD = "karibu-kenya"
PASSWORD_HASH = hash_password(Secret(PASSWORD), log2_n=1, r=1, p=1)
"""As cheap as a hash can be: a world begins hundreds of times."""
PATIENCE_S = 20.0
QUIET_TURNS = 4

AMINA = ("amina", "AA:BB:CC:DD:EE:FF", "192.168.1.100", "254712345678")
OTIENO = ("otieno", "A2:00:00:00:00:02", "192.168.1.101", "254723456789")
WANJIKU = ("wanjiku", "A2:00:00:00:00:03", "192.168.1.102", "254734567890")


Answer = tuple[int, dict[str, Any]]
"""HTTP status and body."""


class SiteClock(FakeClock):
    """A FakeClock that knows who waits for it: whoever does is at rest until time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: set[asyncio.Task[Any] | None] = set()

    async def sleep(self, seconds: float) -> None:
        task = asyncio.current_task()
        self.waiting.add(task)
        try:
            await super().sleep(seconds)
        finally:
            self.waiting.discard(task)


class World:
    """One site. Use it as an async context manager; the daemon starts with `start`.

    `edits` are functions that change the configuration document before it is read, at each start and reload.
    """

    def __init__(self, folder: Path, *, way: str = "user", webhooks: bool = False, **router: Any) -> None:
        self.folder = folder
        self.clock = SiteClock()
        self.router = SimulatedRouter(self.clock, **router)
        self.intasend = SimulatedIntaSend(self.clock)
        self.amina = SimulatedPhone(*AMINA, self.router, self.intasend, self.clock)
        self.otieno = SimulatedPhone(*OTIENO, self.router, self.intasend, self.clock)
        self.internet = Internet()
        self.public_url = ""
        """What phones call the daemon, while it runs."""
        self.daemon: daemon.Daemon | None = None
        self.settings: dict[str, Any] = {"way": way}
        self.edits: list[Callable[[dict[str, Any]], None]] = []
        self.stuck: set[str] = set()
        """Names of jobs for which `quiet` does not wait."""
        self._webhooks = webhooks
        self._life: asyncio.Task[None] | None = None
        self._lives: list[asyncio.Task[None]] = []
        self._connections: list[PhoneConnection] = []
        self._led: set[int] = set()
        """Ports of the routers whose pages lead to the portal."""

    async def __aenter__(self) -> Self:
        await self.router.start()
        await self.intasend.start()
        self.internet.serve(self.intasend.origin, self.intasend.origin)
        self.http = aiohttp.ClientSession()
        for phone in (self.amina, self.otieno):
            self._enter(phone)
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            await connection.stop()
        await self.stop()
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        await self.http.close()
        await self.intasend.stop()
        await self.router.stop()
        web_app._cached_build_middleware.cache_clear()  # aiohttp remembers the last thousand applications, and worlds with them

    def guest(self, *, joined: bool = True, router: SimulatedRouter | None = None) -> SimulatedPhone:
        """Wanjiku comes along, with her phone on the hotspot or still off."""
        phone = SimulatedPhone(*WANJIKU, router or self.router, self.intasend, self.clock)
        self._enter(phone, joined=joined)
        return phone

    def _enter(self, phone: SimulatedPhone, *, joined: bool = True) -> None:
        if joined:
            phone.join()
        self._lives.append(asyncio.create_task(phone.run()))

    async def browse(self, phone: SimulatedPhone, *, router: SimulatedRouter | None = None, router_id: int = 1) -> PhoneConnection:
        """What a browser on that phone goes through: a proxy, and by its own address the portal. The daemon must be running."""
        router = router or self.router
        if router.port not in self._led:
            lead_to_portal(router, self.public_url, router_id)
            self._led.add(router.port)
        connection = PhoneConnection(phone, router, self.internet, self.public_url)
        await connection.start()
        self._connections.append(connection)
        return connection

    # ── the daemon ──

    async def start(self) -> None:
        """Start the daemon on what the last one left behind, and wait until it knows its router."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(ready))
        await asyncio.wait({self._life, ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._life.done():
            self._life.result()
        await self.quiet()

    async def stop(self) -> None:
        """End the daemon as SIGTERM does."""
        if self._life is not None:
            self._life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._life
        self._life = self.daemon = None

    async def restart(self) -> None:
        """Stop it, start it."""
        await self.stop()
        await self.start()

    async def reload(self) -> None:
        """Read the configuration again, as SIGHUP does. Raises what `config.load` and `Daemon.take` raise."""
        await self.running.take(self.config())
        await self.quiet()

    async def _live(self, ready: asyncio.Future[None]) -> None:
        settings = self.config()
        async with daemon.running(settings, self.clock) as self.daemon:
            self.public_url = settings.server.public_url
            self.internet.serve(self.public_url, self.url)
            self.intasend.webhook_url = f"{self.url}/payments/webhook/" if self._webhooks else None
            ready.set_result(None)
            await self.daemon.scheduler.run()

    @property
    def running(self) -> daemon.Daemon:
        assert self.daemon is not None, "the daemon is not running"
        return self.daemon

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.port}"

    def config(self) -> config.Config:
        """The site's configuration, through a file like any other."""
        path = self.folder / "config.yaml"
        document = self.document()
        for edit in self.edits:
            edit(document)
        path.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper), "utf-8")
        return config.load(path)

    def document(self) -> dict[str, Any]:
        packages = [
            {"id": 1, "name": "2 minutes", "price": "5", "duration": "2m"},
            {"id": 2, "name": "1 hour", "price": "50.00", "duration": "1h", "download_mbps": 5, "upload_mbps": 2},
            {"id": 3, "name": "1 day fast", "price": "200", "duration": "1d", "download_mbps": 20, "upload_mbps": 10},
            {"id": 4, "name": "10 megabytes", "price": "10", "duration": "1h", "data_limit_mb": 10},
            {"id": 5, "name": "yesterday's", "price": "50", "duration": "1h", "active": False},
        ]
        router = {
            "id": 1,
            "name": "Kiosk",
            "host": "127.0.0.1",
            "port": self.router.port,
            "tls": False,
            "username": "gateway",
            "password": "gateway",
            "hotspot_server": "hotspot1",
            "authorize": self.settings["way"],
            "packages": packages,
        }
        intasend = {
            "environment": "sandbox",
            "publishable_key": "ISPubKey_test_demo",
            "secret_key": "ISSecretKey_test_demo",
            "webhook_challenge": "demo-challenge-0123456789",
            "base_url": self.intasend.base_url,
        }
        owner = {
            "id": 1,
            "username": "njeri",
            "name": "Njeri WiFi",
            "password_hash": PASSWORD_HASH,
            "public_key": PUBLIC_KEY,
            "intasend": intasend,
            "routers": [router],
        }
        server = {"listen": "127.0.0.1:0", "public_url": "http://127.0.0.1", "data_dir": str(self.folder / "data")}
        proxies = {"trusted_proxies": ["127.0.0.1/32"]}  # the phones' connections, which say whose request it is
        return {"server": server | proxies, "owners": [owner]}

    # ── time ──

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the world work, without any time passing, until the condition holds."""
        started_s = time.monotonic()
        while not condition():
            assert time.monotonic() - started_s < PATIENCE_S, f"never came true: {condition}"
            await asyncio.sleep(0)

    async def quiet(self) -> None:
        """Wait until nobody has anything to do but wait for time to pass: no job, no request in hand, no webhook on its way."""
        turns = 0
        started_s = time.monotonic()
        while turns < QUIET_TURNS:
            assert time.monotonic() - started_s < PATIENCE_S, "the daemon never came to rest"
            await asyncio.sleep(0)
            turns = turns + 1 if self._is_at_rest else 0

    @property
    def _is_at_rest(self) -> bool:
        on_its_way: set[asyncio.Task[Any]] = self.intasend._tasks | self.intasend.webhooks._tasks
        if self.daemon is not None:
            scheduler = self.daemon.scheduler
            if self._busy_jobs() - self.stuck or any(woken.is_set() for woken in scheduler._woken.values()):
                return False
            on_its_way = on_its_way | scheduler._in_hand
        return on_its_way <= self.clock.waiting

    def _busy_jobs(self) -> set[str]:
        """The jobs that do something: who pauses between two tries of a question, or waits for who does, does nothing."""
        scheduler, asking = self.running.scheduler, set(self.running.settlement._asking.values())
        pausing = {name for name, loop in scheduler._loops.items() if loop in self.clock.waiting}
        return scheduler._busy - pausing - ({"settle"} if asking and asking <= self.clock.waiting else set())

    async def pass_time(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time pass, in steps, each followed by quiet."""
        left_s = seconds
        while left_s > 0:
            self.clock.advance(min(step_s, left_s))
            left_s -= step_s
            await self.quiet()

    async def pass_time_until(self, condition: Callable[[], object], *, within_s: float, step_s: float = 1.0) -> float:
        """Let time pass until the condition holds; how long it took. Fails when it takes longer than `within_s`."""
        passed_s = 0.0
        await self.quiet()
        while not condition():
            assert passed_s < within_s, f"not within {within_s} s: {condition}"
            await self.pass_time(step_s, step_s)
            passed_s += step_s
        return passed_s

    async def in_time(self, question: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer to a request that the daemon answers only when some time has passed."""
        asked = asyncio.create_task(question)
        while not asked.done():
            await asyncio.wait({asked}, timeout=0.02)  # what travels through sockets takes real time
            self.clock.advance(0.25)
        return asked.result()

    # ── the customer ──

    async def initiate(self, phone: SimulatedPhone, package_id: int = 2, amount: str = "50.00", **changes: Any) -> Answer:
        """Press Pay."""
        body = {
            "router_id": 1,
            "package_id": package_id,
            "phone_number": "0" + phone.number[3:],
            "amount": amount,
            "mac_address": phone.mac,
            "ip_address": phone.ip,
        } | changes
        return await self.post("/payments/intasend/initiate/", {name: value for name, value in body.items() if value is not None})

    async def check(self, payment_id: str) -> Answer:
        """Ask how the payment stands."""
        return await self.post(f"/payments/intasend/{payment_id}/check-status/")

    async def login(self, username: str = "njeri", password: str = PASSWORD) -> dict[str, str]:
        """Log in as an owner; the headers of whoever did."""
        status, answer = await self.post("/users/login/", {"username": username, "password": password}, key=None)
        assert status == 200, answer
        return {"Authorization": f"Bearer {answer['access_token']}"}

    async def post(self, path: str, body: Any = None, key: str | None = PUBLIC_KEY) -> Answer:
        headers = {"X-Public-Key": key} if key else {}
        async with self.http.post(self.url + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def buy(self, phone: SimulatedPhone, package_id: int = 2, amount: str = "50.00", **changes: Any) -> str:
        """Press Pay, enter the PIN, wait until the phone is online; the payment's id."""
        payment_id = await self.ask(phone, package_id, amount, **changes)
        phone.enter_pin()
        await self.pass_time_until(lambda: phone.online, within_s=15)
        return payment_id

    async def ask(self, phone: SimulatedPhone, package_id: int = 2, amount: str = "50.00", **changes: Any) -> str:
        """Press Pay and wait for the prompt; the payment's id."""
        status, answer = await self.initiate(phone, package_id, amount, **changes)
        assert status == 201, answer
        await self.pass_time_until(lambda: phone.prompt, within_s=5)
        return str(answer["payment"]["id"])

    # ── what is written ──

    async def payment(self, payment_id: str) -> Payment:
        return await self.running.db.read(lambda tx: payment_rows.get(tx, payment_id))

    async def grant(self, payment_id: str) -> Grant | None:
        return await self.running.db.read(lambda tx: grant_rows.of_payment(tx, payment_id))

    async def payments(self, *states: PaymentState) -> list[Payment]:
        found = []
        for state in states or PaymentState:
            found += await self.running.db.read(lambda tx: payment_rows.in_state(tx, state))  # noqa: B023
        return found

    async def grants(self, *states: GrantState) -> list[Grant]:
        return await self.running.db.read(lambda tx: grant_rows.on_router(tx, 1, *(states or tuple(GrantState))))

    async def story(self, payment_id: str) -> list[str]:
        """The kinds of event of one payment, oldest first."""
        return [kind for kind, _ in await self.running.db.read(lambda tx: events.of_payment(tx, payment_id))]
