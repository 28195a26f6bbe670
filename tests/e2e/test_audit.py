"""The audit of a running gateway: silent while all is well, loud once when it is not, and honest about what it could not see."""

import logging
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client import generate_latest

from gateway import audit, cli
from gateway.audit_table import UNCHECKED, run_audit
from gateway.errors import RouterRefused
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.simulators.intasend import Endpoint, Outcome, fails_with
from gateway.store import audit as audit_rows
from gateway.store import events
from tests.e2e.rows import ours
from tests.e2e.test_backup import run
from tests.e2e.test_refunds import DUE_S, NOTICED_S, ask_back, paid_for_nothing
from tests.e2e.world import WANJIKU, World


async def one_audit(world: World) -> None:
    await world.pass_time(audit.EVERY_S + 60, 60)


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[str | None]:
    """Of which payments that was told."""
    return [getattr(record, "payment", None) for record in caplog.records if getattr(record, "action", "") == action]


def broken(world: World) -> set[str]:
    """The invariants whose metric is not zero."""
    lines = generate_latest(world.running.metrics.registry).decode().splitlines()
    figures = [line.removeprefix("hotspot_gateway_invariant{").split("} ") for line in lines if "_invariant{" in line]
    assert len(figures) == 9
    return {name.split('"')[1] for name, count in figures if float(count)}


def rewritten(sql: str, *values: object):
    """What a bit that flipped, or somebody with the sqlite3 shell, does to a table."""
    return lambda tx: tx.execute(sql, values)


async def test_a_day_of_sales_breaks_nothing(world: World, caplog: pytest.LogCaptureFixture):
    await world.buy(world.amina)
    await world.buy(world.amina, package_id=1, amount="5")
    refused = await world.ask(world.otieno)
    world.otieno.cancel()
    await world.pass_time(3 * audit.EVERY_S, 60)
    assert broken(world) == set()
    assert told(caplog, "invariant_broken") == told(caplog, "look_at_it") == []
    assert (await world.payment(refused)).failed_code
    lines: list[str] = []
    assert await run_audit(world.config(), lines.append, world.clock) == 0
    assert [line.split()[0] for line in lines] == ["holds"] * 9


@pytest.mark.parametrize("wrong_by_s", [-8 * 3_600, 8 * 3_600, 365 * 86_400])
async def test_the_table_goes_by_the_gateways_time_when_the_machines_clock_is_wrong(world: World, wrong_by_s: float):
    await world.buy(world.amina)
    await world.pass_time(70)
    world.clock.step_wall(wrong_by_s)
    await world.pass_time(10)
    lines: list[str] = []
    assert await run_audit(world.config(), lines.append, world.clock) == 0, lines


async def test_what_is_broken_is_told_once_when_it_appears_and_once_when_it_is_gone(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.buy(world.amina)
    await world.running.db.write(rewritten("UPDATE payment SET amount_cents = 1 WHERE id = ?", payment_id))
    await one_audit(world)
    assert told(caplog, "invariant_broken") == [payment_id]
    assert broken(world) == {"events_make_the_tables"}
    lines: list[str] = []
    assert await run_audit(world.config(), lines.append, world.clock) == 1
    assert any(line.startswith("BROKEN") and payment_id in line and "amount_cents" in line for line in lines)
    await one_audit(world)
    assert told(caplog, "invariant_broken") == [payment_id]
    await world.running.db.write(rewritten("UPDATE payment SET amount_cents = 5000 WHERE id = ?", payment_id))
    await one_audit(world)
    assert told(caplog, "invariant_holds_again") == [payment_id]
    assert broken(world) == set()


async def test_an_event_that_is_missing_is_told_and_stays_missing(world: World, caplog: pytest.LogCaptureFixture):
    def lose_one(tx: sqlite3.Connection) -> None:
        for kind in ("webhook.received", "webhook.received"):
            events.append(tx, kind, world.clock.wall_s())
        tx.execute("DROP TRIGGER event_is_never_deleted")
        tx.execute("DELETE FROM event WHERE seq = ?", (events.newest(tx) - 1,))

    await world.running.db.write(lose_one)
    for _ in range(3):
        await one_audit(world)
        assert broken(world) == {"events_make_the_tables"}
    assert told(caplog, "invariant_broken") == [None]
    lines: list[str] = []
    assert await run_audit(world.config(), lines.append, world.clock) == 1
    assert any(line.startswith("BROKEN  events_make_the_tables:  1 event(s) before number") for line in lines)


async def test_money_that_has_no_payment_here_is_told_with_its_invoice(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.ask(world.amina)
    world.amina.enter_pin()
    await world.pass_time(20)
    (push,) = world.intasend.pushes
    world.intasend.answer(push.invoice_id, Outcome.COMPLETE)
    object.__setattr__(push.order, "phone", "jane@example.com")  # a payer whom nobody can call: it cannot be recorded again
    await world.running.db.write(forget(payment_id))
    await world.pass_time(3 * audit.EVERY_S, 60)
    said = [record for record in caplog.records if getattr(record, "action", "") == "invariant_broken"]
    assert any(f"IntaSend invoice {push.invoice_id}, 50.00 KES by" in record.getMessage() for record in said)
    assert set(told(caplog, "invariant_broken")) == {payment_id}
    assert "one_payment_per_invoice" in broken(world)


async def test_who_was_served_and_has_not_paid_after_all_is_told_by_his_payment(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.buy(world.amina)
    fine = await world.buy(world.otieno)
    world.intasend.answer((await world.payment(payment_id)).invoice_id or "", Outcome.CANCELLED)
    await world.pass_time(2 * audit.EVERY_S + audit.SEEN_AFTER_S, 60)
    assert told(caplog, "invariant_broken") == [payment_id]
    assert broken(world) == {"one_payment_per_invoice"}
    lines: list[str] = []
    assert await run_audit(world.config(), lines.append, world.clock) == 1
    assert any("served and not paid: IntaSend says FAILED" in line and payment_id in line for line in lines)
    assert not any(fine in line for line in lines)


async def test_a_receipt_that_pays_twice_is_told_by_the_second_payment(world: World, caplog: pytest.LogCaptureFixture):
    first = await world.ask(world.amina)
    world.amina.enter_pin()
    await world.pass_time(5)
    second = await world.ask(world.otieno)
    one, other = world.intasend.pushes
    other.receipt = one.receipt
    world.otieno.enter_pin()
    await world.pass_time(audit.FIRST_S + audit.EVERY_S, 60)
    assert told(caplog, "invariant_broken") == [second]
    (sentence,) = [record.getMessage() for record in caplog.records if getattr(record, "action", "") == "invariant_broken"]
    assert one.receipt in sentence
    assert first in sentence
    assert broken(world) == {"one_payment_per_invoice"}


async def test_a_row_of_ours_that_nobody_knows_is_told_and_stays(world: World, caplog: pytest.LogCaptureFixture):
    until = int(world.clock.wall_s()) + 86_400
    row = {"name": WANJIKU[1], "mac-address": WANJIKU[1], "comment": f"hotspot-gateway:sold-before until={until}"}
    world.router.hotspot.users.add(row)
    await one_audit(world)
    (said,) = [record for record in caplog.records if getattr(record, "action", "") == "look_at_it"]
    assert (said.levelname, vars(said)["grant"]) == ("WARNING", "sold-before")
    assert WANJIKU[1] in said.getMessage()
    assert (broken(world), len(ours(world.router))) == (set(), 1)


async def test_who_is_still_let_through_behind_his_end_is_told(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    async def refuse(*_: object) -> None:
        raise RouterRefused("failure: cannot remove")

    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    monkeypatch.setattr(MikrotikHotspot, "shut_out", refuse)
    await one_audit(world)
    assert told(caplog, "invariant_broken") == [payment_id]
    assert broken(world) == {"no_early_cut"}
    monkeypatch.undo()
    await one_audit(world)
    assert told(caplog, "invariant_holds_again") == [payment_id]


async def test_money_that_was_asked_back_is_not_missed(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await paid_for_nothing(world)
    await world.pass_time(DUE_S + NOTICED_S, 60)
    assert (await ask_back(world, payment_id))[0] == 200
    world.intasend.answer((await world.payment(payment_id)).invoice_id or "", Outcome.CANCELLED)
    await world.pass_time(2 * audit.EVERY_S, 60)
    assert told(caplog, "invariant_broken") == []


def forget(payment_id: str):
    """As if it had never been here."""

    def work(tx: sqlite3.Connection) -> None:
        tx.execute("DELETE FROM access_grant WHERE payment_id = ?", (payment_id,))
        tx.execute("DELETE FROM payment WHERE id = ?", (payment_id,))

    return work


async def test_what_could_not_be_checked_is_neither_well_nor_gone(world: World, caplog: pytest.LogCaptureFixture):
    payment_id = await world.buy(world.amina)
    world.intasend.faults.always(Endpoint.INVOICES, fails_with(503))
    await world.router.power_off()
    lines: list[str] = []
    assert await world.in_time(_table(world, lines)) == (1, {})
    assert [line.split(": ")[1] for line in lines if line.startswith(UNCHECKED)] == ["router Kiosk", "IntaSend's list of njeri"]
    assert not any(line.startswith("BROKEN") for line in lines)
    await one_audit(world)
    assert told(caplog, "audit_unchecked")
    assert told(caplog, "invariant_broken") == []
    assert await world.payment(payment_id)


async def _table(world: World, lines: list[str]):
    return await run_audit(world.config(), lines.append, world.clock), {}


async def test_a_big_database_is_audited_in_bites(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "EVENTS_AT_ONCE", 5)
    monkeypatch.setattr(audit, "ROUND_AT_ONCE", 1)
    await world.buy(world.amina)
    await world.buy(world.amina)
    seen = []
    for _ in range(4):
        await one_audit(world)
        seen.append(await world.running.db.read(audit_rows.progress))
    assert [progress.event_seq for progress in seen] == [5, 10, 15, 20]
    assert [progress.payment_rowid for progress in seen] == [1, 2, 0, 1]


def test_without_a_database_there_is_nothing_to_audit(tmp_path: Path, logging_as_it_was: None):
    result = run(tmp_path, "audit")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "nothing to audit" in result.output
    assert logging.getLogger("gateway").level == logging.CRITICAL
    assert CliRunner().invoke(cli.main, ["audit", "--help"]).exit_code == 0
