"""Refunds: money that is owed back is noticed, told, and on the operator's word asked back from the provider. Once.

Owns the life of a debt (`gateway.debts`). Nothing is refunded by itself: a router that is down for two hours may be back in the
third, and whoever paid wants WiFi. What was asked for is never asked for again: an unknown outcome is looked up in the provider's
list, and nobody gets both the money and the time.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Container
from typing import Any

from gateway.access import Grant
from gateway.catalogue import Owner, Site
from gateway.clock import Clock
from gateway.debts import Debt, DebtEvent, DebtState, Why, why_owed
from gateway.errors import Conflict, ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.gate import Gate
from gateway.identity import Money
from gateway.payments import Payment
from gateway.providers.base import Provider, Refunding, RefundOrder, RefundProvider, RefundReport, Reported
from gateway.references import grant_id_of
from gateway.scheduler import Scheduler
from gateway.store import access as grant_rows
from gateway.store import payments as payment_rows
from gateway.store import refunds as rows
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""How often it is looked whether somebody is owed something: an operator is to know within two minutes."""

_EVENTS = {
    Refunding.WAITING: DebtEvent.ACCEPTED,
    Refunding.UNRECOGNISED: DebtEvent.ACCEPTED,
    Refunding.RETURNED: DebtEvent.RETURNED,
    Refunding.DECLINED: DebtEvent.DECLINED,
}

_DETAILS = {
    Why.UNDELIVERED: "Paid for WiFi access that could not be delivered",
    Why.REVOKED: "Paid for WiFi access that was withdrawn before it was used",
    Why.DISPUTED: "Paid an amount that was not asked for; nothing was delivered",
    Why.SURPLUS: "Paid a payment link a second time",
}
"""What IntaSend's people read."""


class Dues:
    """The job that notices what is owed back, `due_after_s` seconds after it was paid, and what was served after all."""

    name = "refunds"

    def __init__(self, db: Database, clock: Clock, due_after_s: int) -> None:
        self._db = db
        self._clock = clock
        self._due_after_s = due_after_s

    async def run_once(self) -> float:
        """Note new debts and lift those that are served; where there are none, nothing is written."""
        now_s = self._clock.wall_s()
        if not await self._db.read(lambda tx: self._is_news(tx, now_s)):
            return LOOK_S
        new, lifted = await self._db.write(lambda tx: self._note(tx, now_s))
        for debt in new:
            _announce(debt)
        for debt in lifted:
            log.warning("not due any more, the customer is online after all", extra=_ids(debt, "refund_lifted"))
        return LOOK_S

    def _is_news(self, tx: Transaction, now_s: float) -> bool:
        return bool(rows.undeclared(tx, now_s - self._due_after_s) or rows.undeclared_surplus(tx) or rows.served(tx))

    def _note(self, tx: Transaction, now_s: float) -> tuple[list[Debt], list[Debt]]:
        lifted = [rows.change(tx, debt, DebtEvent.SERVED, now_s) for debt in rows.served(tx)]
        new = [owe(tx, payment_id, now_s) for payment_id in rows.undeclared(tx, now_s - self._due_after_s)]
        new += [owe(tx, payment_id, now_s, invoice_id) for payment_id, invoice_id in rows.undeclared_surplus(tx)]
        return [debt for debt in new if debt is not None], lifted


class Refunds:
    """Asks money back. One request after the other: there are few, and two at once could be two for the same money."""

    def __init__(self, site: Site, db: Database, clock: Clock, scheduler: Scheduler, gate: Callable[[int], Gate]) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._scheduler = scheduler
        self._gate = gate
        self._turn = asyncio.Lock()

    async def request(self, owner: Owner, payment_id: str) -> list[Debt]:
        """Have everything given back that is owed for a payment; how it stands then. Asked again, it says what the first did.

        What nobody has used yet is taken back first. Raises NotFound, Conflict when nothing is owed, and what the provider raises
        when it took no request.
        """
        payment = await self._db.read(lambda tx: payment_rows.owned(tx, payment_id, owner.id))
        # Whoever asked may go away: what has begun comes to its end.
        return await asyncio.shield(self._scheduler.in_hand(self._request(payment)))

    async def recall(self, report: RefundReport, in_use: Container[str]) -> None:
        """Take note of a request that the provider has and an older database may not know; what nobody has used is taken back.

        `in_use` are the grants that a router shows: their money was given back out of courtesy.
        """
        payment = await self._db.read(lambda tx: rows.paid_by(tx, report.invoice_id))
        if payment is None or (payment.invoice_id == report.invoice_id and grant_id_of(payment.id) in in_use):
            return
        async with self._turn:
            debt = await self._db.write(lambda tx: _due_for(tx, payment, report.invoice_id, self._clock.wall_s()))
            if debt is None:
                return
            try:
                await self._recognise(payment, debt, report)
            except Conflict:
                log.warning(
                    "invoice %s was asked back and its time has begun", report.invoice_id, extra=_ids(debt, "refund_served")
                )

    async def of_payment(self, payment_id: str) -> list[Debt]:
        """What is, or was, owed back for a payment."""
        return await self._db.read(lambda tx: rows.of_payment(tx, payment_id))

    async def _request(self, payment: Payment) -> list[Debt]:
        async with self._turn:
            debts = await self._db.write(lambda tx: self._owed(tx, payment.id))
            return [await self._bring_on(payment, debt) for debt in debts]

    def _owed(self, tx: Transaction, payment_id: str) -> list[Debt]:
        """Everything that is owed for a payment, noted now where it was not. Raises Conflict where it is nothing."""
        owe(tx, payment_id, self._clock.wall_s())
        debts = [debt for debt in rows.of_payment(tx, payment_id) if debt.state is not DebtState.LIFTED]
        if not debts:
            raise Conflict(_nothing(payment_rows.get(tx, payment_id), grant_rows.of_payment(tx, payment_id)))
        return debts

    async def _bring_on(self, payment: Payment, debt: Debt) -> Debt:
        """One step further: asked back if nobody has, looked up if nobody knows, read again if the provider decides."""
        if debt.state is DebtState.REQUESTING:  # of a daemon that died in the middle: here one request follows the other
            debt = await self._change(debt, DebtEvent.NO_ANSWER)
        if debt.state is DebtState.DUE:
            return await self._ask_back(payment, debt)
        try:
            return await self._look_up(payment, debt)
        except (ProviderRefused, ProviderUnreachable) as fault:
            log.warning("how the refund stands cannot be read now: %s", fault, extra=_ids(debt, "refund_unread"))
            return debt

    async def _ask_back(self, payment: Payment, debt: Debt) -> Debt:
        provider = self._site.provider_of(payment)
        invoice_id = debt.invoice_id or payment.invoice_id
        if invoice_id is None:
            raise Conflict("IntaSend's invoice of this payment is not known: give the money back in IntaSend's dashboard")
        earlier = await _listed(provider.refunds, invoice_id)
        if earlier is not None:
            return await self._recognise(payment, debt, earlier)
        amount = await _paid(provider, invoice_id)
        await self._take_back(payment, debt)
        asking = await self._asking(debt, invoice_id=invoice_id, amount=amount)
        try:
            report = await provider.refunds.request(RefundOrder(invoice_id, amount, _DETAILS[debt.why]))
        except PushOutcomeUnknown as fault:
            log.error("%s: run the command again to look it up", fault, extra=_ids(debt, "refund_unknown"))  # noqa: TRY400
            return await self._change(asking, DebtEvent.NO_ANSWER)
        except (ProviderRefused, ProviderUnreachable) as fault:
            await self._change(asking, DebtEvent.REJECTED, requested_at_s=None, refusal=fault.message)
            raise
        log.info("asked back: %s KES of invoice %s", amount, invoice_id, extra=_ids(debt, "refund_requested"))
        return await self._learn(asking, report)

    async def _recognise(self, payment: Payment, debt: Debt, earlier: RefundReport) -> Debt:
        """The provider has a request already, from its dashboard or of before a damaged card: it counts as ours."""
        await self._take_back(payment, debt)
        asking = await self._asking(debt, invoice_id=earlier.invoice_id)
        log.warning("invoice %s was asked back before", earlier.invoice_id, extra=_ids(debt, "refund_recognised"))
        return await self._learn(asking, earlier)

    async def _asking(self, debt: Debt, **facts: Any) -> Debt:
        return await self._change(debt, DebtEvent.REQUEST, requested_at_s=self._clock.wall_s(), refusal=None, **facts)

    async def _take_back(self, payment: Payment, debt: Debt) -> None:
        """What was never used is not to be let through while its money is on its way back. Raises Conflict where it just was."""
        grant = await self._db.read(lambda tx: grant_rows.of_payment(tx, payment.id))
        if debt.why is Why.UNDELIVERED and grant is not None:
            await self._gate(grant.router_id).revoke(grant, unless_served=True)

    async def _look_up(self, payment: Payment, debt: Debt) -> Debt:
        """How a request stands at the provider; one that is over is not asked about."""
        refunds, invoice_id = self._site.provider_of(payment).refunds, debt.invoice_id or ""
        if debt.state is DebtState.UNKNOWN:
            found = await _listed(refunds, invoice_id)
            return debt if found is None else await self._learn(debt, found)
        if debt.state is DebtState.REQUESTED and debt.refund_id is not None:
            return await self._learn(debt, await refunds.report(debt.refund_id, invoice_id))
        return debt

    async def _learn(self, debt: Debt, report: RefundReport) -> Debt:
        if report.refunding is Refunding.UNRECOGNISED:
            log.error("IntaSend says %r of a refund: unknown word", report.word, extra=_ids(debt, "unknown_state"))
        known = {"refund_id": report.refund_id, "provider_state": report.word}
        if debt.state is not DebtState.REQUESTED:
            debt = await self._change(debt, DebtEvent.ACCEPTED, **known)
        return await self._change(debt, _EVENTS[report.refunding], **known)

    async def _change(self, debt: Debt, event: DebtEvent, **facts: Any) -> Debt:
        return await self._db.write(lambda tx: rows.change(tx, debt, event, self._clock.wall_s(), **facts))


async def _listed(refunds: RefundProvider, invoice_id: str) -> RefundReport | None:
    """The request for that invoice which the provider has, whoever made it."""
    return next((report for report in await refunds.listed() if report.invoice_id == invoice_id), None)


async def _paid(provider: Provider, invoice_id: str) -> Money:
    """How much came by that invoice. Raises Conflict when the provider does not say that it did."""
    paid = await provider.report(invoice_id)
    if paid.reported is not Reported.PAID or paid.value is None:
        raise Conflict(f"IntaSend does not say that invoice {invoice_id} is paid: it says {paid.word}")
    return Money.parse(paid.value)


def owe(tx: Transaction, payment_id: str, now_s: float, surplus_invoice_id: str | None = None) -> Debt | None:
    """Note that money is owed back: a payment's own, or that of an invoice that paid it once more.

    None when it is not, or was noted before.
    """
    payment = payment_rows.get(tx, payment_id)
    known = rows.of_payment(tx, payment_id)
    if surplus_invoice_id is not None:
        why: Why | None = Why.SURPLUS
        is_noted = any(debt.invoice_id == surplus_invoice_id for debt in known)
    else:
        why = why_owed(payment, grant_rows.of_payment(tx, payment_id))
        is_noted = any(debt.why is not Why.SURPLUS for debt in known)
    if why is None or is_noted:
        return None
    invoice_id = surplus_invoice_id or payment.invoice_id
    debt = Debt(str(uuid.uuid4()), payment_id, payment.owner_id, invoice_id, why, due_since_s=now_s, updated_at_s=now_s)
    return rows.insert(tx, debt)


def _due_for(tx: Transaction, payment: Payment, invoice_id: str, now_s: float) -> Debt | None:
    """What is owed for that invoice and was not asked back, noted now where it was not; None when it is nothing."""
    owe(tx, payment.id, now_s, surplus_invoice_id=None if invoice_id == payment.invoice_id else invoice_id)
    debts = (debt for debt in rows.of_payment(tx, payment.id) if debt.state is DebtState.DUE)
    return next((debt for debt in debts if (debt.invoice_id or payment.invoice_id) == invoice_id), None)


def _nothing(payment: Payment, grant: Grant | None) -> str:
    if payment.paid_at_s is None:
        return "Nothing is owed back: this payment was not paid"
    if grant is not None and grant.was_served:
        return "Nothing is owed back: the time of this payment has begun. Out of courtesy give it back in IntaSend's dashboard"
    return "Nothing is owed back for this payment"


def _announce(debt: Debt) -> None:
    """Once, and loudly: it is the operator's turn. A link that was paid twice was told when it was seen."""
    if debt.why is not Why.SURPLUS:
        log.error("refund due (%s): hotspot-gateway refund %s", debt.why.value, debt.payment_id, extra=_ids(debt, "refund_due"))


def _ids(debt: Debt, action: str) -> dict[str, str]:
    return {"action": action, "payment": debt.payment_id}
