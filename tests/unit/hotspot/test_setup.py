"""The one description of a prepared router: values, steps, and that the script's words exist on real routers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.hotspot.setup.plan import plan
from gateway.hotspot.setup.script import quoted, script
from gateway.hotspot.setup.steps import Bypass, Certificate, Exactly, Is, Members, OnlyFrom, Pages, Row
from gateway.identity import IpAddress, MacAddress
from tests.unit.hotspot.installations import PASSWORD, installation, login

DATA = Path(__file__).parents[3].parent / "shared" / "data"
VERSIONS = ("7.10.2", "7.20.8", "7.24")
NOT_IN_THE_DUMPS = ("/ip/dns", "/ip/firewall/nat")
"""Menus of every router, of which the dumps hold nothing."""
PI = MacAddress.parse("B8:27:EB:00:00:01")


def rows(**changes: Any) -> dict[str, Row]:
    return {step.title: step for step in plan(installation(**changes)) if isinstance(step, Row)}


# Values


@pytest.mark.parametrize(
    ("value", "shown", "right"),
    [
        (Is("10m"), "00:10:00", True),
        (Is("10m"), "10m", True),
        (Is("10m"), "2m", False),
        (Is("2M/5M"), "2000000/5000000", True),
        (Is("2M/5M"), "5M/2M", False),
        (Is("no"), "false", True),
        (Is("no"), "true", False),
        (Is(""), "", True),
        (Is("10.5.50.2"), "10.5.50.2/32", True),
        (OnlyFrom(IpAddress("10.5.50.2")), "10.5.50.2/32", True),
        (OnlyFrom(IpAddress("10.5.50.2")), "10.5.50.2", True),
        (OnlyFrom(IpAddress("10.5.50.2")), "10.5.50.0/24", False),
        (OnlyFrom(IpAddress("10.5.50.2")), "", False),
        (Exactly(("api", "read", "write")), "read,write,api,!ftp,!ssh", True),
        (Exactly(("api", "read", "write")), "read,write,api,ftp", False),
        (Exactly(("api", "read", "write")), "read,api,!write", False),
        (Exactly(("from-client", "!auth")), "from-client,!auth", True),
        (Exactly(("from-client", "!auth")), "from-client", False),
        (Members(("mac", "http-chap"), ("cookie",)), "http-pap,mac,http-chap", True),
        (Members(("mac", "http-chap"), ("cookie",)), "mac,http-chap,cookie", False),
        (Members(("mac", "http-chap"), ("cookie",)), "http-chap", False),
    ],
)
def test_a_value_is_compared_by_what_it_means(value, shown: str, right):
    assert value.holds(shown) is right


def test_ways_to_log_in_that_are_not_ours_stay():
    ways = Members(("mac", "http-chap"), ("cookie", "mac-cookie"))
    assert ways.replacing("cookie,http-pap,http-chap,mac-cookie,https") == "mac,http-chap,http-pap,https"


# The plan


def test_the_gateway_gets_the_fewest_rights_and_comes_from_one_address_only():
    there = rows()
    assert there["group hotspot-gateway"].wanted == {"policy": Exactly(("api", "read", "write"))}
    user = there["user gateway"]
    assert user.wanted["address"] == OnlyFrom(IpAddress("10.5.50.2"))
    assert (user.needs_mark, user.when_added) == (True, {"password": PASSWORD})


def test_the_walled_garden_holds_the_portal_and_never_a_probe():
    def garden(**changes: Any):
        return [step.wanted for step in rows(**changes).values() if step.path == "/ip/hotspot/walled-garden/ip"]

    portal = {"action": Is("accept"), "dst-address": Is("10.5.50.2"), "protocol": Is("tcp"), "dst-port": Is("8080")}
    assert garden() == [portal]
    pages = garden(payment_hosts=("payment.intasend.com",))
    assert pages == [
        portal,
        {"action": Is("accept"), "dst-host": Is("payment.intasend.com"), "protocol": Is("tcp"), "dst-port": Is("443")},
    ]


@pytest.mark.parametrize(("url", "port"), [("http://10.5.50.2", "80"), ("https://10.5.50.2", "443"), ("http://10.5.50.2:81", "81")])
def test_the_portals_port_is_the_one_in_its_address(url: str, port: str):
    assert rows(public_url=url)["walled garden: the portal"].wanted["dst-port"] == Is(port)


def test_a_portal_on_another_leg_of_the_gateway_has_its_own_address():
    there = rows(gateway=IpAddress("192.168.88.2"))
    assert there["user gateway"].wanted["address"] == OnlyFrom(IpAddress("192.168.88.2"))
    assert there["walled garden: the portal"].wanted["dst-address"] == Is("10.5.50.2")


def test_a_portal_with_a_name_is_reached_at_the_gateways_address():
    assert rows(public_url="https://wifi.example.org")["walled garden: the portal"].wanted["dst-address"] == Is("10.5.50.2")


def test_each_speed_is_made_once_and_as_the_gateway_itself_would_make_it():
    speeds = [
        step for step in plan(installation(speeds=installation().speeds * 2)) if isinstance(step, Row) and "speed" in step.title
    ]
    assert [step.found_by["name"] for step in speeds] == [
        "hotspot-gateway-0k-up-0k-down-1-devices",
        "hotspot-gateway-2000k-up-5000k-down-1-devices",
    ]
    assert speeds[1].wanted["rate-limit"] == Is("2M/5M")
    assert speeds[1].wanted["add-mac-cookie"] == Is("no")


def test_an_operator_with_a_certificate_of_his_own_keeps_it():
    steps = plan(installation(login=login(tls_ca_file=Path("ca.pem"))))
    assert not any(isinstance(step, Certificate) for step in steps)
    assert "certificate" not in rows(login=login(tls_ca_file=Path("ca.pem")))["service api-ssl"].wanted


def test_without_tls_the_plain_service_is_limited_to_the_gateway():
    there = rows(login=login(tls=False, port=8728))
    assert there["service api"].wanted == {"address": OnlyFrom(IpAddress("10.5.50.2")), "disabled": Is("no")}


def test_what_may_cut_the_connection_over_which_it_is_done_comes_last():
    *_, last = plan(installation())
    assert isinstance(last, Row)
    assert last.path == "/ip/service"


def test_a_servers_rows_are_that_servers_and_all_servers_are_all():
    assert rows()["hotspot server"].found_by == {"name": "hotspot1"}
    assert rows(login=login(hotspot_server=None))["hotspot server"].found_by == {}


def test_everything_that_is_made_carries_our_mark():
    for step in plan(installation(payment_hosts=("payment.intasend.com",))):
        if isinstance(step, Row) and step.may_be_added:
            known = (*step.found_by.values(), *(value.replacing("") for value in step.wanted.values()))
            assert any(text.startswith("hotspot-gateway") for text in known), step.title
        elif isinstance(step, Bypass):
            assert step.comment.startswith("hotspot-gateway")


# The script's text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", '"plain"'),
        ('a "b" $c \\d', '"a \\"b\\" \\$c \\\\d"'),
        ("one\ntwo?", '"one\\ntwo\\?"'),
        ("caf\u00e9", '"caf\\C3\\A9"'),
    ],
)
def test_a_string_survives_the_terminal(text: str, written: str):
    assert quoted(text) == written


def test_the_script_shows_no_password_unless_told_to():
    steps = plan(installation())
    assert PASSWORD.reveal() not in script(steps, title="x", password=None)
    assert f':local hgPassword "{PASSWORD.reveal()}"' in script(steps, title="x", password=PASSWORD)


def test_the_script_is_one_block_of_plain_letters_without_slashed_paths():
    text = script(plan(installation()), title="x", password=None)
    assert text.isascii()
    block = [line for line in text.splitlines() if not line.startswith("#")]
    assert (block[0], block[-1]) == ("{", "}")
    assert re.findall(r"(?<![\w.$:/-])/(?:ip|user|system|tool|file|certificate)/", text) == []
    assert ":timestamp" not in text
    assert "\t" not in text


def test_every_variable_of_the_script_is_clear_of_attribute_names():
    text = script(plan(installation(inline_pages=True)), title="x", password=None)
    assert {name for name in re.findall(r"(?<!\\)\$([A-Za-z]+)", text) if not name.startswith("hg")} == set()


def test_the_router_fetches_its_pages_or_carries_them():
    fetched = script(plan(installation()), title="x", password=None)
    assert fetched.count("/tool fetch url=") == 7
    assert '/tool fetch url="http://10.5.50.2:8080/router/1/hotspot/login.html" dst-path=($hgFolder . "/login.html")' in fetched
    inline = script(plan(installation(inline_pages=True)), title="x", password=None)
    assert inline.count("<!doctype html>") == 8  # redirect.html has two
    assert "/tool fetch" not in inline


# Real routers


def used(steps):
    """Every command of the plan with the attributes that it names, for rows that are added and for those that are changed."""
    for step in steps:
        match step:
            case Row():
                names = {*step.found_by, *step.wanted, *step.when_added}
                if step.may_be_added:
                    yield f"{step.path}/add", names | ({"place-before"} if step.goes_first else set())
                yield f"{step.path}/set", names - ({"name"} if step.path == "/ip/service" else set())
            case Certificate():
                yield "/certificate/add", {"name", "common-name", "days-valid"}
                yield "/certificate/sign", {"number"}
            case Bypass():
                yield "/ip/hotspot/ip-binding/add", {"mac-address", "type", "comment"}
            case Pages():
                yield "/tool/fetch", {"url", "dst-path"}
                yield "/file/add", {"name", "contents"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_path_and_parameter_of_the_plan_exists_on_a_real_router(version: str):
    file = DATA / f"routeros-{version}.json"
    if not file.exists():
        pytest.skip(f"{file.name} of a real router is not beside the project")
    known = json.loads(file.read_text())["commands"]
    steps = plan(installation(payment_hosts=("payment.intasend.com",), gateway_mac=PI))
    lacking = {
        path: names - set(known.get(path, ()))
        for path, names in used(steps)
        if not path.startswith(NOT_IN_THE_DUMPS) and names - set(known.get(path, ()))
    }
    assert lacking == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_command_in_the_scripts_text_exists_on_a_real_router(version: str):
    file = DATA / f"routeros-{version}.json"
    if not file.exists():
        pytest.skip(f"{file.name} of a real router is not beside the project")
    known = json.loads(file.read_text())["commands"]
    text = (
        script(plan(installation(inline_pages=False)), title="x", password=None).replace("\\n", "\n").partition("Look at these")[0]
    )
    paths = re.findall(r"/((?:ip|user|system|certificate|file|tool)(?: [a-z-]+)*) (find|get|set|add|remove|sign|fetch)\b", text)
    paths += [(path, verb) for path, verb in re.findall(r"(?<=\\{ )/(tool) (fetch)", text)]
    asked = {f"/{path.replace(' ', '/')}/{verb}" for path, verb in paths}
    assert len(asked) > 30
    # `get` of settings and `find` need no arguments of their own, and some dumps list them only where there are rows.
    lacking = {command for command in asked if command not in known and not command.startswith(NOT_IN_THE_DUMPS)}
    assert lacking == set()
