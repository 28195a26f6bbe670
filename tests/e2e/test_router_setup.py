"""A router as `/ip/hotspot/setup` leaves it, prepared by `router-script --apply` over the real wire; and the sweeper that ends
what is overdue when the gateway is dead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway import cli
from gateway.access import GrantState
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.hotspot.setup import sweeper
from gateway.simulators.routeros.appliance import ALL_POLICIES
from tests.e2e.world import World

pytestmark = pytest.mark.usefixtures("logging_as_it_was")

ADMIN_PASSWORD = "admin's own"
BOUND_S = ACTIVATION_ALLOWANCE_S + sweeper.GRACE_S + sweeper.INTERVAL_S
"""How late after its end a device is out at the latest, when only the router is left."""


@asynccontextmanager
async def site(folder: Path, **options: Any) -> AsyncIterator[World]:
    """A site whose router has never heard of the gateway, and knows nobody but its administrator."""
    admin = {"username": "admin", "password": ADMIN_PASSWORD, "policies": ALL_POLICIES}
    ways = frozenset({"cookie", "http-chap"})
    async with World(folder, login_by=ways, **admin | options) as world:
        world.edits.append(lambda document: _named(world, document))
        yield world


def _named(world: World, document: dict[str, Any]) -> None:
    """How phones and the router reach the daemon, once its port is known."""
    if world.daemon is not None:
        document["server"]["public_url"] = world.url


async def router_script(world: World, *arguments: str) -> Result:
    """The command, in a thread of its own, as another process would run it."""
    (world.folder / "admin").write_text(ADMIN_PASSWORD + "\n", "utf-8")
    command = ["router-script", "--config", str(world.folder / "config.yaml"), "--router", "1", "--password-file"]
    return await asyncio.to_thread(CliRunner().invoke, cli.main, [*command, str(world.folder / "admin"), *arguments])


async def prepare(world: World) -> Result:
    """Start the gateway, as the router fetches its pages there, and set the router up."""
    await world.start()
    await world.reload()
    answer = await router_script(world, "--apply")
    await world.pass_time(10)  # as long as the gateway waits at most before it knocks again
    return answer


async def test_a_router_is_prepared_with_one_command_and_sells(tmp_path: Path) -> None:
    async with site(tmp_path) as world:
        answer = await prepare(world)
        assert answer.exit_code == 0, answer.stdout
        assert "changed        hotspot profile: login-by cookie,http-chap -> mac,http-chap" in answer.stdout
        assert answer.stdout.splitlines()[-1].startswith("  On a phone: ")
        page = world.router.machine.files["hotspot/login.html"]
        assert f'href="{world.url}/?router=1&amp;mac=$(mac-esc)' in page
        await world.buy(world.amina)
        assert world.amina.online


async def test_a_second_run_finds_nothing_to_do_and_a_dry_run_does_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as world:
        await world.start()
        await world.reload()
        writes = world.router.writes
        dry = await router_script(world, "--dry-run")
        assert (dry.exit_code, world.router.writes) == (0, writes)
        assert "added          user gateway" in dry.stdout
        await router_script(world, "--apply")
        writes = world.router.writes
        again = await router_script(world, "--apply")
        assert {line[:14].strip() for line in again.stdout.partition("Look at")[0].splitlines()} == {"already right"}
        assert world.router.writes == writes


async def test_a_wrong_password_is_one_clear_line(tmp_path: Path) -> None:
    async with site(tmp_path) as world:
        await world.start()
        answer = await router_script(world, "--apply", "--username", "nobody")
        assert answer.exit_code == 1
        assert answer.stderr.splitlines()[-1].startswith(
            "hotspot-gateway: router Kiosk does not accept the user name or password of 'nobody'"
        )


async def test_the_gateways_own_user_is_told_that_it_may_not(tmp_path: Path) -> None:
    async with site(tmp_path) as world:
        await prepare(world)
        (world.folder / "own").write_text("gateway", "utf-8")
        answer = await router_script(world, "--apply", "--username", "gateway", "--password-file", str(world.folder / "own"))
        assert answer.exit_code == 1
        assert "use one of the group full" in answer.stderr


@pytest.mark.parametrize("way", ["user", "binding"])
async def test_a_customer_is_out_although_the_gateway_is_dead(way: str, tmp_path: Path) -> None:
    async with site(tmp_path, way=way) as world:
        await prepare(world)
        await world.buy(world.otieno, package_id=1, amount="5")
        await world.buy(world.amina, package_id=2)
        [short] = [grant for grant in await world.grants(GrantState.ACTIVE) if grant.mac and grant.mac.text == world.otieno.mac]
        assert short.ends_s
        await world.stop()

        await let_pass(world, short.ends_s - world.clock.wall_s() + sweeper.GRACE_S)
        assert ours(world) == {world.otieno.mac, world.amina.mac}  # perhaps the gateway is only slow
        await let_pass(world, BOUND_S - sweeper.GRACE_S + 1)  # what is due at this second runs in the next
        assert ours(world) == {world.amina.mac}
        assert (world.otieno.online, world.amina.online) == (False, True)


async def test_the_router_keeps_its_hands_off_what_the_gateway_does_in_time(tmp_path: Path) -> None:
    async with site(tmp_path) as world:
        await prepare(world)
        payment_id = await world.buy(world.otieno, package_id=1, amount="5")
        await world.pass_time(150)
        grant = await world.grant(payment_id)
        assert grant
        assert grant.state is GrantState.ENDED
        assert not any("did not end the time" in row["message"] for row in world.router.machine.log)
        assert runs(world) >= 4


async def test_a_router_in_1970_ends_nobody(tmp_path: Path) -> None:
    async with site(tmp_path, way="binding") as world:
        await prepare(world)
        await world.buy(world.otieno, package_id=1, amount="5")
        await world.stop()
        world.router.set_clock(0)
        await let_pass(world, 600)
        assert runs(world) >= 15
        assert ours(world) == {world.otieno.mac}
        assert world.otieno.online


async def test_whom_a_router_with_a_fast_clock_ends_the_gateway_lets_in_again(tmp_path: Path) -> None:
    async with site(tmp_path) as world:
        await prepare(world)
        await world.buy(world.amina, package_id=2)
        world.router.set_clock(world.clock.wall_s() + 2 * 3_600)
        await world.pass_time_until(lambda: not world.amina.online, within_s=sweeper.INTERVAL_S)
        await world.pass_time_until(lambda: world.amina.online, within_s=15)


def ours(world: World) -> set[str]:
    """The devices that have a row with the mark of a grant."""
    rows = [*world.router.hotspot.users, *world.router.hotspot.bindings]
    return {row["mac-address"] for row in rows if row.get("comment", "").startswith("hotspot-gateway:")}


def runs(world: World) -> int:
    """How often the sweeper has run."""
    table = world.router.machine.configuration.tables["/system/scheduler"]
    row = table.named(sweeper.NAME)
    assert row
    return int(world.router.machine.schedule.row(row)["run-count"])


async def let_pass(world: World, seconds: float) -> None:
    """Time passes at a site whose gateway is dead: only the router and the phones live."""
    left_s = seconds
    while left_s > 0:
        world.clock.advance(min(10, left_s))
        left_s -= 10
        for _ in range(50):
            await asyncio.sleep(0)
