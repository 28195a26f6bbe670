"""The event table: append-only, and complete: the tables of payments and grants can be made again from it."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access import GrantEvent
from gateway.errors import Conflict, NotFound
from gateway.identity import Duration, IpAddress
from gateway.payments import IllegalTransition, PaymentEvent, PaymentState
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import payments as payment_rows
from tests.ledger import MAC, NOW_S, OTHER_MAC, grant, in_memory, payment

PAYMENT_FACTS: dict[str, st.SearchStrategy[Any]] = {
    "provider_state": st.sampled_from(["PENDING", "COMPLETE", "FAILED"]),
    "receipt": st.none() | st.text("TJR0123456789", min_size=1, max_size=10),
    "failed_code": st.none() | st.sampled_from(["1032", "2001"]),
    "failed_reason": st.none() | st.text(max_size=12),
    "pushed_at_s": st.floats(0, 1e10),
    "paid_at_s": st.none() | st.floats(0, 1e10),
}
GRANT_FACTS: dict[str, st.SearchStrategy[Any]] = {
    "mac": st.sampled_from([None, MAC, OTHER_MAC]),
    "ip": st.sampled_from([None, IpAddress("10.0.0.7")]),
    "starts_at_s": st.floats(0, 1e10),
    "ends_at_s": st.floats(0, 1e10),
    "ended_because": st.sampled_from([None, "time", "data"]),
    "duration": st.integers(1, 10**6).map(Duration),
    "used_s": st.floats(0, 1e6),
    "used_bytes": st.integers(0, 10**12),
}
Step = tuple[str, int, Any, float, dict[str, Any]]
"""What is done, to the payment or grant of which number, by which event, when, and with which facts."""

TWO_PROMPTS: list[Step] = [
    (kind, number, event, NOW_S, {}) for number in (1, 2) for kind, event in (("buy", True), ("payment", PaymentEvent.PUSH))
]
MOMENTS = st.floats(1e9, 2e9)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 3), st.booleans(), MOMENTS, st.just({})),
        st.tuples(
            st.just("payment"),
            st.integers(1, 3),
            st.sampled_from(PaymentEvent),
            MOMENTS,
            st.fixed_dictionaries({}, optional=PAYMENT_FACTS),
        ),
        st.tuples(
            st.just("grant"),
            st.integers(1, 3),
            st.sampled_from(GrantEvent),
            MOMENTS,
            st.fixed_dictionaries({}, optional=GRANT_FACTS),
        ),
        st.tuples(st.just("move"), st.integers(1, 3), st.none(), MOMENTS, st.fixed_dictionaries({"ends_at_s": MOMENTS})),
        st.tuples(st.sampled_from(["hand_over", "log_out", "log_in"]), st.integers(1, 3), st.none(), MOMENTS, st.just({})),
    ),
    max_size=40,
)


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def take(tx: sqlite3.Connection, step: Step) -> None:
    """One step of a history; what the rules forbid changes nothing."""
    kind, number, event, at_s, facts = step
    with contextlib.suppress(IllegalTransition, NotFound, sqlite3.IntegrityError):
        if kind == "buy":
            payment_rows.insert(tx, payment(number, created_at_s=at_s, invoice_id=f"INV{number}" if event else None))
        elif kind == "payment":
            paid = payment_rows.meet(tx, f"payment-{number}", event, at_s, {"report": {"state": "any"}}, **facts)
            if paid.state is PaymentState.PAID and grant_rows.of_payment(tx, paid.id) is None:
                grant_rows.insert(tx, grant(number, created_at_s=at_s))
        elif kind == "grant":
            grant_rows.change(tx, grant_rows.get(tx, f"grant-{number}"), event, at_s, **facts)
        elif kind == "log_in":
            grant_rows.log_in(tx, grant_rows.get(tx, f"grant-{number}"), at_s)
        elif kind in {"hand_over", "log_out"}:
            before = grant_rows.get(tx, f"grant-{number}")
            after = replace(before, mac=OTHER_MAC, used_s=before.used_s + 60, used_bytes=before.used_bytes + 1)
            (grant_rows.hand_over if kind == "hand_over" else grant_rows.log_out)(tx, before, after, at_s)
        else:
            before = grant_rows.get(tx, f"grant-{number}")
            grant_rows.move(tx, before, grant(number, **facts, state=before.state), at_s)


def replayed(tx: sqlite3.Connection, subject: str, kind: str) -> dict[str, dict[str, Any]]:
    """A table made again from nothing but the events."""
    rows: dict[str, dict[str, Any]] = {}
    for event in tx.execute(f"SELECT * FROM event WHERE kind LIKE '{kind}.%' ORDER BY seq"):
        rows.setdefault(event[subject], {}).update(json.loads(event["data"])["set"])
    return rows


def stored(tx: sqlite3.Connection, table: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: dict(row) for row in tx.execute(f"SELECT * FROM {table}")}


@settings(max_examples=200)
@given(STEPS)
def test_payments_and_grants_can_be_made_again_from_their_events(steps):
    tx = in_memory()
    for step in [*TWO_PROMPTS, *steps]:
        take(tx, step)
    assert replayed(tx, "payment_id", "payment") == stored(tx, "payment")
    assert replayed(tx, "grant_id", "grant") == stored(tx, "access_grant")
    tx.close()


def test_a_whole_purchase_can_be_made_again_from_its_events(tx):
    steps: list[Step] = [
        ("buy", 1, False, NOW_S, {}),
        ("payment", 1, PaymentEvent.PUSH, NOW_S, {"pushed_at_s": NOW_S}),
        ("payment", 1, PaymentEvent.ACCEPTED, NOW_S + 1, {"invoice_id": "R5V7E2Y"}),
        ("payment", 1, PaymentEvent.COMPLETE, NOW_S + 9, {"paid_at_s": NOW_S + 9, "receipt": "TJRHC8IET4"}),
        ("grant", 1, GrantEvent.CONFIRM, NOW_S + 10, {"starts_at_s": NOW_S + 10, "ends_at_s": NOW_S + 3_610}),
        ("grant", 1, GrantEvent.DUE, NOW_S + 3_610, {"ended_because": "time"}),
        ("grant", 1, GrantEvent.SHUT, NOW_S + 3_611, {}),
    ]
    for step in steps:
        take(tx, step)
    assert stored(tx, "access_grant")["grant-1"]["state"] == "ended"
    assert replayed(tx, "payment_id", "payment") == stored(tx, "payment")
    assert replayed(tx, "grant_id", "grant") == stored(tx, "access_grant")
    assert [kind for kind, _ in events.of_payment(tx, "payment-1")] == [
        "payment.recorded",
        "payment.push",
        "payment.accepted",
        "payment.complete",
        "grant.owed",
        "grant.confirm",
        "grant.due",
        "grant.shut",
    ]


@pytest.mark.parametrize("sql", ["UPDATE event SET kind = 'another'", "UPDATE event SET at_s = 0", "DELETE FROM event"])
def test_events_are_append_only(tx, sql):
    events.append(tx, "webhook.received", NOW_S)
    before = [tuple(row) for row in tx.execute("SELECT * FROM event")]
    with pytest.raises(sqlite3.IntegrityError, match="events are append-only"):
        tx.execute(sql)
    assert [tuple(row) for row in tx.execute("SELECT * FROM event")] == before


def test_events_are_numbered_without_a_gap_in_the_order_in_which_they_happened(tx):
    for number in range(5):
        events.append(tx, f"kind-{number}", NOW_S - number)
    assert [tuple(row) for row in tx.execute("SELECT seq, kind FROM event")] == [(n + 1, f"kind-{n}") for n in range(5)]


def test_a_number_is_never_given_twice_even_where_a_transaction_is_taken_back(tx):
    events.append(tx, "one", NOW_S)
    tx.execute("BEGIN")
    events.append(tx, "two", NOW_S)
    tx.execute("ROLLBACK")
    events.append(tx, "three", NOW_S)
    assert [tuple(row) for row in tx.execute("SELECT seq, kind FROM event")] == [(1, "one"), (2, "three")]


def test_the_story_of_a_payment_is_its_own(tx):
    for number in (1, 2):
        events.append(tx, "webhook.received", NOW_S, payment_id=f"payment-{number}", data={"n": number})
    assert events.of_payment(tx, "payment-2") == [("webhook.received", {"n": 2})]


def test_an_event_names_everything_that_it_is_about(tx):
    ids: dict[str, Any] = {"owner_id": 1, "payment_id": "payment-1", "grant_id": "grant-1", "router_id": 7}
    events.append(tx, "grant.owed", NOW_S, **ids, data={"set": {"name": "Café ☕", "at_s": 0.1}})
    row = dict(tx.execute("SELECT * FROM event").fetchone())
    assert {name: row[name] for name in ids} == ids
    assert (row["at_s"], json.loads(row["data"])) == (NOW_S, {"set": {"name": "Café ☕", "at_s": 0.1}})


def test_a_change_that_came_too_late_tells_no_event(tx):
    payment_rows.insert(tx, payment())
    stale = payment_rows.get(tx, "payment-1")
    payment_rows.change(tx, stale, PaymentEvent.PUSH, NOW_S)
    with pytest.raises(Conflict):
        payment_rows.change(tx, stale, PaymentEvent.PUSH, NOW_S)
    assert [kind for kind, _ in events.of_payment(tx, "payment-1")] == ["payment.recorded", "payment.push"]
