"""The rules of the audit: each is silent about what is right, and names what is wrong."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.access import Grant, GrantEvent, GrantState
from gateway.identity import Duration
from gateway.invariants import (
    OVER_WITHIN_S,
    RECEIPT_WITHIN_S,
    SERVED_WITHIN_S,
    Booked,
    Finding,
    Invariant,
    Pass,
    RouterView,
    Severity,
    Story,
    judge_books,
    judge_grant,
    judge_receipts,
    judge_router,
    judge_story,
    judge_unbooked,
)
from gateway.payments import Payment, PaymentEvent, PaymentState
from gateway.store import access as grant_rows
from gateway.store import audit as audit_rows
from gateway.store import payments as payment_rows
from tests.ledger import MAC, NOW_S, OTHER_MAC, grant, in_memory, payment

PAID = payment(state=PaymentState.PAID, invoice_id="INV-1", receipt="TJRHC8IET4", paid_at_s=NOW_S)
ACTIVE = grant(state=GrantState.ACTIVE, starts_at_s=NOW_S, ends_at_s=NOW_S + 3_600)


def a_story() -> Story:
    """A purchase from the tap to its end, as the store tells it."""
    tx = in_memory()
    payment_rows.insert(tx, payment())
    for event in (PaymentEvent.PUSH, PaymentEvent.ACCEPTED, PaymentEvent.COMPLETE):
        payment_rows.meet(tx, "payment-1", event, NOW_S)
    grant_rows.insert(tx, grant())
    window = {"starts_at_s": NOW_S, "ends_at_s": NOW_S + 3_600}
    active = grant_rows.change(tx, grant(), GrantEvent.CONFIRM, NOW_S, **window)
    due = grant_rows.change(tx, active, GrantEvent.DUE, NOW_S + 3_600, ended_because="time")
    grant_rows.change(tx, due, GrantEvent.SHUT, NOW_S + 3_601)
    (case,) = audit_rows.cases(tx, ["payment-1"])
    return case.story


def told(story: Story, kind: str, **changes: Any) -> Story:
    """The same story with one event told otherwise."""
    events = [dict(event) for event in story.events]
    (one,) = [event for event in events if event["kind"] == kind]
    one |= {name: value for name, value in changes.items() if name in one}
    data = json.loads(one["data"])
    data["set"] |= {name: value for name, value in changes.items() if name not in one}
    one["data"] = json.dumps(data)
    return replace(story, events=events)


def names(findings: list[Finding]) -> set[Invariant]:
    return {finding.invariant for finding in findings}


# ── one payment by itself ──


def test_an_ordinary_purchase_is_as_it_must_be():
    assert judge_story(a_story()) == []


def test_a_second_prompt_for_one_payment_is_found():
    story = a_story()
    (push,) = [event for event in story.events if event["kind"] == "payment.push"]
    assert Invariant.ONE_PUSH in names(judge_story(replace(story, events=[*story.events, push])))


def test_a_state_that_no_edge_leads_to_is_found():
    assert Invariant.STATES in names(judge_story(told(a_story(), "grant.confirm", state="ended")))


def test_a_version_that_was_skipped_is_found():
    assert Invariant.STATES in names(judge_story(told(a_story(), "payment.complete", version=9)))


def test_time_that_was_ended_early_is_found():
    (found,) = judge_story(told(a_story(), "grant.due", at_s=NOW_S + 3_000))
    assert found.invariant is Invariant.NO_EARLY_CUT
    assert "600 s early" in found.what


@pytest.mark.parametrize("which", ["payment", "grant"])
def test_a_row_that_is_not_what_its_events_make_is_found(which: str):
    story = a_story()
    rows: dict[str, Any] = {which: dict(getattr(story, which)) | {"duration_s": 9}}
    (found,) = judge_story(replace(story, **rows))
    assert found.invariant is Invariant.EVENTS
    assert "duration_s" in found.what


def test_a_column_that_a_migration_added_is_no_difference():
    story = a_story()
    assert judge_story(replace(story, payment={**story.payment, "added_later": 1})) == []


def test_a_grant_without_any_event_is_found():
    story = a_story()
    events = [event for event in story.events if event["kind"].startswith("payment.")]
    assert names(judge_story(replace(story, events=events))) == {Invariant.EVENTS}


# ── what was bought ──


@pytest.mark.parametrize(
    ("bought", "given", "broken"),
    [
        (PAID, ACTIVE, None),
        (PAID, replace(ACTIVE, used_s=600, ends_at_s=NOW_S + 3_000), None),
        (PAID, None, Invariant.PAID_IS_SERVED),
        (payment(state=PaymentState.FAILED), None, None),
        (payment(state=PaymentState.DISPUTED), ACTIVE, Invariant.NO_ACCESS_UNPAID),
        (PAID, replace(ACTIVE, duration=Duration(1_800), ends_at_s=NOW_S + 1_800), Invariant.GRANTED_IS_BOUGHT),
        (PAID, replace(ACTIVE, ends_at_s=NOW_S + 3_500), Invariant.GRANTED_IS_BOUGHT),
        (PAID, replace(ACTIVE, ends_at_s=NOW_S + 7_200), Invariant.GRANTED_IS_BOUGHT),
    ],
)
def test_what_was_bought_is_what_is_given(bought: Payment, given: Grant | None, broken: Invariant | None):
    assert names(judge_grant(bought, given)) == ({broken} if broken else set())


# ── the router ──


def seen(*passes: Pass, strays: frozenset[str] = frozenset(), here: bool = True, online: bool = True) -> RouterView:
    in_sight = frozenset({MAC.text}) if here else frozenset()
    return RouterView(passes, strays, in_sight, in_sight if online else frozenset())


AMINA = Pass("grant-1", MAC.text, NOW_S + 3_600)
KNOWN = frozenset({MAC.text, OTHER_MAC.text})


def test_a_router_that_shows_what_is_sold_is_as_it_must_be():
    assert judge_router(seen(AMINA), [ACTIVE], KNOWN, NOW_S + 600) == []


def test_who_paid_and_is_in_sight_and_not_let_through_is_found_after_two_minutes():
    owed = grant()
    assert judge_router(seen(online=False), [owed], KNOWN, NOW_S + SERVED_WITHIN_S - 1) == []
    (found,) = judge_router(seen(online=False), [owed], KNOWN, NOW_S + SERVED_WITHIN_S + 1)
    assert (found.invariant, found.severity, found.payment_id) == (Invariant.PAID_IS_SERVED, Severity.BROKEN, "payment-1")
    assert judge_router(seen(here=False, online=False), [owed], KNOWN, NOW_S + 9_999) == []


def test_who_has_logged_out_is_not_missed():
    outside = replace(ACTIVE, logged_out=True)
    assert judge_router(seen(online=False), [outside], KNOWN, NOW_S + 600) == []
    assert names(judge_router(seen(AMINA, online=False), [ACTIVE], KNOWN, NOW_S + 600)) == {Invariant.PAID_IS_SERVED}


def test_a_row_without_a_grant_is_told_and_broken_when_its_end_has_come():
    (found,) = judge_router(seen(AMINA), [], KNOWN, NOW_S)
    assert (found.invariant, found.severity) == (Invariant.NO_ACCESS_UNPAID, Severity.LOOK)
    (found,) = judge_router(seen(AMINA), [], KNOWN, AMINA.ends_at_s + OVER_WITHIN_S)
    assert (found.invariant, found.severity) == (Invariant.NO_ACCESS_UNPAID, Severity.BROKEN)


def test_who_is_still_let_through_behind_his_end_is_found():
    late_s = ACTIVE.ends_s + OVER_WITHIN_S
    assert judge_router(seen(AMINA), [ACTIVE], KNOWN, late_s) == []
    assert names(judge_router(seen(AMINA), [ACTIVE], KNOWN, late_s + 1)) == {Invariant.NO_EARLY_CUT}
    assert judge_router(seen(), [replace(ACTIVE, state=GrantState.ENDING)], KNOWN, late_s + 1) == []


def test_a_customer_who_is_online_without_a_row_is_found_and_a_stranger_is_not():
    strays = frozenset({OTHER_MAC.text, "A2:00:00:00:00:99"})
    (found,) = judge_router(seen(strays=strays), [], KNOWN, NOW_S)
    assert OTHER_MAC.text in found.what


# ── the provider, and receipts ──

BOOKED = Booked("INV-1", "IntaSend invoice INV-1", PAID.id, PAID, matches=True)
DISPUTED = payment(state=PaymentState.DISPUTED, invoice_id="INV-1")


@pytest.mark.parametrize(
    ("booked", "surplus", "broken"),
    [
        (BOOKED, "", None),
        (replace(BOOKED, payment=None), "", Invariant.ONE_PAYMENT),
        (replace(BOOKED, payment=payment(state=PaymentState.LAPSED, invoice_id="INV-1")), "", Invariant.ONE_PAYMENT),
        (replace(BOOKED, invoice_id="INV-2"), "", Invariant.ONE_PAYMENT),
        (replace(BOOKED, invoice_id="INV-2"), "INV-2", None),
        (replace(BOOKED, matches=False), "", Invariant.PRICE),
        (replace(BOOKED, matches=False, payment=DISPUTED), "", None),
    ],
)
def test_each_complete_invoice_pays_one_payment(booked: Booked, surplus: str, broken: Invariant | None):
    found = judge_books([booked], frozenset({surplus}))
    assert names(found) == ({broken} if broken else set())
    assert {finding.payment_id for finding in found} <= {PAID.id}


def test_money_through_a_link_that_nobody_shows_is_for_somebody_to_look_at():
    (found,) = judge_books([replace(BOOKED, payment_id=None, payment=None)], frozenset())
    assert (found.severity, "INV-1" in found.what) == (Severity.LOOK, True)


def test_a_payment_whose_invoice_is_not_paid_is_named_with_what_the_provider_says():
    found = judge_unbooked(PAID, "FAILED")
    assert (found.invariant, found.payment_id, found.severity) == (Invariant.ONE_PAYMENT, "payment-1", Severity.BROKEN)
    assert "FAILED" in found.what


def test_a_receipt_that_pays_twice_is_found():
    (found,) = judge_receipts([PAID, replace(PAID, id="payment-2")], NOW_S)
    assert (found.payment_id, found.severity) == ("payment-2", Severity.BROKEN)
    assert "payment-1" in found.what


def test_a_receipt_is_missed_after_a_day():
    without = replace(PAID, receipt=None)
    assert judge_receipts([without], NOW_S + RECEIPT_WITHIN_S) == []
    (found,) = judge_receipts([without], NOW_S + RECEIPT_WITHIN_S + 1)
    assert found.severity is Severity.LOOK


def test_a_finding_stays_the_same_though_its_seconds_count_on():
    first, later = (judge_router(seen(online=False), [grant()], KNOWN, NOW_S + age_s) for age_s in (200.0, 300.0))
    assert first[0].what != later[0].what
    assert first[0].key == later[0].key
