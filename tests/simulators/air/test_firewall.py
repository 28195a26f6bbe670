"""What the router does with a phone's connections, destination by destination."""

from dataclasses import replace

import pytest

from gateway.simulators.air.firewall import Destination, Verdict, own_names, receives, verdict
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock
from tests.simulators.air.scene import ELSEWHERE, IP, MAC, add, let_in

GATEWAY = Destination("10.5.50.2", 8080)
HTTPS = Destination("example.com", 443)

pytestmark = pytest.mark.usefixtures("phone")


@pytest.mark.parametrize(
    ("port", "becomes"),
    [
        (80, Verdict.TO_LOGIN),
        (8080, Verdict.TO_LOGIN),
        (3128, Verdict.TO_LOGIN),
        (443, Verdict.REFUSED),
        (853, Verdict.REFUSED),
        (8000, Verdict.REFUSED),
    ],
)
def test_a_stranger_is_led_to_the_login_page_by_http_and_refused_otherwise(router: SimulatedRouter, port: int, becomes: Verdict):
    assert verdict(router, MAC, Destination("example.com", port)) is becomes


def test_a_phone_that_has_paid_passes_everywhere(router: SimulatedRouter):
    let_in(router)
    assert [verdict(router, MAC, to) for to in (ELSEWHERE, HTTPS, GATEWAY)] == [Verdict.PASSES] * 3


def test_a_phone_whose_time_is_over_is_a_stranger_again(router: SimulatedRouter, clock: FakeClock):
    let_in(router, limit_uptime="60s")
    assert verdict(router, MAC, ELSEWHERE) is Verdict.PASSES
    clock.advance(60)
    assert verdict(router, MAC, ELSEWHERE) is Verdict.TO_LOGIN


def test_a_bypassed_phone_passes(router: SimulatedRouter):
    add(router, "ip-binding", mac_address=MAC, type="bypassed")
    assert verdict(router, MAC, ELSEWHERE) is Verdict.PASSES


def test_a_blocked_phone_gets_no_answer_from_anybody(router: SimulatedRouter):
    add(router, "ip-binding", mac_address=MAC, type="blocked")
    assert {verdict(router, MAC, to) for to in (ELSEWHERE, GATEWAY, Destination("10.5.50.1", 80))} == {Verdict.LOST}


def test_a_phone_out_of_range_gets_no_answer(router: SimulatedRouter, phone: SimulatedPhone):
    let_in(router)
    phone.leave()
    assert verdict(router, MAC, ELSEWHERE) is Verdict.LOST


async def test_nobody_gets_an_answer_without_power(router: SimulatedRouter):
    await router.start()
    await router.power_off()
    assert verdict(router, MAC, ELSEWHERE) is Verdict.LOST
    assert not receives(router, MAC, 100)


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        ({"dst_address": "10.5.50.2"}, True),
        ({"dst_address": "10.5.50.2", "dst_port": "8080", "protocol": "tcp"}, True),
        ({"dst_address": "10.5.50.0/24"}, True),
        ({"dst_address": "10.5.50.1-10.5.50.9"}, True),
        ({"dst_port": "80,8000-8100"}, True),
        ({}, True),
        ({"src_address": IP}, True),
        ({"dst_address": "10.5.50.3"}, False),
        ({"dst_address": "10.5.50.2", "dst_port": "80"}, False),
        ({"dst_address": "10.5.50.2", "protocol": "udp"}, False),
        ({"dst_host": "example.com"}, False),
        ({"dst_address": "10.5.50.2", "src_address": "10.5.50.99"}, False),
        ({"dst_address": "10.5.50.2", "disabled": "yes"}, False),
        ({"dst_address_list": "servers"}, False),
        ({"src_address_list": "servers"}, False),
    ],
)
def test_the_garden_of_addresses_lets_through_what_its_row_says(router: SimulatedRouter, row: dict[str, str], *, passes: bool):
    add(router, "walled-garden/ip", **row)
    assert verdict(router, MAC, GATEWAY) is (Verdict.PASSES if passes else Verdict.TO_LOGIN)


def test_the_garden_of_addresses_opens_a_port_that_nothing_else_would_open(router: SimulatedRouter):
    add(router, "walled-garden/ip", dst_host="Example.com", dst_port="443")
    assert verdict(router, MAC, HTTPS) is Verdict.PASSES
    assert verdict(router, MAC, replace(HTTPS, host="other.example")) is Verdict.REFUSED


@pytest.mark.parametrize(("action", "becomes"), [("drop", Verdict.LOST), ("reject", Verdict.REFUSED)])
def test_the_first_row_that_fits_decides(router: SimulatedRouter, action: str, becomes: Verdict):
    add(router, "walled-garden/ip", dst_address="10.5.50.2", action=action)
    add(router, "walled-garden/ip", dst_address="10.5.50.2")
    assert verdict(router, MAC, GATEWAY) is becomes


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        ({"dst_host": "*.example.com"}, True),
        ({"dst_host": "shop.example.com", "path": "/pay/*"}, True),
        ({"dst_host": "shop.example.com", "path": "/other"}, False),
        ({"dst_host": "*.example.org"}, False),
        ({"dst_host": "*.example.com", "dst_port": "8080"}, False),
        ({"dst_host": "*.example.com", "method": "POST"}, False),
        ({"dst_host": "*.example.com", "action": "deny"}, False),
    ],
)
def test_the_garden_of_names_lets_through_what_its_row_says(router: SimulatedRouter, row: dict[str, str], *, passes: bool):
    add(router, "walled-garden", **row)
    becomes = verdict(router, MAC, Destination("shop.example.com", 80, "/pay/1"))
    assert becomes is (Verdict.PASSES if passes else Verdict.TO_LOGIN)


def test_the_garden_of_names_sees_no_https(router: SimulatedRouter):
    add(router, "walled-garden", dst_host="example.com")
    assert verdict(router, MAC, HTTPS) is Verdict.REFUSED


def test_the_router_answers_under_its_address_and_its_name(router: SimulatedRouter):
    profiles = router.hotspot.server_profiles
    profiles.set(profiles.named("hsprof1")[".id"], {"dns-name": "wifi.njeri.example"})  # type: ignore[index]
    assert own_names(router) == ("wifi.njeri.example", "10.5.50.1")
    for host in ("10.5.50.1", "WIFI.njeri.example"):
        assert verdict(router, MAC, Destination(host, 80)) is Verdict.TO_ROUTER
    assert verdict(router, MAC, Destination("10.5.50.1", 443)) is Verdict.REFUSED


def test_what_comes_in_and_goes_out_is_counted_once_the_phone_is_in(router: SimulatedRouter):
    assert receives(router, MAC, 1_000)
    let_in(router)
    verdict(router, MAC, ELSEWHERE)
    assert receives(router, MAC, 2_000)
    counters = router.hotspot.active[IP].counters
    assert (counters.bytes_in, counters.bytes_out) == (500, 2_000)
