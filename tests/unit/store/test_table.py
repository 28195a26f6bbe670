"""A table whose rows carry a version: what is written, what is returned, and who comes too late."""

import sqlite3
from collections.abc import Iterator

import pytest

from gateway.errors import Conflict
from gateway.store.table import Table

ROW = {"id": "a", "name": "one", "note": None, "version": 0}
THINGS = Table("thing", "id name note version")


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE thing (id TEXT PRIMARY KEY, name TEXT, note TEXT, version INTEGER)")
    yield connection
    connection.close()


def rows(tx: sqlite3.Connection) -> list[tuple[object, ...]]:
    return tx.execute(f"{THINGS.select} ORDER BY id").fetchall()


def test_a_row_is_added_and_returned_as_it_was_written(tx):
    assert THINGS.insert(tx, {**ROW, "no column": 7}) == ROW
    assert rows(tx) == [("a", "one", None, 0)]


def test_a_row_that_lacks_a_column_is_not_added(tx):
    with pytest.raises(KeyError, match="note"):
        THINGS.insert(tx, {"id": "a", "name": "one", "version": 0})
    assert rows(tx) == []


def test_an_update_returns_only_what_changed(tx):
    THINGS.insert(tx, ROW)
    assert THINGS.update(tx, ROW, {**ROW, "note": "new", "version": 1}) == {"note": "new", "version": 1}
    assert rows(tx) == [("a", "one", "new", 1)]


def test_an_update_touches_its_own_row_only(tx):
    THINGS.insert(tx, ROW)
    THINGS.insert(tx, {**ROW, "id": "b"})
    THINGS.update(tx, ROW, {**ROW, "name": "two", "version": 1})
    assert rows(tx) == [("a", "two", None, 1), ("b", "one", None, 0)]


def test_who_comes_second_is_told_and_changes_nothing(tx):
    THINGS.insert(tx, ROW)
    THINGS.update(tx, ROW, {**ROW, "name": "first", "version": 1})
    with pytest.raises(Conflict, match="it changed meanwhile; ask again"):
        THINGS.update(tx, ROW, {**ROW, "name": "second", "version": 1})
    assert rows(tx) == [("a", "first", None, 1)]


def test_a_row_that_is_not_there_cannot_be_updated(tx):
    with pytest.raises(Conflict):
        THINGS.update(tx, ROW, {**ROW, "version": 1})
    assert rows(tx) == []
