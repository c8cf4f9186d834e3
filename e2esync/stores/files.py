"""Private files, made and replaced all or nothing: 0600 in folders of 0700, never through a symbolic link.

A file that `write_private` replaced is the old one or the new one after a crash, and is on the disk when the call
returns.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from e2esync.errors import DiskFull, ProfileDamaged, ProfileError

_CREATE: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def write_private(path: Path, content: bytes) -> None:
    """Make or replace a file of mode 0600. Raises DiskFull or ProfileError."""
    write_private_parts(path, (content,))


def write_private_parts(path: Path, parts: Iterable[bytes]) -> None:
    """`write_private` of a file in parts, which are made as they are written."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        _create(new, parts)
        new.rename(path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            new.unlink()
        if isinstance(error, OSError):
            raise file_error(error, f"write {path}") from error
        raise


def create_private(path: Path, content: bytes) -> None:
    """Make a file of mode 0600, on the disk when this returns. Raises FileExistsError rather than follow a link."""
    _create(path, (content,))


def _create(path: Path, parts: Iterable[bytes]) -> None:
    descriptor = os.open(path, _CREATE, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_limited(path: Path, limit: int) -> bytes:
    """A whole regular file of at most `limit` bytes. Raises OSError, or ProfileDamaged for anything else."""
    # O_NONBLOCK, so that a pipe in the file's place is refused instead of waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ProfileDamaged(f"{path.name} is not a file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ProfileDamaged(f"{path.name} is longer than {limit} bytes")
    return content


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, readable by its owner only. Raises OSError."""
    if not path.parent.is_dir():
        make_private_folder(path.parent)
    path.mkdir(mode=0o700)


def sync_folder(path: Path) -> None:
    """Bring a folder's list of names to the disk: a rename is durable after that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_error(error: OSError, what: str) -> ProfileError:
    """Our error for what the file system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"cannot {what}: the disk is full")
    return ProfileError(f"cannot {what}: {error.strerror}", "check the folder and its permissions")
