"""Tokens: signed and read. Knows who a token names and until when; whether it was revoked is for `gateway.accounts` to say.

JSON Web Tokens after RFC 8725: one pinned algorithm, every claim demanded and checked, a key that is used for nothing else.
"""

import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import jwt

from gateway.clock import Clock
from gateway.errors import Denied
from gateway.identity import Secret

_ALGORITHM = "HS256"
_ISSUER = "hotspot-gateway"
_AUDIENCE = "hotspot-gateway-api"

ACCESS_S = 15 * 60
"""How long an access token opens doors: it is believed without a look into the database, so not for long."""
REFRESH_S = 30 * 24 * 3_600
"""How long a refresh token may lie unused: who runs a kiosk logs in once a month at most."""
LEEWAY_S = 60
"""How far the time may have gone back or ahead since in a way that nobody noticed: a power cut forgets a minute at most."""


class LineClock(Clock, Protocol):
    """A `Clock` that says how far it was set since it began: a Pi without a battery is set in steps (facts, platform B2)."""

    @property
    def stepped_s(self) -> float:
        """The sum of all its steps, in seconds."""
        ...


class Kind(Enum):
    """What a token is good for; the one is never taken for the other."""

    ACCESS = "access"
    REFRESH = "refresh"


_LIFE_S = {Kind.ACCESS: ACCESS_S, Kind.REFRESH: REFRESH_S}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says."""

    token_id: str
    owner_id: int
    generation: int
    """The owner's generation of tokens when it was made."""
    issued_at_s: int
    expires_at_s: int


class Tokens:
    """Makes and reads tokens with one key.

    A token's age is counted without the steps of the clock since it was made: it is not over because a time server has answered,
    and does not live for a year because the clock was a year ahead.
    """

    def __init__(self, key: Secret, clock: LineClock) -> None:
        self._key = key
        self._clock = clock

    def make(self, kind: Kind, owner_id: int, generation: int) -> tuple[str, Claims]:
        """A new token, and what it says."""
        now_s = int(self._clock.wall_s())
        claims = Claims(secrets.token_hex(16), owner_id, generation, now_s, now_s + _LIFE_S[kind])
        wire = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(owner_id),
            "jti": claims.token_id,
            "iat": now_s,
            "nbf": now_s,
            "exp": claims.expires_at_s,
            "typ": kind.value,
            "generation": generation,
            "stepped": self._clock.stepped_s,
        }
        return jwt.encode(wire, self._key.reveal(), _ALGORITHM), claims

    def read(self, text: str, kind: Kind) -> Claims:
        """What the token says. Raises Denied for one that is not ours, of the other kind, expired, or not valid yet."""
        try:
            wire = self._verified(text)
            claims = Claims(wire["jti"], int(wire["sub"]), int(wire["generation"]), int(wire["nbf"]), int(wire["exp"]))
            stepped_s = float(wire["stepped"])
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise Denied(f"Invalid {kind.value} token: log in again") from None
        if wire["typ"] != kind.value:
            raise Denied(f"This is not the {kind.value} token: a log-in gives two, send the other one")
        now_s = self._clock.wall_s() - (self._clock.stepped_s - stepped_s)
        if now_s >= claims.expires_at_s + LEEWAY_S:
            raise Denied(f"The {kind.value} token has expired")
        if now_s < claims.issued_at_s - LEEWAY_S:
            raise Denied(f"The {kind.value} token is not valid yet: the gateway's clock has gone back, log in again")
        return claims

    def _verified(self, text: str) -> dict[str, Any]:
        """The claims of a token that we signed. Its times are compared with our own clock, by the caller."""
        return jwt.decode(
            text,
            self._key.reveal(),
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            audience=_AUDIENCE,
            options={
                "require": ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "typ", "generation", "stepped"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
