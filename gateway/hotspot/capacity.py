"""How many devices a router may have online at a time by its licence, and how many are.

Reads only. Counts logins of everybody, not ours alone: the licence does not tell them apart.
"""

import logging
from collections.abc import Sequence

from gateway.hotspot.link import Link
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import Row, number_at

log = logging.getLogger(__name__)

SESSION_LIMITS = {"1": 1, "3": 1, "4": 200, "5": 500}
"""Hotspot logins at a time by licence level (facts, routeros 6). Level 6 and a trial have no limit, nor has a CHR, whose levels
(free, p1, p10, p-unlimited) are about speed. A level that nobody knows counts as no limit: the router itself still says no."""


class Capacity:
    """What one router's licence allows; read once per connection, for it changes with a reboot."""

    def __init__(self, link: Link, *, deadline_s: float) -> None:
        self._link = link
        self._deadline_s = deadline_s
        self._limit: int | None = None
        self._generation = 0

    async def session_limit(self) -> int | None:
        """How many devices may be logged in at a time; None for no limit, and where the router does not say."""
        if self._generation != self._link.generation:
            self._limit = SESSION_LIMITS.get(await self._level())
            self._generation = self._link.generation
        return self._limit

    async def sessions(self) -> int:
        """How many devices are logged in now."""
        return _counted(await self._link.ask("/ip/hotspot/active/print", "=count-only=", deadline_s=self._deadline_s))

    async def _level(self) -> str:
        try:
            rows = await self._link.ask("/system/license/print", deadline_s=self._deadline_s)
        except Trap as trap:
            log.info("the router does not show its licence: %s", trap, extra={"action": "licence_hidden"})
            return ""
        row = rows[0] if rows else {}
        return row.get("nlevel") or row.get("level", "")


def _counted(rows: Sequence[Row]) -> int:
    """The number that a print with `count-only` gives behind `!done` (facts, routeros 1.4)."""
    return number_at(rows[-1], "ret") if rows else 0
