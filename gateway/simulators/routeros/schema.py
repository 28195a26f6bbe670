"""What each menu has, by version: its properties, commands and arguments.

Written down from the schemas of real routers 7.10.2, 7.20.8 and 7.24, the part that a hotspot gateway needs; between those the
change is placed where the release notes put it (facts, routeros 5). Data only: nothing is executed here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from gateway.simulators.routeros.appliance import APPLIANCE, LIVE
from gateway.simulators.routeros.properties import SETTINGS, Property

Version = tuple[int, ...]

EMPTY_REPLY: Version = (7, 18)
"""From here on a command without rows says `!empty` (facts, routeros 1.4)."""

PLAIN_LOGIN: Version = (6, 43)
"""Before this, `/login` hands out a challenge (facts, routeros 1.5)."""

ISO_DATES: Version = (7, 10)
"""Before this, dates are `jan/31/2024` (facts, routeros 5)."""

MAX_SESSIONS: Version = (7, 16)
"""Before this, `/ip/service` has no `max-sessions` (facts, routeros 1.10)."""

SLASHED_PATHS: Version = (7,)
"""Before this, the console knows `/ip hotspot user` only, and no `:timestamp` (facts, routeros 5)."""

DEVICE_MODE: Version = (7,)
"""Before this, no router forbids its own features (facts, routeros 5)."""

API_ONLY = frozenset({"getall", "listen"})
"""Commands of the API that the console does not list: other names of `print`."""

_FOREVER: Version = (999,)


def parse_version(text: str) -> Version:
    """`7.20.8 (stable)` as numbers. ValueError for what does not begin with a version."""
    numbers = re.match(r"\d+(?:\.\d+)+", text)
    if numbers is None:
        raise ValueError(f"{text!r} is no RouterOS version")
    return tuple(map(int, numbers[0].split(".")))


@dataclass(frozen=True, slots=True)
class Span:
    """A name and the versions that have it, `until` not included."""

    name: str
    since: Version = (0,)
    until: Version = _FOREVER

    def covers(self, version: Version) -> bool:
        """Whether that version has it."""
        return self.since <= version < self.until


@dataclass(frozen=True, slots=True)
class Menu:
    """One directory of the router."""

    path: str
    verbs: tuple[Span, ...]
    print_extras: tuple[Span, ...] = ()
    columns: dict[str, Property] = field(default_factory=dict)
    """The properties that `add` and `set` take, by name."""
    ordered: bool = False
    singleton: bool = False
    policy: str | None = None
    """What a user needs besides `read` or `write`."""

    def properties(self, version: Version) -> dict[str, Property]:
        """The settable properties of that version."""
        return {name: column for name, column in self.columns.items() if column.since <= version < column.until}

    def commands(self, version: Version) -> dict[str, frozenset[str]]:
        """Each command of that version with its arguments."""
        return {
            f"{self.path}/{verb.name}": frozenset(self._arguments(verb.name, version))
            for verb in self.verbs
            if verb.covers(version)
        }

    def _arguments(self, verb: str, version: Version) -> Iterable[str]:
        if (self.path, verb) in _FIXED:
            return _names(_FIXED[self.path, verb], version)
        if verb == "print" or verb in API_ONLY:
            return _names((*(_SINGLETON_PRINT if self.singleton else _PRINT), *self.print_extras), version)
        if verb == "add":
            return {*self.properties(version), "copy-from"} | ({"place-before"} if self.ordered else set())
        if verb == "set":
            return set(self.properties(version)) | (set() if self.singleton else {"numbers"})
        if verb == "get":
            return _names(_SINGLETON_GET if self.singleton else _GET, version)
        return _names(_ARGUMENTS[verb], version)


def _names(spans: Iterable[Span], version: Version) -> set[str]:
    return {span.name for span in spans if span.covers(version)}


def _spans(*names: str) -> tuple[Span, ...]:
    return tuple(map(Span, names))


_SINGLETON_PRINT = _spans("as-value", "without-paging")
_PRINT = (
    *_spans("as-value", "count-only", "detail", "follow", "follow-only", "proplist", "show-ids", "terse"),
    *_spans("value-list", "without-paging"),
)
_SINGLETON_GET = (Span("value-name"), Span("as-string", EMPTY_REPLY), Span("as-string-value", EMPTY_REPLY))
_GET = (Span("number"), *_SINGLETON_GET)
_ARGUMENTS: dict[str, tuple[Span, ...]] = {
    "remove": _spans("numbers"),
    "enable": _spans("numbers"),
    "disable": _spans("numbers"),
    "comment": _spans("numbers", "comment"),
    "find": (),
    "move": _spans("numbers", "destination"),
    "unset": _spans("numbers", "value-name"),
    "reset-counters": _spans("numbers"),
    "reset-counters-all": (),
    "login": _spans("user", "password", "ip", "mac-address", "domain"),
    "make-binding": _spans("numbers", "type", "comment"),
    "request-logout": _spans("numbers"),
    "reset-html": _spans("numbers"),
    "sign": (
        *_spans("append", "as-value", "ca", "ca-crl-host", "ca-on-smart-card", "do", "duration", "file", "interval", "name"),
        *_spans("number", "once", "without-paging"),
        Span("freeze-frame-interval", (7, 24)),
    ),
    "run": (Span("number"), Span("use-script-permissions", MAX_SESSIONS)),
    "debug": _spans("message"),
    "info": _spans("message"),
    "warning": _spans("message"),
    "error": _spans("message"),
    "fetch": (
        *_spans("address", "as-value", "ascii", "certificate", "check-certificate", "dst-path", "duration", "host", "http-data"),
        *_spans("http-header-field", "http-method", "keep-result", "mode", "once", "output", "password", "port", "src-address"),
        *_spans("src-path", "upload", "url", "user", "without-paging"),
        *(Span(name, MAX_SESSIONS) for name in ("http-auth-scheme", "http-content-encoding", "http-max-redirect-count")),
        *(Span(name, MAX_SESSIONS) for name in ("idle-timeout", "proplist")),
        *(Span(name, (7, 24)) for name in ("http-percent-encoding", "http-version", "ip-type")),
    ),
}
_FIXED: dict[tuple[str, str], tuple[Span, ...]] = {
    ("/ip/hotspot/active", "set"): _spans("numbers", "comment"),
    ("/file", "add"): (*_spans("name", "contents"), Span("copy-from", until=MAX_SESSIONS), Span("type", MAX_SESSIONS)),
    ("/file", "set"): (*_spans("numbers", "contents"), Span("name", MAX_SESSIONS), Span("type", MAX_SESSIONS)),
}
"""Commands whose arguments do not follow from their menu's properties; what came between two known schemas is put where
`max-sessions` came."""

_READ = _spans("print", "getall", "listen", "find", "get")
_READ_ONE = _spans("print", "getall", "get")
_SET_ONE = (*_READ_ONE, *_spans("set"))
_FETCH = Span("fetch")
_EDIT = (*_READ, *_spans("add", "set", "remove"))
_SWITCH = _spans("enable", "disable")
_NOTE = _spans("comment")
_SENSITIVE = (Span("show-sensitive", (7, 21)),)


TABLES = tuple(path for path in (*SETTINGS, *APPLIANCE) if path != "/system/identity")
"""The menus that are kept as rows."""

_COLUMNS = {path: {column.name: column for column in columns} for path, columns in (SETTINGS | APPLIANCE | LIVE).items()}


def _menu(
    path: str, verbs: tuple[Span, ...], extras: tuple[Span, ...] = (), *, ordered: bool = False, policy: str | None = None
) -> Menu:
    return Menu(path, verbs, extras, _COLUMNS.get(path, {}), ordered=ordered, policy=policy)


def _singleton(path: str, verbs: tuple[Span, ...] = _READ_ONE) -> Menu:
    return Menu(path, verbs, (), _COLUMNS.get(path, {}), singleton=True)


MENUS: dict[str, Menu] = {
    menu.path: menu
    for menu in (
        _menu("/ip/hotspot", (*_EDIT, *_SWITCH, *_spans("reset-html"))),
        _menu("/ip/hotspot/profile", _EDIT, _SENSITIVE),
        _menu(
            "/ip/hotspot/user",
            (*_EDIT, *_SWITCH, *_NOTE, *_spans("reset-counters")),
            (*_spans("bytes", "packets"), *_SENSITIVE),
        ),
        _menu("/ip/hotspot/user/profile", (*_EDIT, *_spans("unset"))),
        _menu("/ip/hotspot/active", (*_READ, *_spans("login", "remove"), Span("set", until=(7, 21))), _spans("stats", "status")),
        _menu("/ip/hotspot/host", (*_READ, *_spans("remove", "make-binding")), _spans("bytes", "packets", "status")),
        _menu("/ip/hotspot/ip-binding", (*_EDIT, *_SWITCH, *_NOTE, *_spans("move")), ordered=True),
        _menu("/ip/hotspot/cookie", (*_READ, *_spans("remove"))),
        _menu("/ip/hotspot/walled-garden", (*_EDIT, *_SWITCH, *_NOTE, *_spans("move", "unset")), ordered=True),
        _menu("/ip/hotspot/walled-garden/ip", (*_EDIT, *_SWITCH, *_NOTE, *_spans("move", "unset")), ordered=True),
        _menu("/ip/service", (*_READ, *_spans("set"))),
        _menu("/ip/address", (*_EDIT, *_SWITCH, *_NOTE)),
        _menu("/ip/arp", (*_EDIT, *_SWITCH, *_NOTE)),
        _menu("/ip/pool", (*_EDIT, *_NOTE)),
        _singleton("/ip/dns", _SET_ONE),
        _menu("/ip/dns/static", (*_EDIT, *_SWITCH, *_NOTE, *_spans("move")), ordered=True),
        _menu("/ip/dhcp-server", (*_EDIT, *_SWITCH)),
        _menu("/ip/dhcp-server/network", (*_EDIT, *_NOTE, *_spans("unset"))),
        _menu("/ip/dhcp-server/option", (*_EDIT, Span("comment", MAX_SESSIONS))),
        _menu("/ip/firewall/filter", (*_EDIT, *_SWITCH, *_NOTE, *_spans("move", "unset")), ordered=True),
        _menu("/ip/firewall/nat", (*_EDIT, *_SWITCH, *_NOTE, *_spans("move", "unset")), ordered=True),
        _menu("/ipv6/address", (*_EDIT, *_SWITCH, *_NOTE)),
        _menu("/ipv6/nd", (*_EDIT, *_SWITCH, *_NOTE)),
        _singleton("/ipv6/settings", _SET_ONE),
        _menu("/certificate", (*_EDIT, *_spans("unset", "sign"))),
        _menu("/file", (*_READ, *_spans("set", "remove"), Span("add", ISO_DATES))),
        _menu("/tool", (_FETCH,), policy="test"),
        _menu("/user", (*_EDIT, *_SWITCH, *_NOTE), policy="policy"),
        _menu("/user/group", (*_EDIT, *_NOTE), policy="policy"),
        _menu("/interface", _READ),
        _menu("/system/scheduler", (*_EDIT, *_SWITCH, *_NOTE)),
        _menu("/system/script", (*_EDIT, *_NOTE, *_spans("run"))),
        _menu("/user/active", (*_READ, Span("remove", since=(7, 20)), Span("request-logout", until=(7, 20)))),
        _menu("/log", (*_READ, *_spans("debug", "info", "warning", "error"))),
        _singleton("/system/identity", _SET_ONE),
        _singleton("/system/resource"),
        _singleton("/system/clock", _SET_ONE),
        _singleton("/system/ntp/client", _SET_ONE),
        _singleton("/system/device-mode", (Span("print", DEVICE_MODE), Span("getall", DEVICE_MODE), Span("get", DEVICE_MODE))),
        _singleton("/system/license"),
    )
}

DIRECTORIES = frozenset(path[:end] for path in MENUS for end in range(2, len(path) + 1) if path[end : end + 1] in {"", "/"})
"""Paths that lead somewhere, so that an unknown command in them is told from an unknown path."""


@cache
def commands(version: Version) -> Mapping[str, frozenset[str]]:
    """Every command that this version has here, with its arguments; without the API's own `/login`, `/quit` and `/cancel`."""
    return MappingProxyType({path: arguments for menu in MENUS.values() for path, arguments in menu.commands(version).items()})
