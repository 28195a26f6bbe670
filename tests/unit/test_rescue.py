"""A database that is lost, or taken back by the operator: what takes its place, and that failing leaves nothing worse."""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import backups
from gateway.datadir import DATABASE_FILE
from gateway.errors import Internal
from gateway.store import backups as files
from gateway.store import rescues
from gateway.store.database import Database, Transaction
from tests.configs import Folder, changed
from tests.disk import observed
from tests.fakeclock import FakeClock
from tests.unit.store.test_backups import damage


class PowerCut(BaseException):
    """Nothing more is done."""


class Place:
    """A data directory whose database says 1 and 2, with a backup that says 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.folder.mkdir(mode=0o700)
        self.path = self.folder / DATABASE_FILE
        self.clock = FakeClock()
        self.config = Folder(folder).load(changed(("server", "data_dir"), str(self.folder)))

    async def made(self) -> "Place":
        db = await Database.open(self.path)
        await db.write(lambda tx: tx.execute("CREATE TABLE said (number INTEGER)"))
        await db.write(lambda tx: tx.execute("INSERT INTO said VALUES (1)"))
        self.backup = await db.backup(self.folder / files.FOLDER, files.daily_label(self.clock.wall_s()))
        await db.write(lambda tx: tx.execute("INSERT INTO said VALUES (2)"))
        await db.close()
        return self

    async def restore(self, wanted: str = "newest") -> str:
        return await backups.restore(self.config, wanted, self.clock)

    async def start(self) -> tuple[list[int], bool]:
        """What the database says after a start, and whether something may be missing in it."""
        db = await backups.open_sound(self.folder, self.clock)
        try:
            return await db.read(said), await db.read(rescues.is_unsettled)
        finally:
            await db.close()

    def everything(self) -> list[str]:
        """Each file below it but SQLite's own logs, which come and go."""
        return sorted(
            str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.name.endswith(("-wal", "-shm"))
        )


def said(tx: Transaction) -> list[int]:
    known = tx.execute("SELECT 1 FROM sqlite_master WHERE name = 'said'").fetchone()
    return [row[0] for row in tx.execute("SELECT number FROM said ORDER BY number")] if known else []


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    return await Place(tmp_path).made()


def stamped(path: Path, version: int) -> Path:
    """A database of that version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    return path


# ── a start ──


async def test_a_damaged_database_is_kept_and_the_newest_sound_backup_takes_its_place(
    place: Place, caplog: pytest.LogCaptureFixture
):
    damage(place.path)
    assert await place.start() == ([1], True)
    (told,) = [record for record in caplog.records if getattr(record, "action", "") == "database_rescued"]
    assert place.backup.name in told.getMessage()
    assert list(place.folder.glob("damaged-*/gateway.db"))
    assert place.backup.exists()


async def test_without_a_sound_backup_it_begins_anew(place: Place):
    damage(place.path)
    damage(place.backup)
    assert await place.start() == ([], True)


async def test_a_database_that_is_gone_is_not_begun_anew_beside_its_backup(place: Place):
    place.path.unlink()
    assert await place.start() == ([1], True)


async def test_a_full_disk_leaves_the_damaged_database_where_it_is_however_often_it_is_started(place: Place):
    damage(place.path)
    before = place.everything()
    with observed(place.folder) as disk:
        disk.fail_write = lambda _: sqlite3.SQLITE_FULL
        for _ in range(3):
            with pytest.raises(Internal, match=r"nothing could take the place of .*gateway\.db .*: .*full"):
                await place.start()
    assert place.everything() == before
    assert await place.start() == ([1], True)


async def test_a_backup_that_only_a_newer_program_understands_takes_nobodys_place(place: Place):
    damage(place.path)
    stamped(place.backup, 99)
    before = place.everything()
    with pytest.raises(Internal, match=r"version 99.*install the newer program"):
        await place.start()
    assert place.everything() == before


# ── the operator's restore ──


async def test_what_was_there_is_kept_and_can_be_restored_in_turn(place: Place):
    await place.restore()
    assert await place.start() == ([1], True)
    (kept,) = place.folder.glob("replaced-*/gateway.db")
    place.clock.advance(1)
    await place.restore(str(kept))
    assert await place.start() == ([1, 2], True)


@pytest.mark.parametrize("kind", ["newer", "empty", "another program's", "text", "the database itself"])
async def test_what_is_no_backup_of_ours_changes_nothing(place: Place, tmp_path: Path, kind: str):
    wanted = tmp_path / "wanted.db"
    if kind == "newer":
        wanted = stamped(place.backup, 99)
    elif kind == "the database itself":
        wanted = place.path
    elif kind == "another program's":
        with closing(sqlite3.connect(wanted, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE contact (name TEXT)")
    else:
        wanted.write_bytes(b"" if kind == "empty" else b"a shopping list" * 100)
    before = place.everything()
    with pytest.raises(Internal):
        await place.restore(str(wanted))
    assert place.everything() == before
    assert await place.start() == ([1, 2], False)


async def test_a_full_disk_leaves_the_database_that_was_to_be_replaced(place: Place):
    before = place.everything()
    with observed(place.folder) as disk:
        disk.fail_write = lambda _: sqlite3.SQLITE_FULL
        with pytest.raises(Internal, match="full"):
            await place.restore()
    assert place.everything() == before
    assert await place.start() == ([1, 2], False)


# ── a power cut in the middle ──

CHANGES = ("mkdir", "rename", "replace", "unlink", "fsync")
"""What `os` does to folders and to what is synced; what SQLite does is tried by tests/e2e/test_power_cut.py."""


class Fuse:
    """Lets so many changes happen, and none after that."""

    def __init__(self, patch: pytest.MonkeyPatch, changes: int) -> None:
        self._left = changes
        self.blown = False
        for name in CHANGES:
            patch.setattr(os, name, self._wired(getattr(os, name)))

    def _wired(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                self.blown = True
                raise PowerCut
            return real(*args, **named)

        return change


async def cut_everywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Place], Awaitable[object]]
) -> list[tuple[list[int], bool]]:
    """Do it with a power cut before its first change, its second, … until there is none; what the next start finds each time."""
    found = []
    for changes in itertools.count():
        (folder / str(changes)).mkdir()
        place = await Place(folder / str(changes)).made()
        with monkeypatch.context() as patch:
            fuse = Fuse(patch, changes)
            with contextlib.suppress(PowerCut):
                await work(place)
        if not fuse.blown:
            break
        found.append(await place.start())
    return found


async def test_a_rescue_that_is_cut_short_anywhere_is_done_by_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def start(place: Place) -> None:
        damage(place.path)
        await place.start()

    found = await cut_everywhere(tmp_path, monkeypatch, start)
    assert found == [([1], True)] * len(found)
    assert len(found) > 4


async def test_a_database_that_begins_anew_is_never_taken_for_one_that_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def start(place: Place) -> None:
        damage(place.path)
        damage(place.backup)
        await place.start()

    found = await cut_everywhere(tmp_path, monkeypatch, start)
    assert found == [([], True)] * len(found)
    assert len(found) > 4


async def test_a_restore_that_is_cut_short_anywhere_was_done_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = await cut_everywhere(tmp_path, monkeypatch, Place.restore)
    assert found[0] == ([1, 2], False)
    assert {outcome for _, outcome in found} == {True, False}
    assert all(outcome in (([1, 2], False), ([1], True)) for outcome in found)
