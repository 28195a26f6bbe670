"""The power goes in the middle of a write to the card, and comes back: what was answered is there, the customer is charged once.

The daemon dies with the light; what its card holds then is what was synced, and of the rest each sector or not (tests.disk).
"""

import asyncio
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from gateway import daemon
from gateway.access import GrantState
from gateway.simulators.phones import SimulatedPhone
from tests.disk import Disk, observed
from tests.e2e.crash import Fuse, Moment, MortalWorld, wire
from tests.e2e.test_crash import more_time_while_online, two_minutes

pytestmark = pytest.mark.long

CUTS = 12
"""Moments tried for each story, spread over all its writes; each with other sectors lost."""


class DarkWorld(MortalWorld):
    """A world in which the daemon finds, when it starts again, what a power cut has left of its database."""

    def __init__(self, folder: Path, fuse: Fuse, disk: Disk, cut_at: int, seed: int) -> None:
        super().__init__(folder, fuse)
        self.changes = 0
        self.cuts = 0
        self._disk = disk
        self._cut_at = cut_at
        self._rng = random.Random(seed)
        self._remains = folder / "after the cut"
        disk.on_change = self._note

    def _note(self) -> None:
        """In SQLite's own thread, in the middle of its work."""
        if not self.fuse.armed:
            return
        self.changes += 1
        if self.changes == self._cut_at:
            self._disk.cut_to(self._remains, self._rng)
            self._loop.call_soon_threadsafe(self._go_dark)

    def _go_dark(self) -> None:
        self.cuts += 1
        self.fuse.blown.set()

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._remains.exists():
            for path in (self.folder / "data").glob("gateway.db*"):
                path.unlink()
            shutil.copytree(self._remains / "data", self.folder / "data", dirs_exist_ok=True)
            shutil.rmtree(self._remains)
            self._disk.files.clear()
        await super().start()


@contextmanager
def watching(folder: Path, monkeypatch: pytest.MonkeyPatch, fuse: Fuse) -> Iterator[Disk]:
    folder.mkdir()
    with monkeypatch.context() as patch, observed(folder / "site") as disk:
        wire(patch, fuse)
        yield disk


@pytest.fixture(autouse=True)
def cut_without_grace(brief_grace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "GRACE_S", 0.001)


@pytest.mark.parametrize("story", [two_minutes, more_time_while_online], ids=["a purchase", "an extension"])
async def test_it_ends_right_wherever_the_power_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story):
    async def live(number: int, cut_at: int) -> DarkWorld:
        fuse = Fuse(Moment.AFTER, lambda _step: False)
        with watching(tmp_path / str(number), monkeypatch, fuse) as disk:
            try:
                async with DarkWorld(tmp_path / str(number) / "site", fuse, disk, cut_at, number) as world:
                    await story(world)
            except BaseException as fault:
                fault.add_note(f"the power went at change {cut_at} of the database, seed {number}")
                raise
        return world

    whole = await live(0, cut_at=0)
    assert whole.changes > CUTS
    for number in range(1, CUTS + 1):
        world = await live(number, cut_at=max(1, whole.changes * number // (CUTS + 1)))
        assert world.cuts == 1, "the light never went out"


async def test_every_payment_that_was_answered_is_on_the_card_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The light goes right after the answer: the payment is there, and so is what was promised of it."""
    fuse = Fuse(Moment.AFTER, lambda _step: False)
    with watching(tmp_path / "dark", monkeypatch, fuse) as disk:
        async with DarkWorld(tmp_path / "dark" / "site", fuse, disk, cut_at=0, seed=1) as world:
            for seed, phone in enumerate((world.amina, world.otieno, world.guest())):
                payment_id = await world.ask(phone)
                await _lose_the_light(world, disk, seed)
                assert (await world.payment(payment_id)).status == "processing"
                phone.enter_pin()
                await world.pass_time_until(partial(_is_online, phone), within_s=20)
                status, answer = await world.check(payment_id)
                assert (status, answer["status"]) == (200, "completed")
                await _lose_the_light(world, disk, seed)
                (grant,) = [grant for grant in await world.grants(GrantState.ACTIVE) if grant.payment_id == payment_id]
                assert grant.ends_at_s is not None
            assert len(world.intasend.pushes) == 3


def _is_online(phone: SimulatedPhone) -> bool:
    return phone.online


async def _lose_the_light(world: DarkWorld, disk: Disk, seed: int) -> None:
    disk.cut_to(world._remains, random.Random(seed))
    world._go_dark()
    await world.quiet()
