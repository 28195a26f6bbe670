"""Debts in the database: each is found once, and every change is told."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.access import GrantState
from gateway.debts import Debt, DebtEvent, DebtState, Why
from gateway.errors import Conflict
from gateway.identity import Money
from gateway.payments import IllegalTransition, PaymentKind, PaymentState
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import payments as payment_rows
from gateway.store import refunds as rows
from gateway.store.links import keep_surplus
from tests.fakeprovider import report
from tests.ledger import NOW_S, grant, in_memory, payment

DEBT = Debt("debt-1", "payment-1", 1, "INV1", Why.UNDELIVERED, NOW_S, NOW_S)


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def paid(tx: sqlite3.Connection, number: int = 1, *, paid_at_s: float = NOW_S, **bought: object) -> None:
    payment_rows.insert(tx, payment(number, state=PaymentState.PAID, paid_at_s=paid_at_s))
    grant_rows.insert(tx, replace(grant(number), **bought))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bought", "found"),
    [
        ({}, True),
        ({"state": GrantState.UNCLAIMED}, True),
        ({"state": GrantState.REVOKED}, True),
        ({"state": GrantState.ACTIVE, "starts_at_s": NOW_S, "ends_at_s": NOW_S + 9}, False),
        ({"state": GrantState.REVOKED, "starts_at_s": NOW_S, "ends_at_s": NOW_S + 9}, False),
        ({"used_s": 5.0}, False),
        ({"compensated_s": 5.0}, False),
    ],
)
def test_what_was_paid_and_never_served_is_found(tx, bought, found):
    paid(tx, **bought)
    assert rows.undeclared(tx, NOW_S) == ["payment-1"] * found


def test_what_was_paid_later_has_time_yet_and_what_was_taken_back_has_none(tx):
    paid(tx, 1, paid_at_s=NOW_S + 1)
    paid(tx, 2, paid_at_s=NOW_S + 1, state=GrantState.REVOKED)
    assert rows.undeclared(tx, NOW_S) == ["payment-2"]


def test_money_that_was_not_asked_for_is_found(tx):
    payment_rows.insert(tx, payment(1, state=PaymentState.DISPUTED))
    payment_rows.insert(tx, payment(2, state=PaymentState.FAILED))
    assert rows.undeclared(tx, NOW_S) == ["payment-1"]


def test_what_is_noted_is_not_found_again(tx):
    paid(tx)
    rows.insert(tx, DEBT)
    assert rows.undeclared(tx, NOW_S) == []
    with pytest.raises(sqlite3.IntegrityError):
        rows.insert(tx, replace(DEBT, id="debt-2"))


def test_a_surplus_is_a_debt_of_its_own(tx):
    link = payment(1, kind=PaymentKind.LINK, state=PaymentState.PAID, paid_at_s=NOW_S, invoice_id="INV1")
    payment_rows.insert(tx, link)
    keep_surplus(tx, link, replace(report(link), invoice_id="INV2"), NOW_S)
    assert rows.undeclared_surplus(tx) == [("payment-1", "INV2")]
    rows.insert(tx, replace(DEBT, invoice_id="INV2", why=Why.SURPLUS))
    assert rows.undeclared_surplus(tx) == []


def test_a_debt_whose_grant_was_served_is_found_until_it_is_lifted(tx):
    paid(tx)
    rows.insert(tx, DEBT)
    assert rows.served(tx) == []
    tx.execute("UPDATE access_grant SET starts_at_s = 1, ends_at_s = 2")
    assert rows.served(tx) == [DEBT]
    rows.change(tx, DEBT, DebtEvent.SERVED, NOW_S + 1)
    assert rows.served(tx) == []
    assert rows.counts(tx)["lifted"] == 1


def test_every_change_is_told_and_comes_back_whole(tx):
    paid(tx)
    debt = rows.insert(tx, DEBT)
    debt = rows.change(tx, debt, DebtEvent.REQUEST, NOW_S + 1, amount=Money(5_000), requested_at_s=NOW_S + 1)
    debt = rows.change(tx, debt, DebtEvent.ACCEPTED, NOW_S + 2, refund_id="CB1", provider_state="PENDING")
    assert rows.of_payment(tx, "payment-1") == [debt]
    assert (debt.state, debt.amount, debt.version) == (DebtState.REQUESTED, Money(5_000), 2)
    assert [kind for kind, _ in events.of_payment(tx, "payment-1")][-3:] == ["refund.due", "refund.request", "refund.accepted"]


def test_the_tenth_time_that_nothing_is_new_nothing_is_written(tx):
    paid(tx)
    debt = rows.insert(tx, replace(DEBT, state=DebtState.REQUESTED, refund_id="CB1", provider_state="PENDING"))
    before = events.newest(tx)
    assert rows.change(tx, debt, DebtEvent.ACCEPTED, NOW_S + 9, refund_id="CB1", provider_state="PENDING") == debt
    assert events.newest(tx) == before


def test_two_hands_cannot_ask_for_the_same_money(tx):
    paid(tx)
    debt = rows.insert(tx, DEBT)
    rows.change(tx, debt, DebtEvent.REQUEST, NOW_S)
    with pytest.raises(Conflict):
        rows.change(tx, debt, DebtEvent.REQUEST, NOW_S)
    with pytest.raises(IllegalTransition):
        rows.change(tx, rows.of_payment(tx, "payment-1")[0], DebtEvent.REQUEST, NOW_S)
