"""Makes a failing plan smaller: as few faults and visits as still break the same thing.

Delta debugging (Zeller and Hildebrandt, 2002) over the entries of a plan. Each entry carries its own chance with it, so that the
others stay as they were when it is taken out.
"""

import re
from collections.abc import Callable, Sequence

from tests.simulation.plan import Entry, Plan
from tests.simulation.run import Result, run

RUNS_MAX = 120
"""So often a plan is tried at most: a few minutes for a typical one."""

_PARTICULARS = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}|([0-9A-F]{2}:){5}[0-9A-F]{2}|HG-\w+|invoice \w+|[\d.]+")


def kind_of(violation: str | None) -> str | None:
    """What a violation says, without whom it met and when."""
    return None if violation is None else _PARTICULARS.sub("…", violation)


def shrink(failed: Result, tell: Callable[[str], None] = lambda _: None, *, runs_max: int = RUNS_MAX) -> Result:
    """The smallest plan that was found to break the same thing, and what came of it."""
    return _Shrinker(failed, tell, runs_max).shrink()


class _Shrinker:
    def __init__(self, failed: Result, tell: Callable[[str], None], runs_max: int) -> None:
        self._wanted = kind_of(failed.violation)
        self._smallest = failed
        self._tell = tell
        self._left = runs_max

    def shrink(self) -> Result:
        self._reduce(self._smallest.plan.faults, lambda plan, faults: plan.only(faults=faults))
        self._reduce(self._smallest.plan.visits, lambda plan, visits: plan.only(visits=visits))
        self._reduce(self._smallest.plan.faults, lambda plan, faults: plan.only(faults=faults))
        return self._smallest

    def _reduce(self, entries: tuple[Entry, ...], put: Callable[[Plan, tuple[Entry, ...]], Plan]) -> None:
        """Leave out halves, then quarters, then single entries."""
        parts = 2
        if entries and self._still_fails(put(self._smallest.plan, ())):
            return
        while len(entries) >= 2:
            for part in _split(entries, parts):
                rest = tuple(entry for entry in entries if entry not in part)
                if self._still_fails(put(self._smallest.plan, rest)):
                    entries, parts = rest, max(parts - 1, 2)
                    break
            else:
                if parts >= len(entries):
                    return
                parts = min(2 * parts, len(entries))

    def _still_fails(self, plan: Plan) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        result = run(plan)
        if kind_of(result.violation) != self._wanted:
            return False
        self._smallest = result
        self._tell(f"{len(plan.faults)} faults and {len(plan.visits)} visits still break it")
        return True


def _split(entries: Sequence[Entry], parts: int) -> list[tuple[Entry, ...]]:
    size = -(-len(entries) // parts)
    return [tuple(entries[start : start + size]) for start in range(0, len(entries), size)]
