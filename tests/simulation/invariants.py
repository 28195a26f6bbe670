"""What must hold at every moment of a run, and what must hold when all has been well for long enough.

The judges are the far ends: what IntaSend has booked, which prompts M-Pesa has shown, whom the router lets through. The gateway's
database is read from the file, beside the gateway, and its event table is replayed as it grows. Numbers in comments are those of
the invariants in facts, reliability A8.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.metrics import Metrics
from gateway.payments import LISTEN_S
from gateway.references import payment_id_in
from gateway.simulators.intasend.invoices import Invoice
from tests.e2e.world import PASSWORD
from tests.simulation.bounds import COMPARE_S, LONGEST_PAUSE_S, ONLINE_WITHIN_S, Bounds
from tests.simulation.loop import START_S, SimulatedTask
from tests.simulation.plan import Plan
from tests.simulation.replica import Replica, Row, Violation
from tests.simulation.verdicts import OVER_WITHIN_S, TOLERANCE_S, Verdicts

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOK_S = 20.0
"""How often the world is looked at, at the pace of production."""

SECRETS = ("ISSecretKey_test_demo", "demo-challenge-0123456789", PASSWORD)
"""What the gateway was told in confidence."""

TASKS_MAX, CONNECTIONS_MAX = 60, 12
"""What a gateway at rest needs, with room to spare: more is a leak."""

ROWS = ("/ip/hotspot/user", "/ip/hotspot/ip-binding")
"""The router's tables in which there are rows of ours."""

BOOKS_FIRST_S, BOOKS_EVERY_S = 900.0, 3_600.0
"""When IntaSend's list is compared, after a start and from then on: what only the list knows is found by then."""

LINKS_S = 120.0
"""How often it is compared in the day after a card was lost: nothing else tells of a link that only the lost card knew."""

CIRCUIT_S = 30.0
"""How long the provider is not asked after an outage, at most."""


class Ears(logging.Handler):
    """Hears what the gateway logs: an exception that nobody expected is a violation, whatever else goes on."""

    def __init__(self, world: "World") -> None:
        super().__init__(logging.WARNING)
        self.unexpected: list[str] = []
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.tell(f"log: {record.levelname} {record.getMessage()}")
        if record.exc_info and record.levelno >= logging.ERROR:
            self.unexpected.append(f"{record.getMessage()} ({record.exc_info[1]!r})")


class Auditor:
    """Looks at the world again and again, and at its end."""

    def __init__(self, world: "World") -> None:
        self.bounds = Bounds(world)
        self.replica = Replica(world.disk)
        self._verdicts = Verdicts(world, self.replica, self.bounds)
        self.replica.judge = self._verdicts.judge
        self._world = world
        self._plan: Plan = world.plan
        self._ears = Ears(world)
        self._log = logging.getLogger("gateway")
        self._log.addHandler(self._ears)
        self._log.propagate = False  # a run says more than anybody wants to read, and a kept record keeps the world
        self._since: dict[tuple[str, str], float] = {}
        """By what and whom: since when it is so."""
        self._pushes = self._refunds = self._forgotten = 0
        self._forgot_at_s = float("-inf")
        """When the database was last found to be possibly an older one."""
        self._pushed: dict[str, int] = {}
        self._settled: set[str] = set()
        """Invoices of which nothing more is expected."""

    @property
    def look_s(self) -> float:
        return LOOK_S * min(self._plan.pace, 9.0)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self.look_s)
            for customer in self._world.customers:
                customer.send_something()
            self.look()

    def look(self) -> None:
        """Everything that must hold at every moment."""
        self._world.notice_what_was_met()
        self._nobody_complains()
        self._nobody_is_asked_twice()
        self._nobody_is_refunded_twice()
        world = self._world
        if world.daemon is not None and not world.disk.is_damaged and self.replica.catch_up():
            self._note_what_was_forgotten()
            self._verdicts.looked_at_s = world.now_s
            self._the_router_agrees()
            self._money_is_seen()

    # ── the far ends ──

    def _nobody_complains(self) -> None:
        if self._ears.unexpected:
            raise Violation(f"the gateway met what it did not expect: {self._ears.unexpected[0]}")
        if self._world.loop.complaints:
            raise Violation(f"an exception was left lying about: {self._world.loop.complaints[0]}")

    def _nobody_is_asked_twice(self) -> None:
        """One payment, one push (2)."""
        pushes = self._world.intasend.pushes
        for push in pushes[self._pushes :]:
            reference = push.order.api_ref
            self._pushed[reference] = self._pushed.get(reference, 0) + 1
            if self._pushed[reference] > 1:
                payment_id = next((row["id"] for row in self.replica.payments.values() if row["api_ref"] == reference), None)
                raise Violation(f"a second prompt was sent for {reference}", payment_id=payment_id)
        self._pushes = len(pushes)

    # ── the router against the database ──

    def _nobody_is_refunded_twice(self) -> None:
        """Money is asked back once, whatever becomes of the answer."""
        chargebacks = self._world.intasend.chargebacks.values()
        invoices = [chargeback["transaction"]["invoice"]["invoice_id"] for chargeback in chargebacks]
        for invoice_id in invoices[self._refunds :]:
            if invoices.count(invoice_id) > 1:
                raise Violation(f"invoice {invoice_id} was asked back twice")
        self._refunds = len(invoices)

    def _note_what_was_forgotten(self) -> None:
        """The card may have lost something: whatever IntaSend has booked has to be found again."""
        if self.replica.losses > self._forgotten:
            self._forgotten, self._forgot_at_s = self.replica.losses, self._world.now_s
            self._settled.clear()

    def _the_router_agrees(self) -> None:
        world = self._world
        assert world.daemon is not None
        now_s = world.daemon.heartbeat.wall_s()
        world.router.hotspot.settle()
        grants, honoured = self._live_by_mac(), self._honoured()
        for customer in world.customers:
            for mac in customer.macs:
                passes = world.router.hotspot._is_let_through(mac)
                live = grants.get(mac, [])
                active = [row for row in live if row["state"] == "active" and row["ends_at_s"] > now_s]
                entitled = not all(row["logged_out"] for row in active)
                unpaid = passes and not entitled and not self._on_its_way(live) and mac not in honoured
                self._hold("online unpaid", mac, unpaid)
                self._note_longest("online unpaid, faults and all", mac, unpaid)
                in_range = (
                    world.now_s > customer.unsettled_until_s
                    and world.router.hotspot.phones.get(mac) is not None
                    and world.router.hotspot.powered
                )
                owed = entitled or any(row["state"] == "owed" for row in live)
                self._hold("paid and offline", mac, in_range and owed and not passes and not self._is_used_up(live, mac))

    def _honoured(self) -> set[str]:
        """Devices of which the card has lost the grant: a row stays until its own end.

        Where somebody has removed the row, nobody knows that the router's host entry is ours (facts, routeros 3.3).
        """
        if not self._forgotten:
            return set()
        tables = self._world.router.machine.configuration.tables
        rows = (row for path in ROWS for row in tables[path] if (mark := _grant_on(row)) and mark not in self.replica.grants)
        return {row["mac-address"] for row in rows} | (self._world.unmarked - {row["mac"] for row in self.replica.grants.values()})

    def _live_by_mac(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.replica.grants.values():
            if row["mac"] is not None and row["state"] in {"owed", "active", "ending", "unclaimed"}:
                found.setdefault(row["mac"], []).append(row)
        return found

    def _on_its_way(self, live: list[Row]) -> bool:
        """The router lets it through already, and the gateway writes that down."""
        return any(row["state"] in {"owed", "unclaimed"} for row in live)

    def _is_used_up(self, live: list[Row], mac: str) -> bool:
        """Its bytes are used up; the gateway ends the grant with its next comparison."""
        if not any(row["package_id"] == 4 for row in live):
            return False
        for user in self._world.router.hotspot.users:
            if user.get("mac-address") == mac and int(user.get("limit-bytes-total", "0")):
                return self._world.router.hotspot.used(user).counters.total >= int(user["limit-bytes-total"])
        return False

    def _hold(self, what: str, mac: str, is_so: bool) -> None:  # noqa: FBT001
        """Nothing may be wrong for longer than mending takes, while all is well."""
        world, key = self._world, (what, mac)
        if not is_so or not world.is_calm:
            self._since.pop(key, None)
            return
        since_s = max(self._since.setdefault(key, world.now_s), world.calm_since_s)
        for_s = world.now_s - since_s
        self.bounds.note(what, for_s)
        if for_s > self.bounds.mending_s + self.look_s:
            raise Violation(f"{mac} is {what} for {for_s:.0f} s", mac=mac)  # 3, 5, 6

    def _note_longest(self, what: str, mac: str, is_so: bool) -> None:  # noqa: FBT001
        """Measure it, whatever goes wrong meanwhile."""
        if not is_so:
            self._since.pop((what, mac), None)
            return
        for_s = self._world.now_s - self._since.setdefault((what, mac), self._world.now_s)
        self.bounds.note(what, for_s)

    # ── the provider against the database ──

    def _money_is_seen(self) -> None:
        """Whatever IntaSend has booked becomes exactly one paid payment, in time (1)."""
        changes = [
            (invoice, self._world.intasend.change(invoice))
            for invoice in self._world.intasend.invoices.values()
            if invoice.invoice_id not in self._settled
        ]
        booked = [(invoice, change) for invoice, change in changes if change.state == "COMPLETE"]
        payments = self.replica.payments.values() if booked else ()
        known = {row["invoice_id"]: row for row in payments if row["invoice_id"]}
        by_reference = {row["api_ref"]: row for row in payments}
        for invoice, change in booked:
            payment = known.get(invoice.invoice_id) or by_reference.get(invoice.order.api_ref)
            if payment is None:
                self._hold_missing(invoice, change.at_s)
            elif payment["state"] in {"paid", "disputed"} and payment["invoice_id"] == invoice.invoice_id:
                self._judge_booked(invoice, payment)
            elif not (invoice.outcome and invoice.outcome.api_ref) and not self._is_surplus(invoice):
                self._hold_money(invoice, change.at_s, payment)

    def _hold_missing(self, invoice: Invoice, booked_at_s: float) -> None:
        """What the card has lost is found again with the books: soon after a start, and every hour."""
        world = self._world
        if not self._forgotten:
            self._hold_money(invoice, booked_at_s, None)
        if not world.is_calm or not self._can_be_found_again(invoice):
            return
        is_well = world.last_fault_s <= world.life_since_s
        since_s = max(booked_at_s - START_S, world.life_since_s if is_well else world.calm_since_s)
        bound_s = BOOKS_FIRST_S if is_well else BOOKS_EVERY_S
        if _is_of_a_link(invoice):
            bound_s = max(bound_s, LINKS_S * world.plan.pace)  # paid after the books were in order, perhaps
        bound_s += ONLINE_WITHIN_S + self.look_s
        if world.now_s - since_s > bound_s:
            raise Violation(f"invoice {invoice.invoice_id} is paid for {world.now_s - since_s:.0f} s and its payment is missing")

    def _can_be_found_again(self, invoice: Invoice) -> bool:
        """Whether the invoice says whose it is, and how much of what came."""
        outcome, reference = invoice.outcome, invoice.order.api_ref or ""
        is_ours = payment_id_in(reference) is not None or _is_of_a_link(invoice)  # whoever makes a link here is the gateway
        return outcome is not None and outcome.api_ref is None and outcome.currency is None and is_ours

    def _judge_booked(self, invoice: Invoice, payment: Row) -> None:
        self._settled.add(invoice.invoice_id)
        if (payment["state"] == "paid") != self._verdicts.pays(invoice, payment):
            raise Violation(f"invoice {invoice.invoice_id} makes its payment {payment['state']}", payment_id=payment["id"])
        if payment["state"] == "paid" and not any(row["payment_id"] == payment["id"] for row in self.replica.grants.values()):
            raise Violation("paid, and no grant is owed", payment_id=payment["id"])  # 3

    def _is_surplus(self, invoice: Invoice) -> bool:
        found = self.replica.is_surplus(invoice.invoice_id)
        if found:
            self._settled.add(invoice.invoice_id)
        return found

    def _hold_money(self, invoice: Invoice, booked_at_s: float, payment: Row | None) -> None:
        world = self._world
        since_s = max(booked_at_s - START_S, world.calm_since_s)
        age_s = world.now_s - (invoice.created_s - START_S)
        if not world.is_calm or age_s > LISTEN_S:
            return
        pause_s = min(max(age_s * 0.5, 300.0), 3_600.0)  # the poller's: ever more seldom
        bound_s = pause_s * 1.05 + CIRCUIT_S + LONGEST_PAUSE_S * self._plan.pace + self.look_s
        if world.now_s - since_s > bound_s:
            state = payment["state"] if payment else "missing"
            raise Violation(
                f"invoice {invoice.invoice_id} is paid for {world.now_s - since_s:.0f} s and its payment is {state}",
                payment_id=payment["id"] if payment else None,
            )

    # ── the end ──

    def conclude(self) -> None:
        """All has been well for hours: everything has come right."""
        self.look()
        self._everything_is_written()
        self._nothing_is_left_undone()
        self._the_router_shows_what_is_sold()
        self._nothing_has_leaked()
        self._nothing_secret_is_told()

    def _everything_is_written(self) -> None:
        """What a customer was told is there."""
        self.replica.compare()
        for customer in self._world.customers:
            for told in customer.told:
                if told.payment_id not in self.replica.payments and told.at_s > self._forgot_at_s:
                    raise Violation(f"{customer} was told of a payment that is not there", payment_id=told.payment_id, mac=told.mac)

    def _nothing_is_left_undone(self) -> None:
        world = self._world
        assert world.daemon is not None, "the daemon is not running"
        now_s = world.daemon.heartbeat.wall_s()
        for payment in self.replica.payments.values():
            invoice = world.intasend.invoices.get(payment["invoice_id"])
            undecided = invoice is not None and world.intasend.change(invoice).state not in {"COMPLETE", "FAILED"}
            at_rest = payment["state"] not in {"new", "pushing", "unknown"} or (payment["state"] == "unknown" and undecided)
            if payment["kind"] == "push" and not at_rest:
                raise Violation(f"a payment is still {payment['state']}", payment_id=payment["id"])
            if payment["state"] == "pushed" and invoice is not None and world.intasend.change(invoice).state == "FAILED":
                raise Violation("failed at IntaSend and still open here", payment_id=payment["id"])
        for grant in self.replica.grants.values():
            over = grant["state"] == "ending" or (
                grant["state"] == "active" and grant["ends_at_s"] < now_s - OVER_WITHIN_S - TOLERANCE_S
            )
            in_range = grant["mac"] in world.router.hotspot.phones
            if over or (grant["state"] == "owed" and in_range):
                raise Violation(f"a grant is still {grant['state']}", payment_id=grant["payment_id"], mac=grant["mac"])

    def _the_router_shows_what_is_sold(self) -> None:
        """No row of ours without its grant; nobody else's row touched."""
        tables = self._world.router.machine.configuration.tables
        live = {row["id"] for row in self.replica.grants.values() if row["state"] in {"active", "owed", "unclaimed"}}
        for path in ROWS:
            for row in tables[path]:
                grant_id = _grant_on(row)
                is_lost = self._forgotten and grant_id not in self.replica.grants
                if grant_id is not None and grant_id not in live and not is_lost:
                    raise Violation(f"the router keeps a row of {grant_id}, which is over", mac=row.get("mac-address"))
        untouched = {row["name"] for row in tables["/ip/hotspot/user"] if row.get("comment") == "staff, do not touch"}
        if self._world.foreign - untouched:
            raise Violation(f"somebody else's row {min(self._world.foreign - untouched)} was touched")

    def _nothing_has_leaked(self) -> None:
        """After all these faults the gateway is as small as before (14)."""
        world = self._world
        tasks = [task for task in asyncio.all_tasks() if isinstance(task, SimulatedTask) and task.machine is world.gateway]
        if len(tasks) > TASKS_MAX:
            raise Violation(f"{len(tasks)} tasks are left: {sorted(task.get_name() for task in tasks)}")
        if len(world.network.connections) > CONNECTIONS_MAX:
            raise Violation(f"{len(world.network.connections)} connections are left")

    def _nothing_secret_is_told(self) -> None:
        """Neither in the log nor in the events (13)."""
        for line in (*self._world.journal, *self.replica.lines):
            if any(secret in line for secret in SECRETS):
                raise Violation(f"a secret is told: {line}")

    async def die_once_more(self) -> None:
        """A crash and a start, with nothing else happening, change nothing on the router (15)."""
        world = self._world
        states = {grant_id: row["state"] for grant_id, row in self.replica.grants.items()}
        writes, honoured = world.router.writes, self._honoured()
        await world.kill(down_s=1.0)
        await asyncio.sleep(COMPARE_S * 4)
        self.look()
        same = states == {grant_id: row["state"] for grant_id, row in self.replica.grants.items()}
        if same and not honoured and world.router.writes != writes:  # a row that ends meanwhile is removed
            raise Violation(f"a restart wrote to the router: {world.router.commands[-8:]}")

    def after_the_end(self) -> None:
        """The daemon has stopped and everything has gone: nobody has anything left to complain about."""
        self._nobody_complains()

    def close(self) -> None:
        self._log.handlers[:] = [handler for handler in self._log.handlers if not isinstance(handler, Ears | Metrics)]
        self._log.propagate = True
        self.replica.close()


def _grant_on(row: Mapping[str, str]) -> str | None:
    """The grant that a row of ours names; None for one that is not ours."""
    ours, _, grant_id = row.get("comment", "").partition(" ")[0].partition(":")
    return grant_id if ours == "hotspot-gateway" else None


def _is_of_a_link(invoice: Invoice) -> bool:
    return (invoice.order.api_ref or "").startswith("ISL_")
