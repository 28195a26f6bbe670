"""Migrations are safe to interrupt: wherever the power goes, the next start finds a database of one version, whole, and goes on.

Every change that SQLite makes to the card is a moment of the cut; each leaves other sectors (tests.disk).
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store import database
from gateway.store.database import migrate, migrations
from tests.disk import Disk, observed
from tests.unit.store.test_migrations import ONE_OWNER, schema, version

CUTS = 40
"""Moments tried, spread over all changes of all migrations."""


class Cut(Exception):
    """The light has gone."""


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def whole(folder: Path) -> list[tuple[str, ...]]:
    """What the migrations lead to."""
    folder.mkdir()
    with closing(opened(folder / "gateway.db")) as connection:
        migrate(connection)
        return schema(connection)


def upgrade(path: Path, disk: Disk, cut_at: int, remains: Path) -> int:
    """From the first version with a customer in it to the newest one; what a cut at that change leaves goes into `remains`."""
    changes = 0

    def count() -> None:
        nonlocal changes
        changes += 1
        if changes == cut_at:
            disk.cut_to(remains, random.Random(cut_at))

    with closing(opened(path)) as connection:
        first = migrations()[0]
        connection.executescript(f"BEGIN IMMEDIATE;\n{first[1]}\nPRAGMA user_version = 1;\n{ONE_OWNER};\nCOMMIT;")
        disk.on_change = count
        migrate(connection)
        disk.on_change = lambda: None
    return changes


def test_a_migration_that_loses_power_anywhere_is_finished_by_the_next_start(tmp_path: Path):
    wanted = whole(tmp_path / "whole")
    total = CUTS
    for number in range(CUTS + 1):
        folder, remains = tmp_path / str(number), tmp_path / f"{number} after the cut"
        folder.mkdir()
        with observed(folder) as disk:
            cut_at = number * total // CUTS
            changes = upgrade(folder / "gateway.db", disk, cut_at, remains)
        if number == 0:
            total = changes
            continue
        with closing(opened(remains / "gateway.db")) as connection:
            assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)], f"cut at change {cut_at}"
            migrate(connection)
            assert (version(connection), schema(connection)) == (migrations()[-1][0], wanted), f"cut at change {cut_at}"
            assert connection.execute("SELECT username FROM owner").fetchall() == [("njeri",)]


@pytest.mark.parametrize("number", range(1, len(migrations()) + 1))
def test_a_migration_that_fails_at_any_statement_leaves_the_version_before_it(number: int, monkeypatch: pytest.MonkeyPatch):
    known = migrations()
    statements = _statements(known[number - 1][1])
    for length in range(1, len(statements) + 1):
        broken = [*known[: number - 1], (number, "\n".join([*statements[:length], "INSERT INTO nowhere VALUES (1);"]))]
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection, monkeypatch.context() as patch:
            patch.setattr(database, "migrations", lambda broken=broken: broken)
            with pytest.raises(sqlite3.OperationalError, match="nowhere"):
                migrate(connection)
            connection.execute("ROLLBACK")
            assert version(connection) == number - 1
            patch.setattr(database, "migrations", lambda: known)
            migrate(connection)
            assert version(connection) == known[-1][0]


def _statements(script: str) -> list[str]:
    found, rest = [], ""
    for line in script.splitlines():
        rest += line + "\n"
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found
