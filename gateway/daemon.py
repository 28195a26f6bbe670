"""How the gateway is put together: the only place that knows every part. `running` reads as the table of contents."""

import fcntl
import logging
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from gateway.catalogue import Catalogue, Router, Site
from gateway.clock import Clock
from gateway.config import Config
from gateway.errors import EncryptionKeyMismatch, GatewayError, Internal
from gateway.gate import Gate
from gateway.health import Health
from gateway.heartbeat import Heartbeat
from gateway.hotspot.base import RouterLogin
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.metrics import Metrics
from gateway.providers.base import Provider
from gateway.providers.intasend import IntaSend
from gateway.reconciler import Close, Compare, Open, Settle
from gateway.sales import Sales
from gateway.scheduler import Scheduler
from gateway.settlement import Settlement
from gateway.store import catalogue as catalogue_rows
from gateway.store.database import Database
from gateway.vault import Vault, keys_in
from gateway.web import app
from gateway.web.services import Services

log = logging.getLogger(__name__)

DATABASE_FILE = "gateway.db"
"""In the data directory, beside its write-ahead log."""

GRACE_S = 4.0
"""How long a stop waits for requests, and then again for what is in hand: the contract gives ten seconds for everything."""


@asynccontextmanager
async def running(config: Config, clock: Clock) -> AsyncIterator["Daemon"]:
    """A gateway that sells. Everything is opened in this order and closed in reverse.

    Raises Internal for a data directory or database that cannot be used, and for an address that is taken.
    """
    async with AsyncExitStack() as stack:
        data_dir = stack.enter_context(_sole_use_of(config.server.data_dir))
        vault = Vault(config.security.encryption_keys or keys_in(data_dir))
        db = await Database.open(data_dir / DATABASE_FILE)
        stack.push_async_callback(db.close)
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        daemon = Daemon(config, clock, vault, db, http)
        stack.push_async_callback(daemon.end)
        await daemon.heartbeat.begin()
        await daemon.settlement.recover()
        await daemon.take(config)
        daemon.begin()
        await stack.enter_async_context(daemon.serving())
        yield daemon


class Daemon:
    """A running gateway; made by `running`."""

    def __init__(self, config: Config, clock: Clock, vault: Vault, db: Database, http: aiohttp.ClientSession) -> None:
        self.clock = clock
        self.db = db
        self.metrics = Metrics()
        self.site = Site(Catalogue([], []), {}, {})
        self.scheduler = Scheduler(clock)
        self.heartbeat = Heartbeat(db, clock)
        self.settlement = Settlement(self.site, db, self.heartbeat, self.scheduler)
        self.sales = Sales(self.site, db, self.heartbeat, self.scheduler)
        self.health = Health(self.site, db, self.heartbeat, self.metrics)
        self.port = 0
        """Where it listens; known once it does."""
        self._services = Services(config, self.site, self.sales, self.settlement, self.health)
        self._vault = vault
        self._http = http
        self._hotspots: dict[int, tuple[RouterLogin, MikrotikHotspot]] = {}
        logging.getLogger("gateway").addHandler(self.metrics)

    async def take(self, config: Config) -> None:
        """Make the file's owners, routers and packages true: at the start, and again at each reload. What is in hand goes on."""
        made = await self.db.write(lambda tx: catalogue_rows.declare(tx, config.owners, self._vault))
        for username, public_key in made.items():
            log.warning("the public key of %s, made now: %s", username, public_key, extra={"action": "key_made"})
        self.site.catalogue = await self.db.read(lambda tx: catalogue_rows.load(tx, self._vault))
        base_urls = {owner.id: owner.intasend.base_url for owner in config.owners if owner.intasend}
        self.site.providers = {
            owner_id: provider
            for owner_id in self.site.catalogue.owners
            if (provider := await self._provider(owner_id, base_urls.get(owner_id)))
        }
        await self._connect_routers()
        self._services.config = config

    def begin(self) -> None:
        """Start the jobs that belong to no router."""
        self.scheduler.add(self.heartbeat)
        self.scheduler.add(Settle(self.settlement, self.db, self.heartbeat, random.Random()))  # noqa: S311 - spreads questions

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer HTTP until the caller is done."""
        # Nobody compresses requests this small; unpacking what a stranger sends would only be a way to fill the memory.
        runner = web.AppRunner(app.build(self._services), access_log=None, shutdown_timeout=GRACE_S, auto_decompress=False)
        await runner.setup()
        try:
            await self._listen(runner)
            yield
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        server = self._services.config.server
        try:
            await web.TCPSite(runner, server.listen_host, server.listen_port).start()
        except OSError as fault:
            where = f"{server.listen_host}:{server.listen_port}"
            raise Internal(f"cannot listen on {where}: {os.strerror(fault.errno) if fault.errno else fault}") from None
        self.port = runner.addresses[0][1]

    async def end(self) -> None:
        """Let what is in hand finish, then close every connection to a router."""
        await self.scheduler.stop(GRACE_S)
        for _, hotspot in self._hotspots.values():
            await hotspot.close()
        logging.getLogger("gateway").removeHandler(self.metrics)

    async def _provider(self, owner_id: int, base_url: str | None) -> Provider | GatewayError | None:
        try:
            account = await self.db.read(lambda tx: catalogue_rows.account(tx, owner_id, self._vault, base_url))
        except EncryptionKeyMismatch as fault:
            log.error("owner %s cannot sell: %s", owner_id, fault, extra={"action": "key_mismatch"})  # noqa: TRY400 - no detail
            return fault
        return IntaSend(account, self._http) if account else None

    async def _connect_routers(self) -> None:
        wanted = self.site.catalogue.routers
        for router_id, (login, _) in list(self._hotspots.items()):
            if router_id not in wanted or wanted[router_id].login != login:
                await self._disconnect(router_id)
        for router in wanted.values():
            if router.id not in self._hotspots:
                self._connect(router)

    def _connect(self, router: Router) -> None:
        self._put(router.id, (router.login, MikrotikHotspot(router.login, self.clock)))
        gate = Gate(router.id, self.site, self.db, self.heartbeat, self.scheduler.wake)
        self.scheduler.add(Compare(gate, self.db, self.heartbeat))
        self.scheduler.add(Open(gate, self.db))
        self.scheduler.add(Close(gate, self.db, self.heartbeat))

    async def _disconnect(self, router_id: int) -> None:
        for kind in ("compare", "open", "close"):
            await self.scheduler.remove(f"{kind}:{router_id}")
        _, hotspot = self._hotspots[router_id]
        self._put(router_id, None)
        await hotspot.close()

    def _put(self, router_id: int, connected: tuple[RouterLogin, MikrotikHotspot] | None) -> None:
        if connected is None:
            del self._hotspots[router_id]
        else:
            self._hotspots[router_id] = connected
        self.site.hotspots = {key: hotspot for key, (_, hotspot) in self._hotspots.items()}


@contextmanager
def _sole_use_of(data_dir: Path) -> Iterator[Path]:
    """The data directory, held by this process alone: two daemons on one database would charge twice."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("w")
    except OSError as fault:
        raise Internal(f"server.data_dir: {data_dir} cannot be used: {fault.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Internal(f"server.data_dir: another gateway is running on {data_dir}") from None
        yield data_dir
