"""What a link changes about the rules of payments: its word on the wire, its name at the provider, and when it is asked about."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.payments import LINK_LIFE_S, PaymentKind, PaymentState, next_check_s, next_link_check_s
from tests.ledger import payment

LINK: dict[str, Any] = {"kind": PaymentKind.LINK, "link_id": "link-1"}
AGES_S = st.floats(0, 3 * LINK_LIFE_S)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (PaymentState.NEW, "pending"),
        (PaymentState.PUSHING, "pending"),
        (PaymentState.PUSHED, "pending"),
        (PaymentState.UNKNOWN, "pending"),
        (PaymentState.PAID, "completed"),
        (PaymentState.LAPSED, "failed"),
        (PaymentState.REFUSED, "failed"),
        (PaymentState.DISPUTED, "failed"),
    ],
)
def test_a_link_is_pending_until_it_is_paid_or_over(state, status):
    assert payment(**LINK, state=state).status == status


def test_a_push_that_is_on_a_phone_is_processing():
    assert payment(state=PaymentState.PUSHED).status == "processing"


def test_the_provider_knows_a_link_by_its_id_until_there_is_an_invoice():
    assert payment(**LINK).provider_reference == "link-1"
    assert payment(**LINK, invoice_id="INV-1").provider_reference == "INV-1"
    assert payment().provider_reference is None


def test_a_link_takes_fewer_than_four_hundred_questions():
    age_s, questions = 0.0, 0
    while age_s < LINK_LIFE_S:
        age_s = next_link_check_s(age_s)
        questions += 1
    assert questions < 400


@given(AGES_S)
def test_the_next_question_about_a_link_is_always_later_and_within_five_minutes_while_it_can_be_paid(age_s):
    gap_s = next_link_check_s(age_s) - age_s
    assert gap_s > 0
    assert age_s >= LINK_LIFE_S or gap_s < 301


@given(AGES_S)
def test_a_link_is_asked_about_in_its_own_rhythm_while_it_can_be_paid_and_like_any_other_payment_after(age_s):
    assert payment(**LINK, state=PaymentState.PUSHED).next_check_s(age_s) == next_link_check_s(age_s)
    assert payment(**LINK, state=PaymentState.PAID).next_check_s(age_s) == next_check_s(age_s, undecided=False)
    assert payment(state=PaymentState.PUSHED).next_check_s(age_s) == next_check_s(age_s)
