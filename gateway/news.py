"""News of payments: whoever shows one to a customer is told at the commit that changed it, and need not ask again and again.

Fed from the event table after each commit; costs nothing while nobody is watching. Knows that something happened, never what:
whoever is told reads the payment himself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.clock import Clock, done_within
from gateway.store import events
from gateway.store.database import Database


class Watch:
    """One payment, watched by one page."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self) -> None:
        """There is news."""
        if not self._news.done():
            self._news.set_result(None)

    def end(self) -> None:
        """There will be no news: who waits is cancelled, as if his client had gone."""
        self._news.cancel()

    async def wait(self, seconds: float) -> bool:
        """Wait for news, at most so many seconds. True for some since the watch began or this was last true, False for none."""
        if not await done_within(seconds, [self._news], self._clock):
            return False
        self._news.result()
        self._news = asyncio.get_running_loop().create_future()
        return True


class News:
    """The job that reads what was committed, and hands it to those who watch."""

    name = "news"

    def __init__(self, db: Database, clock: Clock, wake: Callable[[str], None]) -> None:
        self._db = db
        self._clock = clock
        self._wake = wake
        self._watches: dict[str, set[Watch]] = {}
        """By payment id."""
        self._read_to: int | None = None
        """The newest event that was read; None while nobody watches."""
        db.after_commit(self._note_commit)

    @asynccontextmanager
    async def watch(self, payment_id: str) -> AsyncIterator[Watch]:
        """Watch a payment and its grant.

        What was committed before, the caller reads once he is in here: so nothing falls between his reading and his waiting.
        """
        watch = Watch(self._clock)
        self._watches.setdefault(payment_id, set()).add(watch)
        try:
            await self._begin()
            yield watch
        finally:
            self._forget(payment_id, watch)

    async def wait(self, payment_id: str, seconds: float) -> bool:
        """Wait until something is committed about that payment or its grant, at most so many seconds; whether it was.

        Who reads and waits in turn uses `watch`, which misses nothing in between.
        """
        async with self.watch(payment_id) as watch:
            return await watch.wait(seconds)

    def end(self) -> None:
        """End every watch: the daemon stops, and does not wait for pages that are waiting for it."""
        for watch in [watch for watches in self._watches.values() for watch in watches]:
            watch.end()

    async def run_once(self) -> None:
        """Read what was committed since the last time, and tell those whom it concerns."""
        if self._read_to is None:
            return
        after = self._read_to
        newest, payment_ids = await self._db.read(lambda tx: events.since(tx, after))
        self._read_to = newest if self._watches else None
        for payment_id in payment_ids:
            for watch in self._watches.get(payment_id, ()):
                watch.tell()

    async def _begin(self) -> None:
        """Find out where the events end, if nobody has been watching; then read on from there, for it was a moment ago."""
        if self._read_to is None:
            newest = await self._db.read(events.newest)
            if self._read_to is None:
                self._read_to = newest
            self._wake(self.name)

    def _forget(self, payment_id: str, watch: Watch) -> None:
        watches = self._watches[payment_id]
        watches.remove(watch)
        if not watches:
            del self._watches[payment_id]
        if not self._watches:
            self._read_to = None

    def _note_commit(self) -> None:
        if self._watches:
            self._wake(self.name)
