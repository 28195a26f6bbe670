"""Debts in the database: money that is to be given back. Every change writes its event in the same transaction."""

import sqlite3
from dataclasses import fields, replace
from typing import Any

from gateway.debts import Debt, DebtEvent, DebtState, Why, advance
from gateway.identity import Money
from gateway.payments import INTASEND, Payment
from gateway.store import events
from gateway.store import payments as payment_rows
from gateway.store.table import Row, Table

_DEBTS = Table(
    "debt",
    "id payment_id owner_id invoice_id why state due_since_s updated_at_s amount_cents requested_at_s refund_id provider_state "
    "refusal version",
)
_SELECT = _DEBTS.select

_OWED = """
    SELECT g.payment_id FROM access_grant AS g JOIN payment AS p ON p.id = g.payment_id
    WHERE g.state IN ('owed', 'unclaimed') AND g.used_s = 0 AND g.compensated_s = 0 AND p.paid_at_s <= :paid_before_s
    UNION ALL
    SELECT payment_id FROM access_grant INDEXED BY grant_never_served
    WHERE state = 'revoked' AND starts_at_s IS NULL AND used_s = 0 AND compensated_s = 0
    UNION ALL
    SELECT id FROM payment INDEXED BY payment_disputed WHERE state = 'disputed'
"""
"""Paid long ago and nobody ever passed by it; taken back before anybody passed; paid, but not what was asked for."""


def undeclared(tx: sqlite3.Connection, paid_before_s: float) -> list[str]:
    """The payments whose own money is owed back by now and of which that is not noted yet."""
    rows = tx.execute(
        f"SELECT payment_id FROM ({_OWED}) AS found WHERE NOT EXISTS "  # noqa: S608 - a constant
        "(SELECT 1 FROM debt WHERE debt.payment_id = found.payment_id AND debt.why <> 'surplus')",
        {"paid_before_s": paid_before_s},
    )
    return [row["payment_id"] for row in rows]


def undeclared_surplus(tx: sqlite3.Connection) -> list[tuple[str, str]]:
    """Invoices that paid a link once more and of which that is not noted yet: payment and invoice."""
    rows = tx.execute(
        "SELECT payment_id, invoice_id FROM surplus AS s WHERE NOT EXISTS "
        "(SELECT 1 FROM debt WHERE debt.payment_id = s.payment_id AND debt.invoice_id = s.invoice_id) ORDER BY at_s"
    )
    return [(row["payment_id"], row["invoice_id"]) for row in rows]


def served(tx: sqlite3.Connection) -> list[Debt]:
    """Debts that nobody has asked back and whose grant was let through after all."""
    rows = tx.execute(
        f"{_SELECT} WHERE state = 'due' AND why = 'undelivered' AND EXISTS "  # noqa: S608 - a constant
        "(SELECT 1 FROM access_grant AS g WHERE g.payment_id = debt.payment_id AND (g.starts_at_s IS NOT NULL OR g.used_s > 0))"
    )
    return [_debt(row) for row in rows]


def insert(tx: sqlite3.Connection, debt: Debt) -> Debt:
    """Note a debt; the database refuses a second one for the same money."""
    _tell(tx, debt, "refund.due", _DEBTS.insert(tx, _row(debt)))
    return debt


def change(tx: sqlite3.Connection, debt: Debt, event: DebtEvent, at_s: float, **facts: Any) -> Debt:
    """Let an event happen to a debt. Raises IllegalTransition, and Conflict when somebody else changed it since it was read."""
    after = replace(debt, state=advance(debt.state, event), updated_at_s=at_s, version=debt.version + 1, **facts)
    if replace(after, updated_at_s=debt.updated_at_s, version=debt.version) == debt:
        return debt  # nothing is written, the card lives longer
    _tell(tx, after, f"refund.{event.value}", _DEBTS.update(tx, _row(debt), _row(after)))
    return after


def of_payment(tx: sqlite3.Connection, payment_id: str) -> list[Debt]:
    """What is, or was, owed back for a payment, oldest first."""
    rows = tx.execute(f"{_SELECT} WHERE payment_id = ? ORDER BY due_since_s, id", (payment_id,))
    return [_debt(row) for row in rows]


def paid_by(tx: sqlite3.Connection, invoice_id: str) -> Payment | None:
    """The payment that an invoice has paid, if only once more."""
    paid = (
        "SELECT id FROM payment WHERE provider = ?1 AND invoice_id = ?2 UNION SELECT payment_id FROM surplus WHERE invoice_id = ?2"
    )
    return next(iter(payment_rows.several(tx, f"id IN ({paid})", INTASEND, invoice_id)), None)


def counts(tx: sqlite3.Connection) -> dict[str, int]:
    """How many debts there are in each state."""
    found = dict.fromkeys((state.value for state in DebtState), 0)
    return found | {row[0]: row[1] for row in tx.execute("SELECT state, count(*) FROM debt GROUP BY state")}


def _tell(tx: sqlite3.Connection, debt: Debt, kind: str, written: Row) -> None:
    events.append(tx, kind, debt.updated_at_s, owner_id=debt.owner_id, payment_id=debt.payment_id, data={"set": written})


def _row(debt: Debt) -> Row:
    return {field.name: getattr(debt, field.name) for field in fields(debt)} | {
        "why": debt.why.value,
        "state": debt.state.value,
        "amount_cents": debt.amount.cents if debt.amount else None,
    }


def _debt(row: sqlite3.Row) -> Debt:
    facts = dict(row)
    amount_cents = facts.pop("amount_cents")
    return Debt(
        why=Why(facts.pop("why")),
        state=DebtState(facts.pop("state")),
        amount=None if amount_cents is None else Money(amount_cents),
        **facts,
    )
