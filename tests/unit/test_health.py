"""How the gateway is: what stands in the way of selling, each condition by its name."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from gateway.catalogue import Catalogue, Owner, Router, Site
from gateway.debts import DebtState
from gateway.errors import Unavailable
from gateway.health import Health, Report
from gateway.heartbeat import Heartbeat
from gateway.metrics import Metrics
from gateway.providers.base import Circuit
from gateway.store.database import Database
from tests.fakeclock import FakeClock
from tests.fakehotspot import FakeHotspot
from tests.ledger import LOGIN, NOW_S, grant, in_folder, payment, record


def report(**changes: Any) -> Report:
    return Report(**{"database_writable": True, "clock_complaint": None, "routers": {1: ("Kiosk", True)}, "grants": {}, **changes})


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await in_folder(tmp_path)
    yield opened
    await opened.close()


class Ward:
    """The health of a gateway with two routers, of which one is connected."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.hotspot = FakeHotspot()
        self.heartbeat = Heartbeat(db, self.clock)
        routers = [Router(1, 1, LOGIN, {}), Router(2, 1, LOGIN, {})]
        self.site = Site(Catalogue([Owner(1, "njeri", "Njeri", "k")], routers), {}, {1: self.hotspot})
        self.health = Health(self.site, db, self.heartbeat, Metrics())


@pytest.mark.parametrize(
    ("database_writable", "routers", "ready"),
    [
        (True, {1: ("Kiosk", True)}, True),
        (True, {1: ("Kiosk", False), 2: ("Market", True)}, True),
        (True, {}, True),
        (True, {1: ("Kiosk", False)}, False),
        (True, {1: ("Kiosk", None)}, False),
        (False, {1: ("Kiosk", True)}, False),
        (False, {}, False),
    ],
)
def test_the_gateway_is_ready_when_it_can_store_and_some_router_answers(database_writable, routers, ready):
    assert report(database_writable=database_writable, routers=routers).ready is ready


def test_a_clock_that_is_not_trusted_stops_no_sale():
    assert report(clock_complaint="wrong").ready


def test_a_provider_that_is_down_is_named_and_does_not_have_the_gateway_restarted():
    assert report(circuits={1: Circuit.OPEN}).ready


def test_a_report_names_each_condition():
    said = report(routers={1: ("Kiosk", True), 2: ("Market", None)}, circuits={1: Circuit.HALF_OPEN})
    assert said.as_json() == {
        "ready": True,
        "database": "ok",
        "books": "ok",
        "clock": "ok",
        "routers": [{"id": 1, "name": "Kiosk", "reachable": True}, {"id": 2, "name": "Market", "reachable": None}],
        "providers": [{"owner": 1, "circuit": "half_open"}],
    }


def test_a_report_says_what_is_wrong():
    said = report(database_writable=False, clock_complaint="wrong", routers={}).as_json()
    assert (said["ready"], said["database"]) == (False, "not writable")
    assert said["clock"] == "wrong"


async def test_a_report_is_made_of_how_things_are(db: Database):
    ward = Ward(db)
    await record(db, payment(), grant())
    made = await ward.health.report()
    assert made == Report(
        database_writable=True,
        clock_complaint=None,
        routers={1: ("Kiosk", True), 2: ("Kiosk", None)},
        grants={"owed": 1, "unclaimed": 0, "active": 0, "ending": 0},
        debts=dict.fromkeys((state.value for state in DebtState), 0),
    )


async def test_a_report_is_made_anew_each_time(db: Database):
    ward = Ward(db)
    await ward.heartbeat.run_once()
    ward.hotspot.reachable = False
    ward.clock.step_wall(-60)
    await db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    made = await ward.health.examine()
    assert (made.database_writable, made.routers[1], made.ready) == (False, ("Kiosk", False), False)
    assert "behind" in str(made.clock_complaint)


async def test_a_report_with_grants_and_routers_shows_in_the_metrics(db: Database):
    ward = Ward(db)
    text = generate_latest(ward.health.metrics(await ward.health.report()).registry).decode()
    assert 'hotspot_gateway_router_up{router="1"} 1.0' in text
    assert 'hotspot_gateway_router_up{router="2"} 0.0' in text
    assert 'hotspot_gateway_grants{state="owed"} 0.0' in text


async def test_who_reads_the_figures_every_few_seconds_costs_the_card_nothing(db: Database):
    ward, commits = Ward(db), db.commits
    await ward.health.report()
    assert db.commits == commits
    await ward.health.examine()
    assert db.commits == commits + 1


async def test_a_disk_that_took_no_write_shows_in_the_metrics(db: Database):
    ward = Ward(db)
    await db._writer.run(lambda tx: tx.execute("PRAGMA query_only = ON"))
    await ward.health.examine()
    text = generate_latest(ward.health.metrics(await ward.health.report()).registry).decode()
    assert "hotspot_gateway_database_writable 0.0" in text


async def test_while_the_books_are_in_doubt_nothing_can_be_sold_and_that_is_said(db: Database):
    ward = Ward(db)
    ward.site.providers = {1: Unavailable("no keys"), 2: Unavailable("no keys")}
    ward.site.in_doubt = {1: 0.0}
    assert (await ward.health.report()).ready
    ward.site.in_doubt = {1: 0.0, 2: 0.0}
    made = await ward.health.report()
    assert (made.ready, made.as_json()["books"]) == (False, "being put in order after a damaged card")
