"""How a phone leaves, moves and comes back: time-outs, MAC login, cookies, bindings, reboot (facts, routeros 2.7-2.9 and 3)."""

import pytest

from tests.simulators.routeros.sales import IP, MAC, OTHER, OTHER_IP, sell, uptime_s


@pytest.fixture
def router(make):
    return make()


# Coming and going


def test_a_phone_that_has_left_is_logged_out_after_the_keepalive_timeout(router, clock):
    user = sell(router)
    router.hotspot.login("guest", "", IP)
    router.leave(MAC)
    clock.advance(119)
    assert len(router.hotspot.active_rows()) == 1
    clock.advance(1)
    assert router.hotspot.active_rows() == []
    assert uptime_s(router, user) == 120


def test_a_phone_that_is_back_in_time_is_still_online(router, clock):
    sell(router)
    router.hotspot.login("guest", "", IP)
    router.leave(MAC)
    assert not router.passes(MAC)
    clock.advance(60)
    router.join(MAC, IP)
    clock.advance(600)
    assert router.passes(MAC)


def test_the_host_row_of_a_phone_that_has_left_goes_after_the_idle_timeout(router, clock):
    router.leave(MAC)
    clock.advance(299)
    assert len(router.hotspot.host_rows()) == 1
    clock.advance(1)
    assert router.hotspot.host_rows() == []


def test_an_idle_timeout_of_the_profile_ends_a_login_without_traffic(router, clock):
    router.hotspot.user_profiles.add({"name": "idle", "idle-timeout": "5m"})
    sell(router, profile="idle")
    router.hotspot.login("guest", "", IP)
    clock.advance(200)
    router.traffic(MAC)
    clock.advance(299)
    assert router.passes(MAC)
    clock.advance(1)
    assert not router.passes(MAC)


def test_a_phone_with_a_new_address_needs_a_new_login(router):
    sell(router)
    router.hotspot.login("guest", "", IP)
    router.join(MAC, OTHER_IP)
    assert not router.passes(MAC)
    assert {row["address"] for row in router.hotspot.host_rows()} == {IP, OTHER_IP}


def test_a_phone_that_takes_an_address_does_not_take_the_login_on_it(router):
    sell(router)
    router.hotspot.login("guest", "", IP)
    router.join(OTHER, IP)
    assert not router.passes(OTHER)
    assert not router.traffic(MAC)


def test_a_phone_whose_address_was_taken_does_not_pass_with_the_other(router):
    router.hotspot.bindings.add({"mac-address": OTHER, "type": "bypassed"})
    router.join(OTHER, IP)
    assert router.passes(OTHER)
    assert not router.passes(MAC)


def test_removing_a_host_ends_its_login_and_the_next_packet_brings_it_back(router):
    sell(router)
    router.hotspot.login("guest", "", IP)
    (before,) = router.hotspot.host_rows()
    router.hotspot.forget_host(router.hotspot.hosts[IP])
    assert not router.passes(MAC)
    assert router.hotspot.host_rows() == []
    router.traffic(MAC)
    assert router.hotspot.host_rows()[0][".id"] != before[".id"]


# Login by MAC


@pytest.fixture
def by_mac(make):
    return make(login_by=frozenset({"mac"}))


def test_a_user_named_as_the_mac_is_let_in_at_the_first_packet(by_mac):
    sell(by_mac, MAC)
    assert not by_mac.passes(MAC)
    assert by_mac.traffic(MAC)
    assert by_mac.hotspot.active_rows()[0]["login-by"] == "mac"


def test_without_mac_among_the_login_methods_nobody_is_let_in_by_mac(router):
    sell(router, MAC)
    assert not router.traffic(MAC)


def test_a_mac_user_with_a_password_is_not_let_in(by_mac):
    sell(by_mac, MAC, password="x")
    assert not by_mac.traffic(MAC)


def test_the_mac_is_the_password_where_the_profile_says_so(by_mac):
    (_, profile) = by_mac.hotspot.server_profiles
    by_mac.hotspot.server_profiles.set(profile[".id"], {"mac-auth-mode": "mac-as-username-and-password"})
    sell(by_mac, MAC, password=MAC)
    assert by_mac.traffic(MAC)


def test_a_used_up_mac_user_is_not_let_in_again(by_mac, clock):
    sell(by_mac, MAC, limit_uptime="1h")
    by_mac.traffic(MAC)
    clock.advance(3_600)
    assert not by_mac.traffic(MAC)


def test_a_mac_user_that_is_left_over_is_a_free_way_back_in(by_mac):
    sell(by_mac, MAC)
    by_mac.traffic(MAC)
    by_mac.hotspot.end(by_mac.hotspot.active[IP], "admin reset")
    assert by_mac.traffic(MAC)


# Cookies


@pytest.fixture
def with_mac_cookies(make):
    router = make(login_by=frozenset({"mac-cookie"}))
    sell(router)
    router.hotspot.login("guest", "", IP)
    return router


def kinds(router):
    return [row["mac-cookie"] for row in router.hotspot.cookie_rows()]


def test_a_mac_cookie_brings_a_phone_back_after_sleep(with_mac_cookies, clock):
    with_mac_cookies.leave(MAC)
    clock.advance(600)
    with_mac_cookies.join(MAC, IP)
    assert with_mac_cookies.passes(MAC)
    assert with_mac_cookies.hotspot.active_rows()[0]["login-by"] == "mac-cookie"


def test_an_admin_reset_deletes_the_mac_cookie(with_mac_cookies):
    assert kinds(with_mac_cookies) == ["true"]
    with_mac_cookies.hotspot.end(with_mac_cookies.hotspot.active[IP], "admin reset")
    assert kinds(with_mac_cookies) == []
    assert not with_mac_cookies.traffic(MAC)


def test_a_mac_cookie_that_fails_is_deleted(with_mac_cookies, clock):
    (_, user) = with_mac_cookies.hotspot.users
    with_mac_cookies.leave(MAC)
    clock.advance(120)
    with_mac_cookies.hotspot.users.remove(user[".id"])
    with_mac_cookies.join(MAC, IP)
    assert kinds(with_mac_cookies) == []


def test_a_mac_cookie_expires(with_mac_cookies, clock):
    with_mac_cookies.leave(MAC)
    clock.advance(3 * 86_400)
    assert kinds(with_mac_cookies) == []


def test_a_profile_may_do_without_mac_cookies(make):
    router = make(login_by=frozenset({"mac-cookie"}))
    router.hotspot.user_profiles.add({"name": "plain", "add-mac-cookie": "no"})
    sell(router, profile="plain")
    router.hotspot.login("guest", "", IP)
    assert kinds(router) == []


def test_an_http_cookie_survives_an_admin_reset_and_brings_the_phone_back(make):
    router = make(login_by=frozenset({"cookie"}))
    sell(router)
    router.hotspot.login("guest", "", IP)
    router.hotspot.end(router.hotspot.active[IP], "admin reset")
    assert kinds(router) == ["false"]
    assert router.traffic(MAC)


# Bindings


def test_a_bypassed_binding_lets_the_phone_pass_without_login(router):
    router.hotspot.bindings.add({"mac-address": MAC, "type": "bypassed"})
    assert router.passes(MAC)
    assert router.hotspot.active_rows() == []
    assert router.hotspot.host_rows()[0]["bypassed"] == "true"


def test_a_blocked_binding_stops_even_a_phone_that_is_logged_in(router):
    sell(router)
    router.hotspot.login("guest", "", IP)
    router.hotspot.bindings.add({"mac-address": MAC, "type": "blocked"})
    assert not router.passes(MAC)
    assert not router.traffic(MAC)


def test_the_first_binding_that_fits_decides(router):
    router.hotspot.bindings.add({"mac-address": MAC, "type": "blocked"})
    last = router.hotspot.bindings.add({"address": "10.5.50.0/24", "type": "bypassed"})
    assert not router.passes(MAC)
    router.hotspot.bindings.move(last, next(iter(router.hotspot.bindings))[".id"])
    assert router.passes(MAC)


@pytest.mark.parametrize("other", [{"mac-address": OTHER}, {"address": OTHER_IP}, {"mac-address": MAC, "disabled": "yes"}])
def test_a_binding_for_others_or_a_disabled_one_is_passed_over(router, other):
    router.hotspot.bindings.add({"type": "bypassed", **other})
    assert not router.passes(MAC)


def test_removing_a_binding_does_not_cut_a_host_that_is_bypassed(router):
    binding = router.hotspot.bindings.add({"mac-address": MAC, "type": "bypassed"})
    assert router.passes(MAC)
    router.hotspot.bindings.remove(binding)
    assert router.passes(MAC)
    router.hotspot.forget_host(router.hotspot.hosts[IP])
    assert not router.traffic(MAC)


def test_a_bypassed_phone_that_rejoins_after_its_binding_went_is_cut(router):
    binding = router.hotspot.bindings.add({"mac-address": MAC, "type": "bypassed"})
    assert router.passes(MAC)
    router.hotspot.bindings.remove(binding)
    router.leave(MAC)
    router.join(MAC, IP)
    assert not router.passes(MAC)


# Power


async def test_a_reboot_loses_logins_hosts_and_unsaved_uptime_but_no_counters(router, clock):
    user = sell(router, limit_uptime="1h")
    entry = router.hotspot.login("guest", "", IP)
    clock.advance(600)
    router.hotspot.end(entry, "admin reset")
    router.hotspot.login("guest", "", IP)
    clock.advance(1_200)
    await router.reboot()
    assert router.hotspot.host_rows() == router.hotspot.active_rows() == []
    assert uptime_s(router, user) == 600
    await router.stop()


async def test_after_a_reboot_a_mac_user_is_back_with_its_next_packet(by_mac):
    sell(by_mac, MAC)
    by_mac.traffic(MAC)
    await by_mac.reboot()
    assert not by_mac.passes(MAC)
    assert by_mac.traffic(MAC)
    await by_mac.stop()


async def test_without_power_nothing_passes_and_nobody_is_seen(router):
    router.hotspot.bindings.add({"mac-address": MAC, "type": "bypassed"})
    await router.power_off()
    router.join(OTHER, OTHER_IP)
    assert not router.passes(MAC)
    assert not router.traffic(MAC)
    assert router.hotspot.host_rows() == []


def test_logins_and_logouts_are_in_the_log(router):
    sell(router)
    router.hotspot.end(router.hotspot.login("guest", "", IP), "admin reset")
    assert [line["message"] for line in router.machine.log] == [
        f"->: guest ({IP}): logged in",
        f"->: guest ({IP}): logged out: admin reset",
    ]
