"""What limits count, read from the payments: what was sent to the provider, for whom, and what became of it."""

import sqlite3

from gateway.limits import ANY_ADDRESS, DAY_S, OWNER, Attempt, History
from gateway.payments import Payment

_ROWS = 500  # far above every ceiling: one phone's thousand payments a day cost no more than these
_RECORDED_EACH_S = 60  # so that a look at the payments shows that it went on, and how long
_RECORDED_OF_OWNER = 30  # refusals in a minute: a fast shop's mistakes are all seen, a script does not fill the card


def history(tx: sqlite3.Connection, draft: Payment) -> History:
    """What was sent before that payment. What seems to lie in the future is left out: the clock has been set back since."""
    now_s = draft.created_at_s
    return History(
        of_phone=_sent(tx, "phone", draft.phone.e164, now_s, DAY_S),
        of_mac=_sent(tx, "mac", str(draft.mac), now_s, DAY_S) if draft.mac else (),
        of_address=_sent(tx, "asked_from", draft.asked_from, now_s, ANY_ADDRESS.within_s) if draft.asked_from else (),
        of_owner=_sent(tx, "owner_id", draft.owner_id, now_s, OWNER.within_s),
    )


def may_record(tx: sqlite3.Connection, refused: Payment, *, for_its_phone: bool) -> bool:
    """Whether there is room for one more record of a refusal.

    There is room for so many in a minute; `for_its_phone` asks for one in a minute for this phone and this address, too.
    """
    since_s, now_s = refused.created_at_s - _RECORDED_EACH_S, refused.created_at_s
    newest = _refusals(tx, "owner_id", refused.owner_id, since_s, now_s)
    if len(newest) >= _RECORDED_OF_OWNER:
        return False
    return not (for_its_phone and any(same in {refused.phone.e164, refused.asked_from} for row in newest for same in row if same))


def _refusals(tx: sqlite3.Connection, column: str, value: int, since_s: float, now_s: float) -> list[sqlite3.Row]:
    return tx.execute(
        f"SELECT phone, asked_from FROM payment WHERE {column} = ? AND state = 'refused' AND pushed_at_s IS NULL "  # noqa: S608
        "AND created_at_s > ? AND created_at_s <= ? LIMIT ?",
        (value, since_s, now_s, _RECORDED_OF_OWNER),
    ).fetchall()


def _sent(tx: sqlite3.Connection, column: str, value: str | int, now_s: float, within_s: int) -> list[Attempt]:
    rows = tx.execute(
        "SELECT created_at_s, phone, kind = 'push' AND state <> 'refused' AS prompted, paid_at_s, failed_code, updated_at_s "  # noqa: S608 - columns of the callers above
        f"FROM payment WHERE {column} = ? AND created_at_s > ? AND created_at_s <= ? AND pushed_at_s IS NOT NULL "
        "ORDER BY created_at_s DESC LIMIT ?",
        (value, now_s - within_s, now_s, _ROWS),
    )
    return [
        Attempt(row["created_at_s"], row["phone"], bool(row["prompted"]), row["paid_at_s"], row["failed_code"], row["updated_at_s"])
        for row in rows
    ]
