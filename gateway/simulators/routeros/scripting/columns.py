"""What `find where` and `get` may name in each menu, and which type a value has that comes out of one."""

from functools import cache

from gateway.simulators.routeros.properties import READ_ONLY
from gateway.simulators.routeros.schema import MENUS, Version, commands
from gateway.simulators.routeros.scripting.parser import Language
from gateway.simulators.routeros.scripting.values import Duration, Value, to_ip
from gateway.simulators.routeros.values import Address, Boolean, Choices, Integer, Kind, Time, parse_duration_s

_COMPUTED: dict[str, str] = {
    "/certificate": "fingerprint invalid-after expires-after private-key expired revoked",
    "/file": "name type size contents last-modified",
    "/interface": "name default-name type mtu actual-mtu mac-address running disabled",
    "/ip/address": "actual-interface",
    "/ip/hotspot/active": "server user domain address mac-address login-by comment",
    "/ip/hotspot/cookie": "user domain mac-address",
    "/ip/hotspot/host": "mac-address address to-address server found-by",
    "/ip/service": "name",
    "/log": "time topics message",
    "/system/clock": "gmt-offset dst-active",
    "/system/device-mode": "mode hotspot scheduler fetch flagged attempt-count",
    "/system/license": "software-id nlevel features level",
    "/system/ntp/client": "status synced-server",
    "/system/resource": "version board-name architecture-name platform total-memory cpu",
    "/system/scheduler": "owner next-run",
    "/user/active": "when name address via group",
}
"""What a menu shows and nobody can set, besides what `READ_ONLY` knows for all of them."""

_CLOCK_ZONE_WRAP = 1 << 32
"""A negative offset of the time zone comes out as a large number."""


@cache
def language(version: Version) -> Language:
    """What that version's console knows."""
    known = commands(version)
    console = {path: arguments for path, arguments in known.items() if path.rpartition("/")[2] not in {"getall", "listen"}}
    columns = {
        path: {".id", *menu.properties(version), *READ_ONLY, *_COMPUTED.get(path, "").split()} for path, menu in MENUS.items()
    }
    return Language(version, console, columns, frozenset(path for path, menu in MENUS.items() if menu.singleton))


def typed(menu: str, name: str, text: str) -> Value:
    """A printed value as the language has it."""
    if (menu, name) == ("/system/clock", "gmt-offset"):
        return _offset(text)
    kind = kind_of(menu, name)
    if isinstance(kind, Boolean):
        return text in {"true", "yes"}
    if isinstance(kind, Integer):
        return int(text) if text.isdigit() else text
    if isinstance(kind, Choices):
        return [word for word in text.split(",") if word]
    if isinstance(kind, Time) or (menu, name) == ("/system/clock", "time"):
        return _duration(text)
    return (to_ip(text) or text) if isinstance(kind, Address) else text


def kind_of(menu: str, name: str) -> Kind | None:
    """The type of a property, if it is not just text."""
    column = MENUS[menu].columns.get(name)
    return column.kind if column else READ_ONLY.get(name)


def _duration(text: str) -> Value:
    try:
        return Duration(int(parse_duration_s(text)))
    except ValueError:
        return text


def _offset(text: str) -> int:
    hours, minutes = text[1:].split(":")
    seconds = int(hours) * 3_600 + int(minutes) * 60
    return _CLOCK_ZONE_WRAP - seconds if text.startswith("-") and seconds else seconds
