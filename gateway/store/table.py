"""A table whose rows carry a version: what payments and grants have in common."""

import sqlite3
from typing import Any

from gateway.errors import Conflict

Row = dict[str, Any]


class Table:
    """Statements for one table, built from its column names."""

    def __init__(self, name: str, columns: str) -> None:
        self._columns = columns.split()
        names = ", ".join(self._columns)
        self.select = f"SELECT {names} FROM {name}"  # noqa: S608 - names are constants of the callers
        self._insert = f"INSERT INTO {name} ({names}) VALUES ({', '.join('?' * len(self._columns))})"  # noqa: S608
        self._name = name

    def read(self, row: sqlite3.Row) -> Row:
        """What `select` found, by column."""
        # `dict(row)` says the same, and looks each of thirty names up among all of them.
        return dict(zip(self._columns, row, strict=True))

    def insert(self, tx: sqlite3.Connection, row: Row) -> Row:
        """Add a row and return what was written."""
        written = {column: row[column] for column in self._columns}
        tx.execute(self._insert, tuple(written.values()))
        return written

    def update(self, tx: sqlite3.Connection, before: Row, after: Row) -> Row:
        """Write the row and return what changed. Raises Conflict when it is not any more what `before` says."""
        changed = {column: after[column] for column in self._columns if after[column] != before[column]}
        # Nothing else is named: a column that is costs each of its indexes and foreign keys, also where it stays the same.
        settings = ", ".join(f"{column} = ?" for column in changed)
        update = f"UPDATE {self._name} SET {settings} WHERE id = ? AND version = ?"  # noqa: S608
        if tx.execute(update, (*changed.values(), before["id"], before["version"])).rowcount != 1:
            raise Conflict("it changed meanwhile; ask again")
        return changed
