"""The configuration of the simulated router: ordered rows that clients add, set, move and remove.

Owns ids, uniqueness, references between menus and the count of flash writes. It knows nothing of who is online.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.properties import Property
from gateway.simulators.routeros.schema import MENUS, Version

Row = dict[str, str]
"""A row by property, `.id` among them, each value as the router prints it."""


def hex_id(number: int) -> str:
    """`*` and upper-case hexadecimal digits, as ids look."""
    return f"*{number:X}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a row of one menu a duplicate, and which rows cannot be removed."""

    keys: Callable[[Row], set[tuple[str, ...]]] = lambda _row: set()
    """Two rows that share one of these cannot both exist."""
    duplicate: str = "failure: item with such name already exists"
    protected: str = "failure: default item can not be removed"


def _by_name(row: Row) -> set[tuple[str, ...]]:
    return {(row["name"],)}


def _by_client(row: Row) -> set[tuple[str, ...]]:
    return {(name, row[name]) for name in ("mac-address", "address") if row.get(name)}


_NAMED = Rules(_by_name)
_RULES: dict[str, Rules] = {
    "/ip/hotspot": _NAMED,
    "/ip/hotspot/profile": _NAMED,
    "/ip/hotspot/user/profile": _NAMED,
    "/system/scheduler": _NAMED,
    "/system/script": _NAMED,
    "/ip/hotspot/user": Rules(
        lambda row: {(row["name"], row["server"])},
        "failure: already have user with this name for this server",
        "failure: default trial user can not be removed",
    ),
    "/ip/hotspot/ip-binding": Rules(_by_client, "failure: such client already exists"),
    "/ip/dhcp-server": _NAMED,
    "/ip/dhcp-server/option": _NAMED,
    "/certificate": _NAMED,
    "/ip/pool": Rules(_by_name, "failure: pool with such name exists"),
    "/ip/dns/static": Rules(lambda row: {(row["name"], row["type"], row.get("address", ""))}, "failure: entry already exists"),
    "/ip/dhcp-server/network": Rules(lambda row: {(row["address"],)}, "failure: entry already exists"),
    "/ip/arp": Rules(lambda row: {(row["address"], row["interface"])}, "failure: already have such address"),
    "/user": Rules(_by_name, "failure: user with the same name already exists"),
    "/user/group": Rules(_by_name, "failure: group with the same name already exists", "failure: can not remove default group"),
    "/ip/address": Rules(lambda row: {(row["address"], row["interface"])}, "failure: already have such address"),
}


class Table:
    """The rows of one menu. Ids grow and are never used twice (facts, routeros 1.8)."""

    def __init__(self, path: str, configuration: "Configuration") -> None:
        self.path = path
        self.properties: dict[str, Property] = MENUS[path].properties(configuration.version)
        self._configuration = configuration
        self._rules = _RULES.get(path, Rules())
        self._rows: dict[str, Row] = {}
        self._owners: dict[tuple[str, ...], str] = {}
        self._fixed: set[str] = set()
        self._next = 0
        self.changed: Callable[[], None] = lambda: None
        """Called after each change of a row."""

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def named(self, name: str) -> Row | None:
        """The first row of that name."""
        return next((row for row in self if row.get("name") == name), None)

    def get(self, row_id: str) -> Row:
        """The row with that id. Raises the trap `no such item`."""
        if row_id not in self._rows:
            raise traps.no_such_item()
        return self._rows[row_id]

    def __contains__(self, row_id: str) -> bool:
        return row_id in self._rows

    def seed(self, **values: str) -> Row:
        """A row from the factory, which cannot be removed; underscores in names stand for dashes."""
        row = self.plant(**values)
        self._fixed.add(row[".id"])
        return row

    def plant(self, **values: str) -> Row:
        """A row that somebody made before us; no flash write is counted."""
        row = self._new_row({name.replace("_", "-"): value for name, value in values.items()})
        self._claim(row)
        self._rows[row[".id"]] = row
        return row

    def add(self, arguments: Mapping[str, str]) -> str:
        """Add a row, also as a copy of another or before another, and give its id. Raises the traps of facts, routeros 1.9."""
        values = dict(arguments)
        before, model = values.pop("place-before", None), values.pop("copy-from", None)
        copied = {name: value for name, value in self.get(model).items() if name != ".id"} if model else {}
        given = self._parse(values)
        missing = [name for name, known in self.properties.items() if known.required and not given.get(name) and name not in copied]
        if missing:
            raise traps.missing_arguments(missing)
        if before:
            self.get(before)
        row = self._new_row(copied | given)
        self._claim(row)
        self._put(row, before)
        self._written()
        return row[".id"]

    def set(self, row_id: str, arguments: Mapping[str, str]) -> None:
        """Change a row; nothing changes when a value is refused."""
        row = self.get(row_id)
        changed = row | self._parse(arguments)
        self._claim(changed, instead_of=row)
        if changed.get("name") != row.get("name"):
            self._configuration.repoint(self.path, row["name"], changed["name"])
        row.update(changed)
        self._written()

    def unset(self, row_id: str, name: str) -> None:
        """Give a property its factory value back."""
        if name not in self.properties:
            raise traps.no_match("value-name")
        row, default = self.get(row_id), self.properties[name].default
        row.pop(name, None)
        if default is not None:
            row[name] = default
        self._written()

    def remove(self, row_id: str) -> None:
        """Remove a row. What referred to it shows its bare id from now on."""
        row = self.get(row_id)
        if row_id in self._fixed:
            raise traps.Trap(self._rules.protected)
        self._release(self._rows.pop(row_id))
        if "name" in row:
            self._configuration.repoint(self.path, row["name"], row_id)
        self._written()

    def move(self, row_id: str, destination: str | None) -> None:
        """Put a row before another one, or at the end."""
        for named in filter(None, (row_id, destination)):
            self.get(named)
        if destination != row_id:
            self._put(self._rows.pop(row_id), destination)
        self._written()

    def is_fixed(self, row_id: str) -> bool:
        """Whether the row came from the factory (flag `default`)."""
        return row_id in self._fixed

    def shown(self, row: Row) -> Row:
        """The row as printed: in the menu's order and without what says nothing."""
        printed = {name: known for name, known in self.properties.items() if not known.write_only}
        return {".id": row[".id"]} | {
            name: row[name] for name, known in printed.items() if name in row and row[name] not in known.hidden
        }

    def _written(self) -> None:
        self._configuration.writes += 1
        self.changed()

    def _new_row(self, values: Mapping[str, str]) -> Row:
        row = {".id": hex_id(self._next)}
        row |= {name: known.default for name, known in self.properties.items() if known.default is not None}
        self._next += 1
        return row | dict(values)

    def _put(self, row: Row, before: str | None) -> None:
        """Insert a row before another one, or at the end."""
        following = list(self._rows)[list(self._rows).index(before) :] if before else []
        self._rows[row[".id"]] = row
        for row_id in following:
            self._rows[row_id] = self._rows.pop(row_id)

    def _parse(self, arguments: Mapping[str, str]) -> Row:
        return {name: self.properties[name].kind.parse(name, text, self._configuration.names) for name, text in arguments.items()}

    def _claim(self, row: Row, *, instead_of: Row | None = None) -> None:
        """Take the row's keys. Raises the trap for a duplicate and changes nothing then."""
        keys = self._rules.keys(row)
        if any(self._owners.get(key, row[".id"]) != row[".id"] for key in keys):
            raise traps.Trap(self._rules.duplicate)
        if instead_of is not None:
            self._release(instead_of)
        self._owners |= dict.fromkeys(keys, row[".id"])

    def _release(self, row: Row) -> None:
        for key in self._rules.keys(row):
            self._owners.pop(key, None)


class Configuration:
    """Every configured menu of one router."""

    def __init__(self, version: Version, menus: tuple[str, ...]) -> None:
        self.version = version
        self.writes = 0
        """Configuration changes so far: what wears the flash (facts, routeros 6)."""
        self.tables = {path: Table(path, self) for path in menus}
        self.interfaces: dict[str, str] = {}

    def names(self, path: str) -> Mapping[str, str]:
        """The names in a menu by id: what a reference may point at."""
        if path == "/interface":
            return self.interfaces
        return {row[".id"]: row["name"] for row in self.tables[path]}

    def policies(self, given: frozenset[str]) -> str:
        """A group's rights as the router writes them; the first words are those that it has."""
        kind = self.tables["/user/group"].properties["policy"].kind
        return kind.parse("policy", ",".join(sorted(given)), self.names)

    def repoint(self, path: str, old: str, new: str) -> None:
        """Let every reference to a row follow its new name."""
        for table in self.tables.values():
            pointing = [name for name, known in table.properties.items() if getattr(known.kind, "menu", None) == path]
            for row in table:
                row.update({name: new for name in pointing if row.get(name) == old})
