"""Bypassed ip-bindings, ours and hand-made ones."""

import pytest

from gateway.errors import DeviceAbsent, RouterRefused
from gateway.hotspot.base import Device
from gateway.identity import MacAddress
from tests.unit.hotspot.site import ADDRESS, PHONE, nothing, paths, refusing, wanted


async def test_a_phone_is_judged_anew_when_its_binding_was_made_and_not_again(bindings, router, clock):
    router.hotspot.settle = nothing  # a router that looks at bindings only when a host appears
    await bindings.authorize(wanted(clock))
    assert paths(router).count("/ip/hotspot/host/remove") == 1
    del router.hotspot.settle
    router.traffic(PHONE.text)
    await bindings.authorize(wanted(clock))
    assert paths(router).count("/ip/hotspot/host/remove") == 1


async def test_a_hand_made_binding_that_opens_is_enough(bindings, router, clock):
    router.hotspot.bindings.add({"mac-address": PHONE.text, "type": "bypassed", "comment": "VIP"})
    writes = router.writes
    assert await bindings.authorize(wanted(clock)) == Device(PHONE, ADDRESS)
    assert router.writes == writes


async def test_a_phone_with_a_hand_made_binding_that_opens_is_through_for_a_user_too(hotspot, router, clock):
    router.hotspot.bindings.add({"mac-address": PHONE.text, "type": "bypassed", "comment": "VIP"})
    router.hotspot.login = refusing(router, "host is bypassed")
    assert await hotspot.authorize(wanted(clock)) == Device(PHONE, ADDRESS)


@pytest.mark.parametrize("kind", [{"type": "blocked"}, {"type": "regular"}, {"type": "bypassed", "disabled": "yes"}], ids=str)
async def test_a_hand_made_binding_that_does_not_open_is_left_alone_and_named(bindings, router, clock, kind):
    router.hotspot.bindings.add({"mac-address": PHONE.text, "comment": "thief", **kind})
    writes = router.writes
    with pytest.raises(RouterRefused, match="hand-made"):
        await bindings.authorize(wanted(clock))
    assert router.writes == writes


@pytest.mark.parametrize("damage", [{"disabled": "yes"}, {"type": "blocked"}, {"type": "regular"}, {"server": "all"}], ids=str)
async def test_a_binding_of_ours_that_was_changed_by_hand_is_repaired(bindings, router, clock, damage):
    await bindings.authorize(wanted(clock))
    [row] = router.hotspot.bindings
    whole = dict(row)
    router.hotspot.bindings.set(row[".id"], damage)
    router.traffic(PHONE.text)
    await bindings.authorize(wanted(clock))
    assert row == whole


async def test_a_phone_that_a_hand_made_binding_lets_through_is_not_cut_by_shutting_out(bindings, router, clock):
    router.hotspot.bindings.add({"mac-address": PHONE.text, "type": "bypassed", "comment": "VIP"})
    router.traffic(PHONE.text)
    await bindings.shut_out(PHONE)
    assert router.passes(PHONE.text)
    assert "/ip/hotspot/host/remove" not in paths(router)


async def test_a_phone_with_two_addresses_is_cut_at_both(bindings, router, clock):
    await bindings.authorize(wanted(clock))
    router.traffic(PHONE.text)
    router.join(PHONE.text, "10.5.50.77")
    assert len(router.hotspot.hosts) == 2
    await bindings.shut_out(PHONE)
    assert not any(host.bypassed for host in router.hotspot.hosts.values())


async def test_no_phone_gets_a_binding_before_the_router_has_seen_it(bindings, router, clock):
    with pytest.raises(DeviceAbsent):
        await bindings.authorize(wanted(clock, mac=MacAddress.parse("AA:BB:CC:00:00:09"), ip=None))
    assert list(router.hotspot.bindings) == []


async def test_a_disabled_binding_of_ours_is_observed_as_offline(bindings, router, clock):
    await bindings.authorize(wanted(clock))
    [row] = router.hotspot.bindings
    router.hotspot.bindings.set(row[".id"], {"disabled": "yes"})
    assert not (await bindings.observe()).rows[0].online
