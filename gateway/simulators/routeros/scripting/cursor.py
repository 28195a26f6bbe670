"""Where the reader stands in a script, and the errors that name that place (facts, routeros 1.9)."""

import re

from gateway.simulators.routeros.traps import Trap

SCRIPTING = 3
"""The category of errors in scripts (facts, routeros 1.9)."""


class ScriptError(Trap):
    """A script that cannot be read, or that failed while it ran. `output` is what it had put out until then."""

    def __init__(self, message: str) -> None:
        super().__init__(message, SCRIPTING)
        self.output: list[str] = []


class Cursor:
    """A text and a position in it."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0

    @property
    def rest(self) -> str:
        """The next letter; empty at the end."""
        return self.text[self.at : self.at + 1]

    def error(self, what: str, at: int | None = None) -> ScriptError:
        """The router's words for what is wrong there."""
        place = self.at if at is None else at
        line = self.text.count("\n", 0, place) + 1
        column = place - (self.text.rfind("\n", 0, place) + 1) + 1
        return ScriptError(f"{what} (line {line} column {column})")

    def syntax_error(self) -> ScriptError:
        """What the router says when it cannot tell what is meant."""
        return self.error("syntax error")

    def ahead(self, literal: str) -> bool:
        """Whether that stands here."""
        return self.text.startswith(literal, self.at)

    def take(self, literal: str) -> bool:
        """Step over it if it stands here."""
        if self.ahead(literal):
            self.at += len(literal)
            return True
        return False

    def need(self, literal: str) -> None:
        """Step over it. Raises ScriptError when something else stands here."""
        if not self.take(literal):
            raise self.error(f"expected {_NAMES[literal]}" if literal in _NAMES else "syntax error")

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """Step over what fits and give it."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def peek(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What fits here, without a step."""
        return pattern.match(self.text, self.at)

    def skip_blanks(self) -> None:
        """Over blanks and joined lines."""
        self.match(_BLANKS)

    def skip_space(self) -> None:
        """Over blanks and line ends: between brackets a line end says nothing."""
        self.match(_SPACE)

    def skip_gaps(self) -> None:
        """Over everything between two statements: blanks, line ends, `;` and comments."""
        self.match(_GAPS)


_NAMES = {"}": "closing brace", "]": "closing bracket", ")": "closing parenthesis", '"': "closing quote"}
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_SPACE = re.compile(r"(?:\s|\\\n)*")
_GAPS = re.compile(r"(?:[\s;]|\\\n|#[^\n]*)*")
