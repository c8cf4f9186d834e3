"""A profile: the local folder of one device, with its database, its protection and its lock.

    home/                 0700   E2ESYNC_HOME, or e2esync/default in the XDG data folder
      profile.json        0600   how the database key is protected (`client.protection`)
      profile.sqlite3     0600   everything else (`stores.profile`), with SQLite's -wal and -shm while it is open
      sync.lock           0600   held by the process that talks to the relay
      rescue-….e2esync    0600   what a device that was shut out had here before (`client.farewell`)

A profile is made in a sibling folder and renamed: what carries its name is whole. A half-made sibling of a process
that died is thrown away by the next attempt.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from e2esync.client.protection import FILE_MAX, Kind, Plain, Protection, Way, forget, protect, unlock
from e2esync.errors import (
    NoProfile,
    ProfileBusy,
    ProfileDamaged,
    ProfileError,
    ProfileExists,
    WrongPassphrase,
)
from e2esync.limits import KEY
from e2esync.stores import files
from e2esync.stores.profile import ProfileStore

if TYPE_CHECKING:
    from e2esync.crypto import Entropy, Secret

PROTECTION: Final = "profile.json"
DATABASE: Final = "profile.sqlite3"
LOCK: Final = "sync.lock"
STUB: Final = "left.json"
HOME: Final = 0
"""The number of the person's own book."""
RESCUE, RESCUED = "rescue-", ".rescued"
"""How rescue files begin, and how the folder ends in which they wait while a new profile is made."""

Unlock: TypeAlias = Way | Callable[[Kind], Way | None] | None
"""A secret, or who to ask for one of a kind when it is known which kind is needed, or None: what is found by itself."""


def default_home() -> Path:
    """E2ESYNC_HOME, or the folder `e2esync/default` of the XDG data folder."""
    if home := os.environ.get("E2ESYNC_HOME"):
        return Path(home)
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG rule: a relative path is ignored.
    base = Path(data) if os.path.isabs(data) else Path("~/.local/share").expanduser()
    return base / "e2esync" / "default"


class Profile:
    """An open profile. `store` is its database."""

    def __init__(self, home: Path, store: ProfileStore, protection: Protection, key: Secret | None) -> None:
        self.home = home
        self.store = store
        self.protection = protection
        self._key = key
        self._closed = False

    @staticmethod
    def exists(home: Path) -> bool:
        """Whether there is a profile, whole or damaged."""
        return (home / PROTECTION).exists() or (home / DATABASE).exists()

    @classmethod
    def create(cls, home: Path, way: Way, *, entropy: Entropy) -> Profile:
        """Make a profile and open it. Raises ProfileExists, DiskFull, ProfileError, or ProfileBusy if another
        process is making the same one."""
        home = Path(os.path.abspath(home))
        try:
            _make_way(home)
            _check_free(home)
            if not home.parent.is_dir():
                files.make_private_folder(home.parent)
            with _workshop(home) as folder:
                key = _fill(folder, way, entropy)
                _check_free(home)
                folder.rename(home)
                files.sync_folder(home.parent)
            if home.with_name(f".{home.name}{RESCUED}").is_dir():
                from e2esync.client.farewell import bring_back

                bring_back(home)
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EXDEV):
                raise ProfileError(f"{home} is the root of a file system", "choose a folder inside it") from error
            raise files.file_error(error, f"make the profile {home}") from error
        return cls._opened(home, _read_protection(home), key)

    @classmethod
    def open(cls, home: Path, way: Unlock = None) -> Profile:
        """Open the profile in a folder.

        Raises NoProfile, ProfileLocked, WrongPassphrase, ProfileDamaged, ProfileBusy, and DeviceRemoved where this
        device is in no book any more and only its farewell is left.
        """
        home = Path(os.path.abspath(home))
        if _has_left(home):
            from e2esync.client.farewell import check_present

            check_present(home)
        protection = _read_protection(home)
        if callable(way):
            way = None if protection.kind == "plain" else way(protection.kind)
        return cls._opened(home, protection, unlock(protection, way))

    @classmethod
    def _opened(cls, home: Path, protection: Protection, key: Secret | None) -> Profile:
        if not (home / DATABASE).is_file():
            raise ProfileDamaged(f"{home} has no {DATABASE}")
        try:
            store = ProfileStore.open(home / DATABASE, key)
        except WrongPassphrase as error:
            # The key was sealed under the right secret, so it is the file that is not what it was.
            raise ProfileDamaged(f"{home / DATABASE} is damaged") from error
        return cls(home, store, protection, key)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if not self._closed:
            self._closed = True
            self.store.close()

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def change_protection(self, way: Way, *, entropy: Entropy) -> None:
        """Seal the database key anew: the old passphrase, key file or keyring entry opens this profile no more.

        Raises ProfileError for a plain profile: its database would have to be written anew.
        """
        protection = protect(self._key, way, entropy=entropy)
        files.write_private(self.home / PROTECTION, protection.encode())
        old, self.protection = self.protection, protection
        forget(old)

    @contextmanager
    def sync_lock(self) -> Iterator[None]:
        """Hold the right to talk to the relay for this profile. Raises ProfileBusy if another process has it."""
        try:
            descriptor = _lock(self.home / LOCK)
        except BlockingIOError as error:
            raise ProfileBusy(f"another process is syncing {self.home}") from error
        except OSError as error:
            raise files.file_error(error, f"lock {self.home}") from error
        try:
            yield
        finally:
            os.close(descriptor)


def _fill(folder: Path, way: Way, entropy: Entropy) -> Secret | None:
    """Write a new profile's files into a folder that is not the profile yet."""
    key = None
    if not isinstance(way, Plain):
        from e2esync.crypto import Secret

        key = Secret(entropy.draw("profile key", KEY))
    protection = protect(key, way, entropy=entropy)
    ProfileStore.create(folder / DATABASE, key).close()
    files.write_private(folder / PROTECTION, protection.encode())
    return key


@contextmanager
def _workshop(home: Path) -> Iterator[Path]:
    """The sibling folder in which a profile is made, by one process at a time: renamed by it, or gone."""
    folder = home.with_name(f".{home.name}.new")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise ProfileError(f"{folder} is a symbolic link, or somebody else's", "remove it, or choose another --home")
    try:
        descriptor = _lock(folder / LOCK)
    except BlockingIOError as error:
        raise ProfileBusy(f"another process is making {home}") from error
    try:
        # Whoever left files here held the lock, and is dead.
        for left in folder.iterdir():
            if left.name != LOCK:
                left.unlink()
        yield folder
    except BaseException:
        # Still under the lock: nobody else can have begun in this folder.
        with suppress(OSError):
            for left in folder.iterdir():
                left.unlink()
            folder.rmdir()
        raise
    finally:
        os.close(descriptor)


def _has_left(home: Path) -> bool:
    """Whether a device that was shut out, or left, has something in this folder (`client.farewell`)."""
    with suppress(OSError):
        return any(name == STUB or name.startswith(RESCUE) for name in os.listdir(home))
    return False


def _make_way(home: Path) -> None:
    """A new profile may be made where one has left."""
    if (_has_left(home) and not Profile.exists(home)) or (home / STUB).exists():
        from e2esync.client.farewell import make_way

        make_way(home)


def _check_free(home: Path) -> None:
    if Profile.exists(home):
        raise ProfileExists(f"there is a profile in {home} already")
    if home.is_symlink():
        raise ProfileError(f"{home} is a symbolic link", "name the folder that it points to")
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ProfileError(f"{home} is not an empty folder", "choose another with --home")


def _read_protection(home: Path) -> Protection:
    try:
        content = files.read_limited(home / PROTECTION, FILE_MAX)
    except (FileNotFoundError, NotADirectoryError) as error:
        if Profile.exists(home):
            raise ProfileDamaged(f"{home} has no {PROTECTION}") from error
        raise NoProfile(f"there is no profile in {home}") from error
    except OSError as error:
        raise files.file_error(error, f"read {home / PROTECTION}") from error
    return Protection.decode(content)


def _lock(path: Path) -> int:
    """An open file that this process has locked; closing it, or dying, gives the lock back."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
