"""What the router's rows tell after a damaged card: on which device a grant runs, and until when."""

from dataclasses import replace

import pytest

from gateway.access import Grant, GrantState
from gateway.identity import Duration, Money
from gateway.packages import Package
from gateway.recovery import Shown, package_for, placed
from tests.ledger import DAY, HOUR, MAC, NOW_S, OTHER_MAC, grant

HOUR_S = 3_600.0
LOST = grant(1, mac=None, ip=None, state=GrantState.UNCLAIMED)
BEHIND = grant(2, mac=None, ip=None, state=GrantState.UNCLAIMED)
KNOWN = grant(1, state=GrantState.ACTIVE, starts_at_s=NOW_S, ends_at_s=NOW_S + HOUR_S)


def shown(ends_in_s: float, grant_id: str = "grant-1") -> Shown:
    return Shown(7, grant_id, MAC, NOW_S + ends_in_s)


def windows(found: list[Grant]) -> list[tuple[str, float, float]]:
    return [(one.id, (one.starts_at_s or 0) - NOW_S, one.ends_s - NOW_S) for one in found]


def test_a_lost_grant_gets_the_device_the_router_and_the_end_of_its_row():
    (found,) = placed(shown(1_800), LOST, NOW_S - 1_805, [], [])
    assert windows([found]) == [("grant-1", -1_800, 1_800)]
    assert (found.mac, found.router_id) == (MAC, 7)


def test_what_the_same_phone_bought_is_behind_it_as_far_as_the_end_leaves_room():
    found = placed(shown(2 * HOUR_S), LOST, NOW_S - 4, [], [BEHIND])
    assert windows(found) == [("grant-1", 0, HOUR_S), ("grant-2", HOUR_S, 2 * HOUR_S)]
    assert windows(placed(shown(HOUR_S), LOST, NOW_S - 4, [], [BEHIND])) == [("grant-1", 0, HOUR_S)]


def test_behind_a_grant_that_is_known_comes_what_was_bought_since_the_backup():
    assert windows(placed(shown(2 * HOUR_S), KNOWN, NOW_S, [], [BEHIND])) == [("grant-2", HOUR_S, 2 * HOUR_S)]


def test_a_row_that_says_what_is_known_changes_nothing():
    assert placed(shown(HOUR_S), KNOWN, NOW_S, [], [BEHIND]) == []


def test_what_nobody_bought_was_given_by_the_operator_and_moves_who_is_behind():
    after = replace(KNOWN, id="grant-3", starts_at_s=NOW_S + HOUR_S, ends_at_s=NOW_S + 2 * HOUR_S)
    found = placed(shown(2 * HOUR_S + 600), KNOWN, NOW_S, [after], [])
    assert windows(found) == [("grant-1", 0, HOUR_S + 600), ("grant-3", HOUR_S + 600, 2 * HOUR_S + 600)]
    assert found[0].duration == Duration(4_200)


def test_a_grant_that_went_to_another_device_after_the_backup_is_that_devices():
    (found,) = placed(shown(1_000), replace(KNOWN, mac=OTHER_MAC), NOW_S, [], [])
    assert (found.mac, found.ends_s) == (MAC, NOW_S + 1_000)


OLD = replace(HOUR, id=3, active=False, price=Money(7_000))
LONGER = replace(HOUR, id=4, duration=Duration(7_200))


@pytest.mark.parametrize(
    ("cents", "offered", "chosen", "is_certain"),
    [
        (5_000, [HOUR, DAY], HOUR, True),
        (7_000, [HOUR, DAY, OLD], OLD, True),
        (5_000, [HOUR, LONGER, DAY], LONGER, False),
        (19_000, [HOUR, DAY], HOUR, False),
        (100, [DAY, HOUR], HOUR, False),
    ],
)
def test_the_money_tells_the_package_as_far_as_it_can(cents: int, offered: list[Package], chosen: Package, is_certain: bool):  # noqa: FBT001
    choice = package_for(Money(cents), offered)
    assert choice is not None
    assert (choice.package, choice.is_certain) == (chosen, is_certain)


def test_without_packages_nothing_can_have_been_bought():
    assert package_for(Money(5_000), []) is None
