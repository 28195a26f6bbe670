"""The menus beside the hotspot that are more than a table: log, clock, device-mode, certificates, scripts, settings."""

import datetime as dt
import hashlib

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.directory import Directory, Request, Verb, read_id
from gateway.simulators.routeros.fetching import fetch_directory
from gateway.simulators.routeros.files import FileMenu
from gateway.simulators.routeros.machine import Machine
from gateway.simulators.routeros.tables import Row, Table


def system_directories(machine: Machine) -> dict[str, Directory]:
    """The menus that are made when they are asked for."""
    return {
        "/log": _log(machine),
        "/file": FileMenu(machine).directory(),
        "/tool": fetch_directory(machine),
        "/system/clock": _clock(machine),
        "/system/device-mode": Directory(lambda: [machine.device_mode_row()]),
    }


def settings(machine: Machine, table: Table) -> Directory:
    """A menu with one row, which has no id and is always there."""
    (only,) = table

    def rows() -> list[Row]:
        shown = {name: text for name, text in table.shown(only).items() if name != ".id"}
        return [shown | (_ntp_status(machine, only) if table.path == "/system/ntp/client" else {})]

    return Directory(rows, {"set": lambda request: table.set(only[".id"], request.values)})


def special_verbs(machine: Machine, table: Table) -> dict[str, Verb]:
    """The commands of a table's menu that no other menu has."""
    if table.path == "/certificate":
        return {"sign": lambda request: _sign(machine, table, request)}
    if table.path == "/system/script":
        return {"run": lambda request: _run(machine, table, request)}
    return {"reset-html": lambda request: _reset_html(machine, request)} if table.path == "/ip/hotspot" else {}


def certificate_extras(machine: Machine, _table: Table, row: Row) -> Row:
    """What a signed certificate shows besides its template (facts, routeros 2.11)."""
    signed_s = machine.signed.get(row[".id"])
    if signed_s is None:
        return {"private-key": "false"}
    until = dt.datetime.fromtimestamp(signed_s, dt.UTC) + dt.timedelta(days=int(row["days-valid"]))
    return {
        "fingerprint": hashlib.sha256(f"{row['common-name']} {signed_s}".encode()).hexdigest(),
        "invalid-after": f"{machine.wall.write_date(until)} {until:%H:%M:%S}",
        "private-key": "true",
        "expired": "true" if machine.wall.wall_s() > until.timestamp() else "false",
    }


def _sign(machine: Machine, table: Table, request: Request) -> None:
    """Sign a template with its own key, or with that of another certificate."""
    (number,) = request.need("number")
    row = table.named(number) or table.get(read_id(number))
    if row[".id"] in machine.signed:
        raise traps.Trap("failure: already signed")  # the text is a guess
    if "ca" in request.arguments and table.named(request.arguments["ca"]) is None:
        raise traps.no_match("ca")
    if "name" in request.arguments:
        table.set(row[".id"], {"name": request.arguments["name"]})
    machine.signed[row[".id"]] = machine.wall.wall_s()
    machine.configuration.writes += 1


async def _run(machine: Machine, table: Table, request: Request) -> None:
    (number,) = request.need("number")
    row = table.named(number) or table.get(read_id(number))
    await machine.run_stored(row, request.policies)


def _reset_html(machine: Machine, request: Request) -> None:
    """Put the factory's pages back: ours go."""
    for row_id in request.ids:
        row = machine.configuration.tables["/ip/hotspot"].get(row_id)
        profile = machine.configuration.tables["/ip/hotspot/profile"].named(row["profile"])
        folder = f"{profile['html-directory'] if profile else 'hotspot'}/"
        for path in [path for path in machine.files if path.startswith(folder)]:
            del machine.files[path]


def _ntp_status(machine: Machine, row: Row) -> Row:
    if row["enabled"] == "false":
        return {"status": "stopped"}
    return {"status": "synchronized" if machine.wall.is_right else "waiting"}


def _log(machine: Machine) -> Directory:
    def writing(level: str) -> Verb:
        return lambda request: machine.note(f"script,{level}", request.arguments.get("message", ""))

    return Directory(lambda: list(machine.log), {level: writing(level) for level in ("debug", "info", "warning", "error")})


def _clock(machine: Machine) -> Directory:
    def change(request: Request) -> None:
        machine.wall.set_from(request.values)
        machine.schedule.wake()
        machine.configuration.writes += 1

    return Directory(lambda: [machine.wall.row()], {"set": change})
