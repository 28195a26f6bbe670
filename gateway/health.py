"""How the gateway is: whether it can sell, and what stands in the way. Reads, never mends."""

from dataclasses import dataclass, field
from typing import Any

from gateway.catalogue import Site
from gateway.errors import GatewayError
from gateway.heartbeat import Heartbeat
from gateway.metrics import Metrics
from gateway.providers.base import Circuit
from gateway.store import access as grant_rows
from gateway.store.database import Database


@dataclass(frozen=True, slots=True)
class Report:
    """Each condition of selling, and the figures beside it."""

    database_writable: bool
    clock_trusted: bool
    routers: dict[int, tuple[str, bool | None]]
    """By id: name, and whether it answered last; None before the first exchange has ended."""
    grants: dict[str, int]
    circuits: dict[int, Circuit] = field(default_factory=dict)
    """Whether each owner's provider is asked at the moment, by owner id; without those whose keys cannot be used."""

    @property
    def ready(self) -> bool:
        """Whether something can be sold: the database takes writes, and at least one router answers.

        A provider that is down is named and changes nothing here: an uplink's outage must not have the gateway restarted, whose
        customers are online without it.
        """
        return self.database_writable and (not self.routers or any(up for _, up in self.routers.values()))

    def as_json(self) -> dict[str, Any]:
        """For `/readyz`."""
        return {
            "ready": self.ready,
            "database": "ok" if self.database_writable else "not writable",
            "clock": "ok" if self.clock_trusted else "behind the time already seen, and not believed",
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

    async def report(self) -> Report:
        """How things stand now. The database is tried by writing to it."""
        return Report(
            database_writable=await self._db.is_writable(),
            clock_trusted=self._heartbeat.clock_is_trusted,
            routers={
                key: (router.name, self._site.hotspots[key].reachable if key in self._site.hotspots else None)
                for key, router in self._site.catalogue.routers.items()
            },
            grants=await self._db.read(grant_rows.counts),
            circuits={
                owner_id: provider.circuit
                for owner_id, provider in self._site.providers.items()
                if not isinstance(provider, GatewayError)
            },
        )

    def metrics(self, report: Report) -> Metrics:
        """The metrics with their gauges set from the report."""
        routers = {key: bool(up) for key, (_, up) in report.routers.items()}
        self._metrics.show(routers=routers, clock_trusted=report.clock_trusted, grants=report.grants, circuits=report.circuits)
        return self._metrics
