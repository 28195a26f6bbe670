"""Payment links in the database: what is to be closed, what is still watched, and money that came twice."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.payments import LINK_LIFE_S, Payment, PaymentKind, PaymentState
from gateway.providers.base import Reported
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import links as link_rows
from gateway.store import payments as payment_rows
from tests.fakeprovider import report
from tests.ledger import NOW_S, grant, in_memory, payment


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def stored(tx: sqlite3.Connection, number: int = 1, **changes: Any) -> Payment:
    facts = {"kind": PaymentKind.LINK, "link_id": f"link-{number}", "link_open": True, "pushed_at_s": NOW_S, **changes}
    made = payment(number, **facts)
    payment_rows.insert(tx, made)
    return made


def ids(payments: list[Payment]) -> list[str]:
    return [one.id for one in payments]


def test_a_link_comes_back_as_it_was_written(tx):
    made = stored(tx, link_url="https://pay.example/link-1/", state=PaymentState.PUSHED)
    assert payment_rows.get(tx, made.id) == made


@pytest.mark.parametrize(
    ("state", "is_to_close"),
    [
        (PaymentState.NEW, False),
        (PaymentState.PUSHING, False),
        (PaymentState.PUSHED, False),
        (PaymentState.UNKNOWN, False),
        (PaymentState.PAID, True),
        (PaymentState.DISPUTED, True),
        (PaymentState.LAPSED, True),
        (PaymentState.FAILED, True),
        (PaymentState.REFUSED, True),
    ],
)
def test_a_link_is_to_be_closed_once_nobody_is_to_pay_it(tx, state, is_to_close):
    stored(tx, state=state)
    assert ids(link_rows.to_close(tx, 0)) == ["payment-1"] * is_to_close


def test_a_link_that_was_closed_or_is_too_old_is_not_to_be_closed(tx):
    made = stored(tx, state=PaymentState.PAID)
    assert link_rows.to_close(tx, NOW_S) == []
    link_rows.closed(tx, made.id, NOW_S + 1)
    assert link_rows.to_close(tx, 0) == []
    assert events.of_payment(tx, made.id)[-1] == (
        "payment.link_closed",
        {"set": {"link_open": 0, "updated_at_s": NOW_S + 1, "version": 1}},
    )


def test_a_decided_link_is_listened_for_as_long_as_money_may_come_through_it(tx):
    stored(tx, 1, state=PaymentState.PAID, paid_at_s=NOW_S + 100)
    stored(tx, 2, state=PaymentState.LAPSED)
    stored(tx, 3, state=PaymentState.PUSHED)
    assert link_rows.listened_for(tx, NOW_S) == ["payment-2", "payment-1"]
    assert link_rows.listened_for(tx, NOW_S + 100) == ["payment-2"]
    assert link_rows.listened_for(tx, NOW_S + LINK_LIFE_S) == []


def test_a_decided_link_is_left_to_the_list_of_links(tx):
    stored(tx, state=PaymentState.LAPSED)
    assert payment_rows.listened_for(tx, 0) == []


def test_a_link_is_no_open_prompt(tx):
    made = stored(tx, state=PaymentState.PUSHED)
    assert payment_rows.open_for_phone(tx, made.phone, 0) is None


def test_a_surplus_is_kept_once_with_all_that_a_refund_needs(tx):
    made = stored(tx, state=PaymentState.PAID)
    said = report(made, Reported.PAID, invoice_id="INV-2", receipt="TJRHC8IET4")
    assert link_rows.keep_surplus(tx, made, said, NOW_S)
    assert not link_rows.keep_surplus(tx, made, said, NOW_S + 1)
    assert link_rows.surplus_of(tx, made.id) == ["INV-2"]
    (row,) = tx.execute("SELECT * FROM surplus").fetchall()
    assert tuple(row) == ("INV-2", made.id, 1, "50", "KES", "TJRHC8IET4", NOW_S)
    assert [kind for kind, _ in events.of_payment(tx, made.id)] == ["payment.recorded", "surplus.recorded"]


def test_a_claim_code_is_read_aloud_without_mistakes_and_is_nobody_elses(tx, monkeypatch):
    letters = iter("AAAAAAAA" + "AAAAAAAA" + "BBBBBBBB")
    monkeypatch.setattr("gateway.store.links.secrets.choice", lambda _: next(letters))
    made = stored(tx, state=PaymentState.PAID)
    first = link_rows.new_claim_code(tx)
    grant_rows.insert(tx, grant(1, payment_id=made.id, claim_code=first))
    assert (first, link_rows.new_claim_code(tx)) == ("AAAAAAAA", "BBBBBBBB")
    assert not set(link_rows.CLAIM_ALPHABET) & set("01ILO")


@pytest.mark.parametrize(
    "question",
    [lambda tx: link_rows.to_close(tx, NOW_S), lambda tx: link_rows.listened_for(tx, NOW_S), link_rows.new_claim_code],
    ids=["to_close", "listened_for", "new_claim_code"],
)
def test_what_is_asked_all_the_time_does_not_read_a_whole_table(tx, question):
    asked: list[str] = []
    tx.set_trace_callback(asked.append)
    question(tx)
    tx.set_trace_callback(None)
    plans = [row["detail"] for statement in asked for row in tx.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN") and "INDEX" not in plan]
