"""Hotspot user profiles: one per speed, made when it is first needed and repaired when it was changed.

Touches profiles of our own names only; others' are never read (contract, "On the router").
"""

from gateway.hotspot.link import Link
from gateway.hotspot.tables import Table
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import Row, Unintelligible, flag_at, rates_in, seconds_at
from gateway.packages import SpeedProfile

KEEPALIVE_S = 600
"""Two minutes, RouterOS' default, throws sleeping phones out (facts, routeros 2.5). Not `none` either: a phone that comes back
with another address could not log in while its old session lived (facts, routeros 3.2)."""


class Profiles:
    """The profiles of our speeds on one router; each is looked at once per connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._table = Table(
            link,
            "/ip/hotspot/user/profile",
            "name,rate-limit,shared-users,add-mac-cookie,keepalive-timeout,idle-timeout",
        )
        self._seen: set[str] = set()
        self._generation = link.generation

    async def ensure(self, profile: SpeedProfile, *, again: bool = False) -> None:
        """See to it that the profile exists and grants what it should; `again` when there is a reason to doubt it."""
        if self._generation != self._link.generation:
            self._seen.clear()
        if profile.name not in self._seen or again:
            await self._bring(profile)
            self._seen.add(profile.name)
        self._generation = self._link.generation

    async def _bring(self, profile: SpeedProfile) -> None:
        row = await self._read(profile)
        if row is None:
            try:
                await self._table.add({"name": profile.name, **wanted_of(profile)})
            except Trap:
                row = await self._read(profile)  # another gateway of this router was faster
                if row is None:
                    raise
        if row is not None and not _grants(row, profile):
            await self._table.change(row, wanted_of(profile))

    async def _read(self, profile: SpeedProfile) -> Row | None:
        rows = await self._table.rows(f"?name={profile.name}")
        return rows[0] if rows else None


def wanted_of(profile: SpeedProfile) -> dict[str, str]:
    """What the profile should say, by attribute."""
    return {
        "rate-limit": profile.rate_limit or "",
        "shared-users": str(profile.devices),
        "add-mac-cookie": "no",  # a cookie would let the phone in again after its time (facts, routeros 3.6)
        "keepalive-timeout": f"{KEEPALIVE_S // 60}m",
        "idle-timeout": "none",
    }


def _grants(row: Row, profile: SpeedProfile) -> bool:
    try:
        same_speed = rates_in(row.get("rate-limit", "")) == rates_in(profile.rate_limit or "")
    except Unintelligible:  # somebody added bursts or priorities
        return False
    keepalive_s = seconds_at(row, "keepalive-timeout")
    return (
        same_speed
        and row.get("shared-users", "1") == str(profile.devices)
        and not flag_at(row, "add-mac-cookie")
        and (keepalive_s is None or keepalive_s == 0 or keepalive_s >= KEEPALIVE_S)
        and not seconds_at(row, "idle-timeout")
    )
