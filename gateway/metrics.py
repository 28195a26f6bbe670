"""Figures for Prometheus: what the log tells, counted, and how things stand.

One way to count: each log record that carries an `action` counts one. No label grows without bound.
"""

import logging
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.providers.base import Circuit

_FIGURES = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}


class Metrics(logging.Handler):
    """Counts log records by their action; holds the gauges."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.registry = registry = CollectorRegistry()
        self._actions = Counter("hotspot_gateway_actions", "What happened, by the log's action", ["action"], registry=registry)
        self._router_up = Gauge("hotspot_gateway_router_up", "1 when the router answered last", ["router"], registry=registry)
        self._clock_trusted = Gauge("hotspot_gateway_clock_trusted", "1 when the wall clock may be believed", registry=registry)
        self._database_writable = Gauge(
            "hotspot_gateway_database_writable", "1 when the disk took the last write: nothing is sold otherwise", registry=registry
        )
        self._grants = Gauge("hotspot_gateway_grants", "Access grants that are not over, by state", ["state"], registry=registry)

        self._circuits = Gauge(
            "hotspot_gateway_provider_circuit",
            "Whether the owner's provider is asked: 0 as usual, 1 to find out, 2 not now",
            ["owner"],
            registry=registry,
        )

        self._debts = Gauge(
            "hotspot_gateway_refunds", "Invoices whose money is, or was, owed back, by status", ["status"], registry=registry
        )
        self._given_back = Gauge(
            "hotspot_gateway_given_back_seconds", "Time that was ever given back after outages", registry=registry
        )

        self._broken = Gauge(
            "hotspot_gateway_invariant", "Places where the audit found that it does not hold", ["name"], registry=registry
        )
        self._audited_at = Gauge(
            "hotspot_gateway_audit_timestamp_seconds", "When the audit last ran, in seconds since 1970", registry=registry
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        action = getattr(record, "action", None)
        if action is not None:
            self._actions.labels(action).inc()

    def show(
        self, *, routers: Mapping[int, bool], clock_trusted: bool, grants: Mapping[str, int], circuits: Mapping[int, Circuit]
    ) -> None:
        """Set the gauges to how things stand now."""
        self._router_up.clear()
        for router_id, up in routers.items():
            self._router_up.labels(str(router_id)).set(up)
        self._clock_trusted.set(clock_trusted)
        for state, count in grants.items():
            self._grants.labels(state).set(count)
        self._circuits.clear()
        for owner_id, circuit in circuits.items():
            self._circuits.labels(str(owner_id)).set(_FIGURES[circuit])

    def show_database(self, *, writable: bool) -> None:
        """Set the gauge of the disk."""
        self._database_writable.set(writable)

    def show_what_is_owed(self, debts: Mapping[str, int], given_back_s: float) -> None:
        """Set the gauges of what customers are, or were, owed: money by its status, and time."""
        self._debts.clear()
        for status, count in debts.items():
            self._debts.labels(status).set(count)
        self._given_back.set(given_back_s)

    def show_audit(self, broken: Mapping[str, int], at_s: float) -> None:
        """Set the gauges of the audit: how many places are broken, by invariant, and when that was found out."""
        for name, count in broken.items():
            self._broken.labels(name).set(count)
        self._audited_at.set(at_s)
