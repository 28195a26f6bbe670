"""What may become of a payment: every cell of its machine, when it is asked about, and what counts as paid."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity import Money
from gateway.payments import (
    IGNORED,
    ILLEGAL,
    LISTEN_S,
    TRANSITIONS,
    UNDECIDED,
    WIRE_STATUS,
    IllegalTransition,
    PaymentEvent,
    PaymentState,
    advance,
    next_check_s,
)
from tests.ledger import payment

# One row a state, one column an event: where it goes, "." where nothing changes, "!" where only a bug can lead.
TABLE = """
           refuse   push     accepted  rejected  no_answer  waiting  complete  mismatch  fail    unrecognised  give_up
new        refused  pushing  !         !         !          !        !         !         !       !             !
pushing    !        !        pushed    refused   unknown    pushed   paid      disputed  failed  .             .
pushed     !        !        .         .         .          .        paid      disputed  failed  .             lapsed
unknown    !        !        pushed    !         .          pushed   paid      disputed  failed  .             lapsed
refused    !        !        .         !         !          .        paid      disputed  .       .             .
paid       !        !        .         .         .          .        .         .         .       .             .
failed     !        !        .         .         .          .        paid      disputed  .       .             .
lapsed     !        !        .         .         .          .        paid      disputed  failed  .             .
disputed   !        !        .         .         .          .        .         .         .       .             .
"""

HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(state, event, becomes) for state, *row in ROWS for event, becomes in zip(HEAD, row, strict=True)]
ALL_CELLS = {(state, event) for state in PaymentState for event in PaymentEvent}

EVENTS = st.lists(st.sampled_from(PaymentEvent), max_size=12)


def checks(until_s: float, *, undecided: bool = True) -> list[float]:
    """The ages at which a payment is asked about, when each question is asked on time."""
    ages = [0.0]
    while ages[-1] < until_s:
        ages.append(next_check_s(ages[-1], undecided=undecided))
    return ages[1:]


@pytest.mark.parametrize(("state", "event", "becomes"), CELLS)
def test_every_event_in_every_state_ends_where_the_table_says(state, event, becomes):
    if becomes == "!":
        with pytest.raises(IllegalTransition, match=f"a payment that is {state} cannot meet {event}$"):
            advance(PaymentState(state), PaymentEvent(event))
    else:
        assert advance(PaymentState(state), PaymentEvent(event)).value == (state if becomes == "." else becomes)


def test_the_table_of_this_test_knows_every_cell():
    assert {(PaymentState(state), PaymentEvent(event)) for state, event, _ in CELLS} == ALL_CELLS
    assert len(CELLS) == len(ALL_CELLS) == 9 * 11


def test_every_cell_is_decided_exactly_once():
    assert set(TRANSITIONS) | IGNORED | ILLEGAL == ALL_CELLS
    assert len(TRANSITIONS) + len(IGNORED) + len(ILLEGAL) == len(ALL_CELLS)


def test_a_transition_leads_to_another_state():
    assert [cell for cell, becomes in TRANSITIONS.items() if cell[0] is becomes] == []


@given(EVENTS)
def test_what_was_paid_stays_paid_whatever_comes(events):
    state = PaymentState.PAID
    for event in events:
        if (state, event) not in ILLEGAL:
            state = advance(state, event)
    assert state is PaymentState.PAID


@given(EVENTS)
def test_nothing_leads_to_a_second_push(events):
    state, pushes = PaymentState.NEW, 0
    for event in events:
        if (state, event) not in ILLEGAL:
            state = advance(state, event)
            pushes += event is PaymentEvent.PUSH
    assert pushes <= 1


@pytest.mark.parametrize("state", [state for state in PaymentState if state not in {PaymentState.NEW, PaymentState.DISPUTED}])
def test_money_that_was_asked_for_ends_as_paid_however_late_it_comes(state):
    assert advance(state, PaymentEvent.COMPLETE) is PaymentState.PAID


@pytest.mark.parametrize("state", [state for state in PaymentState if state in UNDECIDED])
def test_a_word_that_nobody_knows_changes_nothing(state):
    assert advance(state, PaymentEvent.UNRECOGNISED) is state


def test_every_state_has_its_word_on_the_wire():
    assert {state.value: word for state, word in WIRE_STATUS.items()} == {
        "new": "pending",
        "pushing": "processing",
        "pushed": "processing",
        "unknown": "processing",
        "refused": "failed",
        "paid": "completed",
        "failed": "failed",
        "lapsed": "failed",
        "disputed": "failed",
    }
    assert payment(state=PaymentState.UNKNOWN).status == "processing"


def test_a_prompt_may_be_on_the_phone_from_the_push_until_a_final_word():
    undecided = {state.value for state in PaymentState if payment(state=state).is_undecided}
    assert undecided == {"pushing", "pushed", "unknown"}


def test_the_first_questions_follow_the_customer():
    assert checks(30) == [3, 6, 10, 15, 20, 30]


def test_the_provider_is_asked_every_ten_seconds_while_the_prompt_lives_and_every_thirty_while_a_push_may_be_lost():
    ages = [0.0, *checks(LISTEN_S)]
    gaps = [(before, after - before) for before, after in pairwise(ages)]
    assert max(gap for before, gap in gaps if before < 180) <= 10
    assert max(gap for before, gap in gaps if before < 900) <= 30
    assert max(gap for _, gap in gaps) == pytest.approx(3_600)


def test_a_day_takes_a_bounded_number_of_questions():
    ages = checks(LISTEN_S)
    assert ages[-1] >= LISTEN_S
    assert len(ages) < 100


def test_a_payment_that_failed_is_asked_about_a_few_times_more():
    ages = checks(LISTEN_S, undecided=False)
    assert ages[0] == 300
    assert ages[-1] >= LISTEN_S
    assert len(ages) < 40


@given(st.floats(0, 10 * LISTEN_S), st.booleans())
def test_the_next_question_is_always_later_by_an_hour_at_most(age_s, undecided):
    assert age_s < next_check_s(age_s, undecided=undecided) <= age_s + 3_600


@given(st.floats(0, LISTEN_S), st.floats(0, LISTEN_S), st.booleans())
def test_a_younger_payment_is_never_asked_about_later_than_an_older_one(one_s, other_s, undecided):
    younger_s, older_s = sorted((one_s, other_s))
    assert next_check_s(younger_s, undecided=undecided) <= next_check_s(older_s, undecided=undecided)


@pytest.mark.parametrize("value", ["50", "50.00", "50.000"])
def test_the_amount_the_currency_and_the_reference_make_it_what_was_asked(value):
    assert payment(api_ref="HG-1").is_what_was_asked(Decimal(value), "KES", "HG-1")


@pytest.mark.parametrize(
    ("value", "currency", "api_ref"),
    [
        (Decimal("49.99"), "KES", "HG-1"),
        (Decimal("50.01"), "KES", "HG-1"),
        (Decimal(5_000), "KES", "HG-1"),
        (Decimal(-50), "KES", "HG-1"),
        (Decimal("NaN"), "KES", "HG-1"),
        (None, "KES", "HG-1"),
        (Decimal(50), "USD", "HG-1"),
        (Decimal(50), "kes", "HG-1"),
        (Decimal(50), None, "HG-1"),
        (Decimal(50), "KES", "HG-2"),
        (Decimal(50), "KES", "hg-1"),
        (Decimal(50), "KES", ""),
        (Decimal(50), "KES", None),
    ],
)
def test_anything_else_is_not_what_was_asked(value, currency, api_ref):
    assert not payment(api_ref="HG-1").is_what_was_asked(value, currency, api_ref)


@given(st.integers(0, 10**8), st.decimals(0, 10**6, places=2))
def test_only_the_exact_amount_is_what_was_asked(cents, came):
    asked = payment(amount=Money(cents))
    assert asked.is_what_was_asked(came, "KES", asked.api_ref) == (int(came * 100) == cents)
