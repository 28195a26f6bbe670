"""What happens in a run, drawn up front: who comes when and what goes wrong when.

Owns chance. Each entry has a number of its own, from which everything else about it is drawn: taking one out of a plan leaves all
the others as they were, which is what makes a failure small enough to be understood.
"""

import random
from dataclasses import dataclass, replace
from typing import Any

from tests.simulation.faults import KINDS


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happens: a customer's visit, an operator's act, or a fault."""

    number: int
    at_s: float
    """Seconds from the beginning of the run."""
    kind: str
    who: int = 0
    """The customer's number, for visits."""
    for_s: float = 0.0
    """How long a fault lasts."""

    def __str__(self) -> str:
        who = f" of customer {self.who}" if self.who else ""
        lasts = f" for {self.for_s:.0f} s" if self.for_s else ""
        return f"#{self.number} at {self.at_s:.0f} s: {self.kind}{who}{lasts}"


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens in a run."""

    hours: float
    """How long people come and things go wrong."""
    calm_hours: float
    """How long all is well afterwards: everything has to have come right by then."""
    customers: int
    visits: int
    faults: int


SHORT = Size(hours=0.4, calm_hours=0.7, customers=3, visits=2, faults=3)
"""For the test suite: a moment, in which more comes together than in a year of a kiosk."""
TYPICAL = Size(hours=120.0, calm_hours=2.0, customers=20, visits=40, faults=20)
"""Five days and nights of a kiosk that sells eight times a day, in which something goes wrong four times a day."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before a run begins."""

    seed: int
    size: Size
    visits: tuple[Entry, ...]
    faults: tuple[Entry, ...]
    pace: float
    """By how much the gateway's background rhythm is slowed; 1 is production's."""
    way: str
    webhooks: bool
    version: str
    moves_limits: bool
    """Whether the router applies a changed limit to a running login (facts, routeros 9.1: versions differ)."""
    probe: bool
    """Whether the uplink is watched (`server.uplink_probe`)."""

    def only(self, visits: "tuple[Entry, ...] | None" = None, faults: "tuple[Entry, ...] | None" = None) -> "Plan":
        """The same with fewer entries."""
        return replace(self, visits=self.visits if visits is None else visits, faults=self.faults if faults is None else faults)


PACES = (12.0, 40.0)
PRODUCTION_EVERY = 20
"""Every so many seeds one runs at the rhythm of production. An idle gateway does little but feel its router's pulse: slowing that
down is what makes a thousand simulated hours affordable, and the bounds that depend on it are widened by the same factor."""
PRODUCTION = Size(hours=6.0, calm_hours=2.0, customers=20, visits=5, faults=3)
"""Such a run, where the others last days: its pulses cost more than everything that happens."""

VISITS = {
    "buy": 10, "buy and poll": 4, "double tap": 2, "another device": 1, "hang up": 2, "new address": 1, "swapped addresses": 1,
    "new MAC": 1, "leave and return": 2, "extend": 3, "use up data": 2, "pay link": 2, "without MAC": 1,
    "portal": 6, "claim": 2, "log out": 2, "watch": 4, "same key": 4, "refund": 3,
    "operator revokes": 1, "operator extends": 1, "operator reloads": 1,
}  # fmt: skip
"""What people do, and how often in comparison."""


def draw(seed: int, size: Size) -> Plan:
    """The plan of a seed."""
    rng = random.Random(f"{seed}/plan")
    pace = 1.0 if seed % PRODUCTION_EVERY == 0 else PACES[seed % len(PACES)]
    size = PRODUCTION if pace == 1.0 and size.hours > PRODUCTION.hours else size
    span_s = size.hours * 3_600
    return Plan(
        seed=seed,
        size=size,
        visits=tuple(_visit(rng, 1 + number, size, span_s) for number in range(size.visits)),
        faults=_faults(rng, size, span_s),
        pace=pace,
        way="binding" if rng.random() < 0.15 else "user",
        webhooks=rng.random() < 0.7,
        version=rng.choice(("7.20.8", "7.20.8", "7.10.2", "6.49.10")),
        moves_limits=rng.random() < 0.3,
        probe=rng.random() < 0.5,
    )


def _visit(rng: random.Random, number: int, size: Size, span_s: float) -> Entry:
    kind = rng.choices(list(VISITS), list(VISITS.values()))[0]
    return Entry(number, round(rng.uniform(5, span_s), 3), kind, who=rng.randint(1, size.customers))


def _faults(rng: random.Random, size: Size, span_s: float) -> tuple[Entry, ...]:
    """Some by themselves, some in swarms: what goes wrong together is what nobody thought of."""
    drawn: list[Entry] = []
    number = 1_000
    while len(drawn) < size.faults:
        at_s = rng.uniform(5, span_s)
        for _ in range(rng.choice((1, 1, 2, 4))):
            number += 1
            kind = rng.choices(list(KINDS), [known.weight for known in KINDS.values()])[0]
            for_s = round(rng.choice((0.3, 1.0, 1.0)) * rng.uniform(1, KINDS[kind].longest_s), 3) if KINDS[kind].longest_s else 0.0
            drawn.append(Entry(number, round(at_s + rng.uniform(0, 120), 3), kind, for_s=min(for_s, span_s / 3)))
    return tuple(drawn[: size.faults])


def parameters(seed: int, entry: Entry) -> Any:
    """Whatever else is to be drawn about an entry."""
    return random.Random(f"{seed}/{entry.number}")
