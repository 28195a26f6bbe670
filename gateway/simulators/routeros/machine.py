"""The state of one simulated router: its configuration, its hotspot, its clock, its log and who is logged in to the API.

No bytes and no commands: those are `console` and `connection`.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.simulators.routeros.hotspot import HotspotModel
from gateway.simulators.routeros.properties import SETTINGS
from gateway.simulators.routeros.schema import ISO_DATES, MAX_SESSIONS, Version, parse_version
from gateway.simulators.routeros.tables import Configuration, Row, hex_id
from gateway.simulators.routeros.values import format_duration

LOG_LINES = 1_000
"""How many log lines the memory keeps, as `/system/logging` does from the factory."""

DEFAULT_MAX_SESSIONS = 20
"""API connections at a time where the router says nothing else (facts, routeros 1.10)."""

_TABLES = tuple(path for path in SETTINGS if path != "/system/identity")


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
        self.configuration = Configuration(self.version, _TABLES)
        self.log: deque[Row] = deque(maxlen=LOG_LINES)
        self.logins: dict[str, ApiLogin] = {}
        self.port = 0
        self._booted_s = clock.monotonic_s()
        self._log_lines = 0
        self._logins_made = 0
        self._seed(hotspot_server, login_by)
        self.hotspot = HotspotModel(
            clock, self.configuration, hotspot_server, note=self.note, limit_change_moves_running_session=limit_change_moves
        )

    def _seed(self, server: str, login_by: frozenset[str]) -> None:
        """The rows that every router of this kind has."""
        tables = self.configuration.tables
        self.configuration.interfaces = {"*1": "ether1", "*2": "ether2", "*3": "bridge"}
        login_methods = tables["/ip/hotspot/profile"].properties["login-by"].kind
        chosen = login_methods.parse("login-by", ",".join(login_by), self.configuration.names)
        tables["/ip/hotspot/profile"].seed(name="default")
        tables["/ip/hotspot/profile"].seed(name="hsprof1", hotspot_address="10.5.50.1", login_by=chosen)
        tables["/ip/hotspot/user/profile"].seed(name="default")
        tables["/ip/hotspot/user"].seed(name="default-trial", comment="counters and limits for trial users")
        tables["/ip/hotspot"].seed(name=server, interface="bridge", profile="hsprof1")
        tables["/ip/address"].seed(address="10.5.50.1/24", network="10.5.50.0", interface="bridge")
        for name, port in (("api", "8728"), ("api-ssl", "8729")):
            tables["/ip/service"].seed(name=name, port=port)

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
        self.log.clear()
        self.note("system,info", "router rebooted")

    def now(self) -> dt.datetime:
        """The router's wall clock, in UTC."""
        return dt.datetime.fromtimestamp(self.clock.wall_s(), dt.UTC)

    def date(self) -> str:
        """Today as this version writes it (facts, routeros 5)."""
        now = self.now()
        return f"{now:%Y-%m-%d}" if self.version >= ISO_DATES else f"{now:%b/%d/%Y}".lower()

    def note(self, topics: str, message: str) -> None:
        """Write a log line."""
        self._log_lines += 1
        time = f"{self.date()} {self.now():%H:%M:%S}"
        self.log.append({".id": hex_id(self._log_lines), "time": time, "topics": topics, "message": message})

    def admit(self, name: str, address: str, kick: Callable[[], None]) -> str:
        """A connection has logged in; gives the id of its row in `/user/active`."""
        self._logins_made += 1
        login = ApiLogin(hex_id(self._logins_made), name, address, f"{self.date()} {self.now():%H:%M:%S}", kick)
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

    def clock_row(self) -> Row:
        """`/system/clock`."""
        return {
            "time": f"{self.now():%H:%M:%S}",
            "date": self.date(),
            "time-zone-autodetect": "true",
            "time-zone-name": "UTC",
            "gmt-offset": "+00:00",
            "dst-active": "false",
        }
