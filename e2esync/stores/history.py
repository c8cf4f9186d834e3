"""The local history of a book: steps, and what each contact that they changed was before (`replica.history`).

Never sent to anybody. Kept as long as the setting `keep-history` says (30 days unless a person chose otherwise).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from e2esync.limits import HORIZON_AGE
from e2esync.stores.database import Database, Row, blob, number, text
from e2esync.wire import decode, decode_checked, encode

RETENTION: Final = "keep-history"
"""The profile's setting: how long a step is kept, in ms."""

_STEP: Final = """
    SELECT number, name, author, time, undone,
      (SELECT count(DISTINCT contact) FROM history WHERE history.step = steps.number) FROM steps WHERE book = ?1 """
_CHANGE: Final = "SELECT number, step, contact, before FROM history WHERE book = ? "
_LATER: Final = """
    SELECT history.number, step, contact, before FROM history JOIN steps ON steps.number = history.step
    WHERE history.book = ? AND steps.time > ? ORDER BY history.number DESC"""
_GONE: Final = """
    SELECT history.number, step, history.contact, before FROM history
    JOIN (SELECT max(number) AS newest FROM history WHERE book = ?1 GROUP BY contact) ON newest = history.number
    LEFT JOIN cards ON cards.book = ?1 AND cards.contact = history.contact
    WHERE cards.contact IS NULL AND before <> x'' ORDER BY history.number DESC"""


class StepRow(NamedTuple):
    """A step. `name` is empty for one that came from another device; `undone` is the step that undid it, or 0."""

    number: int
    name: str
    author: int
    time: int
    """When this device did it, or received it; ms."""
    undone: int
    contacts: int
    """How many it changed."""


class ChangeRow(NamedTuple):
    """What a step found in a contact; see `replica.history.read_before`. Later changes have higher numbers."""

    number: int
    step: int
    contact: bytes
    before: bytes


class History:
    """The steps of one book."""

    def __init__(self, database: Database, book: int) -> None:
        self._db = database
        self._book = book

    def begin_step(self, name: str, author: int, time: int) -> int:
        """A new step; returns its number."""
        self._db.run(
            "INSERT INTO steps(book, name, author, time, undone) VALUES(?, ?, ?, ?, 0)",
            (self._book, name.encode("utf-8", "replace").decode(), author, time),
        )
        return self._db.last_id()

    def add(self, step: int, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Add (contact, before) to a step."""
        self._db.many("INSERT INTO history(book, step, contact, before) VALUES(?, ?, ?, ?)",
                      ((self._book, step, contact, before) for contact, before in rows))

    def steps(self, since: int = 0, contact: bytes | None = None) -> list[StepRow]:
        """The steps from a time on, of a contact or all, newest first."""
        query, values = _STEP + "AND time >= ?2 ", (self._book, since)
        if contact is not None:
            query += "AND number IN (SELECT step FROM history WHERE book = ?1 AND contact = ?3) "
            values += (contact,)  # type: ignore[assignment]
        return [_step(row) for row in self._db.all(query + "ORDER BY number DESC", values)]

    def step(self, wanted: int) -> StepRow | None:
        """A step by its number."""
        row = self._db.one(_STEP + "AND number = ?2", (self._book, wanted))
        return None if row is None else _step(row)

    def of_step(self, step: int) -> list[ChangeRow]:
        """What a step changed, in the order in which it did."""
        return self._changes(_CHANGE + "AND step = ? ORDER BY number", (self._book, step))

    def of_contact(self, contact: bytes) -> list[ChangeRow]:
        """Every change of a contact, oldest first."""
        return self._changes(_CHANGE + "AND contact = ? ORDER BY number", (self._book, contact))

    def after(self, wanted: int) -> list[ChangeRow]:
        """Every change with a higher number, oldest first."""
        return self._changes(_CHANGE + "AND number > ? ORDER BY number", (self._book, wanted))

    def later(self, time: int) -> list[ChangeRow]:
        """Every change after a time (ms), newest first."""
        return self._changes(_LATER, (self._book, time))

    def gone(self) -> list[ChangeRow]:
        """The last change of each contact that is shown no more: its `before` is the contact as it was."""
        return self._changes(_GONE, (self._book,))

    def mark_undone(self, step: int, by: int) -> None:
        """Note which step undid this one; 0 for none."""
        self._db.run("UPDATE steps SET undone = ? WHERE book = ? AND number = ?", (by, self._book, step))

    def undone_by(self, step: int) -> StepRow | None:
        """The step that this one undid, if it undid one."""
        row = self._db.one(_STEP + "AND undone = ?2", (self._book, step))
        return None if row is None else _step(row)

    def forget(self, contacts: Iterable[bytes]) -> None:
        """Drop everything that is known of how contacts were."""
        with self._db.transaction():
            self._db.many("DELETE FROM history WHERE book = ? AND contact = ?",
                          ((self._book, contact) for contact in contacts))
            self._drop_empty()

    def retention(self) -> int:
        """How long a step is kept, in ms."""
        row = self._db.one("SELECT value FROM settings WHERE name = ?", (RETENTION,))
        return HORIZON_AGE if row is None else int(decode(blob(row[0])))

    def reaches(self) -> int:
        """From when on (ms) this device knows how the book was; 0 if from its beginning on."""
        row = self._db.one("SELECT value FROM named WHERE book = ? AND name = 'history'", (self._book,))
        return 0 if row is None else int(decode(blob(row[0])))

    def purge(self, now: int) -> None:
        """Drop the steps that are older than the retention."""
        before, reach = now - self.retention(), self.reaches()
        if reach < before:
            # Whoever has just arrived knows nothing of the days before.
            self._db.run("INSERT OR REPLACE INTO named(book, name, value) VALUES(?, 'history', ?)",
                         (self._book, encode(before if reach else now)))
        if self._db.one("SELECT 1 FROM steps WHERE book = ? AND time < ? LIMIT 1", (self._book, before)) is None:
            return
        with self._db.transaction():
            self._db.run("DELETE FROM history WHERE step IN (SELECT number FROM steps WHERE book = ? AND time < ?)",
                         (self._book, before))
            self._drop_empty()

    def clear(self) -> None:
        """Drop everything: the history begins anew with the next sync."""
        with self._db.transaction():
            for table in ("history", "steps"):
                self._db.run(f"DELETE FROM {table} WHERE book = ?", (self._book,))
            self._db.run("DELETE FROM named WHERE book = ? AND name = 'history'", (self._book,))

    def uids(self) -> set[str]:
        """The uids of contacts that were deleted, or got another."""
        rows = self._db.all("SELECT before FROM history WHERE book = ? AND before <> x''", (self._book,))
        values = (value for (raw,) in rows for value in decode_checked(blob(raw)).get("uid", ()))
        return {value for value in values if isinstance(value, str)}

    def all_changes(self) -> Iterator[tuple[StepRow, list[ChangeRow]]]:
        """Every step with what it changed, oldest first: for a backup."""
        for step in reversed(self.steps()):
            yield step, self.of_step(step.number)

    def _drop_empty(self) -> None:
        self._db.run("DELETE FROM steps WHERE book = ? AND number NOT IN (SELECT step FROM history WHERE book = ?)",
                     (self._book, self._book))

    def _changes(self, query: str, values: Row) -> list[ChangeRow]:
        return [ChangeRow(number(key), number(step), blob(contact), blob(before))
                for key, step, contact, before in self._db.all(query, values)]


def _step(row: Row) -> StepRow:
    key, name, author, time, undone, contacts = row
    return StepRow(number(key), text(name), number(author), number(time), number(undone), number(contacts))
