"""Routers and packages of the API in the database: ids that never meet the file's, an audit trail, nothing deleted."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.errors import Conflict, NotFound
from gateway.identity import Money
from gateway.store import catalogue as catalogue_rows
from gateway.store import inventory as rows
from tests.ledger import HOUR, NOW_S, OWNER, ROUTER, VAULT, in_memory


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def annex(tx: sqlite3.Connection) -> rows.RouterEntry:
    """A router of the API, like the file's at another address."""
    return replace(rows.router(tx, 1, 1), id=rows.new_id(tx, "router"), host="10.0.0.9", managed_by="api")


def put(tx: sqlite3.Connection, entry: rows.RouterEntry, sealed: str | None = "sealed-text") -> None:
    rows.put_router(tx, entry, sealed, NOW_S)


def test_what_is_put_comes_back(tx):
    entry = annex(tx)
    put(tx, entry)
    assert rows.router(tx, 1, entry.id) == entry
    assert rows.sealed_password(tx, entry.id) == "sealed-text"
    changed = replace(entry, name="Shop", active=False)
    put(tx, changed, None)
    assert rows.router(tx, 1, entry.id) == changed
    assert rows.sealed_password(tx, entry.id) == "sealed-text"


def test_the_file_and_the_api_see_the_same_router(tx):
    (entry,) = rows.routers(tx, 1)
    assert (entry.name, entry.host, entry.way, entry.managed_by) == ("Kiosk", "127.0.0.1", ROUTER.login.way, "config")
    assert [one.package.name for one in rows.packages(tx, 1)] == ["1 hour", "1 day"]
    assert rows.package(tx, 1, 1) == rows.PackageEntry(HOUR, "config")


def test_ids_begin_beyond_those_of_the_file_and_go_on_behind_the_highest(tx):
    assert rows.new_id(tx, "router") == rows.new_id(tx, "package") == 1_000_000
    put(tx, annex(tx))
    assert rows.new_id(tx, "router") == 1_000_001
    far = replace(ROUTER, packages=(replace(HOUR, id=2_000_000),))
    catalogue_rows.declare(tx, [replace(OWNER, routers=(far,))], VAULT)
    assert rows.new_id(tx, "package") == 2_000_001


def test_two_routers_in_service_do_not_share_an_address(tx):
    with pytest.raises(Conflict, match=r"127\.0\.0\.1:8728 is the address of router Kiosk already"):
        put(tx, replace(annex(tx), host="127.0.0.1"))
    put(tx, replace(annex(tx), host="127.0.0.1", active=False))
    assert len(rows.routers(tx, 1)) == 2


def test_what_is_somebody_elses_is_not_found(tx):
    with pytest.raises(NotFound):
        rows.router(tx, 2, 1)
    with pytest.raises(NotFound):
        rows.package(tx, 2, 1)
    assert rows.routers(tx, 2) == []


def test_every_change_is_told_without_the_password(tx):
    entry = annex(tx)
    put(tx, entry)
    put(tx, entry, None)
    rows.put_package(tx, 1, replace(HOUR, id=1_000_000, price=Money(9_900)), NOW_S)
    told = [(row["kind"], row["router_id"], json.loads(row["data"])) for row in tx.execute("SELECT * FROM event ORDER BY seq")]
    kinds = [(kind, router_id) for kind, router_id, _ in told]
    assert kinds == [("router.saved", entry.id), ("router.saved", entry.id), ("package.saved", 1)]
    assert [data["password_changed"] for _, _, data in told[:2]] == [True, False]
    assert told[2][2]["set"]["price_cents"] == 9_900
    assert "sealed-text" not in str(told)
