"""What must hold of every event that the gateway writes: judged by the far ends, in true time.

Numbers in comments are those of the invariants in facts, reliability A8.
"""

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.simulators.intasend.invoices import Invoice
from tests.simulation.bounds import Bounds
from tests.simulation.loop import START_S
from tests.simulation.people import DURATION_S
from tests.simulation.replica import Replica, Row, Violation, window_s

if TYPE_CHECKING:
    from tests.simulation.world import World

OVER_WITHIN_S, SERVED_WITHIN_S = 1.0, 3.0
"""The contract, for a healthy router: so long after its grant is due a phone is shut out, after it is paid it is let through."""
TOLERANCE_S = 2.0
"""What the simulated cable, card and router take for it, and an answer of IntaSend."""

PROMPT_LIFE_S = 180.0
"""So long a prompt is answered with the customer waiting beside it (facts, payments 2)."""
SEEN_WITHIN_S, LOST_SEEN_WITHIN_S = 15.0, 60.0
"""The contract: so long after it is complete a payment is paid without any webhook; the second where the push's answer was lost."""

A_MOMENT_S = 0.01
STEPS_S = 30.0
"""By how much small steps of the clock may shorten what somebody bought: a few seconds each."""


class Verdicts:
    """Judges payments and grants as they change."""

    def __init__(self, world: "World", replica: Replica, bounds: Bounds) -> None:
        self.looked_at_s = 0.0
        """When the database was read last."""
        self._world = world
        self._replica = replica
        self._bounds = bounds
        self._confirmed_after_s: dict[str, float] = {}
        """By grant: a moment at which it had not begun yet, in true time."""
        self._noted_at_s: dict[str, float] = {}
        """By grant: when it was written that its device passes, on the gateway's line."""

    def judge(self, event: sqlite3.Row, before: Row, after: Row) -> None:
        """One event, and the row that it changed, before and after."""
        subject, _, kind = event["kind"].partition(".")
        if subject == "payment":
            if after["state"] == "paid" != before.get("state"):
                self._judge_promptness(event, before, after)
        elif kind == "due" and after["ended_because"] == "time":
            self._judge_end(event, before, after)
        else:
            self._judge_grant(kind, event, before, after)

    def pays(self, invoice: Invoice, payment: Row) -> bool:
        """Whether IntaSend has booked that invoice as paid, with the amount, currency and reference of the payment."""
        outcome = invoice.outcome
        if self._world.intasend.change(invoice).state != "COMPLETE" or outcome is None or outcome.api_ref is not None:
            return False
        value, currency = outcome.value or invoice.order.amount, outcome.currency or invoice.order.currency
        ours = invoice.order.api_ref == payment["api_ref"]
        return ours and currency == payment["currency"] and value * 100 == Decimal(payment["amount_cents"])

    def _took_over(self, grant: Row) -> bool:
        """Whether its device had used up the data of another, which the gateway learns from the router."""
        others = (row for row in self._replica.grants.values() if row["mac"] == grant["mac"] and row["id"] != grant["id"])
        return any(row["ended_because"] == "data" and row["updated_at_s"] >= grant["created_at_s"] for row in others)

    def _judge_promptness(self, event: sqlite3.Row, before: Row, payment: Row) -> None:
        """Money that comes while the customer waits is seen while he waits (3)."""
        invoice = self._world.intasend.invoices.get(payment["invoice_id"])
        if invoice is None or payment["kind"] != "push":
            return
        booked_at_s = self._world.intasend.change(invoice).at_s
        took_s = self._bounds.happened_at_s(event) - (booked_at_s - START_S)
        is_awaited = before["state"] in {"pushing", "pushed", "unknown"} and booked_at_s - invoice.created_s <= PROMPT_LIFE_S
        if not is_awaited:
            self._bounds.exceeded("booked until paid, late money", took_s, event, float("inf"))
            return
        lost = before["state"] != "pushed"
        what = f"booked until paid{', its push lost' if lost else ''}"
        if self._bounds.exceeded(what, took_s, event, (LOST_SEEN_WITHIN_S if lost else SEEN_WITHIN_S) + TOLERANCE_S):
            raise Violation(f"{what}: {took_s:.1f} s", payment_id=payment["id"])

    def _judge_grant(self, kind: str, event: sqlite3.Row, before: Row, grant: Row) -> None:
        payment_id = grant["payment_id"]
        if kind == "owed":
            self._judge_sale(grant)
        if grant["state"] == "active" and abs(grant["ends_at_s"] - grant["starts_at_s"] - window_s(grant)) > A_MOMENT_S:
            raise Violation(f"grant {grant['id']} does not last as long as was bought", payment_id=payment_id)  # 4
        if kind == "hand_over":
            self._judge_move(before, grant)
        if kind == "confirm" and grant["state"] == "active":
            has_run_s = max(0.0, event["at_s"] - grant["starts_at_s"])  # of one that was found again on the router
            self._confirmed_after_s[grant["id"]] = self.looked_at_s - has_run_s
            self._noted_at_s[grant["id"]] = event["at_s"]
            if before["version"] == 0:  # not one that has moved, was given time back, or whose phone was away
                took_s = event["at_s"] - grant["created_at_s"]
                within_s = SERVED_WITHIN_S + TOLERANCE_S + (self._bounds.mending_s if self._took_over(grant) else 0.0)
                if self._bounds.exceeded("paid until online", took_s, event, within_s):
                    raise Violation(f"paid, and let through after {took_s:.1f} s", payment_id=payment_id)  # 3
        if kind == "shut" and grant["ended_because"] == "time":
            late_s = event["at_s"] - max(grant["ends_at_s"], self._noted_at_s.get(grant["id"], 0.0))
            if self._bounds.exceeded("due until shut out", late_s, event, OVER_WITHIN_S + TOLERANCE_S):
                raise Violation(f"grant {grant['id']} was closed {late_s:.1f} s late", payment_id=payment_id)  # 6

    def _judge_end(self, event: sqlite3.Row, before: Row, grant: Row) -> None:
        """What was bought was given, in true time, whatever the gateway's clock says (4, 6)."""
        grant_id, payment_id = grant["id"], grant["payment_id"]
        began_after_s = self._confirmed_after_s.get(grant_id)
        given_s = self._world.now_s - (began_after_s or 0.0)
        if began_after_s is not None and given_s < window_s(grant) - STEPS_S:
            raise Violation(f"grant {grant_id} was ended after {given_s:.0f} of {window_s(grant):.0f} s", payment_id=payment_id)
        early_s = before["ends_at_s"] - event["at_s"]
        if early_s > A_MOMENT_S:
            raise Violation(f"grant {grant_id} was ended {early_s:.1f} s early", payment_id=payment_id)

    def _judge_move(self, before: Row, grant: Row) -> None:
        """A grant that goes to another device loses what has run of it, in true time, and nothing else (4)."""
        ran_s = self._world.now_s - self._confirmed_after_s.get(grant["id"], self._world.now_s)
        lost_s = grant["used_s"] - before["used_s"]
        if lost_s > ran_s + STEPS_S:
            raise Violation(f"grant {grant['id']} lost {lost_s:.0f} s of which {ran_s:.0f} s ran", payment_id=grant["payment_id"])

    def _judge_sale(self, grant: Row) -> None:
        """No access without money, for as long as was bought (3, 4, 5, 10)."""
        payment = self._replica.payments[grant["payment_id"]]
        if payment["state"] != "paid":
            raise Violation(f"a grant for a payment that is {payment['state']}", payment_id=payment["id"])
        if any(other["payment_id"] == payment["id"] and other["id"] != grant["id"] for other in self._replica.grants.values()):
            raise Violation("two grants for one payment", payment_id=payment["id"])
        if grant["duration_s"] != DURATION_S[payment["package_id"]] or payment["duration_s"] != grant["duration_s"]:
            raise Violation("the grant is not as long as the package", payment_id=payment["id"])
        invoice = self._world.intasend.invoices.get(payment["invoice_id"])
        if invoice is None or not self.pays(invoice, payment):
            raise Violation(f"granted for invoice {payment['invoice_id']}, which did not pay it", payment_id=payment["id"])
