"""What `hotspot-gateway check` looks at on a router: each table once, and what this login may not see is remembered as such.

Reads, and tries one change that cannot change anything (of a row that does not exist), because a login without the right to write
looks like any other until the first customer has paid. What it means is for `inspection_rules` and `inspection_network`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.hotspot.base import RouterLogin
from gateway.hotspot.link import Link
from gateway.hotspot.tables import any_of
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import Row
from gateway.packages import SpeedProfile

TABLES: Mapping[str, str] = {
    "/ip/address": "address,interface,disabled",
    "/ip/dhcp-server/network": "address,dns-server",
    "/ip/dns": "allow-remote-requests",
    "/ip/firewall/filter": (
        "chain,action,disabled,src-address,dst-address,src-address-list,dst-address-list,in-interface,out-interface,"
        "in-interface-list,out-interface-list,connection-mark,hotspot"
    ),
    "/ip/firewall/nat": "chain,action,disabled,src-address,dst-address,out-interface,out-interface-list,hotspot",
    "/ip/hotspot": "name,interface,profile,address-pool,disabled",
    "/ip/hotspot/active": ".id",
    "/ip/hotspot/ip-binding": "address,mac-address,type,bypassed,disabled",
    "/ip/hotspot/host": "address,mac-address",
    "/ip/hotspot/profile": "name,login-by,mac-auth-mode,html-directory",
    "/ip/hotspot/user/profile": "name,rate-limit,shared-users,add-mac-cookie,keepalive-timeout,idle-timeout",
    "/ip/hotspot/walled-garden": "action,dst-host,disabled",
    "/ip/hotspot/walled-garden/ip": "action,dst-address,dst-host,dst-port,protocol,disabled",
    "/ip/service": "name,address,certificate,disabled",
    "/ipv6/address": "address,interface,disabled",
    "/ipv6/settings": "disable-ipv6",
    "/system/clock": "date,time,gmt-offset",
    "/system/device-mode": "mode,hotspot,scheduler,fetch",
    "/system/license": "nlevel,level",
    "/system/ntp/client": "enabled,status",
    "/system/scheduler": "name,on-event,interval,disabled,run-count",
    "/system/script": "name,source",
    "/user": "name,group,address",
    "/user/group": "name,policy",
    "/user/active": "name,address,via",
}
"""The tables and the attributes of each that are asked for: thousands of full rows time out (facts, routeros 6)."""

NOBODY = "*FFFFFFE"
"""An id that no router reaches: ids count up from 0 and each one costs a write to its flash."""


class Right(StrEnum):
    """Whether this login may change things."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Site:
    """What the router is compared with."""

    login: RouterLogin
    public_url: str
    speeds: tuple[SpeedProfile, ...]
    wall_s: float
    """The gateway's clock, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen."""

    tables: Mapping[str, tuple[Row, ...]]
    """Each table that could be read. One that this version of RouterOS does not have is empty."""
    may_write: Right = Right.UNKNOWN
    pages: Mapping[str, str | None] | None = None
    """The files of the hotspot's folder by name, None for one whose text the router does not show; None for no file list."""

    def rows(self, path: str) -> tuple[Row, ...]:
        """The rows of a table. Raises Unseen when this login may not read it."""
        if path not in self.tables:
            raise Unseen(path)
        return self.tables[path]

    def one(self, path: str) -> Row:
        """The only row of a menu with settings; empty when this version does not have the menu. Raises Unseen."""
        return next(iter(self.rows(path)), {})


class Verdict(StrEnum):
    """What a line of the table begins with."""

    OK = "ok"
    LOOK = "look"
    """May be as somebody wants it, or could not be seen: no error."""
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One pitfall, and whether this router is in it."""

    what: str
    verdict: Verdict
    detail: str
    """What was seen; of what is not well also what to do."""


class Unseen(Exception):
    """The login has no right to see that."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


async def look(link: Link, site: Site, page_names: Iterable[str]) -> Sight:
    """Read everything. Raises what `Link.ask` raises, but for refusals of single tables."""
    tables: dict[str, tuple[Row, ...]] = {}
    for path, shown in TABLES.items():
        rows = await _read(link, path, f"=.proplist={shown}")
        if rows is not None:
            tables[path] = rows
    directory = html_directory(Sight(tables), site)
    pages = None if directory is None else await _pages(link, directory, page_names)
    return Sight(tables, await may_write(link), pages)


def servers(sight: Sight, site: Site) -> list[Row]:
    """The hotspot servers that we sell on. Raises Unseen."""
    wanted = site.login.hotspot_server
    return [row for row in sight.rows("/ip/hotspot") if wanted in {None, row.get("name")}]


def server_profiles(sight: Sight, site: Site) -> list[Row]:
    """Their profiles. Raises Unseen."""
    names = {row.get("profile", "default") for row in servers(sight, site)}
    return [row for row in sight.rows("/ip/hotspot/profile") if row.get("name") in names]


def html_directory(sight: Sight, site: Site) -> str | None:
    """Where the pages of the first of them lie; None when that cannot be seen."""
    try:
        profiles = server_profiles(sight, site)
    except Unseen:
        return None
    return profiles[0].get("html-directory", "hotspot") if profiles else None


async def _pages(link: Link, directory: str, names: Iterable[str]) -> Mapping[str, str | None] | None:
    rows = await _read(link, "/file", "=.proplist=name,contents", *any_of(*(f"name={directory}/{name}" for name in names)))
    if rows is None:
        return None
    return {row.get("name", "").removeprefix(f"{directory}/"): row.get("contents") for row in rows}


async def _read(link: Link, path: str, *words: str) -> tuple[Row, ...] | None:
    """The rows; none at all of a menu that this version does not have; None without the right to see them."""
    try:
        return tuple(row for row in await link.ask(f"{path}/print", *words) if row)
    except Trap as trap:
        if "no such command" in trap.text:
            return ()
        return None


async def may_write(link: Link, *, deadline_s: float | None = None) -> Right:
    """Change a row that does not exist: who may is told so, who may not is told that instead (facts, routeros 1.9)."""
    try:
        await link.ask("/ip/hotspot/user/set", f"=.id={NOBODY}", "=comment=", deadline_s=deadline_s)
    except Trap as trap:
        if "no such item" in trap.text:
            return Right.YES
        return Right.NO if "permission" in trap.text else Right.UNKNOWN
    return Right.UNKNOWN
