"""Disks that lose power: one run's operations are recorded, then any moment of it is rebuilt as a disk would leave it.

A SQLite VFS (apsw) records every write, cut, sync and removal. At a moment, what a sync has covered is there; of the
rest an arbitrary choice reached the platter, in any order and each perhaps in part, as disks with a cache do; a file
that was removed may be there again. So one run gives as many crashes as one likes, each for the price of writing two
files and opening them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import apsw

_SECTOR = 512
_WITH_FOLDER = ("-wal", "-journal")


class Kind(Enum):
    """What a step of a trace is. TOLD is none of the disk's: somebody was told that all so far is durable."""

    WRITE = "write"
    CUT = "cut"
    SYNC = "sync"
    DELETE = "delete"
    TOLD = "told"


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on a file. Of a CUT, `offset` is the new size; of a removal that is durable at once, 1."""

    kind: Kind
    name: str
    offset: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Loss:
    """What of a file reached the platter after its last sync: (number of the write, from, to), or the removed file."""

    kept: tuple[tuple[int, int, int], ...]
    back: bool = False


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)
    fresh: bool = True
    removed: bytes | None = None

    def take(self, step: Step) -> None:
        if step.kind is Kind.SYNC:
            self.durable = self.content(self.everything())
            self.pending.clear()
            self.fresh = False
        elif step.kind is Kind.DELETE:
            self.removed = None if step.offset else bytes(self.content(self.everything()))
            self.durable, self.pending, self.fresh = bytearray(), [], True
        else:
            self.pending.append(step)

    def everything(self) -> Loss:
        return Loss(tuple((number, 0, len(step.data)) for number, step in enumerate(self.pending)))

    def content(self, loss: Loss) -> bytearray:
        if loss.back and self.removed is not None:
            return bytearray(self.removed)
        content = bytearray(self.durable)
        for number, start, stop in loss.kept:
            step = self.pending[number]
            if step.kind is Kind.CUT:
                del content[step.offset :]
            else:
                _put(content, step.offset + start, step.data[start:stop])
        return content

    def lose(self, chance: random.Random) -> Loss:
        if self.removed is not None and chance.random() < 0.3:
            return Loss((), back=True)
        kind, count = chance.random(), len(self.pending)
        if kind < 0.2:
            numbers = list(range(chance.randint(0, count)))
        elif kind < 0.4:
            numbers = list(range(chance.randint(0, count), count))
        else:
            likely = chance.random()
            numbers = [number for number in range(count) if chance.random() < likely]
        torn = chance.choice((0.0, 0.2))
        return Loss(tuple((number, *_part(self.pending[number], chance, torn)) for number in numbers))


def _part(step: Step, chance: random.Random, torn: float) -> tuple[int, int]:
    """All of a write, or so likely only some of the sectors that it touches."""
    size = len(step.data)
    bounds = [0, *range(-step.offset % _SECTOR or _SECTOR, size, _SECTOR), size]
    if step.kind is Kind.WRITE and len(bounds) > 2 and chance.random() < torn:
        start, stop = sorted(chance.sample(range(len(bounds)), 2))
        return bounds[start], bounds[stop]
    return 0, size


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Platter:
    """The files of one machine, as the steps of a trace leave them."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    def take(self, step: Step) -> None:
        """One more operation."""
        file = self._files.setdefault(step.name, _File())
        if step.kind is Kind.SYNC and file.fresh and step.name.endswith(_WITH_FOLDER):
            # SQLite syncs the folder with the first sync of a log that it made: what was removed there stays so.
            for each in self._files.values():
                each.removed = None
        file.take(step)

    def lose(self, chance: random.Random) -> tuple[Loss, ...]:
        """An arbitrary loss, file by file."""
        return tuple(file.lose(chance) for file in self._files.values())

    def restore(self, folder: Path, losses: Iterable[Loss] | None = None) -> None:
        """Writes the files as they are found when power comes back; without losses, as they stood."""
        for path in folder.iterdir():
            path.unlink()
        found = losses or [file.everything() for file in self._files.values()]
        for (name, file), loss in zip(self._files.items(), found, strict=True):
            content = file.content(loss)
            if content:
                (folder / Path(name).name).write_bytes(content)


class RecordingVFS(apsw.VFS):
    """A VFS over the system's own that notes what is done to its files while `steps` is a list."""

    def __init__(self, name: str) -> None:
        self.steps: list[Step] | None = None
        super().__init__(name, base="", maxpathname=0)

    def note(self, kind: Kind, name: str, offset: int = 0, data: bytes = b"") -> None:
        """One more step of the trace."""
        if self.steps is not None:
            self.steps.append(Step(kind, name, offset, data))

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _RecordedFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.note(Kind.DELETE, filename, int(syncdir))
        super().xDelete(filename, syncdir)


class _RecordedFile(apsw.VFSFile):
    """One open file."""

    def __init__(self, vfs: RecordingVFS, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        self._name = name.filename() if hasattr(name, "filename") else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._vfs.note(Kind.WRITE, self._name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._vfs.note(Kind.CUT, self._name, newsize)
        super().xTruncate(newsize)

    def xSync(self, _flags: int) -> None:
        # What is durable is the platter's affair; a real fsync would only take its time.
        self._vfs.note(Kind.SYNC, self._name)
