"""Runs what the parser has read: variables, control flow, functions. Commands of menus go to `MenuCommands`.

Each block has variables of its own; globals live as long as the router is on. A variable that was never declared is an error here,
where a router gives nothing: it is a typing mistake.
"""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gateway.simulators.routeros.scripting.columns import kind_of, typed
from gateway.simulators.routeros.scripting.cursor import ScriptError
from gateway.simulators.routeros.scripting.functions import FUNCTIONS
from gateway.simulators.routeros.scripting.operators import apply, invert, negate
from gateway.simulators.routeros.scripting.parser import Language, Parser
from gateway.simulators.routeros.scripting.syntax import (
    Array,
    Attribute,
    Binary,
    Block,
    Builtin,
    Expression,
    Function,
    Invocation,
    Literal,
    MenuCommand,
    Statement,
    Substitution,
    Text,
    Unary,
    Variable,
)
from gateway.simulators.routeros.scripting.values import Code, Duration, Value, is_true, to_argument, to_text
from gateway.simulators.routeros.tables import Row
from gateway.simulators.routeros.traps import Trap

MAX_ROUNDS = 100_000
"""After so many rounds a loop is taken for endless: a router would run it until its watchdog bites."""

_COMPARISONS = frozenset({"=", "!=", "<", ">", "<=", ">="})


class Returned(Exception):
    """`:return`: the end of a function, with its value."""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


@dataclass(slots=True)
class Frame:
    """Where a statement runs: its variables, and in a `where` the row in hand."""

    variables: ChainMap[str, Value] = field(default_factory=ChainMap)
    menu: str = ""
    row: Row | None = None

    def inner(self, variables: Mapping[str, Value] | None = None) -> "Frame":
        """A block inside this one."""
        return Frame(self.variables.new_child(dict(variables or {})))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a script sees of its router."""

    language: Language
    globals: dict[str, Value]
    put: Callable[[str], None]
    log: Callable[[str, str], None]
    now_s: Callable[[], float]
    pause: Callable[[], Awaitable[None]]
    command: Callable[["Evaluator", MenuCommand, Frame], Awaitable[Value]]


class Evaluator:
    """One run of one script."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around

    async def block(self, body: Block, frame: Frame) -> Value:
        """Every statement in turn; the value of the last one."""
        value: Value = None
        for statement in body.statements:
            value = await self.statement(statement, frame)
        return value

    async def statement(self, statement: Statement, frame: Frame) -> Value:
        """One statement. Raises ScriptError, Trap and Returned."""
        match statement:
            case Block():
                return await self.block(statement, frame.inner())
            case Builtin():
                return await self._builtin(statement, frame)
            case Invocation():
                return await self._invoke(statement, frame)
            case MenuCommand():
                return await self.around.command(self, statement, frame)

    # Expressions

    async def value(self, expression: Expression, frame: Frame) -> Value:  # noqa: PLR0911  # one line for each kind
        """What an expression gives."""
        match expression:
            case Literal():
                return expression.value
            case Variable():
                return self._variable(expression.name, frame)
            case Text():
                return "".join([to_text(await self.value(part, frame)) for part in expression.parts])
            case Substitution():
                return await self._substitute(expression, frame)
            case Array():
                return await self._array(expression, frame)
            case Unary():
                return await self._unary(expression, frame)
            case Binary():
                return await self._binary(expression, frame)
            case Attribute():
                return self._attribute(expression.name, frame)
            case Function():
                return Code(expression.body)

    async def condition(self, expression: Expression, frame: Frame) -> Value:
        """As a condition, a property of the row in hand holds when it is there; a flag, when it is set."""
        value = await self.value(expression, frame)
        return value if isinstance(value, bool) or not isinstance(expression, Attribute) else value is not None

    def _variable(self, name: str, frame: Frame) -> Value:
        if name not in frame.variables:
            raise ScriptError(f"undefined variable {name}")
        held = frame.variables[name]
        return self.around.globals.get(name) if held is _GLOBAL else held

    async def _substitute(self, expression: Substitution, frame: Frame) -> Value:
        try:
            return await self.block(expression.body, frame.inner())
        except Returned as returned:
            return returned.value

    async def _array(self, expression: Array, frame: Frame) -> Value:
        items = [(name, await self.value(item, frame)) for name, item in expression.items]
        if any(name is not None for name, _ in items):
            return {str(index if name is None else name): item for index, (name, item) in enumerate(items)}
        return [item for _, item in items]

    async def _unary(self, expression: Unary, frame: Frame) -> Value:
        if expression.operator == "!":
            return invert(await self.condition(expression.operand, frame))
        return negate(await self.value(expression.operand, frame))

    async def _binary(self, expression: Binary, frame: Frame) -> Value:
        if expression.operator in {"&&", "||"}:
            left = is_true(await self.condition(expression.left, frame))
            decided = left is (expression.operator == "||")
            return left if decided else is_true(await self.condition(expression.right, frame))
        right = await self.value(expression.right, frame)
        if isinstance(expression.left, Attribute) and expression.operator in _COMPARISONS:
            return self._compare(expression.left.name, expression.operator, right, frame)
        return apply(expression.operator, await self.value(expression.left, frame), right)

    def _attribute(self, name: str, frame: Frame) -> Value:
        text = (frame.row or {}).get(name)
        return None if text is None else typed(frame.menu, name, text)

    def _compare(self, name: str, operator: str, right: Value, frame: Frame) -> bool:
        """A property of the row with a value: as what the property is, whichever way the value is written."""
        mine, other, kind = (frame.row or {}).get(name, ""), to_argument(right), kind_of(frame.menu, name)
        try:
            left_key, right_key = (kind.key(mine), kind.key(other)) if kind else (mine, other)
        except ValueError:
            left_key, right_key = mine, other
        return bool(apply(operator, left_key, right_key)) if _plain(left_key) else (left_key == right_key) is (operator == "=")

    # Control flow

    async def _builtin(self, statement: Builtin, frame: Frame) -> Value:
        special = getattr(self, f"_do_{statement.name}", None)
        if special is not None:
            return await special(statement, frame)
        values = [await self.value(argument, frame) for argument in statement.positional]
        try:
            return FUNCTIONS[statement.name](*values)
        except TypeError:
            raise ScriptError(f"missing value(s) of argument(s) of {statement.name}") from None

    async def _first(self, statement: Builtin, frame: Frame, name: str = "message") -> Value:
        given = (*statement.positional, *(statement.named[name],)) if name in statement.named else statement.positional
        return await self.value(given[0], frame) if given else None

    async def _do_put(self, statement: Builtin, frame: Frame) -> Value:
        text = to_text(await self._first(statement, frame))
        self.around.put(text)
        return text

    async def _do_error(self, statement: Builtin, frame: Frame) -> Value:
        raise ScriptError(to_text(await self._first(statement, frame)))

    async def _do_return(self, statement: Builtin, frame: Frame) -> Value:
        raise Returned(await self._first(statement, frame))

    async def _do_log(self, statement: Builtin, frame: Frame) -> Value:
        level, *message = [await self.value(part, frame) for part in (*statement.positional, *statement.named.values())]
        self.around.log(f"script,{to_text(level)}", to_text(message[0]) if message else "")
        return None

    async def _do_delay(self, _statement: Builtin, _frame: Frame) -> Value:
        """What a script waits for on a router is done here already."""
        await self.around.pause()
        return None

    async def _do_timestamp(self, _statement: Builtin, _frame: Frame) -> Value:
        return Duration(int(self.around.now_s()))

    async def _do_parse(self, statement: Builtin, frame: Frame) -> Value:
        return Code(Parser(to_text(await self._first(statement, frame)), self.around.language).whole())

    async def _do_local(self, statement: Builtin, frame: Frame) -> Value:
        frame.variables[self._name(statement)] = await self._given(statement, frame)
        return None

    async def _do_global(self, statement: Builtin, frame: Frame) -> Value:
        name = self._name(statement)
        frame.variables[name] = _GLOBAL
        if len(statement.positional) > 1 or "do" in statement.named:
            self.around.globals[name] = await self._given(statement, frame)
        return None

    async def _do_set(self, statement: Builtin, frame: Frame) -> Value:
        name = self._name(statement)
        holder = next((scope for scope in frame.variables.maps if name in scope), None)
        if holder is None:
            raise ScriptError(f"undefined variable {name}")
        value = await self._given(statement, frame)
        (self.around.globals if holder[name] is _GLOBAL else holder)[name] = value
        return None

    @staticmethod
    def _name(statement: Builtin) -> str:
        first = statement.positional[0] if statement.positional else None
        if not isinstance(first, Literal):
            raise ScriptError("missing variable name")
        return str(first.value)

    async def _given(self, statement: Builtin, frame: Frame) -> Value:
        given = [*statement.positional[1:], *statement.named.values()]
        return await self.value(given[0], frame) if given else None

    async def _do_if(self, statement: Builtin, frame: Frame) -> Value:
        holds = is_true(await self._first(statement, frame))
        return await self._branch(statement, "do" if holds else "else", frame)

    async def _do_do(self, statement: Builtin, frame: Frame) -> Value:
        if "while" in statement.named:
            return await self._loop(statement, frame, first_test=False)
        try:
            return await self._branch(statement, "do", frame)
        except Trap:
            if "on-error" not in statement.named:
                raise
            return await self._branch(statement, "on-error", frame)

    async def _do_while(self, statement: Builtin, frame: Frame) -> Value:
        return await self._loop(statement, frame, first_test=True)

    async def _loop(self, statement: Builtin, frame: Frame, *, first_test: bool) -> Value:
        condition = statement.positional[0] if first_test else statement.named["while"]
        for round_number in range(MAX_ROUNDS):
            if (first_test or round_number) and not is_true(await self.value(condition, frame)):
                return None
            await self._branch(statement, "do", frame)
        raise ScriptError("endless loop")

    async def _do_for(self, statement: Builtin, frame: Frame) -> Value:
        bounds = {name: await self.value(part, frame) for name, part in statement.named.items() if name != "do"}
        first, last = bounds.get("from"), bounds.get("to")
        if not isinstance(first, int) or not isinstance(last, int):
            raise ScriptError("invalid value for argument from")
        step = bounds.get("step", 1 if first <= last else -1)
        if not isinstance(step, int) or not step:
            raise ScriptError("invalid value for argument step")
        for counter in range(first, last + (1 if step > 0 else -1), step):
            await self._branch(statement, "do", frame, {self._name(statement): counter})
        return None

    async def _do_foreach(self, statement: Builtin, frame: Frame) -> Value:
        items = await self.value(statement.named["in"], frame) if "in" in statement.named else None
        names = self._name(statement).split(",")
        for key, item in _pairs(items):
            values = (key, item) if len(names) > 1 else (item,)
            await self._branch(statement, "do", frame, dict(zip(names, values, strict=True)))
        return None

    async def _branch(self, statement: Builtin, name: str, frame: Frame, variables: Mapping[str, Value] | None = None) -> Value:
        body = statement.named.get(name)
        return await self.block(body.body, frame.inner(variables)) if isinstance(body, Function) else None

    async def _invoke(self, statement: Invocation, frame: Frame) -> Value:
        """Call a function; its parameters are `$1`, `$2`, and those with names. It sees no variables but these and globals."""
        code = await self.value(statement.callee, frame)
        if not isinstance(code, Code):
            return code
        numbered = {str(index): await self.value(part, frame) for index, part in enumerate(statement.positional, 1)}
        named = {name: await self.value(part, frame) for name, part in statement.named.items()}
        try:
            return await self.block(code.body, Frame(ChainMap(numbered | named)))
        except Returned as returned:
            return returned.value


class _Global:
    """Stands in a block's variables for a name that was declared with `:global`."""


_GLOBAL = _Global()


def _pairs(items: Value) -> list[tuple[Value, Value]]:
    if isinstance(items, dict):
        return list(items.items())
    if isinstance(items, list):
        return list(enumerate(items))
    return [] if items is None else [(0, items)]


def _plain(key: object) -> bool:
    return type(key) in {str, int}
