"""Who is who: logging in, staying logged in, and losing it again.

An access token is believed by its signature and by the owner's generation in the catalogue, without a look into the database. A
refresh token is good for one exchange; one that comes back a second time was stolen from somebody, and ends its whole family.
"""

import asyncio
import hashlib
import hmac
import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from gateway import passwords
from gateway.catalogue import Owner, Site
from gateway.clock import Clock
from gateway.config import OwnerConfig
from gateway.errors import Conflict, Denied, NotFound, TooMany
from gateway.identity import Secret
from gateway.store import accounts as rows
from gateway.store import events
from gateway.store.database import Database, Transaction
from gateway.tokens import LEEWAY_S, Claims, Kind, Tokens

log = logging.getLogger(__name__)

FAILURES_WINDOW_S = 15 * 60
"""How long a failed log-in counts: long enough to make guessing hopeless, short enough to wait for."""
FAILURES_PER_NAME = 5
"""Failed log-ins under one name: more than anybody mistypes, 480 guesses a day at most."""
FAILURES_PER_ADDRESS = 20
"""Failed log-ins from one address: several people may sit behind one."""
_AT_ONCE = 2
"""Passwords that are checked at the same time: each takes 16 MiB and a core, and a Pi has other things to do."""

_WRONG_PASSWORD = "Invalid username or password"  # noqa: S105 - a sentence; the same for an unknown name
_WRONG_KEYS = "Invalid API keys"


@dataclass(frozen=True, slots=True)
class Session:
    """What a log-in gives."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    owner_id: int
    username: str


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """A pair of API keys; the private one is kept as a digest only and cannot be shown again."""

    public_key: str
    private_key: Secret


class Accounts:
    """The flows of authentication, one public verb each."""

    def __init__(self, site: Site, db: Database, clock: Clock, tokens: Tokens, reload: Callable[[], Awaitable[None]]) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._tokens = tokens
        self._reload = reload
        self._slow = asyncio.Semaphore(_AT_ONCE)
        self._declared: dict[int, OwnerConfig] = {}

    # ── who is asking ──

    def owner_of_token(self, access_token: str) -> Owner:
        """Whose access token that is. Raises Denied."""
        claims = self._tokens.read(access_token, Kind.ACCESS)
        owner = self._site.catalogue.owners.get(claims.owner_id)
        if owner is None or owner.token_generation != claims.generation:
            raise Denied("The access token was revoked: log in again")
        return owner

    # ── logging in ──

    async def login(self, username: str, password: Secret, address: str) -> Session:
        """Log in by password, from that address. Raises Denied, with one sentence for all reasons, and TooMany."""
        name = f"name:{_digest(username.casefold())}"  # people type their password there, too: it is not written down
        attempted_at_s = await self._attempt(name, address)
        login = await self._db.read(lambda tx: rows.by_name(tx, username))
        if not await self._verify(password, login.password_hash if login else None) or login is None:
            log.warning("a log-in by password failed, from %s", address, extra={"action": "login_failed"})
            raise Denied(_WRONG_PASSWORD)
        return await self._admit(login, name, address, attempted_at_s)

    async def api_key_login(self, public_key: str, private_key: Secret, address: str) -> Session:
        """Log in by API keys, from that address. Raises Denied, with one sentence for all reasons, and TooMany."""
        public_key = public_key.lower()
        name = f"key:{_digest(public_key)}"
        attempted_at_s = await self._attempt(name, address)
        login = await self._db.read(lambda tx: rows.by_public_key(tx, public_key))
        known = login.private_key_digest if login else None
        if not hmac.compare_digest(_digest(private_key.reveal()), known or _digest("")) or known is None or login is None:
            log.warning("a log-in by API keys failed, from %s", address, extra={"action": "login_failed"})
            raise Denied(_WRONG_KEYS)
        return await self._admit(login, name, address, attempted_at_s)

    async def _attempt(self, name: str, address: str) -> float:
        """Count the attempt as failed before it is judged, so that many at once do not all pass. Raises TooMany."""
        now_s = self._clock.wall_s()
        limits = ((name, FAILURES_PER_NAME), (_address_key(address), FAILURES_PER_ADDRESS))

        def count(tx: Transaction) -> None:
            for key, limit in limits:
                _refuse_at(limit, rows.failures(tx, key, now_s - FAILURES_WINDOW_S, now_s), now_s)
            for key, _ in limits:
                rows.add_failure(tx, key, now_s)

        await self._db.write(count)
        return now_s

    async def _verify(self, password: Secret, password_hash: str | None) -> bool:
        async with self._slow:
            return await asyncio.to_thread(passwords.verify, password, password_hash)

    async def _admit(self, login: rows.Login, name: str, address: str, attempted_at_s: float) -> Session:
        now_s = self._clock.wall_s()

        def admit(tx: Transaction) -> Session:
            rows.forgive(tx, name, _address_key(address), attempted_at_s)
            rows.prune(tx, now_s - FAILURES_WINDOW_S, now_s - LEEWAY_S)
            events.append(tx, "account.login", now_s, owner_id=login.owner_id, data={"from": address})
            return self._issue(tx, login, family=secrets.token_hex(16))

        return await self._db.write(admit)

    # ── staying logged in ──

    async def refresh(self, refresh_token: str) -> Session:
        """Exchange a refresh token for a new pair. Raises Denied; for one that was used before, after revoking its family."""
        claims = self._tokens.read(refresh_token, Kind.REFRESH)
        session = await self._db.write(lambda tx: self._exchange(tx, claims))
        if session is None:
            raise Denied("The refresh token was used before or revoked: log in again")
        return session

    def _exchange(self, tx: Transaction, claims: Claims) -> Session | None:
        """None for a token that may not be exchanged: an error would take back what is written about it here."""
        token, login = rows.refresh_token(tx, claims.token_id), rows.by_id(tx, claims.owner_id)
        if token is None or token.revoked or login is None or login.token_generation != claims.generation:
            return None
        now_s = self._clock.wall_s()
        if token.used:
            log.warning("a refresh token came back, its family ends", extra={"action": "refresh_reused", "owner": token.owner_id})
            rows.revoke_family(tx, token.family)
            events.append(tx, "account.refresh_reused", now_s, owner_id=token.owner_id)
            return None
        rows.use_refresh_token(tx, token.jti, now_s)
        return self._issue(tx, login, token.family)

    def _issue(self, tx: Transaction, login: rows.Login, family: str) -> Session:
        access, _ = self._tokens.make(Kind.ACCESS, login.owner_id, login.token_generation)
        refresh, claims = self._tokens.make(Kind.REFRESH, login.owner_id, login.token_generation)
        rows.add_refresh_token(
            tx, rows.RefreshToken(claims.token_id, family, login.owner_id, claims.issued_at_s, claims.expires_at_s)
        )
        return Session(access, refresh, login.owner_id, login.username)

    # ── API keys ──

    async def rotate_api_keys(self, owner: Owner) -> ApiKeys:
        """New keys for the owner; the old ones and every token end at once.

        Raises Conflict for an owner whose public key stands in the configuration file.
        """
        declared = self._declared.get(owner.id)
        if declared is not None and declared.public_key is not None:
            raise Conflict("The public key is managed by config.yaml: change it there")
        keys = ApiKeys(secrets.token_hex(16), Secret(secrets.token_hex(32)))
        digest, now_s = _digest(keys.private_key.reveal()), self._clock.wall_s()

        def rotate(tx: Transaction) -> None:
            if rows.by_id(tx, owner.id) is None:
                raise NotFound("Owner not found")
            rows.set_keys(tx, owner.id, keys.public_key, digest)
            events.append(tx, "account.keys_rotated", now_s, owner_id=owner.id)

        await self._db.write(rotate)
        await self._reload()
        return keys

    # ── what the file declares ──

    async def hashes_of(self, owners: Iterable[OwnerConfig]) -> dict[int, str]:
        """The password hashes to store, by owner id: the stored one where it fits the declared password, a new one where not.

        Telling takes scrypt's time, so a password that has not changed since the last reading is not looked at again.
        """
        stored = await self._db.read(rows.password_hashes)
        found = await asyncio.gather(*(self._hash_of(owner, stored.get(owner.id)) for owner in owners))
        return {owner_id: password_hash for owner_id, password_hash in found if password_hash is not None}

    async def _hash_of(self, owner: OwnerConfig, stored: str | None) -> tuple[int, str | None]:
        if owner.password_hash is not None:
            return owner.id, owner.password_hash.reveal()
        if owner.password is None:
            return owner.id, None
        before = self._declared.get(owner.id)
        if stored is not None and ((before and before.password == owner.password) or await self._verify(owner.password, stored)):
            return owner.id, stored
        async with self._slow:
            return owner.id, await asyncio.to_thread(passwords.hash_password, owner.password)

    def declared(self, owners: Iterable[OwnerConfig]) -> None:
        """What the file says is in force."""
        self._declared = {owner.id: owner for owner in owners}


def _refuse_at(limit: int, failed_at_s: list[float], now_s: float) -> None:
    """Raise TooMany when there are that many failures; it is over when the oldest of the last `limit` has left the window."""
    if len(failed_at_s) >= limit:
        wait_s = math.ceil(failed_at_s[-limit] + FAILURES_WINDOW_S - now_s)
        raise TooMany("Too many failed log-ins: try again later", retry_after_s=max(1, wait_s))


def _address_key(address: str) -> str:
    return f"address:{address}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
