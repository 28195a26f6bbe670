from collections.abc import AsyncIterator

import pytest

from gateway.simulators.air import Internet, PhoneConnection
from gateway.simulators.intasend import SimulatedIntaSend
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock
from tests.simulators.air.scene import IP, MAC, PORTAL


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def router(clock: FakeClock) -> SimulatedRouter:
    return SimulatedRouter(clock, login_by=frozenset({"mac", "http-pap"}))


@pytest.fixture
def phone(router: SimulatedRouter, clock: FakeClock) -> SimulatedPhone:
    """Amina's phone, on the hotspot and not online."""
    phone = SimulatedPhone("amina", MAC, IP, "254712345678", router, SimulatedIntaSend(clock), clock)
    phone.join()
    return phone


@pytest.fixture
async def connection(phone: SimulatedPhone, router: SimulatedRouter) -> AsyncIterator[PhoneConnection]:
    connection = PhoneConnection(phone, router, Internet(), PORTAL)
    await connection.start()
    yield connection
    await connection.stop()
