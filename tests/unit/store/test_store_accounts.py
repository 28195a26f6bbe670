"""Failed log-ins, refresh tokens, and how owners log in, as they are written down."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.config import OwnerConfig
from gateway.store import accounts as rows
from gateway.store import catalogue as catalogue_rows
from tests.ledger import NOW_S, OWNER, VAULT, in_memory

TOKEN = rows.RefreshToken("jti-1", "family", 1, NOW_S, NOW_S + 100)


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = in_memory(())
    yield connection
    connection.close()


def declare(tx: sqlite3.Connection, *owners: OwnerConfig, hashes: dict[int, str] | None = None) -> None:
    catalogue_rows.declare(tx, owners, VAULT, hashes)


def generation(tx: sqlite3.Connection) -> int:
    login = rows.by_id(tx, 1)
    assert login is not None
    return login.token_generation


def test_an_owner_is_found_by_name_by_public_key_and_by_id(tx):
    declare(tx, OWNER, hashes={1: "hash"})
    login = rows.by_name(tx, "njeri")
    assert login == rows.Login(1, "njeri", "hash", None, 0)
    assert rows.by_public_key(tx, str(OWNER.public_key)) == rows.by_id(tx, 1) == login
    assert rows.by_name(tx, "Njeri") is rows.by_public_key(tx, "0" * 32) is rows.by_id(tx, 2) is None


def test_an_owner_who_is_not_declared_any_more_is_not_found(tx):
    declare(tx, OWNER)
    declare(tx, replace(OWNER, id=2, username="otieno", public_key="0" * 32, routers=()))
    assert rows.by_name(tx, "njeri") is rows.by_public_key(tx, str(OWNER.public_key)) is rows.by_id(tx, 1) is None


def test_declaring_the_same_again_ends_no_token(tx):
    for _ in range(3):
        declare(tx, OWNER, hashes={1: "hash"})
    assert generation(tx) == 0
    assert rows.password_hashes(tx) == {1: "hash"}


@pytest.mark.parametrize("change", ["password", "no password", "public key"])
def test_whatever_an_owner_logs_in_with_changes_his_tokens_end(tx, change):
    declare(tx, OWNER, hashes={1: "hash"})
    after: dict[str, tuple[OwnerConfig, dict[int, str]]] = {
        "password": (OWNER, {1: "another"}),
        "no password": (OWNER, {}),
        "public key": (replace(OWNER, public_key="0" * 32), {1: "hash"}),
    }
    owner, hashes = after[change]
    declare(tx, owner, hashes=hashes)
    assert generation(tx) == 1
    assert rows.password_hashes(tx) == hashes


def test_keys_that_were_made_here_outlive_the_next_reading_of_the_file(tx):
    unkeyed = replace(OWNER, public_key=None)
    declare(tx, unkeyed)
    rows.set_keys(tx, 1, "f" * 32, "digest")
    declare(tx, unkeyed)
    login = rows.by_public_key(tx, "f" * 32)
    assert login is not None
    assert (login.private_key_digest, login.token_generation) == ("digest", 1)


def test_a_private_key_ends_with_the_public_key_it_was_made_for(tx):
    declare(tx, replace(OWNER, public_key=None))
    rows.set_keys(tx, 1, "f" * 32, "digest")
    declare(tx, OWNER)
    login = rows.by_id(tx, 1)
    assert login is not None
    assert (login.private_key_digest, login.token_generation) == (None, 2)


def test_failures_are_counted_by_key_and_within_the_window_only(tx):
    for at_s in (NOW_S - 900, NOW_S - 899, NOW_S, NOW_S + 1):
        rows.add_failure(tx, "name:a", at_s)
    rows.add_failure(tx, "name:b", NOW_S)
    assert rows.failures(tx, "name:a", NOW_S - 900, NOW_S) == [NOW_S - 899, NOW_S]


def test_a_success_forgives_the_name_everything_and_the_address_this_attempt(tx):
    for at_s in (NOW_S - 1, NOW_S, NOW_S):
        rows.add_failure(tx, "name:a", at_s)
        rows.add_failure(tx, "address:x", at_s)
    rows.forgive(tx, "name:a", "address:x", NOW_S)
    assert rows.failures(tx, "name:a", NOW_S - 900, NOW_S) == []
    assert rows.failures(tx, "address:x", NOW_S - 900, NOW_S) == [NOW_S - 1, NOW_S]


def test_what_decides_nothing_any_more_is_forgotten(tx):
    declare(tx, OWNER)
    for at_s in (NOW_S - 901, NOW_S - 900, NOW_S):
        rows.add_failure(tx, "name:a", at_s)
    rows.add_refresh_token(tx, TOKEN)
    rows.add_refresh_token(tx, replace(TOKEN, jti="old", expires_at_s=NOW_S - 61))
    rows.prune(tx, NOW_S - 900, NOW_S - 60)
    assert count(tx, "failed_login") == 1
    assert rows.refresh_token(tx, "old") is None
    assert rows.refresh_token(tx, "jti-1") == TOKEN


def test_a_refresh_token_is_used_once_and_revoked_with_its_family(tx):
    declare(tx, OWNER)
    other = replace(TOKEN, jti="other", family="another log-in")
    for token in (TOKEN, replace(TOKEN, jti="jti-2"), other):
        rows.add_refresh_token(tx, token)
    rows.use_refresh_token(tx, "jti-1", NOW_S)
    assert rows.refresh_token(tx, "jti-1") == replace(TOKEN, used=True)
    rows.revoke_family(tx, "family")
    assert rows.refresh_token(tx, "jti-2") == replace(TOKEN, jti="jti-2", revoked=True)
    assert rows.refresh_token(tx, "other") == other


def count(tx: sqlite3.Connection, table: str) -> Any:
    return tx.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
