"""The way in by a bypassed ip-binding: it survives everything and limits nothing (facts, routeros 3.3).

Touches rows with our mark only. A removed binding does not cut a device that is through: its host row is removed too.
"""

from gateway.errors import DeviceAbsent, RouterRefused
from gateway.hotspot.base import Device, WantedAccess
from gateway.hotspot.hosts import Hosts
from gateway.hotspot.link import Link
from gateway.hotspot.tables import Table
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import ANY_SERVER, Mark, Row, flag_at, is_ours
from gateway.identity import MacAddress


class Bindings:
    """Bindings of one router."""

    def __init__(self, link: Link, server: str, hosts: Hosts) -> None:
        self._table = Table(link, "/ip/hotspot/ip-binding", "mac-address,server,type,bypassed,blocked,comment,disabled")
        self._server = server
        self._hosts = hosts

    async def admit(self, wanted: WantedAccess) -> Device:
        """Bring the binding to the wanted state, have the device judged anew, and read the binding back.

        Raises DeviceAbsent, and lets nobody in, when the router does not see the device; RouterRefused when a hand-made
        binding of this device stands in the way.
        """
        hosts = await self._hosts.of(wanted.mac, wanted.ip)
        if not hosts:
            return await self._admit_unseen(wanted)
        try:
            await self._table.add(self._properties(wanted))
        except Trap as trap:
            await self._mend(wanted, trap)
        for host in hosts:
            if not host.bypassed:
                await self._hosts.forget(host)
        if not any(map(opens, await self._rows(wanted.mac))):
            raise RouterRefused(f"the router took a bypassed binding for {wanted.mac} and does not show it")
        return hosts[0].device

    async def withdraw(self, mac: MacAddress) -> None:
        """Remove our bindings of this device, see that they are gone, and cut it off."""
        await self._table.purge((f"?mac-address={mac}",), is_ours)
        # Also without a binding of ours: the last attempt may have ended between the two removals.
        through = [host for host in await self._hosts.of(mac) if host.bypassed]
        if through and not any(map(opens, await self._rows(mac))):
            for host in through:
                await self._hosts.forget(host)

    async def ours(self) -> list[Row]:
        """All our bindings, of every device."""
        return await self._table.marked()

    async def _admit_unseen(self, wanted: WantedAccess) -> Device:
        """A device that we let in before is through, asleep or not yet back since its host row was removed; others wait."""
        ours = [row for row in await self._rows(wanted.mac) if is_ours(row)]
        if ours:
            await self._adjust(ours[0], wanted)
        if not ours or wanted.ip is None:
            raise DeviceAbsent(f"the router does not see the device {wanted.mac} at the moment")
        return Device(wanted.mac, wanted.ip)

    async def _rows(self, mac: MacAddress) -> list[Row]:
        return await self._table.rows(f"?mac-address={mac}")

    def _properties(self, wanted: WantedAccess) -> dict[str, str]:
        return {
            "mac-address": wanted.mac.text,
            "server": self._server,
            "type": "bypassed",
            "comment": Mark(wanted.grant_id, wanted.until_epoch_s).comment,
        }

    async def _mend(self, wanted: WantedAccess, trap: Trap) -> None:
        """The binding could not be added: adjust ours, accept another's that opens, refuse when another's does not."""
        rows = await self._rows(wanted.mac)
        ours = [row for row in rows if is_ours(row)]
        if ours:
            await self._adjust(ours[0], wanted)
        elif not rows:
            raise trap
        elif not any(map(opens, rows)):
            raise RouterRefused(f"a hand-made ip-binding for {wanted.mac} keeps the device out: remove it, or make it bypassed")

    async def _adjust(self, row: Row, wanted: WantedAccess) -> None:
        shown = {"server": ANY_SERVER, **row, "type": _kind(row)}
        changes = {name: value for name, value in self._properties(wanted).items() if shown.get(name) != value}
        if flag_at(row, "disabled"):
            changes["disabled"] = "no"
        if changes:
            await self._table.change(row, changes)


def _kind(row: Row) -> str:
    flags = [flag for flag in ("bypassed", "blocked") if flag_at(row, flag)]
    return row.get("type") or (flags[0] if flags else "regular")


def opens(row: Row) -> bool:
    """Whether this binding lets its device through."""
    return _kind(row) == "bypassed" and not flag_at(row, "disabled")
