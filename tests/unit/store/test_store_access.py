"""Access grants in the database: what is written comes back, one payment buys one grant, and each question finds its grants."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import Grant, GrantEvent, GrantState
from gateway.errors import Conflict, NotFound
from gateway.identity import Duration
from gateway.payments import IllegalTransition
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import payments as payment_rows
from tests.ledger import IP, MAC, NOW_S, OTHER_MAC, grant, in_memory, payment


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    """A database with the payments 1 to 9."""
    connection = in_memory()
    for number in range(1, 10):
        payment_rows.insert(connection, payment(number))
    yield connection
    connection.close()


def stored(tx: sqlite3.Connection, *grants: Grant) -> None:
    for one in grants:
        grant_rows.insert(tx, one)


def active(number: int, **changes: Any) -> Grant:
    return grant(number, **{"state": GrantState.ACTIVE, "starts_at_s": NOW_S, "ends_at_s": NOW_S + 3_600, **changes})


@given(
    st.builds(
        grant,
        mac=st.sampled_from([None, MAC]),
        ip=st.sampled_from([None, IP]),
        duration=st.integers(1, 10**8).map(Duration),
        created_at_s=st.floats(0, 1e11),
        state=st.sampled_from(GrantState),
        starts_at_s=st.none() | st.floats(0, 1e11),
        ends_at_s=st.none() | st.floats(0, 1e11),
        ended_because=st.sampled_from([None, "time", "data", "revoked"]),
        version=st.integers(0, 99),
        claim_code=st.sampled_from([None, "ABCDEFGH"]),
        used_s=st.floats(0, 1e9),
        used_bytes=st.integers(0, 2**62),
        logged_out=st.booleans(),
    )
)
def test_what_is_written_comes_back_unchanged(written):
    tx = in_memory()
    payment_rows.insert(tx, payment())
    grant_rows.insert(tx, written)
    assert grant_rows.get(tx, written.id) == written
    assert grant_rows.of_payment(tx, written.payment_id) == written
    tx.close()


def test_one_payment_buys_one_grant(tx):
    stored(tx, grant(1))
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: access_grant\.payment_id"):
        stored(tx, grant(2, payment_id="payment-1"))
    assert [one.id for one in grant_rows.on_router(tx, 1, *GrantState)] == ["grant-1"]


def test_nothing_is_granted_for_a_payment_that_is_not_there(tx):
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        stored(tx, grant(99))


def test_a_payment_that_bought_nothing_yet_has_no_grant(tx):
    assert grant_rows.of_payment(tx, "payment-1") is None


def test_a_grant_that_is_not_there_is_not_found(tx):
    with pytest.raises(NotFound, match="Grant not found or access denied"):
        grant_rows.get(tx, "grant-1")


def test_a_change_advances_the_state_and_notes_the_facts_the_time_and_the_version(tx):
    stored(tx, grant())
    after = grant_rows.change(tx, grant(), GrantEvent.CONFIRM, NOW_S + 4, starts_at_s=NOW_S + 4, ends_at_s=NOW_S + 3_604)
    window: dict[str, Any] = {"starts_at_s": NOW_S + 4, "ends_at_s": NOW_S + 3_604}
    assert after == replace(grant(), state=GrantState.ACTIVE, updated_at_s=NOW_S + 4, version=1, **window)
    assert grant_rows.get(tx, "grant-1") == after
    assert events.of_payment(tx, "payment-1")[-1] == (
        "grant.confirm",
        {"set": {"state": "active", "updated_at_s": NOW_S + 4, "version": 1, **window}},
    )


def test_who_read_the_grant_before_somebody_else_changed_it_is_told(tx):
    stored(tx, active(1))
    first = grant_rows.change(tx, active(1), GrantEvent.DUE, NOW_S)
    for late in (
        lambda: grant_rows.change(tx, active(1), GrantEvent.REVOKE, NOW_S),
        lambda: grant_rows.move(tx, active(1), active(1, ends_at_s=NOW_S), NOW_S),
    ):
        with pytest.raises(Conflict, match="it changed meanwhile"):
            late()
    assert grant_rows.get(tx, "grant-1") == first


def test_an_event_that_only_a_bug_can_bring_changes_nothing_and_is_not_told(tx):
    stored(tx, grant())
    before = events.of_payment(tx, "payment-1")
    with pytest.raises(IllegalTransition):
        grant_rows.change(tx, grant(), GrantEvent.DUE, NOW_S, ended_because="time")
    assert grant_rows.get(tx, "grant-1") == grant()
    assert events.of_payment(tx, "payment-1") == before


def test_moving_a_grant_notes_its_window_and_leaves_its_state(tx):
    stored(tx, active(1))
    moved = grant_rows.move(tx, active(1), active(1, starts_at_s=NOW_S - 60, ends_at_s=NOW_S + 3_540), NOW_S + 1)
    assert (moved.state, moved.ends_s, moved.version, moved.updated_at_s) == (GrantState.ACTIVE, NOW_S + 3_540, 1, NOW_S + 1)
    assert grant_rows.get(tx, "grant-1") == moved
    assert events.of_payment(tx, "payment-1")[-1][0] == "grant.moved"


def test_grants_of_a_router_come_by_state_and_oldest_first(tx):
    stored(tx, grant(1, created_at_s=NOW_S + 9), grant(2), active(3), grant(4, state=GrantState.ENDED))
    assert [one.id for one in grant_rows.on_router(tx, 1, GrantState.OWED)] == ["grant-2", "grant-1"]
    assert [one.id for one in grant_rows.on_router(tx, 1, GrantState.ACTIVE, GrantState.ENDED)] == ["grant-3", "grant-4"]
    assert grant_rows.on_router(tx, 2, *GrantState) == []


def test_who_is_live_on_a_router_is_found_without_reading_who_was(tx):
    asked: list[str] = []
    tx.set_trace_callback(asked.append)
    grant_rows.on_router(tx, 1, GrantState.UNCLAIMED)
    tx.set_trace_callback(None)
    [plan, *_] = [row["detail"] for row in tx.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert plan == "SEARCH access_grant USING INDEX grant_live (router_id=? AND state=?)"


def test_a_change_names_what_changed_and_nothing_else(tx):
    stored(tx, grant(1))
    asked: list[str] = []
    tx.set_trace_callback(asked.append)
    grant_rows.change(tx, grant(1), GrantEvent.REVOKE, NOW_S + 1)
    tx.set_trace_callback(None)
    [update] = [statement for statement in asked if statement.startswith("UPDATE")]
    assert re.findall(r"(\w+) = ", update.partition(" WHERE ")[0]) == ["updated_at_s", "state", "version"]


def test_a_devices_queue_holds_its_active_grants_in_the_order_of_their_ends(tx):
    stored(
        tx,
        active(1, ends_at_s=NOW_S + 50),
        active(2, ends_at_s=NOW_S + 20),
        active(3, mac=OTHER_MAC),
        grant(4),
        active(5, state=GrantState.ENDING),
        active(6, mac=None),
    )
    assert [one.id for one in grant_rows.queue(tx, 1, MAC)] == ["grant-2", "grant-1"]
    assert grant_rows.queue(tx, 2, MAC) == []


@pytest.mark.parametrize("state", GrantState)
def test_a_device_is_known_once_it_was_granted_anything_there(tx, state):
    stored(tx, grant(1, state=state))
    assert [grant_rows.is_known(tx, *place) for place in ((1, MAC), (1, OTHER_MAC), (2, MAC))] == [True, False, False]


def test_of_the_grants_that_a_router_shows_the_database_knows_its_own(tx):
    stored(tx, grant(1), grant(2, state=GrantState.ENDED))
    assert grant_rows.known(tx, ["grant-1", "grant-2", "grant-3", "' OR 1"]) == {"grant-1", "grant-2"}
    assert grant_rows.known(tx, []) == set()


def test_every_state_that_is_not_over_is_counted_also_where_there_is_none(tx):
    assert grant_rows.counts(tx) == {"owed": 0, "unclaimed": 0, "active": 0, "ending": 0}
    stored(tx, grant(1), grant(2), active(3), grant(4, state=GrantState.ENDED), grant(5, state=GrantState.REVOKED))
    assert grant_rows.counts(tx) == {"owed": 2, "unclaimed": 0, "active": 1, "ending": 0}


def test_what_a_device_lost_is_expected_of_its_router_until_it_is_confirmed(tx):
    for mac in (MAC, MAC, OTHER_MAC):
        grant_rows.expect(tx, 1, mac)
    assert grant_rows.unconfirmed(tx, 1) == {MAC, OTHER_MAC}
    assert grant_rows.unconfirmed(tx, 2) == set()
    grant_rows.confirm(tx, 1, MAC)
    assert grant_rows.unconfirmed(tx, 1) == {OTHER_MAC}


@pytest.mark.parametrize("state", [GrantState.ENDING, GrantState.ENDED, GrantState.REVOKED])
def test_what_is_over_is_handed_over_to_nobody(tx, state):
    stored(tx, over := active(1, state=state))
    with pytest.raises(IllegalTransition):
        grant_rows.hand_over(tx, over, replace(over, mac=OTHER_MAC), NOW_S)
    assert grant_rows.get(tx, over.id) == over


def test_a_move_that_came_too_late_is_refused(tx):
    stored(tx, one := active(1))
    grant_rows.hand_over(tx, one, replace(one, mac=OTHER_MAC), NOW_S)
    for late in (grant_rows.hand_over, grant_rows.log_out):
        with pytest.raises(Conflict):
            late(tx, one, one, NOW_S)
