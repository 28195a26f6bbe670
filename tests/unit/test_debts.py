"""Every cell of the debt's table, and who is owed what."""

import itertools

import pytest

from gateway.access import GrantState
from gateway.debts import IGNORED, TRANSITIONS, Debt, DebtEvent, DebtState, Why, advance, why_owed
from gateway.payments import IllegalTransition, PaymentState
from tests.ledger import NOW_S, grant, payment

# One row a state, one column an event: where it goes, "." where nothing changes, "!" where only a bug can lead.
TABLE = """
            served  request     rejected  no_answer  accepted   returned  declined
due         lifted  requesting  !         !          !          !         !
lifted      .       !           !         !          !          !         !
requesting  .       !           due       unknown    requested  !         !
unknown     .       !           !         !          requested  !         !
requested   .       !           !         !          .          returned  declined
returned    .       !           !         !          !          !         !
declined    .       !           !         !          !          !         !
"""

HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(state, event, becomes) for state, *row in ROWS for event, becomes in zip(HEAD, row, strict=True)]


@pytest.mark.parametrize(("state", "event", "becomes"), CELLS)
def test_every_event_in_every_state_ends_where_the_table_says(state, event, becomes):
    if becomes == "!":
        with pytest.raises(IllegalTransition, match=f"a debt that is {state} cannot meet {event}$"):
            advance(DebtState(state), DebtEvent(event))
    else:
        assert advance(DebtState(state), DebtEvent(event)).value == (state if becomes == "." else becomes)


def test_the_table_of_this_test_knows_every_cell_once():
    cells = {(DebtState(state), DebtEvent(event)) for state, event, _ in CELLS}
    assert cells == set(itertools.product(DebtState, DebtEvent))
    assert not set(TRANSITIONS) & IGNORED


def test_no_money_is_asked_back_twice():
    asking = {state for (state, event) in TRANSITIONS if event is DebtEvent.REQUEST}
    back = {state for (state, event), after in TRANSITIONS.items() if after in asking}
    assert asking == {DebtState.DUE}
    assert back == {DebtState.REQUESTING}  # by the provider's own no, and by nothing else
    assert {event for (_, event), after in TRANSITIONS.items() if after is DebtState.DUE} == {DebtEvent.REJECTED}


PAID = payment(state=PaymentState.PAID, paid_at_s=NOW_S)

WHO_IS_OWED = [
    pytest.param(PAID, grant(), Why.UNDELIVERED, id="nobody was let through"),
    pytest.param(PAID, grant(state=GrantState.UNCLAIMED), Why.UNDELIVERED, id="no device"),
    pytest.param(PAID, grant(state=GrantState.ACTIVE, starts_at_s=NOW_S, ends_at_s=NOW_S + 9), None, id="online"),
    pytest.param(PAID, grant(state=GrantState.OWED, used_s=60.0), None, id="moved to another device after a minute"),
    pytest.param(PAID, grant(state=GrantState.UNCLAIMED, compensated_s=3_600.0), None, id="owed again after an outage"),
    pytest.param(PAID, grant(state=GrantState.REVOKED), Why.REVOKED, id="taken back before it was used"),
    pytest.param(PAID, grant(state=GrantState.REVOKED, ends_at_s=NOW_S + 9), None, id="taken back while it was used"),
    pytest.param(PAID, None, None, id="paid this moment"),
    pytest.param(payment(state=PaymentState.DISPUTED), None, Why.DISPUTED, id="not what was asked for"),
    pytest.param(payment(state=PaymentState.FAILED), None, None, id="not paid"),
]


@pytest.mark.parametrize(("paid", "bought", "why"), WHO_IS_OWED)
def test_money_is_owed_for_what_was_paid_and_never_served(paid, bought, why):
    assert why_owed(paid, bought) is why


@pytest.mark.parametrize("state", DebtState)
def test_a_debt_is_open_until_the_customer_has_the_time_or_the_money(state):
    debt = Debt("debt-1", "payment-1", 1, "INV1", Why.UNDELIVERED, NOW_S, NOW_S, state)
    assert debt.is_open is (state not in {DebtState.LIFTED, DebtState.RETURNED})
