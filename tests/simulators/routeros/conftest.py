"""Routers on a test's clock, and clients for them."""

import asyncio
from typing import Any

import pytest

from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock
from tests.simulators.routeros.rawclient import RawClient
from tests.simulators.routeros.sales import IP, MAC

TURNS = 20
"""More than an event of the router takes from its sleep to its end."""


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def make(clock):
    """Makes routers with one phone in range and no server, which the hotspot's rules do not need."""

    def make(**options: Any):
        router = SimulatedRouter(clock, **{"login_by": frozenset({"http-chap"}), **options})
        router.join(MAC, IP)
        return router

    return make


@pytest.fixture
def asleep(clock):
    """Waits until something sleeps on the router's clock."""

    async def wait():
        async with asyncio.timeout(5):
            while clock.next_wake_s() is None:  # noqa: ASYNC110  # the clock is not asked to tell when
                await asyncio.sleep(0)

    return wait


@pytest.fixture
def settled():
    """Lets whatever is ready run."""

    async def turn():
        for _ in range(TURNS):
            await asyncio.sleep(0)

    return turn


@pytest.fixture
async def power(clock):
    """Makes and starts routers; stops them all."""
    routers = []

    async def start(**options: Any):
        router = SimulatedRouter(clock, **options)
        routers.append(router)
        await router.start()
        return router

    yield start
    for router in routers:
        await router.stop()


@pytest.fixture
async def router(power):
    return await power()


@pytest.fixture
async def dial():
    """Connects raw clients; closes them all."""
    clients = []

    async def connect(router, *, login=True):
        client = RawClient(*await asyncio.open_connection("127.0.0.1", router.port))
        clients.append(client)
        if login:
            assert await client.login() == [["!done"]]
        return client

    yield connect
    for client in clients:
        await client.close()


@pytest.fixture
async def client(router, dial):
    return await dial(router)
