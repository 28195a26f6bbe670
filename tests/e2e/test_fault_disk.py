"""The card is full, broken or read-only under a running daemon: nothing is sold that cannot be stored, and nobody else notices.

The faults come from below SQLite (tests.disk), at the daemon's own files.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway import backups
from gateway.access import GrantState
from gateway.heartbeat import WATCH_S
from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint
from gateway.store.database import Transaction
from tests.disk import Disk
from tests.e2e.portal import PortalWorld
from tests.e2e.world import AMINA, PATIENCE_S, PUBLIC_KEY

Break = Callable[[Disk], None]

IN_BACKUP_S = backups.FIRST_S + 60

NEW_KEY = "0123456789abcdef0123456789abcdef"
ORDER = {"router_id": 1, "package_id": 2, "phone_number": "0712345678", "amount": "50", "mac_address": AMINA[1]}


breaks = pytest.mark.parametrize(
    "fault", [Disk.fill, Disk.fail_to_sync, Disk.mount_read_only], ids=["full", "failing sync", "read-only"]
)


@pytest.fixture
async def site(tmp_path: Path, disk: Disk) -> AsyncIterator[PortalWorld]:
    async with PortalWorld(tmp_path) as world:
        await world.start()
        yield world
        disk.heal()


async def readiness(site: PortalWorld) -> tuple[int, str]:
    async with site.http.get(site.url + "/readyz") as response:
        return response.status, (await response.json())["database"]


@breaks
async def test_nothing_is_sold_that_cannot_be_stored_and_everything_again_when_the_disk_is_well(
    site: PortalWorld, disk: Disk, fault: Break, caplog: pytest.LogCaptureFixture
):
    await site.buy(site.amina)
    fault(disk)
    otieno = site.browser(site.otieno)

    status, answer = await site.initiate(site.otieno)
    page = await otieno.pay()
    assert (status, answer["retry_after_s"], page.status) == (503, 30, 503)
    assert "cannot store" in answer["error"]
    assert "You have not been charged" in page.words
    assert await readiness(site) == (503, "not writable")
    await site.pass_time(120, 10)
    assert (await otieno.open("/")).status == 503
    assert "cannot be sold" in otieno.page.words
    assert site.amina.online
    assert [push.order.phone for push in site.intasend.pushes] == [site.amina.number]
    told = [record for record in caplog.records if getattr(record, "action", "") == "database_not_writable"]
    assert [record.levelno for record in told] == [logging.ERROR]

    disk.heal()
    await site.pass_time(WATCH_S)
    assert await readiness(site) == (200, "ok")
    assert (await otieno.open("/")).status == 200
    await site.buy(site.otieno)
    assert len(site.intasend.pushes) == 2


@breaks
async def test_who_pays_while_nothing_can_be_stored_is_told_and_served_when_it_can(
    site: PortalWorld, disk: Disk, fault: Break, caplog: pytest.LogCaptureFixture
):
    payment_id = await site.ask(site.amina)
    fault(disk)
    site.amina.enter_pin()
    await site.pass_time(60, 2)
    assert not site.amina.online
    told = {vars(record)["action"] for record in caplog.records if vars(record).get("payment") == payment_id}
    assert "settle_failed" in told
    assert await readiness(site) == (503, "not writable")
    disk.heal()
    await site.pass_time_until(lambda: site.amina.online, within_s=15)
    assert (await site.payment(payment_id)).state is PaymentState.PAID
    assert len(site.intasend.pushes) == 1


@pytest.mark.parametrize("answer_is_lost", [False, True])
async def test_a_push_whose_answer_cannot_be_stored_is_found_again_and_never_repeated(
    site: PortalWorld,
    disk: Disk,
    answer_is_lost: bool,  # noqa: FBT001 - a parameter of the test
):
    """The payment itself was stored before, and a prompt is out: nobody may be told that he was not charged."""

    async def break_in_between(request: web.Request, proceed: Callable[[], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        answer = await proceed()
        disk.fill()
        if answer_is_lost:
            assert request.transport is not None
            request.transport.abort()
        return answer

    site.intasend.faults.once(Endpoint.PUSH, break_in_between)
    page = await site.browser(site.amina).pay()
    assert page.status == 200
    assert "not been charged" not in page.words
    (payment,) = await site.payments(PaymentState.PUSHING)
    await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
    site.amina.enter_pin()
    await site.pass_time(20)
    disk.heal()
    await site.pass_time_until(lambda: site.amina.online, within_s=60)
    assert (await site.payment(payment.id)).state is PaymentState.PAID
    assert len(site.intasend.pushes) == 1


async def test_a_key_stands_for_a_push_whose_answer_cannot_be_stored(site: PortalWorld, disk: Disk):
    async def press() -> tuple[int, str]:
        body = {"router_id": 1, "package_id": 2, "phone_number": "0712345678", "amount": "50", "mac_address": site.amina.mac}
        headers = {"X-Public-Key": PUBLIC_KEY, "Idempotency-Key": "order-1"}
        async with site.http.post(f"{site.url}/payments/intasend/initiate/", json=body, headers=headers) as response:
            return response.status, (await response.json())["payment"]["id"]

    site.intasend.faults.once(Endpoint.PUSH, lambda _, proceed: _answer_and_fill(disk, proceed))
    first = await press()
    disk.heal()
    assert await press() == first
    assert (first[0], len(site.intasend.pushes)) == (201, 1)


@pytest.mark.parametrize("way", ["user", "binding"])
async def test_who_is_due_is_out_in_time_although_nothing_can_be_stored(tmp_path: Path, disk: Disk, way: str):
    async with PortalWorld(tmp_path, way=way) as site:
        await site.start()
        payment_id = await site.buy(site.amina, package_id=1, amount="5")
        await site.buy(site.otieno)
        disk.fill()
        grant = await site.grant(payment_id)
        assert grant is not None
        await site.pass_time(grant.ends_s - site.clock.wall_s())
        await site.pass_time_until(lambda: not site.amina.online, within_s=1)
        for _ in range(90):
            await site.pass_time(1)
            assert not site.amina.online
            assert site.otieno.online
        disk.heal()
        await site.pass_time(WATCH_S)
        assert {grant.state for grant in await site.grants() if grant.payment_id == payment_id} == {GrantState.ENDED}
        assert site.otieno.online


async def test_a_card_that_stalls_sends_no_push_before_it_has_stored_and_holds_up_nobody_else(site: PortalWorld, disk: Disk):
    """SD cards stop for seconds to collect their garbage: whoever only looks, and whoever is online, does not notice."""
    await site.buy(site.otieno)
    begun, may_go_on = threading.Event(), threading.Event()

    def stall(_: Path) -> int | None:
        begun.set()
        assert may_go_on.wait(20)
        return None

    disk.fail_sync = stall
    asked = asyncio.create_task(site.initiate(site.amina))
    try:
        await site.until(begun.is_set)
        browser = site.browser(site.otieno)
        page = await browser.open("/portal/status")
        assert (page.status, site.otieno.online, asked.done()) == (200, True, False)
        assert len(site.intasend.pushes) == 1
    finally:
        disk.heal()
        may_go_on.set()
    status, _ = await asked
    assert (status, len(site.intasend.pushes)) == (201, 2)


# ── a start ──


@breaks
async def test_a_start_on_a_disk_that_takes_nothing_serves_who_has_paid_and_sells_when_it_is_well(
    site: PortalWorld, disk: Disk, fault: Break, caplog: pytest.LogCaptureFixture
):
    payment_id = await site.buy(site.amina, package_id=1, amount="5")
    grant = await site.grant(payment_id)
    assert grant is not None
    await site.stop()
    site.edits.append(_raise_the_price)
    fault(disk)
    await site.start()
    assert site.amina.online
    assert await readiness(site) == (503, "not writable")
    assert (await site.initiate(site.otieno))[0] == 503
    page = await site.browser(site.otieno).open("/")
    assert (page.status, "cannot be sold" in page.words) == (503, True)
    assert [vars(record)["action"] for record in caplog.records].count("begun_without_disk") == 1
    await site.pass_time(grant.ends_s - site.clock.wall_s())
    await site.pass_time_until(lambda: not site.amina.online, within_s=1)

    disk.heal()
    await site.pass_time(2 * WATCH_S)
    assert await readiness(site) == (200, "ok")
    assert (await site.initiate(site.otieno, 1, "5"))[0] == 400
    await site.buy(site.otieno, package_id=1, amount="7")


def _raise_the_price(document: dict[str, Any]) -> None:
    document["owners"][0]["routers"][0]["packages"][0]["price"] = "7"


async def test_nothing_is_sold_between_the_disks_recovery_and_the_end_of_the_start(site: PortalWorld, disk: Disk):
    """What the life before this one was pushing is looked up first: no push of this life may be taken for one of those."""
    site.intasend.faults.once(Endpoint.PUSH, lambda _, proceed: _answer_and_fill(disk, proceed))
    await site.initiate(site.amina)
    await site.stop()
    await site.start()
    disk.heal()
    assert (await site.initiate(site.otieno))[0] == 503
    await site.pass_time(2 * WATCH_S)
    await site.buy(site.otieno)
    site.amina.enter_pin()
    await site.pass_time_until(lambda: site.amina.online, within_s=60)
    assert len(site.intasend.pushes) == 2


async def test_an_owner_who_is_new_in_the_file_is_no_stranger_while_the_disk_takes_nothing(site: PortalWorld, disk: Disk):
    await site.stop()
    site.edits.append(_give_a_new_key)
    disk.fill()
    await site.start()
    status, answer = await site.post("/payments/intasend/initiate/", ORDER, key=NEW_KEY)
    assert (status, "cannot store" in answer["error"]) == (503, True)
    disk.heal()
    await site.pass_time(2 * WATCH_S)
    assert (await site.post("/payments/intasend/initiate/", ORDER, key=NEW_KEY))[0] == 201


def _give_a_new_key(document: dict[str, Any]) -> None:
    document["owners"][0]["public_key"] = NEW_KEY


async def _answer_and_fill(disk: Disk, proceed: Callable[[], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    answer = await proceed()
    disk.fill()
    return answer


# ── what is in the file ──


async def test_a_page_that_is_damaged_on_the_card_ends_the_daemon_and_its_next_start_rescues(site: PortalWorld):
    payment_id = await site.buy(site.amina)
    await site.pass_time(IN_BACKUP_S, 60)
    await flip(site)
    status, answer = await site.check(payment_id)
    assert (status, answer["error"]) == (503, "The gateway cannot store anything now: try again soon")
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            await site.running.scheduler.run()
    await site.restart()
    assert site.amina.online
    assert (await site.payment(payment_id)).state is PaymentState.PAID
    assert list((site.folder / "data").glob("damaged-*/gateway.db"))
    await site.buy(site.otieno)


async def flip(site: PortalWorld) -> None:
    """Destroy the first page of the payments on the card; whoever reads next reads it from there."""
    db, path = site.running.db, site.folder / "data" / "gateway.db"
    await db.write(lambda tx: tx.execute("UPDATE clock SET id = id"))
    await db._writer.run(lambda tx: tx.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    (root,), (size,) = await db._writer.run(_whereabouts)
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    await db.write(lambda tx: tx.execute("UPDATE clock SET newest_wall_s = newest_wall_s + 1"))  # readers read anew


def _whereabouts(tx: Transaction) -> tuple[tuple[int], tuple[int]]:
    return (
        tuple(tx.execute("SELECT rootpage FROM sqlite_master WHERE name = 'payment'").fetchone()),
        tuple(tx.execute("PRAGMA page_size").fetchone()),
    )


@pytest.mark.parametrize("kept_bytes", [0, 20_000], ids=["missing", "truncated"])
async def test_without_its_log_the_database_is_older_and_sound_and_who_is_online_stays(
    tmp_path: Path, site: PortalWorld, kept_bytes: int
):
    """Somebody deleted the `-wal` file, or the card lost its end: what the router shows is honoured until its end."""
    await site.buy(site.amina, package_id=1, amount="5")
    left = {path.name: path.read_bytes() for path in (tmp_path / "data").glob("gateway.db*")}
    assert len(left["gateway.db-wal"]) > 20_000
    await site.stop()
    for path in (tmp_path / "data").glob("gateway.db*"):
        path.unlink()
    (tmp_path / "data" / "gateway.db").write_bytes(left["gateway.db"])
    if kept_bytes:
        (tmp_path / "data" / "gateway.db-wal").write_bytes(left["gateway.db-wal"][:kept_bytes])
    await site.start()
    await site.pass_time(60)
    assert site.amina.online
    await site.pass_time_until(lambda: not site.amina.online, within_s=90)
    await site.buy(site.otieno)


async def test_a_database_that_somebody_deletes_ends_the_daemon_and_its_next_start_has_everything(site: PortalWorld):
    payment_id = await site.buy(site.amina)
    events = await site.running.db.read(_events)
    for path in (site.folder / "data").glob("gateway.db*"):
        path.unlink()
    status, _ = await site.initiate(site.otieno)
    assert (status, len(site.intasend.pushes)) == (503, 1)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(sqlite3.DatabaseError, match="was deleted or replaced while it was in use"):
            await site.running.scheduler.run()
    await site.restart()
    assert site.amina.online
    assert (await site.payment(payment_id)).state is PaymentState.PAID
    assert (await site.running.db.read(_events))[: len(events)] == events
    await site.pass_time(60)
    await site.buy(site.otieno)


def _events(tx: Transaction) -> list[tuple[int, str]]:
    return [(row["seq"], row["kind"]) for row in tx.execute("SELECT seq, kind FROM event ORDER BY seq")]
