"""Payments in the database: what is written comes back, nobody overwrites anybody, and each question finds its payments."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Conflict, NotFound
from gateway.identity import Duration, Money, PhoneNumber
from gateway.payments import IllegalTransition, Payment, PaymentEvent, PaymentState
from gateway.store import events
from gateway.store import payments as payment_rows
from tests.ledger import IP, MAC, NOW_S, in_memory, payment

TEXTS = st.none() | st.text(max_size=20)
PHONE = PhoneNumber("+254712345678")


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def stored(tx: sqlite3.Connection, *payments: Payment) -> None:
    for one in payments:
        payment_rows.insert(tx, one)


def pushed(number: int, **changes: Any) -> Payment:
    return payment(number, **{"state": PaymentState.PUSHED, "pushed_at_s": NOW_S, **changes})


@given(
    st.builds(
        payment,
        amount=st.integers(0, 10**9).map(Money),
        duration=st.integers(1, 10**8).map(Duration),
        mac=st.sampled_from([None, MAC]),
        ip=st.sampled_from([None, IP]),
        state=st.sampled_from(PaymentState),
        created_at_s=st.floats(0, 1e11),
        paid_at_s=st.none() | st.floats(0, 1e11),
        invoice_id=TEXTS,
        provider_state=TEXTS,
        receipt=TEXTS,
        failed_reason=TEXTS,
        version=st.integers(0, 99),
    )
)
def test_what_is_written_comes_back_unchanged(written):
    tx = in_memory()
    payment_rows.insert(tx, written)
    assert payment_rows.get(tx, written.id) == written
    tx.close()


def test_a_change_advances_the_state_and_notes_the_facts_the_time_and_the_version(tx):
    stored(tx, payment())
    after = payment_rows.change(tx, payment(), PaymentEvent.PUSH, NOW_S + 2, pushed_at_s=NOW_S + 2)
    assert after == replace(payment(), state=PaymentState.PUSHING, pushed_at_s=NOW_S + 2, updated_at_s=NOW_S + 2, version=1)
    assert payment_rows.get(tx, "payment-1") == after


def test_a_change_tells_what_it_set_and_what_it_was_told(tx):
    stored(tx, payment())
    payment_rows.change(tx, payment(), PaymentEvent.PUSH, NOW_S + 2, {"report": {"state": "PENDING"}}, pushed_at_s=NOW_S)
    kind, data = events.of_payment(tx, "payment-1")[-1]
    assert kind == "payment.push"
    assert data == {
        "set": {"state": "pushing", "pushed_at_s": NOW_S, "updated_at_s": NOW_S + 2, "version": 1},
        "report": {"state": "PENDING"},
    }


def test_who_read_the_payment_before_somebody_else_changed_it_is_told(tx):
    stored(tx, payment())
    first = payment_rows.change(tx, payment(), PaymentEvent.PUSH, NOW_S)
    with pytest.raises(Conflict, match="it changed meanwhile"):
        payment_rows.change(tx, payment(), PaymentEvent.REFUSE, NOW_S)
    assert payment_rows.get(tx, "payment-1") == first


def test_an_event_that_only_a_bug_can_bring_changes_nothing_and_is_not_told(tx):
    stored(tx, payment())
    with pytest.raises(IllegalTransition):
        payment_rows.change(tx, payment(), PaymentEvent.COMPLETE, NOW_S, receipt="TJR")
    assert payment_rows.get(tx, "payment-1") == payment()
    assert len(events.of_payment(tx, "payment-1")) == 1


def test_a_payment_meets_an_event_in_whatever_state_it_is_by_now(tx):
    stored(tx, payment())
    payment_rows.meet(tx, "payment-1", PaymentEvent.PUSH, NOW_S)
    assert payment_rows.meet(tx, "payment-1", PaymentEvent.NO_ANSWER, NOW_S).state is PaymentState.UNKNOWN


def test_every_write_raises_the_version_also_where_the_state_stays(tx):
    stored(tx, pushed(1))
    versions = [payment_rows.meet(tx, "payment-1", PaymentEvent.WAITING, NOW_S + n).version for n in range(3)]
    assert versions == [1, 2, 3]


def test_a_payment_that_is_not_there_and_somebody_elses_are_the_same_answer(tx):
    stored(tx, payment())
    assert payment_rows.owned(tx, "payment-1", 1) == payment()
    sentences = []
    for payment_id, owner_id in (("payment-1", 2), ("payment-9", 1)):
        with pytest.raises(NotFound) as caught:
            payment_rows.owned(tx, payment_id, owner_id)
        sentences.append(caught.value.message)
    assert sentences == ["Payment not found or access denied"] * 2
    with pytest.raises(NotFound):
        payment_rows.get(tx, "payment-9")


def test_one_invoice_pays_one_payment(tx):
    stored(tx, payment(1, invoice_id="R5V7E2Y"))
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: payment\.provider, payment\.invoice_id"):
        stored(tx, payment(2, invoice_id="R5V7E2Y"))
    stored(tx, payment(3, invoice_id="R5V7E2Y", provider="kopokopo"))


def test_payments_without_an_invoice_do_not_stand_in_each_others_way(tx):
    stored(tx, payment(1), payment(2))
    assert len(payment_rows.in_state(tx, PaymentState.NEW)) == 2


def test_our_reference_is_never_used_twice(tx):
    stored(tx, payment(1))
    with pytest.raises(sqlite3.IntegrityError, match=r"payment\.api_ref"):
        stored(tx, payment(2, api_ref="HG-1"))


@pytest.mark.parametrize("place", ["owner_id", "router_id", "package_id"])
def test_a_payment_belongs_to_an_owner_a_router_and_a_package_that_are_there(tx, place):
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        stored(tx, payment(**{place: 99}))


def test_an_invoice_is_taken_when_another_payment_has_it(tx):
    stored(tx, payment(1, invoice_id="R5V7E2Y"), payment(2))
    taken = [
        payment_rows.invoice_is_taken(tx, invoice, payment(number))
        for invoice, number in (("R5V7E2Y", 2), ("R5V7E2Y", 1), ("X", 2))
    ]
    assert taken == [True, False, False]
    assert not payment_rows.invoice_is_taken(tx, "R5V7E2Y", payment(2, provider="kopokopo"))


@pytest.mark.parametrize(
    ("api_ref", "invoice_id", "found"),
    [
        ("HG-1", None, "payment-1"),
        (None, "INV2", "payment-2"),
        ("HG-1", "INV2", "payment-1"),
        ("HG-9", "INV2", "payment-2"),
        ("HG-9", "INV9", None),
        ("", "", None),
        (None, None, None),
    ],
)
def test_a_webhook_is_about_the_payment_with_our_reference_before_the_providers(tx, api_ref, invoice_id, found):
    stored(tx, payment(1), payment(2, invoice_id="INV2"))
    hinted = payment_rows.hinted(tx, 1, api_ref=api_ref, invoice_id=invoice_id)
    assert (hinted and hinted.id) == found


def test_a_webhook_of_one_owner_is_never_about_anothers_payment(tx):
    stored(tx, payment(1, invoice_id="INV1"))
    assert payment_rows.hinted(tx, 2, api_ref="HG-1", invoice_id="INV1") is None


@pytest.mark.parametrize("state", PaymentState)
def test_a_phone_is_held_by_a_prompt_that_is_or_may_be_on_it(tx, state):
    stored(tx, pushed(1, state=state))
    held = payment_rows.open_for_phone(tx, PHONE, NOW_S - 1)
    assert (held is not None) == (state.value in {"pushing", "pushed", "unknown"})


def test_a_phone_is_held_for_a_while_only_and_no_other_phone_is(tx):
    stored(tx, pushed(1))
    assert payment_rows.open_for_phone(tx, PHONE, NOW_S - 0.5) == pushed(1)
    assert payment_rows.open_for_phone(tx, PHONE, NOW_S) is None
    assert payment_rows.open_for_phone(tx, PhoneNumber("+254799999999"), NOW_S - 1) is None


def test_a_phone_is_held_by_the_newest_of_its_prompts(tx):
    stored(tx, pushed(1, created_at_s=NOW_S + 5), pushed(2, created_at_s=NOW_S + 9), pushed(3, created_at_s=NOW_S))
    held = payment_rows.open_for_phone(tx, PHONE, NOW_S - 1)
    assert held is not None
    assert held.id == "payment-2"


@pytest.mark.parametrize(
    ("state", "fresh", "old"),
    [
        ("new", False, False),
        ("pushing", True, True),
        ("pushed", True, True),
        ("unknown", True, True),
        ("refused", True, False),
        ("failed", True, False),
        ("lapsed", True, False),
        ("paid", False, False),
        ("disputed", False, False),
    ],
)
def test_the_provider_is_listened_to_until_it_has_spoken_and_for_a_day_where_money_may_come_late(tx, state, fresh, old):
    stored(tx, pushed(1, state=PaymentState(state)), pushed(2, state=PaymentState(state), pushed_at_s=NOW_S - 100))
    assert payment_rows.listened_for(tx, NOW_S - 50) == ["payment-1"] * fresh + ["payment-2"] * old


def test_a_refusal_without_a_push_is_not_listened_for(tx):
    stored(tx, payment(1, state=PaymentState.REFUSED))
    assert payment_rows.listened_for(tx, 0) == []


def test_what_is_listened_for_comes_oldest_first_whatever_its_state(tx):
    stored(
        tx,
        pushed(1, created_at_s=NOW_S + 2),
        pushed(2, state=PaymentState.FAILED, created_at_s=NOW_S + 1),
        pushed(3, created_at_s=NOW_S),
    )
    assert payment_rows.listened_for(tx, 0) == ["payment-3", "payment-2", "payment-1"]


def test_payments_of_one_state_come_oldest_first(tx):
    stored(tx, pushed(1, created_at_s=NOW_S + 5), pushed(2, created_at_s=NOW_S), payment(3))
    assert [one.id for one in payment_rows.in_state(tx, PaymentState.PUSHED)] == ["payment-2", "payment-1"]


@pytest.mark.parametrize(
    "question",
    [
        lambda tx: payment_rows.open_for_phone(tx, PHONE, NOW_S),
        lambda tx: payment_rows.hinted(tx, 1, api_ref="HG-1", invoice_id=None),
        lambda tx: payment_rows.hinted(tx, 1, api_ref=None, invoice_id="INV1"),
        lambda tx: payment_rows.listened_for(tx, NOW_S),
    ],
    ids=["open_for_phone", "hinted by our reference", "hinted by the invoice", "listened_for"],
)
def test_what_is_asked_all_the_time_does_not_read_the_whole_table(tx, question):
    asked: list[str] = []
    tx.set_trace_callback(asked.append)
    question(tx)
    tx.set_trace_callback(None)
    plan = [row["detail"] for row in tx.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert "SCAN payment" not in plan
