"""Routers and packages as their owners see and change them: also those that are put away, and who manages each.

What is on sale now is `gateway.store.catalogue`'s answer. Rows are never deleted: payments and grants point at them.
"""

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.errors import Conflict, NotFound
from gateway.hotspot.base import Way
from gateway.packages import Package
from gateway.store import events
from gateway.store.catalogue import as_package, package_row

FIRST_API_ID = 1_000_000
"""Ids given here begin where nobody who writes a configuration file by hand counts to, so that the two never meet."""


@dataclass(frozen=True, slots=True)
class RouterEntry:
    """A router without its password, which is write-only."""

    id: int
    owner_id: int
    name: str
    host: str
    port: int
    tls: bool
    tls_fingerprint: str | None
    tls_ca_file: Path | None
    """Set in config.yaml only: it names a file of the gateway's machine."""
    username: str
    hotspot_server: str | None
    way: Way
    managed_by: str
    """`config` or `api`."""
    active: bool


@dataclass(frozen=True, slots=True)
class PackageEntry:
    """A package, and who manages it."""

    package: Package
    managed_by: str
    """`config` or `api`."""

    @property
    def id(self) -> int:
        """The package's."""
        return self.package.id


def routers(tx: sqlite3.Connection, owner_id: int) -> list[RouterEntry]:
    """The owner's routers, by id."""
    return [_router(row) for row in tx.execute("SELECT * FROM router WHERE owner_id = ? ORDER BY id", (owner_id,))]


def router(tx: sqlite3.Connection, owner_id: int, router_id: int) -> RouterEntry:
    """That owner's router. Raises NotFound, also for somebody else's."""
    row = tx.execute("SELECT * FROM router WHERE id = ? AND owner_id = ?", (router_id, owner_id)).fetchone()
    if row is None:
        raise NotFound("Router not found or access denied")
    return _router(row)


def sealed_password(tx: sqlite3.Connection, router_id: int) -> str:
    """The password of a router that is there, as it is stored."""
    return str(tx.execute("SELECT password_sealed FROM router WHERE id = ?", (router_id,)).fetchone()["password_sealed"])


def packages(tx: sqlite3.Connection, router_id: int) -> list[PackageEntry]:
    """The packages of a router, by id."""
    return [_package(row) for row in tx.execute("SELECT * FROM package WHERE router_id = ? ORDER BY id", (router_id,))]


def package(tx: sqlite3.Connection, owner_id: int, package_id: int) -> PackageEntry:
    """The package if it is on one of that owner's routers. Raises NotFound."""
    row = tx.execute(
        "SELECT package.* FROM package JOIN router ON router.id = package.router_id WHERE package.id = ? AND router.owner_id = ?",
        (package_id, owner_id),
    ).fetchone()
    if row is None:
        raise NotFound("Package not found or access denied")
    return _package(row)


def new_id(tx: sqlite3.Connection, table: str) -> int:
    """The next id that was never used."""
    (newest,) = tx.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608 - the callers name the table
    return max(newest or 0, FIRST_API_ID - 1) + 1


def put_router(tx: sqlite3.Connection, entry: RouterEntry, sealed: str | None, at_s: float) -> None:
    """Write a new router, or the new settings of one that is there; without a password the stored one stays.

    Raises Conflict when another router in service has this address, whoever's it is: two gates would undo each other's work.
    """
    if entry.active:
        _refuse_twin(tx, entry)
    ca_file = str(entry.tls_ca_file) if entry.tls_ca_file else None
    row = {**asdict(entry), "authorize": entry.way.value, "tls_ca_file": ca_file}
    del row["way"]
    _put(tx, "router", row if sealed is None else {**row, "password_sealed": sealed})
    data = {"set": row, "password_changed": sealed is not None}
    events.append(tx, "router.saved", at_s, owner_id=entry.owner_id, router_id=entry.id, data=data)


def put_package(tx: sqlite3.Connection, owner_id: int, package: Package, at_s: float) -> None:
    """Write a new package, or the new settings of one that is there."""
    row = {**package_row(package), "managed_by": "api"}
    _put(tx, "package", row)
    events.append(tx, "package.saved", at_s, owner_id=owner_id, router_id=package.router_id, data={"set": row})


def _put(tx: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    settings = ", ".join(f"{column} = ?" for column in row)
    changed = tx.execute(f"UPDATE {table} SET {settings} WHERE id = ?", (*row.values(), row["id"]))  # noqa: S608 - from above
    if changed.rowcount == 0:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        tx.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 - from above


def _refuse_twin(tx: sqlite3.Connection, entry: RouterEntry) -> None:
    twin = tx.execute(
        "SELECT name, owner_id FROM router WHERE host = ? AND port = ? AND id <> ? AND active", (entry.host, entry.port, entry.id)
    ).fetchone()
    if twin is None:
        return
    name = f"router {twin['name']}" if twin["owner_id"] == entry.owner_id else "another router of this gateway"
    raise Conflict(f"{entry.host}:{entry.port} is the address of {name} already")


def _router(row: sqlite3.Row) -> RouterEntry:
    return RouterEntry(
        id=row["id"],
        owner_id=row["owner_id"],
        name=row["name"],
        host=row["host"],
        port=row["port"],
        tls=bool(row["tls"]),
        tls_fingerprint=row["tls_fingerprint"],
        tls_ca_file=Path(row["tls_ca_file"]) if row["tls_ca_file"] else None,
        username=row["username"],
        hotspot_server=row["hotspot_server"],
        way=Way(row["authorize"]),
        managed_by=row["managed_by"],
        active=bool(row["active"]),
    )


def _package(row: sqlite3.Row) -> PackageEntry:
    return PackageEntry(as_package(row), row["managed_by"])
