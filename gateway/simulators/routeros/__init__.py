"""A MikroTik router in software: the RouterOS API on a real TCP port, and a hotspot that behaves as facts, routeros say.

For the demo, for tests, and for people who write portals. Reading order: `server` (the whole), `connection` (one client),
`console` (one command), `menus` (what stands behind each path), `hotspot` (who is let in and until when); beneath them `wire`,
`query`, `values`, `traps` and the written-down `schema` and `properties` of real routers.
"""

from gateway.simulators.routeros.appliance import ALL_POLICIES
from gateway.simulators.routeros.connection import Faults
from gateway.simulators.routeros.hotspot import HotspotModel
from gateway.simulators.routeros.scripting import ScriptError
from gateway.simulators.routeros.server import SimulatedRouter

__all__ = ["ALL_POLICIES", "Faults", "HotspotModel", "ScriptError", "SimulatedRouter"]
