"""The demonstration: the real daemon between a simulated router, a simulated IntaSend and two simulated phones.

Everything that the daemon does here it does in a kiosk: real sockets, a real database, the real SDK's requests. Only the far ends
are simulated.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from gateway import config
from gateway.clock import Clock, SystemClock
from gateway.daemon import Daemon, running
from gateway.hotspot.pages import hotspot_pages
from gateway.simulators.air import Internet, PhoneConnection
from gateway.simulators.intasend import SimulatedIntaSend
from gateway.simulators.phones import SimulatedPhone, phone_routes
from gateway.simulators.routeros import SimulatedRouter

PUBLIC_KEY = "c1eb9fed9dabc57f61d56c26ef3870ae"
"""The key of the specification's examples, so that they run unchanged."""

_CONFIG = """
server:
  listen: 127.0.0.1:{port}
  public_url: http://127.0.0.1:{port}
  data_dir: {data_dir}
  trusted_proxies: [127.0.0.1/32]  # the phones' connections, which say whose request it is
owners:
  - id: 1
    username: njeri
    name: Njeri WiFi
    password: karibu-kenya
    public_key: {public_key}
    intasend:
      environment: sandbox
      publishable_key: {publishable_key}
      secret_key: {secret_key}
      webhook_challenge: {challenge}
      base_url: {base_url}
    routers:
      - id: 1
        name: Kiosk
        host: 127.0.0.1
        port: {router_port}
        tls: false
        username: {username}
        password: {password}
        hotspot_server: hotspot1
        packages:
          - {{id: 1, name: 2 minutes, price: "5", duration: 2m, description: To see how it ends}}
          - {{id: 2, name: 1 hour, price: "50", duration: 1h, download_mbps: 5, upload_mbps: 2}}
          - {{id: 3, name: 1 day, price: "200", duration: 1d, download_mbps: 10, upload_mbps: 5, data_limit_mb: 5000}}
"""

_WELCOME = """
  The gateway is open. Two phones are on the hotspot, neither of them online.

  Amina's phone   portal  {amina}/
                  phone   {intasend}/phones/amina     enters its PIN by itself after five seconds
  Otieno's phone  portal  {otieno}/
                  phone   {intasend}/phones/otieno    waits for you to press a button

  Open Amina's portal, choose "1 hour", enter 0712345678, press Pay, and watch this log and her phone.
  For Otieno enter 0723456789, and press "Enter PIN" on his phone's page. Or let him claim, on his portal,
  what Amina has bought, with the receipt that this log names.
  A portal's address is also that phone's HTTP proxy: with it, http://example.com/ meets the router's redirect.

  Gateway, for the API {gateway}/ (username njeri, password karibu-kenya)
  IntaSend, simulated  {intasend}/
  Router, simulated    127.0.0.1:{router_port} (RouterOS API, user gateway, password gateway)
  Ctrl+C ends it; nothing is kept.
"""


Show = Callable[[str], None]
"""Says something to the person who started it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the daemon."""

    router: SimulatedRouter
    intasend: SimulatedIntaSend
    phones: tuple[SimulatedPhone, SimulatedPhone]

    @asynccontextmanager
    async def on_the_air(self, gateway_url: str) -> AsyncIterator[tuple[PhoneConnection, ...]]:
        """The phones' connections to a gateway that the router's pages lead to."""
        lead_to_portal(self.router, gateway_url, router_id=1)
        internet = Internet()
        for url in (gateway_url, self.intasend.origin):
            internet.serve(url, url)
        connections = tuple(PhoneConnection(phone, self.router, internet, gateway_url) for phone in self.phones)
        async with AsyncExitStack() as stack:
            for connection in connections:
                stack.push_async_callback(connection.stop)
                await connection.start()
                connection.phone.connection = connection
            yield connections


async def run(port: int, until_done: Callable[[Daemon], Awaitable[None]], show: Show) -> None:
    """Run the demonstration until the caller's wait is over. Raises Internal when the port is taken."""
    clock = SystemClock()
    with TemporaryDirectory(prefix="hotspot-gateway-demo-") as folder:
        async with surroundings(clock) as around, running(configuration(around, Path(folder), port), clock) as daemon:
            gateway = f"http://127.0.0.1:{daemon.port}"
            around.intasend.webhook_url = f"{gateway}/payments/webhook/"
            async with around.on_the_air(gateway) as (amina, otieno):
                show(
                    _WELCOME.format(
                        amina=amina.origin,
                        otieno=otieno.origin,
                        gateway=gateway,
                        intasend=around.intasend.origin,
                        router_port=around.router.port,
                    )
                )
                await until_done(daemon)


async def simulate(which: str, port: int, until_done: Callable[[], Awaitable[None]], show: Show) -> None:
    """Run one simulator by itself until the caller's wait is over. Raises OSError when the port is taken."""
    clock = SystemClock()
    if which == "router":
        router = SimulatedRouter(clock)
        router.join("AA:BB:CC:DD:EE:FF", "192.168.1.100")
        await router.start(port=port)
        show(f"RouterOS API on 127.0.0.1:{router.port}, user gateway, password gateway, one phone on the hotspot")
        await until_done()
        await router.stop()
    else:
        intasend = SimulatedIntaSend(clock)
        await intasend.start(port=port)
        show(f"IntaSend on {intasend.base_url}, keys ISPubKey_test_demo and ISSecretKey_test_demo, invoices at {intasend.origin}/")
        await until_done()
        await intasend.stop()


@asynccontextmanager
async def surroundings(clock: Clock) -> AsyncIterator[Surroundings]:
    """A router, IntaSend and two phones that keep trying to get online."""
    router, intasend = SimulatedRouter(clock), SimulatedIntaSend(clock)
    phones = (
        SimulatedPhone("amina", "AA:BB:CC:DD:EE:FF", "192.168.1.100", "254712345678", router, intasend, clock, pin_after_s=5),
        SimulatedPhone("otieno", "A2:00:00:00:00:02", "192.168.1.101", "254723456789", router, intasend, clock),
    )
    await router.start()
    intasend.mount(phone_routes(phones))
    await intasend.start()
    lives = [asyncio.create_task(phone.run()) for phone in phones]
    for phone in phones:
        phone.join()
    try:
        yield Surroundings(router, intasend, phones)
    finally:
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        await intasend.stop()
        await router.stop()


def lead_to_portal(router: SimulatedRouter, gateway_url: str, router_id: int) -> None:
    """Prepare a router for the phones' sake: our pages in its hotspot folder, and the way to the gateway open before login."""
    pages = hotspot_pages(gateway_url, router_id)
    router.machine.files |= {f"hotspot/{name}": text for name, text in pages.items()}
    gateway = urlsplit(gateway_url)
    router.machine.configuration.tables["/ip/hotspot/walled-garden/ip"].add(
        {
            "action": "accept",
            "protocol": "tcp",
            "dst-address": gateway.hostname or "",
            "dst-port": str(gateway.port or 80),
            "comment": "hotspot-gateway",
        }
    )


def configuration(around: Surroundings, data_dir: Path, port: int) -> config.Config:
    """The demonstration's configuration, written to a file and read like any other."""
    text = _CONFIG.format(
        port=port,
        data_dir=data_dir / "data",
        public_key=PUBLIC_KEY,
        publishable_key="ISPubKey_test_demo",
        secret_key="ISSecretKey_test_demo",  # noqa: S106 - of the simulator
        challenge="demo-challenge-0123456789",
        base_url=around.intasend.base_url,
        router_port=around.router.port,
        username="gateway",
        password="gateway",  # noqa: S106 - of the simulator
    )
    path = data_dir / "config.yaml"
    path.write_text(text, "utf-8")
    return config.load(path)
