"""Whoever has paid and is not online: the operator hears of it within two minutes, by the payment's id.

Reads and tells, changes nothing: `Open` goes on trying meanwhile, and `refunds` notes the debt much later. A phone that the router
does not see is no case for this job: that is told at once (`unclaimed`), and mending it is up to the customer.
"""

import logging
from typing import Any

from gateway.access import Grant
from gateway.catalogue import Site
from gateway.clock import Clock
from gateway.store import access as grant_rows
from gateway.store.database import Database

log = logging.getLogger(__name__)

LOOK_S = 30.0
"""How often it is looked: with `PATIENCE_S` half a minute is left of the two that are promised (issue: "the operator knows")."""

PATIENCE_S = 60.0
"""How long a grant may be owed before it is told: a router that restarts is back within a minute, and nobody need be called."""


class Unserved:
    """The job that tells of each grant that is owed for too long, once when it is and once when it is not any more."""

    name = "unserved"

    def __init__(self, db: Database, site: Site, clock: Clock) -> None:
        self._db = db
        self._site = site
        self._clock = clock
        self._told: dict[str, Grant] = {}
        """By grant id. Forgotten with the process: after a restart what is still owed is told again."""

    async def run_once(self) -> float:
        """Tell what is new since the last time."""
        owed_before_s = self._clock.wall_s() - PATIENCE_S
        owed = {grant.id: grant for grant in await self._db.read(lambda tx: grant_rows.owed_before(tx, owed_before_s))}
        for grant in owed.values():
            if grant.id not in self._told:
                self._announce(grant)
        for grant_id in self._told.keys() - owed.keys():
            await self._call_off(grant_id)
        self._told = owed
        return LOOK_S

    def _announce(self, grant: Grant) -> None:
        owed_for_s = self._clock.wall_s() - grant.updated_at_s
        log.error("paid and not online for %.0f s: %s", owed_for_s, self._why(grant), extra=_ids(grant, "paid_not_served"))

    async def _call_off(self, grant_id: str) -> None:
        grant = await self._db.read(lambda tx: grant_rows.get(tx, grant_id))
        log.warning("nobody is kept waiting any more, the grant is %s", grant.state.value, extra=_ids(grant, "owed_no_more"))

    def _why(self, grant: Grant) -> str:
        """What stands in the way, as far as it is known here."""
        hotspot = self._site.hotspots.get(grant.router_id)
        if hotspot is None:
            return f"router {grant.router_id} is not in service any more"
        if hotspot.reachable:
            return f"router {grant.router_id} answers and lets nobody in, or the disk takes no writes: see action=grant_failed"
        return f"router {grant.router_id} does not answer, or does not let us in"


def _ids(grant: Grant, action: str) -> dict[str, Any]:
    return {"action": action, "payment": grant.payment_id, "grant": grant.id, "router": grant.router_id}
