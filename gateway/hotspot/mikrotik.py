"""The hotspot of a MikroTik router behind `gateway.hotspot.base.Hotspot`, over the RouterOS API.

Here are the verbs, one at a time per router, and the translation of the router's refusals. The two ways in are `users` and
`bindings`; both are shut in `shut_out`, because an operator may have changed from one to the other.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway.clock import Clock
from gateway.errors import RouterRefused, RouterUnreachable
from gateway.hotspot.base import Device, Inspection, Pulse, RouterLogin, Snapshot, WantedAccess, Way
from gateway.hotspot.bindings import Bindings
from gateway.hotspot.capacity import Capacity
from gateway.hotspot.hosts import Hosts, mac_in
from gateway.hotspot.link import COMMAND_S, Link
from gateway.hotspot.rights import Rights
from gateway.hotspot.survey import Survey, inspect, uptime_s
from gateway.hotspot.users import Users
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import ANY_SERVER, Row, Unintelligible
from gateway.identity import IpAddress, MacAddress

PROBE_S = 5.0
"""A router that takes longer for the cheapest question is not one to sell on now: purchases for it are refused within 15 s
(contract, bounds)."""

LACKS_RIGHT = "its API user lacks a right: the group needs the policies api, read and write"

REFUSALS = (
    ("not enough permissions", LACKS_RIGHT),
    ("license", "its licence allows no more hotspot users at the same time"),
    ("session limit", "its licence allows no more hotspot users at the same time"),
    ("no more sessions", "the user is logged in on as many devices as its profile allows"),
    ("no such command", "it has no hotspot: the package is missing or device-mode forbids it"),
    ("unknown parameter", "its RouterOS version does not know what we ask for"),
)
"""Part of a trap's text, in lower case, and what the operator is told before the router's own words (facts, routeros 1.9, 6)."""


class _WayIn(Protocol):
    """What `users` and `bindings` have in common."""

    async def admit(self, wanted: WantedAccess) -> Device: ...

    async def withdraw(self, mac: MacAddress) -> None: ...

    async def ours(self) -> list[Row]: ...


class MikrotikHotspot:
    """One router's hotspot over two connections: one for commands, one for long prints, so that no sale waits for a survey."""

    def __init__(self, login: RouterLogin, clock: Clock, *, deadline_s: float = COMMAND_S, probe_s: float = PROBE_S) -> None:
        self._login = login
        self._probe_s = probe_s
        self._commands = Link(login, clock, deadline_s=deadline_s)
        self._prints = Link(login, clock, purpose="long prints", deadline_s=deadline_s)
        self._hosts = Hosts(self._commands)
        self._server = login.hotspot_server or ANY_SERVER
        self._bindings = Bindings(self._commands, self._server, self._hosts)
        self._users = Users(self._commands, self._server, self._hosts)
        ways: tuple[_WayIn, _WayIn] = (self._users, self._bindings)
        self._way_in, self._other_way = ways if login.way is Way.USER else ways[::-1]
        self._leftovers: set[MacAddress] | None = None
        self._survey = Survey(self._prints)
        self._capacity = Capacity(self._commands, deadline_s=probe_s)
        self._rights = Rights(self._commands, login, deadline_s=probe_s)
        self._pulse: Pulse | None = None
        """The last one."""
        self._verb = asyncio.Lock()

    @property
    def reachable(self) -> bool | None:
        """See `Hotspot`; the connection for commands decides. A router that takes no change of ours is as good as out of reach."""
        return self._commands.reachable and self._rights.suffice

    @property
    def room(self) -> int | None:
        """See `Hotspot`. A bypassed device is not logged in: `Way.BINDING` knows no limit."""
        return self._pulse.room if self._pulse else None

    async def locate(self, mac: MacAddress | None, ip: IpAddress | None) -> Device | None:
        """See `Hotspot`. An address after universal NAT is found too."""
        with self._refusals():
            host = await self._hosts.find(mac, ip)
            return host.device if host else None

    async def authorize(self, wanted: WantedAccess) -> Device:
        """See `Hotspot`. With `Way.USER` three commands when all is well, and nothing is written when nothing differs."""
        with self._changes():
            async with self._verb:
                await self._clear_leftovers(wanted.mac)
                return await self._way_in.admit(wanted)

    async def shut_out(self, mac: MacAddress) -> None:
        """See `Hotspot`. What lets the device in again goes first: user, session, cookies, binding, host row."""
        with self._changes():
            async with self._verb:
                await self._users.withdraw(mac)
                await self._bindings.withdraw(mac)

    async def pulse(self) -> Pulse:
        """See `Hotspot`. One question, and two where the licence sets a limit; one more where our rights are to be tried."""
        with self._refusals():
            uptime = await uptime_s(self._commands, deadline_s=self._probe_s)
            await self._rights.try_out()
            limit = await self._capacity.session_limit() if self._login.way is Way.USER else None
            sessions = 0 if limit is None else await self._capacity.sessions()
        self._pulse = Pulse(uptime, sessions, limit)
        return self._pulse

    async def observe(self) -> Snapshot:
        """See `Hotspot`."""
        with self._refusals():
            return await self._survey.take()

    async def inspect(self) -> Inspection:
        """See `Inspector`."""
        with self._refusals():
            return await inspect(self._prints)

    async def close(self) -> None:
        """End both connections, at the same time: a router may owe us the end of TLS until we stop waiting."""
        await asyncio.gather(self._commands.close(), self._prints.close())

    async def _clear_leftovers(self, mac: MacAddress) -> None:
        """Shut out what an earlier configuration let in: by the other way, or at another hotspot server.

        Nothing else makes such rows, so they are looked for once.
        """
        if self._leftovers is None:
            rows = await self._other_way.ours()
            rows += [row for row in await self._way_in.ours() if row.get("server", ANY_SERVER) != self._server]
            self._leftovers = {left for row in rows if (left := mac_in(row.get("mac-address")))}
        if mac in self._leftovers:
            await self._way_in.withdraw(mac)
            await self._other_way.withdraw(mac)
            self._leftovers.discard(mac)

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """`_refusals` of what changes something on the router: one for want of rights is the next one's as well, and not asked."""
        if not self._rights.suffice:
            raise RouterRefused(f"router {self._login.name}: {LACKS_RIGHT}")
        with self._refusals():
            try:
                yield
            except Trap as trap:
                self._rights.note_refusal(trap.text)
                raise

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Foreign words stop here: traps become a sentence for the operator."""
        try:
            yield
        except Trap as trap:
            reason = next((told for part, told in REFUSALS if part in trap.text.lower()), "it refuses a command")
            raise RouterRefused(f"router {self._login.name}: {reason} ({trap.text})") from trap
        except Unintelligible as nonsense:
            raise RouterUnreachable(f"router {self._login.name} answers nonsense: {nonsense}") from nonsense
