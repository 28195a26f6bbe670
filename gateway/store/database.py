"""The database file: one writer, readers beside it, migrations.

Owns the connections and the transaction; knows no table but its own bookkeeping. A write is a synchronous function of the open
transaction. What is waiting is run inside one transaction, each function in its savepoint, and committed once: on an SD card the
sync is the whole cost (facts, platform G2). Since a function runs in the connection's own thread from beginning to end, cancelling
whoever waits for it can never leave a transaction half done (facts, reliability A6). Nothing foreign is ever called inside one.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import aiosqlite

from gateway.errors import Internal, NotStored

T = TypeVar("T")
Transaction: TypeAlias = sqlite3.Connection
"""The connection inside an open transaction: what a function of reads or writes is given."""
Work = Callable[[Transaction], T]

log = logging.getLogger(__name__)

_OF_THE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY}
"""What SQLite says when the program is right and the disk is not."""

_RETRY_S = 30  # what a client is told to wait: a full disk needs a person, a stalled card half a minute
_BATCH = 100  # writes in one commit: keeps the longest wait for a commit within a card's worst stall
_CHECKPOINT_PAGES = 1_000  # SQLite's own default: a log of about 4 MB before it is folded into the database


class _Connection(aiosqlite.Connection):
    """An aiosqlite connection that runs whole functions in its thread, so that no transaction spans an await."""

    _ended: "asyncio.Future[Any] | None" = None

    @classmethod
    async def opened(cls, path: Path, *, read_only: bool = False) -> "_Connection":
        """A connection in use; where there can be none, its thread has ended before the fault is raised."""
        connection = cls(partial(_connect, path, read_only=read_only), 64)
        try:
            await connection
        except BaseException:
            if connection._ended is not None:
                await connection._ended
            raise
        return connection

    def stop(self) -> "asyncio.Future[Any] | None":
        """End the thread; what is returned is done when it has."""
        self._ended = super().stop()
        return self._ended

    async def run(self, work: Work[T]) -> T:
        result: T = await self._execute(lambda: work(self._conn))  # type: ignore[no-untyped-call]
        return result


class Database:
    """One SQLite file. Open it with `open`, close it with `close`."""

    def __init__(self, writer: _Connection, reader: _Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self.commits = 0
        """How many transactions were committed, starting at 0."""

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open the file, creating and migrating it as needed.

        Raises Internal when it is newer than this program, and when it cannot be used: no database, no access, a full disk.
        """
        try:
            return await cls._open(path)
        except sqlite3.Error as fault:
            raise Internal(f"the database {path} cannot be used: {fault}") from None

    @classmethod
    async def _open(cls, path: Path) -> "Database":
        writer = await _Connection.opened(path)
        try:
            await writer.run(migrate)
            reader = await _Connection.opened(path, read_only=True)
        except BaseException:
            await writer.close()
            raise
        return cls(writer, reader)

    async def close(self) -> None:
        """Commit what is waiting, fold the log into the database, close both connections."""
        if self._flushing is not None:
            await asyncio.shield(self._flushing)
        await self._reader.close()
        try:
            await self._writer.run(lambda tx: tx.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        except sqlite3.Error as fault:  # a full disk: what was committed stays in the log, the next start reads it from there
            log.warning("the database's log could not be folded in: %s", fault, extra={"action": "checkpoint_failed"})
        finally:
            await self._writer.close()

    async def read(self, work: Work[T]) -> T:
        """Run a function of reads on the reading connection, which refuses to write; all of them see the same moment."""
        return await self._reader.run(partial(_in_snapshot, work))

    async def write(self, work: Work[T]) -> T:
        """Run a function inside a transaction; returns when it is synced to the disk.

        Whatever the function raises is raised here and leaves no trace in the database; NotStored when the disk does not take
        it. Cancelling the caller does not cancel the write.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(), name="database writer")
        try:
            return await asyncio.shield(done)
        except sqlite3.OperationalError as fault:
            if not _is_of_the_disk(fault):
                raise
            log.error("the database takes no writes: %s", fault, extra={"action": "database_not_writable"})  # noqa: TRY400
            raise NotStored("The gateway cannot store anything now: try again soon", retry_after_s=_RETRY_S) from fault

    async def is_writable(self) -> bool:
        """Whether a write can be synced to the disk now, found out by doing it."""
        try:
            await self.write(lambda tx: tx.execute("UPDATE clock SET id = id"))
        except NotStored:
            return False
        except sqlite3.DatabaseError as fault:
            log.error("the database is damaged: %s", fault, extra={"action": "database_damaged"})  # noqa: TRY400
            return False
        return True

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                outcomes = await self._writer.run(partial(_commit_together, [work for work, _ in batch]))
                self.commits += 1
            except Exception as fault:  # noqa: BLE001 - every waiting caller is told
                outcomes = [fault] * len(batch)
            for (_, done), outcome in zip(batch, outcomes, strict=True):
                _settle(done, outcome)
        self._flushing = None


def _is_of_the_disk(fault: sqlite3.OperationalError) -> bool:
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF in _OF_THE_DISK  # the low byte is the kind, the rest its shade


def _settle(done: asyncio.Future[Any], outcome: Any) -> None:
    """Tell the caller; one who is gone has left its shield behind, which takes the outcome instead."""
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)


def _commit_together(works: list[Work[Any]], tx: sqlite3.Connection) -> list[Any]:
    """Run each function in its savepoint and commit once; an exception is an outcome like any other."""
    tx.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [_in_savepoint(work, tx) for work in works]
        tx.execute("COMMIT")
    except BaseException:
        if tx.in_transaction:
            tx.execute("ROLLBACK")
        raise
    return outcomes


def _in_savepoint(work: Work[Any], tx: sqlite3.Connection) -> Any:
    tx.execute("SAVEPOINT work")
    try:
        outcome = work(tx)
    except Exception as fault:
        if not tx.in_transaction:
            raise  # a full disk took everything back: the others must hear of it as well
        tx.execute("ROLLBACK TO work")
        outcome = fault
    tx.execute("RELEASE work")
    return outcome


def _in_snapshot(work: Work[T], tx: sqlite3.Connection) -> T:
    tx.execute("BEGIN")
    try:
        return work(tx)
    finally:
        tx.execute("ROLLBACK")


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds: an SD card may stall for seconds (facts, reliability A5)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
        return connection
    # Only this connection checkpoints: SQLite before 3.51.3 can corrupt a database that two connections checkpoint.
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    _demand(connection, "journal_mode", "wal", "wal")
    _demand(connection, "synchronous", "FULL", 2)
    return connection


def _demand(connection: sqlite3.Connection, pragma: str, wanted: str, read_back: str | int) -> None:
    connection.execute(f"PRAGMA {pragma} = {wanted}")
    actual = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    if actual != read_back:
        raise Internal(f"the database refuses {pragma}={wanted} (it says {actual}); is the disk a network share?")


def migrations() -> list[tuple[int, str]]:
    """The numbered migrations, in order: version and SQL."""
    folder = resources.files("gateway.store") / "migrations"
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name.split("_", 1)[0]), (folder / name).read_text("utf-8")) for name in files]


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to this program's version, each migration in a transaction of its own.

    Raises Internal when the database was made by a newer program: an old one would lose what it does not know.
    """
    known = migrations()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > known[-1][0]:
        raise Internal(f"the database is of version {version}, this program knows {known[-1][0]}: install the newer program again")
    for number, sql in known:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
            log.info("database is now of version %s", number, extra={"action": "migrated"})


def integrity(path: Path) -> str:
    """SQLite's verdict on a database file, `ok` when it is sound; opened for reading only, so a running daemon is not disturbed."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    except (sqlite3.Error, ValueError) as fault:
        return str(fault)
    try:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as fault:
        return str(fault)
    finally:
        connection.close()
