"""What IntaSend's server lets us know about the time, over real TLS with certificates made here."""

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import format_datetime
from ipaddress import IPv4Address
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import ProviderUnreachable
from gateway.providers.intasend import IntaSend
from tests.scriptedserver import ORDER, PUSHED, account, serving

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
VALID = (NOW - DAY, NOW + DAY)
SHOWN = dt.datetime(2025, 8, 25, 10, 30, tzinfo=dt.UTC)


class Heard:
    """A `Witness` that remembers."""

    def __init__(self) -> None:
        self.dates_s: list[float] = []
        self.refusals = 0

    def hear_date(self, date_s: float) -> None:
        self.dates_s.append(date_s)

    def hear_certificate(self) -> None:
        self.refusals += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


def certificate(folder: Path, valid: tuple[dt.datetime, dt.datetime]) -> Path:
    """A self-signed one with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "IntaSend's stand-in")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *valid)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, key_format = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / "both.pem"
    path.write_bytes(key.private_bytes(pem, key_format, serialization.NoEncryption()) + made.public_bytes(pem))
    return path


@asynccontextmanager
async def over_tls(
    folder: Path, heard: Heard, *, date: str = "", valid: tuple[dt.datetime, dt.datetime] = VALID, trusted: bool = True
) -> AsyncIterator[IntaSend]:
    """An account at a server with that certificate and that clock, asked by a client that trusts who signed it, or does not."""

    async def push(_: web.Request) -> web.Response:
        return web.json_response(PUSHED, headers={"Date": date})

    path = certificate(folder, valid)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", push)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    client = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=path if trusted else None))
    async with aiohttp.ClientSession(connector=client) as http:
        yield IntaSend(account(f"https://127.0.0.1:{runner.addresses[0][1]}/"), http, witness=heard)
    await runner.cleanup()


async def test_the_clock_of_a_server_whose_certificate_is_verified_is_heard(tmp_path: Path, heard: Heard):
    async with over_tls(tmp_path, heard, date=format_datetime(SHOWN, usegmt=True)) as provider:
        await provider.push(ORDER)
    assert heard.dates_s == [SHOWN.timestamp()]


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Aug 2025 10:30:00 GMT", "Mon, 25 Aug 99999999999 10:30:00 GMT"])
async def test_a_clock_that_says_nothing_sensible_is_not_heard(tmp_path: Path, heard: Heard, date: str):
    async with over_tls(tmp_path, heard, date=date) as provider:
        await provider.push(ORDER)
    assert heard.dates_s == []


async def test_without_tls_anybody_could_say_what_time_it_is(heard: Heard):
    async with serving() as server, aiohttp.ClientSession() as http:
        server.json(PUSHED)
        await IntaSend(account(server.base_url), http, witness=heard).push(ORDER)
    assert heard.dates_s == []


@pytest.mark.parametrize("valid", [(NOW + DAY, NOW + 2 * DAY), (NOW - 2 * DAY, NOW - DAY)])
async def test_a_certificate_that_is_not_valid_now_means_a_wrong_clock_and_nothing_sent(tmp_path: Path, heard: Heard, valid):
    async with over_tls(tmp_path, heard, valid=valid) as provider:
        with pytest.raises(ProviderUnreachable, match=r"the clock is wrong, see timedatectl; nothing was sent"):
            await provider.push(ORDER)
    assert heard.refusals == 1


async def test_a_certificate_of_somebody_else_says_nothing_about_the_clock(tmp_path: Path, heard: Heard):
    async with over_tls(tmp_path, heard, trusted=False) as provider:
        with pytest.raises(ProviderUnreachable, match="cannot be reached"):
            await provider.push(ORDER)
    assert heard.refusals == 0
