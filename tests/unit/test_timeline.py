"""What is believed of a wall clock, as a table."""

import pytest

from gateway.timeline import STEP_S, Line, Reading, is_synchronised, resumed, step_s

NOW_S = 1_756_117_800.0
HOUR_S = 3_600.0
YEAR_S = 365 * 86_400.0

KEPT = Line(NOW_S, "a", 500.0, since_s=NOW_S - HOUR_S, confirmed=True, stepped_s=7.0)
NOTHING = Line(0.0, None, 0.0, since_s=0.0, confirmed=True)


def seen(wall_s: float, monotonic_s: float = 20.0, boot_id: str = "b", synchronised_at_s: float | None = None) -> Reading:
    return Reading(wall_s, monotonic_s, boot_id, synchronised_at_s)


# ── at a start ──


@pytest.mark.parametrize("wrong_by_s", [0.0, -8 * HOUR_S, YEAR_S, -NOW_S])
def test_within_a_boot_the_kernel_has_counted_whatever_the_clock_says(wrong_by_s: float):
    line = resumed(KEPT, NOW_S + 50, seen(NOW_S + 90 + wrong_by_s, 590.0, "a"))
    assert line == Line(NOW_S + 90, "a", 590.0, since_s=KEPT.since_s, confirmed=True, stepped_s=7.0)


@pytest.mark.parametrize("wrong_by_s", [0.0, 20.0, -8 * HOUR_S, 8 * HOUR_S, YEAR_S, -NOW_S])
def test_after_another_boot_the_line_goes_on_from_what_was_kept(wrong_by_s: float):
    assert resumed(KEPT, 0.0, seen(NOW_S + wrong_by_s)) == Line(NOW_S, "b", 20.0, since_s=NOW_S, confirmed=False, stepped_s=7.0)


def test_what_was_stamped_after_the_last_beat_is_not_in_the_future():
    line = resumed(KEPT, NOW_S + 45, seen(NOW_S))
    assert (line.at_s, line.since_s) == (NOW_S + 45, NOW_S + 45)


def test_a_boot_id_that_comes_back_with_fewer_seconds_is_another_boot():
    assert not resumed(KEPT, 0.0, seen(NOW_S, 20.0, "a")).confirmed


def test_what_was_stamped_on_a_line_that_nobody_confirmed_waits_for_its_step_through_another_boot():
    unconfirmed = Line(NOW_S, "a", 500.0, since_s=NOW_S - HOUR_S, confirmed=False)
    assert resumed(unconfirmed, 0.0, seen(NOW_S)).since_s == NOW_S - HOUR_S


def test_a_new_database_begins_with_the_wall_clock_and_everything_in_it_moves():
    assert resumed(NOTHING, 0.0, seen(NOW_S)) == Line(NOW_S, "b", 20.0, since_s=0.0, confirmed=False)


# ── while it runs ──


@pytest.mark.parametrize(
    ("off_s", "confirmed", "by_s"),
    [
        (0.0, True, 0.0),
        (STEP_S, True, 0.0),
        (-STEP_S, True, 0.0),
        (30.0, True, 30.0),
        (-8 * HOUR_S, True, -8 * HOUR_S),
        (YEAR_S, True, YEAR_S),
        (30.0, False, 0.0),
        (-8 * HOUR_S, False, 0.0),
        (YEAR_S, False, 0.0),
    ],
)
def test_the_line_steps_to_a_confirmed_time_and_to_no_other(off_s: float, confirmed: bool, by_s: float):  # noqa: FBT001
    assert step_s(NOW_S, NOW_S + off_s, confirmed=confirmed) == by_s


def test_a_step_moves_the_line_and_where_it_began():
    assert KEPT.stepped(30.0) == Line(NOW_S + 30, "a", 500.0, since_s=NOW_S - HOUR_S + 30, confirmed=True, stepped_s=37.0)


def test_a_line_that_began_with_the_database_still_does_after_a_step_back():
    assert Line(NOW_S, "a", 500.0, since_s=0.0, confirmed=False).stepped(-YEAR_S).since_s == 0.0


# ── the time server ──


@pytest.mark.parametrize(
    ("heeded_s_ago", "steady_for_s", "believed"),
    [
        (0.0, 1_000.0, True),
        (900.0, 1_000.0, True),
        (900.0, 100.0, False),  # before somebody set the clock
        (1_100.0, 1_000.0, False),  # in another boot, or before the clock was set back
        (-YEAR_S, 1_000.0, False),  # before the clock was set back by a year
        (YEAR_S, 1_000.0, False),  # before it was set ahead by a year
    ],
)
def test_a_time_server_vouches_for_the_clock_that_it_set(heeded_s_ago: float, steady_for_s: float, believed: bool):  # noqa: FBT001
    uptime_s = 1_000.0
    reading = seen(NOW_S, uptime_s, synchronised_at_s=NOW_S - heeded_s_ago)
    assert is_synchronised(reading, uptime_s - steady_for_s) is believed


def test_where_no_time_server_was_heeded_none_vouches():
    assert not is_synchronised(seen(NOW_S), 0.0)
