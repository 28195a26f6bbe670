"""What claiming asks of the database: each code finds its owner's grant, and tries are counted, forgiven and forgotten."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.access import GrantState
from gateway.identity import PhoneNumber
from gateway.payments import PaymentState
from gateway.store import access as grant_rows
from gateway.store import claims as claim_rows
from gateway.store import payments as payment_rows
from tests.ledger import MAC, NOW_S, OTHER_MAC, grant, in_memory, payment

PHONE = PhoneNumber("+254712345678")
KEYS = ("device:a", "address:b", "owner:1")


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def test_a_claim_code_is_its_owners(tx):
    payment_rows.insert(tx, payment())
    grant_rows.insert(tx, made := grant(claim_code="ABCDEFGH"))
    assert claim_rows.grant_with_code(tx, 1, "ABCDEFGH") == made
    assert claim_rows.grant_with_code(tx, 2, "ABCDEFGH") is None
    assert claim_rows.grant_with_code(tx, 1, "ABCDEFGX") is None


def test_a_receipt_finds_the_owners_payment_in_the_order_of_the_readings(tx):
    payment_rows.insert(tx, first := payment(1, receipt="T0"))
    payment_rows.insert(tx, payment(2, receipt="TO"))
    assert payment_rows.with_receipt(tx, 1, ["TX", "T0", "TO"]) == first
    assert payment_rows.with_receipt(tx, 1, ["TX"]) is None
    assert payment_rows.with_receipt(tx, 2, ["T0"]) is None


def test_doubtful_are_the_newest_payments_that_may_have_been_paid_without_our_knowing(tx):
    made = [
        payment(1, state=PaymentState.PUSHED, pushed_at_s=NOW_S),
        payment(2, state=PaymentState.FAILED, pushed_at_s=NOW_S, created_at_s=NOW_S + 1),
        payment(3, state=PaymentState.PAID, pushed_at_s=NOW_S, created_at_s=NOW_S + 2),
        payment(4, state=PaymentState.PAID, pushed_at_s=NOW_S, receipt="TJRHC8IET4"),
        payment(5, state=PaymentState.DISPUTED, pushed_at_s=NOW_S),
        payment(6, state=PaymentState.REFUSED),
        payment(7, state=PaymentState.PUSHED, pushed_at_s=NOW_S, phone=PhoneNumber("+254722000000")),
        payment(8, state=PaymentState.LAPSED, pushed_at_s=NOW_S, created_at_s=NOW_S - 100),
    ]
    for one in made:
        payment_rows.insert(tx, one)
    found = payment_rows.doubtful(tx, 1, PHONE, NOW_S - 100, 9)
    assert [one.id for one in found] == ["payment-3", "payment-2", "payment-1"]
    assert payment_rows.doubtful(tx, 1, PHONE, NOW_S - 100, 1) == found[:1]
    assert payment_rows.doubtful(tx, 2, PHONE, NOW_S - 100, 9) == []


def test_what_a_device_asked_for_is_found_newest_first(tx):
    for one in (payment(1), payment(2, created_at_s=NOW_S + 1), payment(3, mac=OTHER_MAC), payment(4, created_at_s=NOW_S - 60)):
        payment_rows.insert(tx, one)
    assert [one.id for one in payment_rows.of_device(tx, 1, MAC, NOW_S - 60)] == ["payment-2", "payment-1"]
    assert payment_rows.of_device(tx, 2, MAC, 0) == []


def test_a_devices_grants_are_found_by_state(tx):
    for number, state in enumerate((GrantState.OWED, GrantState.UNCLAIMED, GrantState.ENDED), 1):
        payment_rows.insert(tx, payment(number))
        grant_rows.insert(tx, grant(number, state=state))
    assert [one.id for one in grant_rows.of_device(tx, 1, MAC, GrantState.OWED, GrantState.UNCLAIMED)] == ["grant-1", "grant-2"]
    assert grant_rows.of_device(tx, 1, OTHER_MAC, GrantState.OWED) == []


def test_the_moves_of_a_grant_are_counted_and_nothing_else_that_happens_to_it(tx):
    payment_rows.insert(tx, payment())
    grant_rows.insert(tx, one := grant())
    for at_s in (NOW_S, NOW_S + 60, NOW_S + 120):
        one = grant_rows.hand_over(tx, one, replace(one, mac=OTHER_MAC), at_s)
    one = grant_rows.log_out(tx, one, one, NOW_S + 60)
    grant_rows.move(tx, one, replace(one, ends_at_s=NOW_S), NOW_S + 60)
    assert claim_rows.moved_at_s(tx, one, NOW_S, NOW_S + 60) == [NOW_S + 60]
    assert claim_rows.moved_at_s(tx, one, NOW_S - 1, NOW_S + 200) == [NOW_S, NOW_S + 60, NOW_S + 120]


def test_tries_are_counted_by_key_and_those_that_the_clock_has_yet_to_reach_are_left_out(tx):
    for at_s in (NOW_S, NOW_S + 60, NOW_S + 120):
        claim_rows.add_try(tx, KEYS, at_s)
    claim_rows.add_try(tx, ("owner:1",), NOW_S + 61)
    assert claim_rows.tries(tx, "device:a", NOW_S, NOW_S + 60) == [NOW_S + 60]
    assert claim_rows.tries(tx, "owner:1", NOW_S - 1, NOW_S + 100) == [NOW_S, NOW_S + 60, NOW_S + 61]


def test_one_try_is_forgiven_and_the_others_stay(tx):
    for at_s in (NOW_S, NOW_S, NOW_S + 60):
        claim_rows.add_try(tx, KEYS, at_s)
    claim_rows.forgive(tx, KEYS, NOW_S)
    assert [claim_rows.tries(tx, key, 0, NOW_S + 100) for key in KEYS] == [[NOW_S, NOW_S + 60]] * 3


def test_old_tries_are_forgotten(tx):
    for at_s in (NOW_S, NOW_S + 60):
        claim_rows.add_try(tx, KEYS, at_s)
    claim_rows.prune(tx, NOW_S)
    assert [row["at_s"] for row in tx.execute("SELECT at_s FROM claim_try")] == [NOW_S + 60] * 3


@pytest.mark.parametrize(
    "question",
    [
        lambda tx: claim_rows.grant_with_code(tx, 1, "ABCDEFGH"),
        lambda tx: payment_rows.with_receipt(tx, 1, ["TJRHC8IET4"]),
        lambda tx: payment_rows.doubtful(tx, 1, PHONE, NOW_S, 3),
        lambda tx: payment_rows.of_device(tx, 1, MAC, NOW_S),
        lambda tx: claim_rows.moved_at_s(tx, grant(), NOW_S, NOW_S),
        lambda tx: claim_rows.tries(tx, "device:a", NOW_S, NOW_S),
        lambda tx: claim_rows.prune(tx, NOW_S),
    ],
    ids=["grant_with_code", "with_receipt", "doubtful", "of_device", "moved_at_s", "tries", "prune"],
)
def test_what_the_portal_asks_does_not_read_a_whole_table(tx, question):
    asked: list[str] = []
    tx.set_trace_callback(asked.append)
    question(tx)
    tx.set_trace_callback(None)
    statements = [statement for statement in asked if statement.startswith(("SELECT", "DELETE"))]
    plans = [row["detail"] for statement in statements for row in tx.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN")]
