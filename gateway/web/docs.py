"""The description of the API: as OpenAPI for programs, and as a page for people that needs neither Internet nor JavaScript.

Both are made once, from the routes that the application serves.
"""

import asyncio
from functools import cached_property
from typing import Any

import msgspec
from aiohttp import web

from gateway.web import openapi, pages
from gateway.web.routes import Route

Json = dict[str, Any]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
"""The page loads nothing from anywhere, so nothing may be loaded."""

_REFERENCE = "#/components/schemas/"
_WORDS = {"string": "text", "boolean": "true or false"}


class Description:
    """What is said about these routes, in both forms: each is made when it is first asked for, and kept."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes

    @cached_property
    def document(self) -> bytes:
        """The OpenAPI document."""
        return msgspec.json.encode(self._whole)

    @cached_property
    def page(self) -> str:
        """The same as HTML."""
        types = sorted(self._whole["components"]["schemas"].items())
        return pages.filled("docs.html", api=self._whole, sections=_sections(self._whole), types=types, kind=_kind)

    @cached_property
    def _whole(self) -> Json:
        return openapi.document(self._routes)


DESCRIPTION = web.AppKey("description", Description)


async def document(request: web.Request) -> web.Response:
    """This description for programs: OpenAPI 3.1."""
    body = await asyncio.to_thread(lambda: request.app[DESCRIPTION].document)  # slow the first time, and gates must not wait
    return web.Response(body=body, content_type="application/json", charset="utf-8")


async def page(request: web.Request) -> web.Response:
    """This description for people."""
    html = await asyncio.to_thread(lambda: request.app[DESCRIPTION].page)
    return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": _POLICY})


def _sections(whole: Json) -> list[tuple[Json, list[tuple[str, str, Json]]]]:
    """The tags, each with its operations as method, path and what is to be said."""
    operations = [
        (method.upper(), path, operation) for path, methods in whole["paths"].items() for method, operation in methods.items()
    ]
    return [(tag, [each for each in operations if tag["name"] in each[2]["tags"]]) for tag in whole["tags"]]


def _kind(schema: Json) -> str:
    """A type in a few words, such as `integer or text`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REFERENCE)
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"“{value}”" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    types = schema.get("type", "anything")
    return " or ".join(_WORDS.get(each, each) for each in ([types] if isinstance(types, str) else types))
