"""What stands behind a menu, as a shape: the rows that it shows now and the commands that it runs; and one command's arguments.

Knows no menu: `menus` and `system_menus` fill the shape in.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.tables import Row

_ID = re.compile(r"\*[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class Request:
    """One command with its checked arguments; `.id` has become `numbers` or `number`."""

    arguments: Mapping[str, str]
    policies: frozenset[str]

    @property
    def ids(self) -> list[str]:
        """The rows that are meant. Raises the traps for none and for what is no id (facts, routeros 1.8)."""
        name = "number" if "number" in self.arguments else "numbers"
        if name not in self.arguments:
            raise traps.missing_arguments([".id"])
        return [read_id(text) for text in self.arguments[name].split(",")]

    @property
    def values(self) -> dict[str, str]:
        """The arguments without the ids."""
        return {name: text for name, text in self.arguments.items() if name != "numbers"}

    def need(self, *names: str) -> list[str]:
        """The values of arguments that must be there."""
        missing = [name for name in names if name not in self.arguments]
        if missing:
            raise traps.missing_arguments(missing)
        return [self.arguments[name] for name in names]


Verb = Callable[[Request], str | Awaitable[str | None] | None]
"""Runs a command; gives what stands after `=ret=`, or nothing; only what meets the network has to be awaited."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One menu: its rows now, and its commands other than those that only read."""

    rows: Callable[[], list[Row]]
    verbs: Mapping[str, Verb] = field(default_factory=dict)


def read_id(text: str) -> str:
    """An id in the router's spelling. Raises the traps for none and for a malformed one."""
    if not text:
        raise traps.no_such_item()
    if not _ID.fullmatch(text):
        raise traps.invalid_id()
    return text.upper()
