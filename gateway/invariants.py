"""What must hold, whatever happened: the fifteen invariants, and the rules by which rows are judged.

Pure: rows in, findings out; no I/O, no clock, no logging. The audit applies these rules to the live database, the simulation may
apply them to its own. Numbers are those of facts, reliability A8.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gateway import access, payments
from gateway.access import Grant, GrantState
from gateway.payments import Payment, PaymentState

Row = Mapping[str, Any]
"""A row of a table, or of the event table, by column."""

SERVED_WITHIN_S = 120.0
"""How long somebody who paid may be offline while the router sees his phone: the operator is to know within two minutes."""

OVER_WITHIN_S = 120.0
"""How long somebody may be online behind the end of his time while the router answers: a comparison every 30 s, and its repairs."""

RECEIPT_WITHIN_S = 86_400.0
"""How long M-Pesa's receipt may be missing: IntaSend often tells it late (facts, payments 1.2)."""

EXACT_S = 1.0
"""How far sums of seconds may be off: the clock's fractions, not a customer's minute."""


class Invariant(Enum):
    """What the audit checks on the live database; the others are checked by tests alone (see docs/reliability.md)."""

    ONE_PAYMENT = "one_payment_per_invoice"
    """1: each invoice that is complete pays exactly one payment, each paid payment has one; no receipt counts twice."""
    ONE_PUSH = "one_push_per_payment"
    """2."""
    PAID_IS_SERVED = "paid_is_served"
    """3."""
    GRANTED_IS_BOUGHT = "granted_is_bought"
    """4: nobody gets less time than was bought, or more than the record says."""
    NO_ACCESS_UNPAID = "no_access_without_money"
    """5: whoever passes has a grant."""
    NO_EARLY_CUT = "no_early_cut"
    """6: nobody is cut early, and nobody stays long behind the end."""
    STATES = "states_along_edges"
    """7."""
    EVENTS = "events_make_the_tables"
    """8: no event is missing, and what they tell is what the tables say."""
    PRICE = "paid_is_the_price"
    """10: amount, currency and reference of what came are those of what was asked for."""


class Severity(Enum):
    """What a finding asks of the operator."""

    BROKEN = "BROKEN"
    """What must never be: counts in the metric, and alarms."""
    LOOK = "look"
    """Somebody has to decide, and nothing is wrong with the gateway."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where something is not as it must be."""

    invariant: Invariant
    what: str
    """A sentence: what is so, and what to do about it."""
    payment_id: str | None = None
    grant_id: str | None = None
    severity: Severity = Severity.BROKEN

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it the same finding an hour later, though its sentence may count on."""
        return (self.invariant.value, self.payment_id or "", self.grant_id or "", "" if self.payment_id else self.what)


# ── one payment by itself ──


@dataclass(frozen=True, slots=True)
class Story:
    """A payment, its grant, and everything that was told of them, oldest first."""

    payment: Row
    grant: Row | None
    events: Sequence[Row]


@dataclass(slots=True)
class _Record:
    """One row as the events make it again."""

    subject: str
    row: dict[str, Any] = field(default_factory=dict)


def judge_story(story: Story) -> list[Finding]:
    """Replay what was told of one payment: edges, versions, pushes, early ends, and the rows that must come out (2, 6, 7, 8)."""
    records = {"payment": _Record("payment"), "grant": _Record("grant")}
    found: list[Finding] = []
    for event in story.events:
        record = records.get(event["kind"].partition(".")[0])
        told = json.loads(event["data"]).get("set") if record is not None else None
        if record is not None and told is not None:
            found += _step(record, event, told)
    pushes = sum(event["kind"] == "payment.push" for event in story.events)
    if pushes > 1:
        found.append(_of(story.payment, Invariant.ONE_PUSH, f"{pushes} prompts were sent for it: refund what was paid twice"))
    found += _same(story.payment, records["payment"], story.payment["id"])
    if story.grant is not None or records["grant"].row:
        found += _same(story.grant or {}, records["grant"], story.payment["id"])
    return found


def _step(record: _Record, event: Row, told: Mapping[str, Any]) -> list[Finding]:
    """One event more; what is wrong with it."""
    before, after = dict(record.row), {**record.row, **told}
    record.row = after
    ids = {"payment_id": event["payment_id"], "grant_id": event["grant_id"]}
    found = []
    if after.get("version") != before.get("version", -1) + 1:
        what = f"event {event['seq']} takes a {record.subject} from version {before.get('version')} to {after.get('version')}"
        found.append(Finding(Invariant.STATES, f"{what}: report it with the story of the payment", **ids))
    if before and before["state"] != after["state"] and not _is_edge(record.subject, before["state"], after["state"]):
        what = f"event {event['seq']} takes a {record.subject} from {before['state']} to {after['state']}, which is no way"
        found.append(Finding(Invariant.STATES, f"{what}: report it with the story of the payment", **ids))
    if event["kind"] == "grant.due" and after.get("ended_because") == "time":
        early_s = float(after.get("ends_at_s") or 0.0) - event["at_s"]
        if early_s > EXACT_S:
            found.append(Finding(Invariant.NO_EARLY_CUT, f"its time was ended {early_s:.0f} s early: give it back", **ids))
    return found


def _is_edge(subject: str, before: str, after: str) -> bool:
    if subject == "payment":
        return _joined(payments.TRANSITIONS, PaymentState(before), PaymentState(after))
    return _joined(access.TRANSITIONS, GrantState(before), GrantState(after))


def _joined(table: Mapping[tuple[Any, Any], Any], before: Enum, after: Enum) -> bool:
    return any(start is before and end is after for (start, _), end in table.items())


def _same(stored: Row, record: _Record, payment_id: str) -> list[Finding]:
    """Whether the row is what its events make; a column that none of them tells came with a migration, and is left aside."""
    wrong = sorted(name for name, value in record.row.items() if name not in dict(stored) or stored[name] != value)
    if not wrong and record.row:
        return []
    said = f"differ in {', '.join(wrong)}" if wrong else "know nothing of it"
    what = f"its {record.subject} and the events {said}: restore a backup, the books are read again"
    return [Finding(Invariant.EVENTS, what, payment_id)]


def missing_events(count: int, last_seq: int) -> Finding:
    """Numbers without an event (8): what they told is lost."""
    what = f"{count} event(s) before number {last_seq} are missing: restore a backup, the books are read again"
    return Finding(Invariant.EVENTS, what)


# ── what was bought and what is given ──


def judge_grant(payment: Payment, grant: Grant | None) -> list[Finding]:
    """What a paid payment bought: there, whole, and for no less than was paid for (3, 4)."""
    if payment.state is not PaymentState.PAID:
        if grant is None:
            return []
        what = f"time was granted though its payment is {payment.state.value}: revoke it, or find out what was paid"
        return [Finding(Invariant.NO_ACCESS_UNPAID, what, payment.id, grant.id)]
    if grant is None:
        return [Finding(Invariant.PAID_IS_SERVED, "paid, and no time is owed for it: report it", payment.id)]
    found = []
    if grant.duration.seconds < payment.duration.seconds:
        what = f"{payment.duration.display} were bought and {grant.duration.display} given: extend the grant"
        found.append(Finding(Invariant.GRANTED_IS_BOUGHT, what, payment.id, grant.id))
    if grant.state is GrantState.ACTIVE and grant.starts_at_s is not None:
        lasts_s = grant.ends_s - grant.starts_at_s
        if abs(lasts_s - grant.window_s) > EXACT_S:
            what = f"it lasts {lasts_s:.0f} s and was bought for {grant.window_s:.0f} s: extend it, or report it"
            found.append(Finding(Invariant.GRANTED_IS_BOUGHT, what, payment.id, grant.id))
    return found


# ── against the router ──


@dataclass(frozen=True, slots=True)
class Pass:
    """A row of ours on a router: this device is let through for that grant."""

    grant_id: str
    mac: str | None
    ends_at_s: float


@dataclass(frozen=True, slots=True)
class RouterView:
    """What one router shows, when it was asked just now."""

    passes: Sequence[Pass]
    strays: frozenset[str]
    """Devices that are online under a name of ours without a row."""
    in_sight: frozenset[str]
    """Every device that the hotspot sees."""
    online: frozenset[str]
    """Devices whose row lets traffic through now."""


def judge_router(view: RouterView, grants: Sequence[Grant], known: frozenset[str], now_s: float) -> list[Finding]:
    """One router's rows against the live grants there: paid and offline, online and not paid, and rows that nobody knows (3, 5, 6).

    `known` are the devices that ever had a grant there: strays of others are none of our business.
    """
    live = {str(grant.mac) for grant in grants if grant.mac is not None}
    found = [finding for grant in grants for finding in _of_grant(view, grant, now_s)]
    for row in view.passes:
        if row.mac not in live and row.ends_at_s <= now_s - OVER_WITHIN_S:
            what = f"{row.mac} is let through and its time was over {now_s - row.ends_at_s:.0f} s ago: remove the row"
            found.append(Finding(Invariant.NO_ACCESS_UNPAID, what, grant_id=row.grant_id))
        elif row.mac not in live:
            what = f"{row.mac} is let through under a grant that the database does not know: it stays until the end of its row"
            found.append(Finding(Invariant.NO_ACCESS_UNPAID, what, grant_id=row.grant_id, severity=Severity.LOOK))
    strays = sorted(view.strays & known - live)
    said = "is online without a row of ours: log it out on the router"
    return found + [Finding(Invariant.NO_ACCESS_UNPAID, f"{mac} {said}") for mac in strays]


def _of_grant(view: RouterView, grant: Grant, now_s: float) -> Iterable[Finding]:
    mac = str(grant.mac) if grant.mac is not None else None
    waits_s = now_s - grant.updated_at_s
    if grant.state in {GrantState.OWED, GrantState.UNCLAIMED} and mac in view.in_sight and waits_s > SERVED_WITHIN_S:
        what = f"paid and in sight, and not let through for {waits_s:.0f} s: see the log of this grant, and the router's"
        yield Finding(Invariant.PAID_IS_SERVED, what, grant.payment_id, grant.id)
    if grant.state is GrantState.ACTIVE and not grant.logged_out and mac in view.in_sight - view.online:
        began_s = grant.starts_at_s or now_s
        if began_s + SERVED_WITHIN_S < now_s < grant.ends_s and waits_s > SERVED_WITHIN_S:
            yield Finding(Invariant.PAID_IS_SERVED, "paid, in sight and not online", grant.payment_id, grant.id, Severity.LOOK)
    over_s = 0.0 if grant.ends_at_s is None else now_s - grant.ends_at_s
    if grant.state in {GrantState.ACTIVE, GrantState.ENDING} and over_s > OVER_WITHIN_S and mac in {row.mac for row in view.passes}:
        what = f"its time was over {over_s:.0f} s ago and it is still let through: see whether the router refuses to remove its row"
        yield Finding(Invariant.NO_EARLY_CUT, what, grant.payment_id, grant.id)


# ── against the provider ──


@dataclass(frozen=True, slots=True)
class Booked:
    """An invoice that is complete at the provider, and that this gateway asked for."""

    invoice_id: str
    described: str
    """What an operator looks it up by: the invoice, the sum, the payer."""
    payment_id: str | None
    """What it pays, by its reference; None where it was paid through a link that the provider does not show."""
    payment: Payment | None
    """The same, if the database has it."""
    matches: bool
    """Whether amount, currency and reference are what its payment asked for; True where there is no payment."""


def judge_books(booked: Iterable[Booked], surplus: frozenset[str]) -> list[Finding]:
    """Each complete invoice pays one payment, and the right sum (1, 10). `surplus` is money that is known to have come twice."""
    return [finding for one in booked if one.invoice_id not in surplus for finding in _of_booked(one)]


def _of_booked(one: Booked) -> Iterable[Finding]:
    payment = one.payment
    if one.payment_id is None:
        what = f"{one.described} is paid through a link that IntaSend does not show: find out whether its payer waits for time"
        yield Finding(Invariant.ONE_PAYMENT, what, severity=Severity.LOOK)
    elif payment is None:
        what = f"{one.described} is paid and has no payment here: refund it, or give its payer the time"
        yield Finding(Invariant.ONE_PAYMENT, what, one.payment_id)
    elif payment.state not in {PaymentState.PAID, PaymentState.DISPUTED}:
        what = f"{one.described} is paid and the payment is {payment.state.value}: press Check status"
        yield Finding(Invariant.ONE_PAYMENT, what, payment.id)
    elif payment.invoice_id != one.invoice_id:
        what = f"paid by invoice {payment.invoice_id}, and once more by {one.described}: refund that one"
        yield Finding(Invariant.ONE_PAYMENT, what, payment.id)
    elif payment.state is PaymentState.PAID and not one.matches:
        yield Finding(Invariant.PRICE, "what was paid is not what was asked for: compare it at IntaSend", payment.id)


def judge_unbooked(payment: Payment, word: str) -> Finding:
    """A payment that is paid here, and of whose invoice the provider says something else (1, the other way round)."""
    what = f"served and not paid: IntaSend says {word} of invoice {payment.invoice_id}: revoke its grant, or ask IntaSend"
    return Finding(Invariant.ONE_PAYMENT, what, payment.id)


def judge_receipts(paid: Iterable[Payment], now_s: float) -> list[Finding]:
    """No receipt counts twice (1); one that is still missing after a day is to be looked for."""
    owners: dict[str, Payment] = {}
    found = []
    for payment in paid:
        if payment.receipt is None:
            if (payment.paid_at_s or now_s) < now_s - RECEIPT_WITHIN_S:
                what = "paid for a day and without M-Pesa's receipt: look it up at IntaSend, its payer cannot claim by it"
                found.append(Finding(Invariant.ONE_PAYMENT, what, payment.id, severity=Severity.LOOK))
        elif (other := owners.setdefault(payment.receipt, payment)) is not payment:
            what = f"the receipt {payment.receipt} pays {other.id} as well: compare both at IntaSend, revoke one"
            found.append(Finding(Invariant.ONE_PAYMENT, what, payment.id))
    return found


def _of(payment: Row, invariant: Invariant, what: str) -> Finding:
    return Finding(invariant, what, payment["id"])
