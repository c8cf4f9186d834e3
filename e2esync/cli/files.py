"""Files that a person names: reading input, writing contacts and kits where nobody else can read them.

Invariants: what is written is 0600 from its first byte, whatever the umask; a file appears whole or not at all, and
the one it replaces stays intact until then; a symbolic link is never written through (attack A67).
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable
from typing import Final

from .exits import FileProblem

INPUT_MAX: Final = 1 << 30
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


_ADVICE: Final = {
    errno.ENOENT: "check the name, and the folder it is in",
    errno.EACCES: "check who may read and write it",
    errno.EPERM: "check who may read and write it",
    errno.ENOSPC: "free some space, then run the command again",
    errno.EROFS: "that disk cannot be written to: name another place",
    errno.EISDIR: "name a file in it",
    errno.ENOTDIR: "check the name, and the folder it is in",
}


def file_problem(doing: str, path: str, error: OSError) -> FileProblem:
    """What the system says of a file, and what to do about it: `cannot read a.vcf: No such file or directory`."""
    hint = _ADVICE.get(error.errno or 0, "")
    if "://" in path:
        hint = "nothing is fetched from the network: download it first"
    return FileProblem(f"cannot {doing} {path or 'a file without a name'}: {error.strerror}", hint)


def read_input(path: str) -> bytes:
    """The bytes of a file, or of stdin for `-`. Raises FileProblem."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(INPUT_MAX + 1)
        else:
            with open(path, "rb") as file:
                content = file.read(INPUT_MAX + 1)
    except OSError as error:
        raise file_problem("read", path, error) from None
    if len(content) > INPUT_MAX:
        raise FileProblem(f"{path} is larger than 1 GiB", "split it, or export fewer contacts at a time")
    return content


def read_first_line(path: str) -> str:
    """The first line of a text file or of stdin, without white space around it."""
    return read_input(path).partition(b"\n")[0].decode("utf-8", "replace").strip()


def check_target(path: str, *, replace: bool) -> None:
    """Raise FileProblem unless `path` may be written: free, or with `replace` a plain file."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_problem("write", path, error) from None
    if stat.S_ISLNK(mode):
        raise FileProblem(f"{path} is a symbolic link and is not written through", "name the file that it points to")
    if not stat.S_ISREG(mode):
        raise FileProblem(f"{path} exists and is not a plain file", "name another one")
    if not replace:
        raise FileProblem(f"{path} exists already", "choose another name, or add --yes to replace it")


def write_private(path: str, content: bytes | Iterable[bytes], *, replace: bool) -> None:
    """Write a file, or its pieces as they are made, readable by its owner only: whole, durable, or not at all.

    Raises FileProblem.
    """
    check_target(path, replace=replace)
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(6).hex()}.tmp")
    try:
        _write_new(temporary, (content,) if isinstance(content, bytes) else content)
        try:
            if replace:
                os.replace(temporary, path)
            else:
                # Unlike a rename, a link fails if somebody made the file meanwhile.
                os.link(temporary, path, follow_symlinks=False)
        finally:
            _remove(temporary)
        _sync_folder(folder or ".")
    except FileExistsError:
        raise FileProblem(f"{path} exists already", "choose another name, or add --yes to replace it") from None
    except OSError as error:
        raise file_problem("write", path, error) from None


def make_folder(path: str) -> None:
    """Make sure that `path` is a folder; a new one is for its owner only. Raises FileProblem."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise file_problem("make the folder", path, error) from None


def _write_new(path: str, parts: Iterable[bytes]) -> None:
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _remove(path)
        raise


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
