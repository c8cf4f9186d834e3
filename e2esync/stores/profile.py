"""The profile store: one SQLite file with everything that a device knows, of all its books.

Encrypted page by page under a raw 32-byte key, or plain (`client.protection` decides). `book(n)` is the replica's
store of one contact set; besides, a profile has settings, the list of its books, and the quarantine: what an import
could not read, kept as it came.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from e2esync.errors import DiskFull, ProfileBusy
from e2esync.stores.database import MEMORY, Database, Row, blob, number, text
from e2esync.stores.index import NameIndex
from e2esync.stores.schema import BOOK_TABLES, migrate

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from e2esync.crypto.secret import Secret
    from e2esync.stores.book import BookStore


class BookInfo(NamedTuple):
    """A book of the profile. `set_id` is empty until the set exists; `relay` is the relay's URL."""

    number: int
    set_id: bytes
    name: str
    relay: str


class Quarantined(NamedTuple):
    """A card that could not be read: its bytes as they came, and why."""

    id: int
    source: str
    raw: bytes
    reason: str
    time: int


class ProfileStore:
    """An open profile database. Every method raises only ProfileDamaged, DiskFull, ProfileBusy, ProfileError."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._books: dict[int, BookStore] = {}

    @classmethod
    def create(cls, path: str | os.PathLike[str], key: Secret | None = None) -> ProfileStore:
        """Make the file (mode 0600; it must not exist), encrypted under a raw 32-byte key if one is given."""
        return cls._opened(Database.open(path, key, create=True), create=True)

    @classmethod
    def open(cls, path: str | os.PathLike[str], key: Secret | None = None) -> ProfileStore:
        """Open the file, and bring an older schema up to date.

        Raises WrongPassphrase if it does not open under `key`, ProfileDamaged if it is truncated or altered.
        """
        return cls._opened(Database.open(path, key), create=False)

    @classmethod
    def memory(cls) -> ProfileStore:
        """A store that is gone when it is closed: for tests and trials."""
        return cls._opened(Database.open(MEMORY, None, create=True), create=True)

    @classmethod
    def _opened(cls, database: Database, *, create: bool) -> ProfileStore:
        try:
            migrate(database, create=create)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Close the file; what readers would have to catch up with is done before, if it can be."""
        with suppress(ProfileBusy, DiskFull):
            self.settle()
        self._db.close()

    def settle(self) -> None:
        """Bring the index of names up to date: readers do so themselves, but they would have to wait for it."""
        for (book,) in self._db.all("SELECT DISTINCT book FROM stale"):
            self.names(book).catch_up()

    def __enter__(self) -> ProfileStore:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, over all books; nested ones are part of the outermost."""
        return self._db.transaction()

    def book(self, number: int = 0) -> BookStore:
        """The store of one contact set; it needs not be listed yet."""
        if number not in self._books:
            from e2esync.stores.book import BookStore

            self._books[number] = BookStore(self._db, number)
        return self._books[number]

    def names(self, number: int = 0) -> NameIndex:
        """The index of names of a book, to be read without importing what a replica needs."""
        return NameIndex(self._db, number)

    # Books.

    def books(self) -> list[BookInfo]:
        """The books of the profile, by number."""
        return [
            BookInfo(number(book), blob(set_id), text(name), text(relay))
            for book, set_id, name, relay in self._db.all("SELECT book, set_id, name, relay FROM books ORDER BY book")
        ]

    def put_book(self, info: BookInfo) -> None:
        """Add a book, or change what is known of it."""
        self._db.run("INSERT OR REPLACE INTO books(book, set_id, name, relay) VALUES(?, ?, ?, ?)", tuple(info))

    def delete_book(self, number: int) -> None:
        """Remove a book with everything in it. `purge` then takes it out of the files."""
        with self.transaction():
            for table in BOOK_TABLES:
                self._db.run(f"DELETE FROM {table} WHERE book = ?", (number,))
        self._books.pop(number, None)

    def renumber_book(self, number: int, to: int) -> None:
        """Give a book the number of another one, which is removed with everything in it. `purge` then takes it out."""
        with self.transaction():
            self.delete_book(to)
            for table in BOOK_TABLES:
                self._db.run(f"UPDATE {table} SET book = ? WHERE book = ?", (to, number))
        self._books.pop(number, None)

    # Settings.

    def setting(self, name: str) -> bytes | None:
        """A value that is the profile's as a whole."""
        row = self._db.one("SELECT value FROM settings WHERE name = ?", (name,))
        return None if row is None else blob(row[0])

    def put_setting(self, name: str, value: bytes) -> None:
        self._db.run("INSERT OR REPLACE INTO settings(name, value) VALUES(?, ?)", (name, value))

    def drop_setting(self, name: str) -> None:
        self._db.run("DELETE FROM settings WHERE name = ?", (name,))

    def settings(self) -> dict[str, bytes]:
        """All of them, by name."""
        return {text(name): blob(value) for name, value in self._db.all("SELECT name, value FROM settings")}

    # Quarantine.

    def quarantine(self, source: str, raw: bytes, reason: str, now: int) -> int:
        """Keep a card that could not be read; `now` in ms. Gives its number."""
        with self.transaction():
            self._db.run(
                "INSERT INTO quarantine(source, raw, reason, time) VALUES(?, ?, ?, ?)",
                (source.encode("utf-8", "replace").decode(), raw, reason.encode("utf-8", "replace").decode(), now),
            )
            return self._db.last_id()

    def quarantined(self) -> Iterator[Quarantined]:
        """What is kept, oldest first, one at a time."""
        for (key,) in self._db.all("SELECT id FROM quarantine ORDER BY id"):
            row = self._db.one("SELECT id, source, raw, reason, time FROM quarantine WHERE id = ?", (key,))
            if row is not None:
                yield _quarantined(row)

    def delete_quarantined(self, *ids: int) -> None:
        self._db.many("DELETE FROM quarantine WHERE id = ?", [(each,) for each in ids])

    # The file.

    def changes(self) -> int:
        """A number that is another one after a different process, or connection, has changed anything."""
        row = self._db.one("SELECT data_version FROM pragma_data_version")
        return 0 if row is None else number(row[0])

    def purge(self) -> bool:
        """Take what was deleted out of the files (secure_delete has overwritten it; this empties the log).

        False if another process reads just now: then it happens when the last one closes the profile.
        """
        return self._db.checkpoint()


def _quarantined(row: Row) -> Quarantined:
    key, source, raw, reason, time = row
    return Quarantined(number(key), text(source), blob(raw), text(reason), number(time))
