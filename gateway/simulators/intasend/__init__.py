"""A simulated IntaSend: the HTTP API that the gateway uses, with phones, M-Pesa, webhooks and a bad network behind it.

Reading order: `outcomes`, `invoices` (what happens), `account` (to whom), `shapes` (as JSON), `api`, `links`, `webhooks` (over
HTTP), `faults` (what goes wrong on the way), `server`. The contract is that of the facts, payments 6.
"""

from gateway.simulators.intasend.faults import (
    Endpoint,
    Faults,
    drips,
    empty,
    fails_with,
    hang,
    hang_after,
    reset_after,
    reset_before,
    wrong_types,
)
from gateway.simulators.intasend.invoices import Invoice, Order, Prompt
from gateway.simulators.intasend.links import PageClosed
from gateway.simulators.intasend.outcomes import OUTCOMES, Outcome
from gateway.simulators.intasend.server import SimulatedIntaSend

__all__ = [
    "OUTCOMES",
    "Endpoint",
    "Faults",
    "Invoice",
    "Order",
    "Outcome",
    "PageClosed",
    "Prompt",
    "SimulatedIntaSend",
    "drips",
    "empty",
    "fails_with",
    "hang",
    "hang_after",
    "reset_after",
    "reset_before",
    "wrong_types",
]
