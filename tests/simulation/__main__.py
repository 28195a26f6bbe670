"""`make simulate SEEDS=100000`: as many seeds as wanted on every core; the first that fails is made small and told."""

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from tests.simulation import run as runs
from tests.simulation.plan import SHORT, TYPICAL, Size, draw
from tests.simulation.run import Result, run
from tests.simulation.shrinker import shrink
from tests.simulation.story import story

SIZES = {"short": SHORT, "typical": TYPICAL}

_RUNS_PER_PROCESS = 50  # a process that is thrown away takes with it whatever a run left in the memory


@dataclass(slots=True)
class Figures:
    """What all runs together came to."""

    seeds: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    bounds: dict[str, float] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.simulated_s += result.simulated_s
        self.cpu_s += result.cpu_s
        self.counts.update(result.counts)
        for name, value in result.bounds.items():
            self.bounds[name] = max(value, self.bounds.get(name, 0.0))

    def lines(self) -> Iterator[str]:
        """For people."""
        hours = self.simulated_s / 3_600
        yield f"{self.seeds} seeds, {hours:,.0f} simulated hours in {self.cpu_s:,.0f} CPU seconds:"
        yield f"{hours / max(self.cpu_s, 0.001) * 60:,.0f} hours per CPU minute"
        yield "the longest, while all was well:"
        yield from (f"  {name:24} {value:8.2f} s" for name, value in sorted(self.bounds.items()))
        yield "what happened, and how often:"
        yield from (f"  {name:52} {count:8}" for name, count in sorted(self.counts.items()))


def main() -> int:
    """Run the seeds; 0 when all of them succeed. What runs that were broken off leave on the disk goes with them."""
    with (
        tempfile.TemporaryDirectory(prefix="simulate-", dir=runs.memory()) as folder,
        mock.patch.object(runs, "MEMORY", Path(folder)),
    ):
        return _simulate(_arguments())


def _simulate(arguments: argparse.Namespace) -> int:
    figures, failed = Figures(), None
    wanted = [(seed, SIZES[arguments.size]) for seed in range(arguments.first, arguments.first + arguments.seeds)]
    began_s = time.monotonic()
    with contextlib.closing(_results(wanted, arguments.workers)) as results:
        for result in results:
            figures.add(result)
            _show_progress(figures, len(wanted), time.monotonic() - began_s)
            if result.violation is not None:
                failed = result
                break
    _say("\n" + "\n".join(figures.lines()))
    if failed is None:
        return 0
    _say(f"seed {failed.plan.seed} fails: {failed.violation}\nmaking it smaller")
    _say(story(shrink(failed, lambda line: _say(f"  {line}"))))
    _say(f"again: make simulate SEEDS=1 FIRST={failed.plan.seed} SIZE={arguments.size}")
    _say(f"to keep it: add `{arguments.size} {failed.plan.seed}` to tests/simulation/seeds.txt")
    return 1


def _results(wanted: list[tuple[int, Size]], workers: int) -> Generator[Result, None, None]:
    """What comes of each, as it comes. A single worker is this process: forked where threads are, it could wait for their locks."""
    if workers == 1:
        yield from map(_run, wanted)
        return
    with multiprocessing.get_context("fork").Pool(workers, maxtasksperchild=_RUNS_PER_PROCESS) as pool:
        yield from pool.imap_unordered(_run, wanted)


def _run(wanted: tuple[int, Size]) -> Result:
    result = run(draw(*wanted))
    if result.violation is None:
        result.journal, result.events = [], []  # nobody reads them, and they are long
    return result


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--size", choices=SIZES, default="typical", help="how much happens in each run")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes at the same time")
    return parser.parse_args()


def _show_progress(figures: Figures, seeds: int, passed_s: float) -> None:
    done, hours = figures.seeds / seeds, figures.simulated_s / 3_600
    left_s = passed_s / done - passed_s
    line = f"[{'#' * int(done * 30):30}] {figures.seeds}/{seeds}, {hours:,.0f} simulated hours, {left_s:,.0f} s left"
    if sys.stdout.isatty():
        _say(line, end="\r")
    elif figures.seeds == seeds or figures.seeds % max(1, seeds // 10) == 0:
        _say(line)


def _say(line: str, *, end: str = "\n") -> None:
    sys.stdout.write(line + end)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
