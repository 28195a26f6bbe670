"""`hotspot-gateway audit`: whether what must hold does, in one table. Reads beside a running gateway, and changes nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import aiohttp

from gateway.audit import BACK_MAX_S, Examiner
from gateway.catalogue import Account, Site
from gateway.clock import Clock, MachineClock, SystemClock
from gateway.config import Config
from gateway.datadir import DATABASE_FILE
from gateway.errors import GatewayError, Internal
from gateway.heartbeat import KeptTime
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.invariants import Finding, Invariant, Severity
from gateway.providers.base import Provider
from gateway.providers.intasend import IntaSend
from gateway.references import TAG_CHARS
from gateway.store import audit as audit_rows
from gateway.store import catalogue as catalogue_rows
from gateway.store import credentials as credential_rows
from gateway.store.credentials import StoredAccount
from gateway.store.database import Transaction, reading
from gateway.vault import KEY_FILE, Vault, keys_in

T = TypeVar("T")

UNCHECKED = "could not check"
"""Neither a pass nor a fault."""


@dataclass(slots=True)
class Result:
    """What was found, and what could not be asked."""

    findings: list[Finding] = field(default_factory=list)
    unchecked: list[tuple[str, str]] = field(default_factory=list)

    async def ask(self, what: str, question: Awaitable[list[Finding]]) -> None:
        """Add what was found, or why nobody knows."""
        try:
            self.findings += await question
        except GatewayError as fault:
            self.unchecked.append((what, fault.message))

    @property
    def holds(self) -> bool:
        """Whether everything was checked, and nothing is broken."""
        return not self.unchecked and all(finding.severity is not Severity.BROKEN for finding in self.findings)


class ReadOnly:
    """A `gateway.audit.Reader` over a connection of its own that cannot write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """See `Reader`. Opened each time: between two bites the daemon's log can be folded in."""
        return await asyncio.to_thread(self._run, work)

    def _run(self, work: Callable[[Transaction], T]) -> T:
        with reading(self._path) as tx:
            return work(tx)


async def run_audit(config: Config, show: Callable[[str], None], clock: MachineClock | None = None) -> int:
    """Show the table; 0 when everything holds, 1 when something is broken or could not be checked.

    Raises Internal without a database or its key.
    """
    path = config.server.data_dir / DATABASE_FILE
    if not path.exists():
        raise Internal(f"there is no database at {path} yet, so nothing to audit")
    machine = clock or SystemClock()
    time = await ReadOnly(path).read(lambda tx: KeptTime(tx, machine))
    async with _site(config, ReadOnly(path), time) as (site, examiner):
        result = await _examined(site, examiner, ReadOnly(path), time.wall_s())
    for line in _table(result):
        show(line)
    return 0 if result.holds else 1


async def _examined(site: Site, examiner: Examiner, db: ReadOnly, now_s: float) -> Result:
    """Every payment ever made, every router, and a week of every account."""
    result, rowid = Result(), 0
    while True:
        payment_ids, rowid = await db.read(lambda tx: audit_rows.next_on_round(tx, rowid, audit_rows.BITE))  # noqa: B023
        if not payment_ids:
            break
        await result.ask("payments", examiner.payments(payment_ids))
    await result.ask("events", examiner.events())
    await result.ask("receipts", examiner.receipts())
    for router in site.catalogue.routers.values():
        await result.ask(f"router {router.name}", examiner.router(router.id))
    for credential_id, account in site.accounts.items():
        name = site.catalogue.owners[account.owner_id].username
        await result.ask(f"IntaSend's list of {name}", examiner.account(credential_id, account, now_s - BACK_MAX_S))
    return result


def _table(result: Result) -> Iterator[str]:
    broken = Counter(finding.invariant for finding in result.findings if finding.severity is Severity.BROKEN)
    for invariant in Invariant:
        yield f"{'BROKEN' if broken[invariant] else 'holds':<7} {invariant.value:<28} {broken[invariant] or ''}".rstrip()
    for what, why in result.unchecked:
        yield f"{UNCHECKED}: {what}: {why}"
    for finding in result.findings:
        about = finding.payment_id or finding.grant_id or ""
        yield f"{finding.severity.value:<7} {finding.invariant.value}: {about} {finding.what}"


# ── the site ──


@asynccontextmanager
async def _site(config: Config, db: ReadOnly, clock: Clock) -> AsyncIterator[tuple[Site, Examiner]]:
    """What the database knows of owners, routers and keys, with connections of our own."""
    vault = _vault(config)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        catalogue = await db.read(lambda tx: catalogue_rows.load(tx, vault))
        stored = await db.read(lambda tx: credential_rows.accounts(tx, vault))
        base_urls = {owner.id: owner.intasend.base_url for owner in config.owners if owner.intasend}
        hotspots = {router.id: MikrotikHotspot(router.login, clock) for router in catalogue.routers.values()}
        for hotspot in hotspots.values():
            stack.push_async_callback(hotspot.close)
        accounts = {
            one.credential.id: Account(one.credential.owner_id, _provider(one, base_urls.get(one.credential.owner_id), http))
            for one in stored
            if one.credential.active
        }
        site = Site(catalogue, {}, hotspots, accounts, tag=vault.derive("references").reveal()[:TAG_CHARS])
        yield site, Examiner(db, site, clock)


def _vault(config: Config) -> Vault:
    if not config.security.encryption_keys and not (config.server.data_dir / KEY_FILE).exists():
        raise Internal(f"{config.server.data_dir / KEY_FILE} is missing, so the database's secrets cannot be opened")
    return Vault(config.security.encryption_keys or keys_in(config.server.data_dir))


def _provider(stored: StoredAccount, base_url: str | None, http: aiohttp.ClientSession) -> Provider | GatewayError:
    if isinstance(stored.keys, GatewayError):
        return stored.keys
    try:
        return IntaSend(replace(stored.keys, base_url=base_url), http)
    except GatewayError as fault:
        return fault
