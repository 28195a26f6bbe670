"""Settling: what the provider says about a payment, and what follows from it.

Webhook, button and poller all end in `settle`, which reads the state at the provider and applies it with `apply_provider_report`.
A webhook is a hint and nothing more: money counts when the provider, asked by us, says so. The payment and the grant that it owes
change in one transaction.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gateway.access import Grant, owes_grant
from gateway.catalogue import Owner, Site
from gateway.clock import Clock
from gateway.debts import Debt
from gateway.errors import Denied, GatewayError, Invalid, NotFound, ProviderRefused, ProviderUnreachable
from gateway.payments import INTASEND, Payment, PaymentEvent, PaymentState, advance
from gateway.providers.base import InvoiceReport, LinkProvider, LinkReport, Reported, WebhookHint
from gateway.references import grant_id_of
from gateway.scheduler import Scheduler
from gateway.store import access as grant_rows
from gateway.store import events
from gateway.store import links as link_rows
from gateway.store import payments as payment_rows
from gateway.store import refunds as debt_rows
from gateway.store.database import Database, Transaction, Work
from gateway.troubles import Troubles

T = TypeVar("T")

log = logging.getLogger(__name__)

ASK_GAP_S = 2.0
"""The provider is asked about one payment at most this often, however many clients ask (specification, decision 12)."""

_REMEMBERED = 1_000  # questions whose time is kept

_EVENTS = {
    Reported.WAITING: PaymentEvent.WAITING,
    Reported.FAILED: PaymentEvent.FAIL,
    Reported.UNRECOGNISED: PaymentEvent.UNRECOGNISED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A payment and what it bought so far."""

    payment: Payment
    grant: Grant | None
    debts: tuple[Debt, ...] = ()
    """What is, or was, owed back for it, oldest first."""


class Settlement:
    """The flows of a payment after its push, one public verb each."""

    def __init__(self, site: Site, db: Database, clock: Clock, scheduler: Scheduler) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._scheduler = scheduler
        self._asked_at_s: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[Payment]] = {}
        self._troubles = Troubles(clock)

    async def check_status(self, owner: Owner, payment_id: str) -> Standing:
        """The payment as it stands now; the provider is asked first while it is undecided.

        When the provider cannot be asked, what is known is answered: the poller goes on asking. Raises NotFound and Invalid, and
        Unavailable for what a damaged card may have forgotten.
        """
        payment = await self._known(lambda tx: payment_rows.owned(tx, payment_id, owner.id))
        if payment.provider != INTASEND:
            raise Invalid("This payment was not initiated through IntaSend")
        return await self.look_up(payment.id)

    async def look_up(self, payment_id: str) -> Standing:
        """`check_status` for whoever knows the payment's id, which cannot be guessed. Raises NotFound and Unavailable likewise."""
        payment = await self._known(lambda tx: payment_rows.get(tx, payment_id))
        if payment.is_undecided:
            try:
                await self.settle(payment_id)
            except (NotFound, ProviderRefused, ProviderUnreachable) as fault:
                self.tell_unasked(payment, fault, "check_failed")
        return await self.standing(payment_id)

    async def standing(self, payment_id: str) -> Standing:
        """The payment as we know it, at once: a page that is looked at every few seconds leaves the asking to the poller.

        Raises NotFound, and Unavailable likewise.
        """
        return await self._known(lambda tx: _standing(tx, payment_id))

    async def _known(self, work: Work[T]) -> T:
        try:
            return await self._db.read(work)
        except NotFound as fault:
            raise self._site.unknown(fault) from None

    async def take_webhook(self, body: bytes) -> None:
        """Store what a webhook hints at and go and see. Raises Denied when its challenge is nobody's."""
        for owner_id, provider in self._site.webhook_readers():
            hint = provider.read_webhook(body)
            if hint is not None:
                payment = await self._db.write(lambda tx: _note_hint(tx, owner_id, hint, self._clock.wall_s()))  # noqa: B023
                if payment is not None and _is_news(payment, hint):
                    self._scheduler.in_hand(self._follow(payment.id, hint.invoice_id))
                return
        raise Denied("The webhook's challenge is not the one that is configured")

    async def settle(self, payment_id: str, hinted_invoice_id: str | None = None) -> Payment:
        """Read the state of the payment at the provider and apply it; whoever asks meanwhile shares the answer.

        Within two seconds of the last question what is known is returned. Raises ProviderUnreachable and ProviderRefused, which
        say nothing about the money, and NotFound without keys.
        """
        asking = self._asking.get(payment_id)
        if asking is None:
            if self.seconds_to_wait(payment_id) > 0:
                return await self._db.read(lambda tx: payment_rows.get(tx, payment_id))
            self._asked_at_s[payment_id] = self._clock.monotonic_s()
            asking = self._scheduler.in_hand(self._asked(payment_id, hinted_invoice_id))
            self._asking[payment_id] = asking
            asking.add_done_callback(lambda _: self._asking.pop(payment_id))
        return await asyncio.shield(asking)

    def seconds_to_wait(self, payment_id: str) -> float:
        """How long until the provider may be asked about this payment again."""
        now_s = self._clock.monotonic_s()
        if len(self._asked_at_s) > _REMEMBERED:
            self._asked_at_s = {key: at_s for key, at_s in self._asked_at_s.items() if now_s - at_s < ASK_GAP_S}
        return max(0.0, self._asked_at_s.get(payment_id, now_s - ASK_GAP_S) + ASK_GAP_S - now_s)

    async def _follow(self, payment_id: str, invoice_id: str | None) -> None:
        """A hint is never lost to the two-second rule: it waits for its turn. What it could not read the poller reads soon."""
        await self._clock.sleep(self.seconds_to_wait(payment_id))
        try:
            await self.settle(payment_id, invoice_id)
        except GatewayError as fault:
            self.tell_unasked(await self._db.read(lambda tx: payment_rows.get(tx, payment_id)), fault, "hint_failed")
        self._scheduler.wake("settle")

    def read_again_at_s(self, payment_id: str) -> float:
        """When a payment that could not be read is to be asked about again, in monotonic seconds; infinity for any other."""
        may_be_asked_at_s = self._clock.monotonic_s() + self.seconds_to_wait(payment_id)
        return max(self._troubles.again_at_s(payment_id), may_be_asked_at_s)

    def tell_unasked(self, payment: Payment, fault: GatewayError, action: str) -> None:
        """Say that a payment could not be settled, unless it was said before."""
        self._troubles.tell(payment, fault, action)

    async def _asked(self, payment_id: str, hinted_invoice_id: str | None) -> Payment:
        try:
            payment = await self._ask(payment_id, hinted_invoice_id)
        except GatewayError as fault:
            self._troubles.note(payment_id, fault)
            raise
        self._troubles.over(payment)
        return payment

    async def _ask(self, payment_id: str, hinted_invoice_id: str | None) -> Payment:
        payment = await self._db.read(lambda tx: payment_rows.get(tx, payment_id))
        provider = self._site.provider_of(payment)
        if payment.is_link:
            return await self._ask_about_link(provider.links, payment)
        invoice_id = payment.invoice_id or hinted_invoice_id
        report = await (provider.find(payment.api_ref) if invoice_id is None else provider.report(invoice_id))
        if report is None or (payment.invoice_id is None and report.api_ref != payment.api_ref):
            return payment  # not in the provider's list yet, or the hint was about somebody else's invoice
        event = _event(payment, report)
        told = payment.invoice_id is not None and report.reported is not Reported.UNRECOGNISED
        if told and _is_known(payment, event, _facts(payment, event, report, self._clock.wall_s())):
            return payment  # the tenth "still pending": the writer is not asked, and nothing waits behind it
        return await self.apply_provider_report(payment_id, report)

    async def _ask_about_link(self, links: LinkProvider, payment: Payment) -> Payment:
        """Whoever pays through a link may fail and try again: only what was paid counts, and what nobody understands is told."""
        if payment.link_id is None:
            link = await links.find(payment.id)
            if link is None:
                return payment  # not in the provider's list yet; nobody has its address
            payment = await self.apply_link_report(payment.id, link)
        for report in await links.payments(payment.api_ref):
            if report.reported is Reported.PAID or (report.reported is Reported.UNRECOGNISED and payment.is_undecided):
                payment = await self.apply_found(payment, report)
        return payment

    async def apply_found(self, payment: Payment, report: InvoiceReport) -> Payment:
        """Apply an invoice that was found under the payment's reference: through a link, money can come more than once."""
        if not is_surplus(payment, report):
            return await self.apply_provider_report(payment.id, report)
        if await self._db.write(lambda tx: link_rows.keep_surplus(tx, payment, report, self._clock.wall_s())):
            log.error(
                "refund due: IntaSend invoice %s paid a link once more, %s %s",
                report.invoice_id,
                report.value,
                report.currency,
                extra=_ids(payment, "refund_due"),
            )
        return payment

    async def apply_link_report(self, payment_id: str, link: LinkReport) -> Payment:
        """The provider has the link of this payment: from now on it can be paid."""
        payment = await self._db.write(lambda tx: _accept_link(tx, payment_id, link, self._clock.wall_s()))
        log.info("link made: %s", link.url, extra=_ids(payment, "link_made"))
        self._scheduler.wake("links")
        return payment

    async def apply_provider_report(self, payment_id: str, report: InvoiceReport) -> Payment:
        """Let what the provider says happen to the payment; a paid one owes its grant in the same transaction."""
        before, after = await self._db.write(lambda tx: _apply(tx, payment_id, report, self._clock.wall_s()))
        if after.state is not before.state:
            _log_outcome(after, report)
        elif report.reported is Reported.UNRECOGNISED and self._troubles.is_new(("word", after.id, report.word)):
            log.error("IntaSend says %r: unknown word, nothing changed", report.word, extra=_ids(after, "unknown_state"))
        if after.state is PaymentState.PAID:
            self._scheduler.wake(f"open:{after.router_id}")
        if after.link_open:
            self._scheduler.wake("links")
        return after

    async def give_up(self, payment_id: str) -> Payment:
        """Stop waiting for a payment; a late success still counts."""
        payment = await self._db.write(lambda tx: _give_up(tx, payment_id, self._clock.wall_s()))
        if payment.link_open:
            self._scheduler.wake("links")
        return payment

    async def recover(self) -> None:
        """Before anything is sold after a start: whatever was being pushed when the daemon died has an unknown outcome."""
        for payment in await self._db.read(lambda tx: payment_rows.in_state(tx, PaymentState.PUSHING)):
            log.warning("the daemon stopped while pushing, looking it up", extra=_ids(payment, "push_lost"))
            await self._note(payment.id, PaymentEvent.NO_ANSWER)

    async def _note(self, payment_id: str, event: PaymentEvent, **facts: Any) -> Payment:
        return await self._db.write(lambda tx: payment_rows.meet(tx, payment_id, event, self._clock.wall_s(), **facts))


def _apply(tx: Transaction, payment_id: str, report: InvoiceReport, now_s: float) -> tuple[Payment, Payment]:
    payment = payment_rows.get(tx, payment_id)
    event = _event(payment, report)
    facts = _facts(payment, event, report, now_s)
    if "provider_state" in facts and not (payment.invoice_id or payment_rows.invoice_is_taken(tx, report.invoice_id, payment)):
        facts["invoice_id"] = report.invoice_id
    if _is_known(payment, event, facts):
        return payment, payment  # nothing is written, the card lives longer
    after = payment_rows.change(tx, payment, event, now_s, {"report": report.raw}, **facts)
    if owes_grant(after.state, granted=grant_rows.of_payment(tx, payment_id) is not None):
        code = link_rows.new_claim_code(tx) if after.is_link else None
        grant_rows.insert(tx, replace(_owed(after, now_s), claim_code=code))
    return payment, after


def _is_known(payment: Payment, event: PaymentEvent, facts: dict[str, Any]) -> bool:
    return advance(payment.state, event) is payment.state and all(getattr(payment, name) == value for name, value in facts.items())


def is_surplus(payment: Payment, report: InvoiceReport) -> bool:
    """Whether money came through a link that was paid before, by another invoice: to be refunded, never granted."""
    settled = payment.state in {PaymentState.PAID, PaymentState.DISPUTED}
    return payment.is_link and settled and report.reported is Reported.PAID and report.invoice_id != payment.invoice_id


def _accept_link(tx: Transaction, payment_id: str, link: LinkReport, now_s: float) -> Payment:
    facts = {"link_id": link.link_id, "link_url": link.url, "link_open": True, "api_ref": link.api_ref}
    return payment_rows.meet(tx, payment_id, PaymentEvent.ACCEPTED, now_s, {"report": link.raw}, **facts)


def _give_up(tx: Transaction, payment_id: str, now_s: float) -> Payment:
    payment = payment_rows.get(tx, payment_id)
    reason = "The link expired before it was paid" if payment.is_link else "No final answer from IntaSend in time"
    return payment_rows.change(tx, payment, PaymentEvent.GIVE_UP, now_s, failed_reason=reason)


def _event(payment: Payment, report: InvoiceReport) -> PaymentEvent:
    if report.reported is not Reported.PAID:
        return _EVENTS[report.reported]
    asked = payment.is_what_was_asked(report.value, report.currency, report.api_ref)
    return PaymentEvent.COMPLETE if asked else PaymentEvent.MISMATCH


def _facts(payment: Payment, event: PaymentEvent, report: InvoiceReport, now_s: float) -> dict[str, Any]:
    """What a report adds to the record; a payment that is decided, and stays so, learns its receipt and nothing else."""
    if advance(payment.state, event) is payment.state and not payment.is_undecided:
        return {"receipt": payment.receipt or report.receipt}
    if payment.is_link and event is PaymentEvent.UNRECOGNISED:
        return {}  # one attempt to pay of perhaps many
    facts: dict[str, Any] = {"provider_state": report.word, "receipt": payment.receipt or report.receipt}
    facts["provider_payment_id"] = payment.provider_payment_id or report.payment_id
    if event is PaymentEvent.COMPLETE:
        facts |= {"paid_at_s": now_s, "failed_code": None, "failed_reason": None, "provider_state": "COMPLETE"}
    elif event is PaymentEvent.FAIL:
        facts |= {"failed_code": report.failed_code, "failed_reason": report.failed_reason}
    elif event is PaymentEvent.MISMATCH:
        facts["failed_reason"] = (
            f"IntaSend reports {report.value} {report.currency} for {report.api_ref}; "
            f"{payment.amount} {payment.amount.currency} for {payment.api_ref} was asked"
        )
    return facts


def _owed(payment: Payment, now_s: float) -> Grant:
    return Grant(
        id=grant_id_of(payment.id),
        payment_id=payment.id,
        owner_id=payment.owner_id,
        router_id=payment.router_id,
        package_id=payment.package_id,
        mac=payment.mac,
        ip=payment.ip,
        duration=payment.duration,
        created_at_s=now_s,
        updated_at_s=now_s,
    )


def _note_hint(tx: Transaction, owner_id: int, hint: WebhookHint, now_s: float) -> Payment | None:
    payment = payment_rows.hinted(tx, owner_id, api_ref=hint.api_ref, invoice_id=hint.invoice_id)
    data = {"invoice_id": hint.invoice_id, "api_ref": hint.api_ref}
    events.append(tx, "webhook.received", now_s, owner_id=owner_id, payment_id=payment.id if payment else None, data=data)
    return payment


def _is_news(payment: Payment, hint: WebhookHint) -> bool:
    """Whether the provider is to be asked. What is paid is paid, but a link can be paid twice."""
    return payment.state is not PaymentState.PAID or (payment.is_link and hint.invoice_id != payment.invoice_id)


def _standing(tx: Transaction, payment_id: str) -> Standing:
    return standing_of(tx, payment_rows.get(tx, payment_id))


def standing_of(tx: Transaction, payment: Payment) -> Standing:
    """A payment, and what became of it."""
    return Standing(payment, grant_rows.of_payment(tx, payment.id), tuple(debt_rows.of_payment(tx, payment.id)))


def _log_outcome(payment: Payment, report: InvoiceReport) -> None:
    if payment.state is PaymentState.PAID:
        log.info("paid: %s KES, receipt %s", payment.amount, payment.receipt or "not yet known", extra=_ids(payment, "paid"))
    elif payment.state is PaymentState.DISPUTED:
        log.error("disputed, nothing granted: %s", payment.failed_reason, extra=_ids(payment, "disputed"))
    elif payment.state is PaymentState.FAILED:
        log.info("not paid: %s (%s)", payment.failed_reason, payment.failed_code, extra=_ids(payment, "failed"))
    else:
        log.info("found again at IntaSend as invoice %s", report.invoice_id, extra=_ids(payment, "found"))


def _ids(payment: Payment, action: str) -> dict[str, str]:
    return {"action": action, "payment": payment.id}
