"""The hotspot's host table: which devices the router sees, where, and whether they pass.

Reads, and removes a row so that the router judges the device anew; grants nothing.
"""

from dataclasses import dataclass

from gateway.hotspot.base import Device
from gateway.hotspot.link import Link
from gateway.hotspot.tables import Table, any_of
from gateway.hotspot.words import Row, flag_at
from gateway.identity import IpAddress, MacAddress


@dataclass(frozen=True, slots=True)
class Host:
    """One device as the host table shows it."""

    row: Row
    device: Device
    login_ip: str
    """The address that `active/login` wants: the one after universal NAT where they differ (facts, routeros 3.2)."""
    bypassed: bool
    """A binding lets it through without login."""
    authorized: bool
    """It is logged in."""


class Hosts:
    """The host table of one router."""

    def __init__(self, link: Link) -> None:
        self._table = Table(link, "/ip/hotspot/host", "mac-address,address,to-address,bypassed,authorized")

    async def find(self, mac: MacAddress | None, ip: IpAddress | None) -> Host | None:
        """The device with that MAC, else with that address before or after universal NAT; None when there is no such one."""
        tests = [f"mac-address={mac}"] if mac else []
        tests += [f"address={ip}", f"to-address={ip}"] if ip else []
        if not tests:
            return None
        found = [host for row in await self._table.rows(*any_of(*tests)) if (host := _parse(row))]
        return min(found, key=lambda host: (host.device.mac != mac, host.device.ip != ip), default=None)

    async def of(self, mac: MacAddress, hint: IpAddress | None = None) -> list[Host]:
        """The rows of the device with that MAC, one per address that it uses or used; the one with the hinted address first."""
        found = [host for row in await self._table.rows(f"?mac-address={mac}") if (host := _parse(row))]
        return sorted(found, key=lambda host: host.device.ip != hint)

    async def forget(self, host: Host) -> None:
        """Remove the row: with its next packet the device comes back and is judged by what is configured then."""
        await self._table.remove(host.row)


def mac_in(text: str | None) -> MacAddress | None:
    """The MAC that a row names; None when it names none, or one that is no single device's."""
    try:
        return MacAddress.parse(text or "")
    except ValueError:
        return None


def _parse(row: Row) -> Host | None:
    mac = mac_in(row.get("mac-address"))
    try:
        ip = IpAddress.parse(row.get("address", ""))
    except ValueError:
        return None
    if mac is None:
        return None
    login_ip = row.get("to-address") or ip.text
    return Host(row, Device(mac, ip), login_ip, flag_at(row, "bypassed"), flag_at(row, "authorized"))
