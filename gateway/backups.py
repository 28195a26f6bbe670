"""Backups as the daemon and the operator use them: once a day, before each migration, by command; and the way back.

How a backup is made and verified is `gateway.store.backups`' business. What was sold after a backup was made is not in it: it is
read again from IntaSend's invoices and the routers' rows by `gateway.books`, and until then nothing is sold.
"""

import logging
import sqlite3
from pathlib import Path

from gateway.clock import Clock
from gateway.config import Config
from gateway.datadir import DATABASE_FILE, private, sole_use_of
from gateway.errors import GatewayError, Internal
from gateway.store import backups, rescues
from gateway.store.backups import Rescue
from gateway.store.database import Database

log = logging.getLogger(__name__)

EVERY_S = 86_400.0
"""What is lost with a card is one day of events; payments and access are read again from IntaSend and the routers."""

FIRST_S = 300.0
"""Not in the first minutes: a start has better things to do, and a unit that restarts in a circle would wear the card."""

RETRY_S = 3_600.0
"""A disk that takes no backup is told once an hour, not with every look."""


class Backups:
    """The job that makes one backup a day."""

    name = "backup"

    def __init__(self, db: Database, folder: Path, clock: Clock) -> None:
        self._db = db
        self._folder = folder
        self._clock = clock
        self._not_before_s = clock.monotonic_s() + FIRST_S

    async def run_once(self) -> float:
        """Make a backup when the newest one is a day old, and remove those that are not needed any more."""
        wait_s = self._not_before_s - self._clock.monotonic_s()
        if wait_s > 0:
            return wait_s
        try:
            if (wait_s := self._due_in_s()) > 0:
                return wait_s
            made = await self._db.backup(self._folder, backups.daily_label(self._clock.wall_s()))
            backups.rotate(self._folder)
        except (GatewayError, sqlite3.Error, OSError) as fault:
            log.error("no backup could be made: %s", fault, extra={"action": "backup_failed"})  # noqa: TRY400 - a sentence
            self._not_before_s = self._clock.monotonic_s() + RETRY_S
            return RETRY_S
        log.info("backed up as %s", made.name, extra={"action": "backed_up"})
        self._not_before_s = self._clock.monotonic_s() + EVERY_S
        return EVERY_S

    def _due_in_s(self) -> float:
        now_s = self._clock.wall_s()
        newest_s = backups.newest_daily_s(self._folder, now_s)
        return 0.0 if newest_s is None else max(0.0, newest_s + EVERY_S - now_s)


async def open_sound(data_dir: Path, clock: Clock) -> Database:
    """Open the data directory's database, after a damaged one was moved aside and the newest backup took its place.

    Raises Internal when the database cannot be used, or nothing can take its place; OSError for a disk that takes nothing.
    """
    path, folder, now_s = data_dir / DATABASE_FILE, data_dir / backups.FOLDER, clock.wall_s()
    backups.tidy(folder)
    verdict = backups.loss(path, folder)
    if verdict is not None:
        rescue = Rescue(verdict, backups.aside_for(path, "damaged", now_s), backups.newest_sound(folder))
        await _carry_out(rescue, path, now_s)
        _tell(rescue)
    return await Database.open(private(path), folder)


async def _carry_out(rescue: Rescue, path: Path, at_s: float) -> None:
    """Prepare what takes the database's place, with the note that something may be missing in it, and only then swap.

    What fails here, a full disk or a power cut, leaves everything as it was, or a database that is gone: never one on which is sold
    as if nothing was missing. Raises Internal.
    """
    try:
        with backups.draft_of(path, rescue.restored_from) as draft:
            db = await Database.open(draft)
            try:
                await db.write(lambda tx: rescues.note(tx, rescue, at_s))
            finally:
                await db.close()
            backups.swap(draft, path, rescue.moved_to)
    except (GatewayError, sqlite3.Error, OSError) as fault:
        raise Internal(f"nothing could take the place of {path} ({rescue.verdict}): {fault}") from None


def _tell(rescue: Rescue) -> None:
    instead = f"restored from {rescue.restored_from.name}" if rescue.restored_from else "there is no backup: it begins anew"
    log.critical(
        "the database cannot be used (%s): what was there is in %s, %s; the rest is read again from IntaSend and the routers",
        rescue.verdict,
        rescue.moved_to,
        instead,
        extra={"action": "database_rescued"},
    )


async def back_up(config: Config, clock: Clock) -> str:
    """Make a backup now, beside a running gateway or without one; what was done, for the operator.

    Raises Internal without a database, and when the copy is not sound; OSError for a disk that takes nothing.
    """
    path = config.server.data_dir / DATABASE_FILE
    try:
        made = backups.copied(path, path.with_name(backups.FOLDER), backups.daily_label(clock.wall_s()))
    except sqlite3.Error as fault:
        raise Internal(f"{path} could not be backed up: {fault}") from None
    return f"backed up as {made}\nThe keys that open its secrets are not in it: keep the encryption key elsewhere, too."


async def restore(config: Config, wanted: str, clock: Clock) -> str:
    """Put a backup (a path, a name, or `newest`) in the database's place; what was done, for the operator.

    Raises Internal while a gateway runs, for a backup that is not sound or too new, and for a disk that does not take it: then
    nothing has changed. NotFound when there is none of that name.
    """
    with sole_use_of(config.server.data_dir) as data_dir:
        path, folder, now_s = data_dir / DATABASE_FILE, data_dir / backups.FOLDER, clock.wall_s()
        backup = backups.chosen(folder, wanted)
        if path.exists() and backup.samefile(path):
            raise Internal(f"{path} is the database itself: choose a backup")
        aside = backups.aside_for(path, "replaced", now_s)
        await _carry_out(Rescue("restored by the operator", aside, backup), path, now_s)
    return (
        f"restored from {backup}\nWhat was there is kept in {aside}.\n"
        "Start the gateway: it reads from IntaSend and the routers what the backup does not know, and sells when that is done."
    )
