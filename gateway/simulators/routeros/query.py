"""The query words of `print`: a small stack machine, run once for each row (facts, routeros 1.7).

Pure. Values are compared as what they are (numbers, times, addresses): the caller says how a property is read.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from gateway.simulators.routeros.traps import Trap

Key = Callable[[str, str], object]
"""From a property's name and its text to something that compares; ValueError for a text that is no such value."""

_COMPARISON = re.compile(r"(?P<relation>[=<>]?)(?P<name>[^=<>#-][^=]*)=(?P<value>.*)", re.DOTALL)
_OPERATION = re.compile(r"\d+|[!&|.]")


def matches(words: Sequence[str], row: Mapping[str, str], key: Key) -> bool:
    """Whether the row passes: no false is left on the stack. `words` begin with `?`. Trap for a word that is no query."""
    stack: list[bool] = []
    for word in words:
        if word.startswith("?#"):
            _operate(stack, word[2:])
        else:
            stack.append(_test(word[1:], row, key))
    return all(stack)


def _test(text: str, row: Mapping[str, str], key: Key) -> bool:
    if text.startswith("-"):
        return text[1:] not in row
    comparison = _read(text)
    if comparison is None:
        return text in row
    relation, name, value = comparison
    return name in row and _compare(relation, name, row[name], value, key)


@lru_cache(maxsize=256)
def _read(text: str) -> tuple[str, str, str] | None:
    """Relation, name and value of a comparison, read once and not for each row; None for what is none."""
    comparison = _COMPARISON.fullmatch(text)
    return None if comparison is None else (comparison["relation"], comparison["name"], comparison["value"])


def _compare(relation: str, name: str, mine: str, other: str, key: Key) -> bool:
    try:
        left, right = key(name, mine), key(name, other)
    except ValueError:
        left, right = mine, other
    if relation == "<":
        return left < right  # type: ignore[operator,no-any-return]
    if relation == ">":
        return left > right  # type: ignore[operator,no-any-return]
    return left == right


def _operate(stack: list[bool], operations: str) -> None:
    """Run one `?#` word. The stack rests on endless truth, so that popping an empty one gives true."""
    steps = _OPERATION.findall(operations)
    if "".join(steps) != operations:
        raise Trap("invalid query operation")
    before = ""
    for position, step in enumerate(steps, 1):
        if step.isdigit():
            _take(stack, int(step), replaces=position == len(steps))
        elif step == ".":
            if not before.isdigit():
                stack.append(_peek(stack, 0))
        else:
            _combine(stack, step)
        before = step


def _peek(stack: list[bool], index: int) -> bool:
    return stack[-1 - index] if index < len(stack) else True


def _pop(stack: list[bool]) -> bool:
    return stack.pop() if stack else True


def _take(stack: list[bool], index: int, *, replaces: bool) -> None:
    """An index pushes a copy of that value; at the end of the word it replaces the whole stack by it."""
    value = _peek(stack, index)
    if replaces:
        stack.clear()
    stack.append(value)


def _combine(stack: list[bool], operator: str) -> None:
    top = _pop(stack)
    if operator == "!":
        stack.append(not top)
    elif operator == "&":
        stack.append(_pop(stack) and top)
    else:
        stack.append(_pop(stack) or top)
