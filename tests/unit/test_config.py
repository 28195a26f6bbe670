"""Configuration: which keys there are, what each may hold, and which contradict each other."""

import copy
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from gateway.config import CONFIG, load
from gateway.hotspot.base import Way
from gateway.identity import Duration, Money, Secret
from gateway.packages import Package
from gateway.providers.base import Environment
from tests.configs import (
    ABSENT,
    FINGERPRINT,
    INTASEND,
    KEYS,
    OWNER,
    PACKAGE,
    PASSWORD_HASH,
    ROUTER,
    SMALL,
    Folder,
    all_keys,
    changed,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
MANUAL = ROOT / "docs" / "configuration.md"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# --------------------------------------------------------------------------------------------------------------------- the example


def test_the_example_loads_as_it_is():
    config = load(EXAMPLE, {})
    (router,) = config.owners[0].routers
    assert [package.name for package in router.packages] == ["30 minutes", "1 hour"]


@pytest.mark.parametrize("key", sorted(set(all_keys(CONFIG))))
def test_the_example_mentions_every_key(key):
    assert re.search(rf"(?m)^[\s#-]*{key}:", EXAMPLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", sorted(set(all_keys(CONFIG))))
def test_the_manual_explains_every_key(key):
    assert f"`{key}`" in MANUAL.read_text(encoding="utf-8")


def test_every_key_that_the_example_comments_out_exists():
    commented = re.findall(r"(?m)^\s+# (\w+):", EXAMPLE.read_text(encoding="utf-8"))
    assert commented
    assert set(commented) <= set(all_keys(CONFIG))


# -------------------------------------------------------------------------------------------------------- defaults and good values


def test_what_is_left_out_has_its_default(folder):
    config = folder.load(SMALL)
    server, (owner,) = config.server, config.owners
    assert (server.listen_host, server.listen_port) == ("0.0.0.0", 8080)
    assert server.data_dir == Path("/var/lib/hotspot-gateway")
    assert (server.trusted_proxies, server.cors_origins) == ((), ("*",))
    assert server.metrics_allow == server.admin_allow == (ip_network("127.0.0.0/8"),)
    assert config.security.encryption_keys == ()
    assert (owner.name, owner.password, owner.password_hash, owner.public_key, owner.intasend) == ("njeri", None, None, None, None)


def test_a_router_is_reached_by_tls_on_its_usual_port_unless_it_says_otherwise(folder):
    login = folder.load(SMALL).owners[0].routers[0].login
    assert (login.port, login.tls, login.tls_fingerprint, login.tls_ca_file) == (8729, True, None, None)
    assert (login.router_id, login.name, login.hotspot_server, login.way) == (1, "Kiosk", None, Way.USER)
    assert login.password == Secret("router secret")


def test_a_package_is_complete_with_name_price_and_duration(folder):
    (package,) = folder.load(SMALL).owners[0].routers[0].packages
    assert package == Package(id=1, router_id=1, name="1 hour", price=Money(5000), duration=Duration(3600))


def test_a_package_takes_the_id_of_its_router(folder):
    (package,) = folder.load(changed((*ROUTER, "id"), 7)).owners[0].routers[0].packages
    assert package.router_id == 7


def test_everything_that_a_package_can_say_arrives(folder):
    said = {
        "download_mbps": 5,
        "upload_mbps": 2.5,
        "data_limit_mb": 500,
        "devices": 3,
        "description": "Two\nlines",
        "active": False,
    }
    tree = changed(PACKAGE, {**SMALL["owners"][0]["routers"][0]["packages"][0], **said})
    (package,) = folder.load(tree).owners[0].routers[0].packages
    assert (package.download_kbps, package.upload_kbps, package.data_limit_mb, package.devices) == (5000, 2500, 500, 3)
    assert (package.description, package.active) == ("Two\nlines", False)


def test_where_people_are_sent_back_to_follows_from_the_public_url(folder):
    payments = folder.load(changed(("server", "public_url"), "http://10.5.50.2:8080/wifi/")).payments
    assert payments.callback_url == "http://10.5.50.2:8080/wifi/payments/webhook/"
    assert payments.success_url_base == "http://10.5.50.2:8080/wifi/payment/success/"
    assert payments.fail_url_base == "http://10.5.50.2:8080/wifi/payment/failed/"


def test_where_people_are_sent_back_to_can_be_said(folder):
    said = {
        "callback_url": "https://pay.example.org/hook?site=1",
        "success_url_base": "https://a.example/ok",
        "fail_url_base": "https://a.example/no/",
    }
    payments = folder.load(changed(("payments",), said)).payments
    assert payments.callback_url == "https://pay.example.org/hook?site=1"
    assert (payments.success_url_base, payments.fail_url_base) == ("https://a.example/ok/", "https://a.example/no/")


def test_an_owner_without_routers_and_a_router_without_packages_are_fine(folder):
    assert folder.load(changed((*OWNER, "routers"), None)).owners[0].routers == ()
    assert folder.load(changed((*ROUTER, "packages"), [])).owners[0].routers[0].packages == ()


def test_a_concrete_address_to_listen_on_is_the_public_url(folder):
    tree = changed(("server",), {"listen": "10.5.50.2:8080"})
    assert folder.load(tree).server.public_url == "http://10.5.50.2:8080"
    assert folder.load(changed(("server", "listen"), "[fd00::2]:80", tree)).server.public_url == "http://[fd00::2]:80"


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "127.0.0.1:0"])
def test_without_a_concrete_address_the_public_url_must_be_said(folder, listen):
    fault = folder.fault(changed(("server",), {"listen": listen}))
    assert fault.startswith("server.public_url: missing - ")
    assert "phones need to know the address" in fault


def test_networks_are_parsed_and_an_address_alone_is_one(folder):
    server = folder.load(changed(("server", "admin_allow"), ["192.168.88.0/24", "10.0.0.9", "fd00::/8"])).server
    assert server.admin_allow == (ip_network("192.168.88.0/24"), ip_network("10.0.0.9/32"), ip_network("fd00::/8"))


def test_an_empty_list_means_nobody(folder):
    assert folder.load(changed(("server", "metrics_allow"), [])).server.metrics_allow == ()


def test_origins_are_kept_as_browsers_send_them(folder):
    server = folder.load(changed(("server", "cors_origins"), ["https://Portal.example.org/", "http://10.5.50.1:81"])).server
    assert server.cors_origins == ("https://portal.example.org", "http://10.5.50.1:81")


def test_without_tls_the_port_is_the_plain_one(folder):
    assert folder.load(changed((*ROUTER, "tls"), value=False)).owners[0].routers[0].login.port == 8728


def test_a_port_that_is_said_stays_with_and_without_tls(folder):
    tree = changed((*ROUTER, "port"), 9999)
    assert folder.load(tree).owners[0].routers[0].login.port == 9999
    assert folder.load(changed((*ROUTER, "tls"), value=False, base=tree)).owners[0].routers[0].login.port == 9999


@pytest.mark.parametrize(
    "spelling", [FINGERPRINT, FINGERPRINT.upper(), ":".join(re.findall("..", FINGERPRINT)), " ".join(re.findall("..", FINGERPRINT))]
)
def test_a_fingerprint_is_read_in_every_spelling_that_openssl_and_browsers_show(folder, spelling):
    assert folder.load(changed((*ROUTER, "tls_fingerprint"), spelling)).owners[0].routers[0].login.tls_fingerprint == FINGERPRINT


def test_the_authoritys_file_is_found_beside_the_configuration(folder):
    authority = folder.write("ca.pem", "certificate")
    assert folder.load(changed((*ROUTER, "tls_ca_file"), "ca.pem")).owners[0].routers[0].login.tls_ca_file == authority


@pytest.mark.parametrize(("written", "read"), [("all", None), ("hotspot1", "hotspot1")])
def test_all_hotspot_servers_is_none_in_particular(folder, written, read):
    assert folder.load(changed((*ROUTER, "hotspot_server"), written)).owners[0].routers[0].login.hotspot_server == read


def test_clients_can_be_let_through_by_binding(folder):
    assert folder.load(changed((*ROUTER, "authorize"), "binding")).owners[0].routers[0].login.way is Way.BINDING


def test_a_public_key_is_kept_in_lower_case(folder):
    assert folder.load(changed((*OWNER, "public_key"), "ABCDEF0123456789" * 2)).owners[0].public_key == "abcdef0123456789" * 2


def test_intasend_keys_make_an_account(folder):
    tree = changed(INTASEND, {**KEYS, "webhook_challenge": "sixteen letters!", "base_url": "http://127.0.0.1:9000/api/v1"})
    intasend = folder.load(tree).owners[0].intasend
    assert intasend is not None
    assert intasend.account is not None
    assert intasend.base_url == intasend.account.base_url == "http://127.0.0.1:9000/api/v1/"
    assert (intasend.account.environment, intasend.account.publishable_key) == (Environment.SANDBOX, "ISPubKey_test_p")
    assert (intasend.account.secret_key, intasend.account.webhook_challenge) == (
        Secret("ISSecretKey_test_s"),
        Secret("sixteen letters!"),
    )


def test_without_a_challenge_an_account_has_none(folder):
    intasend = folder.load(changed(INTASEND, KEYS)).owners[0].intasend
    assert intasend is not None
    assert intasend.account is not None
    assert (intasend.account.webhook_challenge, intasend.base_url) == (None, None)


def test_a_base_url_may_stand_without_keys(folder):
    intasend = folder.load(changed(INTASEND, {"base_url": "http://127.0.0.1:9000/"})).owners[0].intasend
    assert intasend is not None
    assert (intasend.base_url, intasend.account) == ("http://127.0.0.1:9000/", None)


@pytest.mark.parametrize("nothing", [None, {}])
def test_an_intasend_section_that_says_nothing_is_none(folder, nothing):
    assert folder.load(changed(INTASEND, nothing)).owners[0].intasend is None


@pytest.mark.parametrize("key", ["publishable_key", "secret_key"])
def test_keys_without_a_known_prefix_fit_every_environment(folder, key):
    assert (
        folder.load(changed(INTASEND, {**KEYS, "environment": "live", "publishable_key": "p", "secret_key": "s", key: "other"}))
        .owners[0]
        .intasend
    )


# --------------------------------------------------------------------------------------------------------------- rules, one by one

ONE_FAULT: list[tuple[tuple[str | int, ...], Any, str, str]] = [
    (("server", "listen"), "8080", "server.listen", "must be host:port"),
    (("server", "public_url"), "10.5.50.2:8080", "server.public_url", "must be an http"),
    (("server", "public_url"), "http://a/?x=1", "server.public_url", "without a query"),
    (("server", "public_url"), "http://0.0.0.0:8080", "server.public_url", "phones can reach"),
    (("server", "data_dir"), "", "server.data_dir", "must be a path"),
    (("server", "trusted_proxies"), ["10.0.0.1/8"], "server.trusted_proxies[0]", "must be a network"),
    (("server", "metrics_allow"), "127.0.0.0/8", "server.metrics_allow", "must be a list"),
    (("server", "admin_allow"), [["x"]], "server.admin_allow[0]", "must be a single value"),
    (("server", "cors_origins"), ["portal.example.org"], "server.cors_origins[0]", "origin"),
    (("server",), "x", "server", "must be a mapping"),
    (("payments", "callback_url"), "pay.example.org", "payments.callback_url", "must be an http"),
    (("payments", "success_url_base"), "https://a/?x", "payments.success_url_base", "without a query"),
    (("payments", "fail_url_base"), "x", "payments.fail_url_base", "must be an http"),
    (("security", "encryption_key"), "short", "security.encryption_key", "Fernet"),
    (("owners",), [], "owners", "at least one owner"),
    (("owners",), ABSENT, "owners", "at least one owner"),
    (("owners",), {"id": 1}, "owners", "must be a list"),
    (("owners",), ["njeri"], "owners[0]", "must be a mapping"),
    ((*OWNER, "id"), ABSENT, "owners[0].id", "is required"),
    ((*OWNER, "id"), 0, "owners[0].id", "from 1 to"),
    ((*OWNER, "id"), 2**31, "owners[0].id", "from 1 to"),
    ((*OWNER, "id"), "one", "owners[0].id", "whole number"),
    ((*OWNER, "id"), 1.0, "owners[0].id", "whole number"),
    ((*OWNER, "id"), True, "owners[0].id", "whole number"),
    ((*OWNER, "username"), ABSENT, "owners[0].username", "is required"),
    ((*OWNER, "username"), "a b", "owners[0].username", "one word"),
    ((*OWNER, "username"), "", "owners[0].username", "one word"),
    ((*OWNER, "name"), "a\nb", "owners[0].name", "one line"),
    ((*OWNER, "name"), "x" * 201, "owners[0].name", "1 to 200 characters"),
    ((*OWNER, "password"), "", "owners[0].password", "must not be empty"),
    ((*OWNER, "password"), "a\nb", "owners[0].password", "one line"),
    ((*OWNER, "password_hash"), ["x"], "owners[0].password_hash", "must be a single value"),
    ((*OWNER, "password_hash"), "hunter2", "owners[0].password_hash", "must be a hash that `hotspot-gateway"),
    ((*OWNER, "public_key"), "c1eb9fed", "owners[0].public_key", "32 hex digits"),
    (INTASEND, "ISSecretKey_test_s", "owners[0].intasend", "must be a mapping"),
    (INTASEND, {**KEYS, "environment": "production"}, "owners[0].intasend.environment", "must be sandbox or live"),
    (INTASEND, {**KEYS, "environment": None}, "owners[0].intasend.environment", "is required beside"),
    (INTASEND, {**KEYS, "publishable_key": None}, "owners[0].intasend.publishable_key", "is required beside"),
    (INTASEND, {**KEYS, "secret_key": None}, "owners[0].intasend.secret_key", "is required beside"),
    (
        INTASEND,
        {**KEYS, "secret_key": "ISSecretKey_live_s"},
        "owners[0].intasend.secret_key",
        "is a live key, but environment is sandbox",
    ),
    (INTASEND, {**KEYS, "publishable_key": "ISPubKey_live_p"}, "owners[0].intasend.publishable_key", "is a live key"),
    (INTASEND, {**KEYS, "secret_key": "ISPubKey_test_p"}, "owners[0].intasend.secret_key", "must be the ISSecretKey_"),
    (INTASEND, {**KEYS, "publishable_key": "ISSecretKey_test_s"}, "owners[0].intasend.publishable_key", "must be the ISPubKey_"),
    (INTASEND, {**KEYS, "webhook_challenge": "fifteen letters"}, "owners[0].intasend.webhook_challenge", "at least 16 characters"),
    (INTASEND, {"base_url": "127.0.0.1:9000"}, "owners[0].intasend.base_url", "must be an http"),
    ((*ROUTER, "id"), ABSENT, "owners[0].routers[0].id", "is required"),
    ((*ROUTER, "name"), ABSENT, "owners[0].routers[0].name", "is required"),
    ((*ROUTER, "host"), ABSENT, "owners[0].routers[0].host", "is required"),
    ((*ROUTER, "host"), "192.168.88.1:8729", "owners[0].routers[0].host", "without port"),
    ((*ROUTER, "port"), 0, "owners[0].routers[0].port", "from 1 to 65535"),
    ((*ROUTER, "port"), 65_536, "owners[0].routers[0].port", "from 1 to 65535"),
    ((*ROUTER, "tls"), "yes", "owners[0].routers[0].tls", "must be true or false"),
    ((*ROUTER, "tls"), 1, "owners[0].routers[0].tls", "must be true or false"),
    ((*ROUTER, "tls_fingerprint"), "ab:cd", "owners[0].routers[0].tls_fingerprint", "64 hex digits"),
    ((*ROUTER, "tls_ca_file"), "absent.pem", "owners[0].routers[0].tls_ca_file", "no such file"),
    ((*ROUTER, "username"), ABSENT, "owners[0].routers[0].username", "is required"),
    ((*ROUTER, "password"), ABSENT, "owners[0].routers[0].password", "is required, here or as password_file"),
    ((*ROUTER, "hotspot_server"), "", "owners[0].routers[0].hotspot_server", "one line"),
    ((*ROUTER, "authorize"), "radius", "owners[0].routers[0].authorize", "must be user or binding"),
    ((*ROUTER, "packages"), "all", "owners[0].routers[0].packages", "must be a list"),
    ((*PACKAGE, "id"), ABSENT, "owners[0].routers[0].packages[0].id", "is required"),
    ((*PACKAGE, "name"), ABSENT, "owners[0].routers[0].packages[0].name", "is required"),
    ((*PACKAGE, "price"), ABSENT, "owners[0].routers[0].packages[0].price", "is required"),
    ((*PACKAGE, "price"), "free", "owners[0].routers[0].packages[0].price", "must be an amount"),
    ((*PACKAGE, "price"), 0, "owners[0].routers[0].packages[0].price", "whole shillings from 1"),
    ((*PACKAGE, "price"), "50.50", "owners[0].routers[0].packages[0].price", "whole shillings"),
    ((*PACKAGE, "price"), 150_001, "owners[0].routers[0].packages[0].price", "to 150000"),
    ((*PACKAGE, "duration"), ABSENT, "owners[0].routers[0].packages[0].duration", "is required"),
    ((*PACKAGE, "duration"), 3600, "owners[0].routers[0].packages[0].duration", "must be a duration"),
    ((*PACKAGE, "download_mbps"), 0, "owners[0].routers[0].packages[0].download_mbps", "above 0"),
    ((*PACKAGE, "upload_mbps"), -1, "owners[0].routers[0].packages[0].upload_mbps", "above 0"),
    ((*PACKAGE, "data_limit_mb"), 0, "owners[0].routers[0].packages[0].data_limit_mb", "from 1 to"),
    ((*PACKAGE, "data_limit_mb"), 1.5, "owners[0].routers[0].packages[0].data_limit_mb", "whole number"),
    ((*PACKAGE, "devices"), 0, "owners[0].routers[0].packages[0].devices", "from 1 to 100"),
    ((*PACKAGE, "description"), "x" * 2001, "owners[0].routers[0].packages[0].description", "at most 2000"),
    ((*PACKAGE, "active"), "off", "owners[0].routers[0].packages[0].active", "must be true or false"),
]


@pytest.mark.parametrize(("place", "value", "path", "rule"), ONE_FAULT)
def test_a_broken_rule_is_one_fault_that_names_the_key_and_the_rule(folder, place, value, path, rule):
    fault = folder.fault(changed(place, value))
    assert re.fullmatch(rf"{re.escape(path)}: .+ - .*{re.escape(rule)}.*", fault)


@pytest.mark.parametrize("price", [1, 150_000])
def test_the_cheapest_and_the_dearest_price_are_accepted(folder, price):
    assert folder.load(changed((*PACKAGE, "price"), price)).owners[0].routers[0].packages[0].price.shillings == price


@pytest.mark.parametrize(("mbps", "kbps"), [("0.001", 1), ("0.5", 500), ("5", 5000), ("2.500", 2500), ("10000", 10_000_000)])
def test_megabits_become_kilobits_exactly(folder, mbps, kbps):
    assert folder.load(changed((*PACKAGE, "download_mbps"), mbps)).owners[0].routers[0].packages[0].download_kbps == kbps


# ------------------------------------------------------------------------------------------------------------------ contradictions


def _with_second(place: tuple[str | int, ...], **changes: Any) -> dict[str, Any]:
    tree = copy.deepcopy(SMALL)
    spot: Any = tree
    for step in place[:-1]:
        spot = spot[step]
    spot.append({**copy.deepcopy(spot[0]), **changes})
    return tree


def test_routers_of_different_owners_cannot_share_an_id(folder):
    second = copy.deepcopy(SMALL["owners"][0]["routers"][0]) | {"packages": []}
    fault = folder.fault(_with_second(OWNER, id=2, username="otieno", routers=[second]))
    assert fault == "owners[1].routers[0].id: 1 - must be unique, and owners[0].routers[0].id is the same"


def test_packages_of_different_routers_cannot_share_an_id(folder):
    assert folder.fault(_with_second(ROUTER, id=2)).startswith("owners[0].routers[1].packages[0].id: 1 - must be unique")


@pytest.mark.parametrize(
    ("name", "value", "other"), [("id", 1, 2), ("username", "njeri", "otieno"), ("public_key", "ab" * 16, "cd" * 16)]
)
def test_owners_share_neither_id_nor_name_nor_key(folder, name, value, other):
    tree = _with_second(OWNER, **{"id": 2, "username": "otieno", "public_key": "cd" * 16, "routers": [], name: value})
    tree = changed((*OWNER, "public_key"), "AB" * 16, tree)
    assert folder.fault(tree).startswith(f"owners[1].{name}: {value} - must be unique")
    assert folder.load(changed(("owners", 1, name), other, tree)).owners[1].id == 2


def test_an_id_that_is_taken_is_noticed_although_the_entry_has_other_faults(folder):
    assert len(folder.faults(_with_second(PACKAGE, price="free"))) == 2


def test_a_password_and_its_hash_exclude_each_other(folder):
    tree = changed((*OWNER, "password"), "hunter2", changed((*OWNER, "password_hash"), PASSWORD_HASH))
    assert folder.fault(tree) == "owners[0].password: *** - give either password or password_hash, not both"


def test_a_challenge_without_keys_is_half_an_account(folder):
    faults = folder.faults(changed(INTASEND, {"webhook_challenge": "sixteen letters!"}))
    assert [fault.partition(":")[0].rpartition(".")[2] for fault in faults] == ["environment", "publishable_key", "secret_key"]


@pytest.mark.parametrize(("key", "value"), [("tls_fingerprint", FINGERPRINT), ("tls_ca_file", "ca.pem")])
def test_pinning_without_tls_is_refused_because_it_would_protect_nothing(folder, key, value):
    folder.write("ca.pem", "certificate")
    tree = changed((*ROUTER, key), value, changed((*ROUTER, "tls"), value=False))
    assert folder.fault(tree).endswith(" - has no effect with tls: false")


def test_a_pin_and_an_authority_exclude_each_other(folder):
    folder.write("ca.pem", "certificate")
    tree = changed((*ROUTER, "tls_fingerprint"), FINGERPRINT, changed((*ROUTER, "tls_ca_file"), "ca.pem"))
    assert "not both" in folder.fault(tree)
