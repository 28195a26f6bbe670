"""The tables that a test's database begins with: the migrations make them once, every database after that is a copy.

A copy takes half a millisecond and the migrations ten, some four thousand times. What they do is the business of
`tests/unit/store/test_migrations.py`, and of every test that starts the program itself.
"""

import sqlite3
from functools import cache
from pathlib import Path

from gateway.store.database import migrate


def lay(connection: sqlite3.Connection, *, backups_in: Path | None = None) -> None:
    """What `migrate` does; a database that is empty yet becomes a copy."""
    if connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None:
        _made().backup(connection)
    else:
        migrate(connection, backups_in=backups_in)


@cache
def _made() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate(made)
    return made
