"""Routers and packages in the hand of their owner: look, add, change, put away, try.

What config.yaml manages can be looked at and tried, and is changed there only. After each change the running gateway works with the
new state at once: that is `apply`, which the daemon hands in.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gateway.catalogue import Owner
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, Unavailable
from gateway.hotspot.base import Inspector, RouterLogin, Way
from gateway.identity import Secret
from gateway.packages import Package
from gateway.store import inventory as rows
from gateway.store.database import Database, Transaction, Work
from gateway.store.inventory import PackageEntry, RouterEntry
from gateway.vault import Vault

log = logging.getLogger(__name__)

MAX_ROUTERS = 100
"""Of one owner, those put away included: each in service costs two connections and three jobs on a small machine."""

MAX_PACKAGES = 200
"""At one router, those put away included: nobody can choose from more on a phone."""

API_PORT, API_TLS_PORT = 8728, 8729
"""RouterOS' own ports for `api` and `api-ssl` (facts, routeros 1.1)."""

Entry = TypeVar("Entry", RouterEntry, PackageEntry)
Settings = Mapping[str, Any]
"""Names of fields and their values in the gateway's own types; what is not named stays as it is."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying a router."""

    reachable: bool
    version: str | None = None
    hotspot_servers: tuple[str, ...] = ()
    error: str | None = None
    """What is wrong, in a sentence; None when the router can be sold on."""


class Inventory:
    """The routers and packages of each owner, and nobody else's.

    Every method that names a router or package raises NotFound for one that is somebody else's, and those that change something
    raise Conflict for what config.yaml manages.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        clock: Clock,
        apply: Callable[[], Awaitable[None]],
        inspector: Callable[[RouterLogin], Inspector],
    ) -> None:
        self._db = db
        self._vault = vault
        self._clock = clock
        self._apply = apply
        self._inspector = inspector

    # ── routers ──

    async def routers(self, owner: Owner) -> list[RouterEntry]:
        """All of them, in service or not."""
        return await self._db.read(lambda tx: rows.routers(tx, owner.id))

    async def router(self, owner: Owner, router_id: int) -> RouterEntry:
        """One of them."""
        return await self._db.read(lambda tx: rows.router(tx, owner.id, router_id))

    async def add_router(self, owner: Owner, settings: Settings) -> RouterEntry:
        """Take a router into service. Raises Invalid, and Conflict for a second one at the same address."""
        settings, sealed = self._sealed(settings)
        draft = _new_router(owner.id, settings)

        def work(tx: Transaction) -> RouterEntry:
            if len(rows.routers(tx, owner.id)) >= MAX_ROUTERS:
                raise Conflict(f"There can be {MAX_ROUTERS} routers: put one that is there back into service")
            entry = replace(draft, id=rows.new_id(tx, "router"))
            rows.put_router(tx, entry, sealed, self._clock.wall_s())
            return entry

        return await self._applied(work, "router_added")

    async def change_router(self, owner: Owner, router_id: int, settings: Settings) -> RouterEntry:
        """Change what is named. Raises Invalid, and Conflict for a second one at the same address."""
        settings, sealed = self._sealed(settings)

        def work(tx: Transaction) -> RouterEntry:
            known = rows.router(tx, owner.id, router_id)
            _refuse_managed(known.managed_by)
            entry = _checked(replace(known, **settings))
            rows.put_router(tx, entry, sealed, self._clock.wall_s())
            return entry

        return await self._applied(work, "router_changed")

    async def test_connection(self, owner: Owner, router_id: int) -> Trial:
        """Log in to the router anew, and look whether its hotspot is there. Raises EncryptionKeyMismatch."""
        entry, sealed = await self._db.read(lambda tx: (rows.router(tx, owner.id, router_id), rows.sealed_password(tx, router_id)))
        inspector = self._inspector(_login(entry, self._vault.open(sealed)))
        try:
            seen = await inspector.inspect()
        except Unavailable as fault:
            return Trial(reachable=False, error=fault.message)
        finally:
            await inspector.close()
        return Trial(True, seen.version, seen.hotspot_servers, _missing_hotspot(entry, seen.hotspot_servers))

    # ── packages ──

    async def packages(self, owner: Owner, router_id: int) -> tuple[RouterEntry, list[PackageEntry]]:
        """The router and everything that is or was on sale there."""
        return await self._db.read(lambda tx: (rows.router(tx, owner.id, router_id), rows.packages(tx, router_id)))

    async def package(self, owner: Owner, package_id: int) -> PackageEntry:
        """One package."""
        return await self._db.read(lambda tx: rows.package(tx, owner.id, package_id))

    async def add_package(self, owner: Owner, router_id: int, settings: Settings) -> PackageEntry:
        """Put a package on sale, also at a router that config.yaml manages."""

        def work(tx: Transaction) -> PackageEntry:
            rows.router(tx, owner.id, router_id)
            if len(rows.packages(tx, router_id)) >= MAX_PACKAGES:
                raise Conflict(f"There can be {MAX_PACKAGES} packages at a router: put one that is there back on sale")
            package = Package(id=rows.new_id(tx, "package"), router_id=router_id, **settings)
            rows.put_package(tx, owner.id, package, self._clock.wall_s())
            return PackageEntry(package, "api")

        return await self._applied(work, "package_added")

    async def change_package(self, owner: Owner, package_id: int, settings: Settings) -> PackageEntry:
        """Change what is named, for whoever buys from now on."""

        def work(tx: Transaction) -> PackageEntry:
            known = rows.package(tx, owner.id, package_id)
            _refuse_managed(known.managed_by)
            entry = replace(known, package=replace(known.package, **settings))
            rows.put_package(tx, owner.id, entry.package, self._clock.wall_s())
            return entry

        return await self._applied(work, "package_changed")

    async def _applied(self, work: Work[Entry], action: str) -> Entry:
        entry = await self._db.write(work)
        log.info("%s through the API: %s", action.replace("_", " "), entry.id, extra={"action": action})
        await self._apply()
        return entry

    def _sealed(self, settings: Settings) -> tuple[Settings, str | None]:
        """The settings without the password, and the password as it is stored."""
        rest = {name: value for name, value in settings.items() if name != "password"}
        return rest, self._vault.seal(settings["password"]) if "password" in settings else None


def _new_router(owner_id: int, settings: Settings) -> RouterEntry:
    tls = settings.get("tls", True)
    blank: dict[str, Any] = {
        "id": 0,
        "owner_id": owner_id,
        "port": API_TLS_PORT if tls else API_PORT,
        "tls": tls,
        "tls_fingerprint": None,
        "tls_ca_file": None,
        "hotspot_server": None,
        "way": Way.USER,
        "managed_by": "api",
        "active": True,
    }
    return _checked(RouterEntry(**(blank | dict(settings))))


def _checked(entry: RouterEntry) -> RouterEntry:
    if entry.tls_fingerprint and not entry.tls:
        rule = "has no effect without tls"
        raise Invalid(f"tls_fingerprint: {rule}", fields={"tls_fingerprint": [rule]})
    return entry


def _refuse_managed(managed_by: str) -> None:
    if managed_by == "config":
        raise Conflict("managed by config.yaml")


def _login(entry: RouterEntry, password: Secret) -> RouterLogin:
    return RouterLogin(
        router_id=entry.id,
        name=entry.name,
        host=entry.host,
        port=entry.port,
        tls=entry.tls,
        tls_fingerprint=entry.tls_fingerprint,
        tls_ca_file=entry.tls_ca_file,
        username=entry.username,
        password=password,
        hotspot_server=entry.hotspot_server,
        way=entry.way,
    )


def _missing_hotspot(entry: RouterEntry, servers: tuple[str, ...]) -> str | None:
    if not servers:
        return f"router {entry.name} answers, but runs no hotspot: set one up with /ip hotspot setup"
    if entry.hotspot_server is not None and entry.hotspot_server not in servers:
        return f"router {entry.name} has no hotspot server {entry.hotspot_server}: it has {', '.join(servers)}"
    return None
