"""Whoever sends slowly, or nothing at all, does not hold on to the daemon."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway import daemon
from gateway.web import bodies
from tests.e2e.conftest import OpenSite
from tests.e2e.world import PUBLIC_KEY, World

HEAD = (
    "POST /payments/intasend/initiate/ HTTP/1.1\r\nHost: gateway\r\n"
    f"X-Public-Key: {PUBLIC_KEY}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
).encode()
PATIENCE_S = 10.0


@contextlib.asynccontextmanager
async def connection(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.running.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """One byte after the other for as long as the other side listens; each gives everybody else a turn."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(data)
            await writer.drain()
            for _ in range(50):
                await asyncio.sleep(0)


async def test_a_body_that_drips_is_given_up_and_the_connection_closed(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    async with connection(world) as (reader, writer), asyncio.timeout(PATIENCE_S):
        writer.write(HEAD)
        answer = await reader.readuntil(b"}")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not come in time" in answer
    assert world.intasend.pushes == []


@pytest.mark.parametrize("sent", [b"", b"POST /payments/", HEAD[:60]], ids=["nothing", "half a line", "half the headers"])
async def test_a_connection_without_a_whole_request_is_closed(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch, sent: bytes):
    monkeypatch.setattr(daemon, "IDLE_S", 0.05)
    async with connection(await open_site()) as (reader, writer), asyncio.timeout(PATIENCE_S):
        writer.write(sent)
        assert await reader.read() == b""


async def test_headers_that_drip_without_end_do_not_keep_a_connection(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daemon, "IDLE_S", 0.05)
    async with connection(await open_site()) as (reader, writer), asyncio.timeout(PATIENCE_S):
        writer.write(b"GET /portal/ HTTP/1.1\r\n")
        dripping = asyncio.create_task(drip(writer, b"x"))
        try:
            with contextlib.suppress(ConnectionError):
                await reader.read()
        finally:
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)


async def test_headers_without_measure_are_refused(world: World):
    async with connection(world) as (reader, writer), asyncio.timeout(PATIENCE_S):
        writer.write(b"GET /portal/ HTTP/1.1\r\nHost: gateway\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"400"


async def test_slow_clients_by_the_dozen_hold_up_nobody(world: World):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(50):
            _, writer = await stack.enter_async_context(connection(world))
            writer.write(HEAD)
            await writer.drain()
        status, _ = await world.initiate(world.amina)

    assert status == 201
