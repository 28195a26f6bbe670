"""Reads values and expressions: `"text $x"`, `$x`, `[…]`, `(…)`, `{…;…}`, words, and what stands after `where`."""

import re
from collections.abc import Callable, Collection

from gateway.simulators.routeros.scripting.cursor import Cursor
from gateway.simulators.routeros.scripting.syntax import (
    Array,
    Attribute,
    Binary,
    Block,
    Expression,
    Literal,
    Substitution,
    Text,
    Unary,
    Variable,
)
from gateway.simulators.routeros.scripting.values import from_word

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||", "or"), ("&&", "and"), ("!=", "<=", ">=", "=", "<", ">", "~", "in"), (",",), (".",), ("+", "-"), ("*", "/", "%"), ("->",),
)  # fmt: skip
"""Operators from the weakest to the strongest. The router's own order is not documented: put brackets."""

_SAME = {"or": "||", "and": "&&"}
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9]*|"[^"\n]*"')
_WORD = re.compile(r'[^\s;"$()\[\]{}]+')
_OPERAND = re.compile(
    r"\d+\.\d+\.\d+\.\d+|\d+:\d\d:\d\d|(?:\d+(?:ms|[wdhms]))+|0x[0-9a-fA-F]+|\d+|\*[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9-]*", re.ASCII
)
_WHERE_WORD = re.compile(r'[^\s;"$()\[\]{}&|!=<>~]+')
_LETTERS = re.compile(r"[a-z]+")
_KEY = re.compile(r'[A-Za-z][A-Za-z0-9-]*(?==)|"[^"\n]*"(?==)')
_ESCAPES = {
    '"': '"',
    "\\": "\\",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "$": "$",
    "?": "?",
    "_": " ",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
_HEX = re.compile(r"[0-9A-F]{2}")
_JOINED_LINE = re.compile(r"\n[ \t]*")


class ExpressionReader:
    """Reads at a cursor that it shares with the reader of statements, whose `read_block` reads up to a closing bracket."""

    def __init__(self, cursor: Cursor, read_block: Callable[[str], Block]) -> None:
        self._cursor = cursor
        self._read_block = read_block
        self._columns: Collection[str] | None = None
        """Inside `where`: the properties of the menu."""

    def argument(self) -> Expression:
        """One value in a command's line. Raises ScriptError."""
        if self._cursor.rest == "{":
            return self._array()
        bracketed = self._bracketed()
        if bracketed is not None:
            return bracketed
        word = self._cursor.match(_WORD)
        if word is None:
            raise self._cursor.syntax_error()
        return Literal(from_word(word))

    def where(self, columns: Collection[str]) -> Expression:
        """Conditions on a menu's properties, up to the end of the command; without `and` between them, all must hold."""
        outer, self._columns = self._columns, columns
        condition = self._binary(0)
        self._cursor.skip_blanks()
        while self._cursor.rest not in {"", "]", ")", "}", ";", "\n"}:
            condition = Binary("&&", condition, self._binary(0))
            self._cursor.skip_blanks()
        self._columns = outer
        return condition

    def text(self) -> Expression:
        """A quoted text; the cursor is on the quote."""
        cursor, letters = self._cursor, ""
        parts: list[Expression] = []
        cursor.need('"')
        while not cursor.take('"'):
            if not cursor.rest:
                cursor.need('"')
            if cursor.rest == "$":
                parts.append(Literal(letters))
                parts.append(self._dollar())
                letters = ""
            else:
                letters += self._letter()
        return Text((*parts, Literal(letters))) if parts else Literal(letters)

    # Inside

    def _letter(self) -> str:
        """The next letter of a quoted text, escapes resolved."""
        cursor = self._cursor
        if not cursor.take("\\"):
            cursor.at += 1
            return cursor.text[cursor.at - 1]
        if cursor.match(_JOINED_LINE) is not None:
            return ""
        digits = cursor.match(_HEX)
        if digits is not None:
            return chr(int(digits, 16))
        if cursor.rest not in _ESCAPES:
            raise cursor.syntax_error()
        cursor.at += 1
        return _ESCAPES[cursor.text[cursor.at - 1]]

    def _dollar(self) -> Expression:
        """`$name`, `$"name"`, `$[…]`, `$(…)`."""
        self._cursor.need("$")
        if self._cursor.rest in {"[", "("}:
            return self.argument()
        name = self._cursor.match(_NAME)
        if name is None:
            raise self._cursor.syntax_error()
        return self._variable(name.strip('"'))

    def _variable(self, name: str) -> Expression:
        """Inside `where`, a variable named like a property is that property: it hides the variable (facts, routeros 6)."""
        return Attribute(name) if self._columns is not None and name in self._columns else Variable(name)

    def _bracketed(self) -> Expression | None:
        """What begins with a sign of its own; None for a word."""
        cursor = self._cursor
        if cursor.rest == '"':
            return self.text()
        if cursor.rest == "$":
            return self._dollar()
        if cursor.take("["):
            outer, self._columns = self._columns, None
            body = self._read_block("]")
            self._columns = outer
            return Substitution(body)
        if cursor.take("("):
            return self._round()
        return None

    def _round(self) -> Expression:
        self._cursor.skip_space()
        inner = self._binary(0)
        self._cursor.skip_space()
        self._cursor.need(")")
        return inner

    def _array(self) -> Expression:
        """`{1;2}` or `{a=1;b=2}`."""
        cursor = self._cursor
        items: list[tuple[str | None, Expression]] = []
        cursor.need("{")
        cursor.skip_space()
        while not cursor.take("}"):
            named = cursor.match(_KEY)
            if named is not None:
                cursor.need("=")
            items.append((None if named is None else named.strip('"'), self.argument()))
            cursor.skip_space()
            if not cursor.take(";") and cursor.rest != "}":
                raise cursor.syntax_error()
            cursor.skip_space()
        return Array(tuple(items))

    def _binary(self, level: int) -> Expression:
        """Operators of that strength and stronger, from left to right."""
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (operator := self._operator(_LEVELS[level])) is not None:
            self._cursor.skip_space()
            left = Binary(_SAME.get(operator, operator), left, self._binary(level + 1))
        return left

    def _operator(self, known: tuple[str, ...]) -> str | None:
        """Step over one of these operators; inside `where`, only comparisons and their links are operators."""
        cursor, before = self._cursor, self._cursor.at
        cursor.skip_blanks() if self._columns is not None else cursor.skip_space()
        for operator in known:
            if operator.isalpha():
                word = cursor.peek(_LETTERS)
                if word is not None and word[0] == operator:
                    cursor.at = word.end()
                    return operator
            elif cursor.ahead(operator) and not (operator == "-" and cursor.ahead("->")):
                if self._columns is not None and operator in {"+", "-", "*", "/", "%", ".", ",", "->"}:
                    continue
                cursor.take(operator)
                return operator
        cursor.at = before
        return None

    def _unary(self) -> Expression:
        cursor = self._cursor
        cursor.skip_blanks()
        if cursor.rest in {"!", "-"}:
            operator = cursor.rest
            cursor.at += 1
            return Unary(operator, self._unary())
        return self._operand()

    def _operand(self) -> Expression:
        cursor = self._cursor
        if cursor.rest == "{" and self._columns is None:
            return self._array()
        bracketed = self._bracketed()
        if bracketed is not None:
            return bracketed
        start = cursor.at
        word = cursor.match(_OPERAND if self._columns is None else _WHERE_WORD)
        if word is None:
            raise cursor.syntax_error()
        return self._plain(word, start) if self._columns is None else self._in_where(word, start, self._columns)

    def _plain(self, word: str, start: int) -> Expression:
        """Between round brackets, a word that is no value means nothing."""
        value = from_word(word)
        if isinstance(value, str):
            self._cursor.at = start
            raise self._cursor.syntax_error()
        return Literal(value)

    def _in_where(self, word: str, start: int, columns: Collection[str]) -> Expression:
        """On the left of a comparison stands a property, on the right a value."""
        before = self._cursor.text[:start].rstrip(" \t")
        if before.endswith(("=", "<", ">", "~")):
            return Literal(from_word(word))
        if word not in columns:
            raise self._cursor.error(f"bad parameter {word}", start)
        return Attribute(word)
