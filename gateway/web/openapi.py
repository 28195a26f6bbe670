"""The OpenAPI 3.1 document, made from the routes and from the types that the handlers read and answer with.

Says nothing of its own about an operation: what is served is what is written here, and the other way round.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from gateway.web.attributes import attribute_docs
from gateway.web.replies import Problem
from gateway.web.routes import Access, Route

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_JSON = "application/json"
_HTML = "text/html"

_ABOUT = """\
Sells WiFi on a MikroTik hotspot for M-Pesa, through IntaSend.

Every path is served with and without the prefix `/api` and with and without the slash at its end. Times are in UTC, money is text
with two decimals. Whatever belongs to somebody else is answered as if it did not exist.
"""

_SECURITY: dict[Access, list[dict[str, list[str]]]] = {
    Access.ANYONE: [],
    Access.OPERATOR: [],
    Access.PORTAL: [{"publicKey": []}, {"bearer": []}],
    Access.OWNER: [{"bearer": []}],
}

_SCHEMES = {
    "publicKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Public-Key",
        "description": "An owner's public API key, 32 hexadecimal characters. It may stand in a web page.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `access_token` of a log-in, good for 15 minutes.",
    },
}

_TAGS = {
    "payments": "Selling, and what was sold.",
    "users": "Logging in.",
    "routers": "Routers, and what they sell.",
    "packages": "What is on sale.",
    "grants": "Who is let through, until when.",
    "pages": "For phones and for people.",
    "operation": "For monitoring: only for the addresses in `server.metrics_allow`, for others it is not there.",
}

_MEANING = {
    400: "Something in the request is wrong; `fields` says where.",
    401: "Not authenticated.",
    403: "Not allowed.",
    404: "Not found, or not yours.",
    408: "The body did not come in time.",
    409: "In conflict with what is there already, or managed by config.yaml.",
    413: "The body has more than 64 KiB.",
    415: "The body is not JSON.",
    422: "It cannot be done the way it is asked for.",
    429: "Too many requests: wait.",
    500: "Our fault. The sentence carries an id that is in the log.",
    502: "The provider refused, or answered nonsense.",
    503: "Not now: ask again. A sale that is refused like this has charged nobody.",
}
"""What a failure means for whoever calls (contract, "HTTP")."""

_CHALLENGE = {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}}
_WAIT = {"Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer", "minimum": 0}}}
_HEADERS: dict[int, Json] = {401: _CHALLENGE, 429: _WAIT, 503: _WAIT}

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body gets the same answer, and nothing is done a second time.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_REPLAYED = {"Idempotent-Replayed": {"description": "`true`: this was answered before.", "schema": {"type": "string"}}}


def document(routes: Iterable[Route]) -> Json:
    """The whole document."""
    routes = list(routes)
    _, schemas = msgspec.json.schema_components(_types(routes), ref_template=_REF)
    _describe(schemas, _types(routes))
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hotspot-gateway",
            "version": version("hotspot-gateway"),
            "description": _ABOUT,
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES},
    }


def _types(routes: Iterable[Route]) -> list[type[msgspec.Struct]]:
    """Every type that is read or answered with, once."""
    found: dict[type[msgspec.Struct], None] = {Problem: None}
    for route in routes:
        found |= dict.fromkeys(kind for kind in (route.body, route.query, *route.gives.values()) if kind is not None)
    return list(found)


def _describe(schemas: Json, kinds: Iterable[type[msgspec.Struct]]) -> None:
    """Write beside each field what the source says below it, and that a decimal may be a number (specification, decision 17)."""
    docs = attribute_docs(kinds)
    for name, schema in schemas.items():
        for field, about in docs.get(name, {}).items():
            schema["properties"][field].setdefault("description", about)
        for field in schema["properties"].values():
            if field.get("format") == "decimal":
                field["type"] = ["string", "number"]


def _operation(route: Route, schemas: Json) -> Json:
    about = inspect.cleandoc(route.handler.__doc__ or "")
    operation: Json = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "summary": re.split(r"(?<=[.!?:;])\s", about, maxsplit=1)[0].rstrip(".:;"),
        "description": about,
        "tags": [_tag(route)],
        "security": _SECURITY[route.access],
        "responses": _responses(route),
    }
    if parameters := list(_parameters(route, schemas)):
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(route.body)}}}
    return operation


def _tag(route: Route) -> str:
    if not route.api:
        return "operation" if route.access is Access.OPERATOR else "pages"
    return route.path.split("/")[1]


def _parameters(route: Route, schemas: Json) -> Iterator[Json]:
    for name in _PARAMETER.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": _id_schema(name)}
    if route.query is not None:
        for name, schema in schemas[route.query.__name__]["properties"].items():
            yield {"name": name, "in": "query", "required": False, **_query_schema(schema)}
    if route.idempotent:
        yield _KEY


def _query_schema(schema: Json) -> Json:
    """A parameter with its description beside its type; null is how a handler sees that it was left out, nobody can send it."""
    (said, *_) = schema.get("anyOf", [schema])
    about = schema.get("description") or said.get("description", "")
    kept = {key: value for key, value in said.items() if key != "description"}
    return {"description": about, "schema": kept}


def _id_schema(name: str) -> Json:
    """Payments and grants are numbered so that nobody can guess; everything else counts from one."""
    if name in {"payment_id", "grant_id"}:
        return {"type": "string", "format": "uuid"}
    return {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}


def _responses(route: Route) -> Json:
    responses = {str(status): _success(route, status, kind) for status, kind in route.gives.items()}
    for status in sorted({*route.failures, HTTPStatus.INTERNAL_SERVER_ERROR}):
        responses.setdefault(str(int(status)), _failure(route, int(status)))
    return responses


def _success(route: Route, status: int, kind: type[msgspec.Struct] | None) -> Json:
    if kind is None:
        content: Json = {route.media: {}}
    else:
        content = {_JSON if route.media == _HTML else route.media: {"schema": _ref(kind)}}
    answer: Json = {"description": HTTPStatus(status).phrase, "content": content}
    if route.idempotent:
        answer["headers"] = _REPLAYED
    return answer


def _failure(route: Route, status: int) -> Json:
    content: Json = {_JSON: {"schema": _ref(Problem)}}
    if not route.api:
        content[_HTML] = {}  # who looks at a page reads a page
    answer: Json = {"description": _MEANING[status], "content": content}
    if status in _HEADERS:
        answer["headers"] = _HEADERS[status]
    return answer


def _ref(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": _REF.format(name=kind.__name__)}
