"""The newest wall time ever seen, in the database."""

import sqlite3


def newest_wall_s(tx: sqlite3.Connection) -> float:
    """Seconds since 1970; 0 in a new database."""
    return float(tx.execute("SELECT newest_wall_s FROM clock").fetchone()[0])


def note_wall_s(tx: sqlite3.Connection, wall_s: float) -> None:
    """Keep the time if it is newer than what is kept."""
    tx.execute("UPDATE clock SET newest_wall_s = max(newest_wall_s, ?)", (wall_s,))
