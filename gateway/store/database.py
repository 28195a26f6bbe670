"""The database file: one writer, readers beside it, migrations.

Owns the connections and the transaction; knows no table but its own bookkeeping. A write is a synchronous function of the open
transaction. What is waiting is run inside one transaction, each function in its savepoint, and committed once: on an SD card the
sync is the whole cost (facts, platform G2). Since a function runs in the connection's own thread from beginning to end, cancelling
whoever waits for it can never leave a transaction half done (facts, reliability A6). Nothing foreign is ever called inside one.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import aiosqlite

from gateway.errors import Internal, NotStored
from gateway.store import backups

T = TypeVar("T")
Transaction: TypeAlias = sqlite3.Connection
"""The connection inside an open transaction: what a function of reads or writes is given."""
Work = Callable[[Transaction], T]

log = logging.getLogger(__name__)

_OF_THE_DISK = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY}
)
"""What SQLite says when the program is right and the disk is not."""

_TAKEN_AWAY = sqlite3.SQLITE_READONLY_DBMOVED
"""SQLite's own word for it. It only looks where there is a rollback journal, so here it is looked for before each commit."""

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

    def __init__(self, path: Path, writer: _Connection, reader: _Connection, backups_in: Path | None = None) -> None:
        self._path = path
        self._backups_in = backups_in
        self._files = _files(path)
        self._writer = writer
        self._reader = reader
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self.commits = 0
        """How many transactions were committed, starting at 0."""
        self._listeners: list[Callable[[], None]] = []
        self.takes_writes = True
        """Whether the disk took the last write; the heartbeat finds out when it does again."""
        self.on_damage: Callable[[Exception], None] = _tell_damage
        """Is told when a page turns out to be damaged, or a file to be taken away, while the database is in use: nothing more may
        be sold on it."""

    @classmethod
    async def open(cls, path: Path, backups_in: Path | None = None) -> "Database":
        """Open the file, creating and migrating it as needed; before a migration a backup is made in that folder.

        Raises Internal when it is newer than this program, and when it cannot be used: no database, no access, a full disk.
        """
        try:
            return await cls._open(path, backups_in)
        except (sqlite3.Error, OSError) as fault:
            raise Internal(f"the database {path} cannot be used: {backups.reason(fault, path)}") from None

    @classmethod
    async def _open(cls, path: Path, backups_in: Path | None) -> "Database":
        writer = await _Connection.opened(path)
        try:
            await writer.run(partial(migrate, backups_in=backups_in))
            reader = await _Connection.opened(path, read_only=True)
        except BaseException:
            await writer.close()
            raise
        return cls(path, writer, reader, backups_in)

    async def close(self) -> None:
        """Commit what is waiting, fold the log into the database, close both connections.

        What is in a database that was taken away goes with this connection: it is kept as a backup first.
        """
        if self._flushing is not None:
            await asyncio.shield(self._flushing)
        await self._reader.close()
        try:
            if self._backups_in is not None and self._taken_away():
                await self._writer.run(partial(self._keep, self._backups_in))
            await self._writer.run(lambda tx: tx.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        except sqlite3.Error as fault:  # a full disk: what was committed stays in the log, the next start reads it from there
            log.warning("the database's log could not be folded in: %s", fault, extra={"action": "checkpoint_failed"})
        finally:
            await self._writer.close()

    async def read(self, work: Work[T]) -> T:
        """Run a function of reads on the reading connection, which refuses to write; all of them see the same moment.

        Raises NotStored when what is on the disk is damaged, which ends the gateway.
        """
        try:
            return await self._reader.run(partial(_in_snapshot, work))
        except sqlite3.DatabaseError as fault:
            if self._is_damage(fault):
                raise not_stored() from fault
            raise

    async def backup(self, folder: Path, label: str) -> Path:
        """Make a verified backup while everything goes on; its path. Raises Internal, sqlite3.Error and OSError."""
        source = await _Connection.opened(self._path, read_only=True)
        try:
            return await source.run(lambda tx: backups.copy(tx, folder, label))
        finally:
            await source.close()

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
        except sqlite3.DatabaseError as fault:
            if not (self._is_damage(fault) or _is_of_the_disk(fault)):
                raise
            self._note_refusal(fault)
            raise not_stored() from fault

    def after_commit(self, listener: Callable[[], None]) -> None:
        """Call that function in the event loop after each commit, before anybody who waited for it goes on."""
        self._listeners.append(listener)

    async def is_writable(self) -> bool:
        """Whether a write can be synced to the disk now, found out by doing it."""
        try:
            await self.write(lambda tx: tx.execute("UPDATE clock SET id = id"))
        except (NotStored, sqlite3.DatabaseError):  # either has been told
            return False
        return True

    async def writer_answers(self) -> None:
        """Return when the thread that writes has come to it. Nothing is written: whether the disk takes it is another question."""
        await self._writer.run(lambda tx: tx.execute("SELECT 1").fetchone())

    def _note_refusal(self, fault: sqlite3.DatabaseError) -> None:
        if self.takes_writes:  # once per outage, not once per attempt
            log.error("the database takes no writes: %s", fault, extra={"action": "database_not_writable"})
        self.takes_writes = False

    def _is_damage(self, fault: sqlite3.DatabaseError) -> bool:
        """Whether nothing more can be done with this file: then that is told, too."""
        found = _is_one_of(fault, backups.DAMAGE) or getattr(fault, "sqlite_errorcode", 0) == _TAKEN_AWAY
        if found:
            self.on_damage(fault)
        return found

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                outcomes = await self._writer.run(partial(self._commit, [work for work, _ in batch]))
                self._note_commit(outcomes)
            except Exception as fault:  # noqa: BLE001 - every waiting caller is told
                outcomes = [fault] * len(batch)
            for (_, done), outcome in zip(batch, outcomes, strict=True):
                _settle(done, outcome)
        self._flushing = None

    def _commit(self, works: list[Work[Any]], tx: Transaction) -> list[Any]:
        if name := self._taken_away():
            fault = sqlite3.OperationalError(f"{name} was deleted or replaced while it was in use")
            fault.sqlite_errorcode = _TAKEN_AWAY
            raise fault
        return _commit_together(works, tx)

    def _taken_away(self) -> Path | None:
        """Which of its files has left its place: what is stored in it then, no later start would find."""
        try:
            now = _files(self._path)
        except OSError:  # what may not be looked at can be there all the same
            return None
        return next((path for path, file in self._files.items() if now[path] != file), None)

    def _keep(self, folder: Path, tx: Transaction) -> None:
        try:
            kept = backups.copy(tx, folder, "taken-away")
        except (Internal, sqlite3.Error, OSError) as fault:
            log.error("what was in %s is lost: %s", self._path, fault, extra={"action": "backup_failed"})  # noqa: TRY400 - a sentence
        else:
            log.warning("what was in %s is kept as %s", self._path, kept, extra={"action": "backed_up"})

    def _note_commit(self, outcomes: list[Any]) -> None:
        self.commits += 1
        if not all(_is_of_the_disk(outcome) for outcome in outcomes):  # else nothing was written, which every disk takes
            if not self.takes_writes:
                log.warning("the database takes writes again", extra={"action": "database_writable"})
            self.takes_writes = True
        for listener in self._listeners:
            listener()


def _files(path: Path) -> dict[Path, tuple[int, int] | None]:
    """What lies at the names of the database, its log, and that log's index; None for nothing."""
    return {name: _file_at(name) for name in (path, *backups.logs_of(path))}


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def not_stored() -> NotStored:
    """What a caller is told while the disk takes no writes."""
    return NotStored("The gateway cannot store anything now: try again soon", retry_after_s=_RETRY_S)


def _is_of_the_disk(outcome: Any) -> bool:
    return isinstance(outcome, sqlite3.DatabaseError) and _is_one_of(outcome, _OF_THE_DISK)


def _is_one_of(fault: sqlite3.DatabaseError, kinds: frozenset[int]) -> bool:
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF in kinds  # the low byte is the kind, the rest its shade


def _tell_damage(fault: Exception) -> None:
    log.critical("the database is damaged: %s", fault, extra={"action": "database_damaged"})


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
    place = f"{path.absolute().as_uri()}?mode=rw" if read_only else path  # whoever only reads must not make an empty one
    connection = sqlite3.connect(place, uri=read_only, isolation_level=None)
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


@contextmanager
def reading(path: Path) -> Iterator[Transaction]:
    """Everything in the database at one moment, for whoever is not the daemon and must not disturb it.

    Raises Internal when it cannot be read.
    """
    _demand_there(path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as fault:
        raise Internal(f"the database {path} cannot be read: {fault}") from None


def _demand(connection: sqlite3.Connection, pragma: str, wanted: str, read_back: str | int) -> None:
    connection.execute(f"PRAGMA {pragma} = {wanted}")
    actual = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    if actual != read_back:
        raise Internal(f"the database refuses {pragma}={wanted} (it says {actual}); is the disk a network share?")


async def peek(path: Path, work: Work[T]) -> T:
    """Run a function of reads on a database that another process may be using. Raises Internal where it cannot be read."""
    _demand_there(path)
    try:
        reader = await _Connection.opened(path, read_only=True)
        try:
            return await reader.run(partial(_in_snapshot, work))
        finally:
            await reader.close()
    except sqlite3.Error as fault:
        raise Internal(f"the database {path} cannot be read: {fault}") from None


def _demand_there(path: Path) -> None:
    """Or whoever asked would hear of a file that cannot be opened."""
    if not path.is_file():
        raise Internal(f"there is no database {path}")


def migrations() -> list[tuple[int, str]]:
    """The numbered migrations, in order: version and SQL."""
    folder = resources.files("gateway.store") / "migrations"
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name.split("_", 1)[0]), (folder / name).read_text("utf-8")) for name in files]


def migrate(connection: sqlite3.Connection, *, backups_in: Path | None = None) -> None:
    """Bring the database to this program's version, each migration in a transaction of its own; what it was is kept as a backup.

    Raises Internal when the database was made by a newer program: an old one would lose what it does not know.
    """
    known = migrations()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > known[-1][0]:
        raise Internal(f"the database is of version {version}, this program knows {known[-1][0]}: install the newer program again")
    if 0 < version < known[-1][0] and backups_in is not None:
        kept = backups.copy(connection, backups_in, f"before-{known[-1][0]:04d}")
        log.info("the database as it was is kept as %s", kept, extra={"action": "backed_up"})
    for number, sql in known:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
            log.info("database is now of version %s", number, extra={"action": "migrated"})
