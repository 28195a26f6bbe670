"""Everything of ours on one router, read in one go for the comparison with the database.

Reads only, over the link for long prints, with the attributes it needs and no others: thousands of full rows time out (facts,
routeros 6). A table that could not be read raises; nothing here turns that into an empty one.
"""

from collections.abc import Iterable, Mapping

from gateway.hotspot.base import Inspection, MarkedRow, Snapshot
from gateway.hotspot.bindings import opens
from gateway.hotspot.hosts import Host, mac_in, parse, present
from gateway.hotspot.link import Link
from gateway.hotspot.tables import Table
from gateway.hotspot.users import names_for
from gateway.hotspot.words import Mark, Row, Unintelligible, bytes_in, number_at, seconds_at
from gateway.identity import MacAddress


async def uptime_s(link: Link, *, deadline_s: float | None = None) -> int:
    """Seconds since the router started."""
    rows = await link.ask("/system/resource/print", "=.proplist=uptime", deadline_s=deadline_s)
    seconds = seconds_at(rows[0], "uptime") if rows else None
    if seconds is None:
        raise Unintelligible("no uptime in /system/resource")
    return seconds


async def inspect(link: Link) -> Inspection:
    """What the router is, and which hotspots it runs."""
    rows = await link.ask("/system/resource/print", "=.proplist=version")
    servers = await link.ask("/ip/hotspot/print", "=.proplist=name")
    version = rows[0].get("version", "") if rows else ""
    return Inspection(version, tuple(sorted(row["name"] for row in servers if "name" in row)))


class Survey:
    """Reads the tables of one router."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._users = Table(link, "/ip/hotspot/user", "name,mac-address,comment,limit-bytes-total,bytes-in,bytes-out")
        self._names = Table(link, "/ip/hotspot/user", "name")
        self._bindings = Table(link, "/ip/hotspot/ip-binding", "mac-address,type,bypassed,blocked,comment,disabled")
        self._active = Table(link, "/ip/hotspot/active", "user,mac-address,address,bytes-in,bytes-out")
        self._hosts = Table(link, "/ip/hotspot/host", "mac-address,address,to-address,idle-time")

    async def take(self) -> Snapshot:
        """Read everything. Users come before sessions, so that one who is let in meanwhile is never seen as a stray."""
        uptime = await uptime_s(self._link)
        users = await self._users.marked()
        bindings = await self._bindings.marked()
        active = await self._active.rows()
        hosts = await self._hosts.rows()
        seen_at = _addresses(hosts)
        sessions = [(row, mac) for row in active if (mac := mac_in(row.get("mac-address")))]
        # A session at an address that the device has left keeps it out: it is not online by that.
        online = {(row.get("user", ""), mac) for row, mac in sessions if _is_at(row.get("address", ""), seen_at.get(mac))}
        logged_in = {(row.get("user", ""), mac) for row, mac in sessions}
        return Snapshot(
            uptime_s=uptime,
            rows=(*_user_rows(users, online, _traffic(sessions)), *_binding_rows(bindings)),
            strays=await self._strays(logged_in, {row.get("name", "") for row in users}),
            hosts=frozenset(seen_at),
        )

    async def _strays(self, online: set[tuple[str, MacAddress]], known: set[str]) -> tuple[MacAddress, ...]:
        """Devices online under one of their own names although no such user exists; hand-made users are looked up for that."""
        suspects = {(user, mac) for user, mac in online if user in names_for(mac) and user not in known}
        if not suspects:
            return ()
        names = {row.get("name", "") for row in await self._names.rows()}
        return tuple(sorted({mac for user, mac in suspects if user not in names}))


def _addresses(hosts: Iterable[Row]) -> dict[MacAddress, set[str]]:
    """Where each device is, before and after universal NAT; not where it was."""
    found: dict[MacAddress, list[Host]] = {}
    for row in hosts:
        if host := parse(row):
            found.setdefault(host.device.mac, []).append(host)
    return {
        mac: {address for host in present(rows) for address in (host.device.ip.text, host.login_ip)} for mac, rows in found.items()
    }


def _is_at(address: str, seen_at: set[str] | None) -> bool:
    return seen_at is None or address in seen_at


def _traffic(sessions: Iterable[tuple[Row, MacAddress]]) -> dict[tuple[str, MacAddress], int]:
    """The bytes of each running session: they reach the user's row only when it ends (facts, routeros 2.6)."""
    counted: dict[tuple[str, MacAddress], int] = {}
    for row, mac in sessions:
        name = row.get("user", "")
        counted[name, mac] = counted.get((name, mac), 0) + bytes_in(row)
    return counted


def _user_rows(
    rows: Iterable[Row], online: set[tuple[str, MacAddress]], traffic: Mapping[tuple[str, MacAddress], int]
) -> Iterable[MarkedRow]:
    for row in rows:
        mark, mac = Mark.on(row), mac_in(row.get("mac-address"))
        if mark:
            limit_bytes = number_at(row, "limit-bytes-total")
            used_bytes = bytes_in(row) + (traffic.get((row.get("name", ""), mac), 0) if mac else 0)
            yield MarkedRow(
                grant_id=mark.grant_id,
                until_epoch_s=mark.until_epoch_s,
                mac=mac,
                online=mac is not None and (row.get("name", ""), mac) in online,
                used_up=0 < limit_bytes <= bytes_in(row),
                left_bytes=max(0, limit_bytes - used_bytes) if limit_bytes else None,
            )


def _binding_rows(rows: Iterable[Row]) -> Iterable[MarkedRow]:
    for row in rows:
        if mark := Mark.on(row):
            yield MarkedRow(
                grant_id=mark.grant_id,
                until_epoch_s=mark.until_epoch_s,
                mac=mac_in(row.get("mac-address")),
                online=opens(row),
                used_up=False,
            )
