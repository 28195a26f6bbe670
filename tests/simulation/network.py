"""A network in memory: TCP connections between machines, with latency, and with everything that can become of a connection.

Owns how bytes travel: in order on each connection, late, or not at all. Names no party of the world and no protocol.
"""

import asyncio
import errno
import itertools
import os
import random
import socket
from collections.abc import Callable
from contextvars import Context
from typing import Any

from tests.simulation.loop import HERE, Machine, SimulatedLoop

Pair = frozenset[str]
"""Two machines by name."""

KEEPALIVE_S = 25.0
"""When the kernel gives an idle connection up whose other end is out of reach: what `gateway.hotspot.wire` asks it for."""

FIRST_PORT = 40_000


class Network:
    """All connections of one world. How long everything takes is drawn for each connection by itself, from the seed."""

    def __init__(self, loop: SimulatedLoop, seed: str) -> None:
        self.loop = loop
        self.names: dict[str, str] = {}
        """Machines by address."""
        self.latency_s: dict[Pair, float] = {}
        """The longest way between two machines; those that are not named are a millisecond apart."""
        self.connections: dict[int, tuple[Transport, Transport]] = {}
        """Open ones, by number."""
        self.listeners: dict[tuple[str, int], Listener] = {}
        self.torn: set[Pair] = set()
        """Between these machines the next bytes arrive by half, and then the connection breaks; once."""
        self._seed = seed
        self._blocked: dict[Pair, int] = {}
        self._stalled: list[Transport] = []
        self._connecting: list[tuple[Pair, asyncio.Future[None]]] = []
        self._numbers = itertools.count(1)
        self._ports = itertools.count(FIRST_PORT)
        loop.network = self

    # Faults

    def block(self, pair: Pair) -> None:
        """Nothing gets through between two machines until `heal`, which has to come as often; what is sent waits."""
        self._blocked[pair] = self._blocked.get(pair, 0) + 1
        for ends in list(self.connections.values()):
            if ends[0].pair == pair:
                for end in ends:
                    self.loop.call_later(KEEPALIVE_S, end.lose_patience)

    def heal(self, pair: Pair) -> None:
        """The way is free again: what waited arrives, each connection after another while."""
        self._blocked[pair] -= 1
        if self._blocked[pair]:
            return
        del self._blocked[pair]
        for waiting in self._connecting:
            if waiting[0] == pair and not waiting[1].done():
                waiting[1].set_result(None)
        self._connecting = [waiting for waiting in self._connecting if not waiting[1].done()]
        stalled, self._stalled = self._stalled, []
        for transport in stalled:
            transport.push()

    def is_blocked(self, pair: Pair) -> bool:
        return pair in self._blocked

    def cut(self, pair: Pair) -> None:
        """Every connection between two machines is reset."""
        for ends in list(self.connections.values()):
            if ends[0].pair == pair:
                for end in ends:
                    end.break_off(ConnectionResetError(errno.ECONNRESET, "reset by the network"))

    def bury(self, machine: Machine) -> None:
        """A machine died: whoever was connected to it hears a reset."""
        for address, listener in list(self.listeners.items()):
            if listener.machine is machine:
                del self.listeners[address]
        for ends in list(self.connections.values()):
            for end, other in (ends, ends[::-1]):
                if end.machine is machine:
                    machine.remains.append(end)
                    end.vanish()
                    other.break_off(ConnectionResetError(errno.ECONNRESET, "the other end died"))

    # Connections

    def listen(self, factory: Callable[[], Any], host: str | None, port: int) -> "Listener":
        machine = HERE.get()
        address = (host or machine.address, port or next(self._ports))
        if address in self.listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        listener = Listener(self, factory, address, machine.context())
        self.listeners[address] = listener
        return listener

    async def connect(self, factory: Callable[[], Any], host: str, port: int) -> tuple["Transport", Any]:
        """A connection to whoever listens there. ConnectionRefusedError when nobody does."""
        here, number = HERE.get(), next(self._numbers)
        rng = random.Random(f"{self._seed}/{number}")
        pair = frozenset((here.name, self.names.get(host, host)))
        await asyncio.sleep(self._way_s(pair, rng) * 2)
        while pair in self._blocked:
            waiting: asyncio.Future[None] = self.loop.create_future()
            self._connecting.append((pair, waiting))
            await waiting
        listener = self.listeners.get((host, port))
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        near, far = (here.address, number), (host, port)
        ours = Transport(self, number=number, pair=pair, machine=here, context=here.context(), rng=rng, here=near, there=far)
        theirs = Transport(
            self, number=number, pair=pair, machine=listener.machine, context=listener.context.copy(), rng=rng, here=far, there=near
        )
        ours.other, theirs.other = theirs, ours
        self.connections[number] = (ours, theirs)
        protocol = ours.protocol = factory()
        self.loop.call_soon(theirs.begin, listener.factory, context=theirs.context)
        protocol.connection_made(ours)
        return ours, protocol

    def _way_s(self, pair: Pair, rng: random.Random) -> float:
        return self.latency_s.get(pair, 0.001) * (0.2 + 0.8 * rng.random())


class Listener:
    """An open port."""

    def __init__(self, network: Network, factory: Callable[[], Any], address: tuple[str, int], context: Context) -> None:
        self.factory = factory
        self.address = address
        self.context = context
        self.machine = context[HERE]
        self.sockets = (Socket(address, address),)
        self._network = network

    def close(self) -> None:
        if self._network.listeners.get(self.address) is self:
            del self._network.listeners[self.address]

    def is_serving(self) -> bool:
        return self._network.listeners.get(self.address) is self

    async def wait_closed(self) -> None:
        await asyncio.sleep(0)


class Socket:
    """As much of a socket as its users ask of it."""

    family = socket.AF_INET

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        self._here, self._there = here, there
        self.keeps_alive = False

    def getsockname(self) -> tuple[str, int]:
        return self._here

    def getpeername(self) -> tuple[str, int]:
        return self._there

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_KEEPALIVE):
            self.keeps_alive = bool(value)

    def fileno(self) -> int:
        return -1


class Transport(asyncio.Transport):
    """One end of a connection."""

    other: "Transport"

    def __init__(
        self,
        network: Network,
        *,
        number: int,
        pair: Pair,
        machine: Machine,
        context: Context,
        rng: random.Random,
        here: tuple[str, int],
        there: tuple[str, int],
    ) -> None:
        self.pair = pair
        self.machine = machine
        self.context = context
        self.protocol: Any = None
        self._network = network
        self._loop = network.loop
        self._number = number
        self._rng = rng
        self._socket = Socket(here, there)
        self._outgoing: list[bytes] = []
        self._is_under_way = False
        self._closing = False
        self._lost = False
        self._paused = False
        self._held: list[bytes] = []
        self._eof_held = False

    # What protocols call

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            return self._socket
        return {"peername": self._socket.getpeername(), "sockname": self._socket.getsockname()}.get(name, default)

    def is_closing(self) -> bool:
        return self._closing or self._lost

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        if data and not (self._closing or self._lost):
            self._outgoing.append(bytes(data))
            self.push()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        if self._held or self._eof_held:
            self._loop.call_soon(self._take_held, context=self.context)

    def is_reading(self) -> bool:
        return not (self._paused or self.is_closing())

    def close(self) -> None:
        """Send what is there, then say good-bye."""
        if self._closing or self._lost:
            return
        self._closing = True
        self.push()
        self._loop.call_soon(self._end, None, context=self.context)

    def abort(self) -> None:
        """End it at once; the other end hears a reset."""
        if self._lost:
            return
        self._closing = True
        self._outgoing.clear()
        self._loop.call_soon(self._end, None, context=self.context)
        if self._network.is_blocked(self.pair):
            return  # the reset is lost on the way: the other end finds out when it sends, or by its patience
        delay_s = self._network._way_s(self.pair, self._rng)
        reset = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        self._loop.call_later(delay_s, self.other.break_off, reset, context=self.other.context)

    # What the network does

    def begin(self, factory: Callable[[], Any]) -> None:
        """A server's end comes to life."""
        if self._lost:
            return
        self.protocol = factory()
        self.protocol.connection_made(self)
        self._take_held()

    def push(self) -> None:
        """Send what is waiting, with whatever is added while it is under way."""
        if not self._is_under_way:
            self._is_under_way = True
            self._loop.call_later(self._network._way_s(self.pair, self._rng), self._deliver, context=self.other.context)

    def _deliver(self) -> None:
        if self._network.is_blocked(self.pair):
            self._network._stalled.append(self)
            self._is_under_way = False
            return
        self._is_under_way = False
        data, self._outgoing = b"".join(self._outgoing), []
        if data and self.pair in self._network.torn:
            self._network.torn.discard(self.pair)
            self.other._receive(data[: len(data) // 2])
            self._network.cut(self.pair)
            return
        if data:
            self.other._receive(data)
        if self._closing:
            self.other._receive_eof()

    def _receive(self, data: bytes) -> None:
        if self._closing or self._lost:
            if self._closing and not self.other._lost:  # nobody reads here any more: TCP answers with a reset
                self.other.break_off(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        elif self._paused or self.protocol is None:
            self._held.append(data)
        else:
            self.protocol.data_received(data)

    def _receive_eof(self) -> None:
        if self._closing or self._lost:
            return
        if self._paused or self.protocol is None:
            self._eof_held = True
        elif not self.protocol.eof_received():
            self.close()

    def _take_held(self) -> None:
        if self._paused or self._lost:
            return
        held, self._held = self._held, []
        if held:
            self._receive(b"".join(held))
        if self._eof_held:
            self._eof_held = False
            self._receive_eof()

    def _end(self, fault: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._forget()
        if self.protocol is not None:
            self.protocol.connection_lost(fault)

    def break_off(self, fault: Exception) -> None:
        """The connection is gone, and this end hears why."""
        if not self._lost:
            self._closing = True
            self._loop.call_soon(self._end, fault, context=self.context)

    def lose_patience(self) -> None:
        """The kernel has heard nothing for too long."""
        if self._network.is_blocked(self.pair) and self._socket.keeps_alive:
            self.break_off(TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def vanish(self) -> None:
        """Its machine died: it neither sends nor hears anything."""
        self._lost = self._closing = True
        self._outgoing.clear()
        self._forget()

    def _forget(self) -> None:
        if self.other._lost:
            self._network.connections.pop(self._number, None)
