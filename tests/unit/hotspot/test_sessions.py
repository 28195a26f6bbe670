"""Sessions and cookies that stand in the way, and how they give way."""

import pytest

from gateway.errors import DeviceAbsent, RouterRefused
from gateway.hotspot.base import Device
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.identity import IpAddress
from gateway.simulators.routeros import SimulatedRouter
from tests.unit.hotspot.site import ADDRESS, HOUR_S, PHONE, login_to, nothing, paths, refusing, session, user_of, wanted


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
