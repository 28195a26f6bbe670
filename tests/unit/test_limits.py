"""When the next push is allowed, rule by rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import (
    ANY_ADDRESS,
    CANCELLED,
    CLAIM_TRIES_S,
    CLAIMS_OF_DEVICE,
    CLAIMS_OF_OWNER,
    DAY_S,
    MAC_BURST,
    MAC_PHONES,
    MOVES,
    OWN_ADDRESS,
    OWNER,
    PHONE_BURST,
    PHONE_DAY,
    Attempt,
    Ceiling,
    History,
    Tries,
    Wait,
    Wanted,
    in_words,
    wait_before,
    wait_before_move,
    wait_before_try,
)

PHONE = "254712345678"
NOW_S = 1_000_000.0
PUSH = Wanted(PHONE, prompts=True, from_own_address=True)
FROM_A_SERVER = Wanted(PHONE, prompts=True, from_own_address=False)
LINK = Wanted(PHONE, prompts=False, from_own_address=True)


def rang(count: int, gap_s: float = 60.0, phone: str = PHONE, **facts: float | str | bool | None) -> list[Attempt]:
    """So many attempts, the newest now."""
    return [Attempt(NOW_S - number * gap_s, phone, **facts) for number in range(count)]  # type: ignore[arg-type]


def until(wanted: Wanted, history: History, now_s: float = NOW_S) -> float | None:
    wait = wait_before(now_s, wanted, history)
    return None if wait is None else wait.until_s


def test_whoever_comes_first_need_not_wait():
    assert wait_before(NOW_S, PUSH, History()) is None


def test_below_the_ceiling_one_more_is_allowed_at_once():
    assert Ceiling(3, 600).free_at_s([NOW_S, NOW_S - 1]) == 0


def test_at_the_ceiling_one_more_is_allowed_when_the_oldest_that_counts_has_aged():
    assert Ceiling(3, 600).free_at_s([NOW_S - 100, NOW_S, NOW_S - 50, NOW_S - 400]) == NOW_S - 100 + 600


@given(
    st.lists(st.floats(0, 5_000), max_size=30),
    st.builds(Ceiling, st.integers(1, 5), st.integers(1, 1_000)),
)
def test_whoever_keeps_to_the_answer_never_has_more_than_the_ceiling_in_its_time(taps_s: list[float], ceiling: Ceiling):
    allowed_s: list[float] = []
    for tap_s in sorted(taps_s):
        allowed_s += [tap_s] if ceiling.free_at_s(allowed_s) <= tap_s else []

    for start_s in allowed_s:
        assert sum(start_s <= at_s < start_s + ceiling.within_s for at_s in allowed_s) <= ceiling.count


def test_a_phone_is_asked_three_times_in_ten_minutes():
    assert wait_before(NOW_S, PUSH, History(of_phone=rang(PHONE_BURST.count - 1))) is None
    assert until(PUSH, History(of_phone=rang(PHONE_BURST.count))) == NOW_S - 120 + 600


def test_a_phone_is_asked_six_times_a_day():
    oldest_that_counts_s = NOW_S - 5 * 3_600
    assert until(PUSH, History(of_phone=rang(PHONE_DAY.count, gap_s=3_600))) == oldest_that_counts_s + DAY_S


def test_the_rule_that_holds_longest_is_told():
    both = History(of_phone=rang(PHONE_DAY.count, gap_s=10))
    assert until(PUSH, both) == NOW_S - 50 + DAY_S


def test_a_success_resets_what_a_phone_has_used_up():
    paid = Attempt(NOW_S - 700, PHONE, paid_at_s=NOW_S - 30)
    assert wait_before(NOW_S, PUSH, History(of_phone=[*rang(5)[1:], paid])) is None


def test_only_what_came_after_a_success_counts():
    paid = Attempt(NOW_S - 700, PHONE, paid_at_s=NOW_S - 690)
    assert until(PUSH, History(of_phone=[*rang(3), paid])) == NOW_S - 120 + 600


def test_what_the_provider_refused_did_not_ring():
    assert wait_before(NOW_S, PUSH, History(of_phone=rang(5, prompted=False), of_mac=rang(5, prompted=False))) is None


def test_after_a_cancel_the_phone_is_left_alone_for_a_minute():
    cancelled = Attempt(NOW_S - 40, PHONE, failed_code=CANCELLED, updated_at_s=NOW_S - 20)
    assert until(PUSH, History(of_phone=[cancelled])) == NOW_S + 40


def test_another_failure_is_no_cancel():
    assert until(PUSH, History(of_phone=[Attempt(NOW_S - 40, PHONE, failed_code="1037", updated_at_s=NOW_S - 20)])) is None


def test_a_later_look_at_a_cancelled_payment_does_not_prolong_the_pause():
    cancelled = Attempt(NOW_S - 900, PHONE, failed_code=CANCELLED, updated_at_s=NOW_S)
    assert until(PUSH, History(of_phone=[cancelled]), NOW_S - 700) == NOW_S - 900 + 180 + 60


def test_when_the_time_that_was_told_has_come_nothing_stands_in_the_way():
    cancelled = Attempt(NOW_S - 40, PHONE, failed_code=CANCELLED, updated_at_s=NOW_S - 20)
    assert until(PUSH, History(of_phone=[cancelled]), NOW_S + 39.9) is not None
    assert until(PUSH, History(of_phone=[cancelled]), NOW_S + 40) is None
    assert until(PUSH, History(of_phone=rang(PHONE_BURST.count)), NOW_S - 120 + 600) is None


def test_a_device_asks_four_times_in_ten_minutes():
    assert wait_before(NOW_S, PUSH, History(of_mac=rang(MAC_BURST.count - 1))) is None
    assert until(PUSH, History(of_mac=rang(MAC_BURST.count))) == NOW_S - 180 + 600


def test_a_device_that_tried_three_numbers_may_not_try_a_fourth_today():
    others = [Attempt(NOW_S - number * 3_600, f"25472000000{number}") for number in range(MAC_PHONES.count)]
    assert until(PUSH, History(of_mac=others)) == NOW_S - 2 * 3_600 + DAY_S


def test_a_device_may_try_one_of_its_three_numbers_again():
    others = [Attempt(NOW_S - number * 3_600, f"25472000000{number}") for number in (1, 2)]
    assert wait_before(NOW_S, PUSH, History(of_mac=[*others, Attempt(NOW_S - 3 * 3_600, PHONE)])) is None


def test_numbers_that_paid_are_no_guesses():
    friends = [Attempt(NOW_S - number, f"25472000000{number}", paid_at_s=NOW_S) for number in range(9)]
    assert wait_before(NOW_S, PUSH, History(of_mac=friends)) is None


def test_a_phones_own_address_asks_six_times_in_ten_minutes():
    assert wait_before(NOW_S, PUSH, History(of_address=rang(OWN_ADDRESS.count - 1))) is None
    assert until(PUSH, History(of_address=rang(OWN_ADDRESS.count))) == NOW_S - 300 + 600


def test_an_address_that_speaks_for_many_asks_thirty_times_in_ten_minutes():
    assert wait_before(NOW_S, FROM_A_SERVER, History(of_address=rang(ANY_ADDRESS.count - 1, gap_s=1))) is None
    assert until(FROM_A_SERVER, History(of_address=rang(ANY_ADDRESS.count, gap_s=1))) == NOW_S - 29 + 600


def test_what_the_provider_refused_counts_for_an_address_all_the_same():
    refused = History(of_address=rang(ANY_ADDRESS.count, gap_s=1, prompted=False))
    assert until(FROM_A_SERVER, refused) == NOW_S - 29 + 600


def test_customers_who_pay_use_up_nothing_of_their_shared_address():
    assert wait_before(NOW_S, FROM_A_SERVER, History(of_address=rang(200, gap_s=1, paid_at_s=NOW_S))) is None


def test_an_owner_sells_thirty_times_a_minute_paid_or_not():
    assert wait_before(NOW_S, PUSH, History(of_owner=rang(OWNER.count - 1, gap_s=1, paid_at_s=NOW_S))) is None
    assert until(PUSH, History(of_owner=rang(OWNER.count, gap_s=1, paid_at_s=NOW_S))) == NOW_S - 29 + 60


def test_a_link_makes_no_phone_ring():
    assert wait_before(NOW_S, LINK, History(of_phone=rang(50))) is None


@pytest.mark.parametrize(("until_s", "seconds"), [(NOW_S + 0.2, 1), (NOW_S + 59.5, 60), (NOW_S, 1), (NOW_S - 5, 1)])
def test_a_wait_is_told_in_whole_seconds_and_never_too_short(until_s: float, seconds: int):
    assert Wait(until_s, "").seconds(NOW_S) == seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (60, "60 seconds"), (61, "2 minutes"), (600, "10 minutes"), (3_601, "2 hours"), (86_400, "24 hours")],
)
def test_a_wait_is_told_as_people_say_it(seconds: int, words: str):
    assert in_words(seconds) == words


# ── codes ──


@pytest.mark.parametrize(
    ("whose", "ceiling"), [("of_device", CLAIMS_OF_DEVICE), ("of_address", CLAIMS_OF_DEVICE), ("of_owner", CLAIMS_OF_OWNER)]
)
def test_a_code_is_tried_as_often_as_the_tightest_ceiling_allows(whose, ceiling):
    tried_at_s = [NOW_S - number for number in range(ceiling.count)]
    assert wait_before_try(NOW_S, Tries(**{whose: tried_at_s[1:]})) is None
    wait = wait_before_try(NOW_S, Tries(**{whose: tried_at_s}))
    assert wait == Wait(tried_at_s[-1] + CLAIM_TRIES_S, "Too many wrong codes")
    assert wait_before_try(wait.until_s, Tries(**{whose: tried_at_s})) is None


def test_time_moves_three_times_an_hour():
    moved_at_s = [NOW_S - 30, NOW_S - 20, NOW_S - 10]
    assert wait_before_move(NOW_S, moved_at_s[1:]) is None
    assert wait_before_move(NOW_S, moved_at_s) == Wait(
        NOW_S - 30 + MOVES.within_s, "This time was moved to another device too often"
    )
    assert wait_before_move(NOW_S - 30 + MOVES.within_s, moved_at_s) is None
