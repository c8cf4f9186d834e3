"""A SQLite VFS whose disk fails once, at a chosen moment: no space, an input/output error, a write that is cut short, a
sector that cannot be read; or that is slow.

Files are told apart by a part of their path, so that the relay's disk or a device's may fail alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import apsw

EIO, ENOSPC, SHORT, READ = "EIO", "ENOSPC", "short write", "read"
FAULTS = (EIO, ENOSPC, SHORT)


class FailingVFS(apsw.VFS):
    """A VFS over the system's own. `arm` chooses when which fault happens, and how often."""

    def __init__(self, name: str) -> None:
        self.points = 0
        self.failed = 0
        self.patience = 0.0
        """Seconds that each sync takes."""
        self._where = ""
        self._fault = ""
        self._first = self._last = 0
        super().__init__(name, base="", maxpathname=0)

    def arm(self, where: str, fault: str, at: int, times: int = 1) -> None:
        """Fail `times` times from the `at`-th operation from now on files with this in their path; 1 is the next.

        READ counts and fails what is read, any other fault what is written, cut and synced.
        """
        self._where, self._fault, self._first, self._last = where, fault, at, at + times - 1
        self.points = self.failed = 0

    def disarm(self) -> None:
        """The disk is well again."""
        self._where = ""

    def step(self, name: str, write: Callable[[], None] | None = None, *, reading: bool = False) -> None:
        """A point at which the disk may fail. `write` does half of what was asked for."""
        if not self._where or self._where not in name or reading != (self._fault == READ):
            return
        self.points += 1
        if self._first <= self.points <= self._last:
            self.failed += 1
            if self._fault == SHORT and write is not None:
                write()
            if self._fault == ENOSPC:
                raise apsw.FullError("no space left on the device")
            error = apsw.IOError("the disk does not answer")
            if reading:
                error.extendedresult = apsw.SQLITE_IOERR_READ
            raise error

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _FailingFile(self, name, flags)


class _FailingFile(apsw.VFSFile):
    """One open file."""

    def __init__(self, vfs: FailingVFS, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        self._name = name.filename() if hasattr(name, "filename") else str(name)
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._vfs.step(self._name, reading=True)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        def half() -> None:
            super(_FailingFile, self).xWrite(bytes(data)[: len(data) // 2], offset)

        self._vfs.step(self._name, half)
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._vfs.step(self._name)
        super().xTruncate(newsize)

    def xSync(self, _flags: int) -> None:
        # A real fsync would only take its time: nothing here loses power.
        self._vfs.step(self._name)
        time.sleep(self._vfs.patience)
