"""Active rows: who is logged in, by whose name, and until when.

Logs a device in and out and forgets its cookies; which name it should have is for `users`.
"""

from gateway.hotspot.link import Link
from gateway.hotspot.tables import Table, any_of
from gateway.hotspot.words import Row, seconds_at
from gateway.identity import MacAddress

SHORT_S = 5
"""A session may end this much before it should: the router needs about that long to execute what we ask, on a slow one."""

GENEROUS_S = 60
"""A limit may allow this much more than wanted without being written again: the gateway itself ends the access at the second,
and each change wears the router's flash (facts, routeros 6)."""


def fits(left_s: int | None, remaining_s: int) -> bool:
    """Whether a limit that leaves `left_s` (None: no limit at all) is near enough to the wanted remaining seconds."""
    return left_s is not None and remaining_s - SHORT_S <= left_s <= remaining_s + GENEROUS_S


def ends_early(session: Row, remaining_s: int) -> bool:
    """Whether the running session would end before its time: changing the user does not move it (facts, routeros 9.1)."""
    left_s = seconds_at(session, "session-time-left")
    return left_s is not None and left_s < remaining_s - SHORT_S


class Sessions:
    """The active table of one router, and the cookies that could fill it again."""

    def __init__(self, link: Link) -> None:
        self._active = Table(link, "/ip/hotspot/active", "user,mac-address,address,uptime,session-time-left,bytes-in,bytes-out")
        self._cookies = Table(link, "/ip/hotspot/cookie", "user,mac-address")

    async def of(self, mac: MacAddress) -> list[Row]:
        """All active rows of that device, whatever their user."""
        return await self._active.rows(f"?mac-address={mac}")

    async def log_in(self, user: str, mac: MacAddress, ip: str) -> None:
        """Log the device in. Raises Trap for every reason that the router may have."""
        await self._active.command("login", {"user": user, "mac-address": mac.text, "ip": ip})

    async def end(self, sessions: list[Row]) -> None:
        """Log these out."""
        for session in sessions:
            await self._active.remove(session)

    async def purge(self, mac: MacAddress, users: frozenset[str]) -> None:
        """Log the device out of these users and forget their cookies: only mac-cookies go by themselves (facts, routeros 3.6)."""
        if users:
            await self._active.purge((f"?mac-address={mac}",), lambda row: row.get("user") in users)
            await self._cookies.purge(any_of(*(f"user={user}" for user in sorted(users))), lambda row: row.get("user") in users)
