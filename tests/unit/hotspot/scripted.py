"""A router whose every word is written in the test."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.hotspot.base import RouterLogin, Way
from gateway.hotspot.link import Link
from gateway.identity import Secret
from tests.fakeclock import FakeClock

DONE = ("!done",)
HANG, CUT = "hang", "cut"
PRINT = "/system/identity/print"


def word(text: str) -> bytes:
    data = text.encode()
    length = bytes([len(data)]) if len(data) < 0x80 else (len(data) | 0x8000).to_bytes(2, "big")
    return length + data


def sentence(*words: str) -> bytes:
    return b"".join(map(word, words)) + b"\0"


class ScriptedRouter:
    """Answers each command with the bytes or sentences that the test lays down; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/login": [DONE], PRINT: [("!re", "=name=MikroTik"), DONE]}
        self.asked: list[tuple[str, ...]] = []
        self.connections = 0
        self.port = 0
        self._open: dict[asyncio.StreamWriter, asyncio.Future[None]] = {}
        self._server: asyncio.Server | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        self.cut()
        await asyncio.gather(*self._open.values())

    def cut(self) -> None:
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        ended = self._open[writer] = asyncio.get_running_loop().create_future()
        try:
            while True:
                await self._reply(await self._read(reader), writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()
            del self._open[writer]
            ended.set_result(None)

    async def _read(self, reader: asyncio.StreamReader) -> tuple[str, ...]:
        words = []
        while length := (await reader.readexactly(1))[0]:
            if length & 0x80:
                length = (length & 0x3F) << 8 | (await reader.readexactly(1))[0]
            words.append((await reader.readexactly(length)).decode())
        return tuple(words)

    async def _reply(self, words: tuple[str, ...], writer: asyncio.StreamWriter) -> None:
        self.asked.append(words)
        answer = self.answers[words[0]]
        if callable(answer):
            answer = answer(words)
        if answer == CUT:
            raise EOFError
        if answer == HANG:
            return
        writer.write(answer if isinstance(answer, bytes) else b"".join(sentence(*words) for words in answer))
        await writer.drain()


def login_to(router: ScriptedRouter, **changes: Any) -> RouterLogin:
    fields: dict[str, Any] = {
        "router_id": 1,
        "name": "Kiosk",
        "host": "127.0.0.1",
        "port": router.port,
        "tls": False,
        "tls_fingerprint": None,
        "tls_ca_file": None,
        "username": "gateway",
        "password": Secret("s3cret"),
        "hotspot_server": None,
        "way": Way.USER,
    }
    return RouterLogin(**(fields | changes))


@asynccontextmanager
async def linked(router: ScriptedRouter, clock: FakeClock | None = None, **changes: Any) -> AsyncIterator[Link]:
    link = Link(login_to(router, **changes), clock or FakeClock(), deadline_s=0.3, random_share=lambda: 0.0)
    try:
        yield link
    finally:
        await link.close()
