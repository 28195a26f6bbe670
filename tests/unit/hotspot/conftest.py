from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.hotspot.base import Way
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock
from tests.unit.hotspot.scripted import ScriptedRouter
from tests.unit.hotspot.site import ADDRESS, PHONE, login_to


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def router(clock) -> AsyncIterator[SimulatedRouter]:
    simulated = SimulatedRouter(clock)
    await simulated.start()
    simulated.join(PHONE.text, ADDRESS.text)
    yield simulated
    await simulated.stop()


@pytest.fixture
async def hotspot(clock, router) -> AsyncIterator[MikrotikHotspot]:
    adapter = MikrotikHotspot(login_to(router), clock)
    yield adapter
    await adapter.close()


@pytest.fixture
async def bindings(clock, router) -> AsyncIterator[MikrotikHotspot]:
    adapter = MikrotikHotspot(replace(login_to(router), way=Way.BINDING), clock)
    yield adapter
    await adapter.close()


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedRouter]:
    router = ScriptedRouter()
    await router.start()
    yield router
    await router.stop()
