"""What a script consists of once it is read: expressions and statements. Records only."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written: number, time, address, word, text without variables."""

    value: object


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text with values in it."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Substitution:
    """`[command]`: what the command gives."""

    body: "Block"


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x`, `-x`."""

    operator: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """`a operator b`."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Array:
    """`{1;2}` or `{a=1;b=2}`."""

    items: tuple[tuple[str | None, "Expression"], ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of the row in hand, in a `where`."""

    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """`do={…}` as a value."""

    body: "Block"


@dataclass(frozen=True, slots=True)
class Block:
    """Statements with variables of their own."""

    statements: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class Builtin:
    """`:name` with its arguments; blocks (`do=`, `else=`, `on-error=`) are among the named ones."""

    name: str
    positional: tuple["Expression", ...] = ()
    named: Mapping[str, "Expression"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MenuCommand:
    """A command of a menu, such as `/ip hotspot user add`."""

    menu: str
    verb: str
    named: Mapping[str, "Expression"] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    """Words of `print` without a value."""
    where: "Expression | None" = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """`$function a b=c`, or `[[:parse …]]`."""

    callee: "Expression"
    positional: tuple["Expression", ...] = ()
    named: Mapping[str, "Expression"] = field(default_factory=dict)


Expression = Literal | Variable | Text | Substitution | Unary | Binary | Array | Attribute | Function
Statement = Builtin | MenuCommand | Invocation | Block
