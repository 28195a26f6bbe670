"""What is MikroTik's own: how many commands, what they write, and how each answer of the router is met."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import DeviceAbsent, RouterRefused, RouterUnreachable
from gateway.hotspot.base import Device, RouterLogin, WantedAccess, Way
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.identity import IpAddress, MacAddress, Secret
from gateway.packages import SpeedProfile
from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.entries import Usage
from gateway.simulators.routeros.traps import Trap as SimulatedTrap
from tests.fakeclock import FakeClock

PHONE, ADDRESS = MacAddress.parse("AA:BB:CC:00:00:01"), IpAddress.parse("10.5.50.21")
FAST, SLOW = SpeedProfile(2_000, 5_000, 1), SpeedProfile(512, 1_000, 1)
HOUR_S = 3_600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def router(clock) -> AsyncIterator[SimulatedRouter]:
    simulated = SimulatedRouter(clock)
    await simulated.start()
    simulated.join(PHONE.text, ADDRESS.text)
    yield simulated
    await simulated.stop()


@pytest.fixture
async def hotspot(clock, router) -> AsyncIterator[MikrotikHotspot]:
    adapter = MikrotikHotspot(login_to(router), clock)
    yield adapter
    await adapter.close()


@pytest.fixture
async def bindings(clock, router) -> AsyncIterator[MikrotikHotspot]:
    adapter = MikrotikHotspot(replace(login_to(router), way=Way.BINDING), clock)
    yield adapter
    await adapter.close()


def login_to(router: SimulatedRouter) -> RouterLogin:
    return RouterLogin(
        router_id=1,
        name="Kiosk",
        host="127.0.0.1",
        port=router.port,
        tls=False,
        tls_fingerprint=None,
        tls_ca_file=None,
        username="gateway",
        password=Secret("gateway"),
        hotspot_server="hotspot1",
        way=Way.USER,
    )


def wanted(clock: FakeClock, remaining_s: int = HOUR_S, **changes: Any) -> WantedAccess:
    until_epoch_s = int(clock.wall_s()) + remaining_s
    return replace(WantedAccess("7", PHONE, ADDRESS, FAST, until_epoch_s, remaining_s, None), **changes)


def user_of(router: SimulatedRouter, name: str = PHONE.text) -> dict[str, str]:
    row = router.hotspot.users.named(name)
    assert row is not None
    return row


def paths(router: SimulatedRouter) -> list[str]:
    return [line.split()[0] for line in router.commands]


def session(router: SimulatedRouter) -> Any:
    return router.hotspot.active.get(ADDRESS.text)


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


async def test_a_probe_takes_one_command_and_writes_nothing(hotspot, router, clock):
    clock.advance(3_725)
    assert await hotspot.uptime_s() == 3_725
    assert paths(router) == ["/system/resource/print"]


async def test_a_long_print_does_not_use_the_connection_for_commands(hotspot, router):
    await hotspot.observe()
    await hotspot.uptime_s()
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


# The row that is there already


async def test_time_that_was_used_is_added_to_what_was_bought(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    clock.advance(HOUR_S)
    assert not router.passes(PHONE.text)
    await hotspot.authorize(wanted(clock, remaining_s=1_800, grant_id="8"))
    assert user_of(router)["limit-uptime"] == "1h30m"
    clock.advance(1_799)
    assert router.traffic(PHONE.text)
    clock.advance(1)
    assert not router.traffic(PHONE.text)


async def test_bytes_that_were_used_are_added_to_what_was_bought(hotspot, router, clock):
    await hotspot.authorize(wanted(clock, data_limit_bytes=1_000))
    router.traffic(PHONE.text, 400, 600)
    assert not router.passes(PHONE.text)
    assert (await hotspot.observe()).rows[0].used_up
    await hotspot.authorize(wanted(clock, grant_id="8", data_limit_bytes=1_000))
    assert user_of(router)["limit-bytes-total"] == "2000"
    assert router.traffic(PHONE.text, 400, 500)
    assert not (await hotspot.observe()).rows[0].used_up


async def test_more_bytes_reach_the_running_session(hotspot, router, clock):
    await hotspot.authorize(wanted(clock, data_limit_bytes=1_000))
    router.traffic(PHONE.text, 200, 200)
    await hotspot.authorize(wanted(clock, grant_id="8", data_limit_bytes=1_000))
    assert user_of(router)["limit-bytes-total"] == "1400"
    assert router.traffic(PHONE.text, 300, 600)
    assert router.passes(PHONE.text)


async def test_the_same_purchase_is_not_given_its_bytes_again(hotspot, router, clock):
    goal = wanted(clock, data_limit_bytes=1_000)
    await hotspot.authorize(goal)
    router.traffic(PHONE.text, 300, 300)
    await hotspot.authorize(goal)
    await hotspot.authorize(wanted(clock, remaining_s=2 * HOUR_S, data_limit_bytes=1_000))
    assert user_of(router)["limit-bytes-total"] == "1000"
    router.traffic(PHONE.text, 200, 200)
    assert not router.passes(PHONE.text)


async def test_a_limit_that_a_new_purchase_does_not_have_is_taken_away(hotspot, router, clock):
    await hotspot.authorize(wanted(clock, data_limit_bytes=1_000))
    await hotspot.authorize(wanted(clock, grant_id="8"))
    assert router.traffic(PHONE.text, 5_000, 5_000)


async def test_an_extension_moves_the_end_of_the_running_session(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    clock.advance(600)
    await hotspot.authorize(wanted(clock, remaining_s=3_000 + HOUR_S))
    assert router.hotspot.left_s(session(router)) == pytest.approx(3_000 + HOUR_S, abs=5)


async def test_an_extension_that_died_before_the_new_login_is_finished_by_the_next_attempt(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    extended = wanted(clock, remaining_s=2 * HOUR_S)
    router.faults.trap_next["/ip/hotspot/active/remove"] = "failure: no"
    with pytest.raises(RouterRefused):
        await hotspot.authorize(extended)
    writes = router.writes
    await hotspot.authorize(extended)
    assert router.writes == writes
    assert router.hotspot.left_s(session(router)) == pytest.approx(2 * HOUR_S, abs=5)


async def test_a_router_that_moves_the_running_session_by_itself_ends_it_at_the_same_moment(clock):
    router = SimulatedRouter(clock, limit_change_moves_running_session=True)
    await router.start()
    router.join(PHONE.text, ADDRESS.text)
    hotspot = MikrotikHotspot(login_to(router), clock)
    await hotspot.authorize(wanted(clock))
    await hotspot.authorize(wanted(clock, remaining_s=2 * HOUR_S))
    await hotspot.authorize(wanted(clock, remaining_s=2 * HOUR_S))
    assert router.hotspot.left_s(session(router)) == pytest.approx(2 * HOUR_S, abs=5)
    await hotspot.close()
    await router.stop()


async def test_a_router_that_counts_the_running_session_into_the_row_is_not_written_to_again_and_again(hotspot, router, clock):
    goal = wanted(clock)
    await hotspot.authorize(goal)

    def used_live(user):
        settled, running = router.hotspot.usage.get(user[".id"], Usage()), session(router)
        return Usage(settled.uptime_s + (clock.monotonic_s() - running.started_s if running else 0), settled.counters)

    router.hotspot.used = used_live
    clock.advance(1_200)
    writes = router.writes
    await hotspot.authorize(replace(goal, remaining_s=HOUR_S - 1_200))
    assert router.writes == writes


async def test_a_faster_package_takes_effect_at_once(hotspot, router, clock):
    await hotspot.authorize(wanted(clock, profile=SLOW))
    before = session(router)
    await hotspot.authorize(wanted(clock, profile=FAST))
    assert user_of(router)["profile"] == FAST.name
    assert session(router) is not before
    assert router.passes(PHONE.text)


async def test_a_phone_that_slept_is_not_interrupted_because_its_limit_is_generous(hotspot, router, clock):
    goal = wanted(clock)
    await hotspot.authorize(goal)
    router.leave(PHONE.text)
    clock.advance(1_200)  # its session ended after the keepalive time-out
    router.join(PHONE.text, ADDRESS.text)
    assert router.passes(PHONE.text)
    before = session(router)
    await hotspot.authorize(replace(goal, remaining_s=HOUR_S - 1_200))
    assert session(router) is before


@pytest.mark.parametrize("damage", [{"disabled": "yes"}, {"mac-address": "AA:BB:CC:00:00:99"}, {"limit-uptime": "0s"}], ids=str)
async def test_a_user_of_ours_that_was_changed_by_hand_is_repaired(hotspot, router, clock, damage):
    await hotspot.authorize(wanted(clock))
    router.hotspot.users.set(user_of(router)[".id"], damage)
    await hotspot.authorize(wanted(clock))
    row = user_of(router)
    assert (row["disabled"], row["mac-address"], row["server"]) == ("false", PHONE.text, "hotspot1")
    assert row["limit-uptime"] != "0s"


async def test_a_phone_that_was_let_in_at_another_server_is_moved_to_the_configured_one(hotspot, router, clock):
    everywhere = MikrotikHotspot(replace(login_to(router), hotspot_server=None), clock)
    await everywhere.authorize(wanted(clock))
    await everywhere.close()
    assert user_of(router)["server"] == "all"
    await hotspot.authorize(wanted(clock, grant_id="8"))
    assert [(row["server"], row["comment"].split()[0]) for row in router.hotspot.users if row["name"] == PHONE.text] == [
        ("hotspot1", "hotspot-gateway:8")
    ]
    assert router.passes(PHONE.text)


async def test_of_two_users_of_ours_for_one_phone_one_remains(hotspot, router, clock):
    router.hotspot.users.add({"name": PHONE.text, "comment": "hotspot-gateway:3 until=1", "mac-address": PHONE.text})
    await hotspot.authorize(wanted(clock, grant_id="6", mac=PHONE))
    router.hotspot.users.add({"name": f"{PHONE}-gateway", "comment": "hotspot-gateway:4 until=1", "mac-address": PHONE.text})
    await hotspot.authorize(wanted(clock))
    assert [row.grant_id for row in (await hotspot.observe()).rows] == ["7"]


# Hand-made users


async def test_a_hand_made_user_of_the_same_name_stays_and_ours_gets_another_name(hotspot, router, clock):
    router.hotspot.users.add({"name": PHONE.text, "server": "hotspot1", "password": "x", "comment": "VIP"})
    vip = dict(user_of(router))
    await hotspot.authorize(wanted(clock))
    assert user_of(router) == vip
    assert session(router).user == f"{PHONE}-gateway"
    assert router.passes(PHONE.text)
    [row] = (await hotspot.observe()).rows
    assert row.online
    await hotspot.shut_out(PHONE)
    assert user_of(router) == vip
    assert not router.passes(PHONE.text)


async def test_a_hand_made_users_session_survives_shutting_out(hotspot, router, clock):
    router.hotspot.users.add({"name": PHONE.text, "comment": "VIP"})
    router.traffic(PHONE.text)
    await hotspot.shut_out(PHONE)
    assert router.passes(PHONE.text)
    assert (await hotspot.observe()).strays == ()


# Sessions in the way


async def test_a_session_of_another_user_on_the_phone_gives_way_to_what_was_paid(hotspot, router, clock):
    router.hotspot.users.add({"name": "voucher"})
    router.hotspot.login("voucher", "", ADDRESS.text)
    await hotspot.authorize(wanted(clock))
    assert session(router).user == PHONE.text


async def test_a_leftover_session_of_a_removed_user_is_a_stray_and_gives_way_to_a_new_one(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    router.hotspot.users.remove(user_of(router)[".id"])
    assert (await hotspot.observe()).strays == (PHONE,)
    clock.advance(600)
    await hotspot.authorize(wanted(clock))
    assert router.hotspot.left_s(session(router)) == HOUR_S
    assert (await hotspot.observe()).strays == ()


async def test_a_stray_is_shut_out(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    router.hotspot.users.remove(user_of(router)[".id"])
    await hotspot.shut_out(PHONE)
    assert not router.passes(PHONE.text)


async def test_a_phone_that_logs_itself_in_by_mac_first_is_let_in_without_a_second_login(hotspot, router, clock):
    original = router.hotspot.users.add

    def add_and_let_in(arguments):
        row_id = original(arguments)
        router.traffic(PHONE.text)
        return row_id

    router.hotspot.users.add = add_and_let_in
    assert await hotspot.authorize(wanted(clock)) == Device(PHONE, ADDRESS)
    assert session(router).login_by == "mac"
    assert "/ip/hotspot/active/remove" not in paths(router)


async def test_a_phone_that_came_back_with_another_address_is_logged_in_there(hotspot, router, clock):
    moved = IpAddress.parse("10.5.50.77")
    await hotspot.authorize(wanted(clock))
    router.join(PHONE.text, moved.text)
    assert not router.passes(PHONE.text)
    assert await hotspot.authorize(wanted(clock, ip=moved)) == Device(PHONE, moved)
    assert router.passes(PHONE.text)


async def test_an_old_address_as_hint_does_not_interrupt_the_session(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    before = session(router)
    await hotspot.authorize(wanted(clock, ip=IpAddress.parse("10.5.50.77")))
    assert session(router) is before


async def test_an_absent_phone_leaves_its_user_so_that_login_by_mac_lets_it_in(hotspot, router, clock):
    router.hotspot.forget_host(router.hotspot.hosts[ADDRESS.text])
    router.leave(PHONE.text)
    with pytest.raises(DeviceAbsent):
        await hotspot.authorize(wanted(clock))
    router.join(PHONE.text, ADDRESS.text)
    assert router.passes(PHONE.text)


async def test_cookies_of_the_phone_are_removed_with_it(clock):
    router = SimulatedRouter(clock, login_by=frozenset({"cookie", "mac-cookie", "http-chap"}))
    await router.start()
    router.join(PHONE.text, ADDRESS.text)
    hotspot = MikrotikHotspot(login_to(router), clock)
    await hotspot.authorize(wanted(clock))
    assert router.hotspot.cookies
    await hotspot.shut_out(PHONE)
    assert router.hotspot.cookies == []
    await hotspot.close()
    await router.stop()


async def test_a_row_that_somebody_else_removed_first_is_removed(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    original = router.hotspot.users.remove

    def remove_twice(row_id):
        original(row_id)
        original(row_id)

    router.hotspot.users.remove = remove_twice
    await hotspot.shut_out(PHONE)
    assert not router.passes(PHONE.text)


async def test_a_row_that_comes_back_is_an_error_and_not_a_success(hotspot, router, clock):
    await hotspot.authorize(wanted(clock))
    router.hotspot.users.remove = nothing
    with pytest.raises(RouterRefused, match="/ip/hotspot/user"):
        await hotspot.shut_out(PHONE)


async def test_the_licence_is_named_when_it_is_the_limit(hotspot, router, clock):
    router.hotspot.login = refusing(router, "session limit reached (license-session-limit)")
    with pytest.raises(RouterRefused, match="licence"):
        await hotspot.authorize(wanted(clock))


async def test_a_login_that_leads_to_no_session_is_an_error_and_not_a_success(hotspot, router, clock):
    router.hotspot.login = nothing
    with pytest.raises(RouterRefused, match="shows no session"):
        await hotspot.authorize(wanted(clock))


def nothing(*args: Any, **kwargs: Any) -> None:
    """Say that it is done, and do nothing."""


def refusing(router: SimulatedRouter, text: str) -> Any:
    def login(*args: Any, **kwargs: Any) -> None:
        raise SimulatedTrap(text)

    return login


# Bindings


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


# One verb at a time


async def test_letting_in_and_shutting_out_the_same_phone_do_not_mingle(hotspot, router, clock):
    await asyncio.gather(hotspot.authorize(wanted(clock)), hotspot.shut_out(PHONE))
    assert not router.traffic(PHONE.text)
    await asyncio.gather(hotspot.shut_out(PHONE), hotspot.authorize(wanted(clock)))
    assert router.traffic(PHONE.text)
