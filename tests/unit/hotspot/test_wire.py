"""The words on the wire, however they arrive; TLS to the router: whom we speak to, and what is refused."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.errors import RouterRefused, RouterUnreachable
from gateway.hotspot.wire import BROKEN, Conversation, connect
from tests.unit.hotspot.scripted import PRINT, ScriptedRouter, linked, login_to, sentence


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


async def test_a_port_that_speaks_no_tls_is_refused_with_a_hint(scripted):
    scripted.answers = {}
    async with linked(scripted, tls=True) as link:
        with pytest.raises((RouterRefused, RouterUnreachable), match="Kiosk"):
            await link.ask(PRINT)


@pytest.mark.parametrize("length", [1, 0x7F - 3, 0x80 - 3, 0x3FFF - 3])
@pytest.mark.parametrize("piece_bytes", [1, 700, 100_000])
async def test_an_answer_is_the_same_in_whatever_pieces_it_arrives(length, piece_bytes):
    arriving = asyncio.StreamReader()
    conversation = Conversation(
        SimpleNamespace(reader=arriving, writer=Mock(drain=AsyncMock(), is_closing=Mock(return_value=False)))
    )
    asking = asyncio.ensure_future(conversation.ask(PRINT))
    text = "x" * length
    answer = sentence("!re", f"={text}=1") + sentence("!re", "=name=MikroTik", "=comment=") + sentence("!done")
    for at in range(0, len(answer), piece_bytes):
        await asyncio.sleep(0)
        arriving.feed_data(answer[at : at + piece_bytes])
    assert await asking == [{text: "1"}, {"name": "MikroTik", "comment": ""}]


async def test_a_connection_that_ends_before_the_question_is_broken_like_one_that_ends_before_the_answer(scripted):
    conversation = await connect(login_to(scripted), deadline_s=1.0)
    conversation.abort()
    await asyncio.sleep(0)

    with pytest.raises(BROKEN):
        await conversation.ask(PRINT)
