"""The rows of a relay's store, whatever engine keeps them (SPEC 4.1, 13): the small part that engines differ in.

The rules meet rows through `Rows` alone, in SQL that SQLite and PostgreSQL both read: `?` for arguments, ON CONFLICT,
no engine's own functions. Every statement names one set's key (`owner`) or one mailbox, so that the same statements run
where sets are spread over machines; only the lists that a sweep begins with go over all of them. What a key is, the
engine knows: a number in SQLite, where it makes rows short; the set's id in PostgreSQL, where it says on which machine
they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, NamedTuple, Protocol

import apsw

Key = Any
"""How an engine names a set in its rows: int or bytes."""

Row = tuple[Any, ...]


COLUMNS: Final = "owner, epoch, record_hash, seq, log_hash, held, version, holds, deletion, due, gone"
"""A set's row, as `SetRow` has it."""


class SetRow(NamedTuple):
    """A set's row. `version` rises with everything that changes the set: equal versions are equal sets.

    `deletion` is the newest word on deleting it (SPEC 13.14), `due` when the sweep deletes it or, once it is `gone`,
    its tombstone; 0 for never.
    """

    key: Key
    epoch: int
    record_hash: bytes
    seq: int
    log_hash: bytes
    held: int
    version: int
    holds: bytes
    deletion: bytes
    due: int
    gone: int


class Rows(Protocol):
    """Statements on a store, inside a transaction or not."""

    def one(self, sql: str, args: Row = ()) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, args: Row = ()) -> list[Row]:
        """Every row."""
        ...

    def run(self, sql: str, args: Row = ()) -> int:
        """A statement that gives no rows. Returns how many it changed."""
        ...

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """The statement once per row."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the transaction that is undone alone if it raises."""
        ...

    def find_set(self, set_id: bytes) -> SetRow | None:
        """A set's row, which nobody else changes until the transaction ends."""

    def make_set(self, set_id: bytes, record_hash: bytes) -> Key:
        """The row of a new set, with an empty log after record 0. Its version is 0."""
        ...

    def due_sets(self, now: int) -> list[bytes]:
        """The ids of the sets that are to be deleted by now, and of tombstones that are to go; of many, some."""


class SqliteRows:
    """Rows in a SQLite file."""

    __slots__ = ("_connection", "_execute")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute

    def one(self, sql: str, args: Row = ()) -> Row | None:
        """The first row, or None."""
        return self._execute(sql, args).fetchone()

    def all(self, sql: str, args: Row = ()) -> list[Row]:
        """Every row."""
        return self._execute(sql, args).fetchall()

    def run(self, sql: str, args: Row = ()) -> int:
        """A statement that gives no rows. Returns how many it changed."""
        self._execute(sql, args)
        return self._connection.changes()

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """The statement once per row."""
        self._connection.executemany(sql, rows)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction that is undone alone if it raises."""
        self._execute("SAVEPOINT command")
        try:
            yield
        except BaseException:
            # An error of the disk may have ended the transaction, and with it the savepoint.
            if self._connection.in_transaction:
                self._execute("ROLLBACK TO command")
            raise
        finally:
            if self._connection.in_transaction:
                self._execute("RELEASE command")

    def find_set(self, set_id: bytes) -> SetRow | None:
        """A set's row; in a transaction that writes there is no other writer."""
        found = self._execute(
            f"SELECT {COLUMNS} FROM sets WHERE set_id = ?", (set_id,)
        ).fetchone()
        return None if found is None else SetRow(*found)

    def make_set(self, set_id: bytes, record_hash: bytes) -> Key:
        """The row of a new set."""
        self._execute(
            "INSERT INTO sets (set_id, epoch, record_hash, seq, log_hash, held, version) VALUES (?, 0, ?, 0, ?, 0, 0)",
            (set_id, record_hash, record_hash),
        )
        return self._connection.last_insert_rowid()

    def due_sets(self, now: int) -> list[bytes]:
        """The ids of the sets whose day has come."""
        found: list[Row] = self._execute(
            "SELECT set_id FROM sets WHERE due > 0 AND due <= ? LIMIT 1000", (now,)
        ).fetchall()
        return [set_id for (set_id,) in found]
