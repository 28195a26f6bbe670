"""Every payment, whatever became of it, has a page."""

from dataclasses import replace

import pytest

from gateway.access import GrantState
from gateway.payments import PaymentState
from gateway.settlement import Standing
from gateway.web.portal_phases import Phase, failure_code, phase_of
from tests.unit.web.purchases import GRANT, PAYMENT


def phase(payment: PaymentState, grant: GrantState | None = None, *, ends_at_s: float | None = None, answers: bool = True) -> Phase:
    bought = None if grant is None else replace(GRANT, state=grant, ends_at_s=ends_at_s)
    return phase_of(Standing(replace(PAYMENT, state=payment), bought), 1_000.0, router_answers=answers)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (PaymentState.NEW, Phase.WAITING),
        (PaymentState.PUSHING, Phase.WAITING),
        (PaymentState.PUSHED, Phase.WAITING),
        (PaymentState.UNKNOWN, Phase.UNKNOWN),
        (PaymentState.REFUSED, Phase.REFUSED),
        (PaymentState.FAILED, Phase.FAILED),
        (PaymentState.LAPSED, Phase.LAPSED),
        (PaymentState.DISPUTED, Phase.DISPUTED),
        (PaymentState.PAID, Phase.OPENING),
    ],
)
def test_before_anything_is_bought_the_payment_counts(state, expected):
    assert phase(state) is expected


@pytest.mark.parametrize(
    ("state", "ends_at_s", "expected"),
    [
        (GrantState.OWED, None, Phase.OPENING),
        (GrantState.UNCLAIMED, None, Phase.UNCLAIMED),
        (GrantState.ACTIVE, 1_001.0, Phase.ONLINE),
        (GrantState.ACTIVE, 1_000.0, Phase.OVER),
        (GrantState.ENDING, 1_000.0, Phase.OVER),
        (GrantState.ENDED, 900.0, Phase.OVER),
        (GrantState.REVOKED, 2_000.0, Phase.OVER),
        (GrantState.REVOKED, None, Phase.WITHDRAWN),
    ],
)
def test_what_was_bought_counts_more_than_the_payment(state, ends_at_s, expected):
    assert phase(PaymentState.PAID, state, ends_at_s=ends_at_s) is expected


def test_a_router_that_does_not_answer_is_told_apart_while_it_matters():
    assert phase(PaymentState.PAID, GrantState.OWED, answers=False) is Phase.BLOCKED
    assert phase(PaymentState.PUSHED, answers=False) is Phase.WAITING
    assert phase(PaymentState.PAID, GrantState.ACTIVE, ends_at_s=2_000.0, answers=False) is Phase.ONLINE


def test_what_may_still_change_by_itself_is_watched():
    still = {Phase.REFUSED, Phase.FAILED, Phase.DISPUTED, Phase.ONLINE, Phase.OVER, Phase.WITHDRAWN}
    assert {each for each in Phase if not each.moves} == still


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        ("1032", None, "1032"),
        ("9999", None, "1025"),
        ("1036", None, "1037"),
        ("4711", "Request cancelled by user", "4711"),
        (None, "Request Cancelled by user.", "1032"),
        (None, "Insufficient Balance", "1"),
        (None, "DS timeout user cannot be reached", "1037"),
        (None, "The initiator information is invalid.", "2001"),
        (None, "something else", None),
        (None, None, None),
    ],
)
def test_a_failure_is_known_by_its_code_and_by_its_text_only_without_one(code, reason, expected):
    assert failure_code(code, reason) == expected
