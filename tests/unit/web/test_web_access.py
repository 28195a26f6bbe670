"""Grants over HTTP: who is let through until when, and what their owner's hand does to the phone."""

from typing import Any

import pytest

from gateway.access import GrantState
from tests.e2e.conftest import OpenSite
from tests.e2e.rows import ours, traces
from tests.e2e.world import World
from tests.unit.web.requests import Send, as_owner, with_stranger

WAYS = pytest.mark.parametrize("way", ["user", "binding"])


async def grant_of(world: World, payment_id: str) -> Any:
    """The grant of that payment, as its owner reads it."""
    own = await as_owner(world)
    return next(grant for grant in (await own("GET", "/grants/")).json["results"] if grant["payment_id"] == payment_id)


async def revoked(world: World, payment_id: str) -> Any:
    own = await as_owner(world)
    answer = await own("POST", f"/grants/{(await grant_of(world, payment_id))['id']}/revoke/")
    assert answer.status == 200
    return answer.json


async def extended(world: World, payment_id: str, duration: str) -> Any:
    own = await as_owner(world)
    answer = await own("POST", f"/grants/{(await grant_of(world, payment_id))['id']}/extend/", {"duration": duration})
    assert answer.status == 200, answer.text
    return answer.json


async def test_a_grant_says_who_may_pass_until_when(world: World, own: Send):
    payment_id = await world.buy(world.amina)
    (grant,) = (await own("GET", "/grants/")).json["results"]
    stored = await world.grant(payment_id)
    assert stored is not None
    assert set(grant) == {
        *("id", "payment_id", "router_id", "package_id", "status", "mac_address", "ip_address", "duration_s"),
        *("starts_at", "ends_at", "ended_because", "claim_code", "compensated_s", "created_at", "updated_at"),
    }
    assert (grant["payment_id"], grant["router_id"], grant["package_id"]) == (payment_id, 1, 2)
    assert (grant["status"], grant["mac_address"], grant["duration_s"]) == ("active", world.amina.mac, 3_600)
    assert grant["ends_at"].endswith("Z")
    assert (await own("GET", f"/grants/{grant['id']}/")).json == grant


async def test_grants_are_filtered_and_come_newest_first(world: World, own: Send):
    first = await world.buy(world.amina)
    await world.pass_time(60)
    second = await world.buy(world.otieno)
    await revoked(world, first)

    async def found(query: str) -> list[str]:
        return [grant["payment_id"] for grant in (await own("GET", f"/grants/?{query}")).json["results"]]

    assert await found("") == [second, first]
    assert await found("status=active") == [second]
    assert await found("status=revoked") == [first]
    assert await found(f"mac_address={world.amina.mac.lower()}") == [first]
    assert await found("router_id=1") == [second, first]
    assert await found("router_id=2") == []


async def test_pages_of_grants_lead_to_the_last_one(world: World, own: Send):
    bought = [await world.buy(world.amina), await world.buy(world.otieno)]
    first = (await own("GET", "/grants/?limit=1")).json
    second = (await own("GET", f"/grants/?limit=1&cursor={first['next']}")).json
    assert [grant["payment_id"] for page in (first, second) for grant in page["results"]] == bought[::-1]
    assert second["next"] is None


# ── revoking ──


@WAYS
async def test_a_revoked_phone_is_shut_out_before_the_answer(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.buy(world.amina)
    grant = await revoked(world, payment_id)
    assert (grant["status"], grant["ended_because"]) == ("revoked", "revoked")
    assert not world.amina.online
    assert traces(world.router, world.amina.mac) == []
    assert "grant.revoke" in await world.story(payment_id)


async def test_a_revoked_phone_stays_out_after_a_reboot_and_a_restart(world: World):
    await revoked(world, await world.buy(world.amina))
    await world.router.power_off()
    await world.router.power_on()
    await world.restart()
    await world.pass_time(70)
    assert not world.amina.online
    assert ours(world.router) == []


@WAYS
async def test_a_router_that_is_away_hears_of_it_when_it_is_back(open_site: OpenSite, way: str):
    world = await open_site(way=way)
    payment_id = await world.buy(world.amina)
    await world.router.power_off()
    assert (await revoked(world, payment_id))["status"] == "revoked"
    await world.router.power_on()
    await world.pass_time(15)
    assert not world.amina.online
    assert traces(world.router, world.amina.mac) == []


async def test_revoking_what_runs_carries_the_phone_on_under_what_it_bought_behind_it(world: World):
    first = await world.buy(world.amina)
    second = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(10)
    await revoked(world, first)
    assert world.amina.online
    (grant,) = await world.grants(GrantState.ACTIVE)
    assert (grant.payment_id, grant.ends_s - world.clock.wall_s()) == (second, 120)
    await world.pass_time(121)
    assert not world.amina.online


async def test_revoking_what_waits_leaves_what_runs(world: World):
    first = await world.grant(await world.buy(world.amina, package_id=1, amount="5"))
    second = await world.buy(world.amina)
    await world.pass_time(10)
    await revoked(world, second)
    assert world.amina.online
    assert first is not None
    await world.pass_time(first.ends_s - world.clock.wall_s() + 1)
    assert not world.amina.online


async def test_what_is_owed_and_revoked_lets_nobody_in_when_the_router_is_back(world: World):
    payment_id = await world.ask(world.amina)
    await world.router.power_off()
    world.amina.enter_pin()
    await world.pass_time(20)
    await revoked(world, payment_id)
    await world.router.power_on()
    await world.pass_time(60)
    assert not world.amina.online
    assert [grant.state for grant in await world.grants()] == [GrantState.REVOKED]


async def test_revoking_twice_is_no_fault_and_a_grant_that_is_over_is_a_conflict(world: World, own: Send):
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    first, second = [await revoked(world, payment_id) for _ in range(2)]
    assert first == second
    ended = await world.buy(world.otieno, package_id=1, amount="5")
    await world.pass_time(121)
    for deed, body in (("revoke", None), ("extend", {"duration": "1h"})):
        answer = await own("POST", f"/grants/{(await grant_of(world, ended))['id']}/{deed}/", body)
        assert (answer.status, answer.json) == (409, {"error": "This grant is over already"})
    answer = await own("POST", f"/grants/{first['id']}/extend/", {"duration": "1h"})
    assert answer.status == 409


async def test_a_grant_on_a_router_that_is_out_of_service_can_be_revoked(world: World):
    payment_id = await world.buy(world.amina)
    world.edits.append(lambda document: document["owners"][0].update(routers=[]))
    await world.reload()
    assert (await revoked(world, payment_id))["status"] == "revoked"
    world.edits.clear()
    await world.reload()
    await world.pass_time(5)
    assert not world.amina.online


# ── extending ──


@WAYS
@pytest.mark.parametrize("moves", [False, True], ids=["limit is fixed at login", "limit moves a running session"])
async def test_an_extended_grant_lasts_longer_to_the_second(open_site: OpenSite, way: str, moves: bool):  # noqa: FBT001
    world = await open_site(way=way, limit_change_moves_running_session=moves)
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    before = await world.grant(payment_id)
    assert before is not None
    grant = await extended(world, payment_id, "3m")
    assert (grant["status"], grant["duration_s"]) == ("active", 300)
    while world.clock.wall_s() + 1 < before.ends_s + 180:
        await world.pass_time(1)
        assert world.amina.online
    await world.pass_time(1)
    assert not world.amina.online
    assert "grant.extended" in await world.story(payment_id)


async def test_what_was_bought_behind_an_extended_grant_begins_later(world: World):
    first = await world.buy(world.amina, package_id=1, amount="5")
    second = await world.buy(world.amina, package_id=1, amount="5")
    await world.pass_time(10)
    await extended(world, first, "10m")
    one, two = sorted(await world.grants(GrantState.ACTIVE), key=lambda grant: grant.ends_s)
    assert (one.payment_id, two.payment_id) == (first, second)
    assert two.starts_at_s == one.ends_s == (one.starts_at_s or 0) + 720
    assert two.ends_s == one.ends_s + 120


async def test_a_router_that_is_away_learns_the_later_end_when_it_is_back(world: World):
    payment_id = await world.buy(world.amina, package_id=1, amount="5")
    await world.router.power_off()
    await extended(world, payment_id, "1h")
    await world.router.power_on()
    await world.pass_time(200)
    assert world.amina.online


async def test_what_is_owed_is_let_through_for_longer(world: World):
    payment_id = await world.ask(world.amina)
    await world.router.power_off()
    world.amina.enter_pin()
    await world.pass_time(20)
    assert (await extended(world, payment_id, "30m"))["status"] == "owed"
    await world.router.power_on()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.ends_s - (grant.starts_at_s or 0) == 5_400


async def test_a_customer_is_told_the_extended_end(world: World):
    payment_id = await world.buy(world.amina)
    grant = await extended(world, payment_id, "1h")
    assert (await world.check(payment_id))[1]["payment"]["package_expiry_time"] == grant["ends_at"]


@pytest.mark.parametrize("duration", ["", "soon", "0s", "-1h", "3661d", "99999d", 60, None])
async def test_a_duration_that_is_none_is_named(world: World, own: Send, duration: Any):
    grant = await grant_of(world, await world.buy(world.amina))
    answer = await own("POST", f"/grants/{grant['id']}/extend/", {"duration": duration})
    assert (answer.status, list(answer.json["fields"])) == (400, ["duration"])
    assert await grant_of(world, grant["payment_id"]) == grant


async def test_nothing_lasts_longer_than_ten_years(world: World, own: Send):
    grant = await grant_of(world, await world.buy(world.amina))
    answer = await own("POST", f"/grants/{grant['id']}/extend/", {"duration": "3660d"})
    assert (answer.status, answer.json["error"]) == (400, "duration: a grant lasts ten years at most")


# ── whose they are ──


async def test_somebody_elses_grant_is_as_if_it_did_not_exist(world: World):
    grant = await grant_of(world, await world.buy(world.amina))
    world.edits.append(with_stranger)
    await world.reload()
    mwangi = await as_owner(world, "mwangi")
    for method, path, body in (("GET", "", None), ("POST", "revoke/", None), ("POST", "extend/", {"duration": "1h"})):
        for grant_id in (grant["id"], "nobody"):
            answer = await mwangi(method, f"/grants/{grant_id}/{path}", body)
            assert (answer.status, answer.json) == (404, {"error": "Grant not found or access denied"})
    assert (await mwangi("GET", "/grants/")).json == {"results": [], "next": None}
    assert (await mwangi("GET", "/grants/?router_id=1")).json["results"] == []
    assert world.amina.online


async def test_a_public_key_is_not_enough_for_grants(send: Send):
    for method, path in (("GET", "/grants/"), ("GET", "/grants/a/"), ("POST", "/grants/a/revoke/"), ("POST", "/grants/a/extend/")):
        assert (await send(method, path)).status == 401
