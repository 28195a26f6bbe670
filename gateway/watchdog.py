"""The watchdog: tells the service manager that the gateway works, and falls silent when it does not.

A process that is there and does nothing is worse than none: nobody starts it again. So the sign of life is given by a job, among
the jobs, and only after everything that a sale needs has answered: the event loop, the thread that writes to the database, every
job, and HTTP itself. It mends nothing: when it is silent for `WatchdogSec`, systemd ends the process and starts it anew, and
whatever was in hand is taken up again by the ordinary path (sd_notify(3); facts, platform B4).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.clock import Clock, done_within
from gateway.errors import GatewayError
from gateway.scheduler import Scheduler

log = logging.getLogger(__name__)

LAG_S = 1.0
"""How late the event loop may be: customers notice a second."""

ANSWER_S = 10.0
"""How long the database and HTTP may take: a card stalls for seconds (facts, platform A5), and a gateway that needs longer serves
nobody. Less than half of `WatchdogSec`, so that one slow answer is no death."""

AGAIN_S = 1.0
"""How soon everything is looked at again when something is wrong: most of it passes."""

RUN_S = 900.0
"""How long a job may be at one thing. A slow router takes 15 s for a phone (facts, routeros 1.10), a list of invoices minutes; what
is not done after a quarter of an hour is stuck, or goes on just as well after a fresh start."""

QUICK_RUN_S = 120.0
"""The same for jobs that ask nobody but the database: longer than any stall of a card that is still alive."""

QUICK = frozenset({"heartbeat", "news", "exchanges"})


@dataclass(frozen=True, slots=True)
class Signs:
    """What answers when the gateway works; each may take as long as it likes, and fail in its own way, which is an answer."""

    stored: Callable[[], Awaitable[object]]
    """Returns when the thread that writes to the database has answered."""
    served: Callable[[], Awaitable[object]]
    """Returns when a request to ourselves was answered; raises OSError where nobody answers."""
    status: Callable[[], str]
    """One line for `systemctl status`."""


class Watchdog:
    """The job that gives the sign of life; `tell` is what carries it to the service manager."""

    name = "watchdog"

    def __init__(self, clock: Clock, scheduler: Scheduler, signs: Signs, tell: Callable[[str], None], *, every_s: float) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._signs = signs
        self._tell = tell
        self._every_s = every_s
        self._due_at_s = clock.monotonic_s()
        """When this run was to begin: what it is late by is how long the event loop was held up."""
        self._fault: str | None = None

    async def run_once(self) -> float:
        """Look at everything; give the sign of life, or say what keeps it back."""
        lag_s = self._clock.monotonic_s() - self._due_at_s
        fault = _held_up(lag_s) or _stuck(self._scheduler.running_s()) or await self._unanswered()
        if fault is None:
            self._tell(f"WATCHDOG=1\nSTATUS={self._signs.status()}")
        else:
            self._tell(f"STATUS={fault}")
        self._say(fault)
        pause_s = self._every_s if fault is None else min(AGAIN_S, self._every_s)
        self._due_at_s = self._clock.monotonic_s() + pause_s
        return pause_s

    async def _unanswered(self) -> str | None:
        asked = {
            asyncio.ensure_future(_answer(self._signs.stored)): "the database does not answer",
            asyncio.ensure_future(_answer(self._signs.served)): "HTTP is not answered",
        }
        await done_within(ANSWER_S, asked, self._clock)
        silent = [what for question, what in asked.items() if not (question.done() and question.result())]
        for question in asked:
            question.cancel()
        return silent[0] if silent else None

    def _say(self, fault: str | None) -> None:
        """Each change once: a fault that stays is told by the service manager, when it has waited long enough."""
        if fault is not None and self._fault is None:
            log.error("no sign of life: %s", fault, extra={"action": "watchdog_silent"})
        elif fault is None and self._fault is not None:
            log.warning("everything answers again", extra={"action": "watchdog_fed"})
        self._fault = fault


async def _answer(sign: Callable[[], Awaitable[object]]) -> bool:
    try:
        await sign()
    except GatewayError:  # a disk that takes no writes is told elsewhere, and not mended by a start
        return True
    except OSError:
        return False
    return True


def _held_up(lag_s: float) -> str | None:
    return f"the event loop was held up for {lag_s:.0f} s" if lag_s > LAG_S else None


def _stuck(running_s: dict[str, float]) -> str | None:
    """Which job has been at it for too long."""
    for name, seconds in running_s.items():
        if seconds > (QUICK_RUN_S if name in QUICK else RUN_S):
            return f"the job {name} has not come to an end for {seconds:.0f} s"
    return None
