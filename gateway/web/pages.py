"""Pages for people: templates, filled in."""

from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)

_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def page(template: str, *, status: int = 200, **facts: Any) -> web.Response:
    """The template with these facts, never kept by a browser or proxy: the next moment it says something else."""
    return web.Response(text=filled(template, **facts), status=status, content_type="text/html", headers=_HEADERS)


def filled(template: str, **facts: Any) -> str:
    """The template with these facts."""
    return _TEMPLATES.get_template(template).render(facts)
