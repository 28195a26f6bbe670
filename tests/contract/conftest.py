from collections.abc import AsyncIterator

import pytest

from gateway.hotspot.base import RouterLogin, Way
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.identity import Secret
from gateway.simulators.routeros import SimulatedRouter
from tests.contract.hotspots import ADDRESS, PHONE, VERSIONS, Site
from tests.fakeclock import FakeClock


@pytest.fixture(params=VERSIONS)
async def router(request, clock) -> AsyncIterator[SimulatedRouter]:
    simulated = SimulatedRouter(clock, version=request.param)
    await simulated.start()
    simulated.join(PHONE.text, ADDRESS.text)
    yield simulated
    await simulated.stop()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=[pytest.param(way, id=way.value) for way in Way])
async def site(request, clock, router) -> AsyncIterator[Site]:
    login = RouterLogin(
        router_id=1,
        name="Kiosk",
        host="127.0.0.1",
        port=router.port,
        tls=False,
        tls_fingerprint=None,
        tls_ca_file=None,
        username="gateway",
        password=Secret("gateway"),
        hotspot_server="hotspot1",
        way=request.param,
    )
    hotspot = MikrotikHotspot(login, clock)
    yield Site(clock, router, login, hotspot)
    await hotspot.close()
