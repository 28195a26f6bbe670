"""Secrets at rest: sealed with Fernet before they reach the database, opened when they are used.

Several keys may be in force: the newest seals, all open. A key that nobody configured is made on the first start and kept beside
the database, readable by the gateway alone; it protects a copied database, not a stolen card (facts, platform C7).
"""

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.errors import EncryptionKeyMismatch, Internal
from gateway.identity import Secret

KEY_FILE = "encryption.key"
"""Name of the key that the gateway made itself, in its data directory."""


class Vault:
    """Seals and opens with a list of Fernet keys, newest first. Raises Internal when one of them is no Fernet key."""

    def __init__(self, keys: tuple[Secret, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])
        except ValueError:
            raise Internal(
                "security.encryption_key: not a Fernet key; make one with `openssl rand -base64 32 | tr +/ -_`"
            ) from None

    def seal(self, secret: Secret) -> str:
        """The secret as text that only this vault can read."""
        return self._fernet.encrypt(secret.reveal().encode()).decode()

    def open(self, sealed: str) -> Secret:
        """The secret again. Raises EncryptionKeyMismatch with the specification's sentence, and nothing more."""
        try:
            return Secret(self._fernet.decrypt(sealed).decode())
        except (InvalidToken, ValueError):  # the latter for letters that no token has
            raise EncryptionKeyMismatch("Failed to decrypt private key: Invalid encryption key") from None


def keys_in(data_dir: Path) -> tuple[Secret, ...]:
    """The gateway's own key, made on first use. Raises OSError when the directory does not let it be kept."""
    path = data_dir / KEY_FILE
    if not path.exists():
        _make_key(path)
    return tuple(Secret(line) for line in path.read_text("ascii").split())


def _make_key(path: Path) -> None:
    """Whole or not at all: a power cut must not leave a file without a key, with which no later start could do anything."""
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
