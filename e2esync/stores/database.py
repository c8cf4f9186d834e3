"""One SQLite file with its transactions, and the one place where SQLite's errors become ours.

Everything above runs its statements through `Database`: durable when a transaction ends (WAL, synchronous=FULL), safe
beside other processes (BEGIN IMMEDIATE, a busy timeout), overwriting what it deletes (secure_delete), and raising
nothing but DiskFull, ProfileBusy, ProfileDamaged and ProfileError for what a disk or a stranger's file can do.
Nothing is cached from one transaction to the next but prepared statements: another process may write in between.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import apsw

from e2esync.errors import DiskFull, E2esyncError, ProfileBusy, ProfileDamaged, ProfileError, WrongPassphrase
from e2esync.stores.files import create_private, file_error

if TYPE_CHECKING:
    from e2esync.crypto.secret import Secret

PAGE_SIZE: Final = 8192
"""Measured: packed contacts of a few hundred bytes fit many to a page, and one edit still writes few bytes."""
CIPHER: Final = "chacha20"
BUSY_TIMEOUT: Final = 5_000
CACHE_KIB: Final = 32 << 10
JOURNAL_LIMIT: Final = 8 << 20
STATEMENTS: Final = 256
MEMORY: Final = ":memory:"

Row = tuple[Any, ...]


class Database:
    """An open connection. Not for use by two threads at once."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._depth = 0
        self._lost: E2esyncError | None = None
        self._transaction = _Transaction(self)
        self._replay = _Replay(self)

    @classmethod
    def open(cls, path: str | os.PathLike[str], key: Secret | None, *, create: bool = False) -> Database:
        """The database in a file, under a raw 32-byte key if one is given; `create` starts an empty one.

        Raises WrongPassphrase if the file cannot be read under `key`: encrypted pages do not tell a wrong key from
        a damaged first page; who knows that the key is right (`client.profile`) takes it for damage.
        """
        path = os.fspath(path)
        flags = apsw.SQLITE_OPEN_READWRITE
        if create:
            flags |= apsw.SQLITE_OPEN_CREATE
            if path != MEMORY:
                _make_file(Path(path))
        try:
            connection = apsw.Connection(path, flags=flags, statementcachesize=STATEMENTS)
        except apsw.Error as error:
            raise _translated(error) or error from error
        database = cls(connection)
        try:
            database._set_up(key, create=create)
        except BaseException:
            connection.close()
            raise
        return database

    def _set_up(self, key: Secret | None, *, create: bool) -> None:
        self._connection.set_busy_timeout(BUSY_TIMEOUT)
        if key is not None:
            assert len(key) == 32
            self._pragma(f"cipher='{CIPHER}'")
            self._pragma(f"key='raw:{key.reveal().hex()}'")
        if create:
            self._pragma(f"page_size={PAGE_SIZE}")
            self._pragma("journal_mode=WAL")
        try:
            # The first read of the file: here a wrong key shows itself.
            self._pragma("schema_version")
        except ProfileDamaged as error:
            if key is not None:
                raise WrongPassphrase("the profile's database does not open under this key") from error
            raise
        for setting in ("synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY", "trusted_schema=OFF",
                        f"cache_size=-{CACHE_KIB}", f"journal_size_limit={JOURNAL_LIMIT}"):
            self._pragma(setting)

    def _pragma(self, text: str) -> list[Row]:
        return self.all(f"PRAGMA {text}")

    def close(self) -> None:
        """Close the file. The last process to close it also empties the write-ahead log."""
        try:
            self._connection.close()
        except apsw.Error as error:
            self._fail(error)

    # Statements. `many` and `run` outside a transaction are transactions of their own.

    def one(self, sql: str, args: Row = ()) -> Row | None:
        """The first row, or None."""
        try:
            return self._execute(sql, args).fetchone()
        except (apsw.Error, UnicodeDecodeError) as error:
            self._fail(error)

    def all(self, sql: str, args: Row = ()) -> list[Row]:
        """Every row."""
        try:
            return self._execute(sql, args).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            self._fail(error)

    def run(self, sql: str, args: Row = ()) -> None:
        """A statement that gives no rows."""
        if self._lost is not None:
            raise self._lost
        try:
            self._execute(sql, args)
        except apsw.Error as error:
            self._fail(error)

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """The statement once per row."""
        if self._lost is not None:
            raise self._lost
        if self._depth == 0:
            with self._transaction:
                return self.many(sql, rows)
        try:
            self._connection.executemany(sql, rows)
        except apsw.Error as error:
            self._fail(error)

    def last_id(self) -> int:
        """The number that the last insert gave its row."""
        return self._connection.last_insert_rowid()

    # Transactions.

    def transaction(self) -> _Transaction:
        """A context manager: all or nothing. The outermost one is durable when it ends."""
        return self._transaction

    def replay(self) -> _Transaction:
        """A transaction whose loss in a power cut would do no harm: it is in order, but waits for no disk.

        The write-ahead log keeps its order, so whatever a later durable transaction stands on is durable with it.
        """
        return self._replay

    def relax(self, *, relaxed: bool) -> None:
        """Between transactions: whether the next commit waits for the disk."""
        if self._depth == 0:
            self._execute(f"PRAGMA synchronous={'NORMAL' if relaxed else 'FULL'}")

    def begin(self) -> None:
        """Enter a transaction, or a nested one. The outermost waits for other writers (ProfileBusy)."""
        self.run(f"SAVEPOINT s{self._depth}" if self._depth else "BEGIN IMMEDIATE")
        self._depth += 1

    def end(self, *, commit: bool) -> None:
        """Leave the innermost transaction, keeping or undoing what happened in it."""
        self._depth -= 1
        if self._depth:
            if self._lost is None:
                if not commit:
                    self.run(f"ROLLBACK TO s{self._depth}")
                self.run(f"RELEASE s{self._depth}")
            return
        lost, self._lost = self._lost, None
        try:
            if lost is not None and commit:
                raise lost
            if commit:
                self.run("COMMIT")
        finally:
            # Nothing is left open after a failed commit, a failed statement or an exception of the caller.
            if self._connection.in_transaction:
                self.run("ROLLBACK")

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file and empty it; what was deleted is then nowhere in the files.

        False if another process is reading: the log is emptied later.
        """
        rows = self._pragma("wal_checkpoint(TRUNCATE)")
        return bool(rows) and rows[0][0] == 0

    def limit_pages(self, pages: int) -> int:
        """Let the file grow to this many pages at most: beyond, DiskFull. Gives the limit there was."""
        before = self._pragma("max_page_count")[0][0]
        self._pragma(f"max_page_count={pages}")
        return int(before)

    def _fail(self, error: Exception) -> NoReturn:
        """Raise our error for one of SQLite's, and remember it if SQLite has rolled the transaction back."""
        ours = _translated(error)
        if ours is None and self._is_damaged():
            ours = ProfileDamaged("the profile's database is damaged")
        if ours is None:
            raise error
        if self._depth and not self._connection.in_transaction:
            # Statements that follow must not each become a transaction of their own.
            self._lost = ours
        raise ours from error

    def _is_damaged(self) -> bool:
        """Whether an error that looks like a bug of ours comes from a file that was altered."""
        from e2esync.stores.schema import is_intact

        try:
            return not is_intact(self._connection)
        except (apsw.Error, UnicodeError):
            return True


class _Transaction:
    """Enters and leaves a database's transactions; one object serves all of them."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.end(commit=kind is None)


class _Replay(_Transaction):
    """As a transaction; the outermost does not wait for the disk."""

    __slots__ = ()

    def __enter__(self) -> None:
        self._database.relax(relaxed=True)
        super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._database.relax(relaxed=False)


def _make_file(path: Path) -> None:
    """Make the empty file, for its owner only: SQLite gives its -wal and -shm the same mode."""
    try:
        create_private(path, b"")
    except OSError as error:
        raise file_error(error, f"make {path}") from error


def _translated(error: Exception) -> ProfileError | None:
    """Our error for one of SQLite's; None for those that only a bug of ours or an altered file explains."""
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return ProfileBusy("another process is writing to this profile")
    if isinstance(error, apsw.FullError):
        return DiskFull("the profile could not be written: the disk is full")
    if isinstance(error, apsw.CorruptError | apsw.NotADBError | apsw.FormatError | UnicodeError):
        return ProfileDamaged("the profile's database is damaged")
    if isinstance(error, apsw.IOError):
        if getattr(error, "extendedresult", 0) in _READ_FAILURES:
            return ProfileDamaged("the profile's database cannot be read from the disk")
        return DiskFull("the profile could not be written: the disk is full or fails")
    if isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError | apsw.PermissionsError | apsw.NoLFSError):
        return ProfileError("the profile's database cannot be opened for writing", "check the folder's permissions")
    return None


_READ_FAILURES: Final = frozenset({
    apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS, apsw.SQLITE_IOERR_DATA,
    apsw.SQLITE_IOERR_AUTH,
})


# What a damaged file gives may have another type than was stored: these say so, in one place.


def blob(value: object) -> bytes:
    """A column that holds bytes."""
    if type(value) is not bytes:
        raise ProfileDamaged("the profile's database holds something else where bytes were stored")
    return value


def number(value: object) -> int:
    """A column that holds an integer."""
    if type(value) is not int:
        raise ProfileDamaged("the profile's database holds something else where a number was stored")
    return value


def text(value: object) -> str:
    """A column that holds text."""
    if type(value) is not str:
        raise ProfileDamaged("the profile's database holds something else where text was stored")
    return value
