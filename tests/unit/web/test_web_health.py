"""What monitoring sees, and who may see it."""

import logging
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import OpenSite
from tests.e2e.world import World
from tests.unit.web.requests import Send, sender

PATHS = ("/healthz", "/readyz", "/metrics")


async def test_a_gateway_that_can_sell_is_ready(send: Send) -> None:
    assert (await send("GET", "/healthz")).json == {"status": "ok"}
    answer = await send("GET", "/readyz")
    routers = [{"id": 1, "name": "Kiosk", "reachable": True}]
    providers = [{"owner": 1, "circuit": "closed"}]
    assert answer.status == 200
    said = {"ready": True, "database": "ok", "books": "ok", "clock": "ok"}
    assert answer.json == said | {"routers": routers, "providers": providers}


async def test_strangers_find_nothing_there(world: World, send: Send) -> None:
    world.edits.append(lambda site: site["server"].update(metrics_allow=["192.168.88.0/24"]))
    await world.reload()
    for path in PATHS:
        answer = await send("GET", path)
        assert (answer.status, answer.json) == (404, {"error": "There is nothing at this address"})


async def test_who_comes_through_a_trusted_proxy_is_judged_by_his_own_address(world: World, send: Send) -> None:
    world.edits.append(lambda site: site["server"].update(trusted_proxies=["127.0.0.0/8"]))
    await world.reload()
    for path in PATHS:
        assert (await send("GET", path, X_Forwarded_For="10.5.50.100")).status == 404
        assert (await send("GET", path)).status == 200


async def test_a_disk_that_takes_no_writes_is_a_503(world: World, send: Send) -> None:
    await world.running.db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    answer = await send("GET", "/readyz")
    assert (answer.status, answer.json["ready"], answer.json["database"]) == (503, False, "not writable")
    assert (await send("GET", "/healthz")).status == 200


async def test_a_gateway_none_of_whose_routers_answers_is_not_ready(world: World, send: Send) -> None:
    await world.router.stop()
    await world.pass_time(15)
    answer = await send("GET", "/readyz")
    assert (answer.status, answer.json["ready"]) == (503, False)
    assert answer.json["routers"] == [{"id": 1, "name": "Kiosk", "reachable": False}]


async def test_one_router_of_two_is_enough_to_sell(open_site: OpenSite) -> None:
    world = await open_site()
    dead = {"id": 2, "name": "Roof", "host": "127.0.0.1", "port": 1, "tls": False, "username": "a", "password": "b"}
    world.edits.append(lambda site: site["owners"][0]["routers"].append(dead | {"packages": []}))
    await world.reload()
    await world.pass_time(5)
    answer = await sender(world)("GET", "/readyz")
    assert answer.status == 200
    assert [router["reachable"] for router in answer.json["routers"]] == [True, False]


async def test_a_clock_that_went_back_is_told_and_does_not_stop_the_sale(world: World, send: Send) -> None:
    await world.pass_time(61, step_s=61)
    world.clock.step_wall(-3_600)
    answer = await send("GET", "/readyz")
    assert answer.status == 200
    assert answer.json["clock"] != "ok"


async def test_the_metrics_count_what_the_log_tells(world: World, send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway")
    await world.buy(world.amina)
    logging.getLogger("gateway.test").error("x", extra={"action": "tested"})
    page = await send("GET", "/metrics")
    assert page.headers["Content-Type"].startswith("text/plain; version=")
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }
    assert values["hotspot_gateway_actions_total", "paid"] == 1
    assert values["hotspot_gateway_actions_total", "tested"] == 1
    assert values["hotspot_gateway_router_up", "1"] == 1
    assert values["hotspot_gateway_clock_trusted",] == 1
    assert values["hotspot_gateway_grants", "active"] == 1
    assert values["hotspot_gateway_provider_circuit", "1"] == 0


async def test_the_metrics_are_named_as_prometheus_wants_them(world: World, send: Send) -> None:
    await world.buy(world.amina)
    for family in text_string_to_metric_families((await send("GET", "/metrics")).text):
        assert re.fullmatch(r"hotspot_gateway_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter") or sample.name.endswith("_created")


async def test_no_secret_and_no_phone_number_is_in_the_metrics(world: World, send: Send) -> None:
    await world.buy(world.amina)
    page = (await send("GET", "/metrics")).text
    assert not [word for word in ("Secret", "ISSecretKey", "254712345678", "AA:BB", "demo-challenge") if word in page]
