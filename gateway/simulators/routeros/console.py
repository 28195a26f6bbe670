"""From the words of one sentence to the rows of its answer: is there such a command, may this user run it, what does it give.

No bytes and no connection. `listen` and the API's own commands (`/login`, `/quit`, `/cancel`) belong to `connection`.
"""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.directory import Request, read_id
from gateway.simulators.routeros.machine import Machine
from gateway.simulators.routeros.menus import directories
from gateway.simulators.routeros.properties import READ_ONLY
from gateway.simulators.routeros.query import Key, matches
from gateway.simulators.routeros.schema import DIRECTORIES, EMPTY_REPLY, MENUS, Menu, commands
from gateway.simulators.routeros.tables import Row

_READING = frozenset({"print", "getall", "listen", "find", "get"})
_PRINTING = frozenset({"print", "getall", "listen"})


@dataclass(frozen=True, slots=True)
class Command:
    """One sentence from a client."""

    path: str
    arguments: dict[str, str]
    queries: tuple[str, ...]
    tag: str | None

    @classmethod
    def parse(cls, words: list[str]) -> "Command":
        """Sort the words by kind (facts, routeros 1.3). A word of no known kind counts as an argument without a name."""
        arguments: dict[str, str] = {}
        tag = None
        for word in words[1:]:
            if word.startswith(".tag="):
                tag = word[5:] or None
            elif not word.startswith("?"):
                name, _, value = word.removeprefix("=").partition("=")
                arguments[name if word.startswith("=") else word] = value
        return cls(words[0], arguments, tuple(word for word in words[1:] if word.startswith("?")), tag)

    @property
    def menu(self) -> str:
        """The directory that the command is in."""
        return self.path.rpartition("/")[0]

    @property
    def verb(self) -> str:
        """The command's own name."""
        return self.path.rpartition("/")[2]

    @property
    def follows(self) -> bool:
        """Whether it goes on for ever, telling what changes."""
        if "follow" in self.arguments or "follow-only" in self.arguments:
            return self.verb in _PRINTING
        return self.verb == "listen"

    def __str__(self) -> str:
        return " ".join([self.path, *(f"={name}={value}" for name, value in self.arguments.items()), *self.queries])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gives: rows for `!re`, the value after `=ret=`, and whether to say `!empty`."""

    rows: list[Row] = field(default_factory=list)
    ret: str | None = None
    empty: bool = False


class Console:
    """Runs commands on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._commands = commands(machine.version)
        self.directories = directories(machine)

    async def run(self, command: Command, policies: frozenset[str]) -> Answer:
        """Execute one command. Raises Trap with the router's words when it refuses."""
        request = self.check(command, policies)
        self._machine.hotspot.settle()
        if command.verb in _PRINTING:
            return self._print(command, request)
        if command.verb == "find":
            return Answer(ret=";".join(row[".id"] for row in self._visible(command.menu, policies)))
        if command.verb == "get":
            return self._get(command.menu, request)
        done = self.directories[command.menu].verbs[command.verb](request)
        return Answer(ret=await done if isinstance(done, Awaitable) else done)

    def check(self, command: Command, policies: frozenset[str]) -> Request:
        """Whether this version has the command and its arguments, and the user the right to it. Raises Trap."""
        known = self._commands.get(command.path)
        if known is None:
            raise traps.no_such_command(command.path, DIRECTORIES)
        needed = {MENUS[command.menu].policy, "read" if command.verb in _READING else "write"}
        if not needed - {None} <= policies:
            raise traps.not_permitted()
        arguments = {_console_name(name, known): value for name, value in command.arguments.items()}
        for name in arguments:
            if name not in known and not (name == ".proplist" and command.verb in _PRINTING):
                raise traps.unknown_parameter(name)
        return Request(arguments, policies)

    def rows(self, command: Command, policies: frozenset[str]) -> list[Row]:
        """The rows that a print would give now."""
        self._machine.hotspot.settle()
        rows = self._visible(command.menu, policies)
        if not command.queries:
            return rows
        key = _sort_key(MENUS[command.menu])
        return [row for row in rows if matches(command.queries, row, key)]

    def _print(self, command: Command, request: Request) -> Answer:
        rows = self.rows(command, request.policies)
        if "count-only" in request.arguments:
            return Answer(ret=str(len(rows)))
        wanted = proplist(request.arguments)
        empty = not rows and self._machine.version >= EMPTY_REPLY
        return Answer([project(row, wanted) for row in rows], empty=empty)

    def _get(self, menu: str, request: Request) -> Answer:
        rows = self._visible(menu, request.policies)
        if not MENUS[menu].singleton:
            (row_id,) = map(read_id, request.need("number"))
            rows = [row for row in rows if row[".id"] == row_id]
        if not rows:
            raise traps.no_such_item()
        (name,) = request.need("value-name")
        if name not in rows[0] and name not in MENUS[menu].columns:
            raise traps.no_match("value-name")
        return Answer(ret=rows[0].get(name, ""))

    def _visible(self, menu: str, policies: frozenset[str]) -> list[Row]:
        """The rows without what this user may not see."""
        rows = self.directories[menu].rows()
        secret = _secret(menu)
        if "sensitive" in policies or not secret:
            return rows
        return [{name: text for name, text in row.items() if name not in secret} for row in rows]


@cache
def _secret(menu: str) -> frozenset[str]:
    return frozenset(name for name, known in MENUS[menu].columns.items() if known.secret)


def proplist(arguments: Mapping[str, str]) -> frozenset[str] | None:
    """The properties that are asked for; None for all."""
    text = arguments.get(".proplist") or arguments.get("proplist")
    return frozenset(text.split(",")) if text else None


def project(row: Row, wanted: Iterable[str] | None) -> Row:
    """Only the wanted properties; one that the row lacks is left out (facts, routeros 1.4)."""
    return row if wanted is None else {name: text for name, text in row.items() if name in wanted}


def _console_name(name: str, known: frozenset[str]) -> str:
    """`.id` is what the API calls `numbers`, or `number` where there can be one only (facts, routeros 1.8)."""
    if name != ".id":
        return name
    return next((alias for alias in ("numbers", "number") if alias in known), name)


def _sort_key(menu: Menu) -> Key:
    def key(name: str, text: str) -> object:
        column = menu.columns.get(name)
        kind = column.kind if column else READ_ONLY.get(name)
        return kind.key(text) if kind else text

    return key
