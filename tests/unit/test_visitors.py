"""Who is asking: what the routers see at an address, against what a request says about itself."""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.catalogue import Catalogue, Owner, Router, Site
from gateway.errors import Forbidden, NotFound, RouterUnreachable
from gateway.hotspot.base import Device
from gateway.identity import IpAddress, MacAddress
from gateway.scheduler import Scheduler
from gateway.visitors import FRESH_S, PATIENCE_S, Named, Visitor, Visitors
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.ledger import IP, LOGIN, MAC, OTHER_MAC

HERE = ipaddress.ip_address(IP.text)
ELSEWHERE = ipaddress.ip_address("10.9.8.7")
OTHER_IP = IpAddress("192.168.1.101")
NOBODY = Named()


class Gatehouse:
    """Two owners with a router each, and Amina's phone on the first."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.scheduler = Scheduler(self.clock)
        self.first, self.second = FakeHotspot(Device(MAC, IP)), FakeHotspot()
        owners = [Owner(1, "njeri", "Njeri", "k"), Owner(2, "mwangi", "Mwangi", "q")]
        routers = [Router(1, 1, LOGIN, {}), Router(2, 2, replace(LOGIN, router_id=2, name="Bus stop", host="10.1.1.1"), {})]
        self.site = Site(Catalogue(owners, routers), {}, {1: self.first, 2: self.second})
        self.visitors = Visitors(self.site, self.clock, self.scheduler)

    async def who(self, named: Named = NOBODY, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = HERE) -> Visitor:
        return await self.visitors.who(address, named)


@pytest.fixture
async def house() -> AsyncIterator[Gatehouse]:
    gatehouse = Gatehouse()
    yield gatehouse
    for hotspot in (gatehouse.first, gatehouse.second):
        if hotspot.pause is not None:
            hotspot.pause.set()
    await gatehouse.scheduler.stop(1.0)


def brief(visitor: Visitor) -> tuple[int, MacAddress | None, IpAddress | None, bool]:
    return visitor.router.id, visitor.mac, visitor.ip, visitor.is_on_hotspot


# ── the router's word ──


async def test_a_phone_on_the_hotspot_is_who_the_router_says(house: Gatehouse):
    visitor = await house.who()

    assert brief(visitor) == (1, MAC, IP, True)
    assert visitor.owner.username == "njeri"


@pytest.mark.parametrize(
    "named",
    [Named(1), Named(1, MAC), Named(1, MAC, IP), Named(None, MAC), Named(None, None, IP)],
    ids=["router", "router and MAC", "all", "MAC", "address"],
)
async def test_saying_what_the_router_says_is_no_contradiction(house: Gatehouse, named: Named):
    assert brief(await house.who(named)) == (1, MAC, IP, True)


@pytest.mark.parametrize(
    "named",
    [Named(1, OTHER_MAC, IP), Named(1, MAC, OTHER_IP), Named(2, MAC, IP), Named(99, MAC, IP)],
    ids=["another MAC", "another address", "another router", "no router"],
)
async def test_whoever_names_another_device_than_the_router_sees_is_refused(house: Gatehouse, named: Named):
    with pytest.raises(Forbidden, match="payment link"):
        await house.who(named)


async def test_after_universal_nat_a_phone_may_name_the_address_that_it_has_and_the_one_that_it_comes_from(house: Gatehouse):
    async def locate(mac: MacAddress | None, ip: IpAddress | None) -> Device | None:
        return Device(MAC, OTHER_IP) if ip in {IP, OTHER_IP} else None

    house.first.locate = locate  # type: ignore[method-assign]
    for ip in (IP, OTHER_IP):
        assert brief(await house.who(Named(1, MAC, ip))) == (1, MAC, OTHER_IP, True)


# ── no router sees it ──


async def test_off_the_hotspot_what_is_named_is_taken_as_named_and_not_as_true(house: Gatehouse):
    visitor = await house.who(Named(2, OTHER_MAC, OTHER_IP), ELSEWHERE)

    assert brief(visitor) == (2, OTHER_MAC, OTHER_IP, False)
    assert visitor.owner.username == "mwangi"


async def test_off_the_hotspot_whoever_names_nothing_sees_the_first_router(house: Gatehouse):
    assert brief(await house.who(address=ELSEWHERE)) == (1, None, None, False)


@pytest.mark.parametrize("address", [None, ipaddress.ip_address("fe80::1"), ipaddress.ip_address("127.0.0.1")], ids=str)
async def test_an_address_that_no_phone_has_is_not_asked_about(house: Gatehouse, address: ipaddress.IPv4Address | None):
    house.first.fault = AssertionError("asked")

    assert brief(await house.who(Named(1, MAC, IP), address)) == (1, MAC, IP, False)


async def test_a_router_that_is_not_there_is_not_found(house: Gatehouse):
    with pytest.raises(NotFound):
        await house.who(Named(99), ELSEWHERE)
    house.site.catalogue, house.site.hotspots = Catalogue([], []), {}
    with pytest.raises(NotFound):
        await house.who()


async def test_phones_hidden_behind_their_router_are_not_taken_for_one_phone_and_the_operator_hears_of_it_once(
    house: Gatehouse, caplog: pytest.LogCaptureFixture
):
    house.second.devices = {OTHER_MAC: Device(OTHER_MAC, IpAddress("10.1.1.1"))}
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert brief(await house.who(Named(2, MAC, IP), ipaddress.ip_address("10.1.1.1"))) == (2, MAC, IP, False)

    assert [record.__dict__["router"] for record in caplog.records if record.__dict__.get("action") == "phones_hidden"] == [2]


# ── several routers see it ──


async def test_where_two_routers_see_a_device_at_the_address_the_named_one_decides(house: Gatehouse):
    house.second.devices = {OTHER_MAC: Device(OTHER_MAC, IP)}

    assert brief(await house.who(Named(2))) == (2, OTHER_MAC, IP, True)
    assert brief(await house.who(Named(None, MAC))) == (1, MAC, IP, True)
    with pytest.raises(Forbidden):
        await house.who(Named(1, OTHER_MAC))


async def test_where_two_routers_see_a_device_and_none_is_named_neither_is_believed(house: Gatehouse):
    house.second.devices = {OTHER_MAC: Device(OTHER_MAC, IP)}

    assert brief(await house.who()) == (1, None, None, False)


# ── a router says nothing ──


async def test_a_router_known_to_be_out_of_reach_is_not_asked_and_its_visitors_are_told(house: Gatehouse):
    house.first.reachable = False
    for named in (NOBODY, Named(1, MAC)):
        with pytest.raises(RouterUnreachable, match="not been charged") as told:
            await house.who(named)
    assert told.value.retry_after_s == 15
    assert not house.first.asked.is_set()


async def test_another_router_that_says_nothing_stands_in_nobodys_way(house: Gatehouse):
    house.second.reachable = False
    assert brief(await house.who()) == (1, MAC, IP, True)
    assert brief(await house.who(Named(1, OTHER_MAC), ELSEWHERE)) == (1, OTHER_MAC, None, False)


async def test_a_router_that_breaks_down_over_the_question_has_said_nothing(house: Gatehouse):
    house.first.fault = RouterUnreachable("gone")
    with pytest.raises(RouterUnreachable):
        await house.who(Named(1, MAC))


async def test_a_fault_of_ours_is_not_taken_for_silence(house: Gatehouse):
    house.first.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await house.who()


async def test_a_router_that_is_too_slow_is_waited_for_only_so_long_and_its_answer_is_not_lost(house: Gatehouse):
    house.first.pause = asyncio.Event()
    asked = asyncio.create_task(house.who())
    await house.first.asked.wait()
    await asyncio.sleep(0)
    assert house.clock.next_wake_s() == PATIENCE_S
    house.clock.advance(PATIENCE_S)
    with pytest.raises(RouterUnreachable):
        await asked

    house.first.pause.set()
    house.first.asked.clear()
    await asyncio.sleep(0)
    assert brief(await house.who()) == (1, MAC, IP, True)
    assert not house.first.asked.is_set()


# ── how often a router is asked ──


async def test_a_page_that_asks_again_and_again_does_not_ask_the_router_each_time(house: Gatehouse):
    await asyncio.gather(*(house.who() for _ in range(5)))
    house.first.fault = AssertionError("asked again")
    house.clock.advance(FRESH_S - 0.1)

    assert brief(await house.who()) == (1, MAC, IP, True)


async def test_a_device_that_the_router_sees_only_now_is_found_at_once(house: Gatehouse):
    house.first.devices = {}
    assert not (await house.who()).is_on_hotspot

    house.first.devices = {MAC: Device(MAC, IP)}
    assert brief(await house.who()) == (1, MAC, IP, True)


async def test_a_router_that_broke_down_over_the_question_is_asked_again(house: Gatehouse):
    house.first.fault = RouterUnreachable("gone")
    with pytest.raises(RouterUnreachable):
        await house.who()

    house.first.fault = None
    assert brief(await house.who()) == (1, MAC, IP, True)


async def test_money_is_never_bound_to_an_old_word_of_the_router(house: Gatehouse):
    await house.who()
    house.first.devices = {OTHER_MAC: Device(OTHER_MAC, IP)}
    house.clock.advance(FRESH_S)

    assert brief(await house.who()) == (1, OTHER_MAC, IP, True)


async def test_what_was_asked_about_addresses_is_forgotten(house: Gatehouse):
    for number in range(1, 50):
        await house.who(address=ipaddress.ip_address(f"10.0.0.{number}"))
    house.clock.advance(FRESH_S)
    await house.who()

    assert len(house.visitors._questions) == 2
