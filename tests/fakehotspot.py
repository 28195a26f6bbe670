"""A hotspot in the hand of a test: it shows what it was brought to, and fails where it is told to."""

import asyncio

from gateway.hotspot.base import Device, MarkedRow, Pulse, Snapshot, WantedAccess
from gateway.identity import IpAddress, MacAddress


class FakeHotspot:
    """A `gateway.hotspot.base.Hotspot` without a router. `fault` is raised by everything; `deeds` is what was done, in order."""

    def __init__(self, *devices: Device) -> None:
        self.reachable: bool | None = True
        self.room: int | None = None
        self.devices = {device.mac: device for device in devices}
        self.shown: dict[MacAddress, WantedAccess] = {}
        self.used_up: set[MacAddress] = set()
        self.used_bytes: dict[MacAddress, int] = {}
        """What was counted on the row of a device that is shown."""
        self.strays: tuple[MacAddress, ...] = ()
        self.fault: Exception | None = None
        self.faults: dict[MacAddress, Exception] = {}
        """For one device only."""
        self.pause: asyncio.Event | None = None
        """Until it is set, nothing is answered."""
        self.asked = asyncio.Event()
        self.deeds: list[tuple[str, MacAddress]] = []
        self.observed = 0
        self.booted_s = 10_000

    async def locate(self, mac: MacAddress | None, ip: IpAddress | None) -> Device | None:
        """See `Hotspot`."""
        await self._answer(mac)
        return next((device for device in self.devices.values() if device.mac == mac or device.ip == ip), None)

    async def authorize(self, wanted: WantedAccess) -> Device:
        """See `Hotspot`."""
        await self._answer(wanted.mac)
        self.deeds.append(("authorize", wanted.mac))
        self.shown[wanted.mac] = wanted
        return self.devices.get(wanted.mac) or Device(wanted.mac, IpAddress("10.0.0.9"))

    async def shut_out(self, mac: MacAddress) -> None:
        """See `Hotspot`."""
        await self._answer(mac)
        self.deeds.append(("shut_out", mac))
        self.shown.pop(mac, None)
        self.used_bytes.pop(mac, None)
        self.strays = tuple(stray for stray in self.strays if stray != mac)

    async def pulse(self) -> Pulse:
        """See `Hotspot`."""
        await self._answer(None)
        return Pulse(self.booted_s)

    async def observe(self) -> Snapshot:
        """See `Hotspot`."""
        await self._answer(None)
        self.observed += 1
        rows = tuple(
            MarkedRow(
                wanted.grant_id,
                wanted.until_epoch_s,
                mac,
                online=mac in self.devices,
                used_up=mac in self.used_up,
                left_bytes=None if limit is None else max(0, limit - self.used_bytes.get(mac, 0)),
            )
            for mac, wanted in self.shown.items()
            for limit in [wanted.data_limit_bytes]
        )
        return Snapshot(self.booted_s, rows, self.strays, frozenset(self.devices))

    async def _answer(self, mac: MacAddress | None) -> None:
        self.asked.set()
        if self.pause is not None:
            await self.pause.wait()
        fault = self.fault or (self.faults.get(mac) if mac else None)
        if fault is not None:
            raise fault
