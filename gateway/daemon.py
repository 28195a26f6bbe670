"""How the gateway is put together: the only place that knows every part. `running` reads as the table of contents."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

import aiohttp
from aiohttp import web

from gateway.accounts import Accounts
from gateway.audit import Audit
from gateway.backups import Backups, open_sound
from gateway.books import Books
from gateway.catalogue import Account, Catalogue, Router, Site
from gateway.claims import Claims
from gateway.clock import MachineClock
from gateway.compensation import Compensation, RouterWatch
from gateway.config import Config
from gateway.credentials import Credentials
from gateway.datadir import sole_use_of
from gateway.errors import GatewayError, Internal, Invalid, NotStored
from gateway.exchanges import Exchanges
from gateway.gate import Gate
from gateway.grants import Grants
from gateway.health import Health
from gateway.heartbeat import Heartbeat
from gateway.hotspot.base import Inspector, RouterLogin
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.idempotency import Idempotency
from gateway.inventory import Inventory
from gateway.links import CloseLinks, Links
from gateway.metrics import Metrics
from gateway.news import News
from gateway.portal import Portal
from gateway.providers.base import Provider, ProviderAccount
from gateway.providers.intasend import IntaSend
from gateway.providers.upstream import Upstream
from gateway.reconciler import Close, Compare, Open, Settle
from gateway.records import Records
from gateway.references import TAG_CHARS
from gateway.refunds import Dues, Refunds
from gateway.sales import Sales
from gateway.scheduler import Errand, Scheduler
from gateway.settlement import Settlement
from gateway.store import backups, rescues
from gateway.store import catalogue as catalogue_rows
from gateway.store import clock as clock_rows
from gateway.store import credentials as credential_rows
from gateway.store.credentials import StoredAccount
from gateway.store.database import Database, Transaction
from gateway.tokens import Tokens
from gateway.unserved import Unserved
from gateway.uplink import Uplink
from gateway.vault import Vault, keys_in
from gateway.visitors import Visitors
from gateway.watchdog import Signs, Watchdog
from gateway.web import app
from gateway.web.services import Services

log = logging.getLogger(__name__)

INSPECTION_S = 8.0
"""How long each step of trying a router may take: slow ones leave a login unanswered for 8 s (facts, routeros 1.10)."""

IDLE_S = 30.0
"""How long a connection may have no whole request on it: idle, or its headers dripping. Longer than a portal page's pause between
two looks at its payment, short enough that nobody keeps the daemon's connections to himself."""

LINGER_S = 2.0
"""How long the rest of a body is still taken in after it was refused, so that the answer is not lost in a reset connection."""

FIRST_LOOK_S = 5.0
"""How long a start waits for its routers before it says that it is ready: a healthy one answers in a fraction of that, and one that
is dead must not keep the others from selling."""

GRACE_S = 3.0
"""How long a stop waits for requests, then for those that it has cancelled, and then for what is in hand: three times, and the
contract gives ten seconds for everything."""


@asynccontextmanager
async def running(config: Config, clock: MachineClock) -> AsyncIterator["Daemon"]:
    """A gateway that sells. Everything is opened in this order and closed in reverse.

    Raises Internal for a data directory or database that cannot be used, and for an address that is taken.
    """
    async with AsyncExitStack() as stack:
        data_dir = stack.enter_context(sole_use_of(config.server.data_dir))
        vault = Vault(config.security.encryption_keys or keys_in(data_dir))
        db = await open_sound(data_dir, clock)
        stack.push_async_callback(db.close)
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        daemon = Daemon(config, clock, vault, db, http)
        stack.push_async_callback(daemon.end)
        await daemon.remember()
        await daemon.take_up()
        await daemon.books.begin()
        daemon.begin()
        await stack.enter_async_context(daemon.serving())
        yield daemon


class Daemon:
    """A running gateway; made by `running`."""

    def __init__(self, config: Config, clock: MachineClock, vault: Vault, db: Database, http: aiohttp.ClientSession) -> None:
        self.clock = clock
        self.db = db
        self.metrics = Metrics()
        self.site = Site(Catalogue([], []), {}, {}, tag=vault.derive("references").reveal()[:TAG_CHARS], begun=False)
        self.scheduler = Scheduler(clock)
        db.on_damage = self.scheduler.fail
        self.heartbeat = Heartbeat(db, clock, on_step=self.scheduler.wake_all)
        self.exchanges = Exchanges(db, self.heartbeat, self.scheduler)
        self.visitors = Visitors(self.site, clock, self.scheduler)
        self.news = News(db, clock, self.scheduler.wake)
        self.settlement = Settlement(self.site, db, self.heartbeat, self.scheduler)
        self.sales = Sales(self.site, db, self.heartbeat, self.scheduler)
        self.refunds = Refunds(self.site, db, self.heartbeat, self.scheduler, self.gate)
        self.books = Books(self.site, db, self.heartbeat, self.scheduler, settlement=self.settlement, refunds=self.refunds)
        self.links = Links(self.site, db, self.heartbeat, self.scheduler, sales=self.sales, settlement=self.settlement)
        self.idempotency = Idempotency(db, self.heartbeat)
        self.accounts = Accounts(
            self.site, db, self.heartbeat, Tokens(vault.derive("tokens"), self.heartbeat), self._load_catalogue
        )
        self.credentials = Credentials(db, self.heartbeat, vault, self.connect, self.open_accounts)
        self.health = Health(self.site, db, self.heartbeat, self.metrics)
        self.inventory = Inventory(db, vault, self.heartbeat, self.refresh, self._inspector)
        self.records = Records(self.site, db)
        self.grants = Grants(db, self.gate)
        fair_from = config.payments.fair_outage_from
        self.compensation = Compensation(db, self.heartbeat, self.scheduler.wake, fair_from.seconds if fair_from else None)
        self.claims = Claims(self.site, db, self.heartbeat, self.settlement, self.gate)
        self.portal = Portal(db, self.heartbeat, self.gate)
        self.port = 0
        """Where it listens; known once it does."""
        self._own_url = ""
        """Where it reaches itself."""
        self._services = self._offered(config)
        self._vault = vault
        self._http = http
        self._base_urls: dict[int, str | None] = {}
        self._opened: dict[int, tuple[ProviderAccount | GatewayError, Provider | GatewayError]] = {}
        """By credential id: the keys, and what was made of them."""
        self._hotspots: dict[int, tuple[RouterLogin, MikrotikHotspot]] = {}
        self._gates: dict[int, Gate] = {}
        self._watches: dict[int, RouterWatch] = {}
        self._last_life_s: float | None = None
        """Until when the life before this one went on, in seconds since 1970; None once routers are added that it did not have."""
        self._refreshing = asyncio.Lock()
        logging.getLogger("gateway").addHandler(self.metrics)

    def _offered(self, config: Config) -> Services:
        """What the web layer may use."""
        return Services(
            config=config,
            site=self.site,
            clock=self.heartbeat,
            visitors=self.visitors,
            news=self.news,
            sales=self.sales,
            links=self.links,
            idempotency=self.idempotency,
            settlement=self.settlement,
            accounts=self.accounts,
            credentials=self.credentials,
            inventory=self.inventory,
            records=self.records,
            grants=self.grants,
            refunds=self.refunds,
            claims=self.claims,
            portal=self.portal,
            health=self.health,
        )

    async def remember(self) -> None:
        """Learn until when the life before this one went on, before anything of this one is kept. A backup's is no evidence."""
        restored = await self.db.read(rescues.is_unsettled)
        self._last_life_s = None if restored else await self.db.read(clock_rows.last_sign_s) or None
        await self.heartbeat.begin()

    async def take_up(self) -> None:
        """Write what a start has to write. While the disk does not take it nothing is sold, and whoever has paid is served."""
        beginning = Errand("beginning", self._take_up)
        try:
            await beginning.run_once()
        except NotStored as fault:
            text = "nothing is sold until the disk takes writes (%s); who has paid is served"
            log.error(text, fault.__cause__, extra={"action": "begun_without_disk"})  # noqa: TRY400 - a sentence
            await self._work_with(self._services.config)
            self.scheduler.add(beginning)

    async def _take_up(self) -> None:
        await self.settlement.recover()
        await self.take(self._services.config)
        self.site.begun = True

    async def take(self, config: Config) -> None:
        """Make the file's owners, routers and packages true: at the start, and again at each reload. What is in hand goes on."""
        hashes = await self.accounts.hashes_of(config.owners)
        made = await self.db.write(lambda tx: self._declare(tx, config, hashes))
        for username, public_key in made.items():
            log.warning("the public key of %s, made now: %s", username, public_key, extra={"action": "key_made"})
        self.accounts.declared(config.owners)
        await self._work_with(config)
        self._services.config = config

    async def _work_with(self, config: Config) -> None:
        self._base_urls = {owner.id: owner.intasend.base_url for owner in config.owners if owner.intasend}
        await self.open_accounts()
        await self.refresh()

    def _declare(self, tx: Transaction, config: Config, hashes: dict[int, str]) -> dict[str, str]:
        made = catalogue_rows.declare(tx, config.owners, self._vault, hashes)
        keys = {owner.id: owner.intasend.account for owner in config.owners if owner.intasend and owner.intasend.account}
        credential_rows.declare(tx, keys, self._vault, self.heartbeat.wall_s())
        return made

    async def open_accounts(self) -> None:
        """Make the credentials in the database usable: at the start, at each reload, after each change through the API."""
        stored = await self.db.read(lambda tx: credential_rows.accounts(tx, self._vault))
        # From here on nothing is awaited: whoever sells sees an account and its credential change together.
        self._opened = {each.credential.id: self._open(each) for each in stored}
        accounts = {each.credential.id: Account(each.credential.owner_id, self._opened[each.credential.id][1]) for each in stored}
        selling = {each.credential.owner_id: each.credential.id for each in stored if each.credential.active}  # the newest is last
        self.site.accounts, self.site.selling_with = accounts, selling
        self.site.providers = {owner_id: accounts[credential_id].provider for owner_id, credential_id in selling.items()}
        for owner_id, provider in self.site.providers.items():
            if isinstance(provider, GatewayError):
                log.error("owner %s cannot sell: %s", owner_id, provider, extra={"action": "keys_unusable"})

    def _open(self, stored: StoredAccount) -> tuple[ProviderAccount | GatewayError, Provider | GatewayError]:
        """The keys and what is made of them; what was made before stays where they are still the same."""
        if isinstance(stored.keys, GatewayError):
            return stored.keys, stored.keys
        keys = replace(stored.keys, base_url=self._base_urls.get(stored.credential.owner_id))
        known = self._opened.get(stored.credential.id)
        if known is not None and known[0] == keys:
            return known
        try:
            return keys, self._at_intasend(stored.credential.owner_id, keys)
        except Invalid as fault:
            return keys, fault

    def connect(self, owner_id: int, keys: ProviderAccount) -> Provider:
        """An owner's account at IntaSend. Raises Invalid for keys that cannot be sent or contradict themselves."""
        keys = replace(keys, base_url=self._base_urls.get(owner_id))
        return IntaSend(keys, self._http, record=partial(self.exchanges.take, owner_id))

    def _at_intasend(self, owner_id: int, keys: ProviderAccount) -> IntaSend:
        upstream = Upstream(f"IntaSend (owner {owner_id}, {keys.environment.value})", self.clock)
        return IntaSend(keys, self._http, upstream=upstream, record=partial(self.exchanges.take, owner_id), witness=self.heartbeat)

    async def refresh(self) -> None:
        """Work with the routers and packages that the database holds now; what goes on at the others is not disturbed."""
        async with self._refreshing:
            await self._load_catalogue()
            await self._connect_routers()

    def gate(self, router_id: int) -> Gate:
        """The one gate of a router: whoever opens, closes or revokes there waits for each other. Also of one not in service."""
        if router_id not in self._gates:
            self._gates[router_id] = Gate(router_id, self.site, self.db, self.heartbeat, self.scheduler.wake)
        return self._gates[router_id]

    def _watch(self, router_id: int) -> RouterWatch:
        if router_id not in self._watches:
            self._watches[router_id] = RouterWatch(router_id, self.compensation, self._last_life_s)
        return self._watches[router_id]

    def _inspector(self, login: RouterLogin) -> Inspector:
        return MikrotikHotspot(login, self.clock, deadline_s=INSPECTION_S)

    async def _load_catalogue(self) -> None:
        self.site.catalogue = await self.db.read(lambda tx: catalogue_rows.load(tx, self._vault))

    def begin(self) -> None:
        """Start the jobs that belong to no router."""
        self._last_life_s = None
        self.scheduler.add(self.heartbeat)
        self.scheduler.add(self.exchanges)
        self.scheduler.add(self.news)
        self.scheduler.add(Backups(self.db, self._services.config.server.data_dir / backups.FOLDER, self.heartbeat))
        self.scheduler.add(Settle(self.settlement, self.db, self.heartbeat, random.Random()))  # noqa: S311 - spreads questions
        self.scheduler.add(CloseLinks(self.links, self.heartbeat))
        self.scheduler.add(self.books)
        self.scheduler.add(Audit(self.db, self.site, self.heartbeat, self.metrics))
        due_after = self._services.config.payments.refund_due_after
        self.scheduler.add(Dues(self.db, self.heartbeat, due_after.seconds))
        self.scheduler.add(Unserved(self.db, self.site, self.heartbeat))
        places = self._services.config.server.uplink_probe
        self.scheduler.add(Uplink(places, self.compensation, lambda: list(self.site.catalogue.routers)))

    async def look_around(self) -> None:
        """Wait until each router has answered or failed to, but not for long: then it is known what can be sold."""
        until_s = self.clock.monotonic_s() + FIRST_LOOK_S
        while self.clock.monotonic_s() < until_s and any(each.reachable is None for each in self.site.hotspots.values()):
            await self.clock.sleep(0.05)

    def be_watched(self, within_s: float, tell: Callable[[str], None]) -> None:
        """Give a sign of life twice in that time, for as long as everything answers."""
        signs = Signs(stored=self.db.writer_answers, served=self._ask_itself, status=self._status)
        self.scheduler.add(Watchdog(self.clock, self.scheduler, signs, tell, every_s=within_s / 2))

    async def _ask_itself(self) -> None:
        try:
            async with self._http.get(self._own_url):
                pass
        except aiohttp.ClientError as fault:
            raise OSError(str(fault)) from fault

    def _status(self) -> str:
        """For `systemctl status`, in one line."""
        routers = [each.reachable for each in self.site.hotspots.values()]
        said = [f"{sum(map(bool, routers))} of {len(routers)} routers answer", self.heartbeat.complaint]
        if not self.db.takes_writes:
            said.insert(0, "the disk takes no writes")
        return "; ".join(each for each in said if each)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer HTTP until the caller is done."""
        # Nobody compresses requests this small; unpacking what a stranger sends would only be a way to fill the memory.
        runner = web.AppRunner(
            app.build(self._services),
            access_log=None,
            shutdown_timeout=GRACE_S,
            auto_decompress=False,
            keepalive_timeout=IDLE_S,
            lingering_time=LINGER_S,
        )
        await runner.setup()
        try:
            await self._listen(runner)
            yield
        finally:
            self.news.end()
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        server = self._services.config.server
        try:
            await web.TCPSite(runner, server.listen_host, server.listen_port).start()
        except OSError as fault:
            where = f"{server.listen_host}:{server.listen_port}"
            raise Internal(f"cannot listen on {where}: {os.strerror(fault.errno) if fault.errno else fault}") from None
        host, self.port = runner.addresses[0][:2]  # where it listens on all addresses, Linux takes that one for itself
        self._own_url = f"http://[{host}]:{self.port}/healthz" if ":" in host else f"http://{host}:{self.port}/healthz"

    async def end(self) -> None:
        """Let what is in hand finish, store what is still waiting for it, close every connection to a router."""
        await self.scheduler.stop(GRACE_S)
        await self.exchanges.run_once()
        await asyncio.gather(*(hotspot.close() for _, hotspot in self._hotspots.values()))
        logging.getLogger("gateway").removeHandler(self.metrics)

    async def _connect_routers(self) -> None:
        wanted = self.site.catalogue.routers
        for router_id, (login, _) in list(self._hotspots.items()):
            if router_id not in wanted or wanted[router_id].login != login:
                await self._disconnect(router_id)
        self._watches = {router_id: watch for router_id, watch in self._watches.items() if router_id in wanted}
        await self.compensation.forget_all_but(wanted)
        for router in wanted.values():
            if router.id not in self._hotspots:
                self._connect(router)

    def _connect(self, router: Router) -> None:
        self._put(router.id, (router.login, MikrotikHotspot(router.login, self.clock)))
        gate = self.gate(router.id)
        went_on = self.scheduler.went_on
        self.scheduler.add(Compare(gate, self.db, self.heartbeat, self._watch(router.id), went_on))
        self.scheduler.add(Open(gate, self.db, went_on))
        self.scheduler.add(Close(gate, self.db, self.heartbeat, went_on))

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
