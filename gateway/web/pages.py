"""Pages for people: templates, filled in, with the headers that keep them to themselves."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_STRICT = _TEMPLATES.overlay(undefined=jinja2.StrictUndefined)
"""For customers' pages: a fact that was forgotten is found by the first test, and not by a customer who reads nothing there."""

_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; form-action 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""A page is one document and asks nobody but us for anything: what is slipped into it neither runs nor loads (facts,
platform C5)."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with "no-referrer" our own forms would come with `Origin: null`, as a stranger's may
    "X-Content-Type-Options": "nosniff",
}


def page(template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **facts: Any) -> web.Response:
    """The template with these facts, never kept by a browser or proxy: the next moment it says something else."""
    nonce = secrets.token_urlsafe(12)
    response = web.Response(
        text=_STRICT.get_template(template).render(facts, nonce=nonce),
        status=status,
        content_type="text/html",
        headers={**_HEADERS, "Content-Security-Policy": _POLICY.format(nonce=nonce), **(headers or {})},
    )
    response.enable_compression()  # a page is to fit into the first flight of a connection (facts, platform D5)
    return response


def filled(template: str, **facts: Any) -> str:
    """The template with these facts."""
    return _TEMPLATES.get_template(template).render(facts)
