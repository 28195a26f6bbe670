"""Migrations: numbered, each in a transaction, and the same database however it came about."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import Internal
from gateway.store import database
from gateway.store.database import Database, migrate, migrations

NEXT = [
    (101, "ALTER TABLE owner ADD COLUMN town TEXT;\nCREATE INDEX owner_town ON owner (town);"),
    (102, "UPDATE owner SET town = 'Nyeri';"),
    (103, "CREATE TRIGGER one AFTER INSERT ON owner BEGIN SELECT 1; END;\nDROP INDEX owner_town;"),
]
ONE_OWNER = "INSERT INTO owner (id, username, name, public_key, managed_by, active) VALUES (1, 'njeri', 'N', 'k', 'config', 1)"


@pytest.fixture
def blank() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Everything that the database is made of, spaces aside."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    return [(*row[:3], re.sub(r"\s+", " ", row[3] or "")) for row in rows]


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate_with(monkeypatch: pytest.MonkeyPatch, connection: sqlite3.Connection, known: list[tuple[int, str]]) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: known)
        migrate(connection)


def test_migrations_are_numbered_from_one_without_a_gap():
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_no_migration_ends_its_own_transaction():
    assert [number for number, sql in migrations() if re.search(r"^\s*(BEGIN|COMMIT|ROLLBACK)\b(?!\s*$)", sql, re.MULTILINE)] == []


def test_a_fresh_database_is_of_the_newest_version(blank):
    migrate(blank)
    assert version(blank) == migrations()[-1][0]


def test_migrating_again_changes_nothing(blank):
    migrate(blank)
    blank.execute(ONE_OWNER)
    before = schema(blank)
    migrate(blank)
    assert schema(blank) == before
    assert blank.execute("SELECT username FROM owner").fetchall() == [("njeri",)]


def test_a_database_made_step_by_step_equals_a_fresh_one(blank, monkeypatch):
    known, fresh = [*migrations(), *NEXT], sqlite3.connect(":memory:", isolation_level=None)
    for steps in range(1, len(known) + 1):
        migrate_with(monkeypatch, blank, known[:steps])
        assert version(blank) == known[steps - 1][0]
    migrate_with(monkeypatch, fresh, known)
    assert schema(blank) == schema(fresh)
    assert blank.execute("SELECT * FROM clock").fetchall() == fresh.execute("SELECT * FROM clock").fetchall()
    fresh.close()


def test_what_was_stored_before_a_migration_is_there_after_it(blank, monkeypatch):
    migrate(blank)
    blank.execute(ONE_OWNER)
    migrate_with(monkeypatch, blank, [*migrations(), *NEXT])
    assert blank.execute("SELECT username, town FROM owner").fetchall() == [("njeri", "Nyeri")]


async def test_a_migration_that_fails_leaves_the_database_as_the_one_before_made_it(tmp_path, monkeypatch):
    path = tmp_path / "gateway.db"
    await (await Database.open(path)).close()
    before = _schema_of(path)
    broken = [*migrations(), (101, "CREATE TABLE half (n INTEGER);\nINSERT INTO nowhere VALUES (1);")]
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: broken)
        with pytest.raises(Internal, match="cannot be used: no such table: nowhere"):
            await Database.open(path)
    assert _schema_of(path) == before


async def test_a_database_that_is_newer_than_the_program_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "gateway.db"
    db = await Database.open(path)
    await db.write(lambda tx: tx.execute("PRAGMA user_version = 99"))
    await db.close()
    before = path.read_bytes()
    sentence = rf"the database is of version 99, this program knows {migrations()[-1][0]}: install the newer program again"
    with pytest.raises(Internal, match=sentence):
        await Database.open(path)
    assert path.read_bytes() == before


def test_every_table_checks_the_types_of_what_it_is_given(blank):
    migrate(blank)
    loose = [name for kind, name, _, sql in schema(blank) if kind == "table" and name != "sqlite_sequence" and "STRICT" not in sql]
    assert loose == []


def _schema_of(path: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    try:
        return [*schema(connection), ("version", str(version(connection)))]
    finally:
        connection.close()
