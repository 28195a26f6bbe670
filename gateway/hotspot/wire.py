"""One open API connection: connect, prove who the router is, log in, ask one sentence at a time.

The only module that knows librouteros: its codec and transport carry the words. Its conversation is not used, because it turns
"yes" and "123" into other types (a user may be named 123) and stops at `.tag` words and at traps without a message (facts,
routeros 1.4, 1.9); nor is its reader, which asks the stream three times for each word: a table has thousands. Owns no lock, no
deadline and no second attempt: that is `link`.
"""

import asyncio
import hashlib
import hmac
import socket
import ssl
from contextlib import suppress
from typing import Any

from librouteros import async_create_transport  # type: ignore[import-untyped]
from librouteros.exceptions import ConnectionClosed, FatalError, LibRouterosError  # type: ignore[import-untyped]
from librouteros.login import encode_password  # type: ignore[import-untyped]
from librouteros.protocol import decode_length, determine_length, encode_sentence  # type: ignore[import-untyped]

from gateway.errors import RouterRefused
from gateway.hotspot.base import RouterLogin

BROKEN = (OSError, EOFError, LibRouterosError, ValueError, LookupError)
"""What a connection raises when it ends or when words arrive that are none: after any of them it is useless. (An empty
sentence is a ValueError, an answer without its attribute a LookupError.)"""

KEEPALIVE_S = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A router that lost its power sends no FIN (facts, routeros 1.10): the kernel finds out within 25 s on an idle connection."""

_CLOSE_S = 1.0
"""A closing connection owes us nothing: longer than this nobody waits."""

_CHUNK_BYTES = 65_536
"""What is taken from the stream at a time, as far as it is there: the stream itself holds no more."""


class Trap(Exception):
    """The router executed nothing, or not all, of a command and says why. The conversation goes on."""

    def __init__(self, text: str, category: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        """As sent: it differs between versions and can be translated, so compare it by part at most (facts, routeros 1.9)."""
        self.category = category


class Conversation:
    """A connection on which one sentence is asked and answered at a time; values stay the text that the router sent."""

    def __init__(self, transport: Any) -> None:
        self._writer: asyncio.StreamWriter = transport.writer
        self._reader: asyncio.StreamReader = transport.reader
        self._arrived = bytearray()
        """What has arrived and was not read yet."""

    @property
    def is_alive(self) -> bool:
        """Whether the other side has not closed it yet, as far as is known."""
        return not (self._writer.is_closing() or self._reader.at_eof() or self._reader.exception())

    async def ask(self, *words: str) -> list[dict[str, str]]:
        """Send one sentence and read its whole answer: the rows, and the attributes of `!done` as a last one when it has any.

        Raises Trap when the router says no, and one of BROKEN when the connection is of no use any more.
        """
        if self._writer.is_closing():
            raise ConnectionResetError("the connection has ended")  # asyncio raises it by itself, uvloop a RuntimeError
        self._writer.write(encode_sentence(*words, encoding="utf-8"))
        await self._writer.drain()
        rows: list[dict[str, str]] = []
        trap: Trap | None = None
        reply = ""
        while reply != "!done":
            reply, attributes = await self._sentence()
            if reply == "!trap":
                trap = trap or _trap(attributes)
            elif attributes:
                rows.append(attributes)
        if trap:
            raise trap
        return rows

    async def _sentence(self) -> tuple[str, dict[str, str]]:
        reply, *words = await self._words()
        if reply == "!fatal":
            raise FatalError(*words)
        pairs = (word[1:].partition("=") for word in words if word.startswith("="))
        return reply, {name: value for name, _, value in pairs}

    async def _words(self) -> list[str]:
        """Everything up to the empty word."""
        words: list[str] = []
        start, end = await self._next(0)
        while end > start:
            words.append(self._arrived[start:end].decode("utf-8", "ignore"))
            start, end = await self._next(end)
        del self._arrived[:end]
        return words

    async def _next(self, at: int) -> tuple[int, int]:
        """Where the word lies that is announced at `at`, as soon as it has arrived."""
        while (span := _span(self._arrived, at))[1] > len(self._arrived):
            data = await self._reader.read(_CHUNK_BYTES)
            if not data:
                raise ConnectionClosed("the router ended the conversation")
            self._arrived += data
        return span

    def abort(self) -> None:
        """End it at once, whatever is under way: the peer sees a reset, nobody waits."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """End it and wait, briefly, until the socket is gone."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()
        self.abort()


async def connect(login: RouterLogin, *, deadline_s: float) -> Conversation:
    """Open a connection and check the certificate; nothing secret has been sent when this returns.

    Raises RouterRefused when TLS cannot be agreed on or the router is not the one that the configuration names, OSError or
    TimeoutError when there is no connection within `deadline_s` seconds.
    """
    try:
        transport = await async_create_transport(
            login.host, port=login.port, saddr=None, timeout=deadline_s, ssl_wrapper=_tls_context(login)
        )
    except ssl.SSLError as error:
        raise RouterRefused(
            f"router {login.name}: TLS failed ({error.reason or error}); does its api-ssl service have the configured certificate?"
        ) from error
    conversation = Conversation(transport)
    try:
        _check_pin(login, transport.writer)
        _keep_alive(transport.writer.get_extra_info("socket"))
    except BaseException:
        conversation.abort()
        raise
    return conversation


async def log_in(conversation: Conversation, username: str, password: str) -> None:
    """Log in as RouterOS 6.43 and later want it; when a challenge comes back, as the older ones do (facts, routeros 1.5).

    Raises Trap when the router does not accept the name or the password.
    """
    answer = await conversation.ask("/login", f"=name={username}", f"=password={password}")
    if not (answer and "ret" in answer[-1]):
        return
    [*_, challenge] = await conversation.ask("/login")
    response = encode_password(challenge["ret"], password)
    await conversation.ask("/login", f"=name={username}", f"=response={response}")


def _span(data: bytearray, at: int) -> tuple[int, int]:
    """Where the word begins and ends that is announced at `at`: beyond the end of the data, as far as that has not arrived."""
    start = at + 1
    if at < len(data):
        start += determine_length(data[at:start])
    return (start, start + decode_length(data[at:start])) if at < len(data) >= start else (start, start + 1)


def _trap(attributes: dict[str, str]) -> Trap:
    category = attributes.get("category", "")
    return Trap(attributes.get("message", "").strip() or "no reason given", int(category) if category.isdecimal() else None)


def _tls_context(login: RouterLogin) -> ssl.SSLContext | None:
    """Verified by the CA file when there is one; otherwise encrypted, and authenticated only by the pin.

    RouterOS makes its own certificates and browsers' authorities do not know them, so without a CA file and without a pin the
    connection is encrypted but anybody could be at its other end.
    """
    if not login.tls:
        return None
    if login.tls_ca_file is not None:
        try:
            return ssl.create_default_context(cafile=login.tls_ca_file)
        except OSError as error:
            raise RouterRefused(f"router {login.name}: tls_ca_file {login.tls_ca_file} cannot be used ({error})") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _check_pin(login: RouterLogin, writer: asyncio.StreamWriter) -> None:
    if not login.tls or login.tls_fingerprint is None:
        return
    certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    shown = hashlib.sha256(certificate).hexdigest()
    if not hmac.compare_digest(shown, login.tls_fingerprint.lower()):
        raise RouterRefused(
            f"router {login.name} shows the certificate {shown}, not the one in tls_fingerprint: "
            "somebody is in between, or it has a new one"
        )


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value_s in KEEPALIVE_S.items():
        if hasattr(socket, option):  # macOS, where the gateway is developed, names one of them otherwise
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value_s)
