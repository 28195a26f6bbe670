"""Password hashes: scrypt, its parameters kept beside each hash. Knows no user and stores nothing.

A hash is `scrypt$<log2 N>$<r>$<p>$<salt>$<key>`, salt and key in hex. The cost can rise without a migration: an old hash goes on
being verified with the parameters that it was made with.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from gateway.identity import Secret

# OWASP's choice for little memory: as hard to guess as its 128 MiB variant, in 16 MiB, which a Pi can spare twice.
_LOG2_N, _R, _P = 14, 8, 5
_SALT_BYTES, _KEY_BYTES = 16, 32  # 128 bits never repeat by chance; a key as long as SHA-256 makes them
# What a hash out of the configuration may ask for: four times the memory and the time of ours, not the whole Pi.
_MAX_COST = 4 * 2**_LOG2_N * _R * _P

_FORM = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([0-9a-f]{16,64})\$([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class _Hash:
    log2_n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    @property
    def cost(self) -> int:
        """Blocks that it goes through (RFC 7914, section 2): time, and at most that much memory in 128 bytes."""
        return (1 << self.log2_n) * self.r * self.p

    def __str__(self) -> str:
        return f"scrypt${self.log2_n}${self.r}${self.p}${self.salt.hex()}${self.key.hex()}"


def hash_password(password: Secret, *, log2_n: int = _LOG2_N, r: int = _R, p: int = _P) -> str:
    """A new hash of the password, with a salt of its own. Takes a fifth of a second on purpose: never call it in the event loop."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return str(_Hash(log2_n, r, p, salt, _scrypt(password, log2_n, r, p, salt)))


def verify(password: Secret, password_hash: str | None) -> bool:
    """Whether that is the password. As slow as `hash_password`, also for None: who has no hash cannot be told from who has one."""
    known = _parse(password_hash or _NOBODYS)
    key = _scrypt(password, known.log2_n, known.r, known.p, known.salt)
    return hmac.compare_digest(key, known.key) and password_hash is not None


def check(text: str) -> str:
    """The text again. ValueError when it is no hash of ours, or would take too long to verify."""
    known = _parse(text)
    if known.log2_n == 0 or not 0 < known.cost <= _MAX_COST:
        raise ValueError("is too costly to verify: make one with `hotspot-gateway hash-password`")
    return text


def _parse(text: str) -> _Hash:
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("must be a hash that `hotspot-gateway hash-password` printed")
    log2_n, r, p, salt, key = found.groups()
    return _Hash(int(log2_n), int(r), int(p), bytes.fromhex(salt), bytes.fromhex(key))


def _scrypt(password: Secret, log2_n: int, r: int, p: int, salt: bytes) -> bytes:
    text = password.reveal().encode(errors="surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=2**log2_n, r=r, p=p, maxmem=256 * _MAX_COST, dklen=_KEY_BYTES)


_NOBODYS = str(_Hash(_LOG2_N, _R, _P, bytes(_SALT_BYTES), bytes(_KEY_BYTES)))
"""What a password is compared with when there is no hash."""
