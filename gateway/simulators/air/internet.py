"""The internet as far as phones on the simulated hotspot need one: connectivity probes, and pages that somebody wanted to see.

Owns who answers under which name. Nothing ever leaves this machine: what does not run on it is made up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from gateway.simulators.intasend.pages import render

_SUCCESS = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"

_PROBES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("captive.apple.com", "/hotspot-detect.html"): (_SUCCESS, "text/html"),
    ("captive.apple.com", "/"): (_SUCCESS, "text/html"),
    ("www.apple.com", "/library/test/success.html"): (_SUCCESS, "text/html"),
    ("www.msftconnecttest.com", "/connecttest.txt"): ("Microsoft Connect Test", "text/plain"),
    ("www.msftncsi.com", "/ncsi.txt"): ("Microsoft NCSI", "text/plain"),
    ("detectportal.firefox.com", "/success.txt"): ("success\n", "text/plain"),
}
"""What the probes of Apple, Microsoft and Mozilla are answered with (facts, routeros 4.5; platform D2)."""

_NOTHING = frozenset({"/generate_204", "/gen_204"})
"""The paths of Android's probe, at whichever of its makers' hosts: the answer is 204."""

HTTP_PORT = 80
"""Where a URL without a port leads (RFC 9110, section 4.2.1)."""

ANDROID_PROBE = "connectivitycheck.gstatic.com"
"""Where an Android phone asks."""


@dataclass(slots=True)
class Internet:
    """What answers behind the router."""

    _origins: dict[tuple[str, int], str] = field(default_factory=dict)

    def serve(self, url: str, origin: str) -> None:
        """Let the server that runs at `origin` answer to whoever asks for `url`; again, when it has moved."""
        parts = urlsplit(url)
        self._origins[parts.hostname or "", parts.port or HTTP_PORT] = origin

    def origin(self, host: str, port: int) -> str | None:
        """Where the server of that name really listens; None when it is only made up."""
        return self._origins.get((host.lower(), port))


def made_up(host: str, path: str, url: str) -> web.Response:
    """What a host that does not exist answers: its probe's answer, or a page that says where the phone has got to."""
    if path in _NOTHING:
        return web.Response(status=204)
    if (host.lower(), path) in _PROBES:
        text, content_type = _PROBES[host.lower(), path]
        return web.Response(text=text, content_type=content_type)
    return render("somewhere.html", host=host, url=url)
