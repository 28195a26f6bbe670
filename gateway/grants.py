"""Access grants in the hand of their owner: who is let through until when, taking it back, giving more.

The deeds are `gateway.gate`'s; here is only whose grant it is and which gate it belongs to.
"""

from collections.abc import Callable

from gateway.access import Grant, plus
from gateway.catalogue import Owner
from gateway.errors import Invalid
from gateway.gate import Gate
from gateway.identity import Duration
from gateway.store import access as grant_rows
from gateway.store.access import GrantFilter
from gateway.store.database import Database
from gateway.store.pages import Page, Span


class Grants:
    """The grants of each owner, and nobody else's. Every method that names a grant raises NotFound for somebody else's."""

    def __init__(self, db: Database, gate: Callable[[int], Gate]) -> None:
        self._db = db
        self._gate = gate
        """The gate of a router by its id, one for each: also of a router that is not in service."""

    async def page(self, owner: Owner, wanted: GrantFilter, span: Span) -> Page[Grant]:
        """The owner's grants, newest first."""
        return await self._db.read(lambda tx: grant_rows.page(tx, owner.id, wanted, span))

    async def get(self, owner: Owner, grant_id: str) -> Grant:
        """One grant."""
        return await self._db.read(lambda tx: grant_rows.owned(tx, grant_id, owner.id))

    async def revoke(self, owner: Owner, grant_id: str) -> Grant:
        """Take the access back, now. Raises Conflict for a grant that is over."""
        grant = await self.get(owner, grant_id)
        return await self._gate(grant.router_id).revoke(grant)

    async def extend(self, owner: Owner, grant_id: str, extra: Duration) -> Grant:
        """Give more time. Raises Conflict for a grant that is over, Invalid when it would last longer than ten years."""
        grant = await self.get(owner, grant_id)
        try:
            plus(grant.duration, extra)
        except ValueError:
            raise Invalid(
                "duration: a grant lasts ten years at most", fields={"duration": ["is too long for this grant"]}
            ) from None
        return await self._gate(grant.router_id).extend(grant, extra)
