"""How anybody asks the gateway over HTTP, and what comes of it when there is no answer: nothing, and no fuss."""

import contextlib
from typing import Any

import aiohttp

PATIENCE = aiohttp.ClientTimeout(total=90)
"""A browser's."""

_NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)


async def browse(http: aiohttp.ClientSession, url: str, form: dict[str, str] | None) -> tuple[int, str] | None:
    """Look at a page, or send a form: the status, and where it leads; None when there was no answer."""
    method = "GET" if form is None else "POST"
    with contextlib.suppress(*_NO_ANSWER):
        async with http.request(method, url, data=form, allow_redirects=False, timeout=PATIENCE) as response:
            await response.read()
            return response.status, response.headers.get("Location", "")
    return None


async def post(http: aiohttp.ClientSession, url: str, body: Any, headers: dict[str, str]) -> tuple[int, Any] | None:
    """Ask the API: the status, and what it says; None when there was no answer."""
    with contextlib.suppress(*_NO_ANSWER):
        async with http.post(url, json=body, headers=headers, timeout=PATIENCE) as response:
            return response.status, await response.json()
    return None


async def listen(http: aiohttp.ClientSession, url: str) -> tuple[int, str] | None:
    """Hold a stream of events open until its end: the status, and the last that was said; None for one that broke off."""
    with contextlib.suppress(*_NO_ANSWER):
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
            said = [line.decode().strip() async for line in response.content if line.startswith(b"data: ")]
            return response.status, said[-1] if said else ""
    return None
