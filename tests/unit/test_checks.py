"""`hotspot-gateway check`: finds what is wrong, says what to do, changes nothing."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import checks
from gateway.clock import MachineClock
from gateway.config import Config
from gateway.identity import Secret
from gateway.simulators.intasend import Endpoint, fails_with
from tests.e2e.world import World
from tests.fakeclock import FakeClock
from tests.preparation import PORTAL, prepare


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[World]:
    """A site whose daemon has not been started yet."""
    async with World(tmp_path) as world:
        yield world


@pytest.fixture
async def prepared(site: World) -> World:
    """Its router is ready for selling."""
    site.edits.append(lambda document: document["server"].update(public_url=PORTAL))
    await prepare(site.router, site.config())
    return site


async def table(config: Config, clock: MachineClock | None = None) -> tuple[int, dict[str, str]]:
    """The exit code, and the lines by what they are about."""
    lines: list[str] = []
    wrong = await checks.run_checks(config, lines.append, clock)
    return wrong, {line[7:36].strip(): line for line in lines}


def owner_with(config: Config, **changes: object) -> Config:
    return replace(config, owners=(replace(config.owners[0], **changes),))  # type: ignore[arg-type]


async def test_a_site_that_is_all_well_exits_0(prepared: World) -> None:
    code, lines = await table(prepared.config(), prepared.clock)
    assert [line for line in lines.values() if line.startswith("WRONG")] == []
    assert code == 0
    assert list(lines)[:7] == [
        "configuration",
        "data directory",
        "encryption key",
        "database",
        "clock",
        "IntaSend keys of njeri",
        "router Kiosk",
    ]
    assert lines["router Kiosk"].endswith("3 device(s) on the hotspot, 0 let through by us")


async def test_what_is_worth_a_look_is_no_error(prepared: World) -> None:
    _, lines = await table(prepared.config(), prepared.clock)
    doubtful = {what.removeprefix("Kiosk: "): line for what, line in lines.items() if line.startswith("look ")}
    assert list(doubtful) == ["login's address", "API service", "fasttrack"]
    assert doubtful["login's address"].endswith("could not be seen: the login has no right to read /user")


@pytest.mark.parametrize(
    ("change", "what", "said"),
    [
        ("/ip hotspot profile set hsprof1 login-by=mac,cookie", "login-by", "has cookie"),
        ("/ip hotspot set hotspot1 address-pool=hs-pool-1", "address pool", "second address"),
        ("/ip hotspot walled-garden ip remove [find]", "walled garden", f"no way to {PORTAL}"),
        ("/ip hotspot walled-garden add dst-host=captive.apple.com", "connectivity probes", "captive.apple.com"),
        ("/ip hotspot ip-binding remove [find]", "gateway's bypass", "without a bypassed ip-binding"),
        ("/ip firewall nat remove [find where action=accept]", "phones' addresses", "may hide them"),
        ("/ip dns set allow-remote-requests=no", "DNS for phones", "resolve nothing"),
        ("/ip firewall filter add chain=forward action=fasttrack-connection", "fasttrack", "past speed and data limits"),
        ("/ipv6 address add address=2001:db8::1/64 interface=bridge", "IPv6", "without paying"),
        ("/system scheduler disable [find]", "sweeper", "stopped"),
        ("/system script set [find] source=x", "sweeper", "not the one of this version"),
        ("/file remove [find where name=hotspot/login.html]", "pages of the hotspot", "login.html missing in hotspot"),
        ("/file set [find where name=hotspot/login.html] contents=x", "pages of the hotspot", "do not lead to"),
        ("/system clock set date=1970-01-02", "router's clock", "not set (1970-01-02)"),
    ],
)
async def test_each_pitfall_of_a_router_is_wrong_and_says_what_to_do(prepared: World, change: str, what: str, said: str) -> None:
    await prepared.router.run_script(change)
    code, lines = await table(prepared.config(), prepared.clock)
    assert code == 1
    assert [name for name, line in lines.items() if line.startswith("WRONG")] == [f"Kiosk: {what}"]
    assert said in lines[f"Kiosk: {what}"]


async def test_a_router_of_version_6_is_checked_too(tmp_path: Path) -> None:
    async with World(tmp_path, version="6.49.18") as world:
        _, lines = await table(world.config(), world.clock)
        assert lines["Kiosk: device-mode"].endswith("this version has none")
        assert lines["Kiosk: router's clock"].startswith("look ")


async def test_a_login_that_may_not_write_is_found_out_without_a_change(prepared: World) -> None:
    prepared.router.user = replace(prepared.router.user, policies=frozenset({"api", "read"}))
    before = prepared.router.writes
    code, lines = await table(prepared.config(), prepared.clock)
    assert code == 1
    assert "nobody can be let in" in lines["Kiosk: login's rights"]
    assert prepared.router.writes == before


async def test_a_check_changes_nothing_on_the_router(prepared: World) -> None:
    before = prepared.router.writes
    await table(prepared.config(), prepared.clock)
    assert prepared.router.writes == before


async def test_a_check_before_the_first_start_leaves_no_trace(site: World) -> None:
    _, lines = await table(site.config())
    assert not (site.folder / "data").exists()
    for what in ("data directory", "encryption key", "database"):
        assert lines[what].endswith(": will be made at the first start")


async def test_a_running_gateway_is_checked_without_disturbing_it(site: World) -> None:
    await site.start()
    await site.buy(site.amina)
    _, lines = await table(site.config())
    assert lines["router Kiosk"].startswith("ok ")
    assert lines["router Kiosk"].endswith("2 device(s) on the hotspot, 1 let through by us")
    assert site.amina.online


async def test_keys_that_intasend_refuses_are_wrong(site: World) -> None:
    config = site.config()
    intasend = config.owners[0].intasend
    assert intasend is not None
    assert intasend.account is not None
    forged = replace(intasend, account=replace(intasend.account, secret_key=Secret("ISSecretKey_test_x")))
    code, lines = await table(owner_with(config, intasend=forged))
    assert code == 1
    assert lines["IntaSend keys of njeri"].startswith("WRONG  ")
    assert lines["IntaSend keys of njeri"].endswith("compare them with the sandbox keys on IntaSend's dashboard")


async def test_an_intasend_that_does_not_answer_is_wrong(site: World) -> None:
    site.intasend.faults.always(Endpoint.ANY, fails_with(503))
    code, lines = await table(site.config())
    assert code == 1
    assert "check the way to the Internet" in lines["IntaSend keys of njeri"]


async def test_an_owner_without_keys_cannot_sell(site: World) -> None:
    code, lines = await table(owner_with(site.config(), intasend=None))
    assert code == 1
    assert lines["IntaSend keys of njeri"].endswith("none, so this owner cannot sell: add them under `intasend`")


async def test_a_router_that_does_not_answer_is_wrong(site: World) -> None:
    await site.router.stop()
    code, lines = await table(site.config())
    assert code == 1
    assert lines["router Kiosk"].endswith("check host, port and cable, and on the router `/ip service print` for api")


async def test_a_router_that_does_not_let_us_in_is_wrong(site: World) -> None:
    config = site.config()
    (router,) = config.owners[0].routers
    stranger = replace(router, login=replace(router.login, password=Secret("wrong")))
    code, lines = await table(owner_with(config, routers=(stranger,)))
    assert code == 1
    assert "does not accept the user name or password of 'gateway'" in lines["router Kiosk"]


async def test_a_hotspot_server_that_the_router_does_not_have_is_wrong(site: World) -> None:
    def elsewhere(document: dict[str, Any]) -> None:
        document["owners"][0]["routers"][0]["hotspot_server"] = "hotspot9"

    site.edits.append(elsewhere)
    code, lines = await table(site.config())
    assert code == 1
    assert lines["router Kiosk"].startswith("WRONG")
    assert 'no hotspot server "hotspot9": it has hotspot1' in lines["router Kiosk"]


async def test_one_thing_that_is_wrong_does_not_hide_the_next(site: World) -> None:
    await site.router.stop()
    code, lines = await table(owner_with(site.config(), intasend=None))
    assert code == 1
    assert [what for what, line in lines.items() if line.startswith("WRONG")] == ["IntaSend keys of njeri", "router Kiosk"]


async def test_a_broken_database_is_wrong(site: World) -> None:
    (site.folder / "data").mkdir()
    (site.folder / "data" / "gateway.db").write_text("nonsense" * 1_000, "utf-8")
    _, lines = await table(site.config())
    assert lines["database"].endswith("file is not a database: stop the gateway and restore a backup")


async def test_a_lost_encryption_key_is_wrong(site: World) -> None:
    await site.start()
    await site.stop()
    (site.folder / "data" / "encryption.key").unlink()
    _, lines = await table(site.config())
    assert lines["encryption key"].startswith("WRONG  ")
    assert "restore it from your backup" in lines["encryption key"]


async def test_a_data_directory_that_is_a_file_is_wrong(site: World) -> None:
    (site.folder / "data").touch()
    _, lines = await table(site.config())
    assert "is not a writable folder: give it to the user that runs the gateway" in lines["data directory"]


async def test_a_data_directory_that_cannot_be_written_is_wrong(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    _, lines = await table(site.config())
    assert f"{site.folder} is not a writable folder" in lines["data directory"]


@pytest.mark.parametrize(("wall_s", "well"), [(0.0, False), (1_700_000_000.0, False), (1_756_117_800.0, True)])
def test_a_clock_that_was_never_set_is_wrong(wall_s: float, well: bool) -> None:  # noqa: FBT001
    finding = checks._clock(FakeClock(wall_s))
    assert finding.well is well
    assert ("timedatectl" in finding.detail) is not well
