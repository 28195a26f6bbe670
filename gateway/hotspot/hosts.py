"""The hotspot's host table: which devices the router sees, where, and whether they pass.

Reads, and removes a row so that the router judges the device anew; grants nothing.
"""

from dataclasses import dataclass
from functools import lru_cache

from gateway.hotspot.base import Device
from gateway.hotspot.link import Link
from gateway.hotspot.tables import Table, any_of
from gateway.hotspot.words import Row, flag_at, seconds_at
from gateway.identity import IpAddress, MacAddress

LEFT_S = 10
"""A device has left an address when it has been silent there so much longer than at another: phones send every few seconds while
they are in use, and two rows that are both in use must not be taken for a move to and fro."""

_REMEMBERED = 1_024
"""Addresses as text whose meaning is known: the same few hundred phones are on the table at each comparison."""


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
    idle_s: int
    """How long it has not sent from this address."""

    @property
    def addresses(self) -> frozenset[str]:
        """Where a login of it may stand: before and after universal NAT."""
        return frozenset({self.device.ip.text, self.login_ip})


class Hosts:
    """The host table of one router."""

    def __init__(self, link: Link) -> None:
        self._table = Table(link, "/ip/hotspot/host", "mac-address,address,to-address,bypassed,authorized,idle-time")

    async def find(self, mac: MacAddress | None, ip: IpAddress | None) -> Host | None:
        """The device with that MAC, else with that address after universal NAT, else before it; None when there is no such one.

        In this order, because the address after NAT is the one that the network beyond the router sees, ourselves included: another
        device may have given itself the same one (facts, routeros 2.7).
        """
        tests = [f"mac-address={mac}"] if mac else []
        tests += [f"address={ip}", f"to-address={ip}"] if ip else []
        if not tests:
            return None
        found = [host for row in await self._table.rows(*any_of(*tests)) if (host := parse(row))]
        return min(found, key=lambda host: (host.device.mac != mac, host.login_ip != str(ip), host.idle_s), default=None)

    async def of(self, mac: MacAddress, hint: IpAddress | None = None) -> list[Host]:
        """The rows of the device with that MAC, one per address that it uses or used, those that it has not left first.

        A row outlives the phone's presence at its address by minutes (facts, routeros 2.7). The hint decides between the rest.
        """
        found = [host for row in await self._table.rows(f"?mac-address={mac}") if (host := parse(row))]
        here = {host.row[".id"] for host in present(found)}
        return sorted(found, key=lambda host: (host.row[".id"] not in here, host.device.ip != hint, host.idle_s))

    async def forget(self, host: Host) -> None:
        """Remove the row: with its next packet the device comes back and is judged by what is configured then."""
        await self._table.remove(host.row)


def present(hosts: list[Host]) -> list[Host]:
    """Of the rows of one device, those at whose address it still is."""
    newest_s = min((host.idle_s for host in hosts), default=0)
    return [host for host in hosts if host.idle_s <= newest_s + LEFT_S]


@lru_cache(maxsize=_REMEMBERED)
def mac_in(text: str | None) -> MacAddress | None:
    """The MAC that a row names; None when it names none, or one that is no single device's."""
    try:
        return MacAddress.parse(text or "")
    except ValueError:
        return None


@lru_cache(maxsize=_REMEMBERED)
def _ip_in(text: str) -> IpAddress | None:
    try:
        return IpAddress.parse(text)
    except ValueError:
        return None


def parse(row: Row) -> Host | None:
    """The host that a row shows; None for a row without a device or an address."""
    mac, ip = mac_in(row.get("mac-address")), _ip_in(row.get("address", ""))
    if mac is None or ip is None:
        return None
    login_ip = row.get("to-address") or ip.text
    return Host(
        row, Device(mac, ip), login_ip, flag_at(row, "bypassed"), flag_at(row, "authorized"), seconds_at(row, "idle-time") or 0
    )
