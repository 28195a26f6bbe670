"""What was asked of the providers and answered is kept: once, in one write, and not what says nothing new."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.exchanges import KIND, RETRY_S, SAME_AGAIN_S, WAITING_MAX, Exchanges
from gateway.providers.base import Exchange
from gateway.scheduler import Scheduler
from gateway.store.database import Database, Transaction
from tests.fakeclock import FakeClock
from tests.ledger import NOW_S, in_folder, payment, record

PENDING = Exchange("POST payment/status/", {"invoice_id": "Y5JJV4V"}, 200, {"state": "PENDING"}, None, "Y5JJV4V", "PENDING")


class Book:
    """The job and what it has stored."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.exchanges = Exchanges(db, self.clock, Scheduler(self.clock))

    async def kept(self) -> list[sqlite3.Row]:
        def work(tx: Transaction) -> list[sqlite3.Row]:
            return tx.execute("SELECT at_s, owner_id, payment_id, data FROM event WHERE kind = ? ORDER BY seq", (KIND,)).fetchall()

        await self.exchanges.run_once()
        return await self.db.read(work)


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    db = await in_folder(tmp_path)
    yield Book(db)
    await db.close()


async def test_an_exchange_is_kept_with_the_payment_that_it_is_about(book: Book):
    await record(book.db, payment(invoice_id="Y5JJV4V"))
    book.exchanges.take(1, PENDING)
    (row,) = await book.kept()
    assert (row["at_s"], row["owner_id"], row["payment_id"]) == (NOW_S, 1, payment().id)
    assert '"outcome": 200' in row["data"]


async def test_an_exchange_about_nothing_of_ours_is_kept_too(book: Book):
    book.exchanges.take(1, PENDING)
    (row,) = await book.kept()
    assert row["payment_id"] is None


async def test_what_is_waiting_is_stored_in_one_write(book: Book):
    for number in range(10):
        book.exchanges.take(1, replace(PENDING, sent={"invoice_id": str(number)}))
    before = book.db.commits
    assert len(await book.kept()) == 10
    assert book.db.commits == before + 1


async def test_the_same_answer_is_kept_once_a_minute(book: Book):
    for _ in range(int(SAME_AGAIN_S)):
        book.exchanges.take(1, PENDING)
        book.clock.advance(1)
    assert len(await book.kept()) == 1
    book.exchanges.take(1, PENDING)
    assert len(await book.kept()) == 2


@pytest.mark.parametrize("changes", [{"word": "COMPLETE"}, {"outcome": 503}, {"request": "GET invoices/"}, {"sent": {}}])
async def test_another_answer_or_question_is_kept_at_once(book: Book, changes: dict[str, object]):
    book.exchanges.take(1, PENDING)
    book.exchanges.take(1, replace(PENDING, **changes))  # type: ignore[arg-type]
    assert len(await book.kept()) == 2


async def test_the_same_said_to_another_owner_is_kept(book: Book):
    book.exchanges.take(1, PENDING)
    book.exchanges.take(2, PENDING)
    assert [row["owner_id"] for row in await book.kept()] == [1, 2]


async def test_a_disk_that_takes_no_writes_is_tried_again_with_what_is_newest(book: Book):
    await book.db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    for number in range(WAITING_MAX + 10):
        book.exchanges.take(1, replace(PENDING, sent={"invoice_id": str(number)}))
    assert await book.exchanges.run_once() == RETRY_S
    await book.db._writer.run(lambda tx: tx.execute("PRAGMA query_only = OFF"))
    kept = await book.kept()
    assert len(kept) == WAITING_MAX
    assert f'"{WAITING_MAX + 9}"' in kept[-1]["data"]


async def test_memory_stays_bounded(book: Book):
    for number in range(3_000):
        book.exchanges.take(1, replace(PENDING, sent={"invoice_id": str(number)}))
        book.clock.advance(1)
    assert len(book.exchanges._last) <= 1_000
    assert len(book.exchanges._waiting) == WAITING_MAX
