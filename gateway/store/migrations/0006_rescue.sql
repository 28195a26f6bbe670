-- Each time an older state took the database's place: what is missing since then is read from IntaSend and the routers again.
CREATE TABLE rescue (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    at_s          REAL    NOT NULL,
    why           TEXT    NOT NULL,
    moved_to      TEXT    NOT NULL,
    restored_from TEXT,
    settled_at_s  REAL
) STRICT;
