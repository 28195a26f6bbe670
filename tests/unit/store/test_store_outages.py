"""Outages in the database: what was dealt with, what was given back, and who is silent."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.access import GrantState
from gateway.outages import Cause, Outage, Span
from gateway.store import access as grant_rows
from gateway.store import outages as rows
from gateway.store import payments as payment_rows
from tests.ledger import NOW_S, grant, in_memory, payment


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def outage(began_s: float, ended_s: float) -> Outage:
    return Outage(1, Cause.ROUTER, Span(began_s, ended_s))


def test_what_was_dealt_with_ends_with_the_last_outage(tx):
    assert rows.dealt_with_until_s(tx, 1) is None
    rows.record(tx, outage(10, 90), 2, 100.0)
    rows.record(tx, outage(20, 50), 1, 11.0)
    assert rows.dealt_with_until_s(tx, 1) == 90
    assert rows.dealt_with_until_s(tx, 2) is None
    assert rows.given_back_s(tx) == 111


def test_a_silence_is_known_by_its_beginning_until_it_ends(tx):
    assert rows.silent_since_s(tx, 1) is None
    rows.fall_silent(tx, 1, 10.0)
    rows.fall_silent(tx, 1, 20.0)
    assert rows.silent_since_s(tx, 1) == 10
    assert rows.silent(tx) == {1}
    rows.speak(tx, 1)
    assert rows.silent_since_s(tx, 1) is None
    assert rows.silent(tx) == set()


def test_only_grants_that_had_time_left_and_lost_it_by_time_alone_ran_in_an_outage(tx):
    cases: dict[int, dict[str, Any]] = {
        1: {"state": GrantState.ACTIVE},
        2: {"state": GrantState.ENDING, "ended_because": "time"},
        3: {"state": GrantState.ENDED, "ended_because": "time"},
        4: {"state": GrantState.ENDED, "ended_because": "data"},
        5: {"state": GrantState.REVOKED, "ended_because": "revoked"},
        6: {"state": GrantState.ENDED, "ended_because": "time", "ends_at_s": NOW_S},
        7: {"state": GrantState.OWED, "starts_at_s": None, "ends_at_s": None},
    }
    for number, changes in cases.items():
        payment_rows.insert(tx, payment(number))
        grant_rows.insert(tx, grant(number, **{"starts_at_s": NOW_S - 60, "ends_at_s": NOW_S + 60, **changes}))
    assert [one.id for one in grant_rows.ran_in(tx, 1, NOW_S)] == ["grant-1", "grant-2", "grant-3"]
    assert grant_rows.ran_in(tx, 2, NOW_S) == []
