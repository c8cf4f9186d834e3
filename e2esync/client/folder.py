"""A vdir folder on the disk: one card a file, read and replaced without ever following a link (attack A67).

Invariants: everything goes through one descriptor of the folder, so that nobody can put another in its place on the
way; only plain files with the ending .vcf are touched, and of those only ones that are as they were when they were
looked at; a file appears whole, is 0600 from its first byte, and is on the disk before it gets its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final

from e2esync.errors import BadCard, NotFound, ProfileBusy, ProfileError
from e2esync.stores.files import file_error
from e2esync.wire import encode

ENDING: Final = ".vcf"
FILE_MAX: Final = 64 << 20
"""A card with a few photos is a tenth of this."""
_PREFIX: Final = ".e2esync-"
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]{0,99}", re.A)
_SETTLED: Final = 2_000
"""ms after which a file cannot change any more without another time: some file systems count in two seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What lies in a folder: files with their stamps, and what is there and is never touched, with the reason."""

    files: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    """File → its time of change, ms."""
    refused: list[tuple[str, str]] = field(default_factory=list)


class Folder:
    """An open folder."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._folder = descriptor

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Folder:
        """Open and lock a folder; `create`: make it, for its owner only, if it is not there.

        Raises NotFound, ProfileBusy or ProfileError.
        """
        path = Path(os.path.abspath(path))
        if path.is_symlink():
            raise ProfileError(f"{path} is a symbolic link and is not followed", "name the folder that it points to")
        try:
            if create:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"there is no folder {path}", "is its disk mounted? --refill makes it anew") from None
        except (FileExistsError, NotADirectoryError):
            raise ProfileError(f"{path} is no folder", "name a folder for one .vcf file of each contact") from None
        except OSError as error:
            raise file_error(error, f"open the folder {path}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ProfileBusy(f"another process bridges {path}") from None
        return cls(path, descriptor)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:
        os.close(self._folder)

    def look(self) -> Look:
        """What lies there now. Raises ProfileError."""
        look = Look()
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or not entry.name.lower().endswith(ENDING):
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        self._take(look, entry.name, entry.stat(follow_symlinks=False))
        except OSError as error:
            raise file_error(error, f"read the folder {self.path}") from error
        return look

    @staticmethod
    def _take(look: Look, name: str, found: os.stat_result) -> None:
        if stat.S_ISLNK(found.st_mode):
            look.refused.append((name, "it is a symbolic link, which is not followed"))
        elif not stat.S_ISREG(found.st_mode):
            look.refused.append((name, "it is not a file"))
        elif not _is_text(name):
            look.refused.append((os.fsencode(name).decode("utf-8", "replace"), "its name is not valid UTF-8"))
        else:
            look.files[name] = _stamp(found)
            look.times[name] = found.st_mtime_ns // 1_000_000

    def stamp(self, name: str) -> bytes:
        """A file's stamp, another one whenever it changes; empty where there is none."""
        try:
            found = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return b""
        return _stamp(found) if stat.S_ISREG(found.st_mode) else b"no file"

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if it has gone. Raises BadCard for one that is too long, or ProfileError."""
        try:
            descriptor = os.open(name, _READ, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_error(error, f"read {name}") from error
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(FILE_MAX + 1)
        if len(content) > FILE_MAX:
            raise BadCard(f"it is longer than {FILE_MAX >> 20} MiB")
        return content

    def stage(self, content: bytes, number: int) -> str:
        """Write a file under a hidden name, to the disk; returns that name. Raises DiskFull or ProfileError."""
        name = f"{_PREFIX}{os.getpid()}-{number}.tmp"
        self.discard(name)
        try:
            descriptor = os.open(name, _CREATE, 0o600, dir_fd=self._folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            self.discard(name)
            raise file_error(error, f"write into {self.path}") from error
        return name

    def is_staged(self, name: str) -> bool:
        """Whether a hidden file is still under its hidden name."""
        return bool(self.stamp(name))

    def publish(self, staged: str, name: str) -> None:
        """Give a staged file its name, in place of the one that has it. Raises ProfileError."""
        try:
            os.rename(staged, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as error:
            raise file_error(error, f"write {name}") from error

    def discard(self, name: str) -> None:
        """Remove a file, if it is there. Raises ProfileError."""
        try:
            os.unlink(name, dir_fd=self._folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise file_error(error, f"remove {name}") from error

    def sweep(self) -> None:
        """Remove what a process that died has left under hidden names."""
        for name in os.listdir(self._folder):
            if name.startswith(_PREFIX) and name.endswith(".tmp"):
                self.discard(name)

    def settle(self) -> None:
        """Bring new names to the disk."""
        with contextlib.suppress(OSError):
            os.fsync(self._folder)

    def settled_stamp(self, name: str, now: int) -> bytes:
        """A file's stamp if it can be relied upon later; empty while the file is so new that it might still change
        without one."""
        try:
            found = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return b""
        return _stamp(found) if now - found.st_mtime_ns // 1_000_000 > _SETTLED else b""


def _stamp(found: os.stat_result) -> bytes:
    return encode([found.st_size, found.st_mtime_ns // 1_000_000_000, found.st_mtime_ns % 1_000_000_000,
                   found.st_ino & (1 << 53) - 1])


def file_name(uid: str) -> str:
    """A contact's file name without ending: its uid if that is a harmless name, else a hash of it."""
    # Servers have given uids that are file names already.
    uid = uid.removeprefix("urn:uuid:").removesuffix(ENDING)
    if _SAFE.fullmatch(uid):
        return uid
    return blake2b(uid.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
