"""The gateway's database as an onlooker has it: made from the event table alone, event by event, as the table grows.

Owns reading the file beside the gateway, and what must hold of every event: no gap, no edge that does not exist, nothing forgotten
in a crash. What the events mean is for `invariants`.
"""

import itertools
import json
import operator
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.simulation.disk import Disk, InlineConnection

Row = dict[str, Any]

EDGES = {
    "payment": {
        None: {"new"},
        "new": {"pushing", "refused"},
        "pushing": {"pushed", "unknown", "refused", "paid", "failed", "disputed"},
        "pushed": {"paid", "failed", "lapsed", "disputed"},
        "unknown": {"pushed", "paid", "failed", "lapsed", "disputed"},
        "refused": {"paid", "disputed"},
        "failed": {"paid", "disputed"},
        "lapsed": {"paid", "failed", "disputed"},
        "paid": set(),
        "disputed": set(),
    },
    "grant": {
        None: {"owed"},
        "owed": {"active", "unclaimed", "revoked"},
        "unclaimed": {"owed", "revoked"},
        "active": {"ending", "revoked", "owed"},
        "ending": {"ended", "owed"},
        "ended": {"owed"},
        "revoked": set(),
    },
}
"""The edges along which states may move (invariant 7)."""

OWED_AGAIN = {"grant.hand_over", "grant.compensated"}
"""What alone may make a grant that was let through owed again: it goes to another device, or it lost time in an outage."""


class Violation(AssertionError):
    """An invariant does not hold; `customer_mac` or `payment_id` says whom it hurt."""

    def __init__(self, what: str, *, payment_id: str | None = None, mac: str | None = None) -> None:
        super().__init__(what)
        self.payment_id = payment_id
        self.mac = mac


class Replica:
    """Payments and grants, replayed."""

    def __init__(self, disk: Disk) -> None:
        self.judge: Callable[[sqlite3.Row, Row, Row], None] = lambda _event, _before, _after: None
        """Told of every change of either: the event, the row before and after it."""
        self.lines: list[str] = []
        """The event table, a line each."""
        self.payments: dict[str, Row] = {}
        self.grants: dict[str, Row] = {}
        self._disk = disk
        self._judged = 0
        """The last event that was judged: after a crash the table is read from its beginning again."""
        self.losses = 0
        """Of how many losses of the card it has seen the end."""
        self._caught_up: tuple[InlineConnection, int] | None = None
        """Who had written, and how much, when the table was read last."""
        self._db: sqlite3.Connection | None = None
        self._folder: Path | None = None

    def catch_up(self) -> bool:
        """Replay what is new; False while a commit is under way of which nobody has heard."""
        writer = self._disk.writers[-1]
        if writer.connection.in_transaction:
            raise Violation("a transaction is open while nobody works in it")  # 11
        if writer.under_way is not None:
            return False
        if (written := (writer, writer.connection.total_changes)) != self._caught_up:
            self._replay(self._opened())
            self._caught_up = written
        return True

    def is_surplus(self, invoice_id: str) -> bool:
        """Whether that money is noted as to be refunded."""
        found = self._opened().execute("SELECT 1 FROM surplus WHERE invoice_id = ?", (invoice_id,)).fetchone()
        return found is not None

    def compare(self) -> None:
        """Replaying the events gives the tables (8): all of them, also of a commit that nobody has heard of yet."""
        self._replay(self._opened())
        for table, rows in (("payment", self.payments), ("access_grant", self.grants)):
            stored = {row["id"]: dict(row) for row in self._opened().execute(f"SELECT * FROM {table}")}
            if stored != rows:
                raise Violation(f"the events do not give the table {table}")

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def _opened(self) -> sqlite3.Connection:
        """The file as it is now. After a crash everything that was ever read must still be there, or the card has lost it."""
        if self._db is not None and self._folder == self._disk.folder:
            return self._db
        self.close()
        self._folder = self._disk.folder
        self._db = sqlite3.connect(f"file:{self._folder}/gateway.db?mode=ro", uri=True, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        old, self.lines, self.payments, self.grants = self.lines, [], {}, {}
        kept = len(old)
        if self._disk.losses > self.losses:
            kept, self.losses = self._still_there(old, self._db), self._disk.losses
            self._judged = min(self._judged, kept)
        self._replay(self._db)
        if self.lines[:kept] != old[:kept]:
            raise Violation("after the crash the event table is not what it was")
        return self._db

    def _still_there(self, old: list[str], db: sqlite3.Connection) -> int:
        """How many events a card that has lost something has kept: what was written after them is another story."""
        lines = (_line(row) for row in db.execute("SELECT * FROM event ORDER BY seq"))
        return sum(1 for _ in itertools.takewhile(operator.truth, map(operator.eq, old, lines)))

    def _replay(self, db: sqlite3.Connection) -> None:
        """Event by event: no gap (8)."""
        rows = db.execute("SELECT * FROM event WHERE seq > ? ORDER BY seq", (len(self.lines),)).fetchall()
        for row in rows:
            if row["seq"] != len(self.lines) + 1:
                raise Violation(f"event {len(self.lines) + 1} is missing")
            self.lines.append(_line(row))
            subject = row["kind"].partition(".")[0]
            if subject in EDGES:
                self._apply(subject, row, json.loads(row["data"])["set"])
            self._judged = max(self._judged, row["seq"])

    def _apply(self, subject: str, event: sqlite3.Row, changes: Row) -> None:
        """No version skipped, no edge that does not exist (7)."""
        rows, row_id = (self.payments if subject == "payment" else self.grants), event[f"{subject}_id"]
        before = rows.get(row_id, {})
        after = before | changes
        old, new, payment_id = before.get("state"), after["state"], event["payment_id"]
        if after["version"] != before.get("version", -1) + 1:
            raise Violation(f"a {subject} skipped a version after {before.get('version')}", payment_id=payment_id)
        if new != old and new not in EDGES[subject][old]:
            raise Violation(f"a {subject} went from {old} to {new}", payment_id=payment_id)
        if new == "owed" and old in {"active", "ending", "ended"} and event["kind"] not in OWED_AGAIN:
            raise Violation(f"a grant is owed again by {event['kind']}", payment_id=payment_id)
        rows[row_id] = after
        if event["seq"] > self._judged:
            self.judge(event, before, after)


def _line(event: sqlite3.Row) -> str:
    return f"{event['seq']} {event['kind']} {event['payment_id']} {event['at_s']!r} {event['data']}"


def window_s(grant: Row) -> float:
    """How long its device may pass: what was bought less what other devices, or a window that was lost, have used of it."""
    return float(grant["duration_s"] - grant["used_s"])
