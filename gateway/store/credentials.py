"""Credentials in the database: an owner's keys at a provider, what is secret about them sealed.

What the configuration file declares is one row for each owner and environment: another environment is another account, and payments
point at the one with which they were made. Other keys in the same environment are taken over in place. Decides nothing about who
may change what: that is `gateway.credentials`' business.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import Credential
from gateway.errors import EncryptionKeyMismatch, NotFound
from gateway.payments import INTASEND
from gateway.providers.base import Environment, ProviderAccount
from gateway.store import events
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """A credential and the keys themselves; where they do not open, the reason stands instead."""

    credential: Credential
    keys: ProviderAccount | EncryptionKeyMismatch


def declare(tx: sqlite3.Connection, declared: Mapping[int, ProviderAccount], vault: Vault, now_s: float) -> None:
    """Make the file's keys true, by owner id; what it does not declare any more is put away."""
    kept = {_declare(tx, owner_id, keys, vault, now_s) for owner_id, keys in declared.items()}
    for (credential_id,) in tx.execute("SELECT id FROM credential WHERE managed_by = 'config' AND active").fetchall():
        if credential_id not in kept:
            change(tx, credential_id, now_s, active=0)


def insert(tx: sqlite3.Connection, owner_id: int, managed_by: str, now_s: float, keys: dict[str, Any]) -> Credential:
    """Add an owner's keys at IntaSend, as `sealed` made them: the newest, which sell from now on."""
    row = keys | {
        "owner_id": owner_id,
        "provider": INTASEND,
        "managed_by": managed_by,
        "active": 1,
        "created_at_s": now_s,
        "updated_at_s": now_s,
    }
    places = ", ".join("?" * len(row))
    made = tx.execute(f"INSERT INTO credential ({', '.join(row)}) VALUES ({places})", tuple(row.values()))  # noqa: S608
    return _told(tx, "credential.created", now_s, made.lastrowid or 0)


def change(tx: sqlite3.Connection, credential_id: int, now_s: float, **columns: Any) -> Credential:
    """Write columns of a credential, secrets sealed (see `sealed`), and the event of it."""
    settings = ", ".join(f"{column} = ?" for column in columns)
    tx.execute(
        f"UPDATE credential SET {settings}, updated_at_s = ? WHERE id = ?",  # noqa: S608 - names from the callers
        (*columns.values(), now_s, credential_id),
    )
    return _told(tx, "credential.changed", now_s, credential_id)


def remove(tx: sqlite3.Connection, credential: Credential, now_s: float) -> None:
    """Nobody sees or sells with it any more. It stays where payments were made with it: their state is read with the same keys."""
    if is_used(tx, credential.id):
        change(tx, credential.id, now_s, active=0, removed=1)
    else:
        tx.execute("DELETE FROM credential WHERE id = ?", (credential.id,))
    events.append(tx, "credential.removed", now_s, owner_id=credential.owner_id, data={"credential_id": credential.id})


def is_used(tx: sqlite3.Connection, credential_id: int) -> bool:
    """Whether a payment was ever made with it."""
    return tx.execute("SELECT 1 FROM payment WHERE credential_id = ? LIMIT 1", (credential_id,)).fetchone() is not None


def sealed(keys: ProviderAccount, vault: Vault) -> dict[str, Any]:
    """The keys as columns."""
    return {
        "environment": keys.environment.value,
        "publishable_key": keys.publishable_key,
        "secret_sealed": vault.seal(keys.secret_key),
        "challenge_sealed": vault.seal(keys.webhook_challenge) if keys.webhook_challenge else None,
    }


def owned(tx: sqlite3.Connection, credential_id: int, owner_id: int) -> Credential:
    """The credential if it is that owner's. Raises NotFound, the same for what is not there and what is another's."""
    row = tx.execute("SELECT * FROM credential WHERE id = ? AND owner_id = ? AND NOT removed", (credential_id, owner_id)).fetchone()
    if row is None:
        raise NotFound("Credentials not found or access denied")
    return _credential(row)


def of_owner(tx: sqlite3.Connection, owner_id: int) -> list[Credential]:
    """Everything that the owner sees, newest first."""
    rows = tx.execute("SELECT * FROM credential WHERE owner_id = ? AND NOT removed ORDER BY id DESC", (owner_id,))
    return [_credential(row) for row in rows]


def opened(tx: sqlite3.Connection, credential_id: int, vault: Vault) -> ProviderAccount:
    """The keys themselves. Raises EncryptionKeyMismatch when they were sealed with a key that is not in force any more."""
    return _opened(tx.execute("SELECT * FROM credential WHERE id = ?", (credential_id,)).fetchone(), vault)


def accounts(tx: sqlite3.Connection, vault: Vault) -> list[StoredAccount]:
    """Every credential of every active owner, oldest first; those that do not sell too: money may be under way with them."""
    rows = tx.execute("SELECT * FROM credential WHERE owner_id IN (SELECT id FROM owner WHERE active) ORDER BY id")
    return [StoredAccount(_credential(row), _opened_or_why(row, vault)) for row in rows]


def _declare(tx: sqlite3.Connection, owner_id: int, keys: ProviderAccount, vault: Vault, now_s: float) -> int:
    row = tx.execute(
        "SELECT * FROM credential WHERE owner_id = ? AND environment = ? AND managed_by = 'config'",
        (owner_id, keys.environment.value),
    ).fetchone()
    if row is None:
        return insert(tx, owner_id, "config", now_s, sealed(keys, vault)).id
    if not (row["active"] and _says(row, keys, vault)):
        change(tx, row["id"], now_s, active=1, **sealed(keys, vault))
    return int(row["id"])


def _says(row: sqlite3.Row, keys: ProviderAccount, vault: Vault) -> bool:
    """Whether the row holds these keys already: then nothing is written at a reload."""
    stored = _opened_or_why(row, vault)
    return isinstance(stored, ProviderAccount) and all(
        getattr(stored, name) == getattr(keys, name) for name in ("publishable_key", "secret_key", "webhook_challenge")
    )


def _opened_or_why(row: sqlite3.Row, vault: Vault) -> ProviderAccount | EncryptionKeyMismatch:
    try:
        return _opened(row, vault)
    except EncryptionKeyMismatch as fault:
        return fault


def _opened(row: sqlite3.Row, vault: Vault) -> ProviderAccount:
    return ProviderAccount(
        environment=Environment(row["environment"]),
        publishable_key=row["publishable_key"],
        secret_key=vault.open(row["secret_sealed"]),
        webhook_challenge=vault.open(row["challenge_sealed"]) if row["challenge_sealed"] else None,
        base_url=None,
    )


def _told(tx: sqlite3.Connection, kind: str, now_s: float, credential_id: int) -> Credential:
    """Write the event of what was just written, without what is secret."""
    credential = _credential(tx.execute("SELECT * FROM credential WHERE id = ?", (credential_id,)).fetchone())
    data = {
        "credential_id": credential.id,
        "environment": credential.environment.value,
        "publishable_key": credential.publishable_key,
        "active": credential.active,
        "managed_by": credential.managed_by,
    }
    events.append(tx, kind, now_s, owner_id=credential.owner_id, data=data)
    return credential


def _credential(row: sqlite3.Row) -> Credential:
    return Credential(
        id=row["id"],
        owner_id=row["owner_id"],
        provider=row["provider"],
        environment=Environment(row["environment"]),
        publishable_key=row["publishable_key"],
        managed_by=row["managed_by"],
        active=bool(row["active"]),
        has_challenge=row["challenge_sealed"] is not None,
        created_at_s=row["created_at_s"],
        updated_at_s=row["updated_at_s"],
    )
