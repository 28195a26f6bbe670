"""Databases of numbers: each stands there with its twin, or not at all."""

from collections.abc import Callable
from pathlib import Path

from gateway.store.database import Database, Transaction


async def of_numbers(folder: Path) -> Database:
    """An open database with a table of numbers."""
    opened = await Database.open(folder / "gateway.db")
    await opened.write(lambda tx: tx.execute("CREATE TABLE number (n INTEGER NOT NULL, twin INTEGER NOT NULL)"))
    return opened


def add(tx: Transaction, n: int) -> int:
    """A number and its twin: two rows that belong together."""
    tx.execute("INSERT INTO number VALUES (?, 0)", (n,))
    tx.execute("INSERT INTO number VALUES (?, 1)", (n,))
    return n


def adding(n: int) -> Callable[[Transaction], int]:
    return lambda tx: add(tx, n)


def numbers(tx: Transaction) -> list[int]:
    """Each number once; fails where one stands without its twin."""
    rows = tx.execute("SELECT n, count(*) FROM number GROUP BY n ORDER BY n").fetchall()
    assert {row[1] for row in rows} <= {2}
    return [row[0] for row in rows]
