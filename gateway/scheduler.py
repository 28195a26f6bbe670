"""Background work: named jobs, the one loop around them, and what is in hand when the daemon stops.

A job has `run_once`, which does what is to be done now and says in how many seconds there may be more. Whoever creates work for a
job wakes it by name. What a job expects to go wrong it handles itself, and a disk that takes nothing makes it run again later;
anything else ends the daemon loudly, and the service manager starts it again: a gateway without its closing job must not look
alive.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from gateway.clock import Clock
from gateway.errors import GatewayError, NotStored

T = TypeVar("T")

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 60.0
"""No job sleeps longer: what nobody wakes it for is noticed within a minute."""

STORE_AGAIN_S = 5.0
"""How soon a job whose result the disk did not take runs again: as soon as the heartbeat finds out whether the disk is well."""


class Job(Protocol):
    """One kind of background work."""

    @property
    def name(self) -> str:
        """What `wake` calls it; unique."""
        ...

    async def run_once(self) -> float | None:
        """Do what is to be done now. Returns the seconds until there may be more; None for nothing until woken."""
        ...


class Errand:
    """A job that is done once: by whoever needs it now, else by its loop, which tries again while the disk takes nothing."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._work = work
        self._done = False

    async def run_once(self) -> None:
        """Do it, unless it is done."""
        if not self._done:
            await self._work()
            self._done = True


class Scheduler:
    """Runs jobs until it is stopped; starts them as they are added."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken: dict[str, asyncio.Event] = {}
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._in_hand: set[asyncio.Task[Any]] = set()
        self._began_at_s: dict[str, float] = {}
        """When each job that is running now began its run, or last brought something to an end, in monotonic seconds."""
        self._died: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, job: Job) -> None:
        """Start the loop of a job; its first run begins at once. ValueError when a job of that name is running."""
        if job.name in self._loops:
            raise ValueError(f"the job {job.name} is running already")
        self._woken[job.name] = woken = asyncio.Event()
        woken.set()
        loop = asyncio.create_task(self._loop(job), name=job.name)
        loop.add_done_callback(self._notice)
        self._loops[job.name] = loop

    async def remove(self, name: str) -> None:
        """End the loop of a job, in the middle of its run if need be."""
        loop = self._loops.pop(name)
        del self._woken[name]
        loop.cancel()
        await asyncio.wait({loop})

    @property
    def is_idle(self) -> bool:
        """Whether every job is waiting for its time, and nothing is in hand."""
        return not (self._busy or self._in_hand or any(woken.is_set() for woken in self._woken.values()))

    def running_s(self) -> dict[str, float]:
        """For how long each job that is running now has been at one thing; a job that waits for its time is left out."""
        now_s = self._clock.monotonic_s()
        return {name: now_s - began_at_s for name, began_at_s in self._began_at_s.items()}

    def went_on(self) -> None:
        """The job that asks has brought one of many things to an end: it is not stuck, however many there are."""
        task = asyncio.current_task()
        if task is not None and task.get_name() in self._began_at_s:
            self._began_at_s[task.get_name()] = self._clock.monotonic_s()

    @property
    def _busy(self) -> set[str]:
        return set(self._began_at_s)

    def wake(self, name: str) -> None:
        """There is work for this job now. Does nothing for a job that is not there."""
        if name in self._woken:
            self._woken[name].set()

    def wake_all(self) -> None:
        """It is another time: whatever a job waits for may be due now."""
        for woken in self._woken.values():
            woken.set()

    def in_hand(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that outlives whoever asked for it, and that `stop` waits for."""
        task = asyncio.create_task(work)
        self._in_hand.add(task)
        task.add_done_callback(self._retire)
        return task

    async def run(self) -> None:
        """Wait until a job dies; raises what killed it."""
        await self._died

    def fail(self, fault: Exception) -> None:
        """End the daemon as if a job had died: for what makes going on worse than starting again."""
        if not self._died.done():
            log.critical("the gateway cannot go on, its next start mends what it can: %s", fault, extra={"action": "cannot_go_on"})
            self._died.set_exception(fault)

    async def stop(self, grace_s: float) -> None:
        """End every loop, and wait that long for what is in hand."""
        for name in list(self._loops):
            await self.remove(name)
        if self._in_hand:
            _, left = await asyncio.wait(self._in_hand, timeout=grace_s)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _loop(self, job: Job) -> None:
        woken = self._woken[job.name]
        while True:
            woken.clear()
            self._began_at_s[job.name] = self._clock.monotonic_s()
            try:
                pause_s = await job.run_once()
            except NotStored:  # told by the database; a full disk heals without a restart, which would lose the readiness to close
                pause_s = STORE_AGAIN_S
            finally:
                del self._began_at_s[job.name]
            if _is_cancelled():
                return
            await self._pause(woken, LONGEST_PAUSE_S if pause_s is None else min(pause_s, LONGEST_PAUSE_S))

    async def _pause(self, woken: asyncio.Event, seconds: float) -> None:
        nap = asyncio.create_task(self._clock.sleep(seconds))
        nap.add_done_callback(lambda _: None if nap.cancelled() else woken.set())
        try:
            await woken.wait()
        finally:
            nap.cancel()

    def _retire(self, task: asyncio.Task[Any]) -> None:
        """What fails after its caller has gone is told here; an expected failure was told where it happened."""
        self._in_hand.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not isinstance(fault, GatewayError):
            log.error("what was in hand failed: %r", fault, exc_info=fault, extra={"action": "in_hand_failed"})

    def _notice(self, loop: asyncio.Task[None]) -> None:
        if loop.cancelled() or self._died.done():
            return
        fault = loop.exception()
        if fault is not None:
            log.critical("job %s died: %r", loop.get_name(), fault, exc_info=fault, extra={"action": "job_died"})
            self._died.set_exception(fault)


def _is_cancelled() -> bool:
    """Whether this task was told to end, even if it never felt it.

    `asyncio.wait_for` before Python 3.12 can swallow a cancellation that comes together with its result, and librouteros uses it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
