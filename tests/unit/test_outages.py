"""What an outage takes from whom, as a table and as arithmetic."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import Grant, GrantState
from gateway.identity import Duration
from gateway.outages import LEAST_S, STARTING_S, UPTIME_ERROR_S, Span, by_device, made_good, router_outage
from tests.ledger import MAC, NOW_S, OTHER_MAC, grant

HOUR_S = 3_600
DOWN = Span(NOW_S, NOW_S + 2 * HOUR_S)
"""Two hours, from now on."""

# Last answer, answer now, uptime then; and from when until when the router was down, None where it was not.
CASES = [
    pytest.param(0, 5, 9_000, None, id="all is well"),
    pytest.param(0, 7_200, 90_000, None, id="out of our sight for two hours, and it ran"),
    pytest.param(0, 7_200, 7_200, None, id="restarted in the very moment of its last answer"),
    pytest.param(0, 7_200, 7_200 - UPTIME_ERROR_S, None, id="its uptime is whole seconds"),
    pytest.param(0, 7_200, 10, (0, 7_200), id="without power for two hours"),
    pytest.param(0, 7_200, STARTING_S, (0, 7_200), id="noticed a minute after its start"),
    pytest.param(0, 7_200, 3_600, (0, 3_600 + STARTING_S), id="back for an hour before it was noticed"),
    pytest.param(0, 40, 15, (0, 40), id="a restart"),
    pytest.param(0, 300, 9_000, None, id="cut off for five minutes"),
]


def active(starts_s: float, ends_s: float, number: int = 1, **changes: Any) -> Grant:
    """A grant whose window is counted from now."""
    made = {"state": GrantState.ACTIVE, "starts_at_s": NOW_S + starts_s, "ends_at_s": NOW_S + ends_s}
    return grant(number, duration=Duration(max(1, round(ends_s - starts_s))), **(made | changes))


def window(one: Grant) -> tuple[float, float]:
    """From when until when, counted from now."""
    assert one.starts_at_s is not None
    return one.starts_at_s - NOW_S, one.ends_s - NOW_S


@pytest.mark.parametrize(("answered_s", "now_s", "uptime_s", "down"), CASES)
def test_when_a_router_was_down(answered_s, now_s, uptime_s, down):
    outage = router_outage(NOW_S + answered_s, NOW_S + now_s, uptime_s)
    assert (outage and (outage.began_s - NOW_S, outage.ended_s - NOW_S)) == down


def test_time_stands_still_for_a_grant_that_goes_on():
    (moved,) = made_good([active(-600, 3 * HOUR_S)], DOWN, DOWN.ended_s)
    assert window(moved) == (-600 + 2 * HOUR_S, 5 * HOUR_S)
    assert moved.compensated_s == 2 * HOUR_S


def test_a_grant_that_began_in_the_outage_loses_what_is_left_of_it():
    (moved,) = made_good([active(HOUR_S, 4 * HOUR_S)], DOWN, DOWN.ended_s)
    assert window(moved) == (2 * HOUR_S, 5 * HOUR_S)
    assert moved.compensated_s == HOUR_S


@pytest.mark.parametrize(("starts_s", "ends_s"), [(-HOUR_S, -1), (-HOUR_S, 0), (2 * HOUR_S, 3 * HOUR_S)])
def test_a_grant_that_ran_at_another_time_has_lost_nothing(starts_s, ends_s):
    assert made_good([active(starts_s, ends_s)], DOWN, DOWN.ended_s) == []


@pytest.mark.parametrize("state", [GrantState.ACTIVE, GrantState.ENDING, GrantState.ENDED])
def test_a_grant_that_ended_in_the_outage_is_owed_again_for_what_it_lost(state):
    (owed,) = made_good([active(-600, 3_000, state=state, ended_because="time")], DOWN, DOWN.ended_s)
    assert (owed.state, owed.starts_at_s, owed.ends_at_s, owed.ended_because) == (GrantState.OWED, None, None, None)
    assert (owed.window_s, owed.compensated_s) == (3_000, 3_000)


@pytest.mark.parametrize(("lost_s", "changed"), [(LEAST_S - 1, 0), (LEAST_S, 1)])
def test_nobody_is_let_in_again_for_seconds(lost_s, changed):
    assert len(made_good([active(lost_s - HOUR_S, lost_s, state=GrantState.ENDED)], DOWN, DOWN.ended_s)) == changed


def test_what_waits_behind_a_grant_waits_as_much_longer():
    queue = [active(-600, 3 * HOUR_S, 1), active(3 * HOUR_S, 4 * HOUR_S, 2)]
    first, second = made_good(queue, DOWN, DOWN.ended_s)
    assert (window(first)[1], window(second)) == (5 * HOUR_S, (5 * HOUR_S, 6 * HOUR_S))
    assert (first.compensated_s, second.compensated_s) == (2 * HOUR_S, 0)


def test_what_moved_up_behind_a_grant_that_ended_in_the_outage_begins_when_it_is_over():
    ended = active(-600, HOUR_S, 1, state=GrantState.ENDED, ended_because="time")
    owed, moved = made_good([ended, active(HOUR_S, 4 * HOUR_S, 2)], DOWN, DOWN.ended_s)
    assert (owed.id, owed.window_s) == ("grant-1", HOUR_S)
    assert window(moved) == (2 * HOUR_S, 5 * HOUR_S)


def test_only_what_was_not_dealt_with_before_counts():
    assert DOWN.after(None) == DOWN
    assert DOWN.after(NOW_S + 600).seconds == 2 * HOUR_S - 600
    assert DOWN.after(NOW_S + 9 * HOUR_S).seconds == 0
    assert made_good([active(-600, 3 * HOUR_S)], DOWN.after(NOW_S + 9 * HOUR_S), DOWN.ended_s) == []


def test_each_device_has_its_own_queue():
    first, second, third = active(0, 1, 1), active(0, 1, 2, mac=OTHER_MAC), active(1, 2, 3)
    assert [[one.id for one in device] for device in by_device([first, second, third])] == [["grant-1", "grant-3"], ["grant-2"]]
    assert first.mac == MAC


TIMES = st.integers(-10_000, 10_000)


@given(starts_s=TIMES, length_s=st.integers(1, 20_000), began_s=TIMES, down_s=st.integers(0, 20_000), late_s=st.integers(0, 600))
def test_nobody_loses_a_second_to_an_outage_and_nobody_gains_one(starts_s, length_s, began_s, down_s, late_s):
    outage, one = Span(NOW_S + began_s, NOW_S + began_s + down_s), active(starts_s, starts_s + length_s)
    now_s = max(outage.ended_s, one.starts_at_s or 0.0) + late_s
    changed = made_good([one], outage, now_s)
    after = changed[0] if changed else one
    ran_s = max(0.0, min(now_s, one.ends_s) - (one.starts_at_s or 0.0))
    usable_s = ran_s - outage.lost_by(one)
    left_s = after.window_s if after.state is GrantState.OWED else max(0.0, after.ends_s - now_s)
    is_let_go = not changed and outage.lost_by(one) < LEAST_S
    assert usable_s + left_s == pytest.approx(length_s, abs=LEAST_S if is_let_go else 1e-3)
    assert after.compensated_s == (outage.lost_by(one) if changed else 0)
