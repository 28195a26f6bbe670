"""What was sold: the payments of an owner, and what each bought. Reads only."""

from gateway.catalogue import Owner, Site
from gateway.errors import NotFound
from gateway.settlement import Standing, standing_of
from gateway.store import payments as payment_rows
from gateway.store.database import Database, Transaction
from gateway.store.pages import Page, Span
from gateway.store.payments import PaymentFilter


class Records:
    """The payments of each owner, and nobody else's."""

    def __init__(self, site: Site, db: Database) -> None:
        self._site = site
        self._db = db

    async def payments(self, owner: Owner, wanted: PaymentFilter, span: Span) -> Page[Standing]:
        """The owner's payments, newest first."""

        def work(tx: Transaction) -> Page[Standing]:
            page = payment_rows.page(tx, owner.id, wanted, span)
            return Page([standing_of(tx, payment) for payment in page.entries], page.next)

        return await self._db.read(work)

    async def payment(self, owner: Owner, payment_id: str) -> Standing:
        """One payment as we know it, without asking the provider.

        Raises NotFound, also for somebody else's, and Unavailable for what a damaged card may have forgotten.
        """

        def work(tx: Transaction) -> Standing:
            return standing_of(tx, payment_rows.owned(tx, payment_id, owner.id))

        try:
            return await self._db.read(work)
        except NotFound as fault:
            raise self._site.unknown(fault) from None
