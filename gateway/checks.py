"""`hotspot-gateway check`: everything that can be wrong, in one table. Looks, and changes nothing."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from gateway.clock import Clock, MachineClock, SystemClock
from gateway.config import Config, OwnerConfig, RouterConfig
from gateway.datadir import DATABASE_FILE
from gateway.errors import GatewayError, ProviderRefused, RouterUnreachable
from gateway.hotspot.base import RouterLogin
from gateway.hotspot.inspection import Site, Verdict, look
from gateway.hotspot.inspection_rules import judge
from gateway.hotspot.link import Link
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.hotspot.pages import hotspot_pages
from gateway.providers.intasend import IntaSend
from gateway.store.backups import integrity
from gateway.vault import KEY_FILE, Vault

EARLIEST_YEAR = 2025
"""A clock before this program was written is not set."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table; what is wrong says what to do."""

    what: str
    well: bool
    detail: str
    doubtful: bool = False
    """May be as somebody wants it, or could not be seen: shown as `look`, and no error."""

    def __str__(self) -> str:
        verdict = "look" if self.doubtful else "ok" if self.well else "WRONG"
        return f"{verdict:<5}  {self.what:<28} {self.detail}"


async def run_checks(config: Config, show: Callable[[str], None], clock: MachineClock | None = None) -> int:
    """Show the table; 0 when nothing is wrong, though something may be worth a look, 1 when something is."""
    wrong = 0
    async for finding in _findings(config, clock or SystemClock()):
        show(str(finding))
        wrong += not finding.well
    return 1 if wrong else 0


async def _findings(config: Config, clock: MachineClock) -> AsyncIterator[Finding]:
    yield Finding("configuration", well=True, detail=f"{len(config.owners)} owner(s)")
    yield _data_dir(config)
    yield _keys(config)
    yield _database(config)
    yield _clock(clock)
    for owner in config.owners:
        yield await _provider(owner)
        for router in owner.routers:
            first = await _router(router.login, clock)
            yield first
            if first.well:
                async for finding in _pitfalls(router, config, clock):
                    yield finding


def _data_dir(config: Config) -> Finding:
    path = config.server.data_dir
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    if not (place.is_dir() and os.access(place, os.R_OK | os.W_OK | os.X_OK)):
        advice = "give it to the user that runs the gateway, or set server.data_dir"
        return Finding("data directory", well=False, detail=f"{path}: {place} is not a writable folder: {advice}")
    return _made_later("data directory", path)


def _keys(config: Config) -> Finding:
    if not config.security.encryption_keys:
        path = config.server.data_dir / KEY_FILE
        if not path.exists() and (config.server.data_dir / DATABASE_FILE).exists():
            advice = "restore it from your backup: a new one would not open the secrets in the database"
            return Finding("encryption key", well=False, detail=f"{path} is missing: {advice}")
        return _made_later("encryption key", path)
    try:
        Vault(config.security.encryption_keys)
    except GatewayError as fault:
        return Finding("encryption key", well=False, detail=f"security.encryption_key: {fault.message}")
    return Finding("encryption key", well=True, detail=f"{len(config.security.encryption_keys)} configured, the first one seals")


def _database(config: Config) -> Finding:
    path = config.server.data_dir / DATABASE_FILE
    verdict = integrity(path) if path.exists() else "ok"
    if verdict != "ok":
        return Finding("database", well=False, detail=f"{path}: {verdict}: stop the gateway and restore a backup")
    return _made_later("database", path)


def _made_later(what: str, path: Path) -> Finding:
    return Finding(what, well=True, detail=str(path) if path.exists() else f"{path}: will be made at the first start")


def _clock(clock: MachineClock) -> Finding:
    """Whether it is set at all. Without systemd's time service nobody can tell more; the provider confirms it then."""
    now = datetime.fromtimestamp(clock.wall_s(), UTC)
    well = now.year >= EARLIEST_YEAR
    advice = "" if well else ": not set; see `timedatectl`, and let the gateway's machine reach a time server"
    heeded = "" if clock.synchronised_at_s() is None else ", set by a time server"
    return Finding("clock", well=well, detail=f"{now:%Y-%m-%d %H:%M:%S} UTC{heeded}{advice}")


async def _provider(owner: OwnerConfig) -> Finding:
    what = f"IntaSend keys of {owner.username}"
    account = owner.intasend.account if owner.intasend else None
    if account is None:
        return Finding(what, well=False, detail="none, so this owner cannot sell: add them under `intasend`")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        try:
            # The cheapest question that needs the secret key; no invoice of ours can have this reference.
            await IntaSend(account, http).find("HG-CHECK")
        except ProviderRefused as fault:
            advice = f"compare them with the {account.environment.value} keys on IntaSend's dashboard"
            return Finding(what, well=False, detail=f"{fault.message}: {advice}")
        except GatewayError as fault:
            return Finding(what, well=False, detail=f"{fault.message}: check the way to the Internet, and base_url if you set it")
    return Finding(what, well=True, detail=f"accepted ({account.environment.value})")


async def _router(login: RouterLogin, clock: Clock) -> Finding:
    what = f"router {login.name}"
    hotspot = MikrotikHotspot(login, clock)
    try:
        router, seen = await hotspot.inspect(), await hotspot.observe()
    except RouterUnreachable as fault:
        advice = f"check host, port and cable, and on the router `/ip service print` for {'api-ssl' if login.tls else 'api'}"
        return Finding(what, well=False, detail=f"{fault.message}: {advice}")
    except GatewayError as fault:
        return Finding(what, well=False, detail=fault.message)
    finally:
        await hotspot.close()
    if login.hotspot_server is not None and login.hotspot_server not in router.hotspot_servers:
        there = ", ".join(router.hotspot_servers) or "none, so run `/ip/hotspot/setup`"
        return Finding(what, well=False, detail=f'no hotspot server "{login.hotspot_server}": it has {there}')
    where = f"{login.host}:{login.port}, RouterOS {router.version}"
    return Finding(
        what, well=True, detail=f"{where}: {len(seen.hosts)} device(s) on the hotspot, {len(seen.rows)} let through by us"
    )


async def _pitfalls(router: RouterConfig, config: Config, clock: Clock) -> AsyncIterator[Finding]:
    """What makes a hotspot sell badly or not at all though every part of it answers (facts, routeros 6)."""
    pages = hotspot_pages(config.server.public_url, router.login.router_id)
    speeds = tuple(dict.fromkeys(package.profile for package in router.packages if package.active))
    site = Site(router.login, config.server.public_url, speeds, clock.wall_s())
    link = Link(router.login, clock, purpose="check")
    try:
        sight = await look(link, site, pages)
    except GatewayError as fault:
        yield Finding(f"{router.login.name}: settings", well=False, detail=fault.message)
        return
    finally:
        await link.close()
    for judgement in judge(sight, site, pages):
        yield Finding(
            f"{router.login.name}: {judgement.what}",
            well=judgement.verdict is not Verdict.WRONG,
            detail=judgement.detail,
            doubtful=judgement.verdict is Verdict.LOOK,
        )
