"""A SQLite VFS that loses power: what no sync has reached is gone, or half there, when it comes back (apsw).

The disk remembers, for each file, what is durable and every write since. When power goes, of the writes that no sync
covers an arbitrary choice reaches the platter, in any order, the last of them perhaps in part, as disks with a cache
do. The test then reads the file as SQLite would after a restart.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import apsw

_SECTOR = 512


class PowerLost(Exception):
    """The power is gone: nothing that the program does from now on reaches the disk."""


class Disk:
    """Files, their durable content and the writes behind it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._left: int | None = None
        self.points = 0
        self.lost = False
        self._durable: dict[str, bytearray] = {}
        self._pending: dict[str, list[tuple[int, bytes | None]]] = {}

    def allow(self, points: int | None) -> None:
        """The power goes after so many writes, cuts and syncs from now on; None for never."""
        self._left, self.points = points, 0

    def step(self) -> None:
        """A point at which the power may go. Raises PowerLost from then on."""
        if self.lost:
            raise PowerLost
        self.points += 1
        if self._left is not None and self.points > self._left:
            self.lost = True
            raise PowerLost

    def write(self, name: str, offset: int, data: bytes) -> None:
        """A write that the operating system has taken."""
        self.step()
        self._pending.setdefault(name, []).append((offset, data))

    def truncate(self, name: str, size: int) -> None:
        """A cut that the operating system has taken."""
        self.step()
        self._pending.setdefault(name, []).append((size, None))

    def sync(self, name: str) -> None:
        """Everything that was written to this file is durable."""
        self.step()
        content = self._durable.setdefault(name, bytearray())
        for offset, data in self._pending.pop(name, []):
            _apply(content, offset, data)

    def delete(self, name: str) -> None:
        """A file that is removed, durably."""
        self.step()
        self._durable.pop(name, None)
        self._pending.pop(name, None)

    def restore(self) -> None:
        """Writes the files as they are found when power comes back."""
        for name in self._durable.keys() | self._pending.keys():
            content = bytearray(self._durable.get(name, b""))
            for offset, data in self._survivors(self._pending.get(name, [])):
                _apply(content, offset, data)
            Path(name).write_bytes(content)

    def _survivors(self, writes: list[tuple[int, bytes | None]]) -> list[tuple[int, bytes | None]]:
        kind = self._chance.random()
        if kind < 0.3:
            return []
        if kind < 0.6:
            writes = writes[: self._chance.randint(0, len(writes))]
        else:
            writes = [each for each in writes if self._chance.random() < 0.5]
        if writes and self._chance.random() < 0.5:
            offset, data = writes[-1]
            if data is not None and len(data) > _SECTOR:
                kept = self._chance.randrange(0, len(data), _SECTOR)
                writes = [*writes[:-1], (offset, data[:kept])]
        return writes


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class PowerVFS(apsw.VFS):
    """A VFS over the system's own, which reports to a disk. `disk` is the one that is plugged in now."""

    def __init__(self, name: str) -> None:
        self.disk: Disk | None = None
        super().__init__(name, base="", maxpathname=0)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _PowerFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        if self.disk is not None:
            self.disk.delete(filename)
        super().xDelete(filename, syncdir)


class _PowerFile(apsw.VFSFile):
    """One open file."""

    def __init__(self, vfs: PowerVFS, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        self._name = name.filename() if hasattr(name, "filename") else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._vfs.disk is not None:
            self._vfs.disk.write(self._name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        if self._vfs.disk is not None:
            self._vfs.disk.truncate(self._name, newsize)
        super().xTruncate(newsize)

    def xSync(self, _flags: int) -> None:
        # What is durable is the disk's affair here; a real fsync would only take its time.
        if self._vfs.disk is not None:
            self._vfs.disk.sync(self._name)
