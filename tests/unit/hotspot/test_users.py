"""The hotspot user's row: ours that is there already, and hand-made ones beside it."""

from dataclasses import replace

import pytest

from gateway.errors import RouterRefused
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.entries import Usage
from tests.unit.hotspot.site import ADDRESS, FAST, HOUR_S, PHONE, SLOW, login_to, session, user_of, wanted

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
