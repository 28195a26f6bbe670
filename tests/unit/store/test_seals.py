"""Sealing again: every sealed column is found, everything opens with the new key alone, and what opens with none stays."""

import sqlite3
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from gateway.identity import Secret
from gateway.providers.base import Environment, ProviderAccount
from gateway.store import catalogue as catalogue_rows
from gateway.store import credentials as rows
from gateway.store.seals import Resealed, reseal
from gateway.vault import Vault
from tests.ledger import LOGIN, NOW_S, VAULT, in_memory

OLD, NEW = (Secret(Fernet.generate_key().decode()) for _ in range(2))
KEYS = ProviderAccount(Environment.SANDBOX, "ISPubKey_test_p", Secret("ISSecretKey_test_s"), Secret("word-of-webhooks"), None)


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    """A router's password, a private key and a challenge."""
    connection = in_memory()
    connection.execute("UPDATE router SET password_sealed = ?", (Vault((OLD,)).seal(LOGIN.password),))
    rows.insert(connection, 1, "api", NOW_S, rows.sealed(KEYS, Vault((OLD,))))
    yield connection
    connection.close()


def test_everything_that_is_sealed_opens_with_the_new_key_alone(tx):
    assert reseal(tx, Vault((NEW, OLD))) == Resealed(3, ())
    assert catalogue_rows.load(tx, Vault((NEW,))).routers[1].login == LOGIN
    assert rows.opened(tx, 1, Vault((NEW,))) == KEYS


def test_what_no_key_opens_stays_as_it_is_and_is_named(tx):
    tx.execute("UPDATE credential SET secret_sealed = ?", (VAULT.seal(KEYS.secret_key),))
    assert reseal(tx, Vault((NEW, OLD))) == Resealed(2, ("credential 1",))
    assert tx.execute("SELECT secret_sealed FROM credential").fetchone()[0].startswith("gAAAA")
    assert VAULT.open(tx.execute("SELECT secret_sealed FROM credential").fetchone()[0]) == KEYS.secret_key


def test_a_sealed_column_of_a_table_to_come_is_found_by_its_name(tx):
    tx.execute("CREATE TABLE letter (id INTEGER PRIMARY KEY, text_sealed TEXT, unsealed TEXT) STRICT")
    tx.execute("INSERT INTO letter VALUES (7, ?, 'plain')", (Vault((OLD,)).seal(Secret("dear")),))
    assert reseal(tx, Vault((NEW, OLD))).count == 4
    sealed, plain = tx.execute("SELECT text_sealed, unsealed FROM letter").fetchone()
    assert (Vault((NEW,)).open(sealed), plain) == (Secret("dear"), "plain")


def test_nothing_sealed_is_nothing_done(tx):
    tx.execute("UPDATE router SET password_sealed = 'x'")
    tx.execute("DELETE FROM credential")
    assert reseal(tx, Vault((NEW,))) == Resealed(0, ("router 1",))
