"""One run: a plan carried out from beginning to end, watched all the time, and what came of it."""

import asyncio
import gc
import hashlib
import shutil
import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import aiohappyeyeballs
from aiohttp import connector, web_app, web_response

from gateway import books, heartbeat, reconciler, refunds, scheduler, unserved, uplink
from tests.simulation.faults import KINDS
from tests.simulation.invariants import Auditor
from tests.simulation.loop import SimulatedLoop, sweep
from tests.simulation.network import Socket
from tests.simulation.plan import Plan
from tests.simulation.seeding import seeded
from tests.simulation.visits import BEHAVIOURS
from tests.simulation.world import World

MEMORY = Path("/dev/shm")
"""Where the database lies when there is such a folder: the disk's speed is the simulation's to decide."""


def memory() -> Path | None:
    """That folder, or None for wherever temporary files go."""
    return MEMORY if MEMORY.is_dir() else None


@dataclass(slots=True)
class Result:
    """What came of a run."""

    plan: Plan
    violation: str | None = None
    fault: Exception | None = None
    """The violation as it was raised."""
    trace: str = ""
    """Where it was raised."""
    journal: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    """The event table, a line each."""
    counts: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    """The longest that was measured of each."""
    simulated_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def digest(self) -> str:
        """The same for the same seed, or something is left to chance."""
        return hashlib.sha256("\n".join([*self.events, *self.journal, str(self.violation)]).encode()).hexdigest()


def run(plan: Plan) -> Result:
    """Carry a plan out. What is broken is told in the result, not raised."""
    began_s, result = time.process_time(), Result(plan)
    was_collecting = gc.isenabled()
    gc.freeze()
    gc.disable()  # finalisers run when nobody refers to a thing any more, and at no other time
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=memory()))
    try:
        with ExitStack() as stack:
            stack.enter_context(seeded(f"{plan.seed}/secrets"))
            _slow_down(stack, plan.pace)
            stack.enter_context(mock.patch.object(aiohappyeyeballs, "start_connection", _start_connection))
            _run(plan, folder, result)
    finally:
        sweep()  # only what this run has left: the rest is frozen, and this would be, too, with its open files
        shutil.rmtree(folder, ignore_errors=True)
        if was_collecting:
            gc.enable()
    result.cpu_s = time.process_time() - began_s
    return result


def _run(plan: Plan, folder: Path, result: Result) -> None:
    loop = SimulatedLoop()
    asyncio.set_event_loop(loop)
    world = World(plan, folder, loop)
    auditor = Auditor(world)
    try:
        with (
            world.disk.in_use(),
            mock.patch.object(web_response, "rfc822_formatted_time", world.true_clock.http_date),
            mock.patch.object(connector, "monotonic", loop.time),  # or idle connections would never be old
        ):
            loop.run_until_complete(_live(world, auditor))
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is what the run found
        result.violation = f"{type(fault).__name__}: {fault}" if str(fault) else repr(fault)
        result.trace = "".join(traceback.format_exception(fault))
        result.fault = fault.with_traceback(None)
        fault.__cause__ = fault.__context__ = None  # or the world would live as long as its story
    finally:
        result.events = auditor.replica.lines
        result.journal, result.counts, result.bounds = world.journal, world.counts, auditor.bounds.longest_s
        result.simulated_s = world.now_s
        auditor.close()
        world.dispose()
        web_app._cached_build_middleware.cache_clear()  # aiohttp remembers the last thousand applications, and worlds with them
        del world, auditor
        loop.bury()
        asyncio.set_event_loop(None)
        loop.close()


async def _live(world: World, auditor: Auditor) -> None:
    """Let everything happen; then let it come right; then look at everything once more."""
    plan = world.plan
    await world.open()
    world.intasend.webhook_url = world.webhook_url
    watching = asyncio.ensure_future(auditor.watch())
    faults = [asyncio.ensure_future(world.suffer(entry, KINDS[entry.kind].deed)) for entry in plan.faults]
    visits = [
        asyncio.ensure_future(world.act(BEHAVIOURS[entry.kind], entry, world.customers[entry.who - 1])) for entry in plan.visits
    ]
    await _all(world, watching, [*faults, *visits, asyncio.ensure_future(asyncio.sleep(plan.size.hours * 3_600))])
    world.heal()
    world.tell("all is well from here on")
    await _all(world, watching, [asyncio.ensure_future(asyncio.sleep(plan.size.calm_hours * 3_600))])
    watching.cancel()
    auditor.conclude()
    await auditor.die_once_more()
    await world.stop(down_s=0.1)
    await world.close()
    auditor.after_the_end()


async def _all(world: World, watching: "asyncio.Future[None]", deeds: "list[asyncio.Future[None]]") -> None:
    """Wait for all of them; whoever finds something broken ends it."""
    everything = asyncio.gather(*deeds)
    ends = (everything, watching, world.keeper)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        if end.done():
            end.result()


def _slow_down(stack: ExitStack, pace: float) -> None:
    """Slow the background rhythm down; what customers wait for stays as it is."""
    for module, name in (
        (reconciler, "PULSE_S"), (reconciler, "COMPARE_S"), (reconciler, "SETTLING_S"), (scheduler, "LONGEST_PAUSE_S"),
        (heartbeat, "BEAT_S"), (heartbeat, "WATCH_S"), (refunds, "LOOK_S"), (unserved, "LOOK_S"), (books, "SOON_S"),
        (uplink, "ASK_S"),
    ):  # fmt: skip
        stack.enter_context(mock.patch.object(module, name, getattr(module, name) * pace))


async def _start_connection(addr_infos: list[tuple[object, ...]], **_: object) -> Socket:
    """Aiohttp opens its sockets by itself: here it gets one that only knows where to."""
    address = addr_infos[0][-1]
    assert isinstance(address, tuple)
    return Socket(("0.0.0.0", 0), (str(address[0]), int(address[1])))
