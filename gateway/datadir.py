"""The data directory: held by one process, readable by one user.

Owns the lock and the permissions. What lies in the directory belongs to `gateway.store.database` and `gateway.vault`.
"""

import fcntl
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.errors import Internal

log = logging.getLogger(__name__)

DATABASE_FILE = "gateway.db"
"""In the data directory, beside its write-ahead log."""

FOLDER_MODE = 0o700
"""The database holds phone numbers, the key file opens its secrets: both are for the gateway's user alone."""
FILE_MODE = 0o600
"""The same for each file."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def sole_use_of(data_dir: Path) -> Iterator[Path]:
    """The data directory, held by this process alone: two daemons on one database would charge twice.

    The folder itself is locked (flock(2)): a file could be deleted by somebody who takes it for a leftover. What others could read
    is closed to them. Raises Internal when the directory cannot be used, is shared with others, or is held.
    """
    try:
        data_dir.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _close_to_others(data_dir)
        held = os.open(data_dir, os.O_RDONLY)
    except OSError as fault:
        raise Internal(f"server.data_dir: {data_dir} cannot be used: {fault.strerror}") from None
    with ExitStack() as stack:
        stack.callback(os.close, held)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Internal(f"server.data_dir: another gateway is running on {data_dir}: stop it first") from None
        yield data_dir


def private(path: Path) -> Path:
    """The file, made where it is not there, for this user alone. SQLite gives its log the same permissions. Raises OSError."""
    path.touch(mode=FILE_MODE)
    return path


def _close_to_others(data_dir: Path) -> None:
    if data_dir.stat().st_mode & stat.S_IWOTH:
        # Such a folder is not ours to close: it may be the system's own for temporary files.
        raise Internal(f"server.data_dir: everybody may write to {data_dir}: give the gateway a folder of its own")
    _mend(data_dir, FOLDER_MODE)
    for path in data_dir.iterdir():
        if path.is_file() and not path.is_symlink():
            _mend(path, FILE_MODE)


def _mend(path: Path, mode: int) -> None:
    if not stat.S_IMODE(path.stat().st_mode) & _OTHERS:
        return
    try:
        path.chmod(mode)
    except PermissionError:
        advice = f"give it to user {os.getuid()}, or run chmod {mode:o} on it"
        raise Internal(f"server.data_dir: others can read {path}, and it cannot be closed to them: {advice}") from None
    log.warning("others could read %s; it is closed to them now", path, extra={"action": "permissions_mended"})
