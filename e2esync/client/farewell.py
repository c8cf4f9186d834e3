"""What stays in the folder of a device that is in no book any more (SPEC 14.12): a stub, and perhaps a rescue file.

    left.json            0600   what happened, when, by whom, and what is still to be done; no key and no contact
    rescue-….e2esync     0600   sealed to the recovery kit (SPEC 14.13); erased 30 days after it was written

The stub is written before anything is erased: where it stands, whatever else is left of the profile is erased by the
next command, should the first have been killed. Erasing is logical: files are overwritten and removed, and a flash
disk may keep old pages.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from e2esync.client.profile import DATABASE, LOCK, PROTECTION, RESCUE, RESCUED, STUB
from e2esync.errors import DeviceRemoved, E2esyncError, ProfileDamaged
from e2esync.limits import RESCUE_RETENTION
from e2esync.stores import files

_MAX: Final = 64 << 10
_BLOCK: Final = 1 << 20

RETIRED, ERASED, FROZEN = "retired", "erased", "frozen"


@dataclass(frozen=True, slots=True)
class Left:
    """Why a folder holds no profile any more."""

    state: str
    """`retired`: the device asked to leave. `erased`: shut out by the kit. `frozen`: shut out by another device."""
    device: str
    book: str
    time: int
    """When this device learned of it, ms."""
    by: str
    """Who signed the record that removed it: a device's name, or empty for the recovery kit and while open."""
    epoch: int
    """The epoch whose record removed it; 0 while nobody has closed the door."""
    others: tuple[str, ...] = ()
    """Of a device that retired: the devices that can close the door."""
    gone: bool = False
    """The book was deleted at its relay before."""

    def told(self) -> tuple[str, str]:
        """(what happened, what to do next), in a person's words."""
        if self.state == RETIRED:
            return f"{self.device} has left {self.book}, and what it held is erased", self._next()
        who = self.by or "the recovery kit"
        happened = f"{who} shut this device, {self.device}, out of {self.book} (epoch {self.epoch})"
        if self.state == ERASED:
            return (f"{happened}, and what it held is erased",
                    "if that was you, nothing is left to do; `e2esync join`, with another device's code, adds it again")
        return (f"{happened}; it is locked, and what it held is sealed for your recovery kit alone",
                "if that was not you, bring your book back with the kit: `e2esync recover`. If it was, `e2esync join` "
                "adds this device again, and `e2esync recover --add-rescue` brings back what it had not sent")

    def _next(self) -> str:
        if self.epoch:
            return f"nothing: the door is closed since epoch {self.epoch}"
        if self.gone:
            return "nothing: the book was deleted at its relay before, and there is no door to close"
        if not self.others:
            return "keep the recovery kit: no other device can close the door or read the book"
        return (f"sync {' or '.join(self.others)}: another device must still close the door. This one has no keys left "
                "to see whether that is done: `e2esync devices` there no longer lists it then")


def read_left(home: Path) -> Left | None:
    """The stub in a folder, or None. Raises ProfileDamaged for one that is none."""
    try:
        fields: Any = json.loads(files.read_limited(home / STUB, _MAX))
        return Left(**{**fields, "others": tuple(fields["others"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise files.file_error(error, f"read {home / STUB}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ProfileDamaged(f"{home / STUB} is damaged", "remove it; there is no profile in this folder") from error


def write_left(home: Path, left: Left) -> None:
    """Write the stub, or another one."""
    files.write_private(home / STUB, json.dumps(asdict(left)).encode())


def say_farewell(home: Path, left: Left) -> None:
    """Write the stub, then erase the profile's files."""
    write_left(home, left)
    erase(home)


def check_present(home: Path) -> None:
    """Raises DeviceRemoved in a folder whose device is in no book any more, after erasing what must not be left."""
    expire(home)
    left = read_left(home)
    if left is not None:
        erase(home)
        message, hint = left.told()
        if left.state == FROZEN and (kept := rescue_files(home)):
            until = time.strftime("%Y-%m-%d", time.gmtime((left.time + RESCUE_RETENTION) / 1000))
            hint += f" (from {kept[0].name}, which is erased on {until})"
        raise DeviceRemoved(message, hint)


def erase(home: Path) -> None:
    """Overwrite and remove what a profile consists of; the key's seal first, so that the rest is noise already."""
    for name in (PROTECTION, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOCK):
        with suppress(FileNotFoundError):
            erase_file(home / name)


def erase_file(path: Path) -> None:
    """Overwrite a file with zeros, on the disk, and remove it. Raises FileNotFoundError, or ProfileError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            left = os.fstat(descriptor).st_size
            while left > 0:
                left -= os.write(descriptor, bytes(min(left, _BLOCK)))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise files.file_error(error, f"erase {path}") from error


def rescue_files(home: Path) -> list[Path]:
    """The rescue files in a folder."""
    return sorted(home.glob(f"{RESCUE}*.e2esync"))


def expire(home: Path) -> None:
    """Erase rescue files that are older than 30 days by this device's clock."""
    from e2esync.access.rescue import read_header

    for path in rescue_files(home):
        with suppress(E2esyncError, FileNotFoundError):
            with path.open("rb") as file:
                written = read_header(file.read).time
            if time.time_ns() // 1_000_000 - written >= RESCUE_RETENTION:
                erase_file(path)


def make_way(home: Path) -> None:
    """Before a new profile is made where one has left: put rescue files aside, and take the stub away."""
    if read_left(home) is None and not _only_rescued(home):
        return
    erase(home)
    aside = _aside(home)
    for path in rescue_files(home):
        aside.mkdir(mode=0o700, exist_ok=True)
        path.rename(aside / path.name)
    (home / STUB).unlink(missing_ok=True)
    with suppress(OSError):
        home.rmdir()


def bring_back(home: Path) -> None:
    """After the new profile was made: rescue files that were put aside belong to it."""
    aside = _aside(home)
    for path in rescue_files(aside) if aside.is_dir() else []:
        path.rename(home / path.name)
    with suppress(OSError):
        aside.rmdir()


def _only_rescued(home: Path) -> bool:
    """Whether a folder holds rescue files and nothing else: a profile that was to be made there has failed."""
    names = {path.name for path in home.iterdir()} if home.is_dir() else set()
    return bool(names) and names == {path.name for path in rescue_files(home)}


def _aside(home: Path) -> Path:
    return home.with_name(f".{home.name}{RESCUED}")
