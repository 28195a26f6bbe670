"""Pages of a long list, newest first: each continues where the last one ended, in the order of an index.

A position is the moment and the id of the last row that was shown, never a count of rows: page one thousand costs what page one
costs, and nothing is shown twice or skipped when payments come in meanwhile. Owns how such a question is written; which index
answers which filter is for the module of the noun.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.store.table import Table

T = TypeVar("T")

Conditions = tuple[tuple[str, Any], ...]
"""`column = ?` and the value, each."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended."""

    created_at_s: float
    id: str


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the list: at most `limit` entries behind `after`, from a moment on (included), to a moment (excluded)."""

    limit: int
    after: Position | None = None
    from_s: float | None = None
    to_s: float | None = None

    @property
    def conditions(self) -> Conditions:
        """The bounds as conditions. Of two upper ones only the tighter, so that the index is entered there."""
        from_s: Conditions = () if self.from_s is None else (("created_at_s >= ?", (self.from_s,)),)
        if self.after is not None and (self.to_s is None or self.after.created_at_s < self.to_s):
            return (*from_s, ("(created_at_s, id) < (?, ?)", (self.after.created_at_s, self.after.id)))
        return from_s if self.to_s is None else (*from_s, ("created_at_s < ?", (self.to_s,)))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some entries, newest first, and where to go on; None behind the last one."""

    entries: list[T]
    next: Position | None


@dataclass(frozen=True, slots=True)
class Arm:
    """One part of a question, answered in order by one index; None leaves the choice, for at most one row."""

    index: str | None
    conditions: Conditions


def read_page(tx: sqlite3.Connection, table: Table, arms: Sequence[Arm], span: Span, parse: Callable[[sqlite3.Row], T]) -> Page[T]:
    """The page. Several arms are merged, each in its own order: nothing is sorted, and no more is read than is shown."""
    if not arms:
        return Page([], None)
    sql, values = question(table, arms, span)
    rows = tx.execute(sql, values).fetchall()
    shown = rows[: span.limit]
    more = len(rows) > span.limit
    return Page([parse(row) for row in shown], Position(shown[-1]["created_at_s"], shown[-1]["id"]) if more else None)


def question(table: Table, arms: Sequence[Arm], span: Span) -> tuple[str, tuple[Any, ...]]:
    """The statement and its values; one row more than the page is asked for, which says whether there is another page."""
    parts, values = [], []
    for arm in arms:
        conditions = (*((text, (value,)) for text, value in arm.conditions), *span.conditions)
        index = f" INDEXED BY {arm.index}" if arm.index else ""
        parts.append(f"{table.select}{index} WHERE {' AND '.join(text for text, _ in conditions)}")
        values += [value for _, given in conditions for value in given]
    sql = f"{' UNION ALL '.join(parts)} ORDER BY created_at_s DESC, id DESC LIMIT ?"
    return sql, (*values, span.limit + 1)
