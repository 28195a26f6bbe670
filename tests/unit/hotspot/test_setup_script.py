"""The printed script in the simulated router's own interpreter, on RouterOS 6 and 7: it runs, it is idempotent, and it does what
`--apply` does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.hotspot.link import Link
from gateway.hotspot.setup.apply import Setup
from gateway.hotspot.setup.plan import BY_EYE, plan
from gateway.hotspot.setup.script import script
from gateway.identity import Secret
from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.appliance import ALL_POLICIES
from gateway.simulators.routeros.scripting.cursor import ScriptError
from tests.fakeclock import FakeClock
from tests.unit.hotspot.installations import ADMIN, PASSWORD, installation, login

VERSIONS = ("6.49.18", "7.9.2", "7.20.8", "7.24")
PI, PI_ADDRESS = "B8:27:EB:00:00:01", "10.5.50.2"
PAGES = {step.title: step for step in plan(installation())}["pages of the hotspot"]
WAYS = frozenset({"cookie", "http-chap", "http-pap"})


def router(version: str = "7.20.8", **options: Any) -> SimulatedRouter:
    """A router of an administrator that finds every page of the gateway."""
    given: dict[str, Any] = {"username": "admin", "password": ADMIN.reveal(), "policies": ALL_POLICIES, "login_by": WAYS}
    simulated = SimulatedRouter(FakeClock(), version=version, **given | options)
    served = {PAGES.source_url + name: text for name, text in PAGES.files.items()}  # type: ignore[union-attr]

    async def fetch(url: str) -> bytes:
        return served[url].encode()

    simulated.machine.fetch = fetch
    return simulated


def printed(*, password: Secret | None = PASSWORD, **changes: Any) -> str:
    return script(plan(installation(**changes)), title="x", password=password)


def said(lines: list[str], verdict: str) -> list[str]:
    return [line.removeprefix(verdict).strip() for line in lines if line.startswith(verdict)]


def tables(simulated: SimulatedRouter) -> dict[str, list[dict[str, str]]]:
    return {path: [dict(row) for row in table] for path, table in simulated.machine.configuration.tables.items()}


@asynccontextmanager
async def applied(simulated: SimulatedRouter, **changes: Any) -> AsyncIterator[SimulatedRouter]:
    await simulated.start()
    link = Link(replace(login(tls=False, port=simulated.port, username="admin", password=ADMIN)), FakeClock())
    try:
        async for _ in Setup(link).bring(plan(installation(**changes))):
            pass
        yield simulated
    finally:
        await link.close()
        await simulated.stop()


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_script_prepares_a_router_and_changes_nothing_when_it_is_run_again(version: str):
    simulated = router(version)
    first = await simulated.run_script(printed())
    steps = [step.title for step in plan(installation())]
    done = [title for verdict in ("added", "changed", "already right", "not needed", "done") for title in said(first, verdict)]
    assert sorted(done) == sorted(steps)
    assert [line.strip() for line in first[-len(BY_EYE) :]] == list(BY_EYE)

    before, writes = tables(simulated), simulated.writes
    second = await simulated.run_script(printed())
    assert (said(second, "added"), said(second, "changed")) == ([], [])
    assert (tables(simulated), simulated.writes) == (before, writes)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("has_flash", [False, True])
async def test_the_script_does_what_apply_does(version: str, has_flash: Any):
    by_script, by_api = (router(version, has_flash_folder=has_flash) for _ in range(2))
    for simulated in (by_script, by_api):
        simulated.join(PI, PI_ADDRESS)
    await by_script.run_script(printed(payment_hosts=("payment.intasend.com",)))
    async with applied(by_api, payment_hosts=("payment.intasend.com",)):
        assert tables(by_script) == tables(by_api)
        assert by_script.machine.files == by_api.machine.files


async def test_pages_can_travel_inside_the_script():
    simulated = router()
    await simulated.run_script(printed(inline_pages=True))
    assert simulated.machine.files["hotspot/login.html"] == PAGES.files["login.html"]  # type: ignore[union-attr]
    simulated.machine.files["hotspot/login.html"] = "somebody's"
    await simulated.run_script(printed(inline_pages=True))
    assert simulated.machine.files["hotspot/login.html"] == PAGES.files["login.html"]  # type: ignore[union-attr]


async def test_a_version_that_cannot_take_pages_inside_says_so_and_does_the_rest():
    lines = await router("6.49.18").run_script(printed(inline_pages=True))
    assert said(lines, "NOT DONE")[0] == "login.html: pages inside the script need RouterOS 7.10 or later"
    assert "sweeper's timer" in said(lines, "added")
    assert said(lines, "done") == []


async def test_a_gateway_that_does_not_run_is_told_and_the_rest_is_done():
    simulated = SimulatedRouter(FakeClock(), username="admin", policies=ALL_POLICIES)
    lines = await simulated.run_script(printed(public_url="http://127.0.0.1:1"))
    assert len(said(lines, "NOT DONE")) == 7
    assert "sweeper" in said(lines, "added")


async def test_without_the_password_no_user_is_made_and_the_script_stops():
    simulated = router()
    with pytest.raises(ScriptError, match="Write the password"):
        await simulated.run_script(printed(password=None))
    assert [row["name"] for row in tables(simulated)["/user"]] == ["admin"]


async def test_a_password_of_the_worst_letters_arrives_as_it_is():
    worst = Secret('a"b$c\\d?e [:put 1] {x};#')
    simulated = router()
    await simulated.run_script(printed(password=worst))
    assert {row["name"]: row["password"] for row in tables(simulated)["/user"]}["gateway"] == worst.reveal()


async def test_a_user_that_exists_needs_no_password_in_the_script():
    simulated = router()
    await simulated.run_script(printed())
    lines = await simulated.run_script(printed(password=None))
    assert "user gateway" in said(lines, "already right")


async def test_a_user_of_that_name_without_our_mark_is_left_alone():
    simulated = router()
    simulated.machine.configuration.tables["/user"].add({"name": "gateway", "group": "full", "password": "theirs"})
    before = tables(simulated)["/user"]
    lines = await simulated.run_script(printed())
    assert said(lines, "LEFT ALONE") == ["user gateway"]
    assert tables(simulated)["/user"] == before


async def test_what_somebody_changed_is_put_right_again():
    simulated = router()
    await simulated.run_script(printed())
    before = tables(simulated)
    configuration = simulated.machine.configuration.tables
    for path, known, change in [
        ("/user/group", "hotspot-gateway", {"policy": "api,read,write,ftp"}),
        ("/system/script", "hotspot-gateway-sweeper", {"source": ":put 1"}),
        ("/system/scheduler", "hotspot-gateway-sweeper", {"disabled": "yes", "interval": "1h"}),
        ("/ip/hotspot/profile", "hsprof1", {"login-by": "cookie,http-pap,http-chap"}),
        ("/ip/hotspot/user/profile", "hotspot-gateway-2000k-up-5000k-down-1-devices", {"rate-limit": "9M/9M"}),
        ("/ip/service", "api-ssl", {"address": "0.0.0.0/0"}),
    ]:
        row = configuration[path].named(known)
        assert row
        configuration[path].set(row[".id"], change)
    lines = await simulated.run_script(printed())
    assert len(said(lines, "changed")) == 6
    changed = tables(simulated)
    # The ways to log in keep what is not ours, so their order is the router's own.
    assert changed == before


async def test_a_blocked_gateway_is_told_and_its_binding_stays():
    simulated = router()
    simulated.machine.configuration.tables["/ip/hotspot/ip-binding"].add({"mac-address": PI, "type": "blocked"})
    simulated.join(PI, PI_ADDRESS)
    lines = await simulated.run_script(printed())
    assert said(lines, "LEFT ALONE") == ["the gateway's own bypass"]
    assert len(tables(simulated)["/ip/hotspot/ip-binding"]) == 1


async def test_another_gateway_at_the_same_address_gets_a_bypass_of_its_own():
    simulated = router()
    simulated.join(PI, PI_ADDRESS)
    await simulated.run_script(printed())
    simulated.leave(PI)
    simulated.join("B8:27:EB:00:00:02", PI_ADDRESS)
    lines = await simulated.run_script(printed())
    assert "the gateway's own bypass" in said(lines, "added")
    assert {row["mac-address"] for row in tables(simulated)["/ip/hotspot/ip-binding"]} == {PI, "B8:27:EB:00:00:02"}


async def test_a_server_that_the_router_lacks_is_told():
    lines = await router().run_script(printed(login=login(hotspot_server="hotspot9")))
    assert said(lines, "NOT FOUND") == ["hotspot profile", "hotspot server", "pages of the hotspot"]
    assert said(lines, "done") == []
