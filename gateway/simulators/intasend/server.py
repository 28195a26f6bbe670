"""The simulated IntaSend as a server: one account, served over HTTP on a real port.

Owns the listening socket, and the two things that stand before every handler: faults, and errors in the shape of the API.
"""

from decimal import Decimal

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.clock import Clock
from gateway.simulators.intasend.account import Account
from gateway.simulators.intasend.api import ROOT, Collections
from gateway.simulators.intasend.chargebacks import Chargebacks
from gateway.simulators.intasend.faults import Endpoint, Faults
from gateway.simulators.intasend.invoices import Invoice
from gateway.simulators.intasend.links import HostedPages
from gateway.simulators.intasend.pages import Pages
from gateway.simulators.intasend.refusals import CLIENT_ERROR, Refusal, error, not_found

_FAULTY = {endpoint.value for endpoint in Endpoint}

_SHUTDOWN_S = 0.1
"""How long a request in hand may still take: hanging ones never end by themselves."""


class SimulatedIntaSend(Account):
    """IntaSend for one merchant. Construct it, `start` it, and point a client at `base_url`.

    It may be stopped and started again: what was asked for and decided stays; what happened meanwhile was announced to nobody.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        publishable_key: str = "ISPubKey_test_demo",
        secret_key: str = "ISSecretKey_test_demo",  # noqa: S107 - opens a simulator
        challenge: str = "demo-challenge-0123456789",
        webhook_url: str | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__(
            clock,
            publishable_key=publishable_key,
            secret_key=secret_key,
            challenge=challenge,
            webhook_url=webhook_url,
            seed=seed,
        )
        self.faults = Faults()
        self.port = 0
        self.host = "127.0.0.1"
        self._hosted = HostedPages(self)
        self._extra_routes: list[web.AbstractRouteDef] = []
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What a client puts in place of IntaSend's address; ends in a slash."""
        return f"{self.origin}{ROOT}"

    def mount(self, routes: list[web.RouteDef]) -> None:
        """Serve other pages as well, from the next `start` on."""
        self._extra_routes.extend(routes)

    def pay_page(self, page_id: str, phone_digits: str, amount: Decimal | None = None) -> Invoice:
        """Somebody pays through a payment link or a hosted checkout; see `HostedPages.pay`."""
        return self._hosted.pay(page_id, phone_digits, amount)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError when the port is taken."""
        self._runner = web.AppRunner(
            self._app(), access_log=None, handle_signals=False, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.host, self.port = host, self._runner.addresses[0][1]
        self.resume()

    async def stop(self) -> None:
        """Close every connection and stop announcing; harmless when it is not running."""
        await self.close()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._meet_fault, _in_the_shape_of_the_api])
        for part in (Collections(self), self._hosted, Chargebacks(self), Pages(self, self._hosted)):
            app.add_routes(part.routes())
        app.add_routes(self._extra_routes)
        return app

    @web.middleware
    async def _meet_fault(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        name = request.match_info.route.name
        fault = self.faults.take(Endpoint(name)) if name in _FAULTY else None
        if fault is None:
            return await handler(request)
        return await fault(request, lambda: handler(request))


@web.middleware
async def _in_the_shape_of_the_api(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response()
    except web.HTTPNotFound:
        return _without_handler(request)
    except web.HTTPMethodNotAllowed:
        detail = f'Method "{request.method}" not allowed.'
        return Refusal(405, CLIENT_ERROR, error("method_not_allowed", detail)).response()


def _without_handler(request: web.Request) -> web.Response:
    """A forgotten slash at the end is forgiven for reads, as Django does (facts, payments 1.1); all else is not found."""
    if request.method in ("GET", "HEAD") and not request.path.endswith("/"):
        return web.Response(status=301, headers={"Location": str(request.rel_url.with_path(f"{request.path}/", keep_query=True))})
    return not_found().response()
