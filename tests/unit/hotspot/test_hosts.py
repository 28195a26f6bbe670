"""Which device has an address: what the router beyond its universal NAT shows to us."""

from gateway.hotspot.base import Device
from gateway.hotspot.hosts import Hosts
from gateway.identity import IpAddress, MacAddress
from tests.unit.hotspot.scripted import DONE, ScriptedRouter, linked

AMINA, OTIENO = MacAddress.parse("AA:BB:CC:00:00:01"), MacAddress.parse("AA:BB:CC:00:00:02")
HERS, GIVEN, HIS = "10.0.0.5", "10.5.50.21", "192.168.1.9"


def row(mac: MacAddress, address: str, to_address: str) -> tuple[str, ...]:
    return ("!re", f"=.id=*{mac.text[-1]}", f"=mac-address={mac}", f"=address={address}", f"=to-address={to_address}")


async def test_a_device_is_found_by_the_address_that_it_has_and_by_the_one_that_it_was_given():
    router = ScriptedRouter()
    await router.start()
    router.answers["/ip/hotspot/host/print"] = [row(AMINA, HERS, GIVEN), DONE]
    async with linked(router) as link:
        for ip in (HERS, GIVEN):
            found = await Hosts(link).find(None, IpAddress(ip))
            assert found is not None
            assert found.device == Device(AMINA, IpAddress(HERS))
    await router.stop()


async def test_whoever_takes_the_address_that_another_was_given_is_not_taken_for_that_one():
    router = ScriptedRouter()
    await router.start()
    for rows in ([row(AMINA, HERS, GIVEN), row(OTIENO, GIVEN, HIS)], [row(OTIENO, GIVEN, HIS), row(AMINA, HERS, GIVEN)]):
        router.answers["/ip/hotspot/host/print"] = [*rows, DONE]
        async with linked(router) as link:
            found = await Hosts(link).find(None, IpAddress(GIVEN))
            assert found is not None
            assert found.device.mac == AMINA
    await router.stop()
