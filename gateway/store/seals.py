"""Everything in the database that is sealed, sealed again with the newest key.

Knows what is sealed by the name of its column: it ends in `_sealed`, in whatever table. So no secret is forgotten.
"""

import sqlite3
from dataclasses import dataclass

from gateway.errors import EncryptionKeyMismatch
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Resealed:
    """What came of it."""

    count: int
    """How many secrets are sealed with the newest key now."""
    unopened: tuple[str, ...]
    """What none of the keys opens, as table and row: it stays as it is, until its owner sets it anew."""


def reseal(tx: sqlite3.Connection, vault: Vault) -> Resealed:
    """Open each secret with whichever key opens it and seal it with the newest."""
    count, unopened = 0, []
    for table, column in _sealed_columns(tx):
        rows = tx.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()  # noqa: S608 - names of the schema
        for rowid, sealed in rows:
            try:
                fresh = vault.seal(vault.open(sealed))
            except EncryptionKeyMismatch:
                unopened.append(f"{table} {rowid}")
                continue
            tx.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (fresh, rowid))  # noqa: S608
            count += 1
    return Resealed(count, tuple(unopened))


def _sealed_columns(tx: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = tx.execute(
        "SELECT entry.name, info.name FROM sqlite_master AS entry JOIN pragma_table_info(entry.name) AS info "
        "WHERE entry.type = 'table' AND info.name LIKE '%\\_sealed' ESCAPE '\\' ORDER BY entry.name, info.name"
    )
    return [(table, column) for table, column in rows]
