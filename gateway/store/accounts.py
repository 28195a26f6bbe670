"""What logging in leaves behind: failed attempts, refresh tokens, and the digests of keys and passwords of owners."""

import sqlite3
from dataclasses import dataclass

from gateway.config import OwnerConfig
from gateway.errors import NotFound


@dataclass(frozen=True, slots=True)
class Login:
    """What an owner proves himself with, and the generation that his new tokens get."""

    owner_id: int
    username: str
    password_hash: str | None
    private_key_digest: str | None
    token_generation: int


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One refresh token, as it was issued and as far as it was used."""

    jti: str
    family: str
    owner_id: int
    issued_at_s: float
    expires_at_s: float
    used: bool = False
    revoked: bool = False


def by_name(tx: sqlite3.Connection, username: str) -> Login | None:
    """The active owner of that user name."""
    return _login(tx, "username", username)


def by_public_key(tx: sqlite3.Connection, public_key: str) -> Login | None:
    """The active owner of that public key."""
    return _login(tx, "public_key", public_key)


def by_id(tx: sqlite3.Connection, owner_id: int) -> Login | None:
    """The active owner of that id."""
    return _login(tx, "id", owner_id)


def _login(tx: sqlite3.Connection, column: str, value: str | int) -> Login | None:
    row = tx.execute(
        "SELECT id, username, password_hash, private_key_digest, token_generation "  # noqa: S608 - columns of the callers above
        f"FROM owner WHERE active AND {column} = ?",
        (value,),
    ).fetchone()
    return Login(*row) if row else None


def password_hashes(tx: sqlite3.Connection) -> dict[int, str]:
    """The stored password hashes, by owner id."""
    return {
        row["id"]: row["password_hash"] for row in tx.execute("SELECT id, password_hash FROM owner WHERE password_hash NOTNULL")
    }


def secrets_to_declare(
    tx: sqlite3.Connection, owner: OwnerConfig, public_key: str, password_hash: str | None
) -> dict[str, str | int | None]:
    """The columns that tell how the owner logs in.

    When any of it changes, his tokens end; a private key ends with the public key that it was made for.
    """
    row = tx.execute(
        "SELECT public_key, password_hash, private_key_digest, token_generation FROM owner WHERE id = ?", (owner.id,)
    ).fetchone()
    if row is None:
        return {"password_hash": password_hash, "private_key_digest": None, "token_generation": 0}
    same_key = row["public_key"] == public_key
    changed = not same_key or row["password_hash"] != password_hash
    return {
        "password_hash": password_hash,
        "private_key_digest": row["private_key_digest"] if same_key else None,
        "token_generation": row["token_generation"] + changed,
    }


def set_keys(tx: sqlite3.Connection, owner_id: int, public_key: str, private_key_digest: str) -> None:
    """Give the owner new API keys; everything that was issued before is worth nothing from now on."""
    tx.execute(
        "UPDATE owner SET public_key = ?, private_key_digest = ?, token_generation = token_generation + 1 WHERE id = ?",
        (public_key, private_key_digest, owner_id),
    )


# ── failed log-ins ──


def failures(tx: sqlite3.Connection, key: str, since_s: float, now_s: float) -> list[float]:
    """When log-ins under that key failed, oldest first. What the clock has yet to reach is left out: it was set back since."""
    rows = tx.execute("SELECT at_s FROM failed_login WHERE key = ? AND at_s > ? AND at_s <= ? ORDER BY at_s", (key, since_s, now_s))
    return [row["at_s"] for row in rows]


def add_failure(tx: sqlite3.Connection, key: str, at_s: float) -> None:
    """Note one more."""
    tx.execute("INSERT INTO failed_login (key, at_s) VALUES (?, ?)", (key, at_s))


def forgive(tx: sqlite3.Connection, name: str, address: str, at_s: float) -> None:
    """A log-in succeeded: the name's failures are forgotten, and of the address's the one that was noted for this attempt."""
    tx.execute("DELETE FROM failed_login WHERE key = ?", (name,))
    tx.execute(
        "DELETE FROM failed_login WHERE rowid = (SELECT rowid FROM failed_login WHERE key = ? AND at_s = ? LIMIT 1)",
        (address, at_s),
    )


def prune(tx: sqlite3.Connection, failed_before_s: float, expired_before_s: float) -> None:
    """Forget what decides nothing any more."""
    tx.execute("DELETE FROM failed_login WHERE at_s <= ?", (failed_before_s,))
    tx.execute("DELETE FROM refresh_token WHERE expires_at_s < ?", (expired_before_s,))


# ── refresh tokens ──


def add_refresh_token(tx: sqlite3.Connection, token: RefreshToken) -> None:
    """Note a refresh token that is handed out."""
    tx.execute(
        "INSERT INTO refresh_token (jti, family, owner_id, issued_at_s, expires_at_s) VALUES (?, ?, ?, ?, ?)",
        (token.jti, token.family, token.owner_id, token.issued_at_s, token.expires_at_s),
    )


def refresh_token(tx: sqlite3.Connection, jti: str) -> RefreshToken | None:
    """The token of that id."""
    row = tx.execute(
        "SELECT jti, family, owner_id, issued_at_s, expires_at_s, used_at_s NOTNULL, revoked FROM refresh_token WHERE jti = ?",
        (jti,),
    ).fetchone()
    return RefreshToken(*row) if row else None


def use_refresh_token(tx: sqlite3.Connection, jti: str, at_s: float) -> None:
    """It was exchanged for another."""
    tx.execute("UPDATE refresh_token SET used_at_s = ? WHERE jti = ?", (at_s, jti))


def revoke_family(tx: sqlite3.Connection, family: str) -> None:
    """End everything that grew out of one log-in."""
    tx.execute("UPDATE refresh_token SET revoked = 1 WHERE family = ?", (family,))


def owner_of_payment(tx: sqlite3.Connection, payment_id: str) -> tuple[int, int]:
    """Whose payment that is: the owner's id, and the generation of his tokens. Raises NotFound."""
    row = tx.execute(
        "SELECT owner.id, owner.token_generation FROM owner JOIN payment ON payment.owner_id = owner.id WHERE payment.id = ?",
        (payment_id,),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such payment")
    return row[0], row[1]
