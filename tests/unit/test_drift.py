"""What a router shows against what the database says, case by case."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from gateway.access import Grant, GrantState
from gateway.drift import Drift, History, drifts
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.hotspot.base import MarkedRow, Snapshot
from gateway.identity import MacAddress
from tests.ledger import MAC, NOW_S, OTHER_MAC, active, grant

THIRD_MAC = MacAddress("A2:00:00:00:00:03")
END_S = NOW_S + 3_600


def row(number: int = 1, **changes: Any) -> MarkedRow:
    """What the router shows for an active grant when all is well."""
    shown = MarkedRow(f"grant-{number}", int(END_S) + ACTIVATION_ALLOWANCE_S, MAC, online=True, used_up=False)
    return replace(shown, **changes)


def snapshot(*rows: MarkedRow, hosts: frozenset[MacAddress] = frozenset({MAC}), strays: tuple[MacAddress, ...] = ()) -> Snapshot:
    return Snapshot(10_000, rows, strays, hosts)


def found(grants: list[Grant], seen: Snapshot, *, customers: Iterable[MacAddress] = (), unknown: Iterable[str] = ()) -> list[Drift]:
    return drifts(grants, seen, History(frozenset(customers), frozenset(unknown)), NOW_S)


def whats(*arguments: Any, **keywords: Any) -> list[tuple[MacAddress, str]]:
    return [(drift.mac, drift.what) for drift in found(*arguments, **keywords)]


def test_a_router_that_shows_what_the_database_says_has_no_drift():
    assert found([active()], snapshot(row())) == []
    assert found([], snapshot()) == []


def test_a_device_that_paid_and_is_not_let_through_is_found():
    assert whats([active()], snapshot()) == [(MAC, "not let through")]


def test_a_device_that_is_let_through_twice_is_found():
    assert whats([active()], snapshot(row(), row())) == [(MAC, "let through twice")]


def test_a_device_under_the_wrong_grant_is_found():
    queue = [active(1), active(2, starts_at_s=END_S, ends_at_s=END_S + 60)]
    shown = row(2, until_epoch_s=int(END_S) + 60 + ACTIVATION_ALLOWANCE_S)
    assert whats(queue, snapshot(shown)) == [(MAC, "let through under another grant")]
    assert found(queue, snapshot(replace(shown, grant_id="grant-1"))) == []


@pytest.mark.parametrize(("off_s", "drifts"), [(0, 0), (5, 0), (-5, 0), (6, 1), (-6, 1), (3_600, 1)])
def test_an_end_that_differs_by_more_than_the_allowance_is_found(off_s, drifts):
    shown = row(until_epoch_s=int(END_S) + ACTIVATION_ALLOWANCE_S + off_s)
    assert whats([active()], snapshot(shown)) == [(MAC, "its end is another")] * drifts


def test_a_row_without_an_end_is_found():
    assert whats([active()], snapshot(row(until_epoch_s=None))) == [(MAC, "its end is another")]


def test_a_device_that_is_in_sight_but_not_online_is_found_and_one_that_has_left_is_not():
    assert whats([active()], snapshot(row(online=False))) == [(MAC, "in sight, but not online")]
    assert found([active()], snapshot(row(online=False), hosts=frozenset())) == []


def test_a_device_that_logged_out_is_left_outside():
    assert found([active(logged_out=True)], snapshot()) == []


def test_a_device_that_is_let_through_though_it_logged_out_is_found():
    assert whats([active(logged_out=True)], snapshot(row())) == [(MAC, "let through though logged out")]
    assert whats([active(logged_out=True)], snapshot(strays=(MAC,)), customers={MAC}) == [(MAC, "let through though logged out")]


def test_a_device_that_logged_out_of_one_grant_and_bought_another_is_let_through():
    queue = [active(1, logged_out=True), active(2, starts_at_s=END_S, ends_at_s=END_S + 60)]
    assert whats(queue, snapshot()) == [(MAC, "not let through")]


def test_a_device_that_lost_something_is_looked_after_until_the_router_has_confirmed_it():
    history = History(frozenset(), frozenset(), frozenset({MAC, OTHER_MAC}))
    assert [(drift.mac, drift.what) for drift in drifts([active(mac=OTHER_MAC)], snapshot(), history, NOW_S)] == [
        (OTHER_MAC, "not let through"),
        (MAC, "what it lost is not confirmed"),
    ]


def test_a_device_whose_time_has_moved_is_found_and_the_one_that_is_owed_it_left_alone():
    moved = grant(mac=OTHER_MAC, used_s=600)
    assert whats([moved], snapshot(row(), row(mac=OTHER_MAC))) == [(MAC, "let through without a grant")]


def test_a_data_limit_that_is_reached_ends_the_grant_whose_turn_it_is():
    one = active()
    assert found([one], snapshot(row(used_up=True, online=False))) == [Drift(MAC, "data limit reached", one, is_used_up=True)]


def test_a_data_limit_of_another_grant_ends_nothing():
    (drift,) = found([active()], snapshot(row(2, used_up=True)))
    assert not drift.is_used_up


def test_a_row_without_a_grant_is_found():
    assert whats([], snapshot(row())) == [(MAC, "let through without a grant")]


@pytest.mark.parametrize("state", [GrantState.OWED, GrantState.UNCLAIMED, GrantState.ENDING])
def test_a_device_on_which_something_is_under_way_is_left_alone(state):
    assert found([grant(state=state)], snapshot(row(), strays=(MAC,)), customers={MAC}) == []


def test_a_grant_of_no_device_is_nobodys_drift():
    assert found([grant(mac=None), grant(2, mac=None, state=GrantState.UNCLAIMED)], snapshot()) == []


def test_a_row_that_was_sold_before_the_database_was_restored_stays_until_its_end():
    for until_s, expected in (
        (NOW_S + 1, []),
        (NOW_S, [(MAC, "let through without a grant")]),
        (None, [(MAC, "let through without a grant")]),
    ):
        shown = row(until_epoch_s=until_s and int(until_s))
        assert whats([], snapshot(shown), unknown={"grant-1"}) == expected


def test_a_row_of_a_grant_that_is_over_does_not_stay():
    assert whats([], snapshot(row()), unknown={"grant-2"}) == [(MAC, "let through without a grant")]


def test_a_row_without_a_device_is_nobodys():
    assert found([], snapshot(row(mac=None))) == []


def test_a_former_customer_who_is_online_without_a_user_is_found_and_a_stranger_is_not():
    seen = snapshot(strays=(MAC, OTHER_MAC))
    assert whats([], seen, customers={MAC}) == [(MAC, "online without a user")]
    assert found([active()], snapshot(row(), strays=(MAC,)), customers={MAC}) == []


def test_every_device_is_judged_by_itself():
    grants = [active(1), active(2, mac=OTHER_MAC)]
    shown = snapshot(row(2, mac=OTHER_MAC), row(3, mac=THIRD_MAC), hosts=frozenset())
    assert whats(grants, shown) == [(MAC, "not let through"), (THIRD_MAC, "let through without a grant")]


def test_while_the_books_are_in_doubt_nothing_is_taken_that_a_row_says_was_bought():
    doubt = History(frozenset({OTHER_MAC}), frozenset(), in_doubt=True)
    later, over = row(until_epoch_s=int(END_S) + 4_000), row(2, mac=THIRD_MAC, until_epoch_s=int(NOW_S))
    moved = row(1, mac=OTHER_MAC)
    assert drifts([active()], snapshot(later), doubt, NOW_S) == []
    assert drifts([], snapshot(moved, strays=(OTHER_MAC,)), doubt, NOW_S) == []
    assert [drift.mac for drift in drifts([], snapshot(over), doubt, NOW_S)] == [THIRD_MAC]
    assert [drift.what for drift in drifts([active()], snapshot(), doubt, NOW_S)] == ["not let through"]
