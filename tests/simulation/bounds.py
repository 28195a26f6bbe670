"""How long things took while all was well, and since when it has been: what every bound is measured by.

Times are told in true seconds since the run began; what the gateway wrote down was stamped on its own line of time, and is
counted back from now.
"""

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World

PULSE_S, COMPARE_S, LONGEST_PAUSE_S = 5.0, 30.0, 60.0
"""The gateway's rhythm, written down a second time: a bound that follows the code it judges would judge nothing."""

ONLINE_WITHIN_S = 15.0
"""The contract: everybody who paid is online so long after the router is back."""


class Bounds:
    """The longest of each kind that began and ended while all was well."""

    def __init__(self, world: "World") -> None:
        self.longest_s: dict[str, float] = {}
        self._world = world

    @property
    def mending_s(self) -> float:
        """How long after a fault the router may still show something else: a pulse, a comparison, and the contract's time."""
        return (PULSE_S + COMPARE_S) * self._world.plan.pace + ONLINE_WITHIN_S

    def note(self, what: str, seconds: float) -> None:
        """Keep it if it is the longest so far."""
        self.longest_s[what] = max(self.longest_s.get(what, 0.0), seconds)

    def exceeded(self, what: str, seconds: float, event: sqlite3.Row, within_s: float) -> bool:
        """Whether what ended with an event, and began so long before it, took longer than it may while all was well."""
        if not self._was_calm(event, seconds):
            return False
        self.note(what, seconds)
        return seconds > within_s

    def happened_at_s(self, event: sqlite3.Row) -> float:
        """When an event of the gateway that is running was written, in true time."""
        daemon = self._world.daemon
        return self._world.now_s - (daemon.heartbeat.wall_s() - float(event["at_s"]) if daemon else 0.0)

    def _was_calm(self, event: sqlite3.Row, seconds: float) -> bool:
        """Whether all had been well for a while before it began, and still is."""
        world = self._world
        return world.is_calm and self.happened_at_s(event) - seconds - self.mending_s > world.calm_since_s
