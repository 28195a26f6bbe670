"""The newest wall time ever seen, in the database."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.clock import newest_wall_s, note_wall_s
from tests.ledger import in_memory


def noted(*walls_s: float) -> float:
    tx = in_memory(())
    for wall_s in walls_s:
        note_wall_s(tx, wall_s)
    newest_s = newest_wall_s(tx)
    tx.close()
    return newest_s


def test_a_new_database_has_seen_no_time():
    assert noted() == 0.0


def test_an_older_time_is_not_kept():
    assert noted(1_756_117_800.5, 12.0) == 1_756_117_800.5


@given(st.lists(st.floats(0, 1e11), min_size=1, max_size=6))
def test_the_newest_of_all_times_is_kept(walls_s):
    assert noted(*walls_s) == max(walls_s)


def test_there_is_one_time_only():
    tx = in_memory(())
    note_wall_s(tx, 1.0)
    note_wall_s(tx, 2.0)
    assert [tuple(row) for row in tx.execute("SELECT * FROM clock")] == [(1, 2.0)]
    tx.close()


def test_noting_is_part_of_the_transaction_around_it():
    tx: sqlite3.Connection = in_memory(())
    tx.execute("BEGIN")
    note_wall_s(tx, 5.0)
    tx.execute("ROLLBACK")
    assert newest_wall_s(tx) == 0.0
    tx.close()
