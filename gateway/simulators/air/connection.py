"""One phone's way out: a browser that uses it as its HTTP proxy is on that phone.

Owns the listening socket, and carries requests and answers. What the router does with them is decided by `firewall`, and the pages
that it answers with come from `servlet`. A request that is no proxy's (somebody typed the connection's own address into an ordinary
browser) goes to the portal: so a person can be on that phone without any settings.

Servers see whose request it is by `X-Forwarded-For`, which they believe when their configuration trusts 127.0.0.1.
"""

from collections import deque
from collections.abc import MutableMapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from gateway.simulators.air.firewall import Destination, Verdict, receives, verdict
from gateway.simulators.air.internet import ANDROID_PROBE, HTTP_PORT, Internet, made_up
from gateway.simulators.air.pages import Page
from gateway.simulators.air.servlet import Asked, own_page, to_login
from gateway.simulators.phones import SimulatedPhone
from gateway.simulators.routeros import SimulatedRouter

ASKED_KEPT = 1_000
"""How many requests are remembered: more than any test or walk makes."""

_SHUTDOWN_S = 0.1
"""How long a request in hand may still take: event streams never end by themselves."""

_BY_HOP = (
    *("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer"),
    *("Transfer-Encoding", "Upgrade"),
)
"""Headers that are between two neighbours only (RFC 9110, section 7.6.1)."""

_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What the HTTP client would add of its own: the server is to see the browser's request."""

_SEES = {
    Verdict.PASSES: "the internet",
    Verdict.TO_LOGIN: "a login page: “Sign in to the network”",
}
"""What the phone's own check of the network finds."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """One request as the phone means it."""

    url: str
    """Absolute, as the browser wrote it."""
    is_typed: bool
    """Whether it came without a proxy's form: to the portal, as the connection's own page."""

    @property
    def destination(self) -> Destination:
        parts = urlsplit(self.url)
        return Destination(parts.hostname or "", parts.port or HTTP_PORT, parts.path or "/")


class PhoneConnection:
    """The connection of one phone. `start` it and point a browser's HTTP proxy at `origin`, or open `origin` itself.

    `portal_url` is what phones call the gateway: `server.public_url`; where it really listens, the internet knows.
    """

    def __init__(self, phone: SimulatedPhone, router: SimulatedRouter, internet: Internet, portal_url: str) -> None:
        self.phone = phone
        self.port = 0
        self.asked: deque[str] = deque(maxlen=ASKED_KEPT)
        """Every request that the browser made, answered or not: `GET http://example.com/`."""
        self._router = router
        self._internet = internet
        self._portal_url = portal_url
        self._runner: web.ServerRunner | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sees(self) -> str:
        """What an app on the phone takes the network for."""
        return _SEES.get(self.probe(), "no network")

    def probe(self) -> Verdict:
        """What becomes of Android's connectivity check at this moment."""
        return verdict(self._router, self.phone.mac, Destination(ANDROID_PROBE, HTTP_PORT, "/generate_204"))

    async def start(self, port: int = 0) -> None:
        """Listen on this machine; port 0 takes a free one. Raises OSError when the port is taken."""
        self._http = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        server = web.Server(self._answer, handler_cancellation=True, auto_decompress=False, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Cut what is open; harmless when it is not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            await self._http.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Do with a request what the router does with it."""
        wish = self._wish(request)
        self.asked.append(f"{request.method} {wish.url}")
        if request.method == "CONNECT":
            return web.Response(status=502, reason="HTTPS is not simulated")
        match verdict(self._router, self.phone.mac, wish.destination):
            case Verdict.PASSES:
                return await self._pass(request, wish)
            case Verdict.TO_LOGIN:
                return _shown(to_login(self._router, await self._to_router(request, wish)))
            case Verdict.TO_ROUTER:
                return _shown(own_page(self._router, await self._to_router(request, wish)))
        return _cut(request)

    def _wish(self, request: web.BaseRequest) -> _Wish:
        is_typed = request.raw_path.startswith("/")
        return _Wish(self._portal_url + request.raw_path if is_typed else request.raw_path, is_typed)

    async def _to_router(self, request: web.BaseRequest, wish: _Wish) -> Asked:
        form = {name: text for name, text in (await request.post()).items() if isinstance(text, str)}
        return Asked(self.phone.mac, self.phone.ip, wish.url, {**request.query, **form}, request.headers)

    async def _pass(self, request: web.BaseRequest, wish: _Wish) -> web.StreamResponse:
        """Go to the server, if there is one; any other host is made up."""
        to = wish.destination
        origin = self._internet.origin(to.host, to.port)
        if origin is None:
            page = made_up(to.host, to.path, wish.url)
            receives(self._router, self.phone.mac, page.content_length or 0)
            return page
        try:
            return await self._carry(request, wish, origin)
        except aiohttp.ClientError:
            return _cut(request)

    async def _carry(self, request: web.BaseRequest, wish: _Wish, origin: str) -> web.StreamResponse:
        """Hand the request to the server and its answer to the browser, piece by piece as it comes."""
        parts = urlsplit(wish.url)
        target = f"{origin}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
        headers, body = self._outward(request, wish), await request.read()
        async with self._http.request(
            request.method, target, headers=headers, data=body or None, allow_redirects=False, skip_auto_headers=_NOT_ADDED
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=self._inward(answer, request, wish))
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                if not receives(self._router, self.phone.mac, len(piece)):
                    return _cut(request, response)
                await response.write(piece)
            await response.write_eof()
            return response

    def _outward(self, request: web.BaseRequest, wish: _Wish) -> MutableMapping[str, str]:
        """The request's headers for the server, with the phone's address as the last one that handed it on."""
        headers = request.headers.copy()
        for name in (*_BY_HOP, "Content-Length"):
            headers.popall(name, None)
        if wish.is_typed:
            for name in ("Origin", "Referer"):
                if name in headers:
                    headers[name] = _moved(headers[name], f"http://{request.host}", self._portal_url)
        headers["Host"] = urlsplit(wish.url).netloc
        headers.add("X-Forwarded-For", self.phone.ip)
        return headers

    def _inward(self, answer: aiohttp.ClientResponse, request: web.BaseRequest, wish: _Wish) -> MutableMapping[str, str]:
        """The answer's headers for the browser; whoever typed the address is led on at that address."""
        headers = answer.headers.copy()
        for name in _BY_HOP:
            headers.popall(name, None)
        if wish.is_typed and "Location" in headers:
            headers["Location"] = _moved(headers["Location"], self._portal_url, f"http://{request.host}")
        return headers


def _moved(url: str, old: str, new: str) -> str:
    """The URL at another origin, if it is at the old one."""
    is_there = url == old or url.startswith((f"{old}/", f"{old}?"))
    return new + url.removeprefix(old) if is_there else url


def _shown(page: Page) -> web.Response:
    """The page as bytes: no character set is named beside its type, so the page itself has to."""
    return web.Response(status=page.status, reason=page.reason, headers=page.headers, body=page.body.encode())


def _cut(request: web.BaseRequest, begun: web.StreamResponse | None = None) -> web.StreamResponse:
    """No answer, or no more of it: what a phone meets out of range, and at a port that is closed."""
    if request.transport is not None:
        request.transport.abort()
    return begun or web.Response()
