"""Reads statements.

As on a router, commands, menus and parameters are looked up while reading: what a version does not have is an error of the whole
text, which no `on-error` catches (facts, routeros 1.9).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.simulators.routeros.schema import SLASHED_PATHS, Version
from gateway.simulators.routeros.scripting.cursor import Cursor, ScriptError
from gateway.simulators.routeros.scripting.expressions import ExpressionReader
from gateway.simulators.routeros.scripting.syntax import (
    Block,
    Builtin,
    Expression,
    Function,
    Invocation,
    Literal,
    MenuCommand,
    Statement,
    Substitution,
)

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?:/[A-Za-z0-9-]+)*")
_NAMED = re.compile(r"(\.?[A-Za-z][A-Za-z0-9-]*)=")
_VARIABLES = re.compile(r'\$?(?:"[^"\n]+"|[A-Za-z0-9]+(?:,[A-Za-z0-9]+)?)')
_ENDS = {"", "]", ")", "}", ";", "\n"}

_BLOCKS = frozenset({"do", "else", "on-error"})
BUILTINS: Mapping[str, tuple[int, frozenset[str]]] = {
    "put": (1, frozenset({"message"})), "local": (2, frozenset({"do"})), "global": (2, frozenset({"do"})),
    "set": (2, frozenset({"do"})), "if": (1, frozenset({"do", "else"})), "foreach": (1, frozenset({"in", "do"})),
    "for": (1, frozenset({"from", "to", "step", "do"})), "while": (1, frozenset({"do"})),
    "do": (1, frozenset({"while", "on-error"})), "error": (1, frozenset()), "return": (1, frozenset()), "delay": (1, frozenset()),
    "log": (2, frozenset({"message"})), "len": (1, frozenset()), "pick": (3, frozenset()), "find": (3, frozenset()),
    "tonum": (1, frozenset()), "tostr": (1, frozenset()), "totime": (1, frozenset()), "toip": (1, frozenset()),
    "toarray": (1, frozenset()), "tobool": (1, frozenset()), "typeof": (1, frozenset()), "parse": (1, frozenset()),
    "nothing": (0, frozenset()), "timestamp": (0, frozenset()),
}  # fmt: skip
"""How many values without a name each takes, and which names."""

_SINCE_7 = frozenset({"timestamp"})

POSITIONAL: Mapping[str, tuple[str, ...]] = {
    "set": ("numbers",), "remove": ("numbers",), "enable": ("numbers",), "disable": ("numbers",), "comment": ("numbers", "comment"),
    "get": ("number", "value-name"), "move": ("numbers", "destination"), "unset": ("numbers", "value-name"), "run": ("number",),
    "sign": ("number",), "reset-counters": ("numbers",), "reset-html": ("numbers",), "make-binding": ("numbers",),
    "debug": ("message",), "info": ("message",), "warning": ("message",), "error": ("message",), "fetch": ("url",),
}  # fmt: skip
"""What the values without a name mean, by command."""


@dataclass(frozen=True, slots=True)
class Language:
    """What one version knows."""

    version: Version
    commands: Mapping[str, frozenset[str]]
    """Each command's path with its arguments."""
    columns: Mapping[str, Collection[str]]
    """Each menu's properties."""
    singletons: Collection[str]

    def has_menu(self, path: str) -> bool:
        """Whether that leads to commands."""
        return any(command.startswith(f"{path}/") for command in self.commands)


class Parser:
    """One text."""

    def __init__(self, text: str, language: Language) -> None:
        self._cursor = Cursor(text)
        self._language = language
        self._expressions = ExpressionReader(self._cursor, self._body)
        self._menu = ""

    def whole(self) -> Block:
        """Everything. Raises ScriptError."""
        return Block(tuple(iter(self.next, None)))

    def next(self) -> Statement | None:
        """The next statement; None at the end. Raises ScriptError."""
        while True:
            self._cursor.skip_gaps()
            if not self._cursor.rest:
                return None
            statement = self._statement()
            if statement is not None:
                self._end_of_statement()
                return statement

    # Statements

    def _body(self, closing: str) -> Block:
        """Statements up to a closing bracket; a change of the menu ends with it."""
        menu = self._menu
        statements: list[Statement] = []
        self._cursor.skip_gaps()
        while not self._cursor.take(closing):
            if not self._cursor.rest:
                self._cursor.need(closing)
            statement = self._statement()
            if statement is not None:
                statements.append(statement)
            self._end_of_statement()
            self._cursor.skip_gaps()
        self._menu = menu
        return Block(tuple(statements))

    def _end_of_statement(self) -> None:
        self._cursor.skip_blanks()
        if self._cursor.rest not in _ENDS:
            raise self._cursor.error("expected end of command")

    def _statement(self) -> Statement | None:
        """One statement; None for a line that only changes the menu."""
        cursor = self._cursor
        if cursor.take("{"):
            return self._body("}")
        if cursor.take(":"):
            return self._builtin()
        if cursor.rest in {"$", "["}:
            return self._invocation()
        return self._menu_command()

    def _builtin(self) -> Builtin:
        start = self._cursor.at
        name = self._cursor.match(_WORD) or ""
        if name not in BUILTINS or (name in _SINCE_7 and self._language.version < SLASHED_PATHS):
            raise self._cursor.error(f"bad command name {name}", start)
        count, names = BUILTINS[name]
        bare = name in {"local", "global", "set", "foreach", "for", "log"}
        positional, named = self._arguments(name, count, names, variable_first=bare and name != "log")
        if name == "do" and positional:
            named, positional = {"do": positional[0], **named}, ()
        return Builtin(name, positional, named)

    def _invocation(self) -> Invocation:
        callee = self._expressions.argument()
        positional, named = self._arguments("", len(self._cursor.text), None)
        if isinstance(callee, Substitution) and (positional or named):
            raise self._cursor.error("expected end of command")
        return Invocation(callee, positional, named)

    def _arguments(
        self, command: str, count: int, names: Collection[str] | None, *, variable_first: bool = False
    ) -> tuple[tuple[Expression, ...], dict[str, Expression]]:
        """Values with and without names up to the end of the command; `names` None takes any name."""
        positional: list[Expression] = []
        named: dict[str, Expression] = {}
        while self._more():
            found = self._cursor.peek(_NAMED)
            if found is not None:
                if names is not None and found[1] not in names:
                    raise self._unknown(found[1])
                self._cursor.at = found.end()
                named[found[1]] = self._value(found[1])
            elif len(positional) == count:
                raise self._cursor.error("expected end of command")
            elif variable_first and not positional:
                positional.append(self._variable_names())
            else:
                positional.append(self._value("do" if command == "do" else ""))
        return tuple(positional), named

    def _variable_names(self) -> Expression:
        """The name of a variable, or two for `foreach key,value`."""
        name = self._cursor.match(_VARIABLES)
        if name is None:
            raise self._cursor.syntax_error()
        return Literal(name.lstrip("$").strip('"'))

    def _value(self, name: str) -> Expression:
        if name in _BLOCKS and self._cursor.rest == "{":
            self._cursor.take("{")
            return Function(self._body("}"))
        return self._expressions.argument()

    def _more(self) -> bool:
        self._cursor.skip_blanks()
        return self._cursor.rest not in _ENDS

    # Menus

    def _menu_command(self) -> MenuCommand | None:
        """A command of a menu, or a step into one."""
        menu = "" if self._cursor.take("/") else self._menu
        while True:
            self._cursor.skip_blanks()
            if self._cursor.rest in _ENDS:
                self._menu = menu
                return None
            start = self._cursor.at
            word = self._path_word()
            for part in word.split("/"):
                if f"{menu}/{part}" in self._language.commands and not self._language.has_menu(f"{menu}/{part}"):
                    return self._verb(menu, part)
                if not self._language.has_menu(f"{menu}/{part}"):
                    raise self._cursor.error(f"bad command name {part}", start)
                menu = f"{menu}/{part}"

    def _path_word(self) -> str:
        """The next part of a path; before version 7 there are no slashes between parts."""
        self._cursor.take("/")
        start = self._cursor.at
        word = self._cursor.match(_PATH)
        if word is None:
            raise self._cursor.syntax_error()
        if "/" in word and self._language.version < SLASHED_PATHS:
            raise self._cursor.error(f"bad command name {word}", start)
        return word

    def _verb(self, menu: str, verb: str) -> MenuCommand:
        """A command's arguments; what stands in `[…]` among them begins in the command's own menu."""
        outer, self._menu = self._menu, menu
        command = self._command(menu, verb)
        self._menu = outer
        return command

    def _command(self, menu: str, verb: str) -> MenuCommand:
        known = self._language.commands[f"{menu}/{verb}"]
        if verb == "find":
            return MenuCommand(menu, verb, where=self._where(menu, has_word=self._take_where()))
        order = [name for name in POSITIONAL.get(verb, ()) if name in known]
        named: dict[str, Expression] = {}
        flags: set[str] = set()
        while self._more():
            if verb == "print" and self._take_where():
                return MenuCommand(menu, verb, named, frozenset(flags), self._where(menu, has_word=True))
            self._parameter(known, order, named, flags if verb == "print" else None)
        return MenuCommand(menu, verb, named, frozenset(flags))

    def _parameter(self, known: frozenset[str], order: list[str], named: dict[str, Expression], flags: set[str] | None) -> None:
        """One argument of a menu's command."""
        found = self._cursor.peek(_NAMED)
        if found is not None:
            if found[1] not in known:
                raise self._unknown(found[1])
            self._cursor.at = found.end()
            named[found[1]] = Literal("") if self._cursor.rest in {" ", *_ENDS} else self._expressions.argument()
            return
        word = self._cursor.peek(_WORD)
        if flags is not None and word is not None and word[0] in known:
            self._cursor.at = word.end()
            flags.add(word[0])
            return
        free = [name for name in order if name not in named]
        if not free:
            raise self._cursor.error("expected end of command")
        named[free[0]] = self._expressions.argument()

    def _take_where(self) -> bool:
        self._cursor.skip_blanks()
        word = self._cursor.peek(_WORD)
        if word is None or word[0] != "where":
            return False
        self._cursor.at = word.end()
        return True

    def _where(self, menu: str, *, has_word: bool) -> Expression | None:
        if not self._more():
            if has_word:
                raise self._cursor.syntax_error()
            return None
        return self._expressions.where(self._language.columns[menu])

    def _unknown(self, name: str) -> ScriptError:
        """Version 6 only sees that the command should have ended."""
        old = self._language.version < SLASHED_PATHS
        return self._cursor.error("expected end of command" if old else f"bad parameter {name}")
