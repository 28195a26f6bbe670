"""Packages over HTTP: what the portal sells, and what their owner may change."""

from typing import Any

import pytest

from gateway.errors import Invalid
from tests.e2e.world import World
from tests.unit.web.requests import Send, as_owner, purchase, with_stranger

PACKAGE = {"name": "30 minutes", "price": "20", "duration": "30m", "download_mbps": 1.5}
BELONGS = {"router_id": 1, "managed_by": "api"}
MADE = {
    "id": 1_000_000,
    "name": "30 minutes",
    "price": "20.00",
    "currency": "KES",
    "duration_s": 1_800,
    "duration_display": "30 minutes",
    "download_mbps": 1.5,
    "upload_mbps": None,
    "data_limit_mb": None,
    "devices": 1,
    "description": "",
    "is_active": True,
}


async def test_the_portal_sees_what_is_on_sale(send: Send):
    answer = await send("GET", "/routers/1/packages/")
    assert answer.status == 200
    assert set(answer.json) == {"router_id", "router_name", "packages"}
    assert (answer.json["router_id"], answer.json["router_name"]) == (1, "Kiosk")
    assert [package["id"] for package in answer.json["packages"]] == [1, 2, 3, 4]
    assert answer.json["packages"][1] == {
        "id": 2,
        "name": "1 hour",
        "price": "50.00",
        "currency": "KES",
        "duration_s": 3_600,
        "duration_display": "1 hour",
        "download_mbps": 5,
        "upload_mbps": 2,
        "data_limit_mb": None,
        "devices": 1,
        "description": "",
        "is_active": True,
    }


async def test_a_bearer_token_sees_the_same_and_on_request_what_is_not_on_sale(send: Send, own: Send):
    assert (await own("GET", "/routers/1/packages/")).json == (await send("GET", "/routers/1/packages/")).json
    everything = (await own("GET", "/routers/1/packages/?include_inactive=true")).json["packages"]
    assert [package["is_active"] for package in everything] == [True, True, True, True, False]
    assert (await send("GET", "/routers/1/packages/?include_inactive=true")).status == 401


async def test_a_new_package_is_sold_at_once(world: World, send: Send, own: Send):
    answer = await own("POST", "/routers/1/packages/", PACKAGE)
    assert (answer.status, answer.json) == (201, MADE | BELONGS)
    assert (await own("GET", "/packages/1000000/")).json == answer.json
    assert (await send("GET", "/routers/1/packages/")).json["packages"][-1] == MADE
    await world.buy(world.amina, 1_000_000, "20")


async def test_what_was_answered_can_be_sent_back(own: Send):
    made = (await own("POST", "/routers/1/packages/", PACKAGE)).json
    answer = await own("PUT", "/packages/1000000/", made)
    assert (answer.status, answer.json) == (200, made)


async def test_a_change_holds_for_whoever_buys_from_then_on(world: World, own: Send):
    await own("POST", "/routers/1/packages/", PACKAGE)
    changed = await own("PUT", "/packages/1000000/", {"price": 25, "duration_s": 600, "download_mbps": None})
    expected = MADE | BELONGS | {"price": "25.00", "duration_s": 600, "duration_display": "10 minutes", "download_mbps": None}
    assert (changed.status, changed.json) == (200, expected)
    status, answer = await world.initiate(world.amina, 1_000_000, "20")
    assert (status, answer["error"]) == (400, "Amount must match package price: 25.00 KES")
    await world.buy(world.amina, 1_000_000, "25")


async def test_a_package_that_is_deleted_is_not_sold_and_stays_on_record(world: World, send: Send, own: Send):
    await own("POST", "/routers/1/packages/", PACKAGE)
    payment_id = await world.buy(world.amina, 1_000_000, "20")
    deleted = await own("DELETE", "/packages/1000000/")
    assert (deleted.status, deleted.json["is_active"]) == (200, False)
    refused = await send("POST", "/payments/intasend/initiate/", purchase(package_id=1_000_000, amount="20"))
    assert (refused.status, refused.json["error"]) == (404, "Package not found or not active for this router")
    assert (await own("GET", "/packages/1000000/")).json["is_active"] is False
    assert (await own("GET", f"/payments/{payment_id}/")).json["package"] == 1_000_000
    assert world.amina.online
    assert (await own("PUT", "/packages/1000000/", {"is_active": True})).status == 200
    assert len((await send("GET", "/routers/1/packages/")).json["packages"]) == 5


async def test_what_the_file_manages_is_changed_there_only(own: Send):
    for method, body in (("PUT", {"price": "1"}), ("DELETE", None)):
        answer = await own(method, "/packages/2/", body)
        assert (answer.status, answer.json) == (409, {"error": "managed by config.yaml"})
    package = (await own("GET", "/packages/2/")).json
    assert (package["price"], package["managed_by"]) == ("50.00", "config")


async def test_a_package_of_the_api_outlives_a_reload_of_the_file(world: World, own: Send):
    await own("POST", "/routers/1/packages/", PACKAGE)
    await world.reload()
    await world.buy(world.amina, 1_000_000, "20")


async def test_a_file_that_declares_an_id_of_the_api_is_refused_and_changes_nothing(world: World, own: Send):
    await own("POST", "/routers/1/packages/", PACKAGE)

    def clash(document: dict[str, Any]) -> None:
        document["owners"][0]["routers"][0]["packages"][0].update(id=1_000_000)

    world.edits.append(clash)
    with pytest.raises(Invalid, match="the package with id 1000000 was made through the API"):
        await world.running.take(world.config())
    assert (await own("GET", "/packages/1/")).json["is_active"] is True


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"price": "0"}, {"price"}),
        ({"price": "20.50"}, {"price"}),
        ({"price": "cheap"}, {"price"}),
        ({"duration": "soon"}, {"duration"}),
        ({"duration": ...}, {"duration"}),
        ({"duration_s": 60}, {"duration"}),
        ({"duration": ..., "duration_s": 0}, {"duration_s"}),
        ({"download_mbps": -1}, {"download_mbps"}),
        ({"download_mbps": 0.0001}, {"download_mbps"}),
        ({"data_limit_mb": 0}, {"data_limit_mb"}),
        ({"devices": 101}, {"devices"}),
        ({"name": " ", "price": "0"}, {"name", "price"}),
        ({"name": ...}, {"name"}),
    ],
)
async def test_every_faulty_field_is_named(own: Send, changes: dict[str, Any], fields: set[str]):
    body = {name: value for name, value in (PACKAGE | changes).items() if value is not ...}
    answer = await own("POST", "/routers/1/packages/", body)
    assert (answer.status, set(answer.json["fields"])) == (400, fields)


async def test_somebody_elses_package_is_as_if_it_did_not_exist(world: World, own: Send):
    world.edits.append(with_stranger)
    await world.reload()
    for method in ("GET", "PUT", "DELETE"):
        for package_id in ("90", "4711", "0", "x"):
            answer = await own(method, f"/packages/{package_id}/", {"name": "mine"} if method == "PUT" else None)
            assert (answer.status, answer.json) == (404, {"error": "Package not found or access denied"})
    mwangi = await as_owner(world, "mwangi")
    assert (await mwangi("GET", "/packages/90/")).json["name"] == "his hour"


async def test_a_public_key_is_not_enough_to_change_packages(send: Send):
    for method, path in (("POST", "/routers/1/packages/"), ("GET", "/packages/1/"), ("PUT", "/packages/1/")):
        assert (await send(method, path, PACKAGE)).status == 401
