"""The worlds in which the contract of a hotspot is tested: both ways in, on several versions of RouterOS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from gateway.errors import DeviceAbsent, RouterUnreachable
from gateway.hotspot.base import Device, RouterLogin, WantedAccess, Way
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.identity import IpAddress, MacAddress
from gateway.packages import SpeedProfile
from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock

VERSIONS = ["6.49.18", "7.10.2", "7.20.8", "7.24"]
PHONE, ADDRESS = MacAddress.parse("AA:BB:CC:00:00:01"), IpAddress.parse("10.5.50.21")
OTHER, OTHER_ADDRESS = MacAddress.parse("AA:BB:CC:00:00:02"), IpAddress.parse("10.5.50.22")
ADD = {Way.USER: "/ip/hotspot/user/add", Way.BINDING: "/ip/hotspot/ip-binding/add"}
HOUR_S = 3_600


@dataclass
class Site:
    """A router with a hotspot, and the adapter that is to steer it."""

    clock: FakeClock
    router: SimulatedRouter
    login: RouterLogin
    hotspot: MikrotikHotspot

    @property
    def way(self) -> Way:
        return self.login.way

    def wanted(self, **changes: Any) -> WantedAccess:
        remaining_s = changes.get("remaining_s", HOUR_S)
        usual = WantedAccess(
            grant_id="7",
            mac=PHONE,
            ip=ADDRESS,
            profile=SpeedProfile(2_000, 5_000, 1),
            until_epoch_s=int(self.clock.wall_s()) + remaining_s,
            remaining_s=remaining_s,
            data_limit_bytes=None,
        )
        return replace(usual, **changes)

    def ours(self) -> list[dict[str, str]]:
        tables = (self.router.hotspot.users, self.router.hotspot.bindings)
        return [row for table in tables for row in table if row.get("comment", "").startswith("hotspot-gateway:")]

    def foreign(self) -> list[dict[str, str]]:
        tables = (self.router.hotspot.users, self.router.hotspot.bindings)
        return [dict(row) for table in tables for row in table if not row.get("comment", "").startswith("hotspot-gateway:")]

    def another(self, **changes: Any) -> MikrotikHotspot:
        return MikrotikHotspot(replace(self.login, **changes), self.clock)


async def authorize_against_traps(site: Site, text: str) -> Device:
    """Authorize while the router refuses to add the row, each time that it is asked."""

    class Stubborn(dict[str, str]):
        def pop(self, path, *default: Any):
            return self.get(path, *default)

    site.router.faults.trap_next = Stubborn({ADD[site.way]: text})
    return await site.hotspot.authorize(site.wanted())


@asynccontextmanager
async def closing(hotspot: MikrotikHotspot) -> AsyncIterator[MikrotikHotspot]:
    try:
        yield hotspot
    finally:
        await hotspot.close()


async def paths_of(site: Site, act) -> list[str]:
    """The commands that something takes, by path, each once."""
    site.router.commands.clear()
    await act()
    return list(dict.fromkeys(line.split()[0] for line in site.router.commands))


async def eventually(site: Site, act):
    """Do it as the reconciler does: again, after a pause, while the router is unreachable or the phone away."""
    for _ in range(3):
        try:
            return await act()
        except (RouterUnreachable, DeviceAbsent):
            site.clock.advance(5)
            site.router.traffic(PHONE.text)
    return await act()
