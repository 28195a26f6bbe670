"""Pages: complete, in order, and as cheap behind twenty thousand payments as behind two hundred."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import GrantState
from gateway.identity import PhoneNumber
from gateway.payments import PaymentKind, PaymentState, wire_status
from gateway.store import access as grant_rows
from gateway.store import payments as payment_rows
from gateway.store.access import GrantFilter
from gateway.store.pages import Page, Position, Span, question
from gateway.store.payments import PaymentFilter
from tests.ledger import MAC, NOW_S, OTHER_MAC, grant, in_memory, payment

STATUSES = ("pending", "processing", "completed", "failed")
AMINA, OTIENO = PhoneNumber("+254712345678"), PhoneNumber("+254723456789")
SPANS = (Span(50), Span(50, Position(NOW_S, "p"), NOW_S - 9, NOW_S + 9), Span(50, None, NOW_S - 9, NOW_S + 9))
FILTERS = (
    PaymentFilter(),
    *(PaymentFilter(status=status) for status in STATUSES),
    PaymentFilter(phone=AMINA),
    PaymentFilter(router_id=1),
    PaymentFilter(reference="HG-1"),
    PaymentFilter(status="failed", phone=AMINA, router_id=1),
)
RARE = (
    PaymentFilter(phone=OTIENO),
    PaymentFilter(router_id=2),
    PaymentFilter(status="processing"),
    PaymentFilter(reference="none"),
)
"""What finds nothing must not read through everything to learn that."""
GRANT_FILTERS = (GrantFilter(), GrantFilter(state=GrantState.ACTIVE), GrantFilter(router_id=1), GrantFilter(mac=MAC))


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def walked(tx: sqlite3.Connection, wanted: PaymentFilter, span: Span) -> list[str]:
    """Every id, page by page."""
    found, limit = [], span.limit
    while True:
        page = payment_rows.page(tx, 1, wanted, span)
        assert len(page.entries) <= limit
        found += [entry.id for entry in page.entries]
        if page.next is None:
            return found
        span = Span(limit, page.next, span.from_s, span.to_s)


def plan(tx: sqlite3.Connection, sql: str, values: Iterable[Any]) -> list[str]:
    return [row["detail"] for row in tx.execute(f"EXPLAIN QUERY PLAN {sql}", tuple(values))]


@pytest.mark.parametrize("span", SPANS, ids=["first page", "later page", "between two moments"])
@pytest.mark.parametrize("wanted", FILTERS, ids=repr)
def test_no_page_of_payments_reads_everything_or_sorts(tx, wanted, span):
    payment_rows.insert(tx, payment())
    steps = plan(tx, *question(payment_rows._PAYMENTS, payment_rows._arms(tx, 1, wanted), span))
    assert [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step] == []
    assert [step for step in steps if "SEARCH payment USING INDEX" in step]


@pytest.mark.parametrize("span", SPANS, ids=["first page", "later page", "between two moments"])
@pytest.mark.parametrize("wanted", GRANT_FILTERS, ids=repr)
def test_no_page_of_grants_reads_everything_or_sorts(tx, wanted, span):
    (step,) = plan(tx, *question(grant_rows._GRANTS, [wanted.arm(1)], span))
    assert step.startswith("SEARCH access_grant USING INDEX grant_newest")


def test_no_reference_is_looked_for_in_every_payment(tx):
    statements: list[str] = []
    tx.set_trace_callback(statements.append)
    payment_rows.page(tx, 1, PaymentFilter(reference="nobody's"), Span(50))
    tx.set_trace_callback(None)
    assert not [step for sql in statements for step in plan(tx, sql, ()) if "SCAN" in step]


@given(
    moments=st.lists(st.integers(0, 5), max_size=30),
    limit=st.integers(1, 9),
    status=st.sampled_from([None, *STATUSES]),
    phone=st.sampled_from([None, AMINA]),
    router_id=st.sampled_from([None, 1]),
)
def test_the_pages_together_are_the_whole_list_in_order(moments, limit, status, phone, router_id):
    tx = in_memory()
    kinds, states = list(PaymentKind), list(PaymentState)
    made = [
        payment(
            number,
            created_at_s=NOW_S + moment,
            state=states[number % len(states)],
            kind=kinds[number % len(kinds)],
            phone=(AMINA, OTIENO)[number % 3 == 0],
        )
        for number, moment in enumerate(moments)
    ]
    for one in made:
        payment_rows.insert(tx, one)
    expected = [
        one.id
        for one in sorted(made, key=lambda one: (one.created_at_s, one.id), reverse=True)
        if (status is None or wire_status(one.state, one.kind) == status) and phone in {None, one.phone}
    ]
    assert walked(tx, PaymentFilter(status, phone, router_id), Span(limit)) == expected
    within = [one for one in expected if NOW_S + 1 <= next(m.created_at_s for m in made if m.id == one) < NOW_S + 4]
    bounded = Span(limit, None, NOW_S + 1, NOW_S + 4)
    assert walked(tx, PaymentFilter(status, phone, router_id), bounded) == within
    tx.close()


def test_a_position_beyond_the_bounds_shows_nothing_outside_them(tx):
    for number in range(5):
        payment_rows.insert(tx, payment(number, created_at_s=NOW_S + number))
    span = Span(50, Position(NOW_S + 99, "z"), NOW_S + 1, NOW_S + 3)
    assert [one.id for one in payment_rows.page(tx, 1, PaymentFilter(), span).entries] == ["payment-2", "payment-1"]


def test_grants_are_found_by_state_router_and_device(tx):
    for number in range(1, 4):
        payment_rows.insert(tx, payment(number))
    made = [grant(1), grant(2, state=GrantState.ENDED, created_at_s=NOW_S + 1), grant(3, mac=OTHER_MAC, created_at_s=NOW_S + 2)]
    for one in made:
        grant_rows.insert(tx, one)

    def found(wanted: GrantFilter) -> list[str]:
        return [one.id for one in grant_rows.page(tx, 1, wanted, Span(50)).entries]

    assert found(GrantFilter()) == ["grant-3", "grant-2", "grant-1"]
    assert found(GrantFilter(state=GrantState.OWED)) == ["grant-3", "grant-1"]
    assert found(GrantFilter(mac=MAC)) == ["grant-2", "grant-1"]
    assert found(GrantFilter(state=GrantState.OWED, mac=MAC, router_id=1)) == ["grant-1"]
    assert found(GrantFilter(router_id=2)) == []
    assert grant_rows.page(tx, 2, GrantFilter(), Span(50)) == Page([], None)


def steps_of(tx: sqlite3.Connection, wanted: PaymentFilter, span: Span) -> int:
    """How much the database works for one page, counted in its own instructions: the same on every machine."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    tx.set_progress_handler(count, 1)
    payment_rows.page(tx, 1, wanted, span)
    tx.set_progress_handler(None, 1)
    return steps[0]


def fill(tx: sqlite3.Connection, count: int) -> None:
    """That many payments, a second apart, each decided: those under way are few at any time."""
    payment_rows.insert(tx, payment(0))
    columns = [row["name"] for row in tx.execute("PRAGMA table_info(payment)")]
    fresh = {
        "id": "printf('p-%09d', value)",
        "api_ref": "printf('r-%09d', value)",
        "created_at_s": f"{NOW_S} + value",
        "state": "CASE value % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'failed' ELSE 'refused' END",
    }
    values = ", ".join(fresh.get(column, column) for column in columns)
    numbers = "WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ?)"
    tx.execute("BEGIN")
    tx.execute(
        f"{numbers} INSERT INTO payment ({', '.join(columns)}) SELECT {values} FROM n, payment WHERE id = 'payment-0'", (count,)
    )
    tx.execute("COMMIT")


def test_a_page_costs_the_same_however_many_payments_there_are_and_however_deep_it_is():
    few, many = in_memory(), in_memory()
    fill(few, 300)
    fill(many, 20_000)
    for wanted in (*FILTERS[:-2], *RARE):
        assert steps_of(many, wanted, Span(20)) <= steps_of(few, wanted, Span(20)) * 1.1, wanted
        deep, shallow = Span(20, Position(NOW_S + 10_000, "x")), Span(20, Position(NOW_S + 150, "x"))
        assert steps_of(many, wanted, deep) <= steps_of(few, wanted, shallow) * 1.1, wanted
    few.close()
    many.close()
