"""The newest wall time ever seen, in the database."""

import sqlite3


def newest_wall_s(tx: sqlite3.Connection) -> float:
    """Seconds since 1970; 0 in a new database."""
    row = tx.execute("SELECT newest_wall_s FROM clock").fetchone()
    return float(row["newest_wall_s"]) if row else 0.0


def note_wall_s(tx: sqlite3.Connection, wall_s: float) -> None:
    """Keep the time if it is newer than what is kept."""
    tx.execute(
        "INSERT INTO clock (id, newest_wall_s) VALUES (1, ?) "
        "ON CONFLICT (id) DO UPDATE SET newest_wall_s = max(newest_wall_s, excluded.newest_wall_s)",
        (wall_s,),
    )
