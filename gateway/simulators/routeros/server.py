"""The simulated router as one thing: a port that speaks the RouterOS API, phones around it, a power switch and faults.

The only place here that opens sockets.
"""

import asyncio
import contextlib
import ssl

from gateway.clock import Clock
from gateway.simulators.routeros.accounts import Accounts, ApiUser
from gateway.simulators.routeros.connection import Connection, Faults
from gateway.simulators.routeros.console import Console
from gateway.simulators.routeros.fetching import fetch_here
from gateway.simulators.routeros.hotspot import HotspotModel
from gateway.simulators.routeros.machine import Machine
from gateway.simulators.routeros.scripting import Interpreter

DEFAULT_POLICIES = frozenset({"api", "read", "write"})
"""What hotspot work needs and no more (facts, routeros 2.12)."""

DEFAULT_LOGIN_BY = frozenset({"mac", "http-chap"})
"""Lets a paying phone back in by itself, without cookies that outlive a purchase (facts, routeros 3.8 and 6)."""


class SimulatedRouter:
    """A MikroTik with one hotspot server, over the real wire protocol.

    `clock` is the router's own time: with a test's clock an hour passes at once. Versions before 6.43 ask for the old login.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        version: str = "7.20.8",
        identity: str = "MikroTik",
        username: str = "gateway",
        password: str = "gateway",  # noqa: S107  # a simulator has nothing to hide
        policies: frozenset[str] = DEFAULT_POLICIES,
        hotspot_server: str = "hotspot1",
        login_by: frozenset[str] = DEFAULT_LOGIN_BY,
        limit_change_moves_running_session: bool = False,
        has_flash_folder: bool = False,
    ) -> None:
        self.machine = Machine(
            clock,
            version=version,
            identity=identity,
            hotspot_server=hotspot_server,
            login_by=login_by,
            limit_change_moves=limit_change_moves_running_session,
        )
        self.machine.has_flash_folder = has_flash_folder
        self.machine.fetch = fetch_here
        self.console = Console(self.machine)
        self._interpreter = Interpreter(self.console, self.machine)
        self.machine.execute = self._interpreter.run
        self.accounts = Accounts(self.machine.configuration, ApiUser(username, password, policies))
        self.faults = Faults()
        self.commands: list[str] = []
        """The commands that were executed, as `path =name=value …`."""
        self.connections: set[Connection] = set()
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._host = "127.0.0.1"
        self._tls: ssl.SSLContext | None = None
        self._events: asyncio.Task[None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen; port 0 takes a free one. With `tls` it is an `api-ssl` port."""
        self._host, self._tls = host, tls
        await self._listen(port)

    async def stop(self) -> None:
        """Cut every connection and close the port. May be called more than once."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        events, self._events = self._events, None
        if events is not None:
            events.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await events
        connections = list(self.connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in connections))
        if server is not None:
            await server.wait_closed()

    @property
    def port(self) -> int:
        """The TCP port; the same after a power cut."""
        return self.machine.port

    @property
    def user(self) -> ApiUser:
        """The user that the router came with; set it to change the password or the rights."""
        return self.accounts.first

    @user.setter
    def user(self, user: ApiUser) -> None:
        self.accounts.first = user

    @property
    def hotspot(self) -> HotspotModel:
        """The hotspot behind the API."""
        return self.machine.hotspot

    @property
    def writes(self) -> int:
        """Configuration changes so far, each of which wears the flash."""
        return self.machine.configuration.writes

    # What an administrator does

    async def run_script(self, text: str) -> list[str]:
        """Paste a text into the terminal of an administrator; gives what it put out, line by line. Raises ScriptError."""
        return await self._interpreter.paste(text)

    def set_clock(self, wall_s: float) -> None:
        """Set the router's clock; 0 is 1970, where a board without a battery comes up."""
        self.machine.wall.set_to(wall_s)
        self.machine.schedule.wake()

    def forbid(self, feature: str) -> None:
        """Let device-mode forbid `hotspot`, `scheduler` or `fetch`, as it does on new boards (facts, routeros 5)."""
        self.machine.device_mode |= {"mode": "home", feature: "false"}
        self.machine.schedule.forbidden = self.machine.device_mode["scheduler"] == "false"
        self.machine.schedule.wake()

    # Power

    async def reboot(self, down_s: float = 0) -> None:
        """Off, and on again after so many seconds of the router's clock."""
        await self.power_off()
        await self._clock.sleep(down_s)
        await self.power_on()

    async def power_off(self) -> None:
        """Every connection is reset, the port refuses, and what was only in memory is lost."""
        await self.stop()
        self.hotspot.reboot()
        self.hotspot.powered = False

    async def power_on(self) -> None:
        """Come up with the stored configuration; phones in range show up with their next packet."""
        self.machine.boot()
        self.hotspot.powered = True
        await self._listen(self.port)

    # Phones

    def join(self, mac: str, ip: str) -> None:
        """A phone associates, takes that address and sends its first packet."""
        self.hotspot.join(mac, ip)

    def leave(self, mac: str) -> None:
        """A phone goes out of range."""
        self.hotspot.leave(mac)

    def traffic(self, mac: str, bytes_in: int = 0, bytes_out: int = 0) -> bool:
        """A phone sends; the router may let it in by MAC or cookie. True if the traffic passes."""
        return self.hotspot.traffic(mac, bytes_in, bytes_out)

    def passes(self, mac: str) -> bool:
        """Whether its traffic would pass right now."""
        return self.hotspot.passes(mac)

    async def _listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self._host, port, ssl=self._tls)
        self.machine.port = self._server.sockets[0].getsockname()[1]
        self._events = loop.create_task(self.machine.schedule.run(self.machine.run_event))
