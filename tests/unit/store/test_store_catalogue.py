"""Owners, routers and packages in the database: what the file declares is there, what it drops is only put away."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from gateway.catalogue import Catalogue
from gateway.config import OwnerConfig
from gateway.errors import EncryptionKeyMismatch, Invalid
from gateway.hotspot.base import Way
from gateway.identity import Secret
from gateway.store import catalogue as catalogue_rows
from gateway.vault import Vault
from tests.ledger import DAY, HOUR, LOGIN, OWNER, ROUTER, VAULT, in_memory

OTHER = replace(OWNER, id=2, username="otieno", name="Otieno", public_key="0" * 32, routers=())
STRANGER = Vault((Secret(Fernet.generate_key().decode()),))


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory(())
    yield connection
    connection.close()


def declare(tx: sqlite3.Connection, *owners: OwnerConfig) -> dict[str, str]:
    return catalogue_rows.declare(tx, owners, VAULT)


def load(tx: sqlite3.Connection) -> Catalogue:
    return catalogue_rows.load(tx, VAULT)


def everything(tx: sqlite3.Connection) -> str:
    """All that is written, as somebody reads it who took the card."""
    return "\n".join(tx.iterdump())


def made_by_api(tx: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    row |= {"managed_by": "api", "active": 1}
    tx.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def test_what_the_file_declares_is_in_the_catalogue(tx):
    declare(tx, OWNER)
    catalogue = load(tx)
    owner, router = catalogue.owners[1], catalogue.routers[1]
    assert (owner.username, owner.name, owner.public_key) == ("njeri", "Njeri WiFi", OWNER.public_key)
    assert (router.owner_id, router.login, dict(router.packages)) == (1, LOGIN, {1: HOUR, 2: DAY})


def test_every_setting_of_a_router_and_of_a_package_comes_back(tx):
    login = replace(
        LOGIN,
        tls=True,
        tls_fingerprint="ab" * 32,
        tls_ca_file=Path("/etc/ca.pem"),
        hotspot_server="hotspot1",
        way=Way.BINDING,
        port=8_729,
    )
    package = replace(HOUR, upload_kbps=2_000, data_limit_mb=7, devices=3, description="fast", active=False)
    declare(tx, replace(OWNER, routers=(replace(ROUTER, login=login, packages=(package,)),)))
    assert load(tx).routers[1].login == login
    assert dict(load(tx).routers[1].packages) == {1: package}


def test_declaring_the_same_again_changes_nothing(tx):
    declare(tx, OWNER, OTHER)
    before = load(tx)
    declare(tx, OWNER, OTHER)
    assert (load(tx).owners, load(tx).routers) == (before.owners, before.routers)


def test_a_change_in_the_file_is_taken_over(tx):
    declare(tx, OWNER)
    dearer = replace(HOUR, price=DAY.price)
    declare(tx, replace(OWNER, name="Njeri", routers=(replace(ROUTER, packages=(dearer, DAY)),)))
    assert (load(tx).owners[1].name, load(tx).routers[1].packages[1].price) == ("Njeri", DAY.price)


def test_a_package_that_disappears_from_the_file_is_off_sale_and_still_known(tx):
    declare(tx, OWNER)
    declare(tx, replace(OWNER, routers=(replace(ROUTER, packages=(DAY,)),)))
    assert {key: package.active for key, package in load(tx).routers[1].packages.items()} == {1: False, 2: True}


def test_a_router_and_an_owner_that_disappear_are_out_of_service_and_back_when_they_return(tx):
    declare(tx, OWNER)
    declare(tx, replace(OWNER, routers=()))
    assert (list(load(tx).owners), list(load(tx).routers)) == ([1], [])
    declare(tx, OTHER)
    assert (list(load(tx).owners), list(load(tx).routers)) == ([2], [])
    declare(tx, OWNER)
    assert (list(load(tx).owners), list(load(tx).routers)) == ([1], [1])


def test_nothing_that_was_declared_is_ever_deleted(tx):
    declare(tx, OWNER)
    declare(tx)
    counts = {
        table: tx.execute(f"SELECT count(*), sum(active) FROM {table}").fetchone() for table in ("owner", "router", "package")
    }
    assert {table: tuple(row) for table, row in counts.items()} == {"owner": (1, 0), "router": (1, 0), "package": (2, 0)}


def test_a_router_whose_owner_is_gone_is_not_in_service_whoever_made_it(tx):
    declare(tx, OWNER)
    tx.execute("UPDATE router SET managed_by = 'api'")
    declare(tx)
    assert load(tx).routers == {}


def test_an_owner_without_a_key_gets_one_once(tx):
    nameless = replace(OWNER, public_key=None)
    made = declare(tx, nameless)
    assert list(made) == ["njeri"]
    assert len(made["njeri"]) == 32
    assert set(made["njeri"]) <= set("0123456789abcdef")
    assert declare(tx, nameless) == {}
    assert load(tx).owners[1].public_key == made["njeri"]


def test_the_key_in_the_file_counts_and_stays_when_it_is_dropped_from_there(tx):
    declare(tx, replace(OWNER, public_key=None))
    assert declare(tx, OWNER) == {}
    assert declare(tx, replace(OWNER, public_key=None)) == {}
    assert load(tx).owners[1].public_key == OWNER.public_key


def test_two_owners_can_swap_their_names_and_keys_in_the_file(tx):
    declare(tx, OWNER, OTHER)
    swapped = [replace(one, username=two.username, public_key=two.public_key) for one, two in ((OWNER, OTHER), (OTHER, OWNER))]
    declare(tx, *swapped)
    assert {owner.id: (owner.username, owner.public_key) for owner in load(tx).owners.values()} == {
        1: ("otieno", "0" * 32),
        2: ("njeri", OWNER.public_key),
    }


def test_the_name_of_somebody_who_left_is_free_again(tx):
    declare(tx, OWNER)
    declare(tx, replace(OTHER, username="njeri", public_key=OWNER.public_key))
    assert [owner.id for owner in load(tx).owners.values()] == [2]


def test_two_active_owners_never_share_a_name_or_a_key(tx):
    declare(tx, OWNER)
    for shared in ({"username": "njeri"}, {"public_key": OWNER.public_key}):
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE constraint failed: owner"):
            made_by_api(tx, "owner", {"id": 3, "username": "x", "name": "x", "public_key": "y", **shared})


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("owner", {"id": 1, "username": "x", "name": "x", "public_key": "y"}),
        (
            "package",
            {"id": 2, "router_id": 1, "name": "x", "price_cents": 1, "duration_s": 1, "devices": 1, "description": ""},
        ),
    ],
)
def test_an_id_that_the_api_has_used_is_refused(tx, table, row):
    if table == "package":
        declare(tx, replace(OWNER, routers=(replace(ROUTER, packages=()),)))
    made_by_api(tx, table, dict(row))
    with pytest.raises(Invalid, match=f"the {table} with id {row['id']} was made through the API"):
        declare(tx, OWNER)


def test_what_was_made_through_the_api_stays_when_the_file_is_read(tx):
    made_by_api(tx, "owner", {"id": 9, "username": "api", "name": "A", "public_key": "k"})
    declare(tx, OWNER)
    declare(tx)
    assert list(load(tx).owners) == [9]


def test_no_secret_can_be_read_from_the_file(tx):
    declare(tx, OWNER)
    written = everything(tx)
    assert LOGIN.username in written
    assert LOGIN.password.reveal() not in written


def test_secrets_that_do_not_open_are_told_in_the_specifications_sentence(tx):
    declare(tx, OWNER)
    with pytest.raises(EncryptionKeyMismatch, match=r"^Failed to decrypt private key: Invalid encryption key$"):
        catalogue_rows.load(tx, STRANGER)
