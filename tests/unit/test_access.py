"""Who may pass and until when: every cell of a grant's machine, and the arithmetic of a device's queue."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import (
    IGNORED,
    ILLEGAL,
    TRANSITIONS,
    Grant,
    GrantEvent,
    GrantState,
    advance,
    confirmed,
    current,
    expiry_s,
    extended,
    handed_over,
    horizon_s,
    is_let_through,
    is_used_up,
    moved_up,
    owes_grant,
    queue_stepped,
)
from gateway.identity import Duration
from gateway.payments import IllegalTransition, PaymentState
from tests.ledger import IP, MAC, NOW_S, OTHER_MAC, grant

# One row a state, one column an event: where it goes, "." where nothing changes, "!" where only a bug can lead.
TABLE = """
           confirm  no_device  claim  due     shut   revoke   compensated  hand_over
owed       active   unclaimed  .      !       .      revoked  !            owed
unclaimed  !        .          owed   !       .      revoked  !            owed
active     .        !          .      ending  !      revoked  owed         owed
ending     !        !          !      .       ended  .        owed         !
ended      !        .          !      .       .      .        owed         !
revoked    !        .          .      .       .      .        !            !
"""

HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(state, event, becomes) for state, *row in ROWS for event, becomes in zip(HEAD, row, strict=True)]
ALL_CELLS = {(state, event) for state in GrantState for event in GrantEvent}

YEAR_S = 365 * 86_400
DURATIONS = st.integers(1, 30 * 86_400)
PURCHASES = st.lists(st.tuples(st.integers(0, 2 * 86_400), DURATIONS), min_size=1, max_size=8)
"""How many seconds after the one before it, and for how many seconds."""


def bought(purchases: list[tuple[int, int]]) -> list[Grant]:
    """The queue of a device that buys again and again, before any of it is over."""
    queue: list[Grant] = []
    now_s = NOW_S
    for number, (later_s, duration_s) in enumerate(purchases):
        now_s += later_s
        queue = [other for other in queue if other.ends_s > now_s]
        made = grant(number, duration=Duration(duration_s), created_at_s=now_s, state=GrantState.ACTIVE)
        queue.append(confirmed(made, queue, now_s))
    return queue


def window(one: Grant) -> tuple[float, float]:
    assert one.starts_at_s is not None
    return one.starts_at_s, one.ends_s


@pytest.mark.parametrize(("state", "event", "becomes"), CELLS)
def test_every_event_in_every_state_ends_where_the_table_says(state, event, becomes):
    if becomes == "!":
        with pytest.raises(IllegalTransition, match=f"a grant that is {state} cannot meet {event}$"):
            advance(GrantState(state), GrantEvent(event))
    else:
        assert advance(GrantState(state), GrantEvent(event)).value == (state if becomes == "." else becomes)


def test_the_table_of_this_test_knows_every_cell():
    assert {(GrantState(state), GrantEvent(event)) for state, event, _ in CELLS} == ALL_CELLS
    assert len(CELLS) == len(ALL_CELLS) == 6 * 8


def test_every_cell_is_decided_exactly_once():
    assert set(TRANSITIONS) | IGNORED | ILLEGAL == ALL_CELLS
    assert len(TRANSITIONS) + len(IGNORED) + len(ILLEGAL) == len(ALL_CELLS)


@pytest.mark.parametrize("state", [GrantState.ENDED, GrantState.REVOKED])
def test_what_is_over_stays_over_but_for_what_an_outage_took(state):
    events = [event for event in GrantEvent if (state, event) not in ILLEGAL and event is not GrantEvent.GIVE_BACK]
    assert {advance(state, event) for event in events} == {state}


@pytest.mark.parametrize("state", PaymentState)
def test_a_grant_is_owed_once_and_for_a_paid_payment_only(state):
    assert owes_grant(state, granted=False) is (state is PaymentState.PAID)
    assert owes_grant(state, granted=True) is False


def test_time_starts_when_the_router_has_confirmed():
    assert window(confirmed(grant(), [], NOW_S + 40)) == (NOW_S + 40, NOW_S + 3_640)


def test_paying_again_while_online_adds_the_time_behind_what_is_left():
    first = confirmed(grant(1), [], NOW_S)
    second = confirmed(grant(2), [first], NOW_S + 600)
    assert window(second) == (NOW_S + 3_600, NOW_S + 7_200)


def test_a_grant_that_is_overdue_costs_the_next_one_no_second():
    overdue = confirmed(grant(1), [], NOW_S)
    assert window(confirmed(grant(2), [overdue], NOW_S + 5_000)) == (NOW_S + 5_000, NOW_S + 8_600)


def test_confirming_again_does_not_put_a_grant_behind_itself():
    first = confirmed(grant(1), [], NOW_S)
    assert confirmed(first, [first], NOW_S) == first


@given(PURCHASES)
def test_every_bought_second_is_granted_and_no_two_windows_overlap(purchases):
    queue = bought(purchases)
    assert [ends_s - starts_s for starts_s, ends_s in map(window, queue)] == [one.duration.seconds for one in queue]
    assert all(before.ends_s == window(after)[0] for before, after in pairwise(queue))


@given(PURCHASES)
def test_access_ends_when_the_last_grant_ends(purchases):
    queue = bought(purchases)
    assert horizon_s(queue) == queue[-1].ends_s
    assert current(queue) is queue[0]


def test_a_device_without_grants_has_no_turn_and_no_end():
    with pytest.raises(ValueError, match="empty"):
        current([])
    with pytest.raises(ValueError, match="empty"):
        horizon_s([])


def test_the_older_of_two_grants_that_end_together_has_its_turn_first():
    older = grant(1, ends_at_s=NOW_S + 60)
    newer = grant(2, ends_at_s=NOW_S + 60, created_at_s=NOW_S + 1)
    assert current([newer, older]) is older


@given(PURCHASES, st.data())
def test_nobody_loses_a_second_when_a_grant_ends_before_its_time(purchases, data):
    queue = bought(purchases)
    ended = queue.pop(data.draw(st.integers(0, len(queue) - 1)))
    latest_s = int(queue[0].ends_s if queue else ended.ends_s) - 1
    now_s = float(data.draw(st.integers(int(NOW_S + sum(later_s for later_s, _ in purchases)), latest_s)))
    moved = moved_up(queue, now_s)
    assert [one.ends_s - window(one)[0] for one in moved] == [one.duration.seconds for one in queue]
    assert all(after.ends_s <= before.ends_s for before, after in zip(queue, moved, strict=True))
    assert all(before.ends_s == window(after)[0] for before, after in pairwise(moved))
    assert all(window(one)[0] <= now_s for one in moved[:1])


@given(PURCHASES, st.integers(0, 40 * 86_400))
def test_moving_up_twice_changes_nothing_more(purchases, later_s):
    queue = bought(purchases)[1:]
    moved = moved_up(queue, NOW_S + later_s)
    assert moved_up(moved, NOW_S + later_s) == moved


def test_the_grants_behind_one_that_ended_early_begin_now():
    used_up, second, third = (replace(one, version=3) for one in bought([(0, 3_600), (60, 600), (60, 60)]))
    assert [window(one) for one in moved_up([third, second], NOW_S + 1_000)] == [
        (NOW_S + 1_000, NOW_S + 1_600),
        (NOW_S + 1_600, NOW_S + 1_660),
    ]
    assert used_up.ends_s == NOW_S + 3_600


def test_a_grant_whose_turn_has_begun_is_not_moved():
    first, second = bought([(0, 3_600), (60, 600)])
    assert moved_up([first, second], NOW_S + 10) == [first, second]


def test_nothing_is_moved_where_nothing_is_left():
    assert moved_up([], NOW_S) == []


def test_a_grant_has_no_end_before_the_router_has_confirmed_it():
    with pytest.raises(ValueError, match="grant grant-1 has not begun"):
        _ = grant().ends_s


def test_a_customer_is_told_the_confirmed_end_and_until_then_payment_plus_duration():
    told = [expiry_s(one, NOW_S, Duration(3_600)) for one in (None, grant(), grant(ends_at_s=NOW_S + 3_640))]
    assert told == [NOW_S + 3_600, NOW_S + 3_600, NOW_S + 3_640]


# ── the clock steps ──


@given(PURCHASES, st.integers(0, 40 * 86_400), st.integers(-YEAR_S, YEAR_S))
def test_the_grants_of_a_device_stay_as_long_and_in_their_order_across_a_step(purchases, since_s, step_s):
    queue = bought(purchases)
    now_s = queue[-1].created_at_s + step_s
    moved = queue_stepped(queue, NOW_S + since_s, step_s, now_s)
    assert [one.ends_s - window(one)[0] for one in moved] == [one.duration.seconds for one in queue]
    assert all(before.ends_s <= window(after)[0] for before, after in pairwise(moved))


def test_who_waits_moves_with_the_one_before_and_not_by_his_own_planned_start():
    first, second = bought([(0, 3_600), (60, 600)])
    for since_s, moves_s in ((NOW_S - 1, 300), (NOW_S + 90, 0)):
        moved = queue_stepped([second, first], since_s, 300, NOW_S + 400)
        assert [window(one)[0] for one in moved] == [NOW_S + moves_s, NOW_S + 3_600 + moves_s]


@pytest.mark.parametrize(("since_s", "begins_s"), [(30, 9_000), (90, 3_600)])
def test_what_was_bought_on_the_line_behind_time_that_ran_out_unseen_begins_now(since_s: float, begins_s: float):
    queue = bought([(0, 3_600), (60, 600)])
    moved = queue_stepped(queue, NOW_S + since_s, 8_900, NOW_S + 9_000)
    assert [window(one)[0] for one in moved] == [NOW_S, NOW_S + begins_s]


@given(PURCHASES, st.data(), DURATIONS)
def test_an_extension_moves_what_is_behind_it_and_nobody_loses_a_second(purchases, data, extra_s):
    queue = bought(purchases)
    chosen = data.draw(st.sampled_from(queue))
    longer = extended(queue, chosen, Duration(extra_s))
    for before, after in zip(queue, longer, strict=True):
        assert after.ends_s - window(after)[0] == after.duration.seconds
        if before.id == chosen.id:
            assert (window(after)[0], after.ends_s) == (window(before)[0], before.ends_s + extra_s)
        else:
            shift_s = extra_s if window(before)[0] >= chosen.ends_s else 0
            assert window(after) == (window(before)[0] + shift_s, before.ends_s + shift_s)
    assert horizon_s(longer) == horizon_s(queue) + extra_s


def test_a_duration_has_an_end_however_often_it_is_extended():
    (one,) = bought([(0, 3_600)])
    with pytest.raises(ValueError, match="must be a duration"):
        extended([one], one, Duration(10 * 366 * 86_400))


def test_a_grant_that_has_not_begun_is_told_by_its_own_duration():
    longer = grant(duration=Duration(7_200))
    assert expiry_s(longer, NOW_S, Duration(3_600)) == NOW_S + 7_200


# ── another device ──


def handed(one: Grant, now_s: float) -> Grant:
    """The grant as the other device's, owed there."""
    return replace(handed_over(one, OTHER_MAC, None, now_s), state=GrantState.OWED)


def test_a_grant_that_moves_is_the_other_devices_and_has_no_window_until_the_router_confirms_it():
    running = replace(confirmed(grant(state=GrantState.ACTIVE), [], NOW_S), logged_out=True)
    moved = handed_over(running, OTHER_MAC, IP, NOW_S + 600)
    assert (moved.mac, moved.ip, moved.starts_at_s, moved.ends_at_s) == (OTHER_MAC, IP, None, None)
    assert (moved.used_s, moved.window_s, moved.logged_out) == (600, 3_000, False)


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 900)), min_size=1, max_size=6), DURATIONS)
def test_however_often_a_grant_moves_it_runs_for_as_long_as_was_bought(moves, duration_s):
    one = grant(duration=Duration(duration_s))
    now_s, ran_s = NOW_S, 0.0
    for waited_s, running_s in moves:
        now_s += waited_s
        one = confirmed(one, [], now_s)
        if one.ends_s <= now_s + running_s:
            break
        now_s += running_s
        ran_s += running_s
        one = handed(one, now_s)
    else:
        one = confirmed(one, [], now_s)
    assert one.ends_s - window(one)[0] + ran_s == duration_s


def test_waiting_behind_other_grants_or_for_the_router_is_not_use():
    first = confirmed(grant(1), [], NOW_S)
    waiting = confirmed(grant(2), [first], NOW_S)
    assert handed_over(waiting, OTHER_MAC, None, NOW_S + 600).used_s == 0
    assert handed_over(grant(), OTHER_MAC, None, NOW_S + 86_400).used_s == 0


def test_what_has_moved_behind_other_grants_is_moved_up_by_what_is_left_of_it():
    used = handed(confirmed(grant(2), [], NOW_S), NOW_S + 600)
    behind = confirmed(used, [confirmed(grant(1, mac=OTHER_MAC), [], NOW_S + 600)], NOW_S + 600)
    assert [window(one) for one in moved_up([behind], NOW_S + 700)] == [(NOW_S + 700, NOW_S + 3_700)]


def test_an_extension_of_what_has_moved_is_added_to_what_is_left_of_it():
    one = confirmed(handed(confirmed(grant(), [], NOW_S), NOW_S + 600), [], NOW_S + 600)
    [longer] = extended([one], one, Duration(60))
    assert (window(longer), longer.window_s) == ((NOW_S + 600, NOW_S + 3_660), 3_060)


def test_a_grant_is_used_up_from_its_last_second_on():
    running = confirmed(grant(), [], NOW_S)
    assert [is_used_up(running, NOW_S + later_s) for later_s in (0, 3_599, 3_600)] == [False, False, True]
    assert not is_used_up(grant(), NOW_S + 86_400)


@pytest.mark.parametrize(("flags", "passes"), [([], False), ([True], False), ([False], True), ([True, False], True)])
def test_a_device_passes_by_a_grant_that_its_user_did_not_log_out_of(flags, passes):
    assert is_let_through([grant(number, mac=MAC, logged_out=flag) for number, flag in enumerate(flags)]) is passes
