"""What `check` makes of what it saw on a router, rule by rule, without a router."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.hotspot.base import RouterLogin, Way
from gateway.hotspot.inspection import TABLES, Right, Sight, Site, Verdict
from gateway.hotspot.inspection_rules import judge, router_time
from gateway.hotspot.pages import hotspot_pages
from gateway.hotspot.setup import sweeper
from gateway.hotspot.words import Unintelligible
from gateway.identity import Secret
from gateway.packages import SpeedProfile

NOW_S = datetime(2025, 8, 25, 10, 30, tzinfo=UTC).timestamp()
PORTAL = "http://10.5.50.2:8080"
LOGIN = RouterLogin(1, "Kiosk", "192.168.88.1", 8729, True, None, None, "gateway", Secret("x"), "hotspot1", Way.USER)
SPEED = SpeedProfile(2_000, 5_000, 1)
SITE = Site(LOGIN, PORTAL, (SPEED,), NOW_S)
PAGES = hotspot_pages(PORTAL, LOGIN.router_id)

WELL = {
    "/ip/address": [{"address": "10.5.50.1/24", "interface": "bridge"}],
    "/ip/dhcp-server/network": [{"address": "10.5.50.0/24", "dns-server": "10.5.50.1"}],
    "/ip/dns": [{"allow-remote-requests": "true"}],
    "/ip/firewall/filter": [],
    "/ip/firewall/nat": [{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}],
    "/ip/hotspot": [{"name": "hotspot1", "interface": "bridge", "profile": "hsprof1"}],
    "/ip/hotspot/active": [],
    "/ip/hotspot/host": [{"address": "10.5.50.2", "mac-address": "B8:27:EB:00:00:01"}],
    "/ip/hotspot/ip-binding": [{"mac-address": "B8:27:EB:00:00:01", "type": "bypassed"}],
    "/ip/hotspot/profile": [{"name": "hsprof1", "login-by": "mac,http-chap", "html-directory": "hotspot"}],
    "/ip/hotspot/user/profile": [],
    "/ip/hotspot/walled-garden": [],
    "/ip/hotspot/walled-garden/ip": [{"action": "accept", "dst-address": "10.5.50.2", "dst-port": "8080", "protocol": "tcp"}],
    "/ip/service": [{"name": "api", "disabled": "true"}, {"name": "api-ssl", "certificate": "hotspot-gateway-api"}],
    "/ipv6/address": [{"address": "fe80::1/64", "interface": "bridge"}],
    "/ipv6/settings": [{"disable-ipv6": "false"}],
    "/system/clock": [{"date": "2025-08-25", "time": "13:30:00", "gmt-offset": "+03:00"}],
    "/system/device-mode": [{"mode": "advanced", "hotspot": "true", "scheduler": "true"}],
    "/system/license": [{"nlevel": "4"}],
    "/system/ntp/client": [{"enabled": "true", "status": "synchronized"}],
    "/system/scheduler": [{"name": sweeper.NAME, "on-event": sweeper.NAME, "interval": "30s", "run-count": "7"}],
    "/system/script": [{"name": sweeper.NAME, "source": sweeper.source()}],
    "/user": [{"name": "gateway", "group": "hotspot-gateway", "address": "10.5.50.2/32"}],
    "/user/group": [{"name": "hotspot-gateway", "policy": "api,read,write,!policy"}],
    "/user/active": [{"name": "gateway", "address": "192.168.88.9", "via": "api"}],
}


def judgements(tables=None, *, site=SITE, pages=PAGES, hidden=(), right=Right.YES):
    seen = {path: tuple(rows) for path, rows in (WELL | (tables or {})).items() if path not in hidden}
    return {said.what: said for said in judge(Sight(seen, right, pages), site, PAGES)}


def test_a_router_without_pitfalls_is_well():
    assert {what: said.verdict for what, said in judgements().items() if said.verdict is not Verdict.OK} == {}


def test_every_table_that_is_read_is_there_for_a_rule():
    assert set(WELL) == set(TABLES)


@pytest.mark.parametrize(
    ("tables", "what", "verdict", "said"),
    [
        ({"/user/group": [{"name": "hotspot-gateway", "policy": "api,read,write,policy"}]}, "login's rights", "WRONG", "policy"),
        ({"/user": [{"name": "gateway", "group": "hotspot-gateway"}]}, "login's address", "WRONG", "from anywhere"),
        ({"/ip/service": [{"name": "api-ssl", "certificate": "none"}]}, "API service", "WRONG", "no certificate"),
        (
            {"/ip/service": [{"name": "api"}, {"name": "api-ssl", "certificate": "c"}]},
            "API service",
            "look",
            "api in clear is open to all",
        ),
        ({"/system/clock": [{"date": "jan/02/1970", "time": "00:00:10"}]}, "router's clock", "WRONG", "not set (1970-01-02)"),
        ({"/system/clock": [{"date": "2025-08-25", "time": "10:32:00"}]}, "router's clock", "WRONG", "120 s ahead of ours"),
        ({"/system/clock": [{"date": "2025-08-25", "time": "10:28:00"}]}, "router's clock", "WRONG", "120 s behind ours"),
        ({"/system/clock": [{"date": "soon", "time": "10:28:00"}]}, "router's clock", "look", "could not be read"),
        ({"/system/ntp/client": [{"enabled": "false"}]}, "router's clock", "look", "lost at the next power cut"),
        ({"/system/ntp/client": [{"enabled": "true", "status": "waiting"}]}, "router's clock", "look", "(waiting)"),
        ({"/system/device-mode": [{"mode": "home", "hotspot": "no", "scheduler": "no"}]}, "device-mode", "WRONG", "hotspot=yes"),
        ({"/system/device-mode": []}, "device-mode", "ok", "this version has none"),
        ({"/system/license": [{"nlevel": "1"}]}, "licence", "look", "level 1 allows 1"),
        ({"/ip/hotspot/active": [{".id": "*1"}] * 160}, "licence", "look", "160 are"),
        ({"/ip/hotspot/active": [{".id": "*1"}] * 200}, "licence", "WRONG", "nobody else can be let in"),
        ({"/system/license": [{"level": "p1"}]}, "licence", "ok", "level p1"),
        ({"/ip/hotspot/profile": [{"name": "hsprof1", "login-by": "http-chap"}]}, "login-by", "WRONG", "lacks mac"),
        (
            {"/ip/hotspot/profile": [{"name": "hsprof1", "login-by": "mac", "mac-auth-mode": "mac-as-username-and-password"}]},
            "login-by",
            "WRONG",
            "mac-auth-mode=mac-as-username-and-password",
        ),
        ({"/ip/hotspot/user/profile": [{"name": SPEED.name, "rate-limit": "1M/1M"}]}, "speed profiles", "look", "rate-limit"),
        ({"/system/script": []}, "sweeper", "WRONG", "missing"),
        ({"/ip/firewall/nat": [{"chain": "srcnat", "action": "masquerade"}]}, "phones' addresses", "WRONG", "may hide them"),
        ({"/ip/firewall/nat": [{"chain": "srcnat", "action": "masquerade", "disabled": "true"}]}, "phones' addresses", "ok", "no"),
        (
            {"/ip/firewall/nat": [{"chain": "srcnat", "action": "masquerade", "dst-address": "!10.5.50.0/24"}]},
            "phones' addresses",
            "ok",
            "no masquerade",
        ),
        ({"/ip/hotspot/walled-garden/ip": [{"dst-address": "10.5.50.2", "dst-port": "80"}]}, "walled garden", "WRONG", PORTAL),
        ({"/ip/hotspot/walled-garden/ip": [{"dst-address": "10.5.50.0/24"}]}, "walled garden", "ok", "leads to"),
        ({"/ip/hotspot/walled-garden": [{"dst-host": "*.gstatic.com"}]}, "connectivity probes", "WRONG", "*.gstatic.com"),
        ({"/ip/hotspot/walled-garden": [{"dst-host": "captive.apple.com", "action": "deny"}]}, "connectivity probes", "ok", "not"),
        ({"/ip/hotspot/ip-binding": []}, "gateway's bypass", "WRONG", "without a bypassed ip-binding"),
        ({"/ip/hotspot/ip-binding": [{"address": "10.5.50.2", "type": "bypassed"}]}, "gateway's bypass", "ok", "is bypassed"),
        ({"/ip/hotspot/host": []}, "gateway's bypass", "look", "is its MAC the one"),
        ({"/ip/dhcp-server/network": [{"address": "10.5.50.0/24", "dns-server": "8.8.8.8"}]}, "DNS for phones", "look", "8.8.8.8"),
        (
            {"/ip/firewall/filter": [{"action": "fasttrack-connection", "src-address": "!10.5.50.0/24"}]},
            "fasttrack",
            "look",
            "with conditions",
        ),
        ({"/ip/firewall/filter": [{"action": "fasttrack-connection", "disabled": "true"}]}, "fasttrack", "ok", "not used"),
        ({"/ipv6/settings": [{"disable-ipv6": "true"}]}, "IPv6", "ok", "switched off"),
    ],
)
def test_each_pitfall_is_told_with_its_weight(tables, what, verdict, said):
    judgement = judgements(tables)[what]
    assert (judgement.verdict, said in judgement.detail) == (verdict, True), judgement.detail


@pytest.mark.parametrize("path", sorted(set(TABLES) - {"/user/active", "/user", "/user/group"}))
def test_what_could_not_be_seen_is_never_well(path):
    unseen = [said for said in judgements(hidden=[path]).values() if "could not be seen" in said.detail]
    assert unseen
    assert {said.verdict for said in unseen} == {Verdict.LOOK}
    assert all(path in said.detail for said in unseen)


def test_a_login_that_cannot_see_users_is_a_narrow_one():
    said = judgements(hidden=["/user", "/user/group"])
    assert said["login's rights"].verdict is Verdict.OK
    assert said["login's address"].verdict is Verdict.LOOK


def test_a_login_that_cannot_write_is_wrong():
    assert judgements(right=Right.NO)["login's rights"].verdict is Verdict.WRONG


def test_an_api_in_clear_is_worth_a_look():
    assert judgements(site=replace(SITE, login=replace(LOGIN, tls=False)))["API service"].verdict is Verdict.LOOK


def test_a_gateway_elsewhere_needs_no_bypass():
    said = judgements({"/ip/hotspot/ip-binding": []}, site=replace(SITE, public_url="http://192.168.88.9"))
    assert said["gateway's bypass"].verdict is Verdict.OK


def test_a_portal_with_a_name_is_looked_for_by_that_name():
    site = replace(SITE, public_url="https://wifi.example.org")
    rows = [{"action": "accept", "dst-host": "wifi.example.org", "dst-port": "443", "protocol": "tcp"}]
    assert judgements({"/ip/hotspot/walled-garden/ip": rows}, site=site)["walled garden"].verdict is Verdict.OK
    assert judgements({"/ip/hotspot/walled-garden/ip": []}, site=site)["walled garden"].verdict is Verdict.WRONG


def test_a_gateway_behind_a_name_is_known_by_its_login():
    site = replace(SITE, public_url="https://wifi.example.org")
    logins = {"/user/active": [{"name": "gateway", "address": "10.5.50.2"}], "/ip/hotspot/ip-binding": []}
    assert judgements(logins, site=site)["gateway's bypass"].verdict is Verdict.WRONG
    assert judgements({"/user/active": []}, site=site)["gateway's bypass"].verdict is Verdict.LOOK


@pytest.mark.parametrize(
    ("pages", "verdict", "said"),
    [
        ({}, Verdict.WRONG, "login.html, logout.html, redirect.html, rlogin.html, status.html missing in hotspot"),
        (PAGES | {"login.html": "the factory's"}, Verdict.WRONG, "login.html in hotspot do not lead to"),
        (PAGES | {"login.html": hotspot_pages(PORTAL, 9)["login.html"]}, Verdict.WRONG, "login.html in hotspot do not lead to"),
        (PAGES | {"login.html": None}, Verdict.LOOK, "does not show their text"),
        (None, Verdict.LOOK, "no right to read /file"),
    ],
)
def test_pages_must_be_there_and_lead_to_the_portal(pages, verdict, said):
    judgement = judgements(pages=pages)["pages of the hotspot"]
    assert (judgement.verdict, said in judgement.detail) == (verdict, True), judgement.detail


@pytest.mark.parametrize(
    ("row", "moment"),
    [
        ({"date": "2025-08-25", "time": "13:30:00", "gmt-offset": "+03:00"}, datetime(2025, 8, 25, 10, 30, tzinfo=UTC)),
        ({"date": "aug/25/2025", "time": "06:30:00", "gmt-offset": "-04:00"}, datetime(2025, 8, 25, 10, 30, tzinfo=UTC)),
        ({"date": "2025-08-25", "time": "10:30:00"}, datetime(2025, 8, 25, 10, 30, tzinfo=UTC)),
    ],
)
def test_the_routers_time_is_read_in_both_spellings(row, moment):
    assert router_time(row) == moment


def test_what_is_no_time_is_not_taken_for_one():
    with pytest.raises(Unintelligible):
        router_time({"date": "foo/25/2025", "time": "10:30:00"})
