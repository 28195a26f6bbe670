"""Payment links: a page at the provider that anybody may pay, once. Making one, and closing it when it is paid or over.

To a payment, making its link is its push: written before, confirmed after, never repeated. What differs is that no customer is
prompted, so that a link whose answer was lost harms nobody; it is looked up all the same, by `gateway.settlement`, which also sees
to it that what is paid through a link is granted.
"""

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from gateway.catalogue import Owner, Site
from gateway.clock import Clock
from gateway.errors import GatewayError, ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.payments import LINK_LIFE_S, Payment, PaymentEvent, PaymentKind
from gateway.providers.base import LinkOrder
from gateway.sales import Admitted, PurchaseRequest, Sales
from gateway.scheduler import Scheduler
from gateway.settlement import Settlement
from gateway.store import links as link_rows
from gateway.store import payments as payment_rows
from gateway.store.database import Database

log = logging.getLogger(__name__)

CLOSE_RETRY_S = 30.0
"""How soon a link that could not be closed is tried again: until it is closed, somebody may pay for what is sold already."""

CLOSE_RETRY_MAX_S = 3_600.0
"""The pause doubles up to this: what is refused for hours is not worth a question a minute."""

CLOSE_FOR_S = LINK_LIFE_S + 6 * 86_400
"""How old a link is when closing it is given up: a week covers every outage; after that the provider has plainly lost it."""


class Links:
    """The flows of payment links, one public verb each."""

    def __init__(
        self, site: Site, db: Database, clock: Clock, scheduler: Scheduler, *, sales: Sales, settlement: Settlement
    ) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._scheduler = scheduler
        self._sales = sales
        self._settlement = settlement

    async def start_link(self, owner: Owner, request: PurchaseRequest, return_base: str) -> Payment:
        """Record a payment and make the link through which anybody can pay it, once, within a day.

        The payer is sent back to `return_base` followed by the payment's id. Raises what `Sales.admit` and `Sales.record` raise,
        ProviderRefused, ProviderUnreachable, and PushOutcomeUnknown for a link whose answer was lost; the error carries the
        payment's id.
        """
        sale = await self._sales.admit(owner, request, PaymentKind.LINK)
        return await asyncio.shield(self._scheduler.in_hand(self._make(sale, return_base)))

    async def _make(self, sale: Admitted, return_base: str) -> Payment:
        """Record the payment and make its link, in one task that nobody cancels."""
        payment = await self._sales.record(sale)
        return_url = return_base + payment.id
        title = f"WiFi {sale.package.name}, {sale.router.name}"
        try:
            link = await sale.provider.links.create(LinkOrder(title, payment.amount, return_url))
        except PushOutcomeUnknown as lost:
            log.warning("the answer to the link was lost, looking it up: %s", lost, extra=_ids(payment, "link_lost"))
            return await self._found_again(payment, lost)
        except (ProviderRefused, ProviderUnreachable) as refusal:
            log.warning("no link was made: %s", refusal, extra=_ids(payment, "link_refused"))
            await self._note(payment, PaymentEvent.REJECTED, refusal.message, failed_reason=refusal.message)
            refusal.payment_id = payment.id
            raise
        else:
            return await self._settlement.apply_link_report(payment.id, link)
        finally:
            self._scheduler.wake("settle")

    async def _found_again(self, payment: Payment, lost: PushOutcomeUnknown) -> Payment:
        """The payment if the provider's list has its link already. Raises `lost`; the poller goes on looking, and closes it."""
        await self._note(payment, PaymentEvent.NO_ANSWER, lost.message)
        try:
            found = await self._settlement.settle(payment.id)
        except GatewayError as fault:
            log.warning("the link could not be looked up yet: %s", fault, extra=_ids(payment, "link_lost"))
        else:
            if found.link_url is not None:
                return found
        lost.payment_id = payment.id
        raise lost

    async def to_close(self) -> list[Payment]:
        """Every payment that is paid or over while its link is still open at the provider."""
        made_after_s = self._clock.wall_s() - CLOSE_FOR_S
        return await self._db.read(lambda tx: link_rows.to_close(tx, made_after_s))

    async def close(self, payment: Payment) -> None:
        """Let nobody pay through the link of this payment any more. Raises ProviderUnreachable, ProviderRefused and NotFound."""
        if payment.link_id is not None:
            await self._site.provider_of(payment).links.close(payment.link_id)
        await self._db.write(lambda tx: link_rows.closed(tx, payment.id, self._clock.wall_s()))
        log.info("link closed", extra=_ids(payment, "link_closed"))

    async def _note(self, payment: Payment, event: PaymentEvent, reason: str, **facts: Any) -> Payment:
        now_s = self._clock.wall_s()
        return await self._sales.keep(lambda tx: payment_rows.meet(tx, payment.id, event, now_s, {"reason": reason}, **facts))


class CloseLinks:
    """Closes links that are paid or over; woken when one is."""

    name = "links"

    def __init__(self, links: Links, clock: Clock) -> None:
        self._links = links
        self._clock = clock
        self._put_off: dict[str, tuple[float, float]] = {}
        """By payment id, where closing failed: when it is tried again, in monotonic seconds, and how long that pause was."""

    async def run_once(self) -> float | None:
        """Close what there is to close, and say when what could not be closed is tried again."""
        payments = await self._links.to_close()
        self._put_off = {payment.id: self._put_off[payment.id] for payment in payments if payment.id in self._put_off}
        by_owner = groupby(sorted(payments, key=lambda payment: payment.owner_id), key=lambda payment: payment.owner_id)
        await asyncio.gather(*(self._close_all(list(owned)) for _, owned in by_owner))
        now_s = self._clock.monotonic_s()
        return min((max(0.0, due_at_s - now_s) for due_at_s, _ in self._put_off.values()), default=None)

    async def _close_all(self, payments: Sequence[Payment]) -> None:
        """One owner's, one after the other. When the provider does not answer, the rest waits for it as well."""
        for payment in payments:
            due_at_s, pause_s = self._put_off.get(payment.id, (0.0, 0.0))
            if due_at_s > self._clock.monotonic_s():
                continue
            try:
                await self._links.close(payment)
                self._put_off.pop(payment.id, None)
            except GatewayError as fault:
                log.warning("a link could not be closed yet: %s", fault, extra=_ids(payment, "link_open"))
                pause_s = min(max(CLOSE_RETRY_S, pause_s * 2), CLOSE_RETRY_MAX_S)
                self._put_off[payment.id] = (self._clock.monotonic_s() + pause_s, pause_s)
                if isinstance(fault, ProviderUnreachable):
                    return


def _ids(payment: Payment, action: str) -> dict[str, str]:
    return {"action": action, "payment": payment.id}
