"""Adoption: a payment that only the provider still knows is recorded again.

Owns whose an invoice is, and what it was for: its reference names the payment, or the link through which it was paid leads back to
it. What came of it is not decided here: that takes the ordinary path. What is paid, ours, and says too little to be recorded is
told, once, with everything that an operator needs to look it up.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.catalogue import Site
from gateway.clock import Clock
from gateway.errors import KeysRejected, ProviderRefused
from gateway.identity import Money, PhoneNumber
from gateway.packages import Package
from gateway.payments import INTASEND, Payment, PaymentKind
from gateway.providers.base import InvoiceReport, LinkProvider, LinkReport, Reported
from gateway.recovery import Choice, package_for
from gateway.references import grant_id_of, is_of, payment_id_at_end_of, payment_id_in, reference_of
from gateway.settlement import Settlement
from gateway.store import books as book_rows
from gateway.store.database import Database

log = logging.getLogger(__name__)

_REMEMBERED = 1_000  # links of others, and what was told: past that both are forgotten, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Origin:
    """Which payment of a gateway's an invoice pays."""

    payment_id: str
    link: LinkReport | None = None
    """The link through which it was paid, if it is one."""


@dataclass(frozen=True, slots=True)
class Seller:
    """Whose list of invoices is read, and by which keys."""

    owner_id: int
    credential_id: int
    links: LinkProvider


@dataclass(frozen=True, slots=True)
class Bought:
    """What an invoice says of the sale."""

    payer: PhoneNumber
    amount: Money
    choice: Choice


class Origins:
    """Knows whose each invoice is; about a link that is not ours the provider is asked once."""

    def __init__(self) -> None:
        self._strangers: set[str] = set()

    async def of(self, report: InvoiceReport, links: LinkProvider) -> Origin | None:
        """The origin of an invoice; None for what no gateway has asked for.

        Raises ProviderUnreachable and ProviderRefused when the link through which it was paid cannot be read.
        """
        payment_id = payment_id_in(report.api_ref)
        if payment_id is not None:
            return Origin(payment_id)
        if report.api_ref is None or report.api_ref in self._strangers or report.reported is not Reported.PAID:
            return None
        link = await links.behind(report.api_ref)
        payment_id = payment_id_at_end_of(link.return_url) if link else None
        if payment_id is None:
            _remember(self._strangers, report.api_ref)
            return None
        return Origin(payment_id, link)


def is_about_the_question(refusal: ProviderRefused) -> bool:
    """Whether the provider has refused this question, and not us, or everything for now."""
    return not isinstance(refusal, KeysRejected) and refusal.retry_after_s is None


def described(report: InvoiceReport) -> str:
    """An invoice, for whoever has to look it up: its id, the sum, and the payer's number as far as logs may show it."""
    sum_of_money = f"{report.value:.2f} {report.currency}" if report.value is not None else "an unknown amount"
    return f"IntaSend invoice {report.invoice_id}, {sum_of_money} by {report.payer or 'somebody without a Kenyan number'}"


class Adoption:
    """Records payments again; `adopt` returns those that the database then knows."""

    def __init__(self, site: Site, db: Database, clock: Clock, settlement: Settlement) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._settlement = settlement
        self._origins = Origins()
        self._told: set[str] = set()
        """Invoices of which it was said that nobody knows whose they are."""

    async def adopt(self, report: InvoiceReport, seller: Seller, router_of: Mapping[str, int]) -> Payment | None:
        """The payment of an invoice that the database does not know by its reference.

        None when it is not the seller's, has failed, or says too little: then it is told where money is in it. `router_of` says on
        which router a grant is. Raises ProviderUnreachable and ProviderRefused when a link cannot be read now.
        """
        origin = None if report.reported is Reported.FAILED else await self._origin_of(report, seller.links)
        if origin is None:
            return None
        router_id = router_of.get(grant_id_of(origin.payment_id))
        if not self._may_be_of(seller, origin, router_id):
            return None
        known = await self._db.read(lambda tx: book_rows.known(tx, origin.payment_id))
        if known is None:
            return await self._record(report, seller, origin, router_id)
        return await self._linked(known, origin) if known.owner_id == seller.owner_id else None

    async def _origin_of(self, report: InvoiceReport, links: LinkProvider) -> Origin | None:
        try:
            return await self._origins.of(report, links)
        except ProviderRefused as refusal:
            if not is_about_the_question(refusal):
                raise
            self._tell(report, f"whose link it was paid through cannot be read: {refusal}")
            return None

    def _tell(self, report: InvoiceReport, why: str, payment_id: str | None = None) -> None:
        """Say that somebody has paid and cannot be found, once per invoice."""
        if report.invoice_id not in self._told:
            _remember(self._told, report.invoice_id)
            what = "paid and not served: %s; %s. Look it up at IntaSend: give the time, or the money back"
            log.error(what, described(report), why, extra={"action": "paid_not_recorded", "payment": payment_id})

    def _may_be_of(self, seller: Seller, origin: Origin, router_id: int | None) -> bool:
        """Whether it is not another gateway's, nor another owner's of this one: several may sell with the same keys."""
        if router_id is None:
            return is_of(origin.payment_id, self._site.tag)
        router = self._site.catalogue.routers.get(router_id)
        return router is not None and router.owner_id == seller.owner_id

    async def _linked(self, known: Payment, origin: Origin) -> Payment:
        """A payment that is known by its id: here by another invoice of the same link, or its link's answer was lost."""
        if origin.link is None or known.link_id is not None:
            return known
        return await self._settlement.apply_link_report(known.id, origin.link)

    async def _record(self, report: InvoiceReport, seller: Seller, origin: Origin, router_id: int | None) -> Payment | None:
        bought = self._bought(report, packages_of(self._site, seller.owner_id, router_id))
        if bought is None:
            if report.reported is Reported.PAID:
                self._tell(report, "it says too little to be recorded again", origin.payment_id)
            return None
        draft, choice, now_s = self._draft(report, seller, origin, bought), bought.choice, self._clock.wall_s()
        payment = await self._db.write(lambda tx: book_rows.adopt(tx, draft, report, now_s, is_certain=choice.is_certain))
        log.warning("recorded again from IntaSend's list: invoice %s", report.invoice_id, extra=_ids(payment, "adopted"))
        if not choice.is_certain:
            guess = "its package is a guess, %s for %s KES: look at it"
            log.error(guess, choice.package.name, payment.amount, extra=_ids(payment, "adopted_by_guess"))
        return payment

    def _bought(self, report: InvoiceReport, packages: list[Package]) -> Bought | None:
        amount = amount_of(report)
        choice = None if amount is None else package_for(amount, packages)
        return None if amount is None or choice is None or report.payer is None else Bought(report.payer, amount, choice)

    def _draft(self, report: InvoiceReport, seller: Seller, origin: Origin, bought: Bought) -> Payment:
        choice = bought.choice
        at_s = self._clock.wall_s() if report.created_at_s is None else report.created_at_s
        draft = Payment(
            id=origin.payment_id,
            owner_id=seller.owner_id,
            credential_id=seller.credential_id,
            router_id=choice.package.router_id,
            package_id=choice.package.id,
            phone=bought.payer,
            amount=bought.amount,
            duration=choice.package.duration,
            method="mpesa",
            provider=INTASEND,
            api_ref=reference_of(origin.payment_id),
            mac=None,
            ip=None,
            created_at_s=at_s,
            updated_at_s=at_s,
        )
        link = origin.link
        if link is None:
            return draft
        return replace(draft, kind=PaymentKind.LINK, api_ref=link.api_ref, link_id=link.link_id, link_url=link.url, link_open=True)


def packages_of(site: Site, owner_id: int, router_id: int | None = None) -> list[Package]:
    """What the owner sells, on one router or on all."""
    routers = [router for router in site.catalogue.routers.values() if router.owner_id == owner_id]
    return [package for router in routers if router_id in {None, router.id} for package in router.packages.values()]


def amount_of(report: InvoiceReport) -> Money | None:
    """What was paid; None for what is no sum of Kenyan shillings."""
    if report.value is None or report.currency != Money(0).currency:
        return None
    try:
        return Money.parse(report.value)
    except ValueError:
        return None


def _remember(memory: set[str], what: str) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory.add(what)


def _ids(payment: Payment, action: str) -> dict[str, str]:
    return {"action": action, "payment": payment.id}
