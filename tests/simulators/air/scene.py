"""Amina's phone on a hotspot, and what operators and the gateway do on its router."""

from gateway.simulators.air import Destination
from gateway.simulators.routeros import SimulatedRouter

MAC, IP = "AA:BB:CC:DD:EE:FF", "10.5.50.20"
PORTAL = "http://10.5.50.2:8080"
ELSEWHERE = Destination("example.com", 80)


def let_in(router: SimulatedRouter, **limits: str) -> None:
    """The gateway has sold something to the phone: it is let in with its next packet."""
    users = router.machine.configuration.tables["/ip/hotspot/user"]
    users.add({"name": MAC, "mac-address": MAC} | {name.replace("_", "-"): text for name, text in limits.items()})


def add(router: SimulatedRouter, menu: str, **row: str) -> str:
    """A row of a menu below `/ip/hotspot`; its id."""
    return router.machine.configuration.tables[f"/ip/hotspot/{menu}"].add(
        {name.replace("_", "-"): text for name, text in row.items()}
    )
