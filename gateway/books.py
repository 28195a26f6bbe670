"""Books that balance: the provider's invoices against our payments, and after a damaged card the way back to what was sold.

The provider's list is the truth about money, the router's rows are the truth about who was let through. What is paid there and
unknown or unpaid here is brought in by the ordinary path. "Could not check" is an answer of its own: it moves nothing, closes
nothing, and is asked again. After an older database has taken the place of a damaged one nothing is sold until that was done.
What is only there is recorded again by `gateway.adoption`; which grant a row shows is decided in `gateway.recovery`.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.access import GrantState
from gateway.adoption import Adoption, Seller, packages_of
from gateway.catalogue import Account, Site
from gateway.errors import GatewayError, NotFound, NotStored, ProviderRefused, ProviderUnreachable, Unavailable
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.heartbeat import Heartbeat
from gateway.hotspot.base import Snapshot
from gateway.payments import LINK_LIFE_S, Payment, PaymentState
from gateway.providers.base import InvoiceReport, RefundProvider, RefundReport, Reported
from gateway.recovery import Shown, placed
from gateway.refunds import Refunds
from gateway.scheduler import Scheduler
from gateway.settlement import Settlement, is_surplus
from gateway.store import access as grant_rows
from gateway.store import books as book_rows
from gateway.store import payments as payment_rows
from gateway.store import rescues
from gateway.store.books import Entry, Lost
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

EVERY_S = 3_600.0
"""Money that nobody noticed is noticed within the hour; one or two questions per account."""

FIRST_S = 900.0
"""Not in the first quarter of an hour after an ordinary start: then the poller looks after what was under way."""

RETRY_S = 10.0
"""How soon it is tried again while nothing is sold for want of it. The circuit breaker sees to it that nobody is hammered."""

SOON_S = 120.0
"""How often while IntaSend does not answer, and in the day after a rescue: a link that only the lost database knew may be paid
until then, nobody else asks about it, and whoever paid is served, or told of, within two minutes."""

OVERLAP_S = 86_400.0
"""How far each reading goes back behind the last one: an invoice that was open then may be paid since. The poller watches those
that we know for just as long."""

RECENT_S = 3_600.0
"""How far the readings in between go back, in the day after a rescue: whoever pays is done with it by then, and the reading of the
hour finds everything else."""

FIRST_LOOK_S = 8 * 86_400.0
"""How far the first reading of an account goes back, at least: a week's package, and the day on which it was paid."""

ROUTERS_WAIT_S = 600.0
"""How long the books of a rescued database wait for routers that do not answer: a purchase whose device only such a router knows is
recorded without it, and one router that is dead for days must not stop the sales on the others."""

TIME_WAIT_S = 600.0
"""How long they wait for somebody who knows what time it is, a time server or IntaSend itself, after a start of the machine: the
database goes on from when the backup was made, and what has run since then is not known."""

REFUNDS_WAIT_S = 600.0
"""How long they wait for the list of what was asked back. Nobody is paid back twice without it: a refund reads it once more."""

_ANSWERED = frozenset({PaymentState.PAID, PaymentState.DISPUTED})


@dataclass(frozen=True, slots=True)
class Sight:
    """What the routers show to one owner."""

    rows: tuple[Shown, ...]
    """Those on his own routers."""
    is_whole: bool
    """Whether each of his routers has answered."""
    router_of: Mapping[str, int]
    """On which router a grant is, by its id: on anybody's, for owners may sell with the same keys."""


class Books:
    """The job that compares; `begin` before anything is sold."""

    name = "books"

    def __init__(
        self, site: Site, db: Database, clock: Heartbeat, scheduler: Scheduler, *, settlement: Settlement, refunds: Refunds
    ) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._settlement = settlement
        self._refunds = refunds
        self._scheduler = scheduler
        self._unread: set[int] = set()
        """Owners of whom it was said that their books cannot be compared."""
        self._is_cut_off = False
        """Whether the provider did not answer the last time: an hour is too long to wait for its next chance."""
        self._adoption = Adoption(site, db, clock, settlement)
        self._began_at_s = clock.monotonic_s()
        self._due_at_s = self._began_at_s + FIRST_S
        self._whole_at_s = float("-inf")
        """When all that may have changed was read last, in monotonic seconds."""

    async def begin(self) -> None:
        """After a rescue: nothing is sold for anybody who has keys, until the books are in order."""
        since_s = await self._db.read(rescues.unsettled_since_s)
        if since_s is not None or await self._a_link_may_be_lost():
            self._due_at_s = self._clock.monotonic_s()
        if since_s is not None:
            # The machine's clock may have been ahead of the time when it stamped that.
            self._site.in_doubt |= dict.fromkeys(self._site.providers, min(since_s, self._clock.wall_s()))
            log.warning("nothing is sold until IntaSend's invoices were read again", extra={"action": "books_in_doubt"})

    async def run_once(self) -> float:
        """Compare every account of every owner, one after the other; one that cannot be read costs the others half a minute."""
        wait_s = self._due_at_s - self._clock.monotonic_s()
        if wait_s > 0:
            return wait_s
        self._is_cut_off = False
        for owner_id in sorted({account.owner_id for account in self._site.accounts.values()}):
            await self._balance(owner_id)
        if not self._site.in_doubt:
            await self._settle()
        if self._is_whole() and not self._unread:
            self._whole_at_s = self._clock.monotonic_s()
        pause_s = await self._pause_s()
        self._due_at_s = self._clock.monotonic_s() + pause_s
        return pause_s

    def _is_whole(self) -> bool:
        """Whether everything that may have changed is to be read, and not only what came of late."""
        return bool(self._site.in_doubt) or self._clock.monotonic_s() - self._whole_at_s >= EVERY_S

    async def _pause_s(self) -> float:
        if self._site.in_doubt:
            return RETRY_S
        return SOON_S if self._is_cut_off or await self._a_link_may_be_lost() else EVERY_S

    async def _a_link_may_be_lost(self) -> bool:
        """Whether a link may still be paid that was made after the state in which the database was found again."""
        rescued_at_s = await self._db.read(rescues.last_at_s)
        return rescued_at_s is not None and abs(self._clock.wall_s() - rescued_at_s) < LINK_LIFE_S

    async def _balance(self, owner_id: int) -> None:
        in_doubt, paid_at_s = owner_id in self._site.in_doubt, dict[str, float]()
        try:
            sight = await self._look(owner_id)
            if in_doubt and not sight.is_whole and self._clock.monotonic_s() < self._began_at_s + ROUTERS_WAIT_S:
                return
            for credential_id, account in list(self._site.accounts.items()):
                if account.owner_id == owner_id:
                    paid_at_s |= await self._read(credential_id, account, sight, in_doubt=in_doubt)
            await self._put_in_place(owner_id, sight, paid_at_s, in_doubt=in_doubt)
        except GatewayError as fault:
            level = logging.DEBUG if owner_id in self._unread else logging.WARNING  # every ten seconds, while nothing is sold
            self._unread.add(owner_id)
            self._is_cut_off |= isinstance(fault, ProviderUnreachable)
            log.log(level, "the books of owner %s could not be compared: %s", owner_id, fault, extra={"action": "books_unread"})
        else:
            self._unread.discard(owner_id)
            self._leave_doubt(owner_id)

    def _leave_doubt(self, owner_id: int) -> None:
        if self._site.in_doubt.pop(owner_id, None) is not None:
            for router_id in self._site.catalogue.routers:
                self._scheduler.wake(f"open:{router_id}")

    async def _settle(self) -> None:
        if await self._db.read(rescues.is_unsettled):
            await self._db.write(lambda tx: rescues.settle(tx, self._clock.wall_s()))
            log.warning("the books are in order again: selling", extra={"action": "books_settled"})

    # ── the routers ──

    async def _look(self, owner_id: int) -> Sight:
        """The rows of ours whose end has not come, on each router that answers."""
        routers = list(self._site.catalogue.routers.values())
        seen = await asyncio.gather(*(self._observe(router.id) for router in routers))
        now_s = self._clock.wall_s()
        rows = [row for router, shown in zip(routers, seen, strict=True) if shown for row in _rows(router.id, shown, now_s)]
        own = {router.id for router in routers if router.owner_id == owner_id}
        is_whole = all(shown for router, shown in zip(routers, seen, strict=True) if router.id in own)
        return Sight(tuple(row for row in rows if row.router_id in own), is_whole, {row.grant_id: row.router_id for row in rows})

    async def _observe(self, router_id: int) -> Snapshot | None:
        try:
            return await self._site.hotspot(router_id).observe()
        except GatewayError as fault:
            log.debug("router %s was not asked: %s", router_id, fault, extra={"action": "books_unseen"})
            return None

    # ── the provider ──

    async def _read(self, credential_id: int, account: Account, sight: Sight, *, in_doubt: bool) -> dict[str, float]:
        """Compare one account; when each payment was paid, as far as its list shows it.

        Raises what stands in the way; an account that does not sell any more stands in nobody's.
        """
        try:
            return await self._compare(credential_id, account, sight, in_doubt=in_doubt)
        except GatewayError as fault:
            if isinstance(fault, NotStored) or self._site.selling_with.get(account.owner_id) == credential_id:
                raise
            log.info("account %s could not be compared: %s", credential_id, fault, extra={"action": "books_unread"})
            return {}

    async def _compare(self, credential_id: int, account: Account, sight: Sight, *, in_doubt: bool) -> dict[str, float]:
        if isinstance(account.provider, GatewayError):
            raise account.provider
        since_s = await self._since_s(credential_id, account.owner_id)
        reports = await account.provider.invoices.since(since_s)
        if in_doubt and self._clock.may_step and self._clock.monotonic_s() < self._began_at_s + TIME_WAIT_S:
            raise Unavailable("nobody has confirmed yet what time it is")  # asked after the answer, which may have done it
        refunds = await self._asked_back(account.provider.refunds) if in_doubt else []
        seller = Seller(account.owner_id, credential_id, account.provider.links)
        entries = await self._db.read(lambda tx: book_rows.entries(tx, account.owner_id, _in_turn(reports, refunds)))
        for entry in entries:
            await self._apply(entry, seller, sight)
        for refund in refunds:
            await self._refunds.recall(refund, sight.router_of)
        newest_s = max((report.created_at_s for report in reports if report.created_at_s is not None), default=None)
        if newest_s is not None:  # one from the future is no place to go on from
            until_s = min(newest_s, self._clock.wall_s())
            await self._db.write(lambda tx: book_rows.note_compared(tx, credential_id, until_s))
        return dict(_paid_at_s(entries))

    async def _asked_back(self, refunds: RefundProvider) -> list[RefundReport]:
        """What was asked back, which an older database may not know; where that cannot be read for long, sales go on without."""
        try:
            return await refunds.listed()
        except (ProviderRefused, ProviderUnreachable) as fault:
            may_pass = isinstance(fault, ProviderUnreachable) or fault.retry_after_s is not None
            if may_pass and self._clock.monotonic_s() < self._began_at_s + REFUNDS_WAIT_S:
                raise
            log.warning("what was asked back cannot be read: %s", fault, extra={"action": "refunds_unread"})
            return []

    async def _since_s(self, credential_id: int, owner_id: int) -> float:
        until_s = await self._db.read(lambda tx: book_rows.compared_until_s(tx, credential_id))
        if until_s is not None:
            return until_s - (OVERLAP_S if self._is_whole() else RECENT_S)
        longest_s = max((package.duration.seconds for package in packages_of(self._site, owner_id)), default=0)
        return self._clock.wall_s() - max(FIRST_LOOK_S, longest_s + OVERLAP_S)

    async def _apply(self, entry: Entry, seller: Seller, sight: Sight) -> None:
        """Bring in what one invoice knows better than we."""
        payment, report = entry.payment, entry.report
        if payment is None:
            payment = await self._adoption.adopt(report, seller, sight.router_of)
            if payment is not None:
                self._scheduler.wake("settle")
        if payment is not None and _is_news(payment, report):
            now = await self._db.read(lambda tx: payment_rows.get(tx, payment.id))  # another invoice may have paid it just now
            await self._settlement.apply_found(now, report)

    # ── the grants ──

    async def _put_in_place(self, owner_id: int, sight: Sight, paid_at_s: Mapping[str, float], *, in_doubt: bool) -> None:
        """Give what was lost the devices and windows that the routers show; what no router shows, and has run, has ended."""
        if not in_doubt and not await self._db.read(lambda tx: book_rows.without_device(tx, owner_id)):
            return
        for row in sight.rows:
            if await self._db.write(lambda tx: self._place(tx, owner_id, row, paid_at_s, in_doubt=in_doubt)):  # noqa: B023
                log.warning("found again on its device: %s", row.mac, extra={"action": "placed", "grant": row.grant_id})
        if sight.is_whole:
            await self._db.write(lambda tx: self._end_what_has_run(tx, owner_id, paid_at_s))
        for router_id in {row.router_id for row in sight.rows}:
            self._scheduler.wake(f"close:{router_id}")
            self._scheduler.wake(f"compare:{router_id}")

    def _lost(self, tx: Transaction, owner_id: int, paid_at_s: Mapping[str, float]) -> list[Lost]:
        """Grants that may have run in the life that was forgotten: adopted ones without a device, and those paid in it."""
        rescued_at_s = rescues.unsettled_since_s(tx) if owner_id in self._site.in_doubt else None
        known = [] if rescued_at_s is None else book_rows.owed_since(tx, owner_id, rescued_at_s, paid_at_s)
        return book_rows.without_device(tx, owner_id) + known

    def _place(self, tx: Transaction, owner_id: int, row: Shown, paid_at_s: Mapping[str, float], *, in_doubt: bool) -> bool:
        """Whether the row knew better than the database: of what was lost always, of others only after a rescue."""
        lost = self._lost(tx, owner_id, paid_at_s)
        turn = _grant_of(tx, row, lost)
        if turn is None or turn.grant.owner_id != owner_id or turn.grant.is_over or turn.grant.state is GrantState.ENDING:
            return False
        if not in_doubt and turn.grant.id not in {one.grant.id for one in lost}:
            return False
        queue = [grant for grant in grant_rows.queue(tx, row.router_id, row.mac) if grant.id != turn.grant.id]
        behind = [one.grant for one in lost if one.grant.id != turn.grant.id and _may_follow(one, turn, row)]
        known = {grant.id: grant for grant in (turn.grant, *queue, *behind)}
        found = placed(row, turn.grant, turn.payment.created_at_s, queue, behind)
        for grant in found:
            book_rows.place(tx, known[grant.id], grant, self._clock.wall_s())
        return bool(found)

    def _end_what_has_run(self, tx: Transaction, owner_id: int, paid_at_s: Mapping[str, float]) -> None:
        now_s = self._clock.wall_s()
        for lost in self._lost(tx, owner_id, paid_at_s):
            if lost.payment.created_at_s + lost.grant.window_s <= now_s:
                book_rows.end(tx, lost, now_s)


def _paid_at_s(entries: Iterable[Entry]) -> Iterable[tuple[str, float]]:
    """When the payments that the database knew were paid, by the provider's clock."""
    for entry in entries:
        if entry.payment is not None and entry.report.reported is Reported.PAID and entry.report.created_at_s is not None:
            yield entry.payment.id, entry.report.created_at_s


def _may_follow(lost: Lost, turn: Lost, row: Shown) -> bool:
    """Whether a grant may be behind the one on a row: it is for that device, or nobody knows for which and the same phone paid."""
    return lost.payment.phone == turn.payment.phone if lost.grant.mac is None else lost.grant.mac == row.mac


def _in_turn(reports: Sequence[InvoiceReport], refunds: Iterable[RefundReport]) -> list[InvoiceReport]:
    """Oldest first, as they were paid; of a link that was paid twice the one last whose money was asked back: it bought nothing."""
    given_back = {refund.invoice_id for refund in refunds}
    oldest_first = reports[::-1]
    return sorted(oldest_first, key=lambda report: report.invoice_id in given_back)


def _rows(router_id: int, seen: Snapshot, now_s: float) -> Iterable[Shown]:
    for row in seen.rows:
        ends_at_s = (row.until_epoch_s or 0) - ACTIVATION_ALLOWANCE_S
        if row.mac is not None and ends_at_s > now_s:
            yield Shown(router_id, row.grant_id, row.mac, ends_at_s)


def _grant_of(tx: Transaction, row: Shown, lost: Sequence[Lost]) -> Lost | None:
    """The grant on a row, and what bought it; None when the database does not know it."""
    known = next((one for one in lost if one.grant.id == row.grant_id), None)
    if known is not None:
        return known
    try:
        grant = grant_rows.get(tx, row.grant_id)
    except NotFound:
        return None
    return Lost(grant, payment_rows.get(tx, grant.payment_id))


def _is_news(payment: Payment, report: InvoiceReport) -> bool:
    """Whether the invoice knows something of money that the payment does not. What it says of waiting is the poller's."""
    if report.reported is not Reported.PAID:
        return False
    if payment.state not in _ANSWERED or is_surplus(payment, report):
        return True
    return payment.receipt is None and report.receipt is not None and payment.invoice_id == report.invoice_id
