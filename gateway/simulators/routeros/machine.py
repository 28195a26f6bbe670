"""The state of one simulated router: its configuration, its hotspot, its clock, its log and who is logged in to the API.

No bytes and no commands: those are `console` and `connection`.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.simulators.routeros import traps
from gateway.simulators.routeros.factory import furnish
from gateway.simulators.routeros.hotspot import HotspotModel
from gateway.simulators.routeros.scheduling import Schedule
from gateway.simulators.routeros.schema import MAX_SESSIONS, TABLES, Version, parse_version
from gateway.simulators.routeros.tables import Configuration, Row, hex_id
from gateway.simulators.routeros.timekeeping import WallClock
from gateway.simulators.routeros.values import format_duration

LOG_LINES = 1_000
"""How many log lines the memory keeps, as `/system/logging` does from the factory."""

DEFAULT_MAX_SESSIONS = 20
"""API connections at a time where the router says nothing else (facts, routeros 1.10)."""

Execute = Callable[[str, frozenset[str]], Awaitable[list[str]]]
"""Runs a text of RouterOS' language with those policies and gives what it put out. Raises Trap."""

Fetch = Callable[[str], Awaitable[bytes]]
"""From an address to what is there. Raises Trap."""


@dataclass(slots=True)
class ApiLogin:
    """One connection that has logged in."""

    id: str
    name: str
    address: str
    when: str
    kick: Callable[[], None]


class Machine:
    """A router with a hotspot on it, as it comes up after the set-up wizard."""

    def __init__(
        self, clock: Clock, *, version: str, identity: str, hotspot_server: str, login_by: frozenset[str], limit_change_moves: bool
    ) -> None:
        self.clock = clock
        self.version_text = version
        self.version: Version = parse_version(version)
        self.identity = identity
        self.configuration = Configuration(self.version, TABLES)
        self.wall = WallClock(clock, self.version)
        self.schedule = Schedule(clock, self.wall, self.configuration.tables["/system/scheduler"], self.note)
        self.has_flash_folder = False
        """Whether files outlive a reboot in `flash/` only, as on boards with 16 MB (facts, routeros 4.1)."""
        self.device_mode: dict[str, str] = {"mode": "advanced", "hotspot": "true", "scheduler": "true", "fetch": "true"}
        self.signed: dict[str, float] = {}
        """When each certificate was signed, by its id, in seconds since 1970."""
        self.script_runs: dict[str, int] = {}
        """How often each stored script has run, by its id."""
        self.execute: Execute | None = None
        self.fetch: Fetch = _nowhere
        self.files: dict[str, str] = {}
        """Text by path, without a slash at the front: `hotspot/login.html`."""
        self.log: deque[Row] = deque(maxlen=LOG_LINES)
        self.logins: dict[str, ApiLogin] = {}
        self.port = 0
        self._booted_s = clock.monotonic_s()
        self._log_lines = 0
        self._logins_made = 0
        furnish(self.configuration, hotspot_server, login_by)
        self.hotspot = HotspotModel(
            clock, self.configuration, hotspot_server, note=self.note, limit_change_moves_running_session=limit_change_moves
        )

    @property
    def uptime_s(self) -> float:
        """Seconds since it was switched on."""
        return self.clock.monotonic_s() - self._booted_s

    @property
    def max_sessions(self) -> int:
        """How many API connections may be open."""
        service = self.configuration.tables["/ip/service"].named("api")
        return int(service["max-sessions"]) if service and self.version >= MAX_SESSIONS else DEFAULT_MAX_SESSIONS

    def boot(self) -> None:
        """Come up again: everything that is only in memory is gone."""
        self._booted_s = self.clock.monotonic_s()
        self.hotspot.reboot()
        self.schedule.boot()
        self.script_runs.clear()
        if self.has_flash_folder:
            self.files = {path: text for path, text in self.files.items() if path.startswith("flash/")}
        self.log.clear()
        self.note("system,info", "router rebooted")

    def note(self, topics: str, message: str) -> None:
        """Write a log line."""
        self._log_lines += 1
        self.log.append({".id": hex_id(self._log_lines), "time": self.wall.stamp(), "topics": topics, "message": message})

    def admit(self, name: str, address: str, kick: Callable[[], None]) -> str:
        """A connection has logged in; gives the id of its row in `/user/active`."""
        self._logins_made += 1
        login = ApiLogin(hex_id(self._logins_made), name, address, self.wall.stamp(), kick)
        self.logins[login.id] = login
        self.note("system,info,account", f"user {name} logged in from {address} via api")
        return login.id

    def dismiss(self, login_id: str) -> None:
        """A connection that had logged in is gone."""
        login = self.logins.pop(login_id, None)
        if login is not None:
            self.note("system,info,account", f"user {login.name} logged out from {login.address} via api")

    def resource(self) -> Row:
        """`/system/resource` of an hAP (facts, routeros 2.11)."""
        return {
            "uptime": format_duration(self.uptime_s),
            "version": self.version_text if "(" in self.version_text else f"{self.version_text} (stable)",
            "free-memory": "75890688",
            "total-memory": "134217728",
            "cpu": "ARM",
            "cpu-count": "4",
            "cpu-frequency": "716",
            "cpu-load": "3",
            "free-hdd-space": "2199552",
            "total-hdd-space": "16777216",
            "write-sect-since-reboot": str(self.configuration.writes),
            "write-sect-total": str(10_000 + self.configuration.writes),
            "bad-blocks": "0",
            "architecture-name": "arm",
            "board-name": "hAP ac^2",
            "platform": "MikroTik",
        }

    def device_mode_row(self) -> Row:
        """`/system/device-mode`: what the maker's safety switch allows (facts, routeros 5)."""
        return {**self.device_mode, "flagged": "false", "attempt-count": "0"}

    def write_file(self, path: str, text: str) -> None:
        """Keep a text as a file."""
        self.files[path] = text

    async def run_stored(self, script: Row, policies: frozenset[str]) -> list[str]:
        """Run a row of `/system/script`; it needs the rights that it was given. Raises Trap."""
        needed = frozenset(filter(None, script.get("policy", "").split(",")))
        if script["dont-require-permissions"] == "false" and not needed <= policies:
            raise traps.not_permitted()
        self.script_runs[script[".id"]] = self.script_runs.get(script[".id"], 0) + 1
        return await self.run_text(script.get("source", ""), needed)

    async def run_event(self, text: str, policies: frozenset[str]) -> None:
        """Run what a scheduler names: a stored script, or a text. Raises Trap."""
        script = self.configuration.tables["/system/script"].named(text)
        if script is not None:
            await self.run_stored(script, policies)
        else:
            await self.run_text(text, policies)

    async def run_text(self, text: str, policies: frozenset[str]) -> list[str]:
        """Run a text of RouterOS' language. Raises Trap."""
        if self.execute is None:
            raise traps.Trap("no console")
        return await self.execute(text, policies)


async def _nowhere(url: str) -> bytes:
    raise traps.Trap(f"failure: no way to {url}")
