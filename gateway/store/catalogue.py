"""Owners, routers and packages in the database; credentials beside them in `gateway.store.credentials`.

What the configuration file declares is written here at every start and reload, and marked as managed by it. An entry that
disappears from the file is deactivated, never deleted: payments point at it.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gateway.catalogue import Catalogue, Owner, Router
from gateway.config import OwnerConfig, RouterConfig
from gateway.errors import Invalid
from gateway.hotspot.base import RouterLogin, Way
from gateway.identity import Duration, Money
from gateway.packages import Package
from gateway.store import accounts
from gateway.vault import Vault


def declare(
    tx: sqlite3.Connection, owners: Iterable[OwnerConfig], vault: Vault, password_hashes: Mapping[int, str] | None = None
) -> dict[str, str]:
    """Write what the file declares; deactivate what it declared before and does not any more.

    `password_hashes` are by owner id; who has none cannot log in by password.

    Returns the public keys that were made for owners who have none, by user name. Raises Invalid for an id that the API has used.
    """
    made = {}
    for table in ("owner", "router", "package"):
        tx.execute(f"UPDATE {table} SET active = 0 WHERE managed_by = 'config'")  # noqa: S608 - names from this line
    for owner in owners:
        if key := _declare_owner(tx, owner, (password_hashes or {}).get(owner.id)):
            made[owner.username] = key
        for router in owner.routers:
            _declare_router(tx, owner.id, router, vault)
            for package in router.packages:
                _declare_package(tx, package)
    return made


def load(tx: sqlite3.Connection, vault: Vault) -> Catalogue:
    """Everything that is active. Raises EncryptionKeyMismatch when a router's password cannot be opened."""
    found = tx.execute("SELECT id, username, name, public_key, token_generation FROM owner WHERE active")
    owners = [Owner(*row) for row in found]
    active = {owner.id for owner in owners}
    rows = tx.execute("SELECT * FROM router WHERE active").fetchall()
    return Catalogue(owners, [_router(tx, row, vault) for row in rows if row["owner_id"] in active])


def _declare_owner(tx: sqlite3.Connection, owner: OwnerConfig, password_hash: str | None) -> str | None:
    """The owner's public key, if it had to be made."""
    known = tx.execute("SELECT public_key FROM owner WHERE id = ?", (owner.id,)).fetchone()
    made = None if owner.public_key or known else secrets.token_hex(16)
    key = owner.public_key or made or known["public_key"]
    _upsert(
        tx,
        "owner",
        {"id": owner.id, "username": owner.username, "name": owner.name, "public_key": key}
        | accounts.secrets_to_declare(tx, owner, key, password_hash),
    )
    return made


def _declare_router(tx: sqlite3.Connection, owner_id: int, router: RouterConfig, vault: Vault) -> None:
    login = router.login
    _upsert(
        tx,
        "router",
        {
            "id": router.id,
            "owner_id": owner_id,
            "name": router.name,
            "host": login.host,
            "port": login.port,
            "tls": login.tls,
            "tls_fingerprint": login.tls_fingerprint,
            "tls_ca_file": str(login.tls_ca_file) if login.tls_ca_file else None,
            "username": login.username,
            "password_sealed": vault.seal(login.password),
            "hotspot_server": login.hotspot_server,
            "authorize": login.way.value,
        },
    )


def _declare_package(tx: sqlite3.Connection, package: Package) -> None:
    _upsert(tx, "package", package_row(package))


def _upsert(tx: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    row = {"active": True, **row, "managed_by": "config"}
    if row["id"] is not None:
        made = tx.execute(f"SELECT managed_by FROM {table} WHERE id = ?", (row["id"],)).fetchone()  # noqa: S608
        if made and made["managed_by"] != "config":
            raise Invalid(f"the {table} with id {row['id']} was made through the API: give the one in the file another id")
    columns = ", ".join(row)
    settings = ", ".join(f"{column} = excluded.{column}" for column in row)
    tx.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))}) "  # noqa: S608 - names from the callers above
        f"ON CONFLICT (id) DO UPDATE SET {settings}",
        tuple(row.values()),
    )


def _router(tx: sqlite3.Connection, row: sqlite3.Row, vault: Vault) -> Router:
    packages = [as_package(found) for found in tx.execute("SELECT * FROM package WHERE router_id = ?", (row["id"],))]
    login = RouterLogin(
        router_id=row["id"],
        name=row["name"],
        host=row["host"],
        port=row["port"],
        tls=bool(row["tls"]),
        tls_fingerprint=row["tls_fingerprint"],
        tls_ca_file=Path(row["tls_ca_file"]) if row["tls_ca_file"] else None,
        username=row["username"],
        password=vault.open(row["password_sealed"]),
        hotspot_server=row["hotspot_server"],
        way=Way(row["authorize"]),
    )
    return Router(row["id"], row["owner_id"], login, {package.id: package for package in packages})


def as_package(row: sqlite3.Row) -> Package:
    """A row of the package table in our own types."""
    return Package(
        id=row["id"],
        router_id=row["router_id"],
        name=row["name"],
        price=Money(row["price_cents"]),
        duration=Duration(row["duration_s"]),
        download_kbps=row["download_kbps"],
        upload_kbps=row["upload_kbps"],
        data_limit_mb=row["data_limit_mb"],
        devices=row["devices"],
        description=row["description"],
        active=bool(row["active"]),
    )


def package_row(package: Package) -> dict[str, Any]:
    """A package as its table has it, but for who manages it."""
    return {
        "id": package.id,
        "router_id": package.router_id,
        "name": package.name,
        "price_cents": package.price.cents,
        "duration_s": package.duration.seconds,
        "download_kbps": package.download_kbps,
        "upload_kbps": package.upload_kbps,
        "data_limit_mb": package.data_limit_mb,
        "devices": package.devices,
        "description": package.description,
        "active": package.active,
    }
