"""An event loop without waiting: when nobody has anything to do, time jumps to the next timer.

Owns virtual time and whose code runs: each callback belongs to a `Machine`, and a machine that is dead runs nothing any more, from
one callback to the next and without a single `finally`, as after SIGKILL. What a machine sends and stores is `network` and `disk`.
"""

import asyncio
import gc
import heapq
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

_ROUNDS_MAX = 100_000  # without any time passing: somebody goes round in a circle

START_S = 1_000.0
"""What the clock of the loop shows first: nothing may depend on its being zero."""


class Machine:
    """One party of the world, as long as it lives: whoever starts a task there, and every task that it starts in turn."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.alive = True
        self.remains: list[Any] = []
        """What a dead machine would still have done; kept, or its `finally` blocks would run when it is thrown away. One that is
        only stopped does it later."""

    def run(self, deed: Callable[[], T]) -> T:
        """Do something as this machine, tasks and all that come of it."""
        return self.context().run(deed)

    def context(self) -> Context:
        """A context in which everything belongs to this machine."""
        context = copy_context()
        context.run(HERE.set, self)
        return context


NOWHERE = Machine("the world", "0.0.0.0")
HERE: ContextVar[Machine] = ContextVar("HERE", default=NOWHERE)
"""The machine whose code is running."""


class SimulatedTask(asyncio.Task[Any]):
    """A task that hashes by its number: asyncio keeps tasks in sets, and addresses in memory differ from run to run."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, loop: "SimulatedLoop", context: Context | None = None) -> None:
        loop.tasks_made += 1
        self._number = loop.tasks_made
        self.machine = HERE.get() if context is None else context.get(HERE, NOWHERE)
        super().__init__(coro, loop=loop, context=context)

    def __hash__(self) -> int:
        return self._number


class _Handle(asyncio.Handle):
    """What asyncio's handles ask again and again, whether they are being debugged, is not asked here: a tenth of a run's time."""

    __slots__ = ()

    def __init__(self, callback: Any, args: Any, loop: "SimulatedLoop", context: Context | None) -> None:
        self._callback, self._args, self._loop = callback, args, loop
        self._context = copy_context() if context is None else context
        self._cancelled, self._repr, self._source_traceback = False, None, None

    def cancel(self) -> None:
        """Forget what was to be done. A timer keeps its place until its time comes."""
        self._cancelled = True
        self._callback, self._args = None, ()


class _Timer(_Handle, asyncio.TimerHandle):
    __slots__ = ()


class SimulatedLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, but for the waiting. Work for threads is done at once, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S
        self.tasks_made = 0
        self._timers_made = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        """A heap: by time, then in the order in which they were set."""
        self.complaints: list[str] = []
        """What asyncio would have logged: exceptions that nobody took, callbacks that failed."""
        self.network: Any = None
        """Carries connections; set by `network.Network`."""
        self.set_task_factory(_make_task)
        self.set_exception_handler(_complain)

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        """Until somebody stops the loop, round after round: the timers that are due, then whatever is ready by now."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        rounds = 0
        while not self._stopping:  # type: ignore[attr-defined]
            if ready:
                rounds += 1
            elif self._let_pass():
                rounds = 0
            if rounds > _ROUNDS_MAX:
                raise RuntimeError("somebody is busy for ever, and no time passes")
            while timers and timers[0][0] <= self.now_s:
                ready.append(heapq.heappop(timers)[2])
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                machine = handle._context.get(HERE, NOWHERE)
                if machine.alive:
                    handle._run()
                else:
                    machine.remains.append(handle)

    def _let_pass(self) -> bool:
        """Jump to the next timer; whether any time has passed."""
        timers, before_s = self._timers, self.now_s
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise RuntimeError("everybody waits, and for nothing")
        self.now_s = max(before_s, timers[0][0])
        return self.now_s > before_s

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        """See `asyncio.loop.call_soon`."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:  # type: ignore[override]
        """See `asyncio.loop.call_at`; timers for the same moment come in the order in which they were set."""
        timer = _Timer(callback, args, self, context)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:  # type: ignore[override]
        """See `asyncio.loop.call_later`."""
        return self.call_at(self.now_s + delay, callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, _executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """There are no threads: what would be done in one is done now."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as fault:  # noqa: BLE001 - belongs to whoever waits for it
            done.set_exception(fault)
        return done

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **named: Any) -> Any:
        """See `network.Network.connect`."""
        sock = named.get("sock")
        return await self.network.connect(protocol_factory, *((host, port) if sock is None else sock.getpeername()))

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_named: Any) -> Any:
        """See `network.Network.listen`."""
        return self.network.listen(protocol_factory, host, port or 0)

    def resume(self, machine: Machine) -> None:
        """A machine that was stopped goes on: what has come meanwhile is done now, in order."""
        machine.alive = True
        self._ready.extend(machine.remains)  # type: ignore[attr-defined]
        machine.remains.clear()

    def bury(self) -> None:
        """At the end of the world: take apart every task that is left, in the order in which they were made."""
        left = sorted((task for task in asyncio.all_tasks(self) if isinstance(task, SimulatedTask)), key=hash)
        with _unheard():
            for task in left:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                task.machine.remains.clear()
                _dismantle(task)
            left.clear()
            self._ready.clear()  # type: ignore[attr-defined]
            self._timers.clear()
            self.network = None
            gc.collect()


def sweep() -> None:
    """Take apart what nobody refers to any more; it may be a coroutine of the dead."""
    with _unheard():
        gc.collect()


@contextmanager
def _unheard() -> Iterator[None]:
    hook, sys.unraisablehook = sys.unraisablehook, _shrug
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        sys.unraisablehook = hook


def _make_task(loop: Any, coro: Any, context: Context | None = None) -> SimulatedTask:
    return SimulatedTask(coro, loop=loop, context=context)


def _shrug(_: object) -> None:
    """The dead may say what they like."""


def _dismantle(task: SimulatedTask) -> None:
    """Close what the task was doing; one that goes on waiting while it is closed is closed again."""
    coroutine: Any = task.get_coro()
    while True:
        try:
            coroutine.close()
        except RuntimeError:  # it waits for something in a `finally`
            continue
        except BaseException:  # noqa: BLE001 - the dead may say what they like
            pass
        return


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    fault = context.get("exception")
    assert isinstance(loop, SimulatedLoop)
    loop.complaints.append(f"{context.get('message')}: {fault!r}")
