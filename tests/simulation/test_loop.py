"""The simulation's own foundations: time that jumps, machines that die in mid-step, connections that behave like TCP."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.simulation import loop as simulated_loop
from tests.simulation.clocks import SimulatedClock
from tests.simulation.loop import HERE, START_S, Machine, SimulatedLoop
from tests.simulation.network import KEEPALIVE_S, Network

HOUR_S = 3_600.0
SERVER, CLIENT = Machine("server", "10.0.0.1"), Machine("client", "10.0.0.2")
PAIR = frozenset({"server", "client"})


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    simulated = SimulatedLoop()
    network = Network(simulated, "seed")
    network.names = {"10.0.0.1": "server"}
    yield simulated
    simulated.bury()
    simulated.close()


def test_an_hour_passes_at_once(loop: SimulatedLoop):
    began_s = loop.time()

    loop.run_until_complete(asyncio.sleep(HOUR_S))

    assert loop.time() == began_s + HOUR_S


def test_timers_come_in_the_order_of_their_times(loop: SimulatedLoop):
    heard: list[int] = []
    for delay_s in (3, 1, 2):
        loop.call_later(delay_s, heard.append, delay_s)
    cancelled = loop.call_later(1.5, heard.append, 0)
    cancelled.cancel()

    loop.run_until_complete(asyncio.sleep(5))

    assert heard == [1, 2, 3]


def test_a_world_in_which_everybody_waits_for_nothing_is_told(loop: SimulatedLoop):
    with pytest.raises(RuntimeError, match="everybody waits"):
        loop.run_until_complete(loop.create_future())


def test_a_world_that_goes_round_in_a_circle_is_told(loop: SimulatedLoop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulated_loop, "_ROUNDS_MAX", 100)

    async def spin() -> None:
        while True:  # noqa: ASYNC110 - that is the point
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="no time passes"):
        loop.run_until_complete(spin())


def test_a_pause_too_short_to_be_added_up_passes_all_the_same(loop: SimulatedLoop):
    clock, began_s = SimulatedClock(loop), loop.time()

    loop.run_until_complete(clock.sleep(1e-15))

    assert loop.time() > began_s


def test_a_machine_that_was_stopped_does_later_what_has_come_meanwhile_and_in_order(loop: SimulatedLoop):
    machine, done = Machine("stopped", "10.0.0.3"), []

    async def work(after_s: float) -> None:
        await asyncio.sleep(after_s)
        done.append((after_s, loop.time() - START_S))

    async def world() -> None:
        for after_s in (3.0, 1.0, 2.0, 99.0):
            machine.run(lambda: asyncio.ensure_future(work(after_s)))  # noqa: B023 - called at once
        await asyncio.sleep(0.5)
        machine.alive = False
        await asyncio.sleep(90)
        loop.resume(machine)
        await asyncio.sleep(10)

    loop.run_until_complete(world())

    assert done == [(1.0, 90.5), (2.0, 90.5), (3.0, 90.5), (99.0, 99.0)]


def test_a_dead_machine_does_nothing_more_not_even_tidy_up(loop: SimulatedLoop):
    machine, done = Machine("mortal", "10.0.0.3"), []

    async def live() -> None:
        try:
            await asyncio.sleep(1)
            done.append("worked")
        finally:
            done.append("tidied up")

    async def world() -> None:
        machine.run(lambda: asyncio.ensure_future(live()))
        await asyncio.sleep(0.5)
        machine.alive = False
        await asyncio.sleep(10)

    loop.run_until_complete(world())

    assert done == []


def test_what_a_machine_starts_belongs_to_it(loop: SimulatedLoop):
    async def name() -> str:
        return await asyncio.ensure_future(_name())

    async def _name() -> str:
        return HERE.get().name

    task = SERVER.run(lambda: loop.create_task(name()))

    assert loop.run_until_complete(task) == "server"


def test_work_for_threads_is_done_in_place(loop: SimulatedLoop):
    async def work() -> int:
        return await asyncio.to_thread(lambda: 42)

    assert loop.run_until_complete(work()) == 42


# ── connections ──


def _talk(loop: SimulatedLoop, client: Callable[[Any, Any], Coroutine[Any, Any, Any]], *, echoes: bool = True) -> Any:
    """Run a client against a server that sends back what it hears."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            if echoes:
                writer.write(data)
        writer.close()

    async def connect() -> Any:
        reader, writer = await asyncio.open_connection("10.0.0.1", 7)
        try:
            return await client(reader, writer)
        finally:
            writer.close()

    async def world() -> Any:
        await SERVER.run(lambda: asyncio.ensure_future(asyncio.start_server(serve, "10.0.0.1", 7)))
        return await CLIENT.run(lambda: asyncio.ensure_future(connect()))

    return loop.run_until_complete(world())


def test_bytes_arrive_in_order_and_take_their_time(loop: SimulatedLoop):
    loop.network.latency_s[PAIR] = 1.0

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for number in range(10):
            writer.write(bytes([number]))
            await asyncio.sleep(0.01)
        return await reader.readexactly(10)

    began_s = loop.time()
    assert _talk(loop, client) == bytes(range(10))
    assert loop.time() - began_s > 0.4


def test_nobody_listens_at_a_closed_port(loop: SimulatedLoop):
    with pytest.raises(ConnectionRefusedError):
        loop.run_until_complete(asyncio.open_connection("10.0.0.1", 7))


def test_a_connection_that_is_cut_is_reset_for_both(loop: SimulatedLoop):
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        await reader.readexactly(1)
        loop.network.cut(PAIR)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)

    _talk(loop, client)
    assert not loop.network.connections


def test_a_sentence_that_is_torn_arrives_by_half(loop: SimulatedLoop):
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop.network.torn.add(PAIR)
        writer.write(b"0123456789")
        with pytest.raises(ConnectionResetError):
            await reader.read()

    _talk(loop, client)


def test_what_is_sent_into_a_dead_cable_arrives_when_it_is_mended(loop: SimulatedLoop):
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        loop.network.block(PAIR)
        writer.write(b"late")
        loop.call_later(10, loop.network.heal, PAIR)
        began_s = loop.time()
        heard = await reader.readexactly(4)
        assert loop.time() - began_s > 10
        return heard

    assert _talk(loop, client) == b"late"


def test_a_connection_that_asked_for_it_is_given_up_when_the_other_end_is_out_of_reach(loop: SimulatedLoop):
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        loop.network.block(PAIR)
        began_s = loop.time()
        with pytest.raises(TimeoutError):
            await reader.read()
        return loop.time() - began_s

    assert _talk(loop, client) == pytest.approx(KEEPALIVE_S)


def test_a_machine_that_dies_resets_whoever_talks_to_it(loop: SimulatedLoop):
    mortal = Machine("server", "10.0.0.1")

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def world() -> None:
        await mortal.run(lambda: asyncio.ensure_future(asyncio.start_server(serve, "10.0.0.1", 7)))
        reader, _ = await asyncio.open_connection("10.0.0.1", 7)
        await asyncio.sleep(1)
        mortal.alive = False
        loop.network.bury(mortal)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("10.0.0.1", 7)

    loop.run_until_complete(world())
