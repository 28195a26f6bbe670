"""Backups: what is made is sound, what is kept is enough, and a damaged database finds its way back."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.errors import Internal, NotFound
from gateway.store import backups, events, rescues
from gateway.store.database import Database, migrations
from tests.disk import observed
from tests.ledger import NOW_S
from tests.twins import adding, numbers, of_numbers

DAY_S = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / backups.FOLDER


def a_database(path: Path, rows: int = 3) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("CREATE TABLE t (number INTEGER, filler TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(number, "x" * 2_000) for number in range(rows)])
    return path


def rows_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


def backed_up(database: Path, folder: Path, at_s: float) -> Path:
    return backups.copied(database, folder, backups.daily_label(at_s))


def damage(path: Path) -> None:
    """Some bytes in the middle of every page but the first are not what was written."""
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4_096):
        content[page * 4_096 : page * 4_096 + 40] = b"\xff" * 40
    path.write_bytes(content)


# ── making them ──


async def test_a_backup_holds_everything_that_was_committed_and_nothing_else(tmp_path, folder):
    db = await of_numbers(tmp_path)
    await db.write(adding(1))
    made = await db.backup(folder, "now")
    await db.write(adding(2))
    assert await db.read(numbers) == [1, 2]
    await db.close()
    with closing(sqlite3.connect(made)) as connection:
        assert numbers(connection) == [1]


def test_a_backup_is_one_file_that_only_its_owner_can_read(tmp_path, folder):
    made = backed_up(a_database(tmp_path / "gateway.db"), folder, NOW_S)
    assert [path.name for path in folder.iterdir()] == [made.name]
    assert made.stat().st_mode & 0o077 == folder.stat().st_mode & 0o077 == 0


def test_a_backup_that_is_not_sound_does_not_count(tmp_path, folder):
    damaged = a_database(tmp_path / "gateway.db", rows=40)
    damage(damaged)
    with pytest.raises(Internal, match="not sound"):
        backed_up(damaged, folder, NOW_S)
    assert list(folder.iterdir()) == []


def test_a_backup_that_the_disk_does_not_take_leaves_nothing_behind(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db")
    with observed(folder) as disk:
        disk.fail_write = lambda _: sqlite3.SQLITE_FULL
        with pytest.raises(sqlite3.OperationalError, match="full"):
            backed_up(database, folder, NOW_S)
    assert list(folder.iterdir()) == []


def test_a_backup_leaves_room_for_what_is_sold_meanwhile(tmp_path, folder, monkeypatch):
    database = a_database(tmp_path / "gateway.db", rows=40)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=database.stat().st_size * 3 // 2))
    with pytest.raises(Internal, match=r"there is no room for a backup of 0\.1 MB, and as much beside it: 0\.1 MB are free"):
        backed_up(database, folder, NOW_S)
    assert list(folder.iterdir()) == []


def test_what_a_power_cut_left_of_a_backup_is_removed_and_nothing_else(tmp_path, folder):
    made = backed_up(a_database(tmp_path / "gateway.db"), folder, NOW_S)
    for name in ("gateway-1.part", "gateway-1.part-journal", "gateway-2.part"):
        (folder / name).touch()
    backups.tidy(folder)
    assert list(folder.iterdir()) == [made]
    backups.tidy(tmp_path / "not there yet")


def test_without_a_database_there_is_nothing_to_back_up(tmp_path, folder):
    with pytest.raises(Internal, match="nothing to back up"):
        backed_up(tmp_path / "gateway.db", folder, NOW_S)


# ── keeping them ──


def test_the_newest_of_each_kind_are_kept(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db")
    daily = [backed_up(database, folder, NOW_S + day * DAY_S).name for day in range(backups.DAILY_KEPT + 2)]
    others = [backups.copied(database, folder, f"before-{number:04d}").name for number in range(backups.MIGRATIONS_KEPT + 1)]
    spent = backups.rotate(folder)
    assert {path.name for path in spent} == {*daily[:2], others[0]}
    assert {path.name for path in folder.iterdir()} == {*daily[2:], *others[1:]}


def test_the_newest_daily_backup_says_when_it_was_made(tmp_path, folder):
    assert backups.newest_daily_s(folder, NOW_S) is None
    database = a_database(tmp_path / "gateway.db")
    for at_s in (NOW_S + DAY_S, NOW_S):
        backed_up(database, folder, at_s)
    backups.copied(database, folder, "before-0004")
    assert backups.newest_daily_s(folder, NOW_S + 2 * DAY_S) == NOW_S + DAY_S
    assert backups.newest_daily_s(folder, NOW_S + 60) == NOW_S


async def test_what_is_newest_is_told_by_the_backups_and_not_by_a_clock(tmp_path, folder):
    """A backup that a clock a year ahead has dated is not the newest for a year; one that was copied about is as old as it was."""
    db = await Database.open(tmp_path / "gateway.db")
    older = await db.backup(folder, backups.daily_label(NOW_S + 365 * DAY_S))
    for day in range(backups.DAILY_KEPT):
        await db.write(lambda tx: events.append(tx, "clock.stepped", NOW_S))
        newest = await db.backup(folder, backups.daily_label(NOW_S + day * DAY_S))
        os.utime(newest, (NOW_S - day, NOW_S - day))
    await db.close()
    assert backups.newest_sound(folder) == newest
    assert backups.rotate(folder) == [older]


async def test_a_database_that_was_taken_back_to_an_older_one_is_newer_than_what_it_replaced(tmp_path, folder):
    for label, happened, rescued in (("before", 9, 0), ("after", 3, 1)):
        db = await Database.open(tmp_path / f"{label}.db")
        for _ in range(happened):
            await db.write(lambda tx: events.append(tx, "clock.stepped", NOW_S))
        if rescued:
            await db.write(lambda tx: rescues.note(tx, backups.Rescue("restored", tmp_path, None), NOW_S))
        backup = await db.backup(folder, label)
        await db.close()
    assert backups.newest_sound(folder) == backup


async def test_a_migration_leaves_the_database_as_it_was_in_a_backup(tmp_path, folder, monkeypatch):
    path, known = tmp_path / "gateway.db", migrations()
    with monkeypatch.context() as patch:
        patch.setattr("gateway.store.database.migrations", lambda: known[:-1])
        await (await Database.open(path, folder)).close()
    assert not folder.exists()  # a new database has nothing to keep
    await (await Database.open(path, folder)).close()
    (kept,) = folder.iterdir()
    assert (kept.name, version_of(kept)) == (f"gateway-before-{known[-1][0]:04d}.db", known[-2][0])
    assert version_of(path) == known[-1][0]


async def test_a_migration_that_cannot_be_backed_up_is_not_begun(tmp_path, folder, monkeypatch):
    path, known = tmp_path / "gateway.db", migrations()
    with monkeypatch.context() as patch:
        patch.setattr("gateway.store.database.migrations", lambda: known[:-1])
        await (await Database.open(path, folder)).close()
    with observed(folder) as disk:
        disk.fail_write = lambda _: sqlite3.SQLITE_FULL
        with pytest.raises(Internal, match="full"):
            await Database.open(path, folder)
    assert version_of(path) == known[-2][0]


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


# ── the way back: tests/unit/test_rescue.py has the whole of it ──


def test_a_sound_database_is_not_lost(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db")
    backed_up(database, folder, NOW_S)
    assert backups.loss(database, folder) is None


def test_before_the_first_start_nothing_is_lost(tmp_path, folder):
    assert backups.loss(tmp_path / "gateway.db", folder) is None


def test_a_damaged_database_is_lost_and_the_reason_is_one_line(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db", rows=40)
    damage(database)
    assert "page" in str(backups.loss(database, folder)).lower()
    assert "\n" not in str(backups.loss(database, folder))


@pytest.mark.parametrize("content", [b"", b"no database at all", None], ids=["empty", "nonsense", "gone"])
def test_whatever_a_dying_card_shows_is_a_loss(tmp_path, folder, content):
    database = a_database(tmp_path / "gateway.db")
    backed_up(database, folder, NOW_S)
    database.unlink()
    if content is not None:
        database.write_bytes(content)
    assert backups.loss(database, folder) is not None


def test_a_database_of_another_program_is_a_loss_where_there_was_one_of_ours(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db")
    assert backups.loss(of_another_program(tmp_path / "other.db"), folder) is None
    backed_up(database, folder, NOW_S)
    assert backups.loss(tmp_path / "other.db", folder) == "it is gone"


def of_another_program(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE contact (name TEXT)")
    return path


def test_a_swap_that_was_cut_short_shows_as_a_loss_also_without_a_backup(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db")
    with backups.draft_of(database, None) as draft:
        draft.unlink()
        with pytest.raises(FileNotFoundError):
            backups.swap(draft, database, backups.aside_for(database, "damaged", NOW_S))
    assert backups.loss(database, folder) == "it is gone"


def test_a_database_that_cannot_be_read_is_not_taken_for_damaged(tmp_path, folder):
    (tmp_path / "gateway.db").mkdir()
    with pytest.raises(Internal, match="cannot be read"):
        backups.loss(tmp_path / "gateway.db", folder)


def test_a_full_disk_is_called_by_its_name(tmp_path, folder, monkeypatch):
    (tmp_path / "gateway.db").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=backups.ROOM_BYTES - 1))
    with pytest.raises(Internal, match=r"the disk is full \(.*\): make room on it"):
        backups.loss(tmp_path / "gateway.db", folder)


def test_a_log_of_the_old_database_does_not_fall_upon_the_new_one(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db")
    backup = backed_up(database, folder, NOW_S)
    database.with_name("gateway.db-wal").write_bytes(b"a stranger's log")
    aside = backups.aside_for(database, "damaged", NOW_S)
    with backups.draft_of(database, backup) as draft:
        backups.swap(draft, database, aside)
    assert not database.with_name("gateway.db-wal").exists()
    assert {path.name for path in aside.iterdir()} >= {"gateway.db", "gateway.db-wal"}
    assert rows_in(database) == 3


def test_a_draft_takes_along_what_lies_in_the_log_beside_its_source(tmp_path):
    source = a_database(tmp_path / "aside.db")
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("INSERT INTO t VALUES (3, '')")
        assert (tmp_path / "aside.db-wal").stat().st_size > 0
        with backups.draft_of(tmp_path / "gateway.db", source) as draft:
            assert rows_in(draft) == 4
    assert not draft.exists()


def test_a_draft_whose_log_was_not_folded_in_takes_nobodys_place(tmp_path):
    database = a_database(tmp_path / "gateway.db")
    with backups.draft_of(database, None) as draft:
        draft.with_name("gateway.db.part-wal").touch()
        with pytest.raises(Internal, match="did not take all"):
            backups.swap(draft, database, backups.aside_for(database, "damaged", NOW_S))
    assert rows_in(database) == 3


def test_two_damaged_databases_of_one_second_are_both_kept(tmp_path):
    first = backups.aside_for(tmp_path / "gateway.db", "damaged", NOW_S)
    first.mkdir()
    assert backups.aside_for(tmp_path / "gateway.db", "damaged", NOW_S) != first


# ── what the operator chooses ──


def test_a_backup_is_chosen_by_name_by_path_or_as_the_newest(tmp_path, folder):
    database = a_database(tmp_path / "gateway.db")
    first, second = backed_up(database, folder, NOW_S), backed_up(database, folder, NOW_S + DAY_S)
    assert backups.chosen(folder, "newest") == second
    assert backups.chosen(folder, first.name) == backups.chosen(folder, str(first)) == first


def test_a_backup_that_is_not_there_is_answered_with_those_that_are(tmp_path, folder):
    made = backed_up(a_database(tmp_path / "gateway.db"), folder, NOW_S)
    with pytest.raises(NotFound, match=made.name):
        backups.chosen(folder, "gateway-1999.db")


def test_a_damaged_backup_is_not_restored(tmp_path, folder):
    made = backed_up(a_database(tmp_path / "gateway.db", rows=40), folder, NOW_S)
    damage(made)
    with pytest.raises(Internal, match="not sound"):
        backups.chosen(folder, made.name)


def test_a_file_that_no_gateway_has_written_is_not_restored(tmp_path, folder):
    (tmp_path / "empty.db").touch()
    for stranger in (tmp_path / "empty.db", of_another_program(tmp_path / "other.db")):
        with pytest.raises(Internal, match="nothing of a gateway is in it"):
            backups.chosen(folder, str(stranger))
