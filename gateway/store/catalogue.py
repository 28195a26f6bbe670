"""Owners, credentials, routers and packages in the database.

What the configuration file declares is written here at every start and reload, and marked as managed by it. An entry that
disappears from the file is deactivated, never deleted: payments point at it.
"""

import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.catalogue import Catalogue, Owner, Router
from gateway.config import OwnerConfig, RouterConfig
from gateway.errors import Invalid
from gateway.hotspot.base import RouterLogin, Way
from gateway.identity import Duration, Money
from gateway.packages import Package
from gateway.payments import INTASEND
from gateway.providers.base import Environment, ProviderAccount
from gateway.vault import Vault


def declare(tx: sqlite3.Connection, owners: Iterable[OwnerConfig], vault: Vault) -> dict[str, str]:
    """Write what the file declares; deactivate what it declared before and does not any more.

    Returns the public keys that were made for owners who have none, by user name. Raises Invalid for an id that the API has used.
    """
    made = {}
    for table in ("owner", "credential", "router", "package"):
        tx.execute(f"UPDATE {table} SET active = 0 WHERE managed_by = 'config'")  # noqa: S608 - names from this line
    for owner in owners:
        if key := _declare_owner(tx, owner):
            made[owner.username] = key
        _declare_credential(tx, owner, vault)
        for router in owner.routers:
            _declare_router(tx, owner.id, router, vault)
            for package in router.packages:
                _declare_package(tx, package)
    return made


def load(tx: sqlite3.Connection, vault: Vault) -> Catalogue:
    """Everything that is active. Raises EncryptionKeyMismatch when a router's password cannot be opened."""
    owners = [Owner(*row) for row in tx.execute("SELECT id, username, name, public_key FROM owner WHERE active")]
    active = {owner.id for owner in owners}
    rows = tx.execute("SELECT * FROM router WHERE active").fetchall()
    return Catalogue(owners, [_router(tx, row, vault) for row in rows if row["owner_id"] in active])


def account(tx: sqlite3.Connection, owner_id: int, vault: Vault, base_url: str | None) -> ProviderAccount | None:
    """The owner's newest active keys, opened; None when there are none.

    Raises EncryptionKeyMismatch when they were sealed with a key that is not configured any more.
    """
    row = tx.execute(
        "SELECT * FROM credential WHERE owner_id = ? AND provider = ? AND active ORDER BY id DESC LIMIT 1", (owner_id, INTASEND)
    ).fetchone()
    if row is None:
        return None
    return ProviderAccount(
        environment=Environment(row["environment"]),
        publishable_key=row["publishable_key"],
        secret_key=vault.open(row["secret_sealed"]),
        webhook_challenge=vault.open(row["challenge_sealed"]) if row["challenge_sealed"] else None,
        base_url=base_url,
    )


def _declare_owner(tx: sqlite3.Connection, owner: OwnerConfig) -> str | None:
    """The owner's public key, if it had to be made."""
    known = tx.execute("SELECT public_key FROM owner WHERE id = ?", (owner.id,)).fetchone()
    made = None if owner.public_key or known else secrets.token_hex(16)
    key = owner.public_key or made or known["public_key"]
    _upsert(
        tx,
        "owner",
        {"id": owner.id, "username": owner.username, "name": owner.name, "public_key": key},
    )
    return made


def _declare_credential(tx: sqlite3.Connection, owner: OwnerConfig, vault: Vault) -> None:
    keys = owner.intasend.account if owner.intasend else None
    if keys is None:
        return
    row = tx.execute("SELECT id FROM credential WHERE owner_id = ? AND managed_by = 'config'", (owner.id,)).fetchone()
    _upsert(
        tx,
        "credential",
        {
            "id": row["id"] if row else None,
            "owner_id": owner.id,
            "provider": INTASEND,
            "environment": keys.environment.value,
            "publishable_key": keys.publishable_key,
            "secret_sealed": vault.seal(keys.secret_key),
            "challenge_sealed": vault.seal(keys.webhook_challenge) if keys.webhook_challenge else None,
        },
    )


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
    _upsert(
        tx,
        "package",
        {
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
        },
    )


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
    packages = [_package(found) for found in tx.execute("SELECT * FROM package WHERE router_id = ?", (row["id"],))]
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


def _package(row: sqlite3.Row) -> Package:
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
