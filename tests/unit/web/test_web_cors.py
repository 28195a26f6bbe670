"""Foreign web pages may use the public-key endpoints, as far as `server.cors_origins` goes, and nothing else."""

import pytest

from gateway.web.app import ROUTES
from gateway.web.routes import Access, Route
from tests.e2e.world import World
from tests.unit.web.requests import INITIATE, NO_PAYMENT, Send, purchase

PAGE = "http://10.5.50.1"
STRANGER = "http://elsewhere.example"
PUBLIC = [route for route in ROUTES if route.access is Access.PORTAL]
OTHERS = [route for route in ROUTES if route.access is not Access.PORTAL]


def where(route: Route) -> str:
    return route.path.replace("{payment_id}", "1").replace("{router_id}", "1").replace("{", "").replace("}", "")


def said(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture
async def choosy(world: World) -> World:
    """A site that knows one page."""
    world.edits.append(lambda site: site["server"].update(cors_origins=[PAGE]))
    await world.reload()
    return world


@pytest.mark.parametrize("route", PUBLIC, ids=said)
@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_preflight_for_a_public_key_endpoint_is_granted(send: Send, prefix: str, route: Route) -> None:
    answer = await preflight(send, prefix + where(route), route.method)
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == route.method
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "x-public-key", "idempotency-key", "authorization"} == set(allowed)


@pytest.mark.parametrize("route", OTHERS, ids=said)
async def test_no_preflight_is_granted_for_anything_else(send: Send, route: Route) -> None:
    answer = await preflight(send, where(route), route.method)
    assert answer.status in {404, 405}
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("route", OTHERS, ids=said)
async def test_no_answer_of_anything_else_may_be_read_by_a_page(own: Send, route: Route) -> None:
    answer = await own(route.method, where(route), Origin=PAGE)
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_a_page_may_read_answers_failures_and_when_to_come_again(send: Send) -> None:
    bought = await send("POST", INITIATE, purchase(), Origin=PAGE)
    refused = await send("POST", INITIATE, purchase(amount="49"), Origin=PAGE)
    keyless = await send("POST", NO_PAYMENT, key=None, Origin=PAGE)
    assert (bought.status, refused.status, keyless.status) == (201, 400, 401)
    for answer in (bought, refused, keyless):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == "Idempotent-Replayed, Retry-After"
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_only_the_named_page_is_granted_anything(choosy: World, send: Send) -> None:
    assert (await preflight(send, INITIATE, "POST")).headers["Access-Control-Allow-Origin"] == PAGE
    assert (await send("POST", NO_PAYMENT, Origin=PAGE)).headers["Access-Control-Allow-Origin"] == PAGE
    for answer in (await preflight(send, INITIATE, "POST", STRANGER), await send("POST", NO_PAYMENT, Origin=STRANGER)):
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_cache_is_told_that_the_answer_depends_on_the_page(choosy: World, send: Send) -> None:
    for origin in ({"Origin": PAGE}, {"Origin": STRANGER}, {}):
        assert (await send("POST", NO_PAYMENT, **origin)).headers["Vary"] == "Origin"


async def test_an_options_request_that_is_no_preflight_is_just_another_method(send: Send) -> None:
    answer = await send("OPTIONS", INITIATE, Origin=PAGE)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def preflight(send: Send, path: str, method: str, origin: str = PAGE):
    asked = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": "content-type,x-public-key"}
    return await send("OPTIONS", path, key=None, Origin=origin, **asked)
