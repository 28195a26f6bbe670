"""Rules that need the running code: the state machines decide every cell, and a secret never prints.

Each takes the object in question, so that it can be tried on a faulty one.
"""

import copy
import importlib
import itertools
import traceback
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any

from tests.architecture.source import Tree, python


def machines(tree: Tree) -> list[ModuleType]:
    """The modules of the product that hold a transition table."""
    return [
        importlib.import_module(source.module)
        for source in python(tree, "gateway/*")
        if {"TRANSITIONS", "IGNORED", "ILLEGAL"} <= {node.id for node in source.nodes if hasattr(node, "id")}
    ]


def faults_of_machine(machine: Any) -> list[str]:
    """★ 2: every (state, event) cell is in exactly one of the three sets, and `advance` does what the set says."""
    states, events = _alphabet(machine)
    product = list(itertools.product(states, events))
    outside = {*machine.TRANSITIONS, *machine.IGNORED, *machine.ILLEGAL} - set(product)
    return [f"{cell} is no cell" for cell in sorted(outside, key=str)] + [
        fault for cell in product for fault in _faults_of_cell(machine, cell)
    ]


def _faults_of_cell(machine: Any, cell: tuple[Enum, Enum]) -> list[str]:
    name = " + ".join(part.value for part in cell)
    homes = [table for table in ("TRANSITIONS", "IGNORED", "ILLEGAL") if cell in getattr(machine, table)]
    if len(homes) != 1:
        return [f"{name} is decided in {homes or 'no set'}; it must be in exactly one"]
    try:
        outcome = machine.advance(*cell)
    except machine.IllegalTransition:
        outcome = None
    wanted = {"TRANSITIONS": machine.TRANSITIONS.get(cell), "IGNORED": cell[0], "ILLEGAL": None}[homes[0]]
    return [] if outcome is wanted else [f"{name} is in {homes[0]} and ends in {outcome}, not in {wanted}"]


def unreachable_states(machine: Any) -> list[str]:
    """A state that nothing leads to, other than the first one, is a word without meaning."""
    _first, *others = _alphabet(machine)[0]
    return [state.value for state in others if state not in machine.TRANSITIONS.values()]


def _alphabet(machine: Any) -> tuple[list[Enum], list[Enum]]:
    """All states and all events, in the order of their definition."""
    states, events = (type(part) for part in next(iter(machine.TRANSITIONS)))
    return list(states.__members__.values()), list(events.__members__.values())


def ways_to_see(secret_type: type) -> list[str]:
    """★ 16: every way of printing that shows the text of a secret."""
    text = "3f9a-only-for-the-provider"
    secret = secret_type(text)
    printed = {
        "repr": repr(secret),
        "str": str(secret),
        "format": f"{secret}",
        "percent": "%s" % secret,  # noqa: UP031 - what logging does
        "in a list": str([secret]),
        "in a record": repr(_Record(secret)),
        "in a copy": repr(copy.copy(secret)),
        "in an exception": "".join(traceback.format_exception_only(ValueError(secret))),
    }
    return [way for way, shown in printed.items() if text in shown]


@dataclass(frozen=True)
class _Record:
    secret: object
