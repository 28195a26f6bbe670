"""Secrets at rest: sealed with Fernet before they reach the database, opened when they are used.

Several keys may be in force: the newest seals, all open. A key that nobody configured is made on the first start and kept beside
the database, readable by the gateway alone; it protects a copied database, not a stolen card (facts, platform C7).
"""

import logging
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import EncryptionKeyMismatch, Internal
from gateway.identity import Secret

log = logging.getLogger(__name__)

KEY_FILE = "encryption.key"
"""Name of the key that the gateway made itself, in its data directory."""

_DERIVED_BYTES = 32  # as much as SHA-256 has to give


class Vault:
    """Seals and opens with a list of Fernet keys, newest first. Raises Internal when one of them is no Fernet key."""

    def __init__(self, keys: tuple[Secret, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])
        except ValueError:
            raise Internal(
                "security.encryption_key: not a Fernet key; make one with `openssl rand -base64 32 | tr +/ -_`"
            ) from None
        self._newest = keys[0].reveal().encode()

    def seal(self, secret: Secret) -> str:
        """The secret as text that only this vault can read."""
        return self._fernet.encrypt(secret.reveal().encode()).decode()

    def derive(self, purpose: str) -> Secret:
        """A key for one purpose, out of the newest key (HKDF, RFC 5869): when that one is replaced, so is this."""
        derivation = HKDF(algorithm=SHA256(), length=_DERIVED_BYTES, salt=None, info=purpose.encode())
        return Secret(derivation.derive(self._newest).hex())

    def open(self, sealed: str) -> Secret:
        """The secret again. Raises EncryptionKeyMismatch with the specification's sentence, and nothing more."""
        try:
            return Secret(self._fernet.decrypt(sealed).decode())
        except (InvalidToken, ValueError):  # the latter for letters that no token has
            raise EncryptionKeyMismatch("Failed to decrypt private key: Invalid encryption key") from None


def keys_in(data_dir: Path) -> tuple[Secret, ...]:
    """The gateway's own keys, newest first; one is made on first use.

    Raises Internal when the file holds none, and OSError when the directory does not let it be kept.
    """
    path = data_dir / KEY_FILE
    if not path.exists():
        if any(data_dir.glob("*.db")):  # not the first start: something may be sealed with the key that was there
            text = "%s is missing, a new key was made: what it sealed has to be entered again, or put the file back and start again"
            log.error(text, path, extra={"action": "key_missing"})
        _keep(path, (_new_key(),))
    lines = path.read_text("ascii", "replace").split()
    if not lines or not all(_is_key(line) for line in lines):
        raise Internal(f"{path} holds no key: put it back from your copy; without one, move it away, and a new key is made")
    return tuple(Secret(line) for line in lines)


def _is_key(line: str) -> bool:
    try:
        Fernet(line)
    except ValueError:
        return False
    return True


def add_key(data_dir: Path) -> tuple[Secret, ...]:
    """Put a new key before the gateway's own: it seals from now on, the others still open. Raises OSError."""
    keys = (_new_key(), *keys_in(data_dir))
    _keep(data_dir / KEY_FILE, keys)
    return keys


def drop_old_keys(data_dir: Path) -> None:
    """Keep the newest of the gateway's own keys alone: nothing may be sealed with the others any more. Raises OSError."""
    _keep(data_dir / KEY_FILE, keys_in(data_dir)[:1])


def _new_key() -> Secret:
    return Secret(Fernet.generate_key().decode())


def _keep(path: Path, keys: tuple[Secret, ...]) -> None:
    """Whole or not at all: a power cut must not leave a file without a key, with which no later start could do anything."""
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        if path.exists():
            # Whoever changes the key, perhaps as root: the gateway's user goes on reading it.
            os.fchown(file.fileno(), path.stat().st_uid, path.stat().st_gid)
        file.writelines(key.reveal().encode() + b"\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """So that the new name survives a power cut: until then the old file may come back, with the keys of before."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
