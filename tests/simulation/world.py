"""One site in which everything is simulated but the gateway: its daemon with its real database, router, IntaSend, and customers.

Owns who is there, how the daemon is started, stopped and killed, and the journal of what happened. What happens is `plan`'s, what
people do is `people`'s, and whether it was right is for `invariants`.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from gateway import config, daemon
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.simulators.intasend import SimulatedIntaSend
from gateway.simulators.intasend.invoices import Prompt
from gateway.simulators.routeros import SimulatedRouter
from tests.e2e.world import PASSWORD_HASH, PUBLIC_KEY
from tests.simulation.clocks import SimulatedClock
from tests.simulation.disk import Disk
from tests.simulation.faults import LATENCIES_S, POLICIES
from tests.simulation.loop import START_S, Machine, SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.people import Customer
from tests.simulation.plan import Plan, parameters

GATEWAY, KIOSK, INTASEND, INTERNET = "10.5.50.2", "10.5.50.1", "102.0.0.7", "1.1.1.1"
HTTP_PORT, PROBE_PORT = 8080, 443

PACKAGES: tuple[dict[str, Any], ...] = (
    {"id": 1, "name": "2 minutes", "price": "5", "duration": "2m"},
    {"id": 2, "name": "20 minutes", "price": "15", "duration": "20m"},
    {"id": 3, "name": "1 hour", "price": "50", "duration": "1h", "download_mbps": 5, "upload_mbps": 2},
    {"id": 4, "name": "10 megabytes", "price": "10", "duration": "1h", "data_limit_mb": 10},
    {"id": 5, "name": "6 hours", "price": "100", "duration": "6h"},
)

STOP_WITHIN_S = 10.0
"""The contract's bound for SIGTERM."""


class Broken(AssertionError):
    """Something that must never happen has happened."""


class InOrder(dict[Any, None]):
    """As much of a set as the simulated router needs of one, in order: addresses in memory differ from run to run."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class World:
    """One run of one plan; made inside the loop that it runs on."""

    def __init__(self, plan: Plan, folder: Path, loop: SimulatedLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.network = Network(loop, f"{plan.seed}/network")
        self.network.names = {GATEWAY: "gateway", KIOSK: "router", INTASEND: "intasend", INTERNET: "internet"}
        self.network.latency_s = dict(LATENCIES_S)
        self.disk = Disk(folder, f"{plan.seed}/disk")
        self.folder = folder
        self.true_clock, self.gateway_clock, self.router_clock = (SimulatedClock(loop) for _ in range(3))
        self.router = SimulatedRouter(self.router_clock, version=plan.version, limit_change_moves_running_session=plan.moves_limits)
        self.router.connections = InOrder()  # type: ignore[assignment]
        self.intasend = SimulatedIntaSend(self.true_clock, seed=plan.seed)
        self.intasend.on_prompt = self._on_prompt
        self.customers = [Customer(self, number) for number in range(1, plan.size.customers + 1)]
        self.foreign: set[str] = set()
        """Names of rows that somebody made by hand."""
        self.unmarked: set[str] = set()
        """MACs whose row of ours somebody has removed by hand."""
        self.prices: dict[int, str] = {package["id"]: package["price"] for package in PACKAGES}
        self.journal: list[str] = []
        """What happened, one line each, in order: the far end of the event table."""
        self.counts: dict[str, int] = {}
        """How often each kind of thing happened."""
        self.lives = 0
        self.troubles = 0
        """Faults that last at the moment."""
        self.calm_since_s = self.last_fault_s = self.life_since_s = 0.0
        """Since when all is well; when the last fault ended; since when the daemon sells."""
        self._armed = 0
        """Faults that lie in wait."""
        self.daemon: daemon.Daemon | None = None
        self.intasend_is_up = False
        self.ending = False
        self._house = {name: Machine(name, address) for address, name in self.network.names.items()}
        self.gateway: Machine | None = None
        """The machine that the daemon runs on, while it runs."""
        self._life: asyncio.Task[None] | None = None
        self._revive_at_s = 0.0
        self._dead: list[Machine] = []
        self._read: tuple[dict[str, Any], config.Config] | None = None
        """The configuration as it was read last, and what it was made of."""

    # ── telling ──

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return self.loop.now_s - START_S

    def tell(self, what: str) -> None:
        self.journal.append(f"{self.now_s:10.3f}  {what}".replace(f"{self.folder}/", ""))

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def expect_status(self, what: str, status: int, expected: set[int]) -> None:
        if status not in expected:
            raise Broken(f"{what} was answered with {status}, and only {sorted(expected)} can be right")

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    # ── the far ends ──

    async def open(self) -> None:
        """Everybody takes his place; the daemon starts."""
        self.stranger = Machine("stranger", "10.5.50.250").run(aiohttp.ClientSession)
        await self._at("router", self.router.start(KIOSK))
        await self.start_intasend()
        self._house["internet"].run(lambda: self.network.listen(asyncio.Protocol, None, PROBE_PORT))
        self.keeper = asyncio.create_task(self._keep_alive())
        while self.daemon is None:
            await asyncio.sleep(0.1)
            if self.keeper.done():
                self.keeper.result()

    async def close(self) -> None:
        self.ending = True
        self.keeper.cancel()
        await asyncio.gather(self.keeper, return_exceptions=True)
        await self._end_life()
        for customer in self.customers:
            await customer.close()
        await self.stranger.close()
        await self.stop_intasend()
        await self.router.stop()

    def dispose(self) -> None:
        """Close what the dead left open, once nothing runs any more."""
        for writer in self.disk.writers:
            writer.connection.close()

    async def start_intasend(self) -> None:
        await self._at("intasend", self.intasend.start(INTASEND, self.intasend.port))
        self.intasend_is_up = True

    async def stop_intasend(self) -> None:
        if self.intasend_is_up:
            self.intasend_is_up = False
            await self.intasend.stop()

    async def power(self, *, on: bool) -> None:
        """The router's plug."""
        await self._at("router", self.router.power_on() if on else self.router.power_off())

    def at_intasend(self, deed: Callable[[], Any]) -> Any:
        """Something happens at IntaSend's end."""
        return self._house["intasend"].run(deed)

    async def _at(self, name: str, deed: Any) -> None:
        task = self._house[name].run(lambda: asyncio.ensure_future(deed))
        await task

    async def radio_returns(self) -> None:
        """After a reboot the phones in range show up with their next packet."""
        rng = random.Random(f"{self.plan.seed}/radio/{self.now_s:.3f}")
        for customer in self.customers:
            if customer.present:
                self.loop.call_later(rng.uniform(0.5, 8), customer.send_something)
        await asyncio.sleep(0)

    def _on_prompt(self, prompt: Prompt) -> None:
        self.tell(f"M-Pesa shows a prompt of invoice {prompt.invoice_id} on {prompt.phone}")
        for customer in self.customers:
            if customer.number == prompt.phone:
                customer.see(prompt)

    # ── the daemon ──

    @property
    def url(self) -> str:
        return f"http://{GATEWAY}:{HTTP_PORT}"

    async def kill(self, *, down_s: float, power_cut: bool = False) -> None:
        """SIGKILL, or the plug pulled: from this moment the daemon does nothing more. The service manager starts it again."""
        machine = self.gateway
        if machine is None:
            return
        self.tell("the plug of the Pi is pulled" if power_cut else "the daemon is killed")
        machine.alive = False
        self._dead.append(machine)
        log = logging.getLogger("gateway")
        log.handlers[:] = [handler for handler in log.handlers if not isinstance(handler, Metrics)]
        self.network.bury(machine)
        self.disk.survive(power_cut=power_cut)
        if power_cut:
            self.gateway_clock.booted_at_s = self.loop.now_s
        self._revive_at_s = self.loop.now_s + down_s
        self.daemon = self.gateway = self._life = None
        self._taken.set_result(None)
        await asyncio.sleep(0)

    async def freeze(self, for_s: float) -> None:
        """SIGSTOP, and SIGCONT later: the world goes on, and what the daemon was waiting for waits for it."""
        machine = self.gateway
        if machine is not None:
            machine.alive = False
            await self.pass_time(for_s)
            self._thaw(machine)

    def _thaw(self, machine: Machine) -> None:
        if machine is self.gateway:  # or it was killed meanwhile
            self.loop.resume(machine)

    async def stop(self, *, down_s: float) -> None:
        """SIGTERM, and a start later."""
        if self._life is None:
            return
        self.tell("the daemon is stopped")
        self._revive_at_s = self.loop.now_s + STOP_WITHIN_S + down_s
        await self._end_life()

    async def _end_life(self) -> None:
        life, machine = self._life, self.gateway
        if life is None or machine is None:
            return
        self._life = None
        began_s, stall_s = self.loop.now_s, self.disk.stall_s
        self._thaw(machine)  # as a service manager does, or SIGTERM would never arrive
        life.cancel()
        await asyncio.wait((life, self._taken), return_when=asyncio.FIRST_COMPLETED)
        self.gateway = None
        self.daemon = None
        took_s = self.loop.now_s - began_s
        if self._taken.done():
            return  # killed meanwhile
        self._taken.set_result(None)
        if took_s > STOP_WITHIN_S + 2 * stall_s:
            raise Broken(f"the daemon took {took_s:.1f} s to stop")

    async def reload(self) -> None:
        """SIGHUP, as an owner who has edited the configuration sends it."""
        machine, running = self.gateway, self.daemon
        if machine is None or running is None:
            return
        self.tell(f"the configuration is read again, prices {self.prices}")
        taking = machine.run(lambda: asyncio.ensure_future(running.take(self.config())))
        await asyncio.wait((taking, self._taken), return_when=asyncio.FIRST_COMPLETED)
        if (
            taking.done()
            and not taking.cancelled()
            and (fault := taking.exception()) is not None
            and not isinstance(fault, GatewayError)
        ):
            raise fault

    async def _keep_alive(self) -> None:
        """The service manager."""
        while True:
            await asyncio.sleep(max(0.0, self._revive_at_s - self.loop.now_s))
            if self.loop.now_s < self._revive_at_s or self.gateway is not None:
                await asyncio.sleep(0.1)
                continue
            if self.disk.is_damaged:  # in a folder of its own, so that whoever reads it does not go on reading what was moved aside
                self.disk.survive(power_cut=False)
            self.lives += 1
            self._taken: asyncio.Future[None] = self.loop.create_future()
            self.gateway = Machine("gateway", GATEWAY)
            self._life = life = self.gateway.run(lambda: asyncio.ensure_future(self._live()))
            await asyncio.wait((life, self._taken), return_when=asyncio.FIRST_COMPLETED)
            if self._life is life:
                self._mourn(life)

    async def _live(self) -> None:
        async with daemon.running(self.config(), self.gateway_clock) as running:
            self.daemon = running
            self.calm_since_s = self.life_since_s = self.now_s
            self.disk.is_damaged = False
            self.tell(f"the daemon sells, life {self.lives}")
            await running.scheduler.run()

    def _mourn(self, life: asyncio.Task[None]) -> None:
        """The daemon ended by itself: only a disk that is in its way excuses that."""
        self.daemon = self._life = self.gateway = None
        self._revive_at_s = self.loop.now_s + 5.0
        fault = None if life.cancelled() else life.exception()
        is_unwell = self.disk.trouble is not None or self.disk.stall_s or self.disk.is_damaged
        excused = isinstance(fault, GatewayError | sqlite3.Error) and is_unwell
        if not excused:
            raise Broken(f"the daemon ended by itself: {fault!r}") from fault
        self.tell(f"the daemon could not go on: {fault}")

    def config(self) -> config.Config:
        """The site's configuration, through a file like any other; one that nobody has edited is not read again."""
        path, document = self.folder / "config.yaml", self._document()
        if self._read is None or self._read[0] != document:
            path.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper), "utf-8")
            self._read = document, config.load(path, {})
        settings = self._read[1]
        server = replace(settings.server, data_dir=self.disk.folder)
        return replace(settings, server=server, security=config.SecurityConfig(()))

    def _document(self) -> dict[str, Any]:
        router = {
            "id": 1, "name": "Kiosk", "host": KIOSK, "port": self.router.port, "tls": False, "username": "gateway",
            "password": "gateway", "hotspot_server": "hotspot1", "authorize": self.plan.way,
            "packages": [package | {"price": self.prices[package["id"]]} for package in PACKAGES],
        }  # fmt: skip
        intasend = {
            "environment": "sandbox", "publishable_key": "ISPubKey_test_demo", "secret_key": "ISSecretKey_test_demo",
            "webhook_challenge": "demo-challenge-0123456789", "base_url": f"http://{INTASEND}:{self.intasend.port}/api/v1/",
        }  # fmt: skip
        owner = {
            "id": 1, "username": "njeri", "name": "Njeri WiFi", "password_hash": PASSWORD_HASH, "public_key": PUBLIC_KEY,
            "intasend": intasend, "routers": [router],
        }  # fmt: skip
        server: dict[str, Any] = {"listen": f"{GATEWAY}:{HTTP_PORT}", "public_url": self.url, "data_dir": str(self.folder)}
        if self.plan.probe:
            server["uplink_probe"] = [f"{INTERNET}:{PROBE_PORT}"]
        return {"server": server, "owners": [owner]}

    # ── what happens ──

    async def act(self, deed: Callable[..., Any], entry: Any, *args: Any) -> None:
        """Do one entry of the plan when its time has come; whatever it finds broken ends the run."""
        await asyncio.sleep(max(0.0, entry.at_s - self.now_s))
        self.tell(str(entry))
        self.count(entry.kind)
        await deed(self, parameters(self.plan.seed, entry), *args)

    async def suffer(self, entry: Any, deed: Callable[..., Any]) -> None:
        """A fault: while it lasts nothing is calm."""
        await asyncio.sleep(max(0.0, entry.at_s - self.now_s))
        self.troubles += 1
        self.tell(str(entry))
        self.count(entry.kind)
        try:
            await deed(self, parameters(self.plan.seed, entry), entry.for_s)
        finally:
            self.troubles -= 1
            self.calm_since_s = self.last_fault_s = self.now_s
            self.tell(f"over: #{entry.number} {entry.kind}")

    def heal(self) -> None:
        """Whatever overlapping faults left behind is put right: from here on all is well."""
        self.network.latency_s.update(LATENCIES_S)
        self.network.torn.clear()
        self.router.faults.silent = self.router.faults.refuse_login = False
        self.router.faults.delay_s = 0.0
        self.router.faults.drop_after.clear()
        self.router.faults.trap_next.clear()
        self.router.user = replace(self.router.user, policies=POLICIES)
        self.intasend.faults.clear()
        self.intasend.ignores_api_ref_filter = False
        webhooks = self.intasend.webhooks
        webhooks.copies, webhooks.delay_s, webhooks.reorder, webhooks.active = 1, 0.0, False, True
        self.intasend.webhook_url = self.webhook_url
        self.disk.trouble, self.disk.stall_s = None, 0.0
        self.router_clock.wrong_by_s = 0.0
        self.calm_since_s = self.now_s

    @property
    def webhook_url(self) -> str | None:
        return f"{self.url}/payments/webhook/" if self.plan.webhooks else None

    def notice_what_was_met(self) -> None:
        """A fault that lay in wait for a command or an answer happens when somebody meets it, not when it was laid."""
        router = self.router.faults
        armed = len(router.drop_after) + len(router.trap_next) + len(self.network.torn) + self.intasend.faults.armed
        if armed < self._armed:
            self.calm_since_s = self.last_fault_s = self.now_s
        self._armed = armed

    @property
    def is_calm(self) -> bool:
        """Whether nothing is wrong at the moment."""
        return not self.troubles and self.daemon is not None
