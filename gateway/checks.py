"""`hotspot-gateway check`: everything that can be wrong, in one table. Looks, and changes nothing."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from gateway.clock import Clock, SystemClock
from gateway.config import Config, OwnerConfig
from gateway.daemon import DATABASE_FILE
from gateway.errors import GatewayError, ProviderRefused
from gateway.hotspot.base import RouterLogin
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.providers.intasend import IntaSend
from gateway.store.database import integrity
from gateway.vault import KEY_FILE, Vault

EARLIEST_YEAR = 2025
"""A clock before this program was written is not set."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table."""

    what: str
    well: bool
    detail: str


async def run_checks(config: Config, show: Callable[[str], None]) -> int:
    """Show the table; 0 when all is well, 1 when something is wrong."""
    wrong = 0
    async for finding in _findings(config, SystemClock()):
        show(f"{'ok   ' if finding.well else 'WRONG'}  {finding.what:<28} {finding.detail}")
        wrong += not finding.well
    return 1 if wrong else 0


async def _findings(config: Config, clock: Clock) -> AsyncIterator[Finding]:
    yield Finding("configuration", well=True, detail=f"{len(config.owners)} owner(s)")
    yield _data_dir(config)
    yield _keys(config)
    yield _database(config)
    yield _clock(clock)
    for owner in config.owners:
        yield await _provider(owner)
        for router in owner.routers:
            yield await _router(router.login, clock)


def _data_dir(config: Config) -> Finding:
    path = config.server.data_dir
    if not path.exists():
        return Finding("data directory", well=os.access(path.parent, os.W_OK), detail=f"{path}: will be made at the first start")
    return Finding("data directory", well=os.access(path, os.R_OK | os.W_OK | os.X_OK), detail=str(path))


def _keys(config: Config) -> Finding:
    if not config.security.encryption_keys:
        path = config.server.data_dir / KEY_FILE
        return Finding(
            "encryption key", well=True, detail=f"{path}" if path.exists() else f"{path}: will be made at the first start"
        )
    try:
        Vault(config.security.encryption_keys)
    except GatewayError as fault:
        return Finding("encryption key", well=False, detail=fault.message)
    return Finding("encryption key", well=True, detail=f"{len(config.security.encryption_keys)} configured, the first one seals")


def _database(config: Config) -> Finding:
    path = config.server.data_dir / DATABASE_FILE
    if not path.exists():
        return Finding("database", well=True, detail=f"{path}: will be made at the first start")
    verdict = integrity(path)
    return Finding("database", well=verdict == "ok", detail=f"{path}: {verdict}")


def _clock(clock: Clock) -> Finding:
    now = datetime.fromtimestamp(clock.wall_s(), UTC)
    return Finding("clock", well=now.year >= EARLIEST_YEAR, detail=f"{now:%Y-%m-%d %H:%M:%S} UTC")


async def _provider(owner: OwnerConfig) -> Finding:
    what = f"IntaSend keys of {owner.username}"
    account = owner.intasend.account if owner.intasend else None
    if account is None:
        return Finding(what, well=False, detail="none: this owner cannot sell yet")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        try:
            # The cheapest question that needs the secret key; no invoice of ours can have this reference.
            await IntaSend(account, http).find("HG-CHECK")
        except ProviderRefused as fault:
            return Finding(what, well=False, detail=fault.message)
        except GatewayError as fault:
            return Finding(what, well=False, detail=f"IntaSend could not be asked: {fault.message}")
    return Finding(what, well=True, detail=f"accepted ({account.environment.value})")


async def _router(login: RouterLogin, clock: Clock) -> Finding:
    what, where = f"router {login.name}", f"{login.host}:{login.port}"
    hotspot = MikrotikHotspot(login, clock)
    try:
        seen = await hotspot.observe()
    except GatewayError as fault:
        return Finding(what, well=False, detail=f"{where}: {fault.message}")
    finally:
        await hotspot.close()
    return Finding(
        what, well=True, detail=f"{where}: {len(seen.hosts)} device(s) on the hotspot, {len(seen.rows)} let through by us"
    )
