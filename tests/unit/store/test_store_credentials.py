"""Credentials in the database: the newest sell, those with payments stay, and nothing secret can be read."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from gateway.catalogue import Credential
from gateway.errors import EncryptionKeyMismatch, NotFound
from gateway.identity import Secret
from gateway.providers.base import Environment, ProviderAccount
from gateway.store import catalogue as catalogue_rows
from gateway.store import credentials as rows
from gateway.store import database
from gateway.store import payments as payment_rows
from gateway.vault import Vault
from tests.ledger import NOW_S, VAULT, in_memory, payment

LIVE = ProviderAccount(Environment.LIVE, "ISPubKey_live_p", Secret("ISSecretKey_live_s"), Secret("word-of-webhooks"), None)
SANDBOX = ProviderAccount(Environment.SANDBOX, "ISPubKey_test_p", Secret("ISSecretKey_test_s"), None, None)
BEFORE = (
    "INSERT INTO owner (id, username, name, public_key, managed_by, active) VALUES (1, 'njeri', 'N', 'k', 'config', 1)",
    "INSERT INTO credential VALUES (4, 1, 'instasend', 'sandbox', 'p', 's', NULL, 'config', 1, 0, 0)",
    "INSERT INTO router VALUES (1, 1, 'Kiosk', 'h', 1, 0, NULL, NULL, 'u', 'p', NULL, 'user', 'config', 1)",
    "INSERT INTO package VALUES (1, 1, '1 hour', 1, 1, NULL, NULL, NULL, 1, '', 'config', 1)",
    (
        "INSERT INTO payment (id, owner_id, router_id, package_id, phone, amount_cents, currency, duration_s, method, provider, "
        "api_ref, created_at_s, updated_at_s, state, version) VALUES ('p', 1, 1, 1, '', 1, 'KES', 1, '', '', 'r', 0, 0, 'paid', 1)"
    ),
)
"""A database of version 2 with one payment."""
STRANGER = Vault((Secret(Fernet.generate_key().decode()),))


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()


def declare(tx: sqlite3.Connection, *keys: ProviderAccount, now_s: float = NOW_S, vault: Vault = VAULT) -> None:
    rows.declare(tx, dict.fromkeys([1], keys[0]) if keys else {}, vault, now_s)


def made(tx: sqlite3.Connection, keys: ProviderAccount = SANDBOX) -> Credential:
    return rows.insert(tx, 1, "api", NOW_S, rows.sealed(keys, VAULT))


def stored(tx: sqlite3.Connection) -> list[tuple[int, bool, str]]:
    return [(one.id, one.active, one.environment.value) for one in rows.of_owner(tx, 1)]


def sold_with(tx: sqlite3.Connection, credential: Credential) -> None:
    payment_rows.insert(tx, payment(credential_id=credential.id))


def test_keys_come_back_opened(tx):
    assert rows.opened(tx, made(tx, LIVE).id, VAULT) == LIVE
    assert rows.opened(tx, made(tx, SANDBOX).id, VAULT) == SANDBOX


def test_what_is_shown_says_everything_but_the_secrets(tx):
    shown = made(tx, LIVE)
    assert shown == Credential(1, 1, "instasend", Environment.LIVE, "ISPubKey_live_p", "api", True, True, NOW_S, NOW_S)
    assert made(tx).has_challenge is False


def test_no_secret_can_be_read_from_the_database_nor_from_its_events(tx):
    rows.change(tx, made(tx, LIVE).id, NOW_S, **rows.sealed(LIVE, VAULT))
    written = "\n".join(tx.iterdump())
    assert "ISPubKey_live_p" in written
    assert "ISSecretKey_live_s" not in written
    assert "word-of-webhooks" not in written
    told = [json.loads(row["data"]) for row in tx.execute("SELECT data FROM event WHERE kind LIKE 'credential.%'")]
    assert [set(data) for data in told] == [{"credential_id", "environment", "publishable_key", "active", "managed_by"}] * 2


def test_keys_sealed_with_a_lost_key_are_told_in_the_specifications_sentence(tx):
    credential = made(tx)
    with pytest.raises(EncryptionKeyMismatch, match=r"^Failed to decrypt private key: Invalid encryption key$"):
        rows.opened(tx, credential.id, STRANGER)
    (found,) = rows.accounts(tx, STRANGER)
    assert isinstance(found.keys, EncryptionKeyMismatch)


def test_somebody_elses_credentials_are_not_there(tx):
    credential = made(tx)
    assert rows.owned(tx, credential.id, 1) == credential
    for credential_id, owner_id in ((credential.id, 2), (99, 1)):
        with pytest.raises(NotFound, match=r"^Credentials not found or access denied$"):
            rows.owned(tx, credential_id, owner_id)
    assert rows.of_owner(tx, 2) == []


def test_the_newest_come_first_where_they_are_shown_and_last_where_they_are_used(tx):
    first, second = made(tx, LIVE), made(tx)
    assert rows.of_owner(tx, 1) == [second, first]
    assert [found.credential for found in rows.accounts(tx, VAULT)] == [first, second]


def test_the_keys_of_an_owner_who_left_are_not_opened(tx):
    made(tx)
    catalogue_rows.declare(tx, (), VAULT)
    assert rows.accounts(tx, VAULT) == []


def test_removed_credentials_without_payments_leave_nothing_sealed_behind(tx):
    rows.remove(tx, made(tx), NOW_S)
    assert tx.execute("SELECT count(*) FROM credential").fetchone()[0] == 0
    assert tx.execute("SELECT count(*) FROM event WHERE kind = 'credential.removed'").fetchone()[0] == 1


def test_removed_credentials_with_payments_are_hidden_and_still_open(tx):
    credential = made(tx)
    sold_with(tx, credential)
    rows.remove(tx, credential, NOW_S)
    assert rows.of_owner(tx, 1) == []
    with pytest.raises(NotFound):
        rows.owned(tx, credential.id, 1)
    (found,) = rows.accounts(tx, VAULT)
    assert (found.credential.active, found.keys) == (False, SANDBOX)


def test_declaring_the_same_again_writes_nothing(tx):
    declare(tx, LIVE)
    before = tx.total_changes
    declare(tx, LIVE, now_s=NOW_S + 60)
    assert tx.total_changes == before


@pytest.mark.parametrize(
    "changed",
    [
        replace(LIVE, secret_key=Secret("ISSecretKey_live_other")),
        replace(LIVE, publishable_key="ISPubKey_live_other"),
        replace(LIVE, webhook_challenge=None),
    ],
)
def test_other_keys_in_the_same_environment_are_taken_over_in_place(tx, changed):
    declare(tx, LIVE)
    declare(tx, changed, now_s=NOW_S + 60)
    (credential,) = rows.of_owner(tx, 1)
    assert (credential.id, credential.created_at_s, credential.updated_at_s) == (1, NOW_S, NOW_S + 60)
    assert rows.opened(tx, credential.id, VAULT) == changed


def test_another_environment_in_the_file_is_another_credential(tx):
    declare(tx, SANDBOX)
    declare(tx, LIVE)
    assert stored(tx) == [(2, True, "live"), (1, False, "sandbox")]
    declare(tx, SANDBOX)
    assert stored(tx) == [(2, False, "live"), (1, True, "sandbox")]
    assert rows.opened(tx, 1, VAULT) == SANDBOX


def test_keys_that_disappear_from_the_file_sell_no_more_and_are_back_when_they_return(tx):
    declare(tx, LIVE)
    declare(tx)
    assert stored(tx) == [(1, False, "live")]
    declare(tx, LIVE)
    assert stored(tx) == [(1, True, "live")]


def test_what_was_made_through_the_api_is_not_touched_by_the_file(tx):
    credential = made(tx)
    declare(tx, SANDBOX)
    declare(tx)
    assert rows.owned(tx, credential.id, 1) == credential


def test_declared_keys_that_do_not_open_any_more_are_sealed_anew(tx):
    declare(tx, LIVE)
    declare(tx, LIVE, vault=STRANGER)
    assert rows.opened(tx, 1, STRANGER) == LIVE


def test_it_is_known_whether_payments_were_made_with_credentials(tx):
    used, unused = made(tx), made(tx)
    sold_with(tx, used)
    assert rows.is_used(tx, used.id)
    assert not rows.is_used(tx, unused.id)


def test_payments_of_the_time_before_were_made_with_the_one_credential_that_there_was(monkeypatch):
    tx = sqlite3.connect(":memory:", isolation_level=None)
    before = database.migrations()[:2]
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: before)
        database.migrate(tx)
    for statement in BEFORE:
        tx.execute(statement)
    database.migrate(tx)
    assert tx.execute("SELECT id, credential_id FROM payment").fetchall() == [("p", 4)]
    tx.close()
