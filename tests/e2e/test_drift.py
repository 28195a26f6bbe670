"""Somebody else changes the router: ours is mended, others' is left alone, and what cannot be read closes nothing."""

import pytest

from gateway.access import GrantState
from gateway.hotspot.words import Mark
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import foreign, ours, traces
from tests.e2e.world import World

WAYS = pytest.mark.parametrize("way", ["user", "binding"])
UNKNOWN_GRANT = "1b4e28ba-2fa1-4b1d-883f-0016d3cca427"
STRANGER = "A2:00:00:00:00:77"
COMPARISON_S = 35


def _add_user(world: World, mac: str, until_s: float | None = None) -> None:
    comment = {} if until_s is None else {"comment": Mark(UNKNOWN_GRANT, int(until_s)).comment}
    world.router.hotspot.users.add({"name": mac, "mac-address": mac} | comment)


def _add_binding(world: World, mac: str, until_s: float | None = None) -> None:
    comment = {} if until_s is None else {"comment": Mark(UNKNOWN_GRANT, int(until_s)).comment}
    world.router.hotspot.bindings.add({"mac-address": mac, "type": "bypassed"} | comment)


@WAYS
async def test_rows_of_others_survive_a_whole_purchase(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    _add_user(world, STRANGER)
    world.router.hotspot.users.add({"name": "reception", "password": "secret", "comment": "hotspot-gateways are nice"})
    _add_binding(world, "A2:00:00:00:00:78")
    world.router.hotspot.user_profiles.add({"name": "staff", "rate-limit": "1M/1M"})
    before = foreign(world.router)

    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(200)

    assert foreign(world.router) == before
    assert ours(world.router) == []


async def test_a_user_that_somebody_made_for_the_same_phone_stays_and_ours_stands_beside_it(world: World):
    world.router.hotspot.users.add({"name": world.amina.mac, "password": "by-hand"})
    before = foreign(world.router)

    await world.buy(world.amina, package_id=1, amount="5")
    assert len(ours(world.router)) == 1
    await world.pass_time_until(lambda: not world.amina.online, within_s=121)
    await world.pass_time(60)

    assert foreign(world.router) == before
    assert ours(world.router) == []
    assert not world.amina.online


@WAYS
async def test_a_row_of_ours_that_nobody_knows_and_whose_time_is_over_is_removed(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    _add_user(world, world.otieno.mac, world.clock.wall_s() - 60)
    _add_binding(world, world.amina.mac, world.clock.wall_s() - 60)

    await world.pass_time(COMPARISON_S)

    assert ours(world.router) == []
    assert not world.amina.online
    assert not world.otieno.online


@WAYS
async def test_a_grant_that_only_the_router_remembers_is_honoured_until_its_end(open_site: OpenSite, way: str):
    """Sold before the database was restored from a backup."""
    world = await open_site(way=way)
    end_s = world.clock.wall_s() + 300
    add = _add_user if way == "user" else _add_binding
    add(world, world.otieno.mac, end_s)
    await world.pass_time(290, step_s=5)
    assert world.otieno.online
    assert len(ours(world.router)) == 1

    await world.pass_time(10 + COMPARISON_S)

    assert not world.otieno.online
    assert ours(world.router) == []


async def test_a_row_of_a_grant_that_has_ended_is_removed_whatever_its_comment_says(world: World):
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time_until(lambda: not world.amina.online, within_s=121)
    grant = await world.grant(payment_id)
    assert grant is not None
    comment = f"hotspot-gateway:{grant.id} until=99999999999"
    world.router.hotspot.users.add({"name": world.amina.mac, "mac-address": world.amina.mac, "comment": comment})

    await world.pass_time(COMPARISON_S)

    assert ours(world.router) == []


async def test_a_user_that_is_there_twice_is_there_once_again(world: World):
    await world.buy(world.amina)
    [row] = ours(world.router)
    world.router.hotspot.users.add(
        {"name": row["name"], "mac-address": row["mac-address"], "comment": row["comment"], "server": "all"}
    )
    assert len(ours(world.router)) == 2

    await world.pass_time(COMPARISON_S)

    assert [row["server"] for row in ours(world.router)] == ["hotspot1"]
    assert world.amina.online


@WAYS
async def test_a_row_that_somebody_removed_is_back_within_a_comparison(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.buy(world.amina)
    await world.pass_time(3)
    [row] = ours(world.router)
    table = world.router.hotspot.users if way == "user" else world.router.hotspot.bindings
    table.remove(row[".id"])

    for _ in range(COMPARISON_S):
        await world.pass_time(1)
        assert world.amina.online

    [again] = ours(world.router)
    assert again["comment"] == row["comment"]


@WAYS
@pytest.mark.parametrize("change", [{"disabled": "yes"}, {"comment": "hotspot-gateway:nobody until=1"}])
async def test_a_row_that_somebody_changed_is_mended(open_site: OpenSite, way: str, change: dict[str, str]):
    world = await open_site(way=way)
    await world.buy(world.amina)
    [row] = ours(world.router)
    before = dict(row)
    table = world.router.hotspot.users if way == "user" else world.router.hotspot.bindings
    table.set(row[".id"], change)

    await world.pass_time(COMPARISON_S)

    assert world.amina.online
    if "comment" in change:
        assert ours(world.router) == [before]


async def test_a_phone_that_somebody_logged_out_is_in_again(open_site: OpenSite):
    world = await open_site(login_by=frozenset({"http-chap"}))
    await world.buy(world.amina)
    hotspot = world.router.hotspot
    hotspot.end(hotspot.active[world.amina.ip], "admin")
    assert not world.amina.online

    await world.pass_time_until(lambda: world.amina.online, within_s=COMPARISON_S)


async def test_who_is_logged_in_although_the_user_is_gone_is_logged_out_after_the_end(world: World):
    """Removing a user does not end its session: somebody removed it by hand while the gateway was down."""
    await world.buy(world.amina, package_id=1, amount="5")
    hotspot = world.router.hotspot
    hotspot.active[world.amina.ip].allowance.uptime_s = None
    await world.stop()
    hotspot.users.remove(ours(world.router)[0][".id"])
    await world.pass_time(300, step_s=10)
    assert world.amina.online

    await world.start()

    assert traces(world.router, world.amina.mac) == []
    assert not world.amina.online


async def test_a_session_without_a_user_is_ended_for_a_customer_of_ours_only(world: World):
    await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time_until(lambda: not world.amina.online, within_s=121)
    hotspot = world.router.hotspot
    for phone in (world.amina, world.otieno):
        user_id = hotspot.users.add({"name": phone.mac})
        hotspot.login(phone.mac, "", phone.ip)
        hotspot.users.remove(user_id)

    await world.pass_time(COMPARISON_S)

    assert not world.amina.online
    assert world.otieno.online


@WAYS
@pytest.mark.parametrize("table", ["system/resource", *(f"ip/hotspot/{menu}" for menu in ("user", "ip-binding", "active", "host"))])
async def test_a_table_that_cannot_be_read_closes_nothing(open_site: OpenSite, way: str, table: str):
    world = await open_site(way=way)
    await world.buy(world.amina)
    rows = ours(world.router)
    for _ in range(120):
        world.router.faults.trap_next[f"/{table}/print"] = "failure: action timed out"
        await world.pass_time(1)
        assert world.amina.online
    world.router.faults.trap_next.clear()
    await world.pass_time(COMPARISON_S)

    assert world.amina.online
    assert ours(world.router) == rows
    assert [grant.state for grant in await world.grants()] == [GrantState.ACTIVE]


@WAYS
async def test_when_nothing_is_wrong_nothing_is_written(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    await world.buy(world.amina)
    await world.pass_time(COMPARISON_S)
    writes = world.router.writes
    commits = world.running.db.commits

    await world.pass_time(1_800, step_s=5)

    assert world.router.writes == writes
    kept_time, asked_and_checked = 31, 4  # the heartbeat, once a minute; the books and the audit, once an hour
    assert world.running.db.commits - commits <= kept_time + asked_and_checked
