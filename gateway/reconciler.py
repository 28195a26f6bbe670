"""The four jobs that keep the promise: settle unsettled payments, open owed grants, close due grants, compare with the router.

Each is level-triggered: it looks at what is, not at what happened, so that a start, a repaired router or a lost webhook need no
path of their own. `run_once` does everything that is to be done now and says when to look again. One failing item never holds up
the others.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from gateway.access import Grant, GrantState
from gateway.clock import Clock
from gateway.compensation import RouterWatch
from gateway.drift import Drift, History, drifts
from gateway.errors import GatewayError, NotStored, RouterUnreachable
from gateway.gate import ACTIVATION_ALLOWANCE_S, Gate
from gateway.hotspot.base import Snapshot
from gateway.payments import LINK_LIFE_S, LISTEN_S, NOT_FOUND_S, Payment, PaymentState
from gateway.settlement import Settlement
from gateway.store import access as grant_rows
from gateway.store import links as link_rows
from gateway.store import payments as payment_rows
from gateway.store import rescues
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

AT_ONCE = 4
"""How many questions one owner's provider gets at a time: an outage that ends must not become a burst that is throttled."""

RETRY_S = 2.0
"""How soon a router that did not answer is tried again. Most tries cost nothing: the link fails them fast while it backs off."""

PULSE_S = 5.0
"""How often a router is asked for its uptime: an outage is noticed within 15 s (contract, "Bounds"), for one small question."""

COMPARE_S = 30.0
"""How often everything is compared: full tables at most every 30 to 60 seconds on small routers (facts, platform G3)."""

SETTLING_S = 60.0
"""How long after a reboot the comparison runs with every pulse: phones come back one by one, and have paid."""

AWAITED_S = 3_600.0
"""How long a paid phone that the router did not see is looked for with every pulse; after that with each comparison. One that is
known by its address only is not looked for any longer: addresses are leased for about an hour, then it may be another's."""


class Settle:
    """Asks the provider about every payment that has no final word, in the rhythm of `next_check_s`."""

    name = "settle"

    def __init__(self, settlement: Settlement, db: Database, clock: Clock, rng: random.Random) -> None:
        self._settlement = settlement
        self._db = db
        self._clock = clock
        self._rng = rng
        self._due_at_s: dict[str, float] = {}
        """By payment id, in monotonic seconds: a stepped wall clock cannot stop the questions."""
        self._just_started = True

    async def run_once(self) -> float | None:
        """Ask about every payment that is due."""
        after_s = self._clock.wall_s() - LISTEN_S
        now_s = self._clock.monotonic_s()
        before = {key: min(at_s, self._settlement.read_again_at_s(key)) for key, at_s in self._due_at_s.items()}
        resting = {payment_id for payment_id, due_at_s in before.items() if due_at_s > now_s}
        ids, payments = await self._db.read(lambda tx: _listened_for(tx, after_s, resting))
        first = {payment.id: now_s + self._first_wait_s(payment) for payment in payments if payment.id not in before}
        self._due_at_s = {payment_id: before.get(payment_id, first.get(payment_id, now_s)) for payment_id in ids}
        self._just_started = False
        due = [payment for payment in payments if self._due_at_s[payment.id] <= now_s]
        by_owner = groupby(sorted(due, key=lambda payment: payment.owner_id), key=lambda payment: payment.owner_id)
        await asyncio.gather(*(self._ask_all(list(owned)) for _, owned in by_owner))
        soonest_s = min(self._due_at_s.values(), default=None)
        return None if soonest_s is None else max(0.0, soonest_s - self._clock.monotonic_s())

    def _first_wait_s(self, payment: Payment) -> float:
        if self._just_started:
            return 0.0
        age_s = self._age_s(payment)
        return payment.next_check_s(age_s) - age_s

    async def _ask_all(self, payments: Sequence[Payment]) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(payment: Payment) -> None:
            async with slots:
                await self._ask(payment)

        await asyncio.gather(*(ask(payment) for payment in payments))

    async def _ask(self, payment: Payment) -> None:
        settled: Payment | None = None
        if (wait_s := self._settlement.seconds_to_wait(payment.id)) > 0:
            self._due_at_s[payment.id] = self._clock.monotonic_s() + wait_s
            return
        try:
            settled = await self._settlement.settle(payment.id)
            if settled.is_undecided and self._is_hopeless(settled):
                settled = await self._settlement.give_up(payment.id)
        except GatewayError as fault:
            self._settlement.tell_unasked(payment, fault, "settle_failed")
        except Exception as fault:  # noqa: BLE001 - one payment's trouble must not stop the others'
            _tell("payment could not be settled yet", fault, {"action": "settle_failed", "payment": payment.id})
        pause_s = self._pause_s(settled or payment)
        self._due_at_s[payment.id] = min(self._clock.monotonic_s() + pause_s, self._settlement.read_again_at_s(payment.id))

    def _is_hopeless(self, payment: Payment) -> bool:
        age_s = self._age_s(payment)
        if payment.link_id is not None:
            return age_s >= LINK_LIFE_S
        return age_s >= LISTEN_S or (payment.state is PaymentState.UNKNOWN and payment.invoice_id is None and age_s >= NOT_FOUND_S)

    def _pause_s(self, payment: Payment) -> float:
        age_s = self._age_s(payment)
        pause_s = payment.next_check_s(age_s) - age_s
        # Spread: what failed together is not asked together again. Late, never early: that would be one question more each time.
        return pause_s * self._rng.uniform(1.0, 1.05)

    def _age_s(self, payment: Payment) -> float:
        return max(0.0, self._clock.wall_s() - (payment.pushed_at_s or payment.created_at_s))


def _listened_for(tx: Transaction, after_s: float, resting: Collection[str]) -> tuple[list[str], list[Payment]]:
    """Every payment of which the provider may have something to say, and those in full whose time may have come."""
    ids = [*payment_rows.listened_for(tx, after_s), *link_rows.listened_for(tx, after_s)]
    return ids, [payment_rows.get(tx, payment_id) for payment_id in ids if payment_id not in resting]


class Open:
    """Lets through whoever is owed access on one router."""

    def __init__(self, gate: Gate, db: Database, went_on: Callable[[], None]) -> None:
        self._gate = gate
        self._db = db
        self.name = f"open:{gate.router_id}"
        self._deeds = Deeds(went_on)

    async def run_once(self) -> float | None:
        """Open every owed grant, oldest first: the order in which a device's grants follow each other."""
        owed = await self._db.read(lambda tx: grant_rows.on_router(tx, self._gate.router_id, GrantState.OWED))
        done = await self._deeds.run(_of_grant(grant, "grant_failed", self._gate.open(grant)) for grant in owed)
        return None if done else RETRY_S


class Close:
    """Ends the grants of one router whose time is over: a timer on the next one, which the database keeps."""

    def __init__(self, gate: Gate, db: Database, clock: Clock, went_on: Callable[[], None]) -> None:
        self._gate = gate
        self._db = db
        self._clock = clock
        self.name = f"close:{gate.router_id}"
        self._deeds = Deeds(went_on)
        self._out: set[str] = set()
        """Grants whose devices were shut out while the disk took nothing, by id: there is nothing to do for them before it does."""

    async def run_once(self) -> float | None:
        """End every grant that is due, and say how long it is until the next one."""
        grants, in_doubt = await self._db.read(
            lambda tx: (
                grant_rows.on_router(tx, self._gate.router_id, GrantState.ACTIVE, GrantState.ENDING),
                rescues.is_unsettled(tx),
            )
        )
        if self._db.takes_writes:
            self._out.clear()
        now_s = self._clock.wall_s()
        due = sorted((grant for grant in grants if grant.ends_s <= now_s or grant.state is GrantState.ENDING), key=_ends_s)
        postponed = await self._shown_longer(due) if due and in_doubt else []
        due = [grant for grant in due if grant not in postponed and grant.id not in self._out]
        done = await self._deeds.run(_of_grant(grant, "grant_failed", self._end(grant)) for grant in due)
        if due:  # whoever waited behind one that has ended may have moved up
            grants = await self._db.read(lambda tx: grant_rows.on_router(tx, self._gate.router_id, GrantState.ACTIVE))
        handled = {grant.id for grant in (*due, *postponed)} | self._out
        waits = [grant.ends_s - self._clock.wall_s() for grant in grants if grant.id not in handled]
        waits += [RETRY_S] * bool(postponed or self._out or not done)
        return min(waits, default=None)

    async def _end(self, grant: Grant) -> None:
        try:
            await self._gate.end(grant, grant.ended_because or "time")
        except NotStored:
            self._out.add(grant.id)
            raise

    async def _shown_longer(self, due: Sequence[Grant]) -> list[Grant]:
        """Those whose device the router lets through for longer: after a damaged card it may know of a later purchase.

        All of them when the router cannot be asked: then it cannot be told to shut anybody out either.
        """
        try:
            seen = await self._gate.hotspot.observe()
        except GatewayError:
            return list(due)
        now_s = self._clock.wall_s() + ACTIVATION_ALLOWANCE_S
        longer = {row.mac for row in seen.rows if (row.until_epoch_s or 0) > now_s}
        return [grant for grant in due if grant.mac in longer]


class Compare:
    """Watches one router: its pulse, and whether it shows what the database says."""

    def __init__(self, gate: Gate, db: Database, clock: Clock, watch: RouterWatch, went_on: Callable[[], None]) -> None:
        self._gate = gate
        self._db = db
        self._clock = clock
        self._watch = watch
        self.name = f"compare:{gate.router_id}"
        self._repairs, self._claims = Deeds(went_on), Deeds(went_on)
        self._booted_at_s: float | None = None
        """When the router started at the latest, in our monotonic seconds; None while it is out of sight."""
        self._compared_at_s = float("-inf")
        self._settling_until_s = float("-inf")
        self._unserved: list[Grant] = []
        """As they were read last, and after how many commits that was."""
        self._read_at_commit = -1

    async def run_once(self) -> float | None:
        """Feel the pulse; compare everything when it is time, after a reboot, and whenever the router comes back."""
        asked_at_s = self._clock.monotonic_s()
        try:
            uptime_s = (await self._gate.hotspot.pulse()).uptime_s
            await self._watch.answered(uptime_s)  # first what was missed: the comparison then shows the router the new ends
            back = self._note_pulse(uptime_s, asked_at_s)
            if back or self._is_time() or await self._somebody_is_awaited():
                await self._compare(await self._gate.hotspot.observe())
                self._compared_at_s = self._clock.monotonic_s()
        except GatewayError as fault:
            self._note_silence(fault)
            await self._watch.silent()
            return RETRY_S
        return PULSE_S

    def _note_pulse(self, uptime_s: int, asked_at_s: float) -> bool:
        """Whether the router was out of sight or has restarted, however quickly.

        It told its uptime at some moment between question and answer, and a busy one may leave 15 s between them.
        """
        now_s, before_s = self._clock.monotonic_s(), self._booted_at_s
        self._booted_at_s = now_s - uptime_s
        rebooted = before_s is not None and asked_at_s - uptime_s > before_s + PULSE_S / 2
        if rebooted:
            log.warning("router %s has restarted", self._gate.router_id, extra={"action": "router_rebooted"})
        if before_s is None or rebooted:
            self._settling_until_s = now_s + SETTLING_S
            return True
        return False

    def _note_silence(self, fault: GatewayError) -> None:
        if self._booted_at_s is not None or self._compared_at_s == float("-inf"):
            log.warning("router %s: %s", self._gate.router_id, fault, extra={"action": "router_unreachable"})
        self._booted_at_s = None
        self._compared_at_s = self._clock.monotonic_s()

    def _is_time(self) -> bool:
        now_s = self._clock.monotonic_s()
        return now_s < self._settling_until_s or now_s - self._compared_at_s >= COMPARE_S

    async def _somebody_is_awaited(self) -> bool:
        """Whether a paid phone has not been let through, for up to an hour.

        It may come back any moment, or a row of ours stands in its way: one whose data is used up.
        """
        if (commits := self._db.commits) != self._read_at_commit:  # most pulses find the database as it was
            states = (GrantState.OWED, GrantState.UNCLAIMED)
            self._unserved = await self._db.read(lambda tx: grant_rows.on_router(tx, self._gate.router_id, *states))
            self._read_at_commit = commits
        return any((grant.mac or grant.ip) and self._is_recent(grant) for grant in self._unserved)

    def _is_recent(self, grant: Grant) -> bool:
        """Whether it became so within the last hour: a router that was down for days sees nobody right after its start."""
        return grant.updated_at_s > self._clock.wall_s() - AWAITED_S

    async def _compare(self, seen: Snapshot) -> None:
        grants, history = await self._db.read(lambda tx: self._memory(tx, seen))
        found = drifts(grants, seen, history, self._clock.wall_s())
        await self._repairs.run(_of_drift(drift, self._mend(drift)) for drift in found)
        back = [grant for grant in grants if grant.state is GrantState.UNCLAIMED and await self._is_in_sight(grant, seen)]
        await self._claims.run(_of_grant(grant, "claim_failed", self._gate.claim(grant)) for grant in back)

    async def _is_in_sight(self, grant: Grant, seen: Snapshot) -> bool:
        """Whether the router sees the phone; by its address only for a while."""
        if grant.mac is not None:
            return grant.mac in seen.hosts
        return grant.ip is not None and self._is_recent(grant) and await self._gate.hotspot.locate(None, grant.ip) is not None

    def _memory(self, tx: Transaction, seen: Snapshot) -> tuple[list[Grant], History]:
        router_id = self._gate.router_id
        live = grant_rows.on_router(tx, router_id, GrantState.OWED, GrantState.UNCLAIMED, GrantState.ACTIVE, GrantState.ENDING)
        strays = frozenset(mac for mac in seen.strays if grant_rows.is_known(tx, router_id, mac))
        shown = {row.grant_id for row in seen.rows}
        unconfirmed, unknown = grant_rows.unconfirmed(tx, router_id), frozenset(shown - grant_rows.known(tx, shown))
        return live, History(strays, unknown, unconfirmed, in_doubt=rescues.is_unsettled(tx))

    async def _mend(self, drift: Drift) -> None:
        log.info("router shows something else for %s: %s", drift.mac, drift.what, extra={"action": "drift"})
        if drift.turn is not None and drift.is_used_up:
            await self._gate.end(drift.turn, "data")
        else:
            await self._gate.repair(drift.mac)


def _ends_s(grant: Grant) -> float:
    return grant.ends_s


class Deed(NamedTuple):
    """Something to be done for one device."""

    what: str
    """What is said of it where it fails."""
    ids: dict[str, str]
    work: Awaitable[object]


class Deeds:
    """The deeds of one job. One that fails holds up no other, and is told of once for each trouble, not with every try.

    `went_on` is called after each: a slow router needs longer for a hundred phones than any job may take for one thing.
    """

    def __init__(self, went_on: Callable[[], None]) -> None:
        self._went_on = went_on
        self._troubles: dict[str, str] = {}
        """What stood in the way the last time, by deed."""

    async def run(self, deeds: Iterable[Deed]) -> bool:
        """Do one after the other; whether all of them could be done."""
        told, self._troubles = self._troubles, {}
        for what, ids, work in deeds:
            try:
                await work
            except Exception as fault:  # noqa: BLE001 - see above
                trouble = self._troubles[f"{what} {ids}"] = repr(fault)
                if trouble != told.get(f"{what} {ids}"):
                    _tell(what, fault, ids)
            self._went_on()
        return not self._troubles


def _of_grant(grant: Grant, action: str, work: Awaitable[object]) -> Deed:
    return Deed("not done yet", {"action": action, "payment": grant.payment_id, "grant": grant.id}, work)


def _of_drift(drift: Drift, work: Awaitable[object]) -> Deed:
    whose = {"payment": drift.turn.payment_id, "grant": drift.turn.id} if drift.turn else {}
    return Deed(f"{drift.mac} is not as it should be yet, {drift.what}", {"action": "repair_failed", **whose}, work)


def _tell(what: str, fault: Exception, ids: dict[str, str]) -> None:
    if isinstance(fault, RouterUnreachable):
        log.debug("%s: %s", what, fault, extra=ids)
    elif isinstance(fault, GatewayError):
        log.warning("%s: %s", what, fault, extra=ids)
    else:
        log.error("%s: %r", what, fault, exc_info=fault, extra=ids)
