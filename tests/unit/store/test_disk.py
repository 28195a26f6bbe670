"""The test's own disk: it must lose what was not synced, or every test on it would prove nothing."""

import random
import sqlite3
from pathlib import Path

import pytest

from tests.disk import Change, Disk, StoredFile, observed

ROWS = 40


def _written(path: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("CREATE TABLE t (number INTEGER)")
    return connection


def _left_after_a_cut(disk: Disk, folder: Path, seed: int) -> int:
    """How many rows there are in what the cut left."""
    disk.cut_to(folder, random.Random(seed))
    remains = sqlite3.connect(folder / "x.db")
    try:
        assert remains.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        return int(remains.execute("SELECT count(*) FROM t").fetchone()[0])
    finally:
        remains.close()


@pytest.mark.parametrize(("synchronous", "is_kept"), [("FULL", True), ("NORMAL", False)])
def test_a_cut_takes_what_was_not_synced_and_nothing_else(tmp_path: Path, synchronous: str, *, is_kept: bool):
    lost = 0
    with observed(tmp_path / "data") as disk:
        (tmp_path / "data").mkdir()
        connection = _written(tmp_path / "data" / "x.db", synchronous)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for number in range(1, ROWS + 1):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            if number % 11 == 0:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            lost += number - _left_after_a_cut(disk, tmp_path / str(number), seed=number)
        connection.close()
    assert (lost == 0) == is_kept


def test_a_disk_that_fails_is_told_to_whoever_writes_and_takes_writes_again_afterwards(tmp_path: Path):
    with observed(tmp_path) as disk:
        connection = _written(tmp_path / "x.db", "FULL")
        disk.fail_write = lambda _: sqlite3.SQLITE_FULL
        with pytest.raises(sqlite3.OperationalError, match="full"):
            connection.execute("INSERT INTO t VALUES (1)")
        disk.fail_write = lambda _: None
        disk.fail_sync = lambda _: sqlite3.SQLITE_IOERR_FSYNC
        with pytest.raises(sqlite3.OperationalError, match="I/O"):
            connection.execute("INSERT INTO t VALUES (2)")
        disk.fail_sync = lambda _: None
        connection.execute("INSERT INTO t VALUES (3)")
        assert connection.execute("SELECT number FROM t").fetchall() == [(3,)]
        connection.close()


def test_other_folders_are_not_watched(tmp_path: Path):
    (tmp_path / "data").mkdir()
    with observed(tmp_path / "data") as disk:
        _written(tmp_path / "x.db", "FULL").close()
    assert not disk.files


def test_a_long_write_may_stay_in_part():
    stored = StoredFile(bytearray(b"a" * 1_024), [Change(0, b"b" * 1_024), Change(2_048, None)])
    left = {stored.after_a_cut(random.Random(seed)) for seed in range(50)}
    assert {b"a" * 1_024, b"b" * 1_024 + bytes(1_024)} < left
    assert any(b"a" in content and b"b" in content for content in left)
