"""The operators of RouterOS' language. Pure. Raises ScriptError where the router says `cannot …`."""

import re
from collections.abc import Callable, Mapping

from gateway.simulators.routeros.scripting.cursor import ScriptError
from gateway.simulators.routeros.scripting.values import Duration, Ip, Value, to_text, type_name, wrap

_WORDS = {
    "num": "integer number", "str": "string", "nothing": "nothing", "time": "time interval", "ip": "ip address", "bool": "bool",
    "array": "list", "id": "internal item number", "code": "code",
}  # fmt: skip


def negate(value: Value) -> Value:
    """`-x`."""
    if type_name(value) != "num":
        raise ScriptError(f"cannot negate {_WORDS[type_name(value)]}")
    return -value  # type: ignore[operator]


def invert(value: Value) -> bool:
    """`!x`."""
    if not isinstance(value, bool):
        raise ScriptError(f"cannot logically negate {_WORDS[type_name(value)]}")
    return not value


def apply(operator: str, left: Value, right: Value) -> Value:
    """`left operator right`; `&&` and `||` are not among them, for they do not look at the right side always."""
    return _OPERATORS[operator](left, right)


def _sum(left: Value, right: Value, sign: int, verb: str) -> Value:
    if type_name(left) == type_name(right) == "num":
        return wrap(left + sign * right)  # type: ignore[operator]
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(left.seconds + sign * right.seconds)
    if isinstance(left, Duration) and type_name(right) == "num":
        return Duration(left.seconds + sign * right)  # type: ignore[operator]
    if isinstance(left, Ip) and type_name(right) == "num":
        return Ip(left.number + sign * right)  # type: ignore[operator]
    raise _cannot(verb, left, right)


def _product(left: Value, right: Value) -> Value:
    if type_name(left) == type_name(right) == "num":
        return wrap(left * right)  # type: ignore[operator]
    if isinstance(left, Duration) and type_name(right) == "num":
        return Duration(left.seconds * right)  # type: ignore[operator]
    raise _cannot("multiply", left, right)


def _quotient(left: Value, right: Value) -> Value:
    """Truncates toward zero."""
    if type_name(left) == type_name(right) == "num":
        if right == 0:
            raise ScriptError("division by zero")
        return _truncated(int(str(left)), int(str(right)))
    if isinstance(left, Duration) and type_name(right) == "num" and right:
        return Duration(left.seconds // right)  # type: ignore[operator]
    raise _cannot("divide", left, right)


def _truncated(left: int, right: int) -> int:
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def _rest(left: Value, right: Value) -> Value:
    whole = _quotient(left, right)
    if not isinstance(whole, int):
        raise _cannot("divide", left, right)
    return left - whole * right  # type: ignore[operator]


def _equal(left: Value, right: Value) -> bool:
    """Different types are never equal; but a property that is not set equals the empty text."""
    if left is None or right is None:
        return (left is None or left == "") and (right is None or right == "")
    return type_name(left) == type_name(right) and left == right


def _less(left: Value, right: Value) -> bool:
    if type_name(left) != type_name(right) or type_name(left) in {"array", "nothing", "code", "bool"}:
        raise ScriptError(f"cannot compare if {_WORDS[type_name(left)]} is less than {_WORDS[type_name(right)]}")
    return left < right  # type: ignore[operator,no-any-return]


def _fits(left: Value, right: Value) -> bool:
    return left is not None and re.search(to_text(right), to_text(left)) is not None


def _listed(left: Value, right: Value) -> Value:
    """`a,b`: arrays are joined."""
    return [*_as_list(left), *_as_list(right)]


def _item(left: Value, right: Value) -> Value:
    """`array->key`."""
    if isinstance(left, dict):
        return left.get(to_text(right))
    if isinstance(left, list) and isinstance(right, int):
        return left[right] if 0 <= right < len(left) else None
    return None


def _as_list(value: Value) -> list[Value]:
    return list(value) if isinstance(value, list) else [value]


def _cannot(verb: str, left: Value, right: Value) -> ScriptError:
    linked = {"add": "to", "subtract": "from"}.get(verb, "by")
    first, second = (right, left) if verb == "subtract" else (left, right)
    return ScriptError(f"cannot {verb} {_WORDS[type_name(first)]} {linked} {_WORDS[type_name(second)]}")


_OPERATORS: Mapping[str, Callable[[Value, Value], Value]] = {
    "+": lambda left, right: _sum(left, right, 1, "add"),
    "-": lambda left, right: _sum(left, right, -1, "subtract"),
    "*": _product,
    "/": _quotient,
    "%": _rest,
    ".": lambda left, right: to_text(left) + to_text(right),
    ",": _listed,
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _less,
    ">": lambda left, right: _less(right, left),
    "<=": lambda left, right: not _less(right, left),
    ">=": lambda left, right: not _less(left, right),
    "~": _fits,
    "->": _item,
}
