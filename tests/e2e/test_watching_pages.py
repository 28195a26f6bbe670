"""Pages that wait for news of a payment: they hold up nobody, the daemon's end least of all."""

import asyncio

import aiohttp
import pytest

from gateway import daemon
from tests.e2e.world import World

LONG_S = 60.0


async def test_the_daemon_does_not_wait_for_pages_that_wait_for_it(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daemon, "GRACE_S", LONG_S)
    payment_id = await world.ask(world.amina)
    async with world.http.get(f"{world.url}/portal/payments/{payment_id}/events") as response:
        await world.until(lambda: world.running.news._watches)
        async with asyncio.timeout(LONG_S / 10):
            await world.stop()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
