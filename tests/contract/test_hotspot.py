"""What every `Hotspot` promises, written once: run for both ways in and for the router versions that people have."""

import asyncio
from dataclasses import replace

import pytest

from gateway.errors import DeviceAbsent, RouterRefused
from gateway.hotspot.base import Device, Hotspot, Way
from gateway.identity import IpAddress, MacAddress
from tests.contract.hotspots import ADDRESS, HOUR_S, OTHER, OTHER_ADDRESS, PHONE, eventually


def test_the_mikrotik_adapter_is_a_hotspot(site):
    hotspot: Hotspot = site.hotspot
    assert hotspot.reachable is None


# Let in


async def test_a_phone_that_is_authorized_passes_and_another_one_does_not(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    assert not site.router.passes(PHONE.text)
    assert await site.hotspot.authorize(site.wanted()) == Device(PHONE, ADDRESS)
    assert site.router.traffic(PHONE.text)
    assert not site.router.traffic(OTHER.text)
    assert site.hotspot.reachable is True


async def test_authorizing_again_writes_nothing_and_interrupts_nobody(site):
    await site.hotspot.authorize(site.wanted())
    site.router.traffic(PHONE.text)
    writes, sessions = site.router.writes, list(site.router.hotspot.active.values())
    assert await site.hotspot.authorize(site.wanted()) == Device(PHONE, ADDRESS)
    assert site.router.writes == writes
    assert list(site.router.hotspot.active.values()) == sessions
    assert site.router.passes(PHONE.text)


async def test_authorizing_again_later_writes_nothing_while_the_end_is_the_same(site):
    wanted = site.wanted()
    await site.hotspot.authorize(wanted)
    writes = site.router.writes
    for _ in range(5):
        site.clock.advance(300)
        site.router.traffic(PHONE.text)
        wanted = replace(wanted, remaining_s=wanted.until_epoch_s - int(site.clock.wall_s()))
        await site.hotspot.authorize(wanted)
    assert site.router.writes == writes
    assert site.router.passes(PHONE.text)


async def test_a_phone_that_the_router_does_not_see_is_absent_and_gets_in_when_it_comes(site):
    wanted = site.wanted(mac=OTHER, ip=OTHER_ADDRESS)
    with pytest.raises(DeviceAbsent, match=OTHER.text):
        await site.hotspot.authorize(wanted)
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    assert await site.hotspot.authorize(wanted) == Device(OTHER, OTHER_ADDRESS)
    assert site.router.traffic(OTHER.text)


@pytest.mark.parametrize("hint", [None, OTHER_ADDRESS], ids=["no address", "an old address"])
async def test_a_phone_is_found_by_its_mac_whatever_address_it_was_last_seen_at(site, hint):
    assert await site.hotspot.authorize(site.wanted(ip=hint)) == Device(PHONE, ADDRESS)
    assert site.router.traffic(PHONE.text)


async def test_an_address_that_belongs_to_another_phone_now_lets_that_one_not_in(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    await site.hotspot.authorize(site.wanted(ip=OTHER_ADDRESS))
    assert site.router.traffic(PHONE.text)
    assert not site.router.traffic(OTHER.text)


async def test_an_extension_keeps_the_phone_online_beyond_its_first_end(site):
    await site.hotspot.authorize(site.wanted())
    site.clock.advance(HOUR_S / 2)
    await site.hotspot.authorize(site.wanted(grant_id="8", remaining_s=HOUR_S + HOUR_S // 2))
    site.clock.advance(HOUR_S)
    assert site.router.traffic(PHONE.text)
    assert [row["comment"].split()[0] for row in site.ours()] == ["hotspot-gateway:8"]


async def test_a_phone_whose_time_was_over_can_buy_again(site):
    await site.hotspot.authorize(site.wanted())
    site.clock.advance(HOUR_S)
    await site.hotspot.authorize(site.wanted(grant_id="8"))
    assert site.router.traffic(PHONE.text)


async def test_many_phones_are_let_in_at_the_same_time(site):
    phones = [(MacAddress.parse(f"AA:BB:CC:00:01:{n:02X}"), IpAddress.parse(f"10.5.50.{100 + n}")) for n in range(12)]
    for mac, ip in phones:
        site.router.join(mac.text, ip.text)
    await asyncio.gather(*(site.hotspot.authorize(site.wanted(mac=mac, ip=ip)) for mac, ip in phones))
    assert all(site.router.traffic(mac.text) for mac, _ in phones)


async def test_the_same_phone_twice_at_the_same_time_is_let_in_once(site):
    answers = await asyncio.gather(*(site.hotspot.authorize(site.wanted()) for _ in range(3)))
    assert set(answers) == {Device(PHONE, ADDRESS)}
    assert len(site.ours()) == 1


async def test_a_second_gateway_of_the_same_router_meets_the_first_ones_work_and_keeps_it(site):
    await site.hotspot.authorize(site.wanted())
    writes, second = site.router.writes, site.another()
    assert await second.authorize(site.wanted()) == Device(PHONE, ADDRESS)
    await second.close()
    assert site.router.writes == writes


async def test_access_for_every_server_of_the_router_is_let_in_and_not_written_twice(site):
    everywhere = site.another(hotspot_server=None)
    await everywhere.authorize(site.wanted())
    writes = site.router.writes
    await everywhere.authorize(site.wanted())
    await everywhere.close()
    assert site.router.traffic(PHONE.text)
    assert site.router.writes == writes


# Room


async def test_without_a_pulse_no_limit_is_known(site):
    assert site.hotspot.room is None


@pytest.mark.parametrize(("level", "left"), [("1", 1), ("3", 1), ("4", 200), ("5", 500), ("6", None), ("free", None), ("", None)])
async def test_the_licence_says_how_many_may_log_in_and_bindings_are_no_logins(site, level, left):
    site.router.hotspot.licence = level
    pulse = await site.hotspot.pulse()
    assert (pulse.room, site.hotspot.room) == ((left, left) if site.way is Way.USER else (None, None))


async def test_the_room_is_what_is_left_of_the_licence_whoever_is_logged_in(site):
    site.router.hotspot.users.add({"name": "staff", "comment": "made by hand"})
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    site.router.hotspot.login("staff", "", OTHER_ADDRESS.text)
    await site.hotspot.authorize(site.wanted())
    pulse = await site.hotspot.pulse()
    assert (pulse.sessions, pulse.room) == ((2, 198) if site.way is Way.USER else (0, None))
    await site.hotspot.shut_out(PHONE)
    assert (await site.hotspot.pulse()).room == (199 if site.way is Way.USER else None)


async def test_a_router_that_does_not_show_its_licence_has_no_limit_that_is_known(site):
    site.router.faults.trap_next["/system/license/print"] = "not enough permissions (9)"
    assert (await site.hotspot.pulse()).room is None


async def test_a_licence_that_was_changed_counts_from_the_reboot_that_it_needs(site):
    await site.hotspot.pulse()
    site.router.hotspot.licence = "5"
    await site.router.reboot()
    site.clock.advance(10)
    assert (await eventually(site, site.hotspot.pulse)).room == (500 if site.way is Way.USER else None)


async def test_beyond_the_licence_the_router_refuses_and_says_so(site):
    site.router.hotspot.licence = "3"
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    await site.hotspot.authorize(site.wanted())
    second = site.wanted(mac=OTHER, ip=OTHER_ADDRESS)
    if site.way is Way.USER:
        with pytest.raises(RouterRefused, match="licence allows no more"):
            await site.hotspot.authorize(second)
    else:
        await site.hotspot.authorize(second)


# What `shared-users` could refuse, it cannot refuse to us (docs/why.md)


async def test_a_login_of_the_phone_at_an_address_that_it_has_left_is_in_nobodys_way(site):
    await site.hotspot.authorize(site.wanted())
    site.router.leave(PHONE.text)
    moved = IpAddress.parse("10.5.50.77")
    site.router.join(PHONE.text, moved.text)
    assert (await site.hotspot.authorize(site.wanted(ip=moved))).ip == moved
    assert site.router.passes(PHONE.text)


async def test_a_login_of_the_phone_under_a_hand_made_name_is_in_nobodys_way(site):
    site.router.hotspot.users.add({"name": "staff", "comment": "made by hand"})
    site.router.hotspot.login("staff", "", ADDRESS.text)
    await site.hotspot.authorize(site.wanted())
    assert site.router.traffic(PHONE.text)


async def test_somebody_else_under_a_hand_made_user_with_the_phones_name_is_in_nobodys_way(site):
    site.router.hotspot.users.add({"name": PHONE.text, "comment": "made by hand"})
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    site.router.hotspot.login(PHONE.text, "", OTHER_ADDRESS.text)
    await site.hotspot.authorize(site.wanted())
    assert site.router.traffic(PHONE.text)


# Shut out


async def test_a_phone_that_is_shut_out_stays_out(site):
    await site.hotspot.authorize(site.wanted())
    site.router.traffic(PHONE.text)
    await site.hotspot.shut_out(PHONE)
    assert not site.router.passes(PHONE.text)
    assert not site.router.traffic(PHONE.text)
    assert site.ours() == []


async def test_shutting_out_is_right_however_often_it_is_done(site):
    await site.hotspot.shut_out(PHONE)
    await site.hotspot.authorize(site.wanted())
    await site.hotspot.shut_out(PHONE)
    writes = site.router.writes
    await site.hotspot.shut_out(PHONE)
    assert site.router.writes == writes
    assert not site.router.traffic(PHONE.text)


async def test_shutting_one_phone_out_leaves_the_others_in(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    await site.hotspot.authorize(site.wanted())
    await site.hotspot.authorize(site.wanted(mac=OTHER, ip=OTHER_ADDRESS))
    await site.hotspot.shut_out(PHONE)
    assert not site.router.traffic(PHONE.text)
    assert site.router.traffic(OTHER.text)


async def test_a_phone_that_has_left_is_shut_out_all_the_same(site):
    await site.hotspot.authorize(site.wanted())
    site.router.leave(PHONE.text)
    await site.hotspot.shut_out(PHONE)
    site.router.join(PHONE.text, ADDRESS.text)
    assert not site.router.traffic(PHONE.text)


async def test_what_was_let_in_the_other_way_is_shut_out_too(site):
    other_way = site.another(way=Way.BINDING if site.way is Way.USER else Way.USER)
    await other_way.authorize(site.wanted())
    await other_way.close()
    await site.hotspot.shut_out(PHONE)
    assert not site.router.traffic(PHONE.text)
    assert site.ours() == []


async def test_an_extension_after_the_way_was_changed_moves_the_phone_to_the_new_way(site):
    other_way = site.another(way=Way.BINDING if site.way is Way.USER else Way.USER)
    await other_way.authorize(site.wanted())
    await other_way.close()
    extended = site.wanted(grant_id="8", remaining_s=2 * HOUR_S)
    try:
        await site.hotspot.authorize(extended)
    except DeviceAbsent:  # its host row was removed so that it is judged anew: it is back with its next packet
        site.router.traffic(PHONE.text)
        await site.hotspot.authorize(extended)
    assert site.router.traffic(PHONE.text)
    [row] = (await site.hotspot.observe()).rows
    assert row.grant_id == "8"
    writes = site.router.writes
    await site.hotspot.authorize(extended)
    assert site.router.writes == writes


async def test_hand_made_rows_are_never_touched(site):
    hotspot = site.router.hotspot
    hotspot.users.add({"name": "staff", "mac-address": PHONE.text, "comment": "my own phone"})
    hotspot.users.add({"name": PHONE.text, "comment": "made by hand"})
    hotspot.bindings.add({"mac-address": OTHER.text, "type": "bypassed", "comment": "hotspot-gateway"})
    before = site.foreign()
    await site.hotspot.authorize(site.wanted())
    assert site.foreign() == before
    await site.hotspot.shut_out(PHONE)
    await site.hotspot.shut_out(OTHER)
    assert site.foreign() == before


# Look


async def test_a_phone_is_located_by_its_mac_and_by_its_address(site):
    phone = Device(PHONE, ADDRESS)
    assert await site.hotspot.locate(PHONE, None) == phone
    assert await site.hotspot.locate(None, ADDRESS) == phone
    assert await site.hotspot.locate(PHONE, OTHER_ADDRESS) == phone
    assert await site.hotspot.locate(OTHER, ADDRESS) == phone


async def test_a_phone_that_is_not_there_is_not_located(site):
    assert await site.hotspot.locate(OTHER, None) is None
    assert await site.hotspot.locate(None, OTHER_ADDRESS) is None
    assert await site.hotspot.locate(None, None) is None


async def test_the_mac_wins_over_the_address(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    assert await site.hotspot.locate(OTHER, ADDRESS) == Device(OTHER, OTHER_ADDRESS)


async def test_a_router_without_customers_shows_nothing_of_ours_and_the_phones_that_are_there(site):
    site.clock.advance(90)
    snapshot = await site.hotspot.observe()
    assert (snapshot.rows, snapshot.strays, snapshot.hosts) == ((), (), frozenset({PHONE}))
    assert snapshot.uptime_s == 90


async def test_who_was_let_in_is_observed_with_grant_end_and_mac(site):
    wanted = site.wanted()
    await site.hotspot.authorize(wanted)
    [row] = (await site.hotspot.observe()).rows
    assert (row.grant_id, row.until_epoch_s, row.mac) == ("7", wanted.until_epoch_s, PHONE)
    assert row.online
    assert not row.used_up


async def test_other_peoples_rows_are_not_observed(site):
    site.router.hotspot.users.add({"name": "staff", "comment": "hotspot-gateway is great"})
    site.router.hotspot.bindings.add({"mac-address": OTHER.text, "type": "bypassed", "comment": "hotspot-gateway"})
    assert (await site.hotspot.observe()).rows == ()


async def test_a_table_that_cannot_be_read_is_an_error_and_not_an_empty_one(site):
    await site.hotspot.authorize(site.wanted())
    for path in ("/ip/hotspot/user/print", "/ip/hotspot/ip-binding/print", "/ip/hotspot/active/print", "/ip/hotspot/host/print"):
        site.router.faults.trap_next[path] = "failure: something"
        with pytest.raises(RouterRefused, match="something"):
            await site.hotspot.observe()
