"""Who is let in and until when, rule by rule, without a network (facts, routeros 2.4-2.6)."""

import pytest

from gateway.simulators.routeros.traps import Trap
from tests.simulators.routeros.sales import IP, MAC, OTHER, OTHER_IP, sell, uptime_s


@pytest.fixture
def router(make):
    return make()


def refusal(router, *login: str):
    with pytest.raises(Trap) as caught:
        router.hotspot.login(*login)
    return caught.value.message


# Login


def test_a_phone_without_login_is_seen_but_does_not_pass(router):
    (row,) = router.hotspot.host_rows()
    assert (row["mac-address"], row["address"], row["authorized"]) == (MAC, IP, "false")
    assert not router.passes(MAC)


def test_a_login_lets_the_phone_pass(router):
    sell(router)
    router.hotspot.login("guest", "", IP, MAC)
    assert router.passes(MAC)
    assert router.hotspot.host_rows()[0]["authorized"] == "true"


def test_an_active_row_is_named_by_the_address_in_hex(router):
    sell(router)
    router.join(OTHER, "192.168.1.100")
    router.hotspot.login("guest", "", "192.168.1.100")
    assert [row[".id"] for row in router.hotspot.active_rows()] == ["*C0A80164"]


def test_a_login_by_command_is_by_admin(router):
    sell(router)
    router.hotspot.login("guest", "", IP)
    assert router.hotspot.active_rows()[0]["login-by"] == "admin"


def test_an_address_without_a_host_is_refused(router):
    sell(router)
    assert refusal(router, "guest", "", OTHER_IP) == f"unknown host IP {OTHER_IP}"


def test_another_mac_than_the_hosts_is_refused(router):
    sell(router)
    assert refusal(router, "guest", "", IP, OTHER) == "wrong MAC provided"


@pytest.mark.parametrize(("name", "password"), [("nobody", ""), ("guest", "wrong"), ("guest", "")])
def test_wrong_credentials_are_refused(router, name, password):
    sell(router, password="secret")
    assert refusal(router, name, password, IP) == "invalid username or password"


def test_a_disabled_user_is_refused(router):
    sell(router, disabled="yes")
    assert refusal(router, "guest", "", IP) == "invalid username or password"


def test_a_user_bound_to_another_mac_is_refused(router):
    sell(router, mac_address=OTHER)
    assert "not allowed to log in from this MAC" in refusal(router, "guest", "", IP)


def test_a_user_bound_to_the_zero_mac_may_come_from_any(router):
    sell(router, mac_address="00:00:00:00:00:00")
    assert router.hotspot.login("guest", "", IP)


def test_a_user_of_another_server_is_refused(router):
    router.hotspot.servers.seed(name="hotspot2", interface="bridge")
    sell(router, server="hotspot2")
    assert refusal(router, "guest", "", IP) == "invalid username or password"


def test_a_user_of_this_server_wins_over_one_of_all(router):
    sell(router, server="all")
    mine = sell(router, server="hotspot1")
    assert router.hotspot.login("guest", "", IP).user_id == mine


def test_shared_users_limits_how_many_are_online(router):
    sell(router)
    router.join(OTHER, OTHER_IP)
    router.hotspot.login("guest", "", IP)
    assert refusal(router, "guest", "", OTHER_IP) == "no more sessions are allowed for user"


def test_unlimited_shared_users_let_everybody_in(router):
    router.hotspot.user_profiles.add({"name": "family", "shared-users": "unlimited"})
    sell(router, profile="family")
    router.join(OTHER, OTHER_IP)
    router.hotspot.login("guest", "", IP)
    router.hotspot.login("guest", "", OTHER_IP)
    assert router.passes(MAC)
    assert router.passes(OTHER)


def test_a_stale_login_of_the_same_phone_must_be_removed_first(router):
    sell(router)
    entry = router.hotspot.login("guest", "", IP)
    assert refusal(router, "guest", "", IP) == "no more sessions are allowed for user"
    router.hotspot.end(entry, "admin reset")
    assert router.hotspot.login("guest", "", IP)


def test_another_user_cannot_log_in_on_an_address_that_is_online(router):
    sell(router)
    sell(router, "second")
    router.hotspot.login("guest", "", IP)
    assert refusal(router, "second", "", IP) == "already authorizing, retry later"


# Limits


def test_a_login_ends_by_itself_when_the_uptime_limit_is_reached(router, clock):
    user = sell(router, limit_uptime="1h")
    router.hotspot.login("guest", "", IP)
    clock.advance(3_599)
    assert router.passes(MAC)
    clock.advance(1)
    assert not router.passes(MAC)
    assert router.hotspot.active_rows() == []
    assert uptime_s(router, user) == 3_600


def test_time_after_the_end_is_not_counted_however_late_anyone_looks(router, clock):
    user = sell(router, limit_uptime="1h")
    router.hotspot.login("guest", "", IP)
    clock.advance(86_400)
    router.hotspot.settle()
    assert uptime_s(router, user) == 3_600


def test_a_user_whose_limit_is_reached_is_refused(router, clock):
    sell(router, limit_uptime="1h")
    router.hotspot.login("guest", "", IP)
    clock.advance(3_600)
    assert refusal(router, "guest", "", IP) == "your uptime limit is reached"


def test_the_limit_counts_online_time_over_several_logins(router, clock):
    sell(router, limit_uptime="1h")
    first = router.hotspot.login("guest", "", IP)
    clock.advance(1_800)
    router.hotspot.end(first, "admin reset")
    clock.advance(86_400)
    router.hotspot.login("guest", "", IP)
    assert router.hotspot.active_rows()[0]["session-time-left"] == "30m"


def test_the_users_row_learns_the_uptime_when_the_login_ends(router, clock):
    user = sell(router)
    entry = router.hotspot.login("guest", "", IP)
    clock.advance(60)
    assert uptime_s(router, user) == 0
    router.hotspot.end(entry, "admin reset")
    assert uptime_s(router, user) == 60


def test_without_a_limit_no_time_left_is_shown(router):
    sell(router)
    router.hotspot.login("guest", "", IP)
    assert "session-time-left" not in router.hotspot.active_rows()[0]


def test_the_session_timeout_of_the_profile_ends_each_login_but_allows_the_next(router, clock):
    router.hotspot.user_profiles.add({"name": "short", "session-timeout": "10m"})
    sell(router, profile="short", limit_uptime="1h")
    router.hotspot.login("guest", "", IP)
    clock.advance(600)
    assert not router.passes(MAC)
    assert router.hotspot.login("guest", "", IP)


def test_raising_the_limit_does_not_move_a_running_login(router, clock):
    user = sell(router, limit_uptime="1h")
    router.hotspot.login("guest", "", IP)
    router.hotspot.users.set(user, {"limit-uptime": "2h"})
    clock.advance(3_600)
    assert not router.passes(MAC)


def test_raising_the_limit_moves_a_running_login_when_the_switch_says_so(make, clock):
    router = make(limit_change_moves_running_session=True)
    user = sell(router, limit_uptime="1h")
    router.hotspot.login("guest", "", IP)
    router.hotspot.users.set(user, {"limit-uptime": "2h"})
    clock.advance(3_600)
    assert router.passes(MAC)
    clock.advance(3_600)
    assert not router.passes(MAC)


def test_lowering_the_limit_below_what_is_used_ends_the_login_when_the_switch_says_so(make, clock):
    router = make(limit_change_moves_running_session=True)
    user = sell(router, limit_uptime="1h")
    router.hotspot.login("guest", "", IP)
    clock.advance(1_800)
    router.hotspot.users.set(user, {"limit-uptime": "10m"})
    assert not router.passes(MAC)


def test_the_byte_limit_ends_the_login_and_refuses_the_next(router):
    sell(router, limit_bytes_total="1000")
    router.hotspot.login("guest", "", IP)
    assert router.traffic(MAC, 400, 500)
    assert router.traffic(MAC, 100, 0)
    assert not router.traffic(MAC, 1, 0)
    assert refusal(router, "guest", "", IP) == "your traffic limit is reached"


def test_the_byte_limits_of_the_directions_are_separate(router):
    sell(router, limit_bytes_in="100")
    router.hotspot.login("guest", "", IP)
    router.traffic(MAC, 0, 5_000)
    assert router.passes(MAC)
    router.traffic(MAC, 100, 0)
    assert not router.passes(MAC)


def test_an_active_row_shows_the_bytes_that_were_left(router):
    sell(router, limit_bytes_total="1000")
    entry = router.hotspot.login("guest", "", IP)
    router.traffic(MAC, 300, 0)
    router.hotspot.end(entry, "admin reset")
    router.hotspot.login("guest", "", IP)
    assert router.hotspot.active_rows()[0]["limit-bytes-total"] == "700"


def test_removing_or_disabling_a_user_does_not_end_the_login(router):
    user = sell(router)
    router.hotspot.login("guest", "", IP)
    router.hotspot.users.set(user, {"disabled": "yes"})
    assert router.passes(MAC)
    router.hotspot.users.remove(user)
    assert router.passes(MAC)


def test_the_end_of_a_login_whose_user_is_gone_is_charged_to_nobody(router):
    user = sell(router)
    entry = router.hotspot.login("guest", "", IP)
    router.hotspot.users.remove(user)
    router.hotspot.end(entry, "admin reset")
    assert router.hotspot.usage.get(user) is None or router.hotspot.usage[user].uptime_s == 0
