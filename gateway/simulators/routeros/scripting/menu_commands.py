"""Commands of menus inside scripts: turns them into what the API's console takes, and its answers into values."""

from collections.abc import Awaitable, Callable

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.console import Answer, Command, Console
from gateway.simulators.routeros.schema import MENUS
from gateway.simulators.routeros.scripting.columns import typed
from gateway.simulators.routeros.scripting.evaluator import Evaluator, Frame
from gateway.simulators.routeros.scripting.syntax import Expression, MenuCommand
from gateway.simulators.routeros.scripting.values import Id, Value, is_true, to_argument, to_text
from gateway.simulators.routeros.tables import Row

_ITEMS = ("numbers", "number", "place-before", "destination", "copy-from")
"""Arguments that name rows: by id, by name, or by position."""

Reader = Callable[[Evaluator, MenuCommand, Frame], Awaitable[Value]]


class MenuCommands:
    """The menus as a script with those rights meets them."""

    def __init__(self, console: Console, policies: frozenset[str]) -> None:
        self._console = console
        self._policies = policies

    async def run(self, evaluator: Evaluator, command: MenuCommand, frame: Frame) -> Value:
        """Execute one command. Raises Trap."""
        readers: dict[str, Reader] = {"find": self._find, "get": self._get, "print": self._print}
        return await readers.get(command.verb, self._change)(evaluator, command, frame)

    async def _find(self, evaluator: Evaluator, command: MenuCommand, frame: Frame) -> Value:
        return [Id(row[".id"]) for row in await self._rows(evaluator, command.menu, command.where, frame)]

    async def _get(self, evaluator: Evaluator, command: MenuCommand, frame: Frame) -> Value:
        rows = self._all(command.menu)
        if not MENUS[command.menu].singleton:
            wanted = self._ids(command.menu, await self._argument(evaluator, command, "number", frame))
            if len(wanted) > 1:
                raise traps.invalid_id()
            rows = [row for row in rows if row[".id"] in wanted]
        if not rows:
            raise traps.no_such_item()
        name = to_text(await self._argument(evaluator, command, "value-name", frame))
        if not name:
            return {column: typed(command.menu, column, text) for column, text in rows[0].items()}
        self._known(evaluator, command.menu, name)
        return typed(command.menu, name, rows[0][name]) if name in rows[0] else None

    def _known(self, evaluator: Evaluator, menu: str, name: str) -> None:
        if name not in evaluator.around.language.columns[menu]:
            raise traps.no_match("value-name")

    async def _print(self, evaluator: Evaluator, command: MenuCommand, frame: Frame) -> Value:
        rows = await self._rows(evaluator, command.menu, command.where, frame)
        if "count-only" in command.flags:
            return len(rows)
        if "as-value" in command.flags:
            return [{name: typed(command.menu, name, text) for name, text in row.items()} for row in rows]
        for row in rows:
            evaluator.around.put(" ".join(f"{name}={text}" for name, text in row.items() if name != ".id"))
        return None

    async def _change(self, evaluator: Evaluator, command: MenuCommand, frame: Frame) -> Value:
        arguments: dict[str, str] = {}
        for name, expression in command.named.items():
            value = await evaluator.value(expression, frame)
            if name in _ITEMS:
                ids = self._ids(command.menu, value)
                if len(ids) > 1 and name != "numbers":
                    raise traps.invalid_id()
                if name == "numbers" and not ids:
                    return None  # nothing was found: nothing is changed
                arguments[name] = ",".join(ids)
            else:
                arguments[name] = to_argument(value)
        answer: Answer = await self._console.run(Command(f"{command.menu}/{command.verb}", arguments, (), None), self._policies)
        return None if answer.ret is None else Id(answer.ret)

    async def _argument(self, evaluator: Evaluator, command: MenuCommand, name: str, frame: Frame) -> Value:
        return await evaluator.value(command.named[name], frame) if name in command.named else None

    async def _rows(self, evaluator: Evaluator, menu: str, where: Expression | None, frame: Frame) -> list[Row]:
        rows = self._all(menu)
        if where is None:
            return rows
        return [row for row in rows if is_true(await evaluator.condition(where, Frame(frame.variables, menu, row)))]

    def _all(self, menu: str) -> list[Row]:
        """The menu as these rights see it. Raises the trap for rights that are missing."""
        command = Command(f"{menu}/print", {}, (), None)
        self._console.check(command, self._policies)
        return self._console.rows(command, self._policies)

    def _ids(self, menu: str, value: Value) -> list[str]:
        """The rows that are meant. Raises the trap for a name or a position that is nobody's."""
        if isinstance(value, list):
            return [row_id for item in value for row_id in self._ids(menu, item)]
        text = to_text(value)
        if isinstance(value, Id) or text.startswith("*"):
            return [text]
        if not text:
            return []
        rows = self._all(menu)
        if text.isdigit() and int(text) < len(rows):
            return [rows[int(text)][".id"]]
        named = [row[".id"] for row in rows if row.get("name") == text]
        if not named:
            raise traps.no_such_item()
        return named[:1]
