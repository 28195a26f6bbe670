"""SIGKILL at random moments: the real process dies in the middle of purchases, extensions and ends, and is started again.

`make long` kills for about a minute; `make kill KILLS=500 SEED=7` as often as wanted, and says which seed it was.
"""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.clock import SystemClock
from gateway.simulators.intasend import Outcome, account, invoices
from tests.e2e.process import Kiosk

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("KILLS", "50"))
SEED = int(os.environ.get("SEED", "1"))

CLOCK = SystemClock()

LIVES_S = (0.0, 0.6)
"""How long the process lives between its readiness and its death: a purchase of two seconds takes about half a second."""

CONVERGES_S = 25.0
"""After the last kill: a push in hand when it died is looked for at IntaSend's list, in growing pauses."""


@pytest.fixture
async def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kiosk]:
    for module in (invoices, account):
        monkeypatch.setattr(module, "PROCESSING_AFTER_S", 0.05)
    async with Kiosk(tmp_path) as site:
        yield site


class Customers:
    """Amina and Otieno press Pay and enter their PINs, over and over, whether or not anybody answers."""

    def __init__(self, kiosk: Kiosk, rng: random.Random) -> None:
        self.kiosk = kiosk
        self._rng = rng

    async def live(self) -> None:
        """Until cancelled."""
        for number in itertools.count():
            phone = (self.kiosk.amina, self.kiosk.otieno)[number % 2]
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, AttributeError):
                await self.kiosk.press_pay(phone)
            await CLOCK.sleep(self._rng.uniform(0.0, 0.05))
            phone.enter_pin()


async def test_whoever_paid_is_served_and_charged_once_however_often_it_is_killed(kiosk: Kiosk):
    rng = random.Random(SEED)
    customers = asyncio.create_task(Customers(kiosk, rng).live())
    try:
        for number in range(1, KILLS + 1):
            await live_and_die(kiosk, rng, f"kill {number} of seed {SEED}")
    finally:
        customers.cancel()
        await asyncio.gather(customers, return_exceptions=True)
    await everything_is_settled(kiosk)


async def live_and_die(kiosk: Kiosk, rng: random.Random, which: str) -> None:
    """One life. That the start is quick is measured by tests.e2e.test_process."""
    async with kiosk.gateway() as program:
        await CLOCK.sleep(rng.uniform(*LIVES_S))
        program.signal(signal.SIGKILL)
        assert await program.ends() == -signal.SIGKILL, f"it had ended by itself before {which}:\n" + "\n".join(program.log)


async def everything_is_settled(kiosk: Kiosk) -> None:
    """Each payment was pushed once; what was paid was granted, and nothing else; whoever's time is over is out."""
    deadline_s = CLOCK.monotonic_s() + CONVERGES_S
    async with kiosk.gateway() as program:
        while granted(kiosk) != paid(kiosk) or kiosk.amina.online or kiosk.otieno.online:
            assert CLOCK.monotonic_s() < deadline_s, "\n".join([str(paid(kiosk) ^ granted(kiosk)), *program.log])
            await CLOCK.sleep(0.2)
    references = [push.order.api_ref for push in kiosk.intasend.pushes]
    assert len(references) == len(set(references)), "one payment was pushed twice"
    assert len(paid(kiosk)) > KILLS / 10, "hardly anybody has paid: the test proves little"


def paid(kiosk: Kiosk) -> set[str]:
    """The invoices that customers were charged for, as IntaSend knows."""
    return {push.invoice_id for push in kiosk.intasend.pushes if push.outcome is Outcome.COMPLETE}


def granted(kiosk: Kiosk) -> set[str]:
    """The invoices for which access was given and is over, as the database on the card says."""
    with contextlib.closing(sqlite3.connect(f"file:{kiosk.data / 'gateway.db'}?mode=ro", uri=True)) as card:
        rows = card.execute(
            "SELECT invoice_id FROM payment JOIN access_grant ON payment_id = payment.id"
            " WHERE payment.state = 'paid' AND access_grant.state = 'ended'"
        )
        return {str(invoice_id) for (invoice_id,) in rows}
