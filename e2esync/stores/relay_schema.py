"""The relay's SQLite file: its tables, their version, and opening it (SPEC 4.1 lists what they may hold).

Every row but the relay's own key belongs to one set (or one mailbox), and everything the relay holds is in these
tables: what is not listed here the relay does not know.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import apsw

from e2esync.errors import DiskFull, E2esyncError, ProfileBusy, ProfileDamaged

APPLICATION_ID: Final = 0x65326572
SCHEMA_VERSION: Final = 1

_RESTORE: Final = "restore the file from a backup, or start with another --db; devices keep their contacts either way"

_VERSION_1: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- version rises with every change to the set. holds: whose opening the others wait for. deletion: the newest word on
-- deleting it; due: when the sweep deletes it, or drops the tombstone of one that is gone; 0 for never.
CREATE TABLE sets (
    owner INTEGER PRIMARY KEY, set_id BLOB NOT NULL UNIQUE, epoch INTEGER NOT NULL, record_hash BLOB NOT NULL,
    seq INTEGER NOT NULL, log_hash BLOB NOT NULL, held INTEGER NOT NULL, version INTEGER NOT NULL,
    holds BLOB NOT NULL DEFAULT x'', deletion BLOB NOT NULL DEFAULT x'', due INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX due_sets ON sets (due) WHERE due > 0;
CREATE TABLE records (
    owner INTEGER NOT NULL, epoch INTEGER NOT NULL, opened INTEGER NOT NULL, closed INTEGER,
    record BLOB NOT NULL, box_list BLOB NOT NULL, PRIMARY KEY (owner, epoch)
);
CREATE TABLE boxes (
    owner INTEGER NOT NULL, epoch INTEGER NOT NULL, member INTEGER NOT NULL, device INTEGER NOT NULL,
    box BLOB NOT NULL, PRIMARY KEY (owner, epoch, member)
);
CREATE TABLE envelopes (
    owner INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, member INTEGER NOT NULL,
    time INTEGER NOT NULL, hash BLOB NOT NULL, log_hash BLOB NOT NULL, envelope BLOB NOT NULL,
    PRIMARY KEY (owner, epoch, seq)
);
CREATE UNIQUE INDEX envelope_hashes ON envelopes (owner, epoch, hash);

-- state: 0 never named, 1 live, 2 dead. since: when it got that state. (epoch, seq): the append that named it.
CREATE TABLE blobs (
    owner INTEGER NOT NULL, blob BLOB NOT NULL, size INTEGER NOT NULL, received INTEGER NOT NULL,
    state INTEGER NOT NULL, since INTEGER NOT NULL, epoch INTEGER NOT NULL DEFAULT -1, seq INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, blob)
);
CREATE INDEX blob_states ON blobs (state, since);
CREATE TABLE parts (
    owner INTEGER NOT NULL, blob BLOB NOT NULL, start INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (owner, blob, start)
);

-- version, announced: the set's version when the slot, and when its announcement, was last written.
CREATE TABLE slots (
    owner INTEGER NOT NULL, member INTEGER NOT NULL, announcement BLOB NOT NULL, heartbeat BLOB NOT NULL,
    time INTEGER NOT NULL, version INTEGER NOT NULL, announced INTEGER NOT NULL, PRIMARY KEY (owner, member)
);
CREATE TABLE openings (
    owner INTEGER NOT NULL, member INTEGER NOT NULL, due INTEGER NOT NULL, PRIMARY KEY (owner, member)
);
-- Where each recovery key is a member now, for FIND; by the key, as whoever asks names no set.
CREATE TABLE kits (
    verify_key BLOB NOT NULL, set_id BLOB NOT NULL, member INTEGER NOT NULL, root INTEGER NOT NULL,
    since INTEGER NOT NULL, PRIMARY KEY (verify_key, set_id)
) WITHOUT ROWID;
-- Sets that wait for a seed (waits = 1), and records that a seed has replaced (waits = 0).
CREATE TABLE seeding (
    owner INTEGER NOT NULL, record_hash BLOB NOT NULL, epoch INTEGER NOT NULL, waits INTEGER NOT NULL,
    PRIMARY KEY (owner, record_hash)
);
-- Deleted sets of which not all rows have gone yet.
CREATE TABLE erasing (owner INTEGER PRIMARY KEY);
-- What the operator gives to those who may make a set here; a row goes when it is used, or has expired.
CREATE TABLE invitations (invitation BLOB PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE mailboxes (mailbox BLOB PRIMARY KEY, born INTEGER NOT NULL, token0 BLOB, token1 BLOB);
CREATE TABLE mail (mailbox BLOB NOT NULL, n INTEGER NOT NULL, message BLOB NOT NULL, PRIMARY KEY (mailbox, n));
"""

_MIGRATIONS: Final[dict[int, Callable[[apsw.Connection], object]]] = {
    0: lambda connection: connection.execute(_VERSION_1),
}
"""From each version to the next; a file is brought up step by step, in one transaction."""


def storage_error(error: apsw.Error, path: Path) -> E2esyncError:
    """What an error of SQLite means to the person who runs the relay."""
    if isinstance(error, apsw.FullError):
        return DiskFull(f"the disk with {path} is full", "free some space; nothing that was acknowledged is lost")
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return ProfileDamaged(f"{path} is damaged, or is no relay database", _RESTORE)
    if isinstance(error, apsw.CantOpenError | apsw.PermissionsError | apsw.ReadOnlyError | apsw.AuthError):
        return ProfileDamaged(f"{path} cannot be opened for writing", "check that the folder exists and is writable")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return ProfileBusy(f"{path} is in use by another program", "stop the other program first")
    if isinstance(error, apsw.IOError):
        return DiskFull(f"the disk with {path} failed to read or write", "check the disk, and the space on it")
    return ProfileDamaged(f"{path} does not work as a relay database: {error}", _RESTORE)


def check_not_moved(moved: bool) -> None:
    """Raises ProfileDamaged on a store that `relay migrate` has emptied of its meaning: devices are elsewhere."""
    if moved:
        raise ProfileDamaged(
            "this relay was moved to another store", "start it there: a second one here would sign another history"
        )


class FileLock:
    """One relay per file: a second one would sign heads of its own over the same log."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] | None = None
        try:
            self._file = open(path.with_name(path.name + ".lock"), "wb")  # noqa: SIM115
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise ProfileBusy(f"another relay is running on {path}", "stop it first, or use another --db") from error
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise ProfileDamaged(f"{path} cannot be opened: {reason}", "check that the folder is writable") from error

    def release(self) -> None:
        """Lets another relay have the file; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None


def open_writer(path: Path) -> apsw.Connection:
    """The connection that writes; makes or migrates the file. Raises ProfileDamaged, ProfileBusy or DiskFull."""
    try:
        # A file that is no relay's is refused before the first write could change its header.
        if path.exists() and path.stat().st_size:
            _check_header(path)
        _make_private(path)
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(5000)
        connection.pragma("journal_mode", "wal")
        # An acknowledgement is a promise: FULL is what keeps it when the power goes.
        connection.pragma("synchronous", "full")
        connection.pragma("cache_size", -16384)
        connection.pragma("wal_autocheckpoint", 0)
        _migrate(connection, path)
    except apsw.Error as error:
        raise storage_error(error, path) from error
    return connection


def _make_private(path: Path) -> None:
    """The file, if it is not there. It holds the relay's key: nobody else reads it, nor what SQLite lays beside it."""
    # What cannot be made here, SQLite finds a word for.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(5000)
        connection.pragma("query_only", True)
        connection.pragma("cache_size", -8192)
    except apsw.Error as error:
        raise storage_error(error, path) from error
    return connection


def open_checkpointer(path: Path) -> apsw.Connection:
    """A connection that moves the log into the file, beside the writer."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(100)
    except apsw.Error as error:
        raise storage_error(error, path) from error
    return connection


def _check_header(path: Path) -> None:
    try:
        with path.open("rb") as file:
            header = file.read(100)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise ProfileDamaged(f"{path} cannot be opened: {reason}", "check the file's permissions") from error
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise ProfileDamaged(f"{path} is no relay database", _RESTORE)
    # SQLite notices that a file was cut short only on reading what is missing: the relay would start, and fail later.
    # Beside a log a short file is no damage: a checkpoint was interrupted, and the log has every page that it moved.
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return
    page = int.from_bytes(header[16:18], "big")
    if (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big") > size:
        raise ProfileDamaged(f"{path} is shorter than it says: it was cut off", _RESTORE)


def _migrate(connection: apsw.Connection, path: Path) -> None:
    version = connection.pragma("user_version")
    if connection.pragma("application_id") != APPLICATION_ID and (
        version or connection.execute("SELECT count(*) FROM sqlite_schema").get
    ):
        raise ProfileDamaged(f"{path} is a database of another program", "choose another file with --db")
    if version > SCHEMA_VERSION:
        raise ProfileDamaged(
            f"{path} was written by a newer e2esync (schema {version}, this one knows {SCHEMA_VERSION})",
            "update e2esync",
        )
    if version < SCHEMA_VERSION:
        with connection:
            for step in range(version, SCHEMA_VERSION):
                _MIGRATIONS[step](connection)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA_VERSION)
