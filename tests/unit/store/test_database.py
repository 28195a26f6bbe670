"""The database file: group commit, writes that nobody can tear, readers that only read, disks that are full."""

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Internal, NotStored
from gateway.store.database import Database, Transaction, integrity

PATIENCE_S = 20.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database with a table of numbers."""
    opened = await Database.open(tmp_path / "gateway.db")
    await opened.write(lambda tx: tx.execute("CREATE TABLE number (n INTEGER NOT NULL, twin INTEGER NOT NULL)"))
    yield opened
    await opened.close()


def add(tx: Transaction, n: int) -> int:
    """A number and its twin: two rows that belong together."""
    tx.execute("INSERT INTO number VALUES (?, 0)", (n,))
    tx.execute("INSERT INTO number VALUES (?, 1)", (n,))
    return n


def add_and_fail(tx: Transaction, n: int) -> None:
    add(tx, n)
    raise LookupError(n)


def adding(n: int) -> Callable[[Transaction], int]:
    return lambda tx: add(tx, n)


def failing(n: int) -> Callable[[Transaction], None]:
    return lambda tx: add_and_fail(tx, n)


def fill(tx: Transaction) -> None:
    tx.execute("CREATE TABLE big AS SELECT zeroblob(1000000) AS b")


def noting(n: int, seen: list[int]) -> Callable[[Transaction], None]:
    return lambda _: seen.append(n)


def numbers(tx: Transaction) -> list[int]:
    """Each number once; fails where one stands without its twin."""
    rows = tx.execute("SELECT n, count(*) FROM number GROUP BY n ORDER BY n").fetchall()
    assert {row[1] for row in rows} <= {2}
    return [row[0] for row in rows]


def is_open(tx: Transaction) -> bool:
    return tx.in_transaction


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


class Gate:
    """Work that stops in the middle, in the connection's own thread, until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._opened = threading.Event()

    def open(self) -> None:
        self._opened.set()

    def wait(self) -> None:
        """For the work: say that the middle is reached, and wait there."""
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._opened.wait(PATIENCE_S)

    def add(self, tx: Transaction, n: int) -> None:
        tx.execute("INSERT INTO number VALUES (?, 0)", (n,))
        self.wait()
        tx.execute("INSERT INTO number VALUES (?, 1)", (n,))


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


async def test_no_thread_stays_behind_where_opening_failed(tmp_path):
    (tmp_path / "gateway.db").write_bytes(b"not a database" * 100)
    before = set(threading.enumerate())
    with pytest.raises(Internal):
        await Database.open(tmp_path / "gateway.db")
    assert_ended(set(threading.enumerate()) - before)


# ── group commit ──


async def test_writes_that_wait_together_are_committed_together(db: Database):
    before = db.commits
    assert await asyncio.gather(*(db.write(adding(n)) for n in range(250))) == list(range(250))
    assert db.commits - before == 3
    assert await db.read(numbers) == list(range(250))


async def test_writes_that_come_while_one_is_under_way_are_committed_after_it(db: Database):
    gate, before = Gate(), db.commits
    first = asyncio.create_task(db.write(lambda tx: gate.add(tx, 1)))
    await gate.reached.wait()
    others = [asyncio.create_task(db.write(adding(n))) for n in range(2, 12)]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(first, *others)
    assert db.commits - before == 2


async def test_a_write_that_fails_leaves_no_trace_and_the_others_are_kept(db: Database):
    before = db.commits
    outcomes = await asyncio.gather(
        *(db.write(failing(n) if n % 3 == 0 else adding(n)) for n in range(9)),
        return_exceptions=True,
    )
    assert [outcome if isinstance(outcome, int) else str(outcome) for outcome in outcomes] == ["0", 1, 2, "3", 4, 5, "6", 7, 8]
    assert await db.read(numbers) == [1, 2, 4, 5, 7, 8]
    assert db.commits - before == 1


async def test_writes_happen_in_the_order_in_which_they_were_asked_for(db: Database):
    seen: list[int] = []
    await asyncio.gather(*(db.write(noting(n, seen)) for n in range(250)))
    assert seen == list(range(250))


async def test_a_commit_that_fails_is_told_to_everybody_in_it_and_the_next_one_works(db: Database):
    def orphan(tx: Transaction) -> None:
        tx.execute("PRAGMA defer_foreign_keys = ON")
        tx.execute("INSERT INTO package SELECT 1, 99, 'n', 1, 1, NULL, NULL, NULL, 1, '', 'api', 1")

    outcomes = await asyncio.gather(db.write(lambda tx: add(tx, 1)), db.write(orphan), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError] * 2
    assert await db.write(lambda tx: add(tx, 2)) == 2
    assert await db.read(numbers) == [2]


async def test_a_reader_sees_nothing_of_a_transaction_that_is_not_committed(db: Database):
    gate = Gate()
    write = asyncio.create_task(db.write(lambda tx: gate.add(tx, 1)))
    await gate.reached.wait()
    assert await db.read(numbers) == []
    gate.open()
    await write
    assert await db.read(numbers) == [1]


# ── cancelling ──


async def test_a_write_whose_caller_leaves_in_the_middle_happens_wholly(db: Database):
    gate = Gate()
    caller = asyncio.create_task(db.write(lambda tx: gate.add(tx, 1)))
    await gate.reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.open()
    assert await db.write(is_open)
    assert await db.read(numbers) == [1]
    assert not await db._writer.run(is_open)


async def test_a_caller_who_leaves_before_asking_wrote_nothing(db: Database):
    caller = asyncio.create_task(db.write(lambda tx: add(tx, 1)))
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert await db.read(numbers) == []


async def test_cancelling_at_any_await_writes_wholly_or_not_at_all_and_leaves_no_transaction_open(db: Database):
    wrote = []
    for turns in range(40):
        caller = asyncio.create_task(db.write(adding(turns)))
        for _ in range(turns):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        await db.write(lambda _: None)
        assert not await db._writer.run(is_open)
        wrote.append(turns in await db.read(numbers))
    assert wrote == [False, *[True] * 39]


async def test_the_fault_of_a_write_whose_caller_has_left_troubles_nobody(db: Database):
    gate, complaints = Gate(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def fail(tx: Transaction) -> None:
        gate.wait()
        add_and_fail(tx, 1)

    caller = asyncio.create_task(db.write(fail))
    await gate.reached.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    gate.open()
    assert await db.write(lambda tx: add(tx, 2)) == 2
    assert await db.read(numbers) == [2]
    assert complaints == []


# ── reading ──


@pytest.mark.parametrize("sql", ["INSERT INTO number VALUES (1, 0)", "DELETE FROM clock", "DROP TABLE number", "VACUUM"])
async def test_the_reader_refuses_to_write(db: Database, sql):
    with pytest.raises(sqlite3.OperationalError, match=r"attempt to write a readonly database|cannot VACUUM"):
        await db.read(lambda tx: tx.execute(sql))


async def test_everything_that_one_reader_reads_is_of_the_same_moment(db: Database):
    gate = Gate()

    def twice(tx: Transaction) -> tuple[list[int], list[int]]:
        before = numbers(tx)
        gate.wait()
        return before, numbers(tx)

    reading = asyncio.create_task(db.read(twice))
    await gate.reached.wait()
    await db.write(lambda tx: add(tx, 1))
    gate.open()
    assert await reading == ([], [])
    assert await db.read(numbers) == [1]


async def test_what_a_reader_raises_is_raised_and_holds_up_nobody(db: Database):
    with pytest.raises(IndexError):
        await db.read(lambda tx: numbers(tx)[0])
    assert not await db._reader.run(is_open)
    await db.write(lambda tx: add(tx, 1))
    assert await db.read(numbers) == [1]


# ── closing ──


async def test_closing_commits_what_is_waiting_and_folds_the_log_into_the_file(tmp_path):
    db = await Database.open(tmp_path / "gateway.db")
    late = asyncio.create_task(db.write(lambda tx: tx.execute("UPDATE clock SET newest_wall_s = 7")))
    await asyncio.sleep(0)
    await db.close()
    await late
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.db"]
    again = await Database.open(tmp_path / "gateway.db")
    assert await again.read(lambda tx: tx.execute("SELECT newest_wall_s FROM clock").fetchone()[0]) == 7
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
            await db.write(lambda tx: add(tx, 1))
    assert await db.is_writable()
    assert await db.read(numbers) == []


async def test_a_file_that_became_read_only_is_not_writable(db: Database):
    await db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    assert not await db.is_writable()
    with pytest.raises(NotStored, match="try again soon") as caught:
        await db.write(lambda tx: add(tx, 1))
    assert (caught.value.retry_after_s or 0) > 0


async def test_a_disk_that_fills_up_in_the_middle_of_a_batch_is_named_to_everybody_who_lost_something(db: Database):
    (pages,) = await db.write(lambda tx: tx.execute("PRAGMA page_count").fetchone())
    await db._writer.run(lambda tx: tx.execute(f"PRAGMA max_page_count = {pages + 1}").fetchall())
    outcomes = await asyncio.gather(
        db.write(lambda tx: add(tx, 1)), db.write(fill), db.write(lambda tx: add(tx, 2)), return_exceptions=True
    )
    kept = await db.read(numbers)
    assert isinstance(outcomes[1], NotStored)
    assert [n for n, outcome in zip((1, 2), outcomes[::2], strict=True) if outcome == n] == kept
    assert {type(outcome) for outcome in outcomes} <= {int, NotStored}


async def test_a_fault_in_a_statement_is_not_taken_for_a_fault_of_the_disk(db: Database):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await db.write(lambda tx: tx.execute("DELETE FROM nowhere"))


async def test_a_sound_file_is_called_ok_while_the_daemon_runs_on_it(db: Database, tmp_path):
    assert integrity(tmp_path / "gateway.db") == "ok"
    assert await db.write(lambda tx: add(tx, 1)) == 1


def test_a_file_that_is_missing_or_damaged_is_not_called_ok(tmp_path):
    (tmp_path / "damaged.db").write_bytes(b"not a database" * 100)
    assert integrity(tmp_path / "damaged.db") == "file is not a database"
    assert integrity(tmp_path / "gone.db") == "unable to open database file"
    assert not (tmp_path / "gone.db").exists()
