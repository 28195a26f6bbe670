"""The description of the API is valid, says everything that is served and nothing else, and can be read offline."""

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.web import app, openapi
from gateway.web.app import ROUTES
from gateway.web.routes import Access
from tests.e2e.conftest import brief_grace, open_site, world
from tests.e2e.world import World

__all__ = ["brief_grace", "open_site", "world"]

DOCUMENT = openapi.document(ROUTES)
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
SCHEMAS = DOCUMENT["components"]["schemas"]


def schema_of(answer: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = SCHEMAS[answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    return named


async def test_what_is_served_is_a_valid_openapi_document(world: World) -> None:
    async with world.http.get(f"{world.url}/openapi.json") as response:
        served = await response.json()
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert served == DOCUMENT
    OpenAPIV31SpecValidator(served).validate()


async def test_every_route_of_the_server_is_described_and_nothing_else(world: World) -> None:
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in app.build(world.running._services).router.routes()
        if route.resource is not None and route.method != "*"  # which refuses
    }
    described = {
        (method, spelling)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        for spelling in ([path] if operation["tags"][0] in {"pages", "operation"} else spellings(path))
    }
    assert served == described


def spellings(path: str) -> list[str]:
    return [path, path.rstrip("/"), f"/api{path}", f"/api{path}".rstrip("/")]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_a_summary_a_tag_and_says_who_may_use_it(operation: dict[str, Any]) -> None:
    assert 5 < len(operation["summary"]) <= 130
    assert operation["summary"] in operation["description"]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert isinstance(operation["security"], list)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_failure_is_described_in_the_one_form(operation: dict[str, Any]) -> None:
    failures = [answer for status, answer in operation["responses"].items() if status >= "400" and schema_is_json(answer)]
    assert failures
    assert all(schema_of(answer) == SCHEMAS["Problem"] for answer in failures)
    assert "500" in operation["responses"]


def schema_is_json(answer: dict[str, Any]) -> bool:
    return "schema" in answer["content"].get("application/json", {})


def test_operation_ids_are_unique() -> None:
    ids = [parameter.values[0]["operationId"] for parameter in OPERATIONS]  # type: ignore[index]
    assert len(set(ids)) == len(ids)


def test_only_public_key_endpoints_take_a_public_key() -> None:
    for route in ROUTES:
        ways = {name for way in DOCUMENT["paths"][route.path][route.method.lower()]["security"] for name in way}
        expected = {Access.PORTAL: {"publicKey", "bearer"}, Access.OWNER: {"bearer"}}.get(route.access, set())
        assert ways == expected, route.path


def test_no_answer_has_a_field_for_a_secret() -> None:
    kinds = [kind for route in ROUTES for kind in route.gives.values() if kind is not None]
    shown = {(kind.__name__, name) for kind in kinds for name in kind.__struct_fields__}
    secrets = {(kind, name) for kind, name in shown if re.search(r"password|private_key|challenge$|secret", name)}
    assert secrets == {("ApiKeysAnswer", "private_key"), ("CredentialAnswer", "has_webhook_challenge")}


def test_what_the_source_says_below_a_field_is_said_of_it() -> None:
    assert SCHEMAS["RouterBody"]["properties"]["password"]["description"] == "Write-only."
    (cursor,) = [each for each in DOCUMENT["paths"]["/payments/"]["get"]["parameters"] if each["name"] == "cursor"]
    assert cursor["description"] == "`next` of the page before; opaque."


def test_amounts_may_be_texts_or_numbers() -> None:
    assert SCHEMAS["PurchaseBody"]["properties"]["amount"]["type"] == ["string", "number"]


async def test_the_page_for_people_shows_every_operation_and_type(world: World) -> None:
    html = await docs(world)
    for route in ROUTES:
        assert f"<h3>{route.method} {route.path}</h3>" in html
    for name in SCHEMAS:
        assert f'id="{name}"' in html
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert targets <= set(re.findall(r'id="([^"]+)"', html))


async def test_the_page_for_people_needs_neither_internet_nor_javascript(world: World) -> None:
    html = await docs(world)
    assert "<script" not in html
    assert not re.search(r"""(?:src|href)=["'](?!/openapi\.json|#|data:,)""", html)
    assert not re.search(r"@import|url\(", html)


async def docs(world: World) -> str:
    async with world.http.get(f"{world.url}/docs") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        return await response.text()
