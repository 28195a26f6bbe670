"""What is MikroTik's own: how many commands, what they write, and one verb at a time."""

import asyncio
from contextlib import suppress

import pytest

from gateway.errors import RouterUnreachable
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.identity import IpAddress, MacAddress
from gateway.packages import SpeedProfile
from tests.unit.hotspot.site import FAST, HOUR_S, PHONE, login_to, paths, user_of, wanted

# When all is well


async def test_letting_a_phone_in_takes_three_commands(hotspot, router, clock):
    other, other_address = MacAddress.parse("AA:BB:CC:00:00:02"), IpAddress.parse("10.5.50.22")
    router.join(other.text, other_address.text)
    await hotspot.authorize(wanted(clock, mac=other, ip=other_address))
    router.commands.clear()
    await hotspot.authorize(wanted(clock))
    assert paths(router) == ["/ip/hotspot/user/add", "/ip/hotspot/active/login", "/ip/hotspot/active/print"]


async def test_it_writes_the_row_and_once_the_profile(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    assert router.writes == 2
    await hotspot.shut_out(PHONE)
    await hotspot.authorize(wanted(clock))
    assert router.writes == 4


async def test_the_user_says_whose_it_is_and_is_bound_to_the_phone(hotspot, router, clock):
    goal = wanted(clock, data_limit_bytes=500_000_000)
    await hotspot.authorize(goal)
    row = user_of(router)
    assert row["comment"] == f"hotspot-gateway:7 until={goal.until_epoch_s}"
    assert (row["mac-address"], row["server"], row["profile"]) == (PHONE.text, "hotspot1", FAST.name)
    assert (row["limit-uptime"], row["limit-bytes-total"]) == ("1h", "500000000")


async def test_the_router_ends_the_session_by_itself_when_the_gateway_is_dead(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    clock.advance(HOUR_S - 1)
    assert router.traffic(PHONE.text)
    clock.advance(1)
    assert not router.traffic(PHONE.text)


async def test_a_package_without_time_left_is_never_written_as_one_without_limit(hotspot, router, clock):
    await hotspot.authorize(wanted(clock, remaining_s=0))
    assert user_of(router)["limit-uptime"] == "1s"


async def test_a_probe_takes_two_commands_and_writes_nothing(hotspot, router, clock):
    clock.advance(3_725)
    await hotspot.pulse()
    router.commands.clear()
    assert (await hotspot.pulse()).uptime_s == 3_725
    assert paths(router) == ["/system/resource/print", "/ip/hotspot/active/print"]
    assert router.writes == 0


async def test_a_long_print_does_not_use_the_connection_for_commands(hotspot, router):
    await hotspot.observe()
    await hotspot.pulse()
    assert len(router.connections) == 2


# Profiles


async def test_the_profile_carries_speed_and_devices_and_leaves_no_cookie(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    profile = router.hotspot.user_profiles.named(FAST.name)
    assert (profile["rate-limit"], profile["shared-users"]) == ("2M/5M", "1")
    assert (profile["add-mac-cookie"], profile["keepalive-timeout"], profile["idle-timeout"]) == ("false", "10m", "none")


async def test_a_package_without_speed_limit_has_a_profile_without_one(hotspot, router, clock):
    await hotspot.authorize(wanted(clock, profile=SpeedProfile(None, None, 2)))
    profile = router.hotspot.user_profiles.named("hotspot-gateway-0k-up-0k-down-2-devices")
    assert (profile.get("rate-limit", ""), profile["shared-users"]) == ("", "2")


@pytest.mark.parametrize(
    "damage",
    [
        {"rate-limit": "64k/64k"},
        {"rate-limit": ""},
        {"rate-limit": "2M/5M 4M/10M 1M/1M 10/10"},
        {"shared-users": "unlimited"},
        {"add-mac-cookie": "yes"},
        {"keepalive-timeout": "2m"},
        {"idle-timeout": "1m"},
    ],
    ids=str,
)
async def test_a_profile_of_ours_that_was_changed_by_hand_is_repaired(router, clock, damage):
    for repair in (False, True):
        adapter = MikrotikHotspot(login_to(router), clock)
        await adapter.authorize(wanted(clock))
        await adapter.close()
        profile = router.hotspot.user_profiles.named(FAST.name)
        if not repair:
            whole = dict(profile)
            router.hotspot.user_profiles.set(profile[".id"], damage)
            assert profile != whole
    assert profile == whole


@pytest.mark.parametrize(
    "harmless", [{"keepalive-timeout": "none"}, {"keepalive-timeout": "1h"}, {"on-login": ":log info x"}], ids=str
)
async def test_a_profile_that_grants_the_same_is_left_as_it_is(router, hotspot, clock, harmless):
    await hotspot.authorize(wanted(clock))
    profile = router.hotspot.user_profiles.named(FAST.name)
    router.hotspot.user_profiles.set(profile[".id"], harmless)
    adapter, writes = MikrotikHotspot(login_to(router), clock), router.writes
    await adapter.authorize(wanted(clock))
    await adapter.close()
    assert router.writes == writes


async def test_a_profile_that_another_gateway_makes_at_the_same_moment_is_taken(hotspot, router, clock):
    original = router.hotspot.user_profiles.add

    def add_too_late(arguments):
        original(arguments | {"rate-limit": "64k/64k"})
        return original(arguments)

    router.hotspot.user_profiles.add = add_too_late
    await hotspot.authorize(wanted(clock))
    assert router.hotspot.user_profiles.named(FAST.name)["rate-limit"] == "2M/5M"


async def test_a_profile_is_looked_at_again_after_the_connection_was_lost(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    profile = router.hotspot.user_profiles.named(FAST.name)
    router.hotspot.user_profiles.set(profile[".id"], {"rate-limit": "64k/64k"})
    await hotspot.authorize(wanted(clock))
    assert profile["rate-limit"] == "64k/64k"
    await router.reboot()
    router.traffic(PHONE.text)
    with suppress(RouterUnreachable):  # the lost connection may be noticed only now
        await hotspot.authorize(wanted(clock))
    await hotspot.authorize(wanted(clock))
    assert profile["rate-limit"] == "2M/5M"


async def test_a_profile_that_vanished_in_the_meantime_is_made_again(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    await hotspot.shut_out(PHONE)
    router.hotspot.user_profiles.remove(router.hotspot.user_profiles.named(FAST.name)[".id"])
    await hotspot.authorize(wanted(clock))
    assert user_of(router)["profile"] == FAST.name


async def test_a_user_whose_profile_was_removed_gets_it_back(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    router.hotspot.user_profiles.remove(router.hotspot.user_profiles.named(FAST.name)[".id"])
    await hotspot.authorize(wanted(clock))
    assert user_of(router)["profile"] == FAST.name
    assert router.hotspot.user_profiles.named(FAST.name)


# One verb at a time


async def test_letting_in_and_shutting_out_the_same_phone_do_not_mingle(hotspot, router, clock):
    await asyncio.gather(hotspot.authorize(wanted(clock)), hotspot.shut_out(PHONE))
    assert not router.traffic(PHONE.text)
    await asyncio.gather(hotspot.shut_out(PHONE), hotspot.authorize(wanted(clock)))
    assert router.traffic(PHONE.text)
