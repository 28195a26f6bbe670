"""Backups in the life of a daemon: one a day, a damaged database restored at the start, and what the operator's commands do."""

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from gateway import backups, cli
from gateway.datadir import sole_use_of
from gateway.errors import NotStored
from gateway.payments import PaymentState
from gateway.store import backups as files
from tests.configs import changed
from tests.e2e.portal import PortalWorld
from tests.e2e.world import World
from tests.unit.store.test_backups import damage

HOUR_S, DAY_S = 3_600.0, 86_400.0


def kept(world: World) -> list[str]:
    return sorted(path.name for path in (world.folder / "data" / files.FOLDER).glob("*.db"))


def database_of(world: World) -> Path:
    return world.folder / "data" / "gateway.db"


async def test_a_backup_is_made_soon_after_the_first_start_and_then_once_a_day(world: World):
    await world.pass_time(backups.FIRST_S - 1, 60)
    assert kept(world) == []
    await world.pass_time(120, 60)
    assert len(kept(world)) == 1
    await world.restart()
    await world.pass_time(HOUR_S, 600)
    assert len(kept(world)) == 1
    await world.pass_time(DAY_S, 3_600)
    assert len(kept(world)) == 2


async def test_a_backup_that_a_wrong_clock_has_dated_into_the_future_keeps_nobody_from_making_one(world: World):
    await world.pass_time(backups.FIRST_S + 60, 60)
    (first,) = kept(world)
    folder = world.folder / "data" / files.FOLDER
    (folder / first).rename(folder / f"gateway-{files.daily_label(world.clock.wall_s() + 365 * DAY_S)}.db")
    await world.restart()
    await world.pass_time(HOUR_S, 600)
    assert len(kept(world)) == 2


async def test_a_backup_whose_name_is_no_date_is_none_of_the_daily_ones_and_harms_nobody(world: World):
    await world.pass_time(backups.FIRST_S + 60, 60)
    (first,) = kept(world)
    folder = world.folder / "data" / files.FOLDER
    (folder / first).rename(folder / "gateway-20261399T996060Z.db")
    await world.restart()
    await world.pass_time(HOUR_S, 600)
    assert len(kept(world)) == 2


async def test_a_folder_of_backups_that_cannot_be_read_is_told_and_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def dying_card(self: Path, pattern: str) -> list[Path]:
        raise OSError(5, f"Input/output error: {self / pattern}")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "glob", dying_card)
        await world.pass_time(backups.FIRST_S + 60, 60)
    assert [record.levelno for record in caplog.records if getattr(record, "action", "") == "backup_failed"] == [logging.ERROR]
    await world.pass_time(backups.RETRY_S + 60, 600)
    assert len(kept(world)) == 1


async def test_a_week_of_backups_is_kept(world: World):
    await world.pass_time((files.DAILY_KEPT + 2) * DAY_S + HOUR_S, 4 * HOUR_S)
    assert len(kept(world)) == files.DAILY_KEPT


async def test_a_backup_that_cannot_be_made_is_told_and_tried_again(world: World, caplog: pytest.LogCaptureFixture):
    folder = world.folder / "data" / files.FOLDER
    folder.write_text("a file stands in the way")
    await world.pass_time(2 * backups.FIRST_S, 60)
    assert [record.levelno for record in caplog.records if getattr(record, "action", "") == "backup_failed"] == [logging.ERROR]
    folder.unlink()
    await world.pass_time(backups.RETRY_S + 60, 600)
    assert len(kept(world)) == 1


async def test_a_damaged_database_is_restored_at_the_start_and_whoever_was_in_the_backup_is_served(
    world: World, caplog: pytest.LogCaptureFixture
):
    payment_id = await world.buy(world.amina)
    await world.pass_time(backups.FIRST_S + 60, 60)
    await world.stop()
    damage(database_of(world))
    await world.start()
    assert world.amina.online
    assert (await world.payment(payment_id)).state is PaymentState.PAID
    assert any(getattr(record, "action", "") == "database_rescued" for record in caplog.records)
    assert list((world.folder / "data").glob("damaged-*/gateway.db"))
    grant = await world.grant(payment_id)
    assert grant is not None
    await world.pass_time(grant.ends_s - world.clock.wall_s() - 1, 60)
    assert world.amina.online
    await world.pass_time(3)
    assert not world.amina.online


async def test_until_the_books_of_a_rescued_database_are_in_order_the_portal_says_so(tmp_path: Path):
    async with PortalWorld(tmp_path) as site:
        await site.start()
        await site.buy(site.amina)
        await site.pass_time(backups.FIRST_S + 60, 60)
        await site.stop()
        damage(database_of(site))
        await site.intasend.stop()
        await site.start()
        page = await site.browser(site.otieno).open("/")
        assert (page.status, "cannot be sold" in page.words) == (503, True)
        assert site.amina.online


async def test_a_page_that_is_damaged_while_the_daemon_runs_ends_it(world: World):
    await world.buy(world.amina)
    await world.pass_time(backups.FIRST_S + 60, 60)

    def fail(_: sqlite3.Connection) -> None:
        fault = sqlite3.DatabaseError("database disk image is malformed")
        fault.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise fault

    with pytest.raises(NotStored):
        await world.running.db.read(fail)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        await world.running.scheduler.run()


# ── the commands ──


def run(folder: Path, *arguments: str) -> Any:
    """The command, on a site that stands in this folder."""
    tree = changed(("server", "data_dir"), str(folder / "data"))
    path = folder / "operator.yaml"
    path.write_text(yaml.safe_dump(tree), "utf-8")
    return CliRunner().invoke(cli.main, [arguments[0], "--config", str(path), *arguments[1:]])


async def test_a_backup_made_by_hand_beside_a_running_daemon_can_be_restored(world: World):
    first = await world.buy(world.amina)
    path = world.config()
    said = await backups.back_up(path, world.clock)
    (made,) = kept(world)
    assert made in said
    second = await world.buy(world.otieno)
    await world.stop()
    said = await backups.restore(path, "newest", world.clock)
    assert made in said
    await world.start()
    assert (await world.payment(first)).state is PaymentState.PAID
    assert (await world.payment(second)).state is PaymentState.PAID  # not in the backup: read again from IntaSend and the router
    kinds = [row[0] for row in await world.running.db.read(lambda tx: tx.execute("SELECT kind FROM event").fetchall())]
    assert "database.restored" in kinds


def test_a_restore_beside_a_running_gateway_is_refused(tmp_path: Path, logging_as_it_was: None):
    with sole_use_of(tmp_path / "data"):
        result = run(tmp_path, "restore")
    assert result.exit_code == 1
    assert "stop it first" in result.output


def test_what_cannot_be_restored_is_said_in_one_line(tmp_path: Path, logging_as_it_was: None):
    result = run(tmp_path, "restore", "gateway-1999.db")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "there is no backup" in result.output


def test_without_a_database_there_is_nothing_to_back_up_and_that_is_said(tmp_path: Path, logging_as_it_was: None):
    result = run(tmp_path, "backup")
    assert result.exit_code == 1
    assert "nothing to back up" in result.output
