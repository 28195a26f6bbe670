"""The database: group commit, writes that nobody can tear, readers that only read."""

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.store.database import Database, Transaction
from tests.twins import add, adding, numbers, of_numbers

PATIENCE_S = 20.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await of_numbers(tmp_path)
    yield opened
    await opened.close()


def add_and_fail(tx: Transaction, n: int) -> None:
    add(tx, n)
    raise LookupError(n)


def failing(n: int) -> Callable[[Transaction], None]:
    return lambda tx: add_and_fail(tx, n)


def noting(n: int, seen: list[int]) -> Callable[[Transaction], None]:
    return lambda _: seen.append(n)


def is_open(tx: Transaction) -> bool:
    return tx.in_transaction


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

    outcomes = await asyncio.gather(db.write(adding(1)), db.write(orphan), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError] * 2
    assert await db.write(adding(2)) == 2
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
    caller = asyncio.create_task(db.write(adding(1)))
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
    assert await db.write(adding(2)) == 2
    assert await db.read(numbers) == [2]
    gc.collect()
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
    await db.write(adding(1))
    gate.open()
    assert await reading == ([], [])
    assert await db.read(numbers) == [1]


async def test_what_a_reader_raises_is_raised_and_holds_up_nobody(db: Database):
    with pytest.raises(IndexError):
        await db.read(lambda tx: numbers(tx)[0])
    assert not await db._reader.run(is_open)
    await db.write(adding(1))
    assert await db.read(numbers) == [1]
