"""One router with one phone, and the adapter's goals for it."""

from dataclasses import replace
from typing import Any

from gateway.hotspot.base import RouterLogin, WantedAccess, Way
from gateway.identity import IpAddress, MacAddress, Secret
from gateway.packages import SpeedProfile
from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.traps import Trap as SimulatedTrap
from tests.fakeclock import FakeClock

PHONE, ADDRESS = MacAddress.parse("AA:BB:CC:00:00:01"), IpAddress.parse("10.5.50.21")
FAST, SLOW = SpeedProfile(2_000, 5_000, 1), SpeedProfile(512, 1_000, 1)
HOUR_S = 3_600


def login_to(router: SimulatedRouter) -> RouterLogin:
    return RouterLogin(
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
        way=Way.USER,
    )


def wanted(clock: FakeClock, remaining_s: int = HOUR_S, **changes: Any) -> WantedAccess:
    until_epoch_s = int(clock.wall_s()) + remaining_s
    return replace(WantedAccess("7", PHONE, ADDRESS, FAST, until_epoch_s, remaining_s, None), **changes)


def user_of(router: SimulatedRouter, name: str = PHONE.text) -> dict[str, str]:
    row = router.hotspot.users.named(name)
    assert row is not None
    return row


def paths(router: SimulatedRouter) -> list[str]:
    return [line.split()[0] for line in router.commands]


def session(router: SimulatedRouter) -> Any:
    return router.hotspot.active.get(ADDRESS.text)


def nothing(*args: Any, **kwargs: Any) -> None:
    """Say that it is done, and do nothing."""


def refusing(router: SimulatedRouter, text: str) -> Any:
    def login(*args: Any, **kwargs: Any) -> None:
        raise SimulatedTrap(text)

    return login
