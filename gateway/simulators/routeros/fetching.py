"""`/tool/fetch`: gets a page over HTTP and keeps it as a file.

Reaches this machine only, whatever it is asked for: a simulator must not talk to strangers.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.directory import Directory, Request
from gateway.simulators.routeros.machine import Machine

Fetch = Callable[[str], Awaitable[bytes]]
"""From an address to what is there. Raises Trap."""

DEADLINE_S = 10.0
"""As long as a router waits for an answer before it gives up [assumed]."""


def fetch_directory(machine: Machine) -> Directory:
    """What stands behind `/tool`."""

    async def fetch(request: Request) -> None:
        (url,) = request.need("url")
        body = await machine.fetch(url)
        path = request.arguments.get("dst-path") or urlsplit(url).path.rpartition("/")[2] or "index.html"
        if request.arguments.get("keep-result", "yes") in {"yes", "true"} and request.arguments.get("output", "file") == "file":
            machine.write_file(path, body.decode("utf-8", "replace"))

    return Directory(list, {"fetch": fetch})


async def fetch_here(url: str) -> bytes:
    """HTTP GET from this machine. Raises the traps for elsewhere, for no answer and for one that is not 200."""
    if not _is_here(urlsplit(url).hostname or ""):
        raise traps.Trap("failure: connection timeout")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_S)) as http,
            http.get(url, allow_redirects=False) as answer,
        ):
            body = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as fault:
        raise traps.Trap("failure: Connection refused") from fault
    if answer.status != 200:  # noqa: PLR2004  # HTTP's word for "here it is"
        raise traps.Trap(f"failure: Fetch failed with status {answer.status}")
    return body


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
