"""The comparison after a damaged card: what the router shows counts for more than an older database."""

from gateway.reconciler import History, drifts
from tests.ledger import NOW_S, OTHER_MAC
from tests.unit.test_reconciler import END_S, THIRD_MAC, active, row, snapshot


def test_while_the_books_are_in_doubt_nothing_is_taken_that_a_row_says_was_bought():
    doubt = History(frozenset({OTHER_MAC}), frozenset(), in_doubt=True)
    later, over = row(until_epoch_s=int(END_S) + 4_000), row(2, mac=THIRD_MAC, until_epoch_s=int(NOW_S))
    moved = row(1, mac=OTHER_MAC)
    assert drifts([active()], snapshot(later), doubt, NOW_S) == []
    assert drifts([], snapshot(moved, strays=(OTHER_MAC,)), doubt, NOW_S) == []
    assert [drift.mac for drift in drifts([], snapshot(over), doubt, NOW_S)] == [THIRD_MAC]
    assert [drift.what for drift in drifts([active()], snapshot(), doubt, NOW_S)] == ["not let through"]
