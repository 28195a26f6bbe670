"""Selling: from the customer's tap to a prompt on the phone.

State is written before each effect and confirmed after it. A push is sent by one line, once per payment, and never repeated: when
its answer is lost, the payment is looked up at the provider by `gateway.settlement`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any

from gateway.access import GrantState, is_let_through
from gateway.catalogue import IN_ORDER_S, Owner, Router, Site, package_on_sale
from gateway.clock import Clock
from gateway.errors import (
    Conflict,
    GatewayError,
    Invalid,
    NotStored,
    ProviderRefused,
    ProviderUnreachable,
    PushOutcomeUnknown,
    RouterFull,
    TooMany,
    Unavailable,
)
from gateway.identity import IpAddress, MacAddress, Money, PhoneNumber
from gateway.limits import Wanted, in_words, wait_before
from gateway.numbering import parse_phone
from gateway.packages import Package
from gateway.payments import INTASEND, PUSH_OPEN_S, Payment, PaymentEvent, PaymentKind, PaymentState
from gateway.providers.base import InvoiceReport, Provider, PushOrder
from gateway.references import new_payment_id, reference_of
from gateway.scheduler import Scheduler
from gateway.store import access as grant_rows
from gateway.store import idempotency as key_rows
from gateway.store import limits as limit_rows
from gateway.store import payments as payment_rows
from gateway.store.database import Database, Transaction, Work, not_stored
from gateway.store.idempotency import Claim
from gateway.visitors import no_answer

log = logging.getLogger(__name__)

_FULL_RETRY_S = 120  # what a customer is told to wait when the router is full: within minutes somebody leaves

NOT_IN_ORDER = "The gateway puts its books in order after a damaged card: try again in a minute. You have not been charged."

_UNCOUNTED_S = 15.0
"""Who was let in this short a time ago may be missing in the router's last count: a pulse every 5 s, and the time that it takes."""

_DISK_RETRY_S = 30  # a full disk needs a person, a stalled card half a minute


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """What a customer asks for, as it was read from the request."""

    router_id: int
    package_id: int
    phone: str
    amount: Money
    method: str
    mac: MacAddress | None
    ip: IpAddress | None
    asked_from: str | None = None
    """The address that asks, as limits count it."""
    claim: Claim | None = None
    """The idempotency key that it carries."""
    obstacle: Unavailable | None = None
    """Why it could not be found out for which device it is: nothing is sold then."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """A payment, and whether it is a second tap on one that was there already."""

    payment: Payment
    repeated: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    """A purchase of which nothing is wrong that can be known before money is asked for."""

    draft: Payment
    """Not recorded yet."""
    router: Router
    package: Package
    provider: Provider
    claim: Claim | None = None
    room: int | None = None
    """How many more devices the router could let through when it was last asked; None for no limit."""

    def at(self, now_s: float) -> "Admitted":
        """The same, recorded at that moment."""
        return replace(self, draft=replace(self.draft, created_at_s=now_s, updated_at_s=now_s))


class Sales:
    """The flows of buying, one public verb each."""

    def __init__(self, site: Site, db: Database, clock: Clock, scheduler: Scheduler) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._scheduler = scheduler
        self._pushes: dict[str, asyncio.Task[Payment]] = {}

    async def start_purchase(self, owner: Owner, request: PurchaseRequest) -> Purchase:
        """Record a payment and put one prompt on the customer's phone.

        A second tap (same package, same device, prompt still open) gives the same payment again. Raises what `admit` and `record`
        raise, Conflict, ProviderRefused and ProviderUnreachable; the error carries the id of the failed payment.
        """
        sale = await self.admit(owner, request, PaymentKind.PUSH)
        return await asyncio.shield(self._scheduler.in_hand(self._sell(sale)))

    async def _sell(self, sale: Admitted) -> Purchase:
        """Record and push, in one task that nobody cancels: a payment that is recorded without its push would hold the phone."""
        payment = await self.record(sale)
        if payment.id != sale.draft.id:
            return Purchase(await self._pushed(payment), repeated=True)
        log.info(
            "%s asks %s for %s KES: %s",
            sale.router.name,
            payment.phone,
            payment.amount,
            sale.package.name,
            extra=_ids(payment, "asked"),
        )
        self._pushes[payment.id] = self._scheduler.in_hand(self._push(sale.provider, payment, sale.package, sale.router))
        return Purchase(await self._pushed(payment), repeated=False)

    async def admit(self, owner: Owner, request: PurchaseRequest, kind: PaymentKind) -> Admitted:
        """Look at everything that can be wrong before money is asked for.

        Raises NotFound, Invalid and Unavailable; from the moment router, package and phone are known, the refusal is recorded as a
        failed payment, whose id the error carries (specification, decision 6).
        """
        router = self._site.catalogue.router(owner.id, request.router_id)
        package = package_on_sale(router, request.package_id)
        draft = replace(self._draft(owner, package, request, _phone(request.phone)), kind=kind)
        try:
            provider = self._admit(draft, router, package, request.obstacle)
            draft = replace(draft, credential_id=self._site.selling_with.get(owner.id))
        except GatewayError as refusal:
            raise await self._refused(draft, refusal, request.claim) from None
        return Admitted(draft, router, package, provider, request.claim, self._site.hotspot(router.id).room)

    async def record(self, sale: Admitted) -> Payment:
        """Record the payment as about to be sent out; for a second tap the payment that is there already.

        Raises Conflict for a phone with an open prompt; TooMany beyond the limits, and Unavailable when the router has no room:
        these refusals are recorded, too.
        """
        try:
            # Stamped in there: the clock may step while this waits for its turn.
            return await self._db.write(lambda tx: _claim(tx, sale.at(self._clock.wall_s())))
        except (TooMany, Unavailable) as refusal:
            raise await self._refused(sale.draft, refusal, sale.claim) from None

    def _draft(self, owner: Owner, package: Package, request: PurchaseRequest, phone: PhoneNumber) -> Payment:
        now_s, payment_id = self._clock.wall_s(), new_payment_id(self._site.tag)
        return Payment(
            id=payment_id,
            owner_id=owner.id,
            router_id=request.router_id,
            package_id=package.id,
            phone=phone,
            amount=request.amount,
            duration=package.duration,
            method=request.method,
            provider=INTASEND,
            api_ref=reference_of(payment_id),
            mac=request.mac,
            ip=request.ip,
            asked_from=request.asked_from,
            created_at_s=now_s,
            updated_at_s=now_s,
        )

    def closed_for(self, owner_id: int) -> GatewayError | None:
        """Why nothing of this owner's can be sold yet after a start; None when that is over."""
        if not self._site.begun:
            return not_stored()
        if owner_id in self._site.in_doubt:
            return Unavailable(NOT_IN_ORDER, retry_after_s=IN_ORDER_S)
        return None

    def _admit(self, draft: Payment, router: Router, package: Package, obstacle: Unavailable | None) -> Provider:
        """Everything that can be wrong before money is asked for."""
        if draft.method != "mpesa":
            raise Invalid(f'Payment method "{draft.method}" is not supported: use "mpesa"')
        if draft.amount != package.price:
            raise Invalid(f"Amount must match package price: {package.price} KES")
        if not package.price.is_whole:
            raise Invalid("M-Pesa takes whole shillings only: the price of this package has to be changed")
        provider = self._site.provider(draft.owner_id)
        if (closed := self.closed_for(draft.owner_id)) is not None:
            raise closed
        if obstacle is not None:
            raise obstacle
        if self._site.hotspot(router.id).reachable is False:
            raise no_answer()
        if not draft.is_link:
            provider.admit_push()
        return provider

    async def _refused(self, draft: Payment, refusal: GatewayError, claim: Claim | None) -> GatewayError:
        """The refusal, recorded as far as there is room: a script that is refused all night does not fill the card."""

        def work(tx: Transaction) -> bool:
            if not limit_rows.may_record(tx, draft, for_its_phone=isinstance(refusal, TooMany)):
                return False
            _insert(tx, draft, claim)
            payment_rows.change(tx, draft, PaymentEvent.REFUSE, draft.created_at_s, failed_reason=refusal.message)
            return True

        if await self._db.write(work):
            log.info("refused: %s", refusal.message, extra=_ids(draft, "refused"))
            refusal.payment_id = draft.id
        return refusal

    async def _pushed(self, payment: Payment) -> Payment:
        """The payment once its push was answered; the push goes on when the customer does not wait."""
        push = self._pushes.get(payment.id)
        return payment if push is None else await asyncio.shield(push)

    async def _push(self, provider: Provider, payment: Payment, package: Package, router: Router) -> Payment:
        order = PushOrder(payment.phone, payment.amount, payment.api_ref, f"WiFi {package.name}, {router.name}")
        try:
            report = await provider.push(order)
        except PushOutcomeUnknown as lost:
            log.warning("the answer to the push was lost, looking it up: %s", lost, extra=_ids(payment, "push_lost"))
            return await _or_as_recorded(payment, self._note(payment, PaymentEvent.NO_ANSWER, lost.message))
        except (ProviderRefused, ProviderUnreachable) as refusal:
            log.warning("no prompt was sent: %s", refusal, extra=_ids(payment, "push_refused"))
            await self._note(payment, PaymentEvent.REJECTED, refusal.message, failed_reason=refusal.message)
            refusal.payment_id = payment.id
            raise
        else:
            log.info("prompt sent, IntaSend invoice %s", report.invoice_id, extra=_ids(payment, "pushed"))
            kept = self.keep(lambda tx: _accept(tx, payment.id, report, self._clock.wall_s()))
            return await _or_as_recorded(payment, kept)
        finally:
            del self._pushes[payment.id]
            self._scheduler.wake("settle")

    async def _note(self, payment: Payment, event: PaymentEvent, reason: str, **facts: Any) -> Payment:
        now_s = self._clock.wall_s()
        return await self.keep(lambda tx: payment_rows.meet(tx, payment.id, event, now_s, {"reason": reason}, **facts))

    async def keep(self, answer: Work[Payment]) -> Payment:
        """Write down what the provider answered. Nobody says it again: what the disk does not take now, it is offered later.

        Raises NotStored while the disk does not take it.
        """
        try:
            return await self._db.write(answer)
        except NotStored:
            self._scheduler.in_hand(self._keep_later(answer))
            raise

    async def _keep_later(self, answer: Work[Payment]) -> Payment:
        while True:
            await self._clock.sleep(_DISK_RETRY_S)
            with contextlib.suppress(NotStored):  # told in the log, each time
                return await self._db.write(answer)


async def _or_as_recorded(payment: Payment, kept: Awaitable[Payment]) -> Payment:
    """The payment with the answer to its push; where the disk does not take that now, as it was before.

    A prompt is or may be on the phone: whoever was told "not now" would believe that nothing was asked of him.
    """
    try:
        return await kept
    except NotStored:
        return payment


def _phone(text: str) -> PhoneNumber:
    try:
        return parse_phone(text)
    except ValueError as fault:
        raise Invalid(str(fault), fields={"phone_number": [str(fault)]}) from None


def _claim(tx: Transaction, sale: Admitted) -> Payment:
    """Record the payment as about to be pushed, unless its phone has a prompt open: one arbitrated write, never ask-then-insert."""
    draft = sale.draft
    held = None if draft.is_link else payment_rows.open_for_phone(tx, draft.phone, draft.created_at_s - PUSH_OPEN_S)
    if held is None:
        _demand_patience(tx, draft)
        _demand_room(tx, draft, sale.room)
        _insert(tx, draft, sale.claim)
        return payment_rows.change(tx, draft, PaymentEvent.PUSH, draft.created_at_s, pushed_at_s=draft.created_at_s)
    if (held.owner_id, held.package_id, held.mac or held.ip) == (draft.owner_id, draft.package_id, draft.mac or draft.ip):
        if sale.claim is not None:
            key_rows.claim(tx, sale.claim, held.id, draft.created_at_s)
        return held
    raise Conflict(
        "This phone already has an open M-Pesa prompt: answer it, or wait until it has gone.",
        payment_id=held.id if held.owner_id == draft.owner_id else None,
    )


def _demand_patience(tx: Transaction, draft: Payment) -> None:
    """Raise TooMany where a limit stands against one more payment now."""
    wanted = Wanted(draft.phone.e164, prompts=not draft.is_link, from_own_address=str(draft.ip) == draft.asked_from)
    wait = wait_before(draft.created_at_s, wanted, limit_rows.history(tx, draft))
    if wait is not None:
        wait_s = wait.seconds(draft.created_at_s)
        raise TooMany(f"{wait.reason}: try again in {in_words(wait_s)}. You have not been charged.", retry_after_s=wait_s)


def _demand_room(tx: Transaction, draft: Payment, room: int | None) -> None:
    """Raise Unavailable when the router will have no room for the device by the time that it has paid.

    One that is let through already needs none. Whoever was asked for money before, has paid, or was let in since the router was
    last asked, takes his place first.
    """
    is_online = draft.mac is not None and is_let_through(grant_rows.queue(tx, draft.router_id, draft.mac))
    if room is None or draft.is_link or is_online:
        return
    now_s = draft.created_at_s
    opened = grant_rows.on_router(tx, draft.router_id, GrantState.OWED, GrantState.ACTIVE)
    ahead = {grant.mac or grant.ip for grant in opened if (grant.starts_at_s or now_s) > now_s - _UNCOUNTED_S}
    ahead |= {payment.mac or payment.ip for payment in payment_rows.open_on_router(tx, draft.router_id, now_s - PUSH_OPEN_S)}
    if room <= len(ahead - {draft.mac or draft.ip}):
        raise RouterFull(
            "The WiFi is full at the moment: as many devices are online as the router may serve. "
            "You have not been charged: try again in a few minutes.",
            retry_after_s=_FULL_RETRY_S,
        )


def _insert(tx: Transaction, draft: Payment, claim: Claim | None) -> None:
    payment_rows.insert(tx, draft)
    if claim is not None:
        key_rows.claim(tx, claim, draft.id, draft.created_at_s)


def _accept(tx: Transaction, payment_id: str, report: InvoiceReport, now_s: float) -> Payment:
    payment = payment_rows.get(tx, payment_id)
    if payment_rows.invoice_is_taken(tx, report.invoice_id, payment):
        reason = f"IntaSend answered with invoice {report.invoice_id}, which pays another payment"
        return payment_rows.change(tx, payment, PaymentEvent.NO_ANSWER, now_s, {"reason": reason})
    facts = {"invoice_id": report.invoice_id, "provider_payment_id": report.payment_id}
    if payment.state is PaymentState.PUSHING:
        facts["provider_state"] = report.word
    return payment_rows.change(tx, payment, PaymentEvent.ACCEPTED, now_s, {"report": report.raw}, **facts)


def _ids(payment: Payment, action: str) -> dict[str, str]:
    return {"action": action, "payment": payment.id}
