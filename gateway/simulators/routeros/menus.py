"""What stands behind each menu: the rows that it prints and the commands that it runs.

Joins the configuration and the hotspot to the words of the API; checks nothing that `schema` has checked before.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.directory import Directory, Request, Verb
from gateway.simulators.routeros.machine import Machine
from gateway.simulators.routeros.schema import MENUS
from gateway.simulators.routeros.system_menus import certificate_extras, settings, special_verbs, system_directories
from gateway.simulators.routeros.tables import Row, Table
from gateway.simulators.routeros.values import format_duration

Item = TypeVar("Item")


def directories(machine: Machine) -> dict[str, Directory]:
    """Every menu of the router."""
    return {
        **{
            path: settings(machine, table) if MENUS[path].singleton else _configured(machine, table)
            for path, table in machine.configuration.tables.items()
        },
        "/ip/hotspot/active": _active(machine),
        "/ip/hotspot/host": _hosts(machine),
        "/ip/hotspot/cookie": _cookies(machine),
        "/user/active": _logins(machine),
        "/interface": Directory(lambda: _interfaces(machine)),
        "/system/identity": _identity(machine),
        "/system/resource": Directory(lambda: [machine.resource()]),
        "/system/license": Directory(lambda: [{"software-id": "SIMU-LATD", "nlevel": machine.hotspot.licence, "features": ""}]),
        **system_directories(machine),
    }


def _configured(machine: Machine, table: Table) -> Directory:
    """A menu of rows that clients edit."""
    extras = _EXTRAS.get(table.path, _no_extras)

    def rows() -> list[Row]:
        return [table.shown(row) | extras(machine, table, row) for row in table]

    def each(change: Callable[[Request, str], None]) -> Verb:
        def verb(request: Request) -> None:
            for row_id in [table.get(row_id)[".id"] for row_id in request.ids]:
                change(request, row_id)

        return verb

    def add(request: Request) -> str:
        _refuse_foreign_policies(request)
        return table.add(_with_owner(table, request))

    def change(request: Request, row_id: str) -> None:
        _refuse_foreign_policies(request)
        table.set(row_id, request.values)

    return Directory(
        rows,
        {
            "add": add,
            "set": each(change),
            "comment": each(change),
            "remove": each(lambda _, row_id: table.remove(row_id)),
            "enable": each(lambda _, row_id: table.set(row_id, {"disabled": "no"})),
            "disable": each(lambda _, row_id: table.set(row_id, {"disabled": "yes"})),
            "unset": each(lambda request, row_id: table.unset(row_id, *request.need("value-name"))),
            "move": each(lambda request, row_id: table.move(row_id, request.arguments.get("destination"))),
            "reset-counters": each(lambda _, row_id: _reset_counters(machine, row_id)),
            **special_verbs(machine, table),
        },
    )


def _refuse_foreign_policies(request: Request) -> None:
    """A script or scheduler cannot have rights that its maker lacks (facts, routeros 2.12)."""
    given = {word for word in request.arguments.get("policy", "").split(",") if word and not word.startswith("!")}
    if not given <= request.policies:
        raise traps.not_permitted()


def _with_owner(table: Table, request: Request) -> dict[str, str]:
    """Scripts and schedulers have their maker's policies unless told otherwise."""
    if table.path not in {"/system/script", "/system/scheduler"}:
        return request.values
    known = table.properties["policy"].kind
    return {"policy": ",".join(word for word in getattr(known, "options", ()) if word in request.policies)} | request.values


def _reset_counters(machine: Machine, row_id: str) -> None:
    machine.hotspot.usage.pop(row_id, None)
    machine.configuration.writes += 1


def _no_extras(_machine: Machine, _table: Table, _row: Row) -> Row:
    return {}


def _user_extras(machine: Machine, table: Table, row: Row) -> Row:
    used = machine.hotspot.used(row)
    return {
        "uptime": format_duration(used.uptime_s),
        **used.counters.row(),
        "dynamic": "false",
        **({"default": "true"} if table.is_fixed(row[".id"]) else {}),
    }


def _binding_extras(_machine: Machine, _table: Table, row: Row) -> Row:
    return {flag: "true" if row["type"] == flag else "false" for flag in ("bypassed", "blocked")}


def _default_flag(_machine: Machine, table: Table, row: Row) -> Row:
    return {"default": "true" if table.is_fixed(row[".id"]) else "false"}


def _service_extras(machine: Machine, _table: Table, row: Row) -> Row:
    return {"name": row["name"], "dynamic": "false", "invalid": "false"} | (
        {"port": str(machine.port)} if row["name"] == "api" else {}
    )


_EXTRAS: dict[str, Callable[[Machine, Table, Row], Row]] = {
    "/ip/hotspot": lambda _m, _t, _r: {"invalid": "false", "HTTPS": "false"},
    "/ip/hotspot/profile": _default_flag,
    "/ip/hotspot/user": _user_extras,
    "/ip/hotspot/user/profile": _default_flag,
    "/ip/hotspot/ip-binding": _binding_extras,
    "/ip/hotspot/walled-garden": lambda _m, _t, _r: {"dynamic": "false", "invalid": "false", "hits": "0"},
    "/ip/hotspot/walled-garden/ip": lambda _m, _t, _r: {"dynamic": "false", "invalid": "false"},
    "/ip/address": lambda _m, _t, row: {"actual-interface": row["interface"], "dynamic": "false", "invalid": "false"},
    "/ip/service": _service_extras,
    "/system/scheduler": lambda machine, _t, row: {"owner": "gateway", **machine.schedule.row(row)},
    "/system/script": lambda machine, _t, row: {"run-count": str(machine.script_runs.get(row[".id"], 0)), "invalid": "false"},
    "/certificate": certificate_extras,
    "/ip/firewall/filter": lambda _m, _t, _r: {"dynamic": "false", "invalid": "false", "bytes": "0", "packets": "0"},
    "/ip/firewall/nat": lambda _m, _t, _r: {"dynamic": "false", "invalid": "false", "bytes": "0", "packets": "0"},
    "/user": lambda _m, _t, _r: {"expired": "false"},
}


def _active(machine: Machine) -> Directory:
    hotspot = machine.hotspot

    def login(request: Request) -> None:
        user, ip = request.need("user", "ip")
        hotspot.login(user, request.arguments.get("password", ""), ip, request.arguments.get("mac-address"))

    def remove(request: Request) -> None:
        by_id = {entry.id: entry for entry in hotspot.active.values()}
        for entry in _pick(by_id, request):
            hotspot.end(entry, "admin reset")

    def comment(request: Request) -> None:
        by_id = {entry.id: entry for entry in hotspot.active.values()}
        for entry in _pick(by_id, request):
            entry.comment = request.arguments.get("comment", entry.comment)

    return Directory(hotspot.active_rows, {"login": login, "remove": remove, "set": comment})


def _hosts(machine: Machine) -> Directory:
    hotspot = machine.hotspot

    def remove(request: Request) -> None:
        for host in _pick({host.id: host for host in hotspot.hosts.values()}, request):
            hotspot.forget_host(host)

    def make_binding(request: Request) -> None:
        for host in _pick({host.id: host for host in hotspot.hosts.values()}, request):
            hotspot.bindings.add({"mac-address": host.mac, "address": host.ip, "to-address": host.ip} | request.values)

    return Directory(hotspot.host_rows, {"remove": remove, "make-binding": make_binding})


def _cookies(machine: Machine) -> Directory:
    hotspot = machine.hotspot

    def remove(request: Request) -> None:
        for cookie in _pick({cookie.id: cookie for cookie in hotspot.cookies}, request):
            hotspot.cookies.remove(cookie)

    return Directory(hotspot.cookie_rows, {"remove": remove})


def _pick(by_id: Mapping[str, Item], request: Request) -> list[Item]:
    """The live items that are meant; nothing happens to any when one of them is gone."""
    if not set(request.ids) <= by_id.keys():
        raise traps.no_such_item()
    return [by_id[row_id] for row_id in request.ids]


def _logins(machine: Machine) -> Directory:
    def rows() -> list[Row]:
        return [
            {".id": login.id, "when": login.when, "name": login.name, "address": login.address, "via": "api", "radius": "false"}
            for login in machine.logins.values()
        ]

    def kick(request: Request) -> None:
        for login in _pick(machine.logins, request):
            login.kick()

    return Directory(rows, {"remove": kick, "request-logout": kick})


def _interfaces(machine: Machine) -> list[Row]:
    return [
        {
            ".id": row_id,
            "name": name,
            "default-name": name,
            "type": "bridge" if name == "bridge" else "ether",
            "mtu": "1500",
            "actual-mtu": "1500",
            "mac-address": f"48:8F:5A:00:00:0{row_id[1:]}",
            "running": "true",
            "disabled": "false",
        }
        for row_id, name in machine.configuration.interfaces.items()
    ]


def _identity(machine: Machine) -> Directory:
    def rename(request: Request) -> None:
        machine.identity = request.arguments.get("name", machine.identity)
        machine.configuration.writes += 1

    return Directory(lambda: [{"name": machine.identity}], {"set": rename})
