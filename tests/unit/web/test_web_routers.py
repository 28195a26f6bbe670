"""Routers over HTTP: added, changed, put away and tried by their owner; seen by nobody else."""

from typing import Any

from tests.e2e.world import World
from tests.unit.web.requests import Send, as_owner, purchase, sender, with_stranger

ROUTER = {"name": "Annex", "host": "10.9.9.9", "username": "gateway", "password": "gateway", "tls": False}


async def annex(world: World, **changes: Any) -> dict[str, Any]:
    """The simulated router, which the file does not mention any more."""
    world.edits.append(lambda document: document["owners"][0].update(routers=[]))
    await world.reload()
    return ROUTER | {"host": "127.0.0.1", "port": world.router.port, "hotspot_server": "hotspot1"} | changes


async def test_a_new_router_is_answered_without_its_password(own: Send):
    answer = await own("POST", "/routers/", ROUTER)
    assert answer.status == 201
    assert answer.json == {
        "id": 1_000_000,
        "name": "Annex",
        "host": "10.9.9.9",
        "port": 8728,
        "tls": False,
        "tls_fingerprint": None,
        "username": "gateway",
        "hotspot_server": "all",
        "authorize": "user",
        "is_active": True,
        "managed_by": "api",
    }
    assert (await own("GET", "/routers/1000000/")).json == answer.json


async def test_routers_of_file_and_api_are_listed_together(own: Send):
    await own("POST", "/routers/", ROUTER)
    answer = (await own("GET", "/routers/")).json
    assert [(router["id"], router["managed_by"]) for router in answer["results"]] == [(1, "config"), (1_000_000, "api")]
    assert answer["next"] is None
    assert "password" not in str(answer)


async def test_the_port_follows_from_tls_where_none_is_given(own: Send):
    answer = await own("POST", "/routers/", ROUTER | {"tls": True, "tls_fingerprint": ":".join(["AB"] * 32)})
    assert (answer.json["port"], answer.json["tls_fingerprint"]) == (8729, "ab" * 32)


async def test_a_new_router_sells_at_once(world: World, own: Send):
    router_id = (await own("POST", "/routers/", await annex(world))).json["id"]
    package = {"name": "30 minutes", "price": "20", "duration": "30m"}
    package_id = (await own("POST", f"/routers/{router_id}/packages/", package)).json["id"]
    await world.quiet()
    await world.buy(world.amina, package_id, "20.00", router_id=router_id)
    assert world.amina.online


async def test_a_router_that_was_made_through_the_api_outlives_a_restart_and_a_reload(world: World, own: Send):
    made = (await own("POST", "/routers/", await annex(world))).json
    await world.restart()
    await world.reload()
    own = await as_owner(world)
    assert (await own("GET", f"/routers/{made['id']}/")).json == made
    assert (await own("POST", f"/routers/{made['id']}/test-connection/")).json["reachable"] is True


async def test_a_change_leaves_alone_what_it_does_not_name_the_password_too(world: World, own: Send):
    made = (await own("POST", "/routers/", await annex(world))).json
    answer = await own("PUT", f"/routers/{made['id']}/", {"name": "Shop", "hotspot_server": None})
    assert (answer.status, answer.json) == (200, made | {"name": "Shop", "hotspot_server": "all"})
    assert (await own("POST", f"/routers/{made['id']}/test-connection/")).json["error"] is None


async def test_another_password_is_used_at_once(world: World, own: Send):
    made = (await own("POST", "/routers/", await annex(world))).json
    assert (await own("PUT", f"/routers/{made['id']}/", {"password": "wrong"})).status == 200
    trial = (await own("POST", f"/routers/{made['id']}/test-connection/")).json
    assert trial["reachable"] is False
    assert "does not accept the user name or password" in trial["error"]


async def test_a_router_that_is_deleted_is_put_away_and_can_come_back(world: World, own: Send):
    router_id = (await own("POST", "/routers/", await annex(world))).json["id"]
    package = {"name": "30 minutes", "price": "20", "duration": "30m"}
    package_id = (await own("POST", f"/routers/{router_id}/packages/", package)).json["id"]

    deleted = await own("DELETE", f"/routers/{router_id}/")
    assert (deleted.status, deleted.json["is_active"]) == (200, False)
    assert f"compare:{router_id}" not in world.running.scheduler._loops
    refused = await sender(world)("POST", "/payments/intasend/initiate/", purchase(router_id=router_id, package_id=package_id))
    assert (refused.status, refused.json["error"]) == (404, "Router not found or access denied")

    assert (await own("PUT", f"/routers/{router_id}/", {"is_active": True})).json["is_active"] is True
    await world.quiet()
    await world.buy(world.amina, package_id, "20", router_id=router_id)


async def test_deleting_twice_is_no_fault(own: Send):
    router_id = (await own("POST", "/routers/", ROUTER)).json["id"]
    first, second = [await own("DELETE", f"/routers/{router_id}/") for _ in range(2)]
    assert (second.status, second.json) == (200, first.json)


async def test_an_id_is_never_given_twice(own: Send):
    first = (await own("POST", "/routers/", ROUTER)).json["id"]
    await own("DELETE", f"/routers/{first}/")
    assert (await own("POST", "/routers/", ROUTER)).json["id"] == first + 1


async def test_two_routers_in_service_cannot_have_one_address(own: Send):
    first = (await own("POST", "/routers/", ROUTER)).json["id"]
    second = await own("POST", "/routers/", ROUTER | {"name": "Again"})
    assert (second.status, second.json["error"]) == (409, "10.9.9.9:8728 is the address of router Annex already")
    await own("DELETE", f"/routers/{first}/")
    assert (await own("POST", "/routers/", ROUTER | {"name": "Again"})).status == 201
    assert (await own("PUT", f"/routers/{first}/", {"is_active": True})).status == 409


async def test_a_router_that_somebody_else_has_in_service_cannot_be_had_as_well(world: World, own: Send):
    answer = await own("POST", "/routers/", ROUTER | {"host": "127.0.0.1", "port": world.router.port})
    assert answer.status == 409
    world.edits.append(with_stranger)
    await world.reload()
    mwangi = await as_owner(world, "mwangi")
    answer = await mwangi("POST", "/routers/", ROUTER | {"host": "127.0.0.1", "port": world.router.port})
    assert (answer.status, "Kiosk" in answer.text) == (409, False)


async def test_what_the_file_manages_is_changed_there_only(own: Send):
    for method, body in (("PUT", {"name": "Mine"}), ("DELETE", None)):
        answer = await own(method, "/routers/1/", body)
        assert (answer.status, answer.json) == (409, {"error": "managed by config.yaml"})
    assert (await own("GET", "/routers/1/")).json["name"] == "Kiosk"


async def test_every_faulty_field_is_named(own: Send):
    answer = await own("POST", "/routers/", ROUTER | {"host": "no host!", "name": "  ", "tls_fingerprint": "z" * 64})
    assert answer.status == 400
    assert set(answer.json["fields"]) == {"name", "host", "tls_fingerprint"}
    for body, field in (
        ({"name": "a"}, "host"),
        (ROUTER | {"port": 0}, "port"),
        (ROUTER | {"authorize": "maybe"}, "authorize"),
        (ROUTER | {"tls_fingerprint": "ab" * 32}, "tls_fingerprint"),
        (ROUTER | {"name": None}, "name"),
    ):
        answer = await own("POST", "/routers/", body)
        assert (answer.status, list(answer.json["fields"])) == (400, [field]), body


async def test_trying_a_router_says_what_it_is(own: Send):
    answer = await own("POST", "/routers/1/test-connection/")
    assert answer.status == 200
    assert answer.json == {
        "reachable": True,
        "version": answer.json["version"],
        "hotspot_servers": ["hotspot1"],
        "error": None,
    }
    assert answer.json["version"].startswith("7.")


async def test_trying_a_router_says_when_its_hotspot_server_is_not_there(world: World, own: Send):
    router_id = (await own("POST", "/routers/", await annex(world, hotspot_server="hotspot2"))).json["id"]
    trial = (await own("POST", f"/routers/{router_id}/test-connection/")).json
    assert trial["reachable"] is True
    assert trial["error"] == "router Annex has no hotspot server hotspot2: it has hotspot1"


async def test_trying_a_router_that_is_off_says_so(world: World, own: Send):
    await world.router.power_off()
    trial = (await own("POST", "/routers/1/test-connection/")).json
    assert (trial["reachable"], trial["version"], trial["hotspot_servers"]) == (False, None, [])
    assert "does not answer" in trial["error"]


async def test_somebody_elses_router_is_as_if_it_did_not_exist(world: World, own: Send):
    world.edits.append(with_stranger)
    await world.reload()
    for method, path in (
        ("GET", "/routers/{}/"),
        ("PUT", "/routers/{}/"),
        ("DELETE", "/routers/{}/"),
        ("POST", "/routers/{}/test-connection/"),
        ("GET", "/routers/{}/packages/"),
        ("POST", "/routers/{}/packages/"),
    ):
        body = {"name": "x", "price": "5", "duration": "1h"} if method in {"PUT", "POST"} else None
        answers = [await own(method, path.format(router_id), body) for router_id in ("9", "4711", "0", "x")]
        assert [(answer.status, answer.json) for answer in answers] == [
            (404, {"error": "Router not found or access denied"})
        ] * 4, path
    mwangi = await as_owner(world, "mwangi")
    assert [router["id"] for router in (await mwangi("GET", "/routers/")).json["results"]] == [9]


async def test_a_public_key_is_not_enough_to_see_routers(send: Send):
    for method, path in (("GET", "/routers/"), ("POST", "/routers/"), ("GET", "/routers/1/"), ("DELETE", "/routers/1/")):
        assert (await send(method, path)).status == 401, path


async def test_the_password_is_nowhere_in_the_database_in_clear(world: World, own: Send):
    await own("POST", "/routers/", ROUTER | {"password": "canary-of-the-annex"})
    await world.stop()
    files = [path for path in (world.folder / "data").iterdir() if path.is_file()]
    assert not [path for path in files if b"canary-of-the-annex" in path.read_bytes()]
