import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.errors import RouterRefused, RouterUnreachable
from gateway.hotspot.base import RouterLogin, Way
from gateway.hotspot.link import Link
from gateway.hotspot.wire import Trap
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


@pytest.fixture
async def router() -> AsyncIterator[ScriptedRouter]:
    scripted = ScriptedRouter()
    await scripted.start()
    yield scripted
    await scripted.stop()


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


async def test_one_connection_and_one_login_serve_all_questions(router):
    async with linked(router) as link:
        assert link.reachable is None
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        await link.ask(PRINT)
        assert link.reachable is True
    assert router.connections == 1
    assert [words[0] for words in router.asked] == ["/login", PRINT, PRINT]


async def test_values_stay_the_text_that_the_router_sent(router):
    router.answers[PRINT] = [("!re", "=.id=*1", "=name=123", "=disabled=yes", "=comment=a=b", "=empty="), DONE]
    async with linked(router) as link:
        assert await link.ask(PRINT) == [{".id": "*1", "name": "123", "disabled": "yes", "comment": "a=b", "empty": ""}]


async def test_text_beyond_ascii_passes_in_both_directions(router):
    router.answers[PRINT] = lambda words: [("!re", words[1]), DONE]
    async with linked(router) as link:
        assert await link.ask(PRINT, "=comment=Müller ☕ Nyeri") == [{"comment": "Müller ☕ Nyeri"}]


async def test_words_longer_than_one_length_byte_are_read(router):
    router.answers[PRINT] = [("!re", "=comment=" + "x" * 5_000), DONE]
    async with linked(router) as link:
        [row] = await link.ask(PRINT)
        assert len(row["comment"]) == 5_000


async def test_tags_and_empty_answers_are_passed_over(router):
    router.answers[PRINT] = [("!empty", ".tag=7"), ("!done", ".tag=7")]
    async with linked(router) as link:
        assert await link.ask(PRINT) == []


async def test_the_attributes_of_done_come_last(router):
    router.answers[PRINT] = [("!done", "=ret=*1F")]
    async with linked(router) as link:
        assert await link.ask(PRINT) == [{"ret": "*1F"}]


async def test_a_trap_is_raised_after_its_answer_was_read_to_the_end_and_the_connection_goes_on(router):
    router.answers["/x"] = [("!trap", ".tag=3", "=category=0", "=message=no such item\r\n", "=ret=?"), ("!trap",), DONE]
    async with linked(router) as link:
        with pytest.raises(Trap) as caught:
            await link.ask("/x")
        assert (caught.value.text, caught.value.category) == ("no such item", 0)
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        assert link.reachable is True
    assert router.connections == 1


async def test_a_trap_without_a_message_is_a_trap(router):
    router.answers["/x"] = [("!trap",), DONE]
    async with linked(router) as link:
        with pytest.raises(Trap, match="no reason given"):
            await link.ask("/x")


@pytest.mark.parametrize("answer", [sentence("!fatal", "not logged in"), sentence("!fatal"), b"\0", b"\xff\xff", CUT])
async def test_a_conversation_that_broke_is_never_used_again(router, answer):
    router.answers["/x"] = answer
    async with linked(router) as link:
        with pytest.raises(RouterUnreachable, match="Kiosk"):
            await link.ask("/x")
        assert link.reachable is False
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        assert link.reachable is True
    assert router.connections == 2


async def test_silence_ends_at_the_deadline_and_costs_the_connection(router):
    router.answers["/x"] = HANG
    async with linked(router) as link:
        with pytest.raises(RouterUnreachable):
            await link.ask("/x", deadline_s=0.02)
        assert link.reachable is False
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
    assert router.connections == 2


async def test_a_caller_who_gives_up_in_mid_sentence_leaves_no_half_read_answer_behind(router):
    asked = asyncio.Event()

    def hang(words):
        asked.set()
        return HANG

    router.answers["/x"] = hang
    async with linked(router) as link:
        caller = asyncio.create_task(link.ask("/x", deadline_s=60))
        await asked.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
    assert router.connections == 2


async def test_a_connection_that_was_cut_while_idle_is_replaced_without_a_failure(router):
    async with linked(router) as link:
        await link.ask(PRINT)
        router.cut()
        assert link._conversation
        await link._conversation._reader.read()  # until its end
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        assert link.generation == 2


async def test_questions_that_come_together_are_asked_one_after_the_other(router):
    router.answers["/x"] = lambda words: [("!re", words[1]), DONE]
    async with linked(router) as link:
        answers = await asyncio.gather(*(link.ask("/x", f"=n={n}") for n in range(20)))
    assert answers == [[{"n": str(n)}] for n in range(20)]
    assert router.connections == 1


async def test_after_a_failed_connection_calls_fail_at_once_until_the_pause_is_over(router):
    clock = FakeClock()
    async with linked(router, clock) as link:
        await router.stop()
        with pytest.raises(RouterUnreachable):
            await link.ask(PRINT)
        await router.start()
        with pytest.raises(RouterUnreachable, match="a moment ago"):
            await link.ask(PRINT)
        clock.advance(0.5)
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]


async def test_the_pause_doubles_up_to_five_seconds_and_starts_small_again_after_a_success(router):
    clock = FakeClock()
    async with linked(router, clock) as link:
        await router.stop()
        pauses = []
        for _ in range(6):
            with pytest.raises(RouterUnreachable):
                await link.ask(PRINT)
            pauses.append(link._retry_at_s - clock.monotonic_s())
            clock.advance(5)
        assert pauses == [0.5, 1, 2, 4, 5, 5]
        await router.start()
        await link.ask(PRINT)
        await router.stop()
        for _ in ("the connection is lost", "and cannot be replaced"):
            with pytest.raises(RouterUnreachable):
                await link.ask(PRINT)
        assert link._retry_at_s - clock.monotonic_s() == 0.5


async def test_the_pause_is_shortened_at_random_by_up_to_half(router):
    clock = FakeClock()
    await router.stop()
    link = Link(login_to(router), clock, random_share=lambda: 1.0)
    with pytest.raises(RouterUnreachable):
        await link.ask(PRINT)
    assert link._retry_at_s - clock.monotonic_s() == 0.25
    await router.start()


async def test_a_wrong_password_is_a_refusal_and_is_not_tried_again_before_the_pause_is_over(router):
    router.answers["/login"] = [("!trap", "=message=invalid user name or password (6)"), DONE]
    async with linked(router) as link:
        for _ in range(3):
            with pytest.raises(RouterRefused, match="user name or password"):
                await link.ask(PRINT)
        assert link.reachable is False
    assert router.connections == 1


async def test_an_unanswered_login_is_an_unreachable_router(router):
    router.answers["/login"] = HANG
    async with linked(router) as link:
        with pytest.raises(RouterUnreachable):
            await link.ask(PRINT)
        assert link.reachable is False


async def test_an_old_router_gets_the_answer_to_its_challenge(router):
    challenge, expected = "259e0bc05acd6f46926dc2f809ed1bba", "00c7fd865183a43a772dde231f6d0bff13"
    router.answers["/login"] = lambda words: [DONE if f"=response={expected}" in words else ("!done", f"=ret={challenge}")]
    async with linked(router, password=Secret("test")) as link:
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
    assert router.asked[2] == ("/login", "=name=gateway", f"=response={expected}")


async def test_a_router_that_stays_away_is_logged_once(router, caplog):
    clock = FakeClock()
    async with linked(router, clock) as link:
        await router.stop()
        for _ in range(3):
            with pytest.raises(RouterUnreachable):
                await link.ask(PRINT)
            clock.advance(5)
        assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
        await router.start()
        await link.ask(PRINT)


async def test_the_password_is_in_no_log(router, caplog):
    caplog.set_level("DEBUG")
    async with linked(router) as link:
        await link.ask(PRINT)
    assert "connected" in caplog.text
    assert "s3cret" not in caplog.text


# TLS


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path, str]:
    """A certificate as RouterOS makes it: self-signed, with the address as subject alternative name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "router.pem").write_bytes(pem)
    (folder / "router.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "router.pem", folder / "router.key")
    return context, folder / "router.pem", hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


@pytest.fixture
async def tls_router(tmp_path) -> AsyncIterator[tuple[ScriptedRouter, Path, str]]:
    context, ca_file, fingerprint = certificate(tmp_path)
    scripted = ScriptedRouter()
    await scripted.start(tls=context)
    yield scripted, ca_file, fingerprint
    await scripted.stop()


@pytest.mark.parametrize("trust", ["pinned", "pinned in capitals", "verified", "encrypted only"])
async def test_a_router_with_tls_is_spoken_to(tls_router, trust):
    router, ca_file, fingerprint = tls_router
    changes: dict[str, dict[str, Any]] = {
        "pinned": {"tls_fingerprint": fingerprint},
        "pinned in capitals": {"tls_fingerprint": fingerprint.upper()},
        "verified": {"tls_ca_file": ca_file},
        "encrypted only": {},
    }
    async with linked(router, tls=True, **changes[trust]) as link:
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]


async def test_a_router_with_another_certificate_than_the_pinned_one_never_gets_the_password(tls_router):
    router, _, _ = tls_router
    async with linked(router, tls=True, tls_fingerprint="0" * 64) as link:
        with pytest.raises(RouterRefused, match="tls_fingerprint"):
            await link.ask(PRINT)
    assert router.asked == []


async def test_a_router_that_the_ca_file_does_not_vouch_for_is_refused(tls_router, tmp_path_factory):
    router, _, _ = tls_router
    _, stranger, _ = certificate(tmp_path_factory.mktemp("stranger"))
    async with linked(router, tls=True, tls_ca_file=stranger) as link:
        with pytest.raises(RouterRefused, match="TLS"):
            await link.ask(PRINT)
    assert router.asked == []


async def test_a_ca_file_that_cannot_be_read_is_named(tls_router):
    router, _, _ = tls_router
    async with linked(router, tls=True, tls_ca_file=Path("/nonexistent/ca.pem")) as link:
        with pytest.raises(RouterRefused, match=r"/nonexistent/ca\.pem"):
            await link.ask(PRINT)


async def test_a_port_that_speaks_no_tls_is_refused_with_a_hint(router):
    router.answers = {}
    async with linked(router, tls=True) as link:
        with pytest.raises((RouterRefused, RouterUnreachable), match="Kiosk"):
            await link.ask(PRINT)
