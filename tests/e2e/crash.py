"""A daemon that dies at a chosen step, a service manager that starts it again, and a customer who knows nothing of it.

A step is what leaves a trace outside the daemon's memory: a committed write, a question to IntaSend, a sentence that changes the
router, a look at its tables. The dead daemon does nothing more: each of its later steps hangs until its tasks are torn down.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import pytest

from gateway.hotspot.link import Link
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.payments import NOT_FOUND_S, Payment
from gateway.providers.intasend import IntaSend
from gateway.simulators.phones import SimulatedPhone
from gateway.store.database import Database
from tests.e2e.world import World

T = TypeVar("T")

CHANGES = ("add", "set", "remove", "login")
"""The last words of sentences that change the router."""

LOOKS = frozenset({"MikrotikHotspot.observe", "MikrotikHotspot.locate"})
"""Steps that change nothing, so that before and after them is the same moment."""


class Moment(Enum):
    """When the daemon dies: the step was not done, or it was done and the daemon never learned of it."""

    BEFORE = "before"
    AFTER = "after"


class Fuse:
    """Counts the daemon's steps once it is armed, and ends its life at those that it is told."""

    def __init__(self, moment: Moment, deadly: Callable[[int], bool]) -> None:
        self.moment = moment
        self.steps: list[str] = []
        """The names of the steps so far, from the moment of arming."""
        self.deaths: list[str] = []
        """Where it died."""
        self.armed = False
        self.blown = asyncio.Event()
        self._deadly = deadly
        self._life = 0

    def reset(self) -> None:
        """A new daemon lives."""
        self._life += 1
        self.blown.clear()

    async def step(self, name: str, deed: Callable[[], Awaitable[T]]) -> T:
        """Do the step, or die of it."""
        life, place = self._life, self._count(name)
        deadly = self._deadly(place)
        if self.blown.is_set() or (deadly and self.moment is Moment.BEFORE):
            await self._die(place)
        fault: Exception | None = None
        try:
            outcome = await deed()
        except Exception as refused:  # noqa: BLE001 - a refusal is an outcome, and the dead learn of no outcome
            fault = refused
        if deadly or self.blown.is_set() or life != self._life:
            await self._die(place)
        if fault is not None:
            raise fault
        return outcome

    def _count(self, name: str) -> int:
        """The number of this step; 0 for one that does not count."""
        if not self.armed or self.blown.is_set() or (name in LOOKS and self.moment is Moment.AFTER):
            return 0
        self.steps.append(name)
        return len(self.steps)

    async def _die(self, place: int) -> None:
        if not self.blown.is_set():
            self.deaths.append(f"{self.moment.value} step {place}, {self.steps[place - 1]}")
            self.blown.set()
        await asyncio.get_running_loop().create_future()


def wire(monkeypatch: pytest.MonkeyPatch, fuse: Fuse) -> None:
    """Put the fuse into every step of every daemon."""

    def put(owner: type, name: str, called: Callable[..., str | None]) -> None:
        real = getattr(owner, name)

        async def step(self: Any, *args: Any, **named: Any) -> Any:
            label = called(*args)
            deed = partial(real, self, *args, **named)
            return await (deed() if label is None else fuse.step(label, deed))

        monkeypatch.setattr(owner, name, step)

    put(Database, "write", lambda work: f"write of {work.__qualname__.split('.<locals>')[0]}")
    put(Link, "ask", lambda *words: words[0] if words[0].rpartition("/")[2] in CHANGES else None)
    for owner, names in ((IntaSend, ("push", "report", "find")), (MikrotikHotspot, ("observe", "locate"))):
        for name in names:
            put(owner, name, lambda *_, label=f"{owner.__name__}.{name}": label)


class MortalWorld(World):
    """A world in which the daemon dies of its fuse and is started again at once, as a service manager does."""

    def __init__(self, folder: Path, fuse: Fuse, **site: Any) -> None:
        folder.mkdir()
        super().__init__(folder, **site)
        self.fuse = fuse
        self.edits.append(_sell_twenty_minutes)
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._keeper = asyncio.create_task(self._keep_alive())
        await self.quiet()
        return self

    async def __aexit__(self, *exit_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await super().__aexit__(*exit_)

    async def _keep_alive(self) -> None:
        while True:
            self.fuse.reset()
            starting = asyncio.create_task(self.start())
            death = asyncio.create_task(self.fuse.blown.wait())
            try:
                await asyncio.wait({starting, death}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                    await death
            finally:
                starting.cancel()
                death.cancel()
                await asyncio.gather(starting, death, return_exceptions=True)
            await self.stop()

    @property
    def _is_at_rest(self) -> bool:
        """Alive, with nothing to do but wait."""
        if self._keeper is not None and self._keeper.done():
            self._keeper.result()
        return not self.fuse.blown.is_set() and self.daemon is not None and super()._is_at_rest


def _sell_twenty_minutes(document: dict[str, Any]) -> None:
    document["owners"][0]["routers"][0]["packages"].append({"id": 6, "name": "20 minutes", "price": "15", "duration": "20m"})


class Customer:
    """Somebody who presses Pay again whenever nothing comes of it."""

    def __init__(self, world: World, phone: SimulatedPhone, package_id: int, amount: str) -> None:
        self.world = world
        self.phone = phone
        self._order = (package_id, amount)

    async def press_pay(self) -> str:
        """Press until there is an answer; the payment's id."""
        while True:
            await self.world.quiet()
            with contextlib.suppress(aiohttp.ClientError):
                status, answer = await self.world.initiate(self.phone, *self._order)
                assert status in {200, 201}, answer
                return str(answer["payment"]["id"])

    async def get_a_prompt(self) -> Payment:
        """Press Pay and wait for the prompt; press again when the payment came to nothing."""
        payment = await self._wait(await self.press_pay())
        if not self.phone.prompt:
            assert payment.status == "failed", payment
            payment = await self._wait(await self.press_pay())
        assert self.phone.prompt, payment
        return payment

    async def _wait(self, payment_id: str) -> Payment:
        waited_s = 0.0
        payment = await self.world.payment(payment_id)
        while not self.phone.prompt and payment.is_undecided:
            assert waited_s <= NOT_FOUND_S + 60, f"neither a prompt nor an end: {payment}"
            step_s = 1.0 if waited_s < 10 else 15.0
            await self.world.pass_time(step_s)
            waited_s += step_s
            payment = await self.world.payment(payment_id)
        return payment


Scenario = Callable[[MortalWorld], Awaitable[None]]


async def die_everywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moment: Moment, scenario: Scenario, *, times: int = 1, **site: Any
) -> list[str]:
    """Run the scenario in one world after another, the daemon dying at its first step, its second, … until it sees no death.

    With `times` it dies at so many steps in a row, those of its recovery among them. Returns where it died first in each run.
    Whatever fails says so, too.
    """
    deaths: list[str] = []
    for number in itertools.count(1):
        fuse = Fuse(moment, range(number, number + times).__contains__)
        await live_once(folder / str(number), monkeypatch, fuse, scenario, **site)
        if not fuse.deaths:
            break
        deaths.append(fuse.deaths[0])
    return deaths


async def live_once(folder: Path, monkeypatch: pytest.MonkeyPatch, fuse: Fuse, scenario: Scenario, **site: Any) -> None:
    """Run the scenario in a world with this fuse."""
    try:
        with monkeypatch.context() as patch:
            wire(patch, fuse)
            async with MortalWorld(folder, fuse, **site) as world:
                await scenario(world)
    except BaseException as fault:
        fault.add_note(f"the daemon died {'; '.join(fuse.deaths) or 'nowhere'}; its steps were {fuse.steps}")
        raise
