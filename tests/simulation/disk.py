"""The disk of the gateway: the real SQLite file, without the threads in front of it, and with everything that a card can do to it.

Owns how long a commit takes, what fails, and what is left in the folder after a crash or a power cut. The statements, the
transactions and the pragmas are the gateway's own.
"""

import asyncio
import os
import random
import shutil
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any
from unittest import mock

from gateway.store import database
from tests import schema
from tests.simulation.loop import HERE

PAGE_BYTES = 4_096  # SQLite's own choice

READ_S, COMMIT_S = 0.002, 0.03
"""The longest that a card in good health takes for either."""


class Trouble(Enum):
    """What is wrong with the disk."""

    FULL = "full"
    READ_ONLY = "read-only"
    FAILING = "failing"
    """Input/output errors."""


class Disk:
    """The card in the gateway's machine. One folder after the other: a machine that dies leaves its folder as it is."""

    def __init__(self, folder: Path, seed: str) -> None:
        self.folder = folder / "data-0"
        self.trouble: Trouble | None = None
        self.stall_s = 0.0
        """How long a commit takes on top of the usual."""
        self.is_damaged = False
        """Whether pages are not what was written, and no daemon has opened the database since."""
        self.losses = 0
        """How often something that was stored may have been lost."""
        self.writers: list[InlineConnection] = []
        """The writing connections that were opened, the newest last."""
        self._root = folder
        self._moves = 0
        self._rng = random.Random(seed)

    def wait_s(self, *, writes: bool) -> float:
        return self._rng.random() * (COMMIT_S if writes else READ_S) + (self.stall_s if writes else 0.0)

    def survive(self, *, power_cut: bool) -> None:
        """The machine died. What it had synced is found again; of a commit under way, after a power cut, any part of it."""
        left, self._moves = self.folder, self._moves + 1
        self.folder = self._root / f"data-{self._moves}"
        shutil.copytree(left, self.folder)
        writer = self.writers[-1] if self.writers else None
        if power_cut and writer is not None and writer.under_way is not None:
            before, after = writer.under_way
            log = self.folder / "gateway.db-wal"
            with log.open("r+b") as file:
                file.truncate(self._rng.randint(before, after))
        (self.folder / "gateway.db-shm").unlink(missing_ok=True)

    def damage(self, rng: random.Random) -> None:
        """Pages of the database are not what was written any more; nobody is told."""
        database = self.folder / "gateway.db"
        pages = database.stat().st_size // PAGE_BYTES if database.exists() else 0
        with database.open("r+b") as file:
            for _ in range(rng.choice((1, 1, 3)) if pages else 0):
                file.seek(rng.randrange(pages) * PAGE_BYTES)
                file.write(rng.choice((bytes(PAGE_BYTES), rng.randbytes(PAGE_BYTES))))
        self.is_damaged, self.losses = True, self.losses + 1

    def lose_log(self) -> None:
        """What was committed, and not folded into the database yet, is gone; nobody uses it at the moment."""
        self.survive(power_cut=False)  # whoever reads the old file still has its log open
        (self.folder / "gateway.db-wal").unlink(missing_ok=True)
        self.losses += 1

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Every database that is opened meanwhile lies on this disk."""
        with mock.patch.object(database, "_Connection", _OnDisk(self)), mock.patch.object(database, "migrate", schema.lay):
            yield


class _OnDisk:
    """Stands for the class of the gateway's connections."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def opened(self, path: Path, *, read_only: bool = False) -> "InlineConnection":
        await asyncio.sleep(self._disk.wait_s(writes=False))
        connection = InlineConnection(self._disk, database._connect(path, read_only=read_only), path, read_only=read_only)
        if not read_only:
            self._disk.writers.append(connection)
        return connection


class InlineConnection:
    """A connection whose functions are run in place, one after the other, whoever waits for them."""

    def __init__(self, disk: Disk, connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
        self.machine = HERE.get()
        self.connection = connection
        self.under_way: tuple[int, int] | None = None
        """The size of the log, in bytes, before and after the commit that nobody has heard of yet."""
        self._disk = disk
        self._log = f"{path}-wal"
        self._writes = not read_only
        self._queue: deque[tuple[Any, asyncio.Future[Any]]] = deque()
        """What is to be run, and who waits for it; the first is being run."""

    async def run(self, work: Any) -> Any:
        """Queue a function; it is run even if nobody waits for it any more."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((work, waiter))
        if len(self._queue) == 1:
            self._start(work)
        return await waiter

    async def close(self) -> None:
        if self._queue:
            await asyncio.gather(self.run(lambda _: None), return_exceptions=True)
        self.connection.close()

    def _start(self, work: Any) -> None:
        loop, wait_s = asyncio.get_running_loop(), self._disk.wait_s(writes=self._writes)
        if not self._writes:
            loop.call_later(wait_s, self._finish, *self._attempt(work))
            return
        size_before = self._log_bytes()
        outcome = self._attempt(work)
        self.under_way = (size_before, size_after) if (size_after := self._log_bytes()) > size_before else None
        loop.call_later(wait_s, self._finish, *outcome)

    def _finish(self, result: Any, fault: BaseException | None) -> None:
        self.under_way = None
        _, waiter = self._queue.popleft()
        if self._queue:
            self._start(self._queue[0][0])
        if waiter.done():
            return  # whoever waited has gone
        if fault is None:
            waiter.set_result(result)
        else:
            waiter.set_exception(fault)

    def _attempt(self, work: Any) -> tuple[Any, BaseException | None]:
        try:
            with self._troubled():
                return work(self.connection), None
        except Exception as fault:  # noqa: BLE001 - belongs to whoever waits for it
            return None, fault

    @contextmanager
    def _troubled(self) -> Iterator[None]:
        """SQLite itself says what it says on a disk like this; an error of the medium can only be made up."""
        if not self._writes or self._disk.trouble is None:
            yield
        elif self._disk.trouble is Trouble.FAILING:
            fault = sqlite3.OperationalError("disk I/O error")
            fault.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise fault
        elif self._disk.trouble is Trouble.READ_ONLY:
            self.connection.execute("PRAGMA query_only = ON")
            try:
                yield
            finally:
                self.connection.execute("PRAGMA query_only = OFF")
        else:
            (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
            self.connection.execute(f"PRAGMA max_page_count = {pages}")
            try:
                yield
            finally:
                self.connection.execute("PRAGMA max_page_count = 4294967294")

    def _log_bytes(self) -> int:
        try:
            return os.stat(self._log).st_size  # noqa: PTH116 - for each commit, twice
        except FileNotFoundError:
            return 0
