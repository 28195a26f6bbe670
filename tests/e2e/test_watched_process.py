"""The program under a service manager that watches it: held up, stopped, hanging, and started again and again."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest

import gateway
from gateway.simulators.intasend import account, invoices
from tests.e2e.process import PATIENCE_S, Kiosk

pytestmark = pytest.mark.long

WITHIN_S = 1.0
"""Within which the manager wants a sign of life; the unit says 60."""

HELD_UP = "import signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: time.sleep(2.5))\n"
"""Done by the process before it begins: lets a signal block its event loop."""

HANGING = """
import asyncio
from gateway import news, watchdog
async def hang(self):
    await asyncio.Event().wait()
news.News.run_once = hang
watchdog.QUICK_RUN_S = 1.5
"""
"""The same: a job that never comes to an end."""

ALIVE = "WATCHDOG=1"


class Manager:
    """Where systemd would listen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def environment(self, prelude: str = "") -> dict[str, str]:
        """For the process that is watched; `prelude` is Python that it runs before anything else."""
        (self.path.parent / "sitecustomize.py").write_text(prelude)
        paths = os.pathsep.join((str(self.path.parent), str(Path(gateway.__file__).parents[1])))
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": f"{WITHIN_S * 1e6:.0f}", "PYTHONPATH": paths}

    async def hears(self, what: str, *, within_s: float = PATIENCE_S) -> str:
        """Wait until that is said from now on; what was said with it. TimeoutError when it is not."""
        async with asyncio.timeout(within_s):
            while True:
                self.said.append((await asyncio.get_running_loop().sock_recv(self._socket, 1_000)).decode())
                if what in self.said[-1]:
                    return self.said[-1]

    async def ends_it(self) -> None:
        """Wait until it would end the process, for want of a sign of life; what it said before does not count."""
        while True:
            try:
                await self.hears(ALIVE, within_s=WITHIN_S)
            except TimeoutError:
                return


@pytest.fixture
async def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kiosk]:
    for module in (invoices, account):
        monkeypatch.setattr(module, "PROCESSING_AFTER_S", 0.1)
    async with Kiosk(tmp_path) as site:
        yield site


async def test_it_is_ready_then_alive_and_says_how_it_is(kiosk: Kiosk, tmp_path: Path):
    with Manager(tmp_path / "notify") as manager:
        async with kiosk.gateway(**manager.environment()):
            assert await manager.hears("") == "READY=1"
            assert await manager.hears("") == f"{ALIVE}\nSTATUS=1 of 1 routers answer"
            assert await manager.hears("") == f"{ALIVE}\nSTATUS=1 of 1 routers answer"


async def test_a_loop_that_is_blocked_gives_no_sign_of_life(kiosk: Kiosk, tmp_path: Path):
    with Manager(tmp_path / "notify") as manager:
        async with kiosk.gateway(**manager.environment(HELD_UP)) as program:
            await manager.hears(ALIVE)
            program.signal(signal.SIGUSR1)
            async with asyncio.timeout(PATIENCE_S):
                await manager.ends_it()
            await manager.hears(ALIVE)  # what it says of itself depends on what the signal fell into (tests/unit/test_watchdog.py)


async def test_a_job_that_hangs_gives_no_sign_of_life(kiosk: Kiosk, tmp_path: Path):
    with Manager(tmp_path / "notify") as manager:
        async with kiosk.gateway(**manager.environment(HANGING)) as program:
            await manager.hears(ALIVE)
            async with asyncio.timeout(PATIENCE_S):
                await manager.ends_it()
            await program.says("the job news has not come to an end")


async def test_a_process_that_was_stopped_for_a_while_catches_up(kiosk: Kiosk, tmp_path: Path):
    with Manager(tmp_path / "notify") as manager:
        async with kiosk.gateway(**manager.environment()) as program:
            await kiosk.press_pay(kiosk.amina)
            await kiosk.prompted.wait()
            program.signal(signal.SIGSTOP)
            await kiosk.pay(kiosk.amina)
            await manager.ends_it()
            program.signal(signal.SIGCONT)
            await program.says("action=online")
            program.signal(signal.SIGSTOP)
            for _ in range(3):  # longer than what was bought
                await manager.ends_it()
            program.signal(signal.SIGCONT)
            await program.says("action=offline")
            assert not kiosk.amina.online
            await manager.hears(ALIVE)


async def test_five_starts_in_a_row_lose_nothing_and_ask_nobody_twice(kiosk: Kiosk):
    async with kiosk.gateway() as program:
        await kiosk.press_pay(kiosk.amina)
        program.signal(signal.SIGKILL)
    for _ in range(3):
        async with kiosk.gateway() as program:
            program.signal(signal.SIGKILL)
    await kiosk.pay(kiosk.amina)
    async with kiosk.gateway() as program:
        await program.says("action=online")
        await program.says("action=offline")
    assert len(kiosk.intasend.pushes) == 1
    logins = [row["message"] for row in kiosk.router.machine.log if "logged in from" in row["message"]]
    assert len(logins) <= 2 * 5, "the router keeps its newest lines only: its log is not ours to fill"
