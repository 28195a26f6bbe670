"""Tells what happened to the customer whom a violation hurt: what he did, what was promised to him, what the gateway wrote down."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.simulation.clocks import EPOCH_S
from tests.simulation.run import Result

_EVENT = re.compile(r"\d+ (?P<kind>\S+) (?P<payment_id>\S+) (?P<at_s>\S+) (?P<data>.*)", re.DOTALL)

_OF_A_CUSTOMER = re.compile(r" *[\d.]+  (customer \d|M-Pesa )")
_TELLING = (
    "state",
    "duration_s",
    "starts_at_s",
    "ends_at_s",
    "ended_because",
    "invoice_id",
    "provider_state",
    "failed_reason",
    "mac",
)


def story(result: Result) -> str:
    """The report of a failure, ready to be printed."""
    plan = result.plan
    conditions = f"{plan.way} on RouterOS {plan.version}, {'webhooks' if plan.webhooks else 'polling only'}, pace {plan.pace:g}"
    return "\n".join(
        [
            f"seed {plan.seed} ({plan.size}): {result.violation}",
            f"conditions: {conditions}",
            "faults:",
            *(f"  {entry}" for entry in plan.faults),
            "visits:",
            *(f"  {entry}" for entry in plan.visits),
            "what happened:",
            *(f"  {line}" for line in _timeline(result)),
            *([] if isinstance(result.fault, AssertionError) else [result.trace]),
        ]
    )


def _timeline(result: Result) -> list[str]:
    """The journal and the events in one, by time; with whom it hurt, only what concerns him and what concerns everybody."""
    marks = _marks(result)
    told = [(float(line[:10]), line) for line in result.journal if _concerns(line, marks)]
    written = [(at_s, line) for at_s, line, payment_id in _events(result) if not marks or payment_id in marks]
    return [line for _, line in sorted([*told, *written], key=lambda item: item[0])]


def _marks(result: Result) -> set[str]:
    """By what the customer is known in the journal: MACs, phone, invoices, payments."""
    payment_id, mac = getattr(result.fault, "payment_id", None), getattr(result.fault, "mac", None)
    marks = {mark for mark in (payment_id, mac) if mark}
    for line in result.events:
        if any(mark in line for mark in marks):
            _, payment_id, _, data = _parsed(line)
            changes = data.get("set", {})
            marks |= {payment_id, *(str(changes[name]) for name in ("invoice_id", "mac") if changes.get(name))}
            marks |= {str(changes["phone"]).lstrip("+")} if changes.get("phone") else set()
    return marks


def _concerns(line: str, marks: set[str]) -> bool:
    about_somebody = _OF_A_CUSTOMER.search(line)
    return not marks or not about_somebody or any(mark in line for mark in marks)


def _events(result: Result) -> Iterator[tuple[float, str, str]]:
    """Each event of a payment as a line, with the time of the run and whose it is."""
    for line in result.events:
        kind, payment_id, at_s, data = _parsed(line)
        changes = data.get("set", {})
        facts = {name: changes[name] for name in _TELLING if changes.get(name) is not None}
        for name in {"starts_at_s", "ends_at_s"} & facts.keys():
            facts[name] = round(facts[name] - EPOCH_S, 1)
        if payment_id != "None":
            yield at_s - EPOCH_S, f"{at_s - EPOCH_S:10.3f}      written: {kind} {facts}", payment_id


def _parsed(line: str) -> tuple[str, str, float, dict[str, Any]]:
    """Kind, payment, time and data of an event."""
    match = _EVENT.fullmatch(line)
    assert match is not None, line
    return match["kind"], match["payment_id"], float(match["at_s"]), json.loads(match["data"])
