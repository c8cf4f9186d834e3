"""A relay's PostgreSQL database as something to copy from and to (`relay_migrate`).

Every relay process holds a shared advisory lock for as long as it runs; who has the exclusive one knows that none does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from e2esync.stores.postgres_rows import PostgresRows, parse_place, snapshot, translated
from e2esync.stores.postgres_schema import IN_USE, hang_up, set_up
from e2esync.stores.relay_rows import Key, Rows


class PostgresDepot:
    """A relay's database."""

    def __init__(self, url: str) -> None:
        self._connection = parse_place(url).connect()
        with translated():
            self._identity = set_up(self._connection, os.urandom)

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        """Rows within one transaction, which sees one moment."""
        with translated(), snapshot(self._connection):
            yield PostgresRows(self._connection, locking=False)

    def sets(self) -> dict[bytes, tuple[Key, int]]:
        """Every set: its key and version."""
        with translated():
            found = self._connection.execute("SELECT owner, version FROM sets").fetchall()
        return {bytes(owner): (bytes(owner), version) for owner, version in found}

    def identity(self) -> tuple[bytes, int]:
        """The relay's key and incarnation."""
        return self._identity.key.seed.reveal(), self._identity.incarnation

    def become(self, key: bytes, incarnation: int) -> None:
        """Takes over another relay's key and incarnation."""
        with self.transaction() as rows:
            rows.run("UPDATE meta SET value = ? WHERE name = 'key'", (key,))
            rows.run("UPDATE meta SET value = ? WHERE name = 'incarnation'", (incarnation.to_bytes(6, "big"),))
        with translated():
            self._identity = set_up(self._connection, os.urandom)

    def hold(self) -> bool:
        """The lock that every relay process shares while it runs."""
        with translated():
            return self._connection.execute("SELECT pg_try_advisory_lock(%s)", (IN_USE,)).fetchone() == (True,)

    def mark_moved(self) -> None:
        """No relay shall run on this database any more."""
        with self.transaction() as rows:
            rows.run("INSERT INTO meta (name, value) VALUES ('moved', ?) ON CONFLICT DO NOTHING", (b"\1",))

    def close(self) -> None:
        """Lets go of it."""
        hang_up(self._connection)
