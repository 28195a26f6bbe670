"""A simulated router as an operator leaves it: after the printed script, and a hand's work."""

from gateway.config import Config
from gateway.hotspot.pages import hotspot_pages
from gateway.hotspot.setup.plan import Installation, plan
from gateway.hotspot.setup.script import script
from gateway.identity import IpAddress
from gateway.simulators.routeros import SimulatedRouter

GATEWAY = "10.5.50.2"
PORTAL = f"http://{GATEWAY}:8080"
"""On the hotspot's network, as in the layout that most sites have: the `server.public_url` of whoever prepares a router here."""

LEFT_TO_THE_OPERATOR = """
    /ip firewall filter set [find where action=fasttrack-connection] dst-address=!10.5.50.0/24
    /system ntp client set enabled=yes
"""
"""What no script of ours changes, but `hotspot-gateway check` asks for."""


async def prepare(router: SimulatedRouter, config: Config) -> None:
    """Make it the router of that configuration's only owner."""
    (wanted,) = config.owners[0].routers
    speeds = tuple(dict.fromkeys(package.profile for package in wanted.packages))
    steps = plan(Installation(wanted.login, IpAddress.parse(GATEWAY), PORTAL, speeds))

    async def fetch(url: str) -> bytes:
        return hotspot_pages(PORTAL, wanted.id)[url.rpartition("/")[2]].encode()

    router.join("B8:27:EB:00:00:01", GATEWAY)
    router.machine.fetch = fetch
    await router.run_script(script(steps, title="check", password=wanted.login.password) + LEFT_TO_THE_OPERATOR)
