"""How the gateway is: whether it can sell, and what stands in the way. Reads, never mends."""

from dataclasses import dataclass, field
from typing import Any

from gateway.catalogue import Site
from gateway.errors import GatewayError, NotStored
from gateway.heartbeat import Heartbeat
from gateway.metrics import Metrics
from gateway.providers.base import Circuit
from gateway.store import access as grant_rows
from gateway.store import outages as outage_rows
from gateway.store import refunds as debt_rows
from gateway.store.database import Database, not_stored


@dataclass(frozen=True, slots=True)
class Report:
    """Each condition of selling, and the figures beside it."""

    database_writable: bool
    clock_complaint: str | None
    """What is wrong with the machine's clock, for its operator; None when nothing is known to be."""
    routers: dict[int, tuple[str, bool | None]]
    """By id: name, and whether it answered last; None before the first exchange has ended."""
    grants: dict[str, int]
    circuits: dict[int, Circuit] = field(default_factory=dict)
    """Whether each owner's provider is asked at the moment, by owner id; without those whose keys cannot be used."""
    debts: dict[str, int] = field(default_factory=dict)
    """How many payments are, or were, owed back, by where that stands."""
    given_back_s: float = 0.0
    """All the time that was ever given back after outages, in seconds."""
    in_doubt: bool = False
    """Whether nothing is sold by anybody before IntaSend's invoices were read again, after a damaged card."""

    @property
    def ready(self) -> bool:
        """Whether something can be sold: the database takes writes, the books are in order, and at least one router answers.

        A provider that is down is named and changes nothing here: an uplink's outage must not have the gateway restarted, whose
        customers are online without it.
        """
        answered = not self.routers or any(up for _, up in self.routers.values())
        return self.database_writable and not self.in_doubt and answered

    def as_json(self) -> dict[str, Any]:
        """For `/readyz`."""
        return {
            "ready": self.ready,
            "database": "ok" if self.database_writable else "not writable",
            "books": "being put in order after a damaged card" if self.in_doubt else "ok",
            "clock": self.clock_complaint or "ok",
            "routers": [{"id": key, "name": name, "reachable": up} for key, (name, up) in self.routers.items()],
            "providers": [{"owner": owner_id, "circuit": circuit.value} for owner_id, circuit in self.circuits.items()],
        }


class Health:
    """Makes reports."""

    def __init__(self, site: Site, db: Database, heartbeat: Heartbeat, metrics: Metrics) -> None:
        self._site = site
        self._db = db
        self._heartbeat = heartbeat
        self._metrics = metrics

    @property
    def obstacle(self) -> NotStored | None:
        """What keeps the gateway from selling anything to anybody, as far as its last write knows."""
        return None if self._db.takes_writes else not_stored()

    async def examine(self) -> Report:
        """How things stand now. The database is tried by writing to it."""
        await self._db.is_writable()
        return await self.report()

    async def report(self) -> Report:
        """How things stand as far as it is known: nothing is written, for whoever asks every few seconds wears the card."""
        providers = self._site.providers
        return Report(
            database_writable=self._db.takes_writes and self._site.begun,
            clock_complaint=self._heartbeat.complaint,
            routers={
                key: (router.name, self._site.hotspots[key].reachable if key in self._site.hotspots else None)
                for key, router in self._site.catalogue.routers.items()
            },
            grants=await self._db.read(grant_rows.counts),
            circuits={
                owner_id: provider.circuit for owner_id, provider in providers.items() if not isinstance(provider, GatewayError)
            },
            debts=await self._db.read(debt_rows.counts),
            given_back_s=await self._db.read(outage_rows.given_back_s),
            in_doubt=bool(providers) and providers.keys() <= set(self._site.in_doubt),
        )

    def metrics(self, report: Report) -> Metrics:
        """The metrics with their gauges set from the report."""
        routers = {key: bool(up) for key, (_, up) in report.routers.items()}
        trusted = report.clock_complaint is None
        self._metrics.show(routers=routers, clock_trusted=trusted, grants=report.grants, circuits=report.circuits)
        self._metrics.show_database(writable=report.database_writable)
        self._metrics.show_what_is_owed(report.debts, report.given_back_s)
        return self._metrics
