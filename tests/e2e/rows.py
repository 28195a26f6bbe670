"""What is on a router, by who put it there."""

from gateway.simulators.routeros import SimulatedRouter

CLIENT_MARK = "hotspot-gateway:"


def ours(router: SimulatedRouter) -> list[dict[str, str]]:
    """Every user and binding that lets a client of ours in."""
    rows = [*router.hotspot.users, *router.hotspot.bindings]
    return [row for row in rows if row.get("comment", "").startswith(CLIENT_MARK)]


def traces(router: SimulatedRouter, mac: str) -> list[object]:
    """Everything that lets this device in, or would let it in again."""
    hotspot = router.hotspot
    return [
        *(row for row in ours(router) if row.get("mac-address") == mac),
        *(entry for entry in hotspot.active.values() if entry.mac == mac),
        *(cookie for cookie in hotspot.cookies if cookie.mac == mac),
        *(host for host in hotspot.hosts.values() if host.mac == mac and host.bypassed),
    ]


def foreign(router: SimulatedRouter) -> list[dict[str, str]]:
    """Every configured row of the hotspot that is not ours."""
    tables = ("/ip/hotspot/user", "/ip/hotspot/ip-binding", "/ip/hotspot/user/profile", "/ip/hotspot/profile", "/ip/hotspot")
    rows = [dict(row) for path in tables for row in router.machine.configuration.tables[path]]
    return [row for row in rows if "hotspot-gateway" not in row.get("comment", "") + row.get("name", "")]
