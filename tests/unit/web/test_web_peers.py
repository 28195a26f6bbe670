"""Which machine is asking, with and without a proxy in between."""

import ipaddress
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.web.peers import address_of, client_address
from gateway.web.services import SERVICES

TRUSTED = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"))


def asked_by(remote: str, *forwarded: str, trusted: tuple[object, ...] = TRUSTED) -> web.Request:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in forwarded])
    app = {SERVICES: SimpleNamespace(config=SimpleNamespace(server=SimpleNamespace(trusted_proxies=trusted)))}
    return make_mocked_request("GET", "/metrics", headers=headers, app=app).clone(remote=remote)


def seen_from(remote: str, *forwarded: str, trusted: tuple[object, ...] = TRUSTED) -> str:
    return str(address_of(asked_by(remote, *forwarded, trusted=trusted)))


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("192.168.88.7", (), "192.168.88.7"),
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("192.168.88.7",), "192.168.88.7"),
        ("127.0.0.1", ("127.0.0.1, 192.168.88.7",), "192.168.88.7"),
        ("127.0.0.1", ("127.0.0.1", "192.168.88.7 , 10.0.0.9"), "192.168.88.7"),
        ("192.168.88.7", ("127.0.0.1",), "192.168.88.7"),
        ("127.0.0.1", ("nonsense",), "None"),
        ("127.0.0.1", ("192.168.88.7,",), "None"),
        ("::ffff:192.168.88.7", (), "192.168.88.7"),
        ("::ffff:127.0.0.1", ("192.168.88.7",), "192.168.88.7"),
        ("fe80::1", (), "fe80::1"),
        ("", (), "None"),
    ],
)
def test_a_proxy_is_believed_as_far_as_it_is_trusted(remote: str, forwarded: tuple[str, ...], address: str) -> None:
    assert seen_from(remote, *forwarded) == address


def test_nobody_is_believed_when_no_proxy_is_trusted() -> None:
    assert seen_from("127.0.0.1", "192.168.88.7", trusted=()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("remote", "counted"),
    [
        ("192.168.88.7", "192.168.88.7"),
        ("::ffff:192.168.88.7", "192.168.88.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_limits_count_an_ipv6_client_by_its_network(remote: str, counted: str) -> None:
    assert client_address(asked_by(remote)) == counted


def test_limits_count_who_stands_behind_a_trusted_proxy() -> None:
    assert client_address(asked_by("127.0.0.1", "192.168.88.7")) == "192.168.88.7"
