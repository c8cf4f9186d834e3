"""Rows in PostgreSQL, the errors of its driver as ours, and how a relay's database is named.

    postgresql://user:password@host/database?batch=set&notify=poll

`batch=set`: no statement touches more than one set's key, for Citus and YugabyteDB. `notify=poll`: look every half
second for what others did, where there is no LISTEN. All else of the name is libpq's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import psycopg

from e2esync.errors import DiskFull, E2esyncError, ProfileDamaged, Unreachable
from e2esync.stores.relay_rows import COLUMNS, Key, Row, SetRow

_CONNECT_TIMEOUT: Final = 10
_FULL: Final = (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory)


@dataclass(frozen=True, slots=True)
class Place:
    """A relay's database. `dsn` is libpq's name for it, with a password in it perhaps: not for people's eyes."""

    dsn: str
    by_set: bool
    polls: bool

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A connection, in autocommit mode. Raises Unreachable."""
        with translated():
            connection: psycopg.Connection[Any] = psycopg.connect(
                self.dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT, **options
            )
            if connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
                # An acknowledgement is a promise.
                connection.execute("SET synchronous_commit = on")
        return connection


def parse_place(url: str) -> Place:
    """The database that a name stands for. Raises Unreachable for options that are none."""
    name, _, query = url.partition("?")
    options = dict(parse_qsl(query))
    batch, notify = options.pop("batch", "all"), options.pop("notify", "listen")
    if batch not in ("all", "set") or notify not in ("listen", "poll"):
        raise Unreachable("the database's name has an unknown batch or notify", "batch=all|set, notify=listen|poll")
    # libpq takes a plus as a plus, not as a space.
    rest = urlencode(options, quote_via=quote)
    return Place(f"{name}?{rest}" if rest else name, batch == "set", notify == "poll")


@contextmanager
def translated() -> Iterator[None]:
    """Raises what an error of the database means to the person who runs the relay."""
    try:
        yield
    except psycopg.Error as error:
        raise _meaning(error) from error


def _meaning(error: psycopg.Error) -> E2esyncError:
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    if isinstance(error, _FULL):
        return DiskFull("the database has no room", "free some space; nothing that was acknowledged is lost")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unreachable(f"the relay's database does not answer: {reason}", "check that it runs and lets it in")
    return ProfileDamaged(f"the database does not work as a relay's: {reason}", "check it, or restore a backup")


@contextmanager
def snapshot(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction that sees the database as it was at one moment: for what is put together from several statements.

    What it finds may be old when it is used; the version says so then.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


@lru_cache(maxsize=256)
def dialect(sql: str) -> str:
    """A statement as the driver takes it."""
    return sql.replace("%", "%%").replace("?", "%s")


class PostgresRows:
    """Rows in PostgreSQL, on one connection. `locking`: what is found of a set, nobody else changes meanwhile."""

    __slots__ = ("_cursor", "_find", "connection")

    def __init__(self, connection: psycopg.Connection[Any], *, locking: bool) -> None:
        self.connection = connection
        self._cursor = connection.cursor(binary=True)
        self._find = (
            f"SELECT {COLUMNS} FROM sets WHERE owner = %s"
            + (" FOR UPDATE" if locking else "")
        )

    def one(self, sql: str, args: Row = ()) -> Row | None:
        """The first row, or None."""
        found: Row | None = self._cursor.execute(dialect(sql), args).fetchone()
        return found

    def all(self, sql: str, args: Row = ()) -> list[Row]:
        """Every row."""
        return self._cursor.execute(dialect(sql), args).fetchall()

    def run(self, sql: str, args: Row = ()) -> int:
        """A statement that gives no rows. Returns how many it changed."""
        return self._cursor.execute(dialect(sql), args).rowcount

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """The statement once per row."""
        self._cursor.executemany(dialect(sql), list(rows))

    def savepoint(self) -> AbstractContextManager[Any]:
        """A part of the transaction that is undone alone if it raises."""
        return self.connection.transaction()

    def find_set(self, set_id: bytes) -> SetRow | None:
        """A set's row."""
        found = self._cursor.execute(self._find, (set_id,)).fetchone()
        return None if found is None else SetRow(*found)

    def make_set(self, set_id: bytes, record_hash: bytes) -> Key:
        """The row of a new set."""
        self._cursor.execute(
            "INSERT INTO sets (owner, epoch, record_hash, seq, log_hash, held, version) "
            "VALUES (%s, 0, %s, 0, %s, 0, 0)",
            (set_id, record_hash, record_hash),
        )
        return set_id

    def due_sets(self, now: int) -> list[bytes]:
        """The ids of the sets whose day has come."""
        found = self._cursor.execute("SELECT owner FROM sets WHERE due > 0 AND due <= %s LIMIT 1000", (now,))
        return [owner for (owner,) in found.fetchall()]
