"""Moving a relay's data from one engine to another (`e2esync relay migrate`): key, incarnation, sets and mailboxes.

Most is copied while the relay goes on running. Then it is stopped; what has changed since, which versions tell, is
copied again, and the old store is marked as moved: a relay that went on there would sign a second history. The relay
started on the new store has the same key and the same incarnation, so that devices notice a reconnect and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import apsw

from e2esync.errors import ProfileBusy, ProfileDamaged, Unreachable
from e2esync.stores.relay_deletion import CONTENT
from e2esync.stores.relay_engine import POSTGRES_SCHEMES, plugged_engine
from e2esync.stores.relay_rows import Key, Row, Rows, SqliteRows
from e2esync.stores.relay_schema import FileLock, open_writer, storage_error

SET_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "records": ("epoch", "opened", "closed", "record", "box_list"),
    "boxes": ("epoch", "member", "device", "box"),
    "envelopes": ("epoch", "seq", "member", "time", "hash", "log_hash", "envelope"),
    "blobs": ("blob", "size", "received", "state", "since", "epoch", "seq"),
    "parts": ("blob", "start", "bytes"),
    "slots": ("member", "announcement", "heartbeat", "time", "version", "announced"),
    "openings": ("member", "due"),
    "seeding": ("record_hash", "epoch", "waits"),
}
"""What belongs to one set, by its `owner`."""

OTHER_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "kits": ("verify_key", "set_id", "member", "root", "since"),
    "invitations": ("invitation", "expires"),
    "mailboxes": ("mailbox", "born", "token0", "token1"),
    "mail": ("mailbox", "n", "message"),
}
"""Small, and copied whole when the relay stands still."""

_STATE: Final = ("epoch", "record_hash", "seq", "log_hash", "held", "version", "holds", "deletion", "due", "gone")
_PIECE: Final = 64


class Depot(Protocol):
    """A store as something to copy from and to."""

    def transaction(self) -> AbstractContextManager[Rows]:
        """Rows within one transaction: a view of one moment, or a change that happens whole."""
        ...

    def sets(self) -> dict[bytes, tuple[Key, int]]:
        """Every set: its key and version."""
        ...

    def identity(self) -> tuple[bytes, int]:
        """The relay's key and incarnation."""
        ...

    def become(self, key: bytes, incarnation: int) -> None:
        """Takes over another relay's key and incarnation."""

    def hold(self) -> bool:
        """Keeps relays from running on this store, from now until `close`; False if one does."""
        ...

    def mark_moved(self) -> None:
        """No relay shall run on this store any more."""

    def close(self) -> None:
        """Lets go of it."""


def migrate(source: Depot, target: Depot, wait: Callable[[int], None]) -> int:
    """Moves everything. `wait(copied)` is called while a relay still runs on the source: it returns to look again.

    Returns how many sets were moved. Raises ProfileBusy if the target is in use or is not empty, and what either store
    raises; then nothing has happened to the source, and the same call goes on where it stood.
    """
    if not target.hold():
        raise ProfileBusy("a relay runs on the new store", "stop it; it is started again when everything is there")
    _claim(source, target)
    held = source.hold()
    copied = copy_changed(source, target)
    while not held:
        wait(copied)
        held = source.hold()
    copied += copy_changed(source, target)
    copy_rest(source, target)
    source.mark_moved()
    return len(target.sets())


def _claim(source: Depot, target: Depot) -> None:
    key, incarnation = source.identity()
    if target.sets() and target.identity() != (key, incarnation):
        raise ProfileBusy("the new store holds another relay's sets", "name an empty one")
    target.become(key, incarnation)


def copy_changed(source: Depot, target: Depot) -> int:
    """Copies the sets whose versions differ, and drops those that are gone. Returns how many were copied."""
    there = {set_id: version for set_id, (_, version) in target.sets().items()}
    here = source.sets()
    changed = [set_id for set_id, (_, version) in here.items() if there.get(set_id) != version]
    for set_id in changed:
        with source.transaction() as old, target.transaction() as new:
            _copy_set(old, new, set_id)
    for set_id in there.keys() - here.keys():
        with target.transaction() as new:
            drop_set(new, set_id)
    return len(changed)


def _copy_set(old: Rows, new: Rows, set_id: bytes) -> None:
    drop_set(new, set_id)
    found = old.find_set(set_id)
    if found is None:
        return
    key = new.make_set(set_id, found.record_hash)
    new.run(f"UPDATE sets SET {', '.join(f'{name} = ?' for name in _STATE)} WHERE owner = ?", (*found[1:], key))
    for table, columns in SET_TABLES.items():
        if found.gone and table in CONTENT:
            # Deleted here, and not all erased yet: it is not copied any more.
            continue
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        for piece in rows_in_pieces(old, table, columns, found.key):
            new.many(f"INSERT INTO {table} (owner, {names}) VALUES (?, {marks})", [(key, *row) for row in piece])


def rows_in_pieces(rows: Rows, table: str, columns: tuple[str, ...], key: Key) -> Iterator[list[Row]]:
    """A set's rows of one table, a few at a time: a set may be larger than the memory."""
    # The first columns are the rest of the primary key.
    order = columns[:2] if table in ("boxes", "envelopes", "parts") else columns[:1]
    last: Row = ()
    while True:
        behind = f"AND ({', '.join(order)}) > ({', '.join('?' * len(order))})" if last else ""
        piece = rows.all(
            f"SELECT {', '.join(columns)} FROM {table} WHERE owner = ? {behind} ORDER BY {', '.join(order)} LIMIT ?",
            (key, *last, _PIECE),
        )
        if not piece:
            return
        yield piece
        last = piece[-1][: len(order)]


def drop_set(rows: Rows, set_id: bytes) -> None:
    """Removes a set, with everything that is its own."""
    found = rows.find_set(set_id)
    if found is not None:
        for table in (*SET_TABLES, "erasing", "sets"):
            rows.run(f"DELETE FROM {table} WHERE owner = ?", (found.key,))


def copy_rest(source: Depot, target: Depot) -> None:
    """Copies what belongs to no single set."""
    with source.transaction() as old, target.transaction() as new:
        for table, columns in OTHER_TABLES.items():
            new.run(f"DELETE FROM {table}")
            rows = old.all(f"SELECT {', '.join(columns)} FROM {table}")
            new.many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)


class SqliteDepot:
    """A relay's SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: FileLock | None = None
        self._connection = open_writer(path)

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        """Rows within one transaction."""
        try:
            with self._connection:
                yield SqliteRows(self._connection)
        except apsw.Error as error:
            raise storage_error(error, self._path) from error

    def sets(self) -> dict[bytes, tuple[Key, int]]:
        """Every set: its key and version."""
        found: list[Row] = self._connection.execute("SELECT set_id, owner, version FROM sets").fetchall()
        return {set_id: (owner, version) for set_id, owner, version in found}

    def identity(self) -> tuple[bytes, int]:
        """The relay's key and incarnation. Raises ProfileDamaged for a file that no relay has used."""
        stored: dict[str, Any] = dict(self._connection.execute("SELECT name, value FROM meta"))
        if "key" not in stored:
            raise ProfileDamaged(f"no relay has used {self._path} yet", "check the name")
        return stored["key"], stored["incarnation"]

    def become(self, key: bytes, incarnation: int) -> None:
        """Takes over another relay's key and incarnation."""
        with self.transaction() as rows:
            rows.run("DELETE FROM meta")
            rows.many("INSERT INTO meta VALUES (?, ?)", [("key", key), ("incarnation", incarnation)])

    def hold(self) -> bool:
        """The lock that a relay holds while it runs."""
        try:
            self._lock = self._lock or FileLock(self._path)
        except ProfileBusy:
            return False
        return True

    def mark_moved(self) -> None:
        """No relay shall run on this file any more."""
        with self.transaction() as rows:
            rows.run("INSERT INTO meta VALUES ('moved', 1) ON CONFLICT DO NOTHING")

    def close(self) -> None:
        """Lets go of it."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()


def open_depot(url: str) -> Depot:
    """The store that a name stands for. Raises Unreachable for one whose rows only its own tools can read."""
    if url.startswith(POSTGRES_SCHEMES):
        from e2esync.stores.postgres_depot import PostgresDepot

        return PostgresDepot(url)
    if plugged_engine(url) is not None:
        raise Unreachable("what is stored there only that engine's own tools can read", "serve and check-engine use it")
    return SqliteDepot(Path(url))
