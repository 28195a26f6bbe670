"""A gate in the hand of a test: one router, its hotspot and its database, and the grants that are bought there."""

from typing import Any

from gateway.access import Grant
from gateway.catalogue import Catalogue, Owner, Router, Site
from gateway.errors import RouterUnreachable
from gateway.gate import Gate
from gateway.hotspot.base import Device
from gateway.identity import IpAddress, MacAddress
from gateway.packages import Package
from gateway.store import access as grant_rows
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.ledger import DAY, HOUR, IP, LOGIN, MAC, NOW_S, grant, payment, record

AMINA = Device(MAC, IP)
OTHER_IP = IpAddress("192.168.1.101")
DOWN = RouterUnreachable("no answer")


class Post:
    """A gate with everything around it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.hotspot = FakeHotspot(AMINA)
        self.woken: list[str] = []
        packages: dict[int, Package] = {1: HOUR, 2: DAY}
        catalogue = Catalogue([Owner(1, "njeri", "Njeri", "k")], [Router(1, 1, LOGIN, packages)])
        self.site = Site(catalogue, {}, {1: self.hotspot})
        self.gate = Gate(1, self.site, db, self.clock, self.woken.append)

    async def owed(self, number: int = 1, **changes: Any) -> Grant:
        """A paid payment and the grant that it owes."""
        made = grant(number, **changes)
        await record(self.db, payment(number), made)
        return made

    async def opened(self, number: int = 1, **changes: Any) -> Grant:
        """A grant whose device is let through."""
        return await self.gate.open(await self.owed(number, **changes))

    async def unconfirmed(self) -> frozenset[MacAddress]:
        """The devices of which the router has yet to confirm what they lost."""
        return await self.db.read(lambda tx: grant_rows.unconfirmed(tx, 1))

    async def stored(self, number: int = 1) -> Grant:
        """The grant as the database has it."""
        return await self.db.read(lambda tx: grant_rows.get(tx, f"grant-{number}"))


def window(one: Grant) -> tuple[float | None, float | None]:
    return one.starts_at_s, one.ends_at_s
