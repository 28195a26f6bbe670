"""The audit: the invariants checked over the live database, the routers and the provider's list, every hour.

The rules are `gateway.invariants`'. Here is what they are applied to, how much of it at a time, and what is told: each broken one
once when it appears and once when it is gone. What could not be checked is neither: what was found there before stays.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Protocol, TypeVar

from gateway.access import GrantState
from gateway.adoption import Origins, described, is_about_the_question
from gateway.catalogue import Account, Site
from gateway.clock import Clock
from gateway.errors import GatewayError, ProviderRefused
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.hotspot.base import Snapshot
from gateway.invariants import (
    RECEIPT_WITHIN_S,
    Booked,
    Finding,
    Invariant,
    Pass,
    RouterView,
    Severity,
    judge_books,
    judge_grant,
    judge_receipts,
    judge_router,
    judge_story,
    judge_unbooked,
    missing_events,
)
from gateway.payments import Payment
from gateway.providers.base import LinkProvider, Provider, Reported
from gateway.references import is_of
from gateway.store import access as grant_rows
from gateway.store import audit as audit_rows
from gateway.store import books as book_rows
from gateway.store.audit import BITE, Progress
from gateway.store.books import Entry
from gateway.store.database import Database, Transaction

T = TypeVar("T")

log = logging.getLogger(__name__)

EVERY_S = 3_600.0
"""Whatever breaks is told within the hour (issue: an alert with the payment's id)."""

FIRST_S = 1_200.0
"""After the books were compared for the first time: what they bring in is not to be told as missing."""

EVENTS_AT_ONCE = 2_000
"""How many new events one audit replays: forty-eight thousand a day, several times what the busiest site writes; what is left waits
for the next one, so that an upgrade on a big database does not keep a small computer busy for minutes."""

ROUND_AT_ONCE = 200
"""How many old payments one audit looks at again, so that every page of the database is read and judged every few weeks."""

SEEN_AFTER_S = 7_200.0
"""How old an invoice is before it is missed: the books are compared every hour, and may fail once."""

BACK_S = 86_400.0
"""How far back the provider's list is read while all is well: what is older was judged by the audits before."""

BACK_MAX_S = 7 * 86_400.0
"""How far back while something was wrong in it: what nobody mended must not look mended because a day has passed."""

RECEIPTS_BACK_S = 7 * 86_400.0
"""How far back receipts are missed: M-Pesa's statements are looked up by the week."""


_LIVE = (GrantState.OWED, GrantState.UNCLAIMED, GrantState.ACTIVE, GrantState.ENDING)


class Reader(Protocol):
    """Who reads the database."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run a function of reads; all of them see the same moment."""
        ...


class Examiner:
    """Applies the rules to what there is; every question by itself. Changes nothing."""

    def __init__(self, db: Reader, site: Site, clock: Clock) -> None:
        self._db = db
        self._site = site
        self._clock = clock
        self._origins = Origins()

    async def payments(self, payment_ids: Iterable[str]) -> list[Finding]:
        """Replay these payments and judge what they bought, a bite at a time."""
        wanted, found = sorted(payment_ids), []
        for start in range(0, len(wanted), BITE):
            bite = wanted[start : start + BITE]
            for case in await self._db.read(lambda tx: audit_rows.cases(tx, bite)):  # noqa: B023
                found += [*judge_story(case.story), *judge_grant(case.payment, case.grant)]
        return found

    async def events(self) -> list[Finding]:
        """Look for events that are missing, among all of them."""
        count, last_seq = await self._db.read(audit_rows.extent)
        return [missing_events(last_seq - count, last_seq)] if count < last_seq else []

    async def receipts(self) -> list[Finding]:
        """Look for receipts that count twice, or are missing."""
        now_s = self._clock.wall_s()
        span_s = (now_s - RECEIPTS_BACK_S, now_s - RECEIPT_WITHIN_S)

        def suspects(tx: Transaction) -> list[Payment]:
            owners = self._site.catalogue.owners
            missing = [one for owner_id in owners for one in audit_rows.paid_without_receipt(tx, owner_id, *span_s)]
            return [*audit_rows.paid_with_one_receipt(tx), *missing]

        return judge_receipts(await self._db.read(suspects), now_s)

    async def router(self, router_id: int) -> list[Finding]:
        """Compare one router with the live grants, as they were before it was asked and are after it.

        What only one of the two says is on its way. Raises RouterUnreachable and RouterRefused.
        """
        before = await self._db.read(lambda tx: grant_rows.on_router(tx, router_id, *_LIVE))
        seen = await self._site.hotspot(router_id).observe()
        after, known = await self._db.read(
            lambda tx: (
                grant_rows.on_router(tx, router_id, *_LIVE),
                frozenset(str(mac) for mac in seen.strays if grant_rows.is_known(tx, router_id, mac)),
            )
        )
        view, now_s = _view(seen), self._clock.wall_s()
        was, found = (judge_router(view, grants, known, now_s) for grants in (before, after))
        lasting = {finding.key for finding in was}
        return [finding for finding in found if finding.key in lasting]

    async def account(self, credential_id: int, account: Account, since_s: float) -> list[Finding]:
        """Compare one account's invoices since that moment with the payments. Raises ProviderUnreachable and ProviderRefused."""
        now_s = self._clock.wall_s()
        if isinstance(account.provider, GatewayError):
            raise account.provider
        paid = [one for one in await account.provider.invoices.since(since_s) if one.reported is Reported.PAID]
        due = [one for one in paid if (one.created_at_s or now_s) < now_s - SEEN_AFTER_S]
        entries, surplus = await self._db.read(
            lambda tx: (book_rows.entries(tx, account.owner_id, due), audit_rows.surplus_invoices(tx, account.owner_id))
        )
        booked = [one for entry in entries if (one := await self._booked(entry, account.provider.links))]
        span_s = (since_s + SEEN_AFTER_S, now_s - SEEN_AFTER_S)
        payments = await self._db.read(lambda tx: audit_rows.paid_with(tx, account.owner_id, credential_id, *span_s))
        listed = {one.invoice_id for one in paid}
        missing = [payment for payment in payments if payment.invoice_id not in listed]
        return judge_books(booked, surplus) + await self._unbooked(missing, account.provider)

    async def _booked(self, entry: Entry, links: LinkProvider) -> Booked | None:
        """An invoice as it is judged; None for what this gateway has not asked for."""
        report, payment = entry.report, entry.payment
        if payment is not None:
            matches = payment.is_what_was_asked(report.value, report.currency, report.api_ref)
            return Booked(report.invoice_id, described(report), payment.id, payment, matches)
        try:
            origin = await self._origins.of(report, links)
        except ProviderRefused as refusal:
            if not is_about_the_question(refusal):
                raise
            return Booked(report.invoice_id, described(report), None, None, matches=True)
        if origin is None or not is_of(origin.payment_id, self._site.tag):
            return None
        return Booked(report.invoice_id, described(report), origin.payment_id, None, matches=True)

    async def _unbooked(self, missing: Iterable[Payment], provider: Provider) -> list[Finding]:
        """Payments that the list does not show as paid; each is asked about, because a list can be older than its invoice."""
        found = []
        for payment in missing:
            word = await _said_of(payment, provider)
            if word is not None:
                found.append(judge_unbooked(payment, word))
        return found


async def _said_of(payment: Payment, provider: Provider) -> str | None:
    """What the provider says of a payment's invoice instead of "paid"; None where it does say that."""
    if payment.invoice_id is None:
        return "nothing"
    try:
        report = await provider.report(payment.invoice_id)
    except ProviderRefused as refusal:
        if not is_about_the_question(refusal):
            raise
        return refusal.message
    return None if report.reported is Reported.PAID else report.word


class Board(Protocol):
    """Where the figures of the audit are shown."""

    def show_audit(self, broken: Mapping[str, int], at_s: float) -> None:
        """How many places are broken, by invariant, and when that was found out."""
        ...


class Audit:
    """The job that examines every hour, and tells what has changed."""

    name = "audit"

    def __init__(self, db: Database, site: Site, clock: Clock, board: Board) -> None:
        self._db = db
        self._site = site
        self._clock = clock
        self._board = board
        self._examiner = Examiner(db, site, clock)
        self._due_at_s = clock.monotonic_s() + FIRST_S
        self._gaps: list[Finding] = []
        """Events that are missing: they do not come back, and are not looked for twice."""
        self._wrong_since_s: dict[int, float] = {}
        """By credential: since when its list is read, as long as something in it is wrong."""
        self._standing: dict[str, dict[tuple[str, ...], Finding]] = {}
        """What was found, by what was asked: what cannot be asked now keeps what was found there."""

    async def run_once(self) -> float:
        """Examine everything that can be asked; the seconds until the next audit."""
        wait_s = self._due_at_s - self._clock.monotonic_s()
        if wait_s > 0:
            return wait_s
        before = self.findings()
        self._note("payments", await self._payments())
        self._note("receipts", await self._examiner.receipts())
        questions = {
            **{f"router {router_id}": partial(self._examiner.router, router_id) for router_id in self._site.catalogue.routers},
            **{f"account {key}": partial(self._account, key, account) for key, account in self._site.accounts.items()},
        }
        for what, question in questions.items():
            await self._ask(what, question)
        for gone in self._standing.keys() - questions.keys() - {"payments", "receipts"}:
            del self._standing[gone]  # a router or an account that nobody has any more
        self._tell(before)
        self._due_at_s = self._clock.monotonic_s() + EVERY_S
        return EVERY_S

    def findings(self) -> dict[tuple[str, ...], Finding]:
        """Everything that stands, each by what makes it the same."""
        return {key: finding for found in self._standing.values() for key, finding in found.items()}

    async def _payments(self) -> list[Finding]:
        """Judge the payments of new events, some old ones, and those in which something was wrong before."""
        reached = await self._db.read(audit_rows.progress)
        news = await self._db.read(lambda tx: audit_rows.news(tx, reached.event_seq, EVENTS_AT_ONCE))
        round_ids, rowid = await self._db.read(lambda tx: audit_rows.next_on_round(tx, reached.payment_rowid, ROUND_AT_ONCE))
        wrong = {finding.payment_id for finding in self._standing.get("payments", {}).values() if finding.payment_id}
        found = await self._examiner.payments(news.payment_ids | set(round_ids) | wrong)
        if news.missing:
            self._gaps.append(missing_events(news.missing, news.last_seq))
        now_at = Progress(news.last_seq, rowid)
        if now_at != reached:
            await self._db.write(lambda tx: audit_rows.note_progress(tx, now_at))
        return found + self._gaps

    async def _account(self, credential_id: int, account: Account) -> list[Finding]:
        now_s = self._clock.wall_s()
        since_s = max(self._wrong_since_s.get(credential_id, now_s - BACK_S), now_s - BACK_MAX_S)
        found = await self._examiner.account(credential_id, account, since_s)
        self._wrong_since_s.pop(credential_id, None)
        if found:
            self._wrong_since_s[credential_id] = since_s
        return found

    async def _ask(self, what: str, question: Callable[[], Awaitable[list[Finding]]]) -> None:
        try:
            self._note(what, await question())
        except GatewayError as fault:
            log.warning("the audit could not check %s: %s", what, fault, extra={"action": "audit_unchecked"})

    def _note(self, what: str, found: Iterable[Finding]) -> None:
        self._standing[what] = {finding.key: finding for finding in found}

    def _tell(self, before: Mapping[tuple[str, ...], Finding]) -> None:
        """Log what has appeared and what has gone; show how many places are broken."""
        now = self.findings()
        for key in now.keys() - before.keys():
            level, action = _ALARMS[now[key].severity]
            log.log(level, "%s: %s", now[key].invariant.value, now[key].what, extra=_ids(now[key], action))
        for key in before.keys() - now.keys():
            log.warning("holds again: %s", before[key].invariant.value, extra=_ids(before[key], "invariant_holds_again"))
        broken = dict.fromkeys((invariant.value for invariant in Invariant), 0)
        for finding in now.values():
            broken[finding.invariant.value] += finding.severity is Severity.BROKEN
        self._board.show_audit(broken, self._clock.wall_s())


_ALARMS = {Severity.BROKEN: (logging.ERROR, "invariant_broken"), Severity.LOOK: (logging.WARNING, "look_at_it")}


def _view(seen: Snapshot) -> RouterView:
    rows = [row for row in seen.rows if row.mac is not None]
    return RouterView(
        passes=[Pass(row.grant_id, str(row.mac), (row.until_epoch_s or 0) - ACTIVATION_ALLOWANCE_S) for row in rows],
        strays=frozenset(map(str, seen.strays)),
        in_sight=frozenset(map(str, seen.hosts)),
        online=frozenset(str(row.mac) for row in rows if row.online),
    )


def _ids(finding: Finding, action: str) -> dict[str, str | None]:
    return {"action": action, "payment": finding.payment_id, "grant": finding.grant_id}
