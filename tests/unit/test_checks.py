"""`hotspot-gateway check`: finds what is wrong, says what to do, changes nothing."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import checks
from gateway.config import Config
from gateway.identity import Secret
from gateway.simulators.intasend import Endpoint, fails_with
from tests.e2e.world import World
from tests.fakeclock import FakeClock


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[World]:
    """A site whose daemon has not been started yet."""
    async with World(tmp_path) as world:
        yield world


async def table(config: Config) -> tuple[int, dict[str, str]]:
    """The exit code, and the lines by what they are about."""
    lines: list[str] = []
    wrong = await checks.run_checks(config, lines.append)
    return wrong, {line[7:36].strip(): line for line in lines}


def owner_with(config: Config, **changes: object) -> Config:
    return replace(config, owners=(replace(config.owners[0], **changes),))  # type: ignore[arg-type]


async def test_a_site_that_is_all_well_exits_0(site: World) -> None:
    code, lines = await table(site.config())
    assert code == 0
    assert list(lines) == [
        "configuration",
        "data directory",
        "encryption key",
        "database",
        "clock",
        "IntaSend keys of njeri",
        "router Kiosk",
    ]
    assert all(line.startswith("ok     ") for line in lines.values())
    assert lines["router Kiosk"].endswith("2 device(s) on the hotspot, 0 let through by us")


async def test_a_check_before_the_first_start_leaves_no_trace(site: World) -> None:
    _, lines = await table(site.config())
    assert not (site.folder / "data").exists()
    for what in ("data directory", "encryption key", "database"):
        assert lines[what].endswith(": will be made at the first start")


async def test_a_running_gateway_is_checked_without_disturbing_it(site: World) -> None:
    await site.start()
    await site.buy(site.amina)
    code, lines = await table(site.config())
    assert code == 0
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
