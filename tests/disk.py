"""A disk in the hand of a test: SQLite's real files, behind a VFS that remembers what was synced and fails when told.

The operating system's VFS does the work. Only what changes a file passes through here, so that a test can ask what a power cut
would have left: what was synced is there, of the rest any part may be (SQLite's own crash tests; facts, reliability A2).
"""

import ctypes
import ctypes.util
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTOR_BYTES = 512
"""What a card writes whole: a cut may leave a part of a longer write, in any order."""

_LIBRARY = ctypes.CDLL(ctypes.util.find_library("sqlite3") or "libsqlite3.so.0")
_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
# A name is an address here and no bytes: SQLite keeps it for as long as the file is open, and a copy of Python's would be gone.
_OPEN = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)
_DELETE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)
_CLOSE = ctypes.CFUNCTYPE(_INT, _POINTER)
_WRITE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_SYNC = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs` up to its third version (sqlite3.h)."""

    _fields_ = [
        *(("iVersion", _INT), ("szOsFile", _INT), ("mxPathname", _INT), ("pNext", _POINTER), ("zName", ctypes.c_char_p)),
        *(("pAppData", _POINTER), ("xOpen", _OPEN), ("xDelete", _DELETE)),
        ("rest", _POINTER * 14),
    ]


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods` up to its third version (sqlite3.h)."""

    _fields_ = [
        *(("iVersion", _INT), ("xClose", _CLOSE), ("xRead", _POINTER), ("xWrite", _WRITE)),
        *(("xTruncate", _TRUNCATE), ("xSync", _SYNC)),
        ("rest", _POINTER * 13),
    ]


class _File(ctypes.Structure):
    _fields_ = [("pMethods", ctypes.POINTER(_Methods))]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a file: bytes at an offset, or a new length."""

    offset: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        """Do it."""
        if self.data is None:
            del content[self.offset :]
            content.extend(bytes(self.offset - len(content)))
            return
        end = self.offset + len(self.data)
        content.extend(bytes(max(0, end - len(content))))
        content[self.offset : end] = self.data

    def sectors(self) -> list["Change"]:
        """The same as the card writes it."""
        if self.data is None:
            return [self]
        starts = range(0, len(self.data), SECTOR_BYTES)
        return [Change(self.offset + start, self.data[start : start + SECTOR_BYTES]) for start in starts]


@dataclass(slots=True)
class StoredFile:
    """One file as the card has it: what was synced, and what was only written."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        """Everything that was written is on the card."""
        for change in self.pending:
            change.apply(self.synced)
        self.pending.clear()

    def after_a_cut(self, rng: random.Random) -> bytes:
        """What a power cut may leave: the synced part, and of the rest each sector or not."""
        content, mood = bytearray(self.synced), rng.choice(("none", "some", "all"))
        for change in self.pending:
            for sector in change.sectors():
                if mood == "all" or (mood == "some" and rng.random() < 0.5):
                    sector.apply(content)
        return bytes(content)


class Disk:
    """What SQLite wrote below one folder since `observed` began, and the faults that it meets there.

    `on_change` is called, in SQLite's own thread, after each change and each sync: before the caller of a write can know of it.
    """

    def __init__(self, folder: Path) -> None:
        self.files: dict[Path, StoredFile] = {}
        self.fail_write: Callable[[Path], int | None] = lambda _: None
        """SQLite's result code for a write to that file; None lets it through."""
        self.fail_sync: Callable[[Path], int | None] = lambda _: None
        self.on_change: Callable[[], None] = lambda: None
        self.syncs = 0
        self._folder = folder.resolve()
        self._open: dict[int, Path] = {}
        self._methods: dict[int, tuple[_Methods, _Methods]] = {}

    def cut_to(self, folder: Path, rng: random.Random) -> None:
        """Write what a power cut at this moment may leave into another folder."""
        for path, stored in self.files.items():
            place = folder / path.relative_to(self._folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(stored.after_a_cut(rng))

    # ── what goes wrong ──

    def fill(self) -> None:
        """ENOSPC."""
        self.fail_write = lambda _: sqlite3.SQLITE_FULL

    def fail_to_sync(self) -> None:
        """EIO from fsync: what was written may be on the card or not."""
        self.fail_sync = lambda _: sqlite3.SQLITE_IOERR_FSYNC

    def mount_read_only(self) -> None:
        """EROFS for a file that was open already: what the kernel does to a card that it does not trust any more."""
        self.fail_write = lambda _: sqlite3.SQLITE_IOERR_WRITE

    def heal(self) -> None:
        """All is well again."""
        self.fail_write = self.fail_sync = lambda _: None

    # ── what SQLite calls ──

    def opened(self, file: int, name: int | None) -> None:
        """A file below the folder is watched from now on."""
        path = _path(name)
        if path is None or not path.is_relative_to(self._folder):
            return
        self._open[file] = path
        if path not in self.files:
            self.files[path] = StoredFile(bytearray(path.read_bytes() if path.exists() else b""))
        handle = _File.from_address(file)
        handle.pMethods = ctypes.pointer(self._watched(handle.pMethods))

    def deleted(self, name: int | None) -> None:
        """A file is gone, as far as this process can see: the name goes with the next sync of its folder at the latest."""
        self.files.pop(_path(name) or Path(), None)

    def _watched(self, original: Any) -> _Methods:
        """The file's methods with ours in place of those that change it; one table for each of SQLite's own."""
        real, address = original.contents, ctypes.addressof(original.contents)
        if address not in self._methods:
            watched = _Methods.from_buffer_copy(real)
            watched.xWrite, watched.xTruncate = _WRITE(self._writer(real)), _TRUNCATE(self._truncater(real))
            watched.xSync, watched.xClose = _SYNC(self._syncer(real)), _CLOSE(self._closer(real))
            self._methods[address] = (watched, real)
        return self._methods[address][0]

    def _writer(self, real: _Methods) -> Callable[[int, int, int, int], int]:
        def write(file: int, data: int, length: int, offset: int) -> int:
            fault = self.fail_write(self._open[file]) or int(real.xWrite(file, data, length, offset))
            if not fault:
                self._note(file, Change(offset, ctypes.string_at(data, length)))
            return fault

        return write

    def _truncater(self, real: _Methods) -> Callable[[int, int], int]:
        def truncate(file: int, length: int) -> int:
            fault = self.fail_write(self._open[file]) or int(real.xTruncate(file, length))
            if not fault:
                self._note(file, Change(length, None))
            return fault

        return truncate

    def _syncer(self, real: _Methods) -> Callable[[int, int], int]:
        def sync(file: int, flags: int) -> int:
            fault = self.fail_sync(self._open[file]) or int(real.xSync(file, flags))
            if not fault:
                self.syncs += 1
                self.files[self._open[file]].sync()
                self.on_change()
            return fault

        return sync

    def _closer(self, real: _Methods) -> Callable[[int], int]:
        def close(file: int) -> int:
            self._open.pop(file, None)
            return int(real.xClose(file))

        return close

    def _note(self, file: int, change: Change) -> None:
        self.files.setdefault(self._open[file], StoredFile()).pending.append(change)
        self.on_change()


def _path(name: int | None) -> Path | None:
    return Path(ctypes.string_at(name).decode()).resolve() if name else None


@contextmanager
def observed(folder: Path) -> Iterator[Disk]:
    """Watch what SQLite does below a folder, in every connection that this process opens from now on."""
    _LIBRARY.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    _LIBRARY.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
    _LIBRARY.sqlite3_vfs_register.argtypes = [_POINTER, _INT]
    _LIBRARY.sqlite3_vfs_unregister.argtypes = [_POINTER]
    sqlite3.connect(":memory:").close()  # initialises the library
    system, disk = _LIBRARY.sqlite3_vfs_find(None), Disk(folder)
    shim = _Vfs.from_buffer_copy(system.contents)

    def open_file(_: int, name: int | None, file: int, flags: int, out_flags: int) -> int:
        result = system.contents.xOpen(ctypes.addressof(shim), name, file, flags, out_flags)
        if not result:
            disk.opened(file, name)
        return int(result)

    def delete(_: int, name: int | None, flags: int) -> int:
        result = system.contents.xDelete(ctypes.addressof(shim), name, flags)
        if not result:
            disk.deleted(name)
        return int(result)

    shim.zName, shim.xOpen, shim.xDelete = b"observed", _OPEN(open_file), _DELETE(delete)
    _LIBRARY.sqlite3_vfs_register(ctypes.addressof(shim), 1)
    try:
        yield disk
    finally:
        _LIBRARY.sqlite3_vfs_register(ctypes.addressof(system.contents), 1)
        _LIBRARY.sqlite3_vfs_unregister(ctypes.addressof(shim))
