"""The files that a book keeps a copy of itself in: what each said when book and folder last agreed (`client.vdir`).

Invariants: local, never sent; a row that announces the next content of a file (`next`) was committed before the file
was renamed into place, and is settled before anything else is done with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2esync.stores.database import Database, Row, blob, text

_COLUMNS: Final = "name, contact, stamp, hash, shown, base, next"


class CopyRow(NamedTuple):
    """A file that both sides have agreed on."""

    name: str
    contact: bytes
    stamp: bytes
    """Size, time and number of the file; empty where only its content can tell whether it is the same."""
    hash: bytes
    """Of the file's content."""
    shown: bytes
    """A hash of what the book showed of the contact."""
    base: bytes
    """An encoded `card.copies.Base`; empty once the contact was forgotten."""
    next: bytes
    """What is about to be written, encoded; empty for nothing."""


class Copies:
    """The rows of one book."""

    def __init__(self, database: Database, book: int) -> None:
        self._db = database
        self._book = book

    def of_folder(self, folder: str) -> list[CopyRow]:
        """All rows of a folder, by name."""
        rows = self._db.all(f"SELECT {_COLUMNS} FROM copies WHERE book = ? AND folder = ? ORDER BY name",
                            (self._book, folder))
        return [_copy(row) for row in rows]

    def put(self, folder: str, rows: Iterable[CopyRow]) -> None:
        """Add rows, or replace those of the same name."""
        self._db.many(
            f"INSERT OR REPLACE INTO copies(book, folder, {_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(self._book, folder, *row) for row in rows],
        )

    def drop(self, folder: str, names: Iterable[str]) -> None:
        """Forget files."""
        self._db.many("DELETE FROM copies WHERE book = ? AND folder = ? AND name = ?",
                      [(self._book, folder, name) for name in names])

    def forget(self) -> None:
        """Keep of contacts that are gone nothing but the hash of their file."""
        self._db.run(
            "UPDATE copies SET base = x'', next = x'' WHERE book = ?1 AND contact NOT IN"
            " (SELECT contact FROM contacts WHERE book = ?1 AND state <> x'')", (self._book,))


def _copy(row: Row) -> CopyRow:
    name, *blobs = row
    contact, stamp, hashed, shown, base, following = map(blob, blobs)
    return CopyRow(text(name), contact, stamp, hashed, shown, base, following)
