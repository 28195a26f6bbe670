"""The router's own pages, as strangers and customers get them."""

import re
from urllib.parse import urlencode

import pytest

from gateway.simulators.air.pages import Page
from gateway.simulators.air.servlet import NO_CHALLENGE, Asked, own_page, to_login
from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock
from tests.simulators.air.scene import IP, MAC, add, let_in

WANTED = "http://example.com/shop?a=1&b='x'&c=%C3%A9"

pytestmark = pytest.mark.usefixtures("phone")


def asked(url: str, **headers: str) -> Asked:
    return Asked(MAC, IP, url, {}, headers)


def servlet(router: SimulatedRouter, path: str, **parameters: str) -> Page:
    return own_page(router, Asked(MAC.lower(), IP, f"http://10.5.50.1{path}?{urlencode(parameters)}", parameters, {}))


def put(router: SimulatedRouter, **files: str) -> None:
    """Write files into the hotspot's folder: `login="…"` is login.html."""
    router.machine.files |= {f"hotspot/{name}.html": text for name, text in files.items()}


def test_a_stranger_is_redirected_to_the_login_page_and_from_there_on_to_what_he_wanted(router: SimulatedRouter):
    page = to_login(router, asked(WANTED))
    assert (page.status, page.reason) == (302, "Hotspot login required")
    assert page.headers["Location"] == (
        "http://10.5.50.1/login?dst=http%3A%2F%2Fexample.com%2Fshop%3Fa%3D1%26b%3D%27x%27%26c%3D%25C3%25A9"
    )
    assert page.headers["Cache-Control"] == "no-cache"


def test_the_operators_page_replaces_the_factorys(router: SimulatedRouter):
    put(router, rlogin="<a href='http://10.5.50.2/?mac=$(mac-esc)&orig=$(link-orig-esc)&error=$(error-esc)'>$(server-name)</a>")
    page = to_login(router, asked(WANTED))
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html"
    assert page.body == (
        "<a href='http://10.5.50.2/?mac=AA%3ABB%3ACC%3ADD%3AEE%3AFF"
        "&orig=http%3A%2F%2Fexample.com%2Fshop%3Fa%3D1%26b%3D%27x%27%26c%3D%25C3%25A9&error='>hotspot1</a>"
    )


@pytest.mark.parametrize(
    ("variable", "is_worth"),
    [
        ("mac", MAC), ("ip", IP), ("host-ip", IP), ("server-name", "hotspot1"), ("identity", "MikroTik"), ("hostname", "10.5.50.1"),
        ("server-address", "10.5.50.1:80"), ("interface-name", "bridge"), ("link-orig", WANTED), ("logged-in", "no"),
        ("trial", "no"),
        ("link-login-only", "http://10.5.50.1/login"), ("link-logout", "http://10.5.50.1/logout"), ("plain-passwd", "yes"),
        ("link-status", "http://10.5.50.1/status"), ("ssl-login", "no"), ("error", ""), ("username", ""), ("uptime", ""),
        ("session-time-left", ""), ("user-agent", "Mozilla"), ("popup", ""), ("login-by", ""), ("domain", ""), ("chap-id", ""),
    ],
)  # fmt: skip
def test_the_variables_of_a_stranger(router: SimulatedRouter, variable: str, is_worth: str):
    put(router, rlogin=f"[$({variable})]")
    assert to_login(router, Asked(MAC, IP, WANTED, {}, {"User-Agent": "Mozilla"})).body == f"[{is_worth}]"


@pytest.mark.parametrize(
    ("variable", "is_worth"),
    [
        ("logged-in", "yes"), ("username", MAC), ("login-by", "mac"), ("uptime", "1m40s"), ("uptime-secs", "100"),
        ("session-time-left", "58m20s"), ("session-time-left-secs", "3500"), ("bytes-in", "500"), ("bytes-out", "3000"),
        ("bytes-out-nice", "2.9 KiB"), ("bytes-in-nice", "500 B"), ("limit-bytes-out", "10000"), ("remain-bytes-out", "7000"),
        ("limit-bytes-in", "---"), ("remain-bytes-in", "---"), ("refresh-timeout-secs", "60"), ("idle-timeout", ""),
        ("idle-timeout-secs", "0"),
    ],
)  # fmt: skip
def test_the_variables_of_a_customer(router: SimulatedRouter, clock: FakeClock, variable: str, is_worth: str):
    put(router, status=f"[$({variable})]")
    let_in(router, limit_uptime="1h", limit_bytes_out="10000")
    router.traffic(MAC, 500, 3_000)
    clock.advance(100)
    assert servlet(router, "/status").body == f"[{is_worth}]"


def test_the_name_of_the_router_stands_in_every_link(router: SimulatedRouter):
    profiles = router.hotspot.server_profiles
    profiles.set(profiles.named("hsprof1")[".id"], {"dns-name": "wifi.example"})  # type: ignore[index]
    put(router, login="$(hostname) $(link-login) $(link-status)")
    assert servlet(router, "/login").body == "wifi.example http://wifi.example/login http://wifi.example/status"


def test_the_folder_that_the_profile_names_is_used(router: SimulatedRouter):
    profiles = router.hotspot.server_profiles
    profiles.set(profiles.named("hsprof1")[".id"], {"html-directory": "flash/hotspot"})  # type: ignore[index]
    put(router, login="wrong folder")
    router.machine.files["flash/hotspot/login.html"] = "right folder"
    assert servlet(router, "/login").body == "right folder"
    profiles.set(profiles.named("hsprof1")[".id"], {"html-directory-override": "mine"})  # type: ignore[index]
    assert servlet(router, "/login").body == "right folder"
    router.machine.files["mine/login.html"] = "override"
    assert servlet(router, "/login").body == "override"


# ── login ──


def test_the_factorys_login_page_is_a_form_that_remembers_what_was_wanted(router: SimulatedRouter):
    page = servlet(router, "/login", dst="http://example.com/")
    assert page.status == 200
    assert '<input type="hidden" name="dst" value="http://example.com/">' in page.body
    assert "Please log in" in page.body


def test_the_right_name_and_password_let_the_phone_in_and_lead_on_to_what_was_wanted(router: SimulatedRouter):
    add(router, "user", name="guest", password="karibu")
    page = servlet(router, "/login", username="guest", password="karibu", dst="http://example.com/")
    assert router.passes(MAC)
    assert '<meta http-equiv="refresh" content="2; url=http://example.com/">' in page.body


def test_a_wrong_password_shows_the_form_again_with_what_the_router_says(router: SimulatedRouter):
    add(router, "user", name="guest", password="karibu")
    page = servlet(router, "/login", username="guest", password="wrong")
    assert "invalid username or password" in page.body
    assert 'value="guest"' in page.body
    assert not router.passes(MAC)
    put(router, flogin="failed: $(error-orig)")
    assert servlet(router, "/login", username="guest").body == "failed: invalid username or password"


def test_a_plain_password_is_refused_where_only_challenges_are_taken(router: SimulatedRouter):
    profiles = router.hotspot.server_profiles
    profiles.set(profiles.named("hsprof1")[".id"], {"login-by": "http-chap"})  # type: ignore[index]
    add(router, "user", name="guest")
    assert NO_CHALLENGE in servlet(router, "/login", username="guest").body
    assert not router.passes(MAC)


def test_somebody_who_is_in_never_sees_the_login_page(router: SimulatedRouter):
    let_in(router)
    router.traffic(MAC)
    put(router, login="the form", alogin="in, to $(link-redirect)")
    assert servlet(router, "/login").body == "in, to http://10.5.50.1/status"
    assert servlet(router, "/login", dst="http://example.com/").body == "in, to http://example.com/"


# ── status, logout, the rest ──


def test_the_front_page_leads_strangers_to_login_and_customers_to_status(router: SimulatedRouter):
    assert servlet(router, "/").headers["Location"] == "http://10.5.50.1/login"
    let_in(router)
    router.traffic(MAC)
    assert servlet(router, "/").headers["Location"] == "http://10.5.50.1/status"


@pytest.mark.parametrize("path", ["/status", "/logout"])
def test_a_stranger_has_no_status_and_nothing_to_end(router: SimulatedRouter, path: str):
    page = servlet(router, path)
    assert (page.status, page.headers["Location"]) == (302, "http://10.5.50.1/login")
    put(router, fstatus="nobody", flogout="nobody")
    assert servlet(router, path).body == "nobody"


def test_logout_ends_it_and_shows_what_was_used(router: SimulatedRouter, clock: FakeClock):
    add(router, "user", name="guest")
    servlet(router, "/login", username="guest")
    router.traffic(MAC, 0, 2_048)
    clock.advance(90)
    page = servlet(router, "/logout")
    assert re.search(r"1m30s.*0 B / 2.0 KiB", page.body, re.DOTALL)
    assert not router.passes(MAC)


def test_other_files_of_the_folder_are_served(router: SimulatedRouter):
    router.machine.files |= {"hotspot/css/style.css": "p { $(mac) }", "hotspot/help.html": "$(mac)", "hotspot/error.html": "oops"}
    style, help_page = servlet(router, "/css/style.css"), servlet(router, "/help.html")
    assert (style.headers["Content-Type"], style.body) == ("text/css", "p { $(mac) }")
    assert (help_page.headers["Content-Type"], help_page.body) == ("text/html", MAC)
    assert servlet(router, "/nothing.html").status == 404
