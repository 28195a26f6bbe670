"""Backups of the database: made by SQLite's backup API while it is in use, verified before they count, a few kept.

Owns the folder of backups, and what happens to a database that is found damaged. Never copies a live file: beside its log that
would be neither the old state nor the new one (facts, reliability A5). The keys that open the secrets in a backup are not in it.
"""

import itertools
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import Internal, NotFound

FOLDER = "backups"
"""In the data directory."""

DAILY_KEPT = 7
"""A week: damage that nobody noticed for longer is in every copy anyway, and seven small files fit on every card."""
MIGRATIONS_KEPT = 3
"""The way back to the last programs that may have been installed here."""

FOLDER_MODE = 0o700
"""Phone numbers are in it: for the gateway's user alone, as the data directory."""

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""What SQLite says when a page is not what was written."""

SOUND = "ok"
"""The verdict on a file that may be a database of ours."""
NOTHING = "nothing of a gateway is in it"
"""The verdict on one that no migration ever touched."""

ROOM_BYTES = 65_536
"""Less than a database needs to be opened: 32 KB for the index of its log, and the log."""

_ASIDE = "*ed-*T*Z*"  # damaged-…, replaced-…
_LOGS = ("-wal", "-shm", "-journal")
_NAME = re.compile(r"gateway-.+\.db")


@dataclass(frozen=True, slots=True)
class Rescue:
    """What is done about a database that is lost, or that the operator takes back."""

    verdict: str
    """Why: what SQLite says of it, or that it was wanted."""
    moved_to: Path
    """The folder in which it lies then, for whoever can still read something out of it."""
    restored_from: Path | None
    """The backup in its place; None when there was no sound one, and the database begins anew."""


def copy(source: sqlite3.Connection, folder: Path, label: str) -> Path:
    """Write everything that this connection sees into a new backup, verify it, and let it count only then.

    Raises Internal when the copy is not sound, or there is no room for it; sqlite3.Error and OSError for a disk that takes nothing.
    """
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    _demand_room(source, folder)
    backup, draft = folder / f"gateway-{label}.db", folder / f"gateway-{label}.part"
    _discard(draft)
    draft.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, without a log beside it
        if (verdict := integrity(draft)) != SOUND:
            raise Internal(f"the backup {draft.name} is not sound: {verdict}")
        _settle(draft, backup)
    finally:
        _discard(draft)
    return backup


def _demand_room(source: sqlite3.Connection, folder: Path) -> None:
    """For the copy and as much again: a backup that takes the last of the disk would stop the sales while it is made."""
    (pages,), (page_bytes,) = (source.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size"))
    size_bytes, free_bytes = pages * page_bytes, shutil.disk_usage(folder).free
    if free_bytes < 2 * size_bytes:
        size_mb, free_mb = size_bytes / 1_000_000, free_bytes / 1_000_000
        raise Internal(f"there is no room for a backup of {size_mb:.1f} MB, and as much beside it: {free_mb:.1f} MB are free")


def tidy(folder: Path) -> None:
    """Remove what a crash has left of backups that were being made."""
    for path in folder.glob("gateway-*.part*"):
        path.unlink()


def copied(database: Path, folder: Path, label: str) -> Path:
    """`copy` of a file that a daemon may be using. Raises Internal when there is none, and what `copy` raises."""
    if not database.exists():
        raise Internal(f"there is no database at {database} yet, so nothing to back up")
    with closing(_opened(database)) as source:
        return copy(source, folder, label)


def daily_label(at_s: float) -> str:
    """The name of a backup made at that moment, in seconds since 1970; names sort by time."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y%m%dT%H%M%SZ}"


def newest_daily_s(folder: Path, now_s: float) -> float | None:
    """When the newest daily backup was made, in seconds since 1970; None when there is none.

    One from the future was made by a clock that was wrong, and says nothing.
    """
    made_s = [_made_s(path) for path in _found(folder)]
    return max((at_s for at_s in made_s if at_s is not None and at_s <= now_s), default=None)


def _made_s(backup: Path) -> float | None:
    """When a daily backup was made, by its name; None for another one."""
    try:
        return datetime.strptime(backup.name, "gateway-%Y%m%dT%H%M%SZ.db").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def rotate(folder: Path) -> list[Path]:
    """Remove the oldest backups beyond those that are kept; which."""
    newest_first = _newest_first(folder)
    daily = [path for path in newest_first if _made_s(path) is not None]
    others = [path for path in newest_first if path not in daily]
    spent = [*daily[DAILY_KEPT:], *others[MIGRATIONS_KEPT:]]
    for path in spent:
        path.unlink()
    return spent


def newest_sound(folder: Path) -> Path | None:
    """The newest backup that SQLite finds sound; None when there is none."""
    return next((path for path in _newest_first(folder) if integrity(path) == SOUND), None)


def loss(database: Path, folder: Path) -> str | None:
    """Why this file cannot be the database any more, found out before it is opened; None when it can.

    Raises Internal when the file cannot be read, which says nothing about what is in it.
    """
    try:
        verdict = _checked(database) if database.exists() else NOTHING
    except sqlite3.DatabaseError as fault:
        if getattr(fault, "sqlite_errorcode", 0) & 0xFF not in DAMAGE:
            raise Internal(f"the database {database} cannot be read: {reason(fault, database)}") from None
        verdict = str(fault)
    if verdict == NOTHING:
        # Before the first start there is nothing yet; afterwards nothing is what a dying card shows, or a swap that was cut short.
        return "it is gone" if _found(folder) or any(database.parent.glob(_ASIDE)) else None
    return None if verdict == SOUND else verdict


def reason(fault: Exception, database: Path) -> str:
    """What SQLite says, and the full disk behind it: where the index of the log finds no room it speaks of an I/O error."""
    if database.parent.is_dir() and shutil.disk_usage(database.parent).free < ROOM_BYTES:
        return f"the disk is full ({fault}): make room on it"
    return str(fault)


def aside_for(database: Path, why: str, at_s: float) -> Path:
    """A folder beside the database that is not there yet, for what leaves its place at that moment: `damaged`, `replaced`."""
    name = f"{why}-{daily_label(at_s)}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for path in map(database.parent.joinpath, names) if not path.exists())


@contextmanager
def draft_of(database: Path, backup: Path | None) -> Iterator[Path]:
    """What is to take the database's place: a copy of that backup beside it, or nothing yet. Removed unless it was swapped in.

    Raises sqlite3.Error and OSError for a disk that takes nothing.
    """
    draft = database.with_name(f"{database.name}.part")
    _discard(draft)
    try:
        draft.touch(mode=0o600)
        if backup is not None:
            with closing(_opened(backup)) as source, closing(sqlite3.connect(draft, isolation_level=None)) as target:
                source.backup(target)  # not a copy of the file: a log may lie beside it
        yield draft
    finally:
        _discard(draft)


def swap(draft: Path, database: Path, aside: Path) -> None:
    """Move the database and its log into that folder, and the draft into its place.

    The database first: when the power goes in between it is gone, and the next start begins again (`loss`). Raises Internal for a
    draft that is not whole, and OSError.
    """
    if any(log.exists() for log in logs_of(draft)):
        raise Internal(f"the disk did not take all of {draft}")
    aside.mkdir(mode=FOLDER_MODE)
    for path in (database, *logs_of(database)):
        if path.exists():
            path.rename(aside / path.name)
    _settle(draft, database)


def chosen(folder: Path, wanted: str) -> Path:
    """The backup that an operator names: a path, the name of one in the folder, or `newest`.

    Raises NotFound, and Internal for one that is not sound.
    """
    named = (path for path in (Path(wanted), folder / wanted) if path.is_file())
    path = newest_sound(folder) if wanted == "newest" else next(named, None)
    if path is None:
        there = ", ".join(sorted(found.name for found in _found(folder))) or "none"
        raise NotFound(f'there is no backup "{wanted}"; in {folder}: {there}')
    if (verdict := integrity(path)) != SOUND:
        raise Internal(f"the backup {path} is not sound: {verdict}; choose another one")
    return path


def integrity(path: Path) -> str:
    """SQLite's verdict on a database file, `ok` when it is sound and one of ours; only read, a daemon may be using it."""
    try:
        return _checked(path)
    except (sqlite3.Error, ValueError) as fault:
        return str(fault)


def _checked(path: Path) -> str:
    with closing(_opened(path)) as connection:
        verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    if verdict == SOUND and version == 0:  # SQLite finds an empty file sound, and another program's
        return NOTHING
    return " ".join(verdict.split())  # it may be of several lines


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(_found(folder), key=lambda path: (*_told(path), path.name), reverse=True)


def _told(backup: Path) -> tuple[int, int]:
    """How often its database was replaced, and its newest event: both only grow, whatever a clock says or a copy is dated.

    Zero for one that cannot be read, or is so old that it does not count them.
    """
    try:
        with closing(_opened(backup)) as connection:
            replaced, events = connection.execute(
                "SELECT (SELECT coalesce(max(id), 0) FROM rescue), (SELECT coalesce(max(seq), 0) FROM event)"
            ).fetchone()
    except sqlite3.Error:
        return 0, 0
    return replaced, events


def _found(folder: Path) -> list[Path]:
    return [path for path in folder.glob("gateway-*.db") if _NAME.fullmatch(path.name)] if folder.is_dir() else []


def logs_of(database: Path) -> Iterator[Path]:
    """What SQLite may keep beside a database."""
    return (database.with_name(database.name + end) for end in _LOGS)


def _discard(draft: Path) -> None:
    for path in (draft, *logs_of(draft)):
        path.unlink(missing_ok=True)


def _settle(draft: Path, final: Path) -> None:
    """Give a finished file its name: synced before and after, so that a power cut leaves the old one or the new one, whole."""
    for path, rename in ((draft, True), (final.parent, False)):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if rename:
            draft.replace(final)
