"""The line of time in the database, and what moves when it steps."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.access import Grant, GrantState
from gateway.identity import Duration
from gateway.payments import Payment, PaymentState
from gateway.store import access, clock, events, payments
from gateway.timeline import Line
from tests.ledger import NOW_S, grant, in_memory, payment

HISTORY = {
    *("credential.created_at_s", "credential.updated_at_s", "debt.updated_at_s", "debt.requested_at_s", "refresh_token.used_at_s"),
    *("surplus.at_s", "event.at_s", "rescue.at_s", "rescue.settled_at_s", "adopted_payment.at_s"),
    "compared_account.until_s",  # of the provider's clock
}
"""Stamps from which nothing is counted, or that are not of our clock."""

LENGTHS = {"access_grant.used_s", "access_grant.compensated_s", "outage.given_back_s"}

ROWS = {"payment", "access_grant", "clock"}
"""Tables whose stamps move with their rows, or are the line itself."""

STEP_S = 8 * 3_600.0
LINE = Line(NOW_S + 1_000, "a", 5.0, since_s=NOW_S, confirmed=False)
BEFORE_S, AFTER_S = NOW_S - 500, NOW_S + 500
"""Stamped before the line began, and on it."""


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def stored(tx: sqlite3.Connection, bought: Payment, opened: Grant | None = None) -> None:
    payments.insert(tx, bought)
    if opened is not None:
        access.insert(tx, opened)


# ── what is kept ──


def test_a_new_database_has_seen_no_time(tx: sqlite3.Connection):
    assert clock.newest_wall_s(tx) == clock.newest_stamp_s(tx) == 0.0
    assert clock.line(tx) == Line(0.0, None, 0.0, since_s=0.0, confirmed=True)


def test_a_line_that_was_kept_is_read_back(tx: sqlite3.Connection):
    clock.keep(tx, LINE)
    assert clock.line(tx) == LINE
    assert clock.newest_wall_s(tx) == LINE.at_s


def test_there_is_one_line_only(tx: sqlite3.Connection):
    clock.keep(tx, LINE)
    clock.keep(tx, LINE.at(6.0))
    assert [row["newest_wall_s"] for row in tx.execute("SELECT * FROM clock")] == [LINE.at_s + 1]


def test_an_older_time_is_kept_too_or_a_year_ahead_would_last_for_a_year(tx: sqlite3.Connection):
    clock.keep(tx, LINE)
    clock.keep(tx, LINE.stepped(-365 * 86_400.0))
    assert clock.newest_wall_s(tx) < LINE.at_s


def test_the_newest_stamp_is_of_the_event_that_was_written_last(tx: sqlite3.Connection):
    events.append(tx, "one", NOW_S + 9)
    events.append(tx, "two", NOW_S)
    assert clock.newest_stamp_s(tx) == NOW_S


@pytest.mark.parametrize("written_at_s", [LINE.at_s - 40, LINE.at_s, LINE.at_s + 40])
def test_the_last_sign_of_life_is_what_was_written_last_of_whatever_kind(tx: sqlite3.Connection, written_at_s: float):
    assert clock.last_sign_s(tx) == 0.0
    clock.keep(tx, LINE)
    events.append(tx, "one", written_at_s)
    assert clock.last_sign_s(tx) == max(LINE.at_s, written_at_s)


# ── what moves ──


def test_every_stamp_moves_or_is_history(tx: sqlite3.Connection):
    tables = [row[0] for row in tx.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    stamps = {
        f"{table}.{column['name']}"
        for table in tables
        for column in tx.execute(f"PRAGMA table_info({table})")
        if table not in ROWS and column["name"].endswith("_s") and column["type"] == "REAL"
    }
    moving = {f"{table}.{stamp}" for table, names in clock.WINDOWS.items() for stamp in names}
    assert stamps - LENGTHS == moving | HISTORY, "does anything count from a new stamp (store/clock.py), or is it history (here)?"


def test_a_grant_that_began_on_the_line_keeps_every_second(tx: sqlite3.Connection):
    stamps: dict[str, Any] = {"created_at_s": AFTER_S, "starts_at_s": AFTER_S + 10, "ends_at_s": AFTER_S + 3_610}
    stored(tx, payment(created_at_s=AFTER_S), grant(state=GrantState.ACTIVE, **stamps))
    clock.step(tx, LINE, STEP_S)
    moved = access.get(tx, "grant-1")
    assert {name: getattr(moved, name) for name in stamps} == {name: at_s + STEP_S for name, at_s in stamps.items()}


def test_a_grant_that_began_before_the_line_stays_where_it_was(tx: sqlite3.Connection):
    before = grant(state=GrantState.ACTIVE, created_at_s=BEFORE_S, starts_at_s=BEFORE_S, ends_at_s=BEFORE_S + 3_600)
    stored(tx, payment(created_at_s=BEFORE_S), before)
    clock.step(tx, LINE, STEP_S)
    assert access.get(tx, before.id) == before


def test_a_grant_that_was_bought_before_and_begun_on_the_line_moves_its_window_only(tx: sqlite3.Connection):
    begun: dict[str, Any] = {"created_at_s": BEFORE_S, "starts_at_s": AFTER_S, "ends_at_s": AFTER_S + 3_600}
    stored(tx, payment(created_at_s=BEFORE_S), grant(state=GrantState.ACTIVE, **begun))
    clock.step(tx, LINE, STEP_S)
    moved = access.get(tx, "grant-1")
    assert (moved.created_at_s, moved.starts_at_s, moved.ends_s) == (BEFORE_S, AFTER_S + STEP_S, AFTER_S + STEP_S + 3_600)


@pytest.mark.parametrize("behind_bought_at_s", [BEFORE_S, AFTER_S])
@pytest.mark.parametrize("step_s", [60.0, -STEP_S])
def test_a_grant_that_waits_stays_behind_one_that_stays(tx: sqlite3.Connection, behind_bought_at_s: float, step_s: float):
    begun, waits = BEFORE_S + 3_600, BEFORE_S + 3_600 + 600
    first = grant(1, state=GrantState.ACTIVE, created_at_s=BEFORE_S, starts_at_s=BEFORE_S, ends_at_s=begun)
    bought: dict[str, Any] = {"created_at_s": behind_bought_at_s, "duration": Duration(600)}
    behind = grant(2, state=GrantState.ACTIVE, starts_at_s=begun, ends_at_s=waits, **bought)
    stored(tx, payment(1, created_at_s=BEFORE_S), first)
    stored(tx, payment(2, created_at_s=behind_bought_at_s), behind)
    clock.step(tx, LINE, step_s)
    moved = access.get(tx, "grant-2")
    assert (moved.starts_at_s, moved.ends_s) == (begun, waits)


@pytest.mark.parametrize("state", [GrantState.OWED, GrantState.UNCLAIMED])
def test_what_is_owed_does_not_grow_old_by_a_step(tx: sqlite3.Connection, state: GrantState):
    stored(tx, payment(created_at_s=AFTER_S, state=PaymentState.PAID, paid_at_s=AFTER_S), grant(created_at_s=AFTER_S, state=state))
    assert clock.step(tx, LINE, STEP_S) == 2
    assert access.get(tx, "grant-1").created_at_s == AFTER_S + STEP_S
    assert payments.get(tx, "payment-1").paid_at_s == AFTER_S + STEP_S


@pytest.mark.parametrize("state", [PaymentState.PUSHED, PaymentState.UNKNOWN, PaymentState.FAILED, PaymentState.LAPSED])
def test_a_payment_that_is_listened_for_does_not_grow_old_by_a_step(tx: sqlite3.Connection, state: PaymentState):
    stored(tx, payment(created_at_s=AFTER_S, pushed_at_s=AFTER_S, state=state))
    clock.step(tx, LINE, -STEP_S)
    moved = payments.get(tx, "payment-1")
    assert (moved.created_at_s, moved.pushed_at_s) == (AFTER_S - STEP_S, AFTER_S - STEP_S)


def test_what_is_over_stays_as_it_was_written(tx: sqlite3.Connection):
    bought = payment(created_at_s=AFTER_S, pushed_at_s=AFTER_S, paid_at_s=AFTER_S, state=PaymentState.PAID)
    ended = grant(state=GrantState.ENDED, created_at_s=AFTER_S, starts_at_s=AFTER_S, ends_at_s=AFTER_S + 120)
    stored(tx, bought, ended)
    assert clock.step(tx, LINE, STEP_S) == 0
    assert (payments.get(tx, bought.id), access.get(tx, ended.id)) == (bought, ended)


def test_windows_move_with_the_line(tx: sqlite3.Connection):
    tx.execute("INSERT INTO failed_login (key, at_s) VALUES ('before', ?), ('after', ?)", (BEFORE_S, AFTER_S))
    clock.step(tx, LINE, STEP_S)
    assert dict(tx.execute("SELECT key, at_s FROM failed_login").fetchall()) == {"before": BEFORE_S, "after": AFTER_S + STEP_S}


def test_the_line_itself_steps_in_the_same_transaction_and_the_step_is_an_event(tx: sqlite3.Connection):
    clock.step(tx, LINE, -STEP_S)
    assert clock.line(tx) == LINE.stepped(-STEP_S)
    assert clock.newest_stamp_s(tx) == LINE.at_s - STEP_S
