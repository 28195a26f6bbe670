"""`--apply` over the real wire: what it finds, changes, leaves alone and says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import RouterRefused
from gateway.hotspot.link import Link
from gateway.hotspot.setup.apply import Outcome, Setup, Verdict, require_rights
from gateway.hotspot.setup.plan import Installation, plan
from gateway.hotspot.setup.steps import Row, Step
from gateway.hotspot.wire import Trap
from gateway.identity import IpAddress, MacAddress
from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.appliance import ALL_POLICIES
from tests.fakeclock import FakeClock
from tests.unit.hotspot.installations import ADMIN, PASSWORD, installation, login

PI, PI_ADDRESS = "B8:27:EB:00:00:01", "10.5.50.2"
SITE = installation(inline_pages=True)


@asynccontextmanager
async def router(**options: Any) -> AsyncIterator[SimulatedRouter]:
    """A router of an administrator, as `/ip/hotspot/setup` leaves it."""
    given = {
        "username": "admin",
        "password": ADMIN.reveal(),
        "policies": ALL_POLICIES,
        "login_by": {"cookie", "http-chap", "http-pap"},
    }
    simulated = SimulatedRouter(FakeClock(), **given | options)
    await simulated.start()
    try:
        yield simulated
    finally:
        await simulated.stop()


@asynccontextmanager
async def link_to(simulated: SimulatedRouter, **changes: Any) -> AsyncIterator[Link]:
    admin = replace(login(tls=False, port=simulated.port, username="admin", password=ADMIN), **changes)
    link = Link(admin, FakeClock())
    try:
        yield link
    finally:
        await link.close()


async def bring(simulated: SimulatedRouter, site: Installation = SITE, *, dry: bool = False) -> dict[str, Outcome]:
    async with link_to(simulated) as link:
        return {outcome.step.title: outcome async for outcome in Setup(link, dry=dry).bring(plan(site))}


def table(simulated: SimulatedRouter, path: str) -> list[dict[str, str]]:
    return [dict(row) for row in simulated.machine.configuration.tables[path]]


def ours(simulated: SimulatedRouter, path: str, **known: str) -> dict[str, str]:
    [row] = [row for row in table(simulated, path) if known.items() <= row.items()]
    return row


async def test_a_fresh_router_is_brought_to_the_plan_and_then_nothing_is_left_to_do():
    async with router() as simulated:
        first = await bring(simulated)
        assert all(outcome.is_well for outcome in first.values())
        writes = simulated.writes
        second = await bring(simulated)
        assert {outcome.verdict for outcome in second.values()} == {Verdict.RIGHT}
        assert simulated.writes == writes


async def test_a_dry_run_says_the_same_and_writes_nothing():
    async with router() as simulated:
        writes, files = simulated.writes, dict(simulated.machine.files)
        dry = await bring(simulated, dry=True)
        assert (simulated.writes, simulated.machine.files) == (writes, files)
        done = await bring(simulated)
        assert {title: outcome.verdict for title, outcome in dry.items()} == {
            title: outcome.verdict for title, outcome in done.items()
        }


async def test_each_change_is_told_with_what_was_there_before():
    async with router() as simulated:
        outcome = (await bring(simulated))["hotspot profile"]
        assert str(outcome) == "changed        hotspot profile: login-by cookie,http-chap,http-pap -> mac,http-chap,http-pap"


async def test_the_gateways_own_user_has_three_rights_and_the_password_of_the_configuration():
    async with router() as simulated:
        outcomes = await bring(simulated)
        group = ours(simulated, "/user/group", name="hotspot-gateway")
        granted = {word for word in group["policy"].split(",") if not word.startswith("!")}
        user = ours(simulated, "/user", name="gateway")
        assert granted == {"api", "read", "write"}
        assert (user["address"], user["password"]) == ("10.5.50.2/32", PASSWORD.reveal())
        assert not any(PASSWORD.reveal() in str(outcome) for outcome in outcomes.values())


async def test_a_user_of_that_name_without_our_mark_stays_as_it_is():
    async with router() as simulated:
        simulated.machine.configuration.tables["/user"].add({"name": "gateway", "group": "full", "password": "theirs"})
        before = ours(simulated, "/user", name="gateway")
        outcome = (await bring(simulated))["user gateway"]
        assert ours(simulated, "/user", name="gateway") == before
        assert (outcome.verdict, outcome.is_well) == (Verdict.LEFT, False)


async def test_rows_that_are_not_ours_stay_and_ours_stand_before_them():
    async with router() as simulated:
        paths = ("/ip/firewall/nat", "/ip/firewall/filter", "/ip/hotspot/walled-garden/ip", "/ip/hotspot/ip-binding", "/user")
        simulated.machine.configuration.tables["/ip/hotspot/walled-garden/ip"].add({"dst-address": "10.9.9.9", "action": "accept"})
        before = {path: table(simulated, path) for path in paths}
        await bring(simulated)
        for path, rows in before.items():
            assert [row for row in table(simulated, path) if row in rows] == rows, path
        nat = [row for row in table(simulated, "/ip/firewall/nat") if row["chain"] == "srcnat"]
        assert nat[0]["comment"] == "hotspot-gateway phones keep their address"
        forward = [row for row in table(simulated, "/ip/firewall/filter") if row["chain"] == "forward"]
        assert forward[0]["comment"] == "hotspot-gateway private DNS falls back"


async def test_what_somebody_changed_is_put_right_again():
    async with router() as simulated:
        await bring(simulated)
        scheduler = simulated.machine.configuration.tables["/system/scheduler"]
        scheduler.set(
            ours(simulated, "/system/scheduler", name="hotspot-gateway-sweeper")[".id"], {"disabled": "yes", "interval": "1h"}
        )
        outcome = (await bring(simulated))["sweeper's timer"]
        assert str(outcome).startswith("changed        sweeper's timer: interval 1h -> 30s, disabled true -> no")
        assert ours(simulated, "/system/scheduler", name="hotspot-gateway-sweeper")["interval"] == "30s"


async def test_a_gateway_on_the_hotspots_network_gets_its_bypass_by_itself():
    async with router() as simulated:
        simulated.join(PI, PI_ADDRESS)
        outcome = (await bring(simulated))["the gateway's own bypass"]
        assert str(outcome) == f"added          the gateway's own bypass: {PI}"
        binding = ours(simulated, "/ip/hotspot/ip-binding", comment="hotspot-gateway gateway")
        assert (binding["mac-address"], binding["type"]) == (PI, "bypassed")
        assert (await bring(simulated))["the gateway's own bypass"].verdict is Verdict.RIGHT


async def test_a_gateway_elsewhere_needs_no_bypass():
    async with router() as simulated:
        outcome = (await bring(simulated))["the gateway's own bypass"]
        assert (outcome.verdict, outcome.detail) == (Verdict.RIGHT, f"not needed: the hotspot does not see {PI_ADDRESS}")
        assert table(simulated, "/ip/hotspot/ip-binding") == []


async def test_an_owners_bypass_of_the_gateway_is_enough_and_one_that_blocks_it_is_left_and_told():
    site = replace(SITE, gateway_mac=MacAddress.parse(PI))
    async with router() as simulated:
        bindings = simulated.machine.configuration.tables["/ip/hotspot/ip-binding"]
        row_id = bindings.add({"mac-address": PI, "type": "bypassed", "comment": "the Pi"})
        assert (await bring(simulated, site))["the gateway's own bypass"].verdict is Verdict.RIGHT
        bindings.set(row_id, {"type": "blocked"})
        outcome = (await bring(simulated, site))["the gateway's own bypass"]
        assert (outcome.verdict, len(bindings)) == (Verdict.LEFT, 1)


@pytest.mark.parametrize(("has_flash", "folder"), [(False, "hotspot"), (True, "flash/hotspot")])
async def test_the_pages_go_where_they_outlive_a_reboot(has_flash: Any, folder: str):
    async with router(has_flash_folder=has_flash) as simulated:
        await bring(simulated)
        [pages] = [step for step in plan(SITE) if step.title == "pages of the hotspot"]
        assert {name: simulated.machine.files[f"{folder}/{name}"] for name in pages.files} == pages.files  # type: ignore[union-attr]
        assert ours(simulated, "/ip/hotspot/profile", name="hsprof1")["html-directory"] == folder


async def test_only_the_profile_of_the_configured_server_is_touched():
    async with router() as simulated:
        before = ours(simulated, "/ip/hotspot/profile", name="default")
        await bring(simulated)
        assert ours(simulated, "/ip/hotspot/profile", name="default") == before


async def test_a_server_that_the_router_does_not_have_is_told_and_nothing_is_made_up():
    site = replace(SITE, login=replace(SITE.login, hotspot_server="hotspot9"))
    async with router() as simulated:
        outcomes = await bring(simulated, site)
        assert (outcomes["hotspot server"].verdict, outcomes["hotspot server"].detail) == (
            Verdict.FAILED,
            "the router has none in /ip/hotspot",
        )
        assert {outcomes[title].verdict for title in ("hotspot profile", "pages of the hotspot")} == {Verdict.FAILED}


async def test_the_certificate_is_made_once_and_its_fingerprint_told():
    async with router() as simulated:
        first = (await bring(simulated))["certificate for the API"]
        again = (await bring(simulated))["certificate for the API"]
        fingerprint = first.detail.removeprefix("for config.yaml: tls_fingerprint: ")
        assert len(fingerprint) == 64
        assert (first.verdict, again.verdict, again.detail) == (Verdict.ADDED, Verdict.RIGHT, first.detail)
        assert ours(simulated, "/ip/service", name="api-ssl")["certificate"] == "hotspot-gateway-api"


async def test_a_step_that_the_router_refuses_does_not_stop_the_others():
    steps: list[Step] = [
        Row("nonsense", "", "/ip/nowhere", {"name": "x"}, {}),
        next(step for step in plan(SITE) if step.title == "DNS for phones"),
    ]
    async with router() as simulated, link_to(simulated) as link:
        outcomes = [outcome async for outcome in Setup(link).bring(steps)]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.FAILED, Verdict.RIGHT]
    assert outcomes[0].detail


async def test_the_gateways_own_login_may_not_set_a_router_up():
    rights = frozenset({"api", "read", "write"})
    async with router(username="gateway", policies=rights) as simulated, link_to(simulated, username="gateway") as link:
        with pytest.raises(RouterRefused, match="group full"):
            await require_rights(link)


async def test_the_user_that_was_made_can_sell():
    site = replace(SITE, gateway=IpAddress("127.0.0.1"), login=replace(SITE.login, tls=False))
    async with router() as simulated:
        await bring(simulated, site)
        async with link_to(simulated, username="gateway", password=PASSWORD) as link:
            assert await link.ask("/ip/hotspot/user/print")
            with pytest.raises(Trap, match="permissions"):
                await link.ask("/user/add", "=name=x", "=group=full")
