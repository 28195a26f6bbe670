"""The router as a whole: port, power, TLS, number of connections."""

import asyncio
import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.simulators.routeros import SimulatedRouter
from tests.simulators.routeros.rawclient import RawClient
from tests.simulators.routeros.sales import IP, MAC


async def test_power_off_resets_connections_and_refuses_new_ones(router, client, dial):
    port = router.port
    await router.power_off()
    with pytest.raises(ConnectionResetError):
        await client.sentence()
    with pytest.raises(ConnectionRefusedError):
        await dial(router, login=False)
    await router.power_on()
    assert router.port == port
    assert await dial(router)


async def test_a_reboot_takes_as_long_as_it_is_told(router, clock, dial, asleep):
    rebooting = asyncio.ensure_future(router.reboot(down_s=60))
    await asleep()
    with pytest.raises(ConnectionRefusedError):
        await dial(router, login=False)
    clock.advance(60)
    await rebooting
    assert await dial(router)


async def test_the_configuration_survives_a_reboot_and_phones_stay_in_range(router, client):
    router.join(MAC, IP)
    await client.talk("/ip/hotspot/user/add", f"=name={MAC}")
    assert router.traffic(MAC)
    await router.reboot()
    assert router.hotspot.host_rows() == []
    assert router.traffic(MAC)


async def test_beyond_max_sessions_the_router_hangs_up(router, client, dial):
    await client.talk("/ip/service/set", "=.id=*0", "=max-sessions=2")
    await dial(router)
    third = await dial(router, login=False)
    with pytest.raises((EOFError, ConnectionResetError)):
        await third.login()


async def test_a_connection_that_ends_makes_room_for_another(router, client, dial):
    await client.talk("/ip/service/set", "=.id=*0", "=max-sessions=2")
    second = await dial(router)
    await second.talk("/quit")
    await second.close()
    assert await dial(router)


async def test_stopping_twice_is_no_fault(clock):
    router = SimulatedRouter(clock)
    await router.start()
    await router.stop()
    await router.stop()


def test_a_version_that_is_none_is_refused(clock):
    with pytest.raises(ValueError, match="no RouterOS version"):
        SimulatedRouter(clock, version="latest")


@pytest.fixture
def certified(tmp_path):
    """A self-signed certificate, as one makes on a router: its file, and the context of a server that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "router")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - dt.timedelta(days=1), now + dt.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    pem = tmp_path / "router.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return pem, context


async def test_with_a_certificate_the_api_speaks_tls(clock, certified):
    pem, context = certified
    trusting = ssl.create_default_context(cafile=pem)
    trusting.check_hostname = False
    router = SimulatedRouter(clock)
    await router.start(tls=context)
    client = RawClient(*await asyncio.open_connection("127.0.0.1", router.port, ssl=trusting))
    assert await client.login() == [["!done"]]
    assert await client.rows("/system/identity/print") == [{"name": "MikroTik"}]
    await client.close()
    await router.stop()
