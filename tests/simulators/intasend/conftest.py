"""A running simulator with time in the test's hand, and two clients that are not ours: the stock SDK and bare HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from intasend import APIService

from gateway.simulators.intasend import SimulatedIntaSend
from tests.fakeclock import FakeClock

PHONE = "254712345678"


class StockSdk:
    """IntaSend's official SDK as it comes, each call in a thread because it blocks."""

    def __init__(self, sim: SimulatedIntaSend, token: str, publishable_key: str) -> None:
        self.sim = sim
        self.api = APIService(token=token, publishable_key=publishable_key, test=True)

    async def __call__(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(method, *args, **kwargs)

    async def push(self, phone: str = PHONE, amount: Any = 50, **kwargs: Any) -> Any:
        return await self(self.api.collect.mpesa_stk_push, phone, amount, "WiFi", **{"api_ref": "HG-1", **kwargs})

    async def status(self, invoice_id: str) -> Any:
        return (await self(self.api.collect.status, invoice_id))["invoice"]

    async def push_id(self, **kwargs: Any) -> str:
        return str((await self.push(**kwargs))["invoice"]["invoice_id"])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def sim(clock: FakeClock) -> AsyncIterator[SimulatedIntaSend]:
    simulator = SimulatedIntaSend(clock)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def make_sdk(sim: SimulatedIntaSend, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StockSdk]:
    monkeypatch.setattr("intasend.client.get_service_url", lambda path, _test=False: f"{sim.base_url}{path}")
    return lambda token=sim.secret_key, publishable_key=sim.publishable_key: StockSdk(sim, token, publishable_key)


@pytest.fixture
def sdk(make_sdk: Callable[..., StockSdk]) -> StockSdk:
    return make_sdk()


@pytest.fixture
async def http(sim: SimulatedIntaSend) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=sim.base_url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


@pytest.fixture
def secret(sim: SimulatedIntaSend) -> dict[str, str]:
    return {"Authorization": f"Bearer {sim.secret_key}"}


@pytest.fixture
def settle() -> Callable[[], Any]:
    """Let every task that can go on do so; for what needs no socket."""

    async def turns() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    return turns
