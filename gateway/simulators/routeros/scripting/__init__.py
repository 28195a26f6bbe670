"""The console's language: reads RouterOS scripts and runs them on the simulated router.

The part that set-up scripts and schedulers use. Reading order: `Interpreter` here; `parser` and `expressions` (text to `syntax`),
`evaluator` (runs it), `menu_commands` (its way to the menus); beneath them `operators`, `functions`, `values` and `cursor`.
What public sources do not show is marked where it is decided; the language is a little stricter than a router's, never laxer.
"""

from collections.abc import Callable
from functools import partial

from gateway.simulators.routeros.appliance import ALL_POLICIES
from gateway.simulators.routeros.console import Console
from gateway.simulators.routeros.machine import Machine
from gateway.simulators.routeros.scripting.columns import language
from gateway.simulators.routeros.scripting.cursor import ScriptError
from gateway.simulators.routeros.scripting.evaluator import Evaluator, Frame, Returned, Surroundings
from gateway.simulators.routeros.scripting.menu_commands import MenuCommands
from gateway.simulators.routeros.scripting.parser import Parser
from gateway.simulators.routeros.scripting.syntax import Block
from gateway.simulators.routeros.scripting.values import Value
from gateway.simulators.routeros.traps import Trap

__all__ = ["Interpreter", "ScriptError"]


class Interpreter:
    """Runs scripts on one router."""

    def __init__(self, console: Console, machine: Machine) -> None:
        self._console = console
        self._machine = machine
        self._language = language(machine.version)
        self._globals: dict[str, Value] = {}

    async def run(self, text: str, policies: frozenset[str]) -> list[str]:
        """Run a stored text: it is read as a whole before anything happens. Gives what it put out. Raises ScriptError and Trap."""
        output: list[str] = []
        await self._execute(Parser(text, self._language).whole(), policies, output.append)
        return output

    async def paste(self, text: str) -> list[str]:
        """Run a text as an administrator's terminal does: each statement is read and run by itself, with variables of its own.

        Gives what it put out. Raises ScriptError at the first statement that fails; those before it have been executed.
        """
        output: list[str] = []
        parser = Parser(text, self._language)
        try:
            while (statement := parser.next()) is not None:
                await self._execute(Block((statement,)), ALL_POLICIES, output.append)
        except Trap as trap:
            raise _failed(trap, output) from trap
        return output

    async def _execute(self, body: Block, policies: frozenset[str], put: Callable[[str], None]) -> None:
        machine = self._machine
        around = Surroundings(
            language=self._language,
            globals=self._globals,
            put=put,
            log=machine.note,
            now_s=machine.wall.wall_s,
            pause=partial(machine.clock.sleep, 0),
            command=MenuCommands(self._console, policies).run,
        )
        try:
            await Evaluator(around).block(body, Frame())
        except Returned:
            return


def _failed(trap: Trap, output: list[str]) -> ScriptError:
    error = trap if isinstance(trap, ScriptError) else ScriptError(trap.message)
    error.output = output
    return error
