"""The way in by a hotspot user: a row named as the MAC and bound to it, and a session under that name.

When all is well it is three commands: add, log in, read back. Any other answer of the router leads to reading the state and
mending what differs; the text of a trap decides nothing, because it differs between versions and can be translated.
"""

from gateway.errors import DeviceAbsent, RouterRefused
from gateway.hotspot.base import Device, WantedAccess
from gateway.hotspot.hosts import Hosts, present
from gateway.hotspot.link import Link
from gateway.hotspot.profiles import Profiles
from gateway.hotspot.sessions import Sessions, ends_early, fits
from gateway.hotspot.tables import Table, any_of
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import ANY_SERVER, Mark, Row, bytes_in, duration, flag_at, is_ours, number_at, seconds_at
from gateway.identity import IpAddress, MacAddress

NO_LIMIT = "0"


def names_for(mac: MacAddress) -> tuple[str, str]:
    """The names that our user of this device may have.

    Its MAC, so that login by MAC finds it; or, when a hand-made user has that name, one beside it.
    """
    return mac.text, f"{mac.text}-gateway"


class Users:
    """Hotspot users of one router, and the sessions under their names."""

    def __init__(self, link: Link, server: str, hosts: Hosts) -> None:
        self._table = Table(
            link,
            "/ip/hotspot/user",
            "name,server,mac-address,profile,limit-uptime,limit-bytes-total,uptime,bytes-in,bytes-out,comment,disabled",
        )
        self._server = server
        self._profiles = Profiles(link)
        self._sessions = Sessions(link)
        self._hosts = hosts

    async def admit(self, wanted: WantedAccess) -> Device:
        """Bring user and session to the wanted state and read the session back.

        Raises DeviceAbsent when the router does not see the device; the user stays, so that login by MAC lets it in later.
        """
        await self._profiles.ensure(wanted.profile)
        try:
            await self._table.add(self._properties(wanted))
            name = wanted.mac.text
        except Trap as trap:
            name, session = await self._mend(wanted, trap)
            if session is not None:
                return _device(wanted, session)
        return await self._bring_online(wanted, name)

    async def withdraw(self, mac: MacAddress) -> None:
        """Remove our users of this device, their sessions and cookies, and see that they are gone; others' stay."""
        rows = await self._table.rows(*_named(mac))
        await self._table.purge(_named(mac), is_ours, seen=rows)
        await self._sessions.purge(mac, _names_of_ours(mac, rows))

    async def ours(self) -> list[Row]:
        """All our users, of every device."""
        return await self._table.marked()

    # The user row

    def _properties(self, wanted: WantedAccess, *, used_s: int = 0, used_bytes: int = 0) -> dict[str, str]:
        """What the row should say. Its limits are for its lifetime, so what was used is added (facts, routeros 3.2)."""
        properties = {
            "name": wanted.mac.text,
            "mac-address": wanted.mac.text,
            "profile": wanted.profile.name,
            "server": self._server,
            "limit-uptime": duration(used_s + max(1, wanted.remaining_s)),  # zero would mean: no limit
            "comment": Mark(wanted.grant_id, wanted.until_epoch_s).comment,
        }
        if wanted.data_limit_bytes is not None:
            properties["limit-bytes-total"] = str(used_bytes + max(1, wanted.data_limit_bytes))
        return properties

    async def _mend(self, wanted: WantedAccess, trap: Trap) -> tuple[str, Row | None]:
        """The row could not be added: adjust ours, or stand beside another's.

        Returns its name, and the session that is as wanted already. Raises the trap when nothing explains it.
        """
        rows = await self._table.rows(*_named(wanted.mac))
        ours = sorted(filter(is_ours, rows), key=lambda row: row.get("server", ANY_SERVER) != self._server)
        for surplus in ours[1:]:
            await self._table.remove(surplus)
        if ours:
            return ours[0]["name"], await self._adjust(ours[0], wanted)
        taken = {row["name"] for row in rows}
        free = [name for name in names_for(wanted.mac) if name not in taken]
        if not free:
            raise trap
        await self._profiles.ensure(wanted.profile, again=True)  # somebody may have removed it
        await self._table.add(self._properties(wanted) | {"name": free[0]})
        return free[0], None

    async def _adjust(self, row: Row, wanted: WantedAccess) -> Row | None:
        """Set what differs, end a session to which that would not apply, and return the session that may go on."""
        sessions = [session for session in await self._sessions.of(wanted.mac) if session.get("user") == row["name"]]
        changes = self._differences(row, sessions, wanted)
        if "profile" in changes:
            await self._profiles.ensure(wanted.profile, again=True)  # a row whose profile was removed shows its bare id
        if changes:
            await self._table.change(row, changes)
        stale = "profile" in changes or "limit-bytes-total" in changes
        for session in sessions[:1]:
            if not (stale or ends_early(session, wanted.remaining_s) or await self._is_elsewhere(session, wanted)):
                return session
        await self._sessions.end(sessions)
        return None

    def _differences(self, row: Row, sessions: list[Row], wanted: WantedAccess) -> dict[str, str]:
        """What must be set on our row. The same grant is the same purchase, however often its end moves: its bytes stay."""
        used_s = sum(seconds_at(counted, "uptime") or 0 for counted in (row, *sessions))
        target = self._properties(wanted, used_s=used_s, used_bytes=sum(map(bytes_in, (row, *sessions))))
        target.setdefault("limit-bytes-total", NO_LIMIT)
        shown = {"name": row["name"], "server": ANY_SERVER, "limit-bytes-total": NO_LIMIT, **row}
        mark = Mark.on(row)
        same_purchase = mark is not None and mark.grant_id == wanted.grant_id
        if _limit_fits(row, sessions, used_s, wanted.remaining_s):
            target["limit-uptime"] = row["limit-uptime"]
        if same_purchase and (number_at(row, "limit-bytes-total") > 0) == (wanted.data_limit_bytes is not None):
            target["limit-bytes-total"] = shown["limit-bytes-total"]
        changes = {name: value for name, value in target.items() if name != "name" and shown.get(name) != value}
        return changes | ({"disabled": "no"} if flag_at(row, "disabled") else {})

    # The session

    async def _is_elsewhere(self, session: Row, wanted: WantedAccess) -> bool:
        """Whether the device has another address now: its session would stay with the old one, and keep it out, for minutes."""
        if wanted.ip is not None and session.get("address") == wanted.ip.text:
            return False
        here = present(await self._hosts.of(wanted.mac, wanted.ip))
        hinted = [host for host in here if host.device.ip == wanted.ip]
        return bool(here) and all(session.get("address") not in host.addresses for host in hinted or here)

    async def _bring_online(self, wanted: WantedAccess, name: str) -> Device:
        """Log the device in where it was last seen; failing that, clear what is in the way and log it in where it is now."""
        sessions: list[Row] = []
        if wanted.ip is not None:
            session, sessions, _ = await self._log_in(wanted, name, wanted.ip.text)
            if session is not None:
                return _device(wanted, session)
        hosts = await self._hosts.of(wanted.mac, wanted.ip)
        if not hosts:
            raise DeviceAbsent(f"the router does not see the device {wanted.mac} at the moment")
        [host, *_] = hosts
        if host.bypassed:  # by another's binding: the device is through and cannot log in
            return host.device
        await self._sessions.end(sessions or await self._sessions.of(wanted.mac))
        session, _, trap = await self._log_in(wanted, name, host.login_ip)
        if session is not None:
            return _device(wanted, session)
        raise trap or RouterRefused(f"the router says that it logged {wanted.mac} in, but shows no session of it")

    async def _log_in(self, wanted: WantedAccess, name: str, ip: str) -> tuple[Row | None, list[Row], Trap | None]:
        """Try; and read what is there now, whatever was answered: the session that is as wanted, all sessions, the trap."""
        trap = None
        try:
            await self._sessions.log_in(name, wanted.mac, ip)
        except Trap as refused:
            trap = refused
        sessions = await self._sessions.of(wanted.mac)
        for session in sessions:
            # After a trap, a session under this name is the device's own login by MAC, or a leftover of a removed user.
            as_wanted = trap is None or fits(seconds_at(session, "session-time-left"), wanted.remaining_s)
            if session.get("user") == name and as_wanted:
                return session, sessions, trap
        return None, sessions, trap


def _named(mac: MacAddress) -> tuple[str, ...]:
    return any_of(*(f"name={name}" for name in names_for(mac)))


def _limit_fits(row: Row, sessions: list[Row], used_s: int, remaining_s: int) -> bool:
    """Whether the row's time limit need not be written: by its own figures, or by the end of the session that it governs.

    The second because some versions may add a running session's time to the row already (facts, routeros 9.4).
    """
    limit_s = seconds_at(row, "limit-uptime")
    ends = [seconds_at(session, "session-time-left") for session in sessions]
    return bool(limit_s) and any(fits(left_s, remaining_s) for left_s in ((limit_s or 0) - used_s, *ends))


def _names_of_ours(mac: MacAddress, rows: list[Row]) -> frozenset[str]:
    """The names under which this device may be online by our doing: of our rows, and of rows of ours that are gone."""
    others = {row["name"] for row in rows if not is_ours(row)}
    return frozenset(names_for(mac)) - others | {row["name"] for row in rows if is_ours(row)}


def _device(wanted: WantedAccess, session: Row) -> Device:
    try:
        return Device(wanted.mac, IpAddress.parse(session.get("address", "")))
    except ValueError:
        raise RouterRefused(f"the router shows a session of {wanted.mac} without an address") from None
