"""Changing the encryption key: every stored secret is sealed with a new one.

May be interrupted at any point and run again. A new key is kept before anything is sealed with it, everything is sealed in one
transaction, and old keys are dropped when that is committed: at no moment is there a secret that no kept key opens.
"""

from dataclasses import dataclass
from pathlib import Path

from gateway.config import Config
from gateway.datadir import DATABASE_FILE, sole_use_of
from gateway.errors import Internal
from gateway.identity import Secret
from gateway.store.database import Database
from gateway.store.seals import Resealed, reseal
from gateway.vault import KEY_FILE, Vault, add_key, drop_old_keys, keys_in


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was done, for the operator."""

    resealed: Resealed
    own: bool
    """Whether the key is the gateway's own, and the old ones are dropped; else the configuration has them."""

    def __str__(self) -> str:
        done = f"{self.resealed.count} secret(s) sealed with "
        done += "a new key; the old one is dropped" if self.own else "the first configured key; the others can be taken away"
        if self.resealed.unopened:
            done += f"\nopens with none of the keys, has to be set anew: {', '.join(self.resealed.unopened)}"
        return done


async def rotate(config: Config) -> Rotation:
    """Seal every secret with a new key of the gateway's own, or with the first of those that the configuration names.

    Raises Internal while a gateway runs on the data directory, and without a database; OSError for a disk that takes nothing.
    """
    with sole_use_of(config.server.data_dir) as data_dir:
        if not (data_dir / DATABASE_FILE).exists():
            raise Internal(f"server.data_dir: there is no database in {data_dir} yet, so nothing is sealed")
        configured = config.security.encryption_keys
        # Configured keys can take over from the gateway's own: what those sealed is opened with them once more.
        keys = (*configured, *_own(data_dir)) if configured else add_key(data_dir)
        resealed = await _resealed(data_dir / DATABASE_FILE, Vault(keys))
        if not configured:
            drop_old_keys(data_dir)
        return Rotation(resealed, own=not configured)


async def _resealed(path: Path, vault: Vault) -> Resealed:
    db = await Database.open(path)
    try:
        return await db.write(lambda tx: reseal(tx, vault))
    finally:
        await db.close()


def _own(data_dir: Path) -> tuple[Secret, ...]:
    return keys_in(data_dir) if (data_dir / KEY_FILE).exists() else ()
