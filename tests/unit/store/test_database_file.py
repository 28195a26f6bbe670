"""The database's file: how it is opened and closed, and what a disk can do to it."""

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Internal, NotStored
from gateway.store import database
from gateway.store.backups import integrity
from gateway.store.database import Database, Transaction, peek, reading
from tests.twins import adding, numbers, of_numbers

PATIENCE_S = 20.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await of_numbers(tmp_path)
    yield opened
    await opened.close()


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def raise_time(tx: Transaction) -> None:
    tx.execute("UPDATE clock SET newest_wall_s = newest_wall_s + 1")


def roll_back(tx: Transaction) -> None:
    """What SQLite may do by itself when the disk is full."""
    tx.execute("ROLLBACK")
    fault = sqlite3.OperationalError("database or disk is full")
    fault.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise fault


def refused(_: Transaction) -> None:
    """What a statement meets on a disk that was mounted anew, for reading only."""
    fault = sqlite3.OperationalError("attempt to write a readonly database")
    fault.sqlite_errorcode = sqlite3.SQLITE_READONLY
    raise fault


def fill(tx: Transaction) -> None:
    tx.execute("CREATE TABLE big AS SELECT zeroblob(1000000) AS b")


def assert_ended(threads: set[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can be written: what a full disk looks like from inside."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# ── how the file is opened ──


async def test_the_file_is_in_wal_mode_and_every_commit_is_synced(db: Database, tmp_path):
    async def says(pragma: str) -> Any:
        return (await db.write(lambda tx: tx.execute(f"PRAGMA {pragma}").fetchone()))[0]

    assert (await says("journal_mode"), await says("synchronous"), await says("foreign_keys")) == ("wal", 2, 1)
    assert await says("busy_timeout") >= 10_000
    assert (tmp_path / "gateway.db-wal").exists()


async def test_a_disk_that_refuses_wal_is_refused():
    with pytest.raises(Internal, match=r"the database refuses journal_mode=wal \(it says memory\)"):
        await Database.open(Path(":memory:"))


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4_096])
async def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "gateway.db"
    path.write_bytes(content)
    with pytest.raises(Internal, match=rf"the database {path} cannot be used: "):
        await Database.open(path)
    assert path.read_bytes() == content


async def test_a_folder_that_is_not_there_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(Internal, match="cannot be used: unable to open database file"):
        await Database.open(tmp_path / "gone" / "gateway.db")


@pytest.mark.parametrize("fault", ["the writer's", "the reader's"])
async def test_no_thread_stays_behind_where_opening_failed(tmp_path, monkeypatch, fault):
    ends: list[asyncio.Future[Any] | None] = []
    stop, connect = database._Connection.stop, database._connect

    def noting_stop(connection: Any) -> Any:
        ends.append(stop(connection))
        return ends[-1]

    def failing_connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        if read_only == (fault == "the reader's"):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path, read_only=read_only)

    monkeypatch.setattr(database._Connection, "stop", noting_stop)
    monkeypatch.setattr(database, "_connect", failing_connect)
    before = set(threading.enumerate())
    with pytest.raises(Internal, match="unable to open"):
        await Database.open(tmp_path / "gateway.db")
    assert [end is not None and end.done() for end in ends] == [True] * (1 if fault == "the writer's" else 2)
    assert_ended(set(threading.enumerate()) - before)


# ── closing ──


async def test_closing_commits_what_is_waiting_and_folds_the_log_into_the_file(tmp_path):
    db = await Database.open(tmp_path / "gateway.db")
    late = [asyncio.create_task(db.write(raise_time)) for _ in range(250)]
    await asyncio.sleep(0)
    await db.close()
    await asyncio.gather(*late)
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.db"]
    again = await Database.open(tmp_path / "gateway.db")
    assert await again.read(lambda tx: tx.execute("SELECT newest_wall_s FROM clock").fetchone()[0]) == 250
    await again.close()


async def test_a_full_disk_keeps_nobody_from_closing_and_loses_nothing(tmp_path):
    before = set(threading.enumerate())
    db = await Database.open(tmp_path / "gateway.db")
    await db.write(lambda tx: tx.execute("UPDATE clock SET newest_wall_s = 7"))
    with full_disk():
        await db.close()
    assert_ended(set(threading.enumerate()) - before)
    again = await Database.open(tmp_path / "gateway.db")
    assert await again.read(lambda tx: tx.execute("SELECT newest_wall_s FROM clock").fetchone()[0]) == 7
    await again.close()


# ── the disk ──


async def test_a_healthy_disk_is_writable_from_the_first_moment(tmp_path):
    db = await Database.open(tmp_path / "gateway.db")
    before = (tmp_path / "gateway.db-wal").stat().st_size
    assert await db.is_writable()
    assert (tmp_path / "gateway.db-wal").stat().st_size > before
    await db.close()


async def test_a_full_disk_is_not_writable_until_there_is_room_again(db: Database):
    with full_disk():
        assert not await db.is_writable()
        with pytest.raises(NotStored):
            await db.write(adding(1))
    assert await db.is_writable()
    assert await db.read(numbers) == []


async def test_a_file_that_became_read_only_is_not_writable(db: Database):
    await db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    assert not await db.is_writable()
    with pytest.raises(NotStored, match="try again soon") as caught:
        await db.write(adding(1))
    assert (caught.value.retry_after_s or 0) > 0


async def test_a_disk_that_fills_up_in_the_middle_of_a_batch_is_named_to_everybody_who_lost_something(db: Database):
    (pages,) = await db.write(lambda tx: tx.execute("PRAGMA page_count").fetchone())
    await db._writer.run(lambda tx: tx.execute(f"PRAGMA max_page_count = {pages + 1}").fetchall())
    outcomes = await asyncio.gather(db.write(adding(1)), db.write(fill), db.write(adding(2)), return_exceptions=True)
    kept = await db.read(numbers)
    assert isinstance(outcomes[1], NotStored)
    assert [n for n, outcome in zip((1, 2), outcomes[::2], strict=True) if outcome == n] == kept
    assert {type(outcome) for outcome in outcomes} <= {int, NotStored}


async def test_whoever_loses_a_write_to_a_disk_that_took_the_whole_batch_back_is_told(db: Database):
    outcomes = await asyncio.gather(*(db.write(work) for work in (adding(1), roll_back, adding(2))), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NotStored] * 3
    assert await db.write(adding(3)) == 3
    assert await db.read(numbers) == [3]


async def test_a_commit_of_nothing_is_no_sign_of_a_healthy_disk(db: Database, caplog: pytest.LogCaptureFixture):
    for _ in range(3):
        with pytest.raises(NotStored):
            await db.write(refused)
        assert not db.takes_writes
    assert [vars(record)["action"] for record in caplog.records] == ["database_not_writable"]
    await db.write(adding(1))
    assert db.takes_writes


async def test_a_fault_in_a_statement_is_not_taken_for_a_fault_of_the_disk(db: Database):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await db.write(lambda tx: tx.execute("DELETE FROM nowhere"))


async def test_a_sound_file_is_called_ok_while_the_daemon_runs_on_it(db: Database, tmp_path):
    assert integrity(tmp_path / "gateway.db") == "ok"
    assert await db.write(adding(1)) == 1


def test_a_file_that_is_missing_or_damaged_is_not_called_ok(tmp_path):
    (tmp_path / "damaged.db").write_bytes(b"not a database" * 100)
    assert integrity(tmp_path / "damaged.db") == "file is not a database"
    assert integrity(tmp_path / "gone.db") == "unable to open database file"
    assert not (tmp_path / "gone.db").exists()


async def test_a_database_in_use_can_be_looked_into_and_one_that_is_not_there_is_not_made(tmp_path: Path):
    path = tmp_path / "gateway.db"
    with pytest.raises(Internal, match="there is no database"):
        await peek(path, lambda tx: tx.execute("SELECT 1").fetchone())
    assert files_in(tmp_path) == []
    db = await Database.open(path)
    try:
        assert await peek(path, lambda tx: tx.execute("PRAGMA user_version").fetchone()[0]) > 0
        with pytest.raises(Internal, match="readonly"):
            await peek(path, lambda tx: tx.execute("UPDATE clock SET id = id"))
    finally:
        await db.close()


def test_a_database_that_is_not_there_cannot_be_read_and_is_not_made(tmp_path: Path):
    with pytest.raises(Internal, match=r"^there is no database .*/gateway\.db$"):
        reading(tmp_path / "gateway.db").__enter__()
    assert files_in(tmp_path) == []


# ── a file that is taken away while it is in use ──

NAMES = ("gateway.db", "gateway.db-wal", "gateway.db-shm")


async def in_use(folder: Path) -> Database:
    """With a folder for backups, and a number in its log."""
    opened = await Database.open(folder / "gateway.db", folder / "backups")
    await opened.write(lambda tx: tx.execute("CREATE TABLE number (n INTEGER NOT NULL, twin INTEGER NOT NULL)"))
    await opened.write(adding(1))
    return opened


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await in_use(tmp_path)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("instead", [None, b"", b"another one"], ids=["nothing", "an empty file", "another file"])
async def test_nothing_more_is_stored_in_a_file_that_was_taken_away(
    kept: Database, tmp_path: Path, name: str, instead: bytes | None
):
    told: list[Exception] = []
    kept.on_damage = told.append
    (tmp_path / name).rename(tmp_path / "taken away")
    if instead is not None:
        (tmp_path / name).write_bytes(instead)
    with pytest.raises(NotStored):
        await kept.write(adding(2))
    assert not await kept.is_writable()
    assert name in str(told[0])
    assert not kept.takes_writes


async def test_what_was_in_a_database_that_was_deleted_is_kept_as_a_backup(tmp_path: Path):
    kept = await in_use(tmp_path)
    for name in NAMES:
        (tmp_path / name).unlink()
    await kept.close()
    with closing(sqlite3.connect(tmp_path / "backups" / "gateway-taken-away.db")) as backup:
        assert numbers(backup) == [1]


async def test_without_a_folder_to_keep_it_in_a_deleted_database_can_be_closed(tmp_path: Path):
    kept = await in_use(tmp_path)
    (tmp_path / "backups").touch()
    (tmp_path / "gateway.db").unlink()
    await kept.close()


async def test_a_backup_of_a_database_that_was_deleted_is_none_of_an_empty_one(kept: Database, tmp_path: Path):
    (tmp_path / "gateway.db").unlink()
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        await kept.backup(tmp_path / "backups", "now")
    assert not (tmp_path / "gateway.db").exists()


async def test_a_folder_that_may_not_be_looked_into_any_more_is_no_loss(kept: Database, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "stat", refused)
    assert await kept.write(adding(2)) == 2
