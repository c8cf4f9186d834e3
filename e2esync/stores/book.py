"""One contact set's rows in a profile: the reference `replica.port.ReplicaStore` (SPEC 14).

`state.SharedState` holds what all members share; here stand this device's own writes on their way out, what is laid
over the shared state until they land, and what is kept for undo.
"""

from __future__ import annotations

from collections.abc import Iterable

from e2esync.replica.port import KeptRow, OutboxRow, PendingRow
from e2esync.stores.copies import Copies
from e2esync.stores.database import Database, Row, blob, number, text
from e2esync.stores.history import History
from e2esync.stores.index import CardRow, NameIndex
from e2esync.stores.state import SharedState, batches

_PENDING = "SELECT number, op, contact, context FROM pending WHERE book = ? "
_OUTBOX = "SELECT outbox.counter, entry, envelope, seq FROM outbox WHERE outbox.book = ? "


_BLOBS = "blobs/"
_WITH_MEDIA = """
    SELECT coalesce(overlay.state, contacts.state) FROM contacts
    LEFT JOIN overlay ON overlay.book = contacts.book AND overlay.contact = contacts.contact
    WHERE contacts.book = ?1 AND instr(contacts.state, ?2) AND length(coalesce(overlay.state, contacts.state)) > 0
    UNION ALL SELECT state FROM overlay WHERE book = ?1 AND instr(state, ?2)"""


class BookStore(SharedState):
    """A book of a profile, by its number. Any number of them share the profile's transactions."""

    def __init__(self, database: Database, book: int) -> None:
        super().__init__(database, book)
        self._names = NameIndex(database, book)
        self.history = History(database, book)
        self.copies = Copies(database, book)

    # Own writes that are in no entry yet.

    def add_pending(self, op: bytes, contact: bytes, context: bytes) -> int:
        self._db.run(
            "INSERT INTO pending(book, op, contact, context) VALUES(?, ?, ?, ?)", (self._book, op, contact, context)
        )
        return self._db.last_id()

    def pending(self) -> list[PendingRow]:
        return [_pending(row) for row in self._db.all(_PENDING + "ORDER BY number", (self._book,))]

    def pending_of(self, contact: bytes) -> list[PendingRow]:
        rows = self._db.all(_PENDING + "AND contact = ? ORDER BY number", (self._book, contact))
        return [_pending(row) for row in rows]

    def delete_pending(self, up_to: int) -> None:
        self._db.run("DELETE FROM pending WHERE book = ? AND number <= ?", (self._book, up_to))

    # Own entries that no snapshot covers yet.

    def add_outbox(self, row: OutboxRow, contacts: Iterable[bytes]) -> None:
        with self.transaction():
            self._db.run(
                "INSERT INTO outbox(book, counter, entry, envelope, seq) VALUES(?, ?, ?, ?, ?)",
                (self._book, row.counter, row.entry, row.envelope, row.seq),
            )
            self._db.many(
                "INSERT OR IGNORE INTO outbox_contacts(book, contact, counter) VALUES(?, ?, ?)",
                ((self._book, contact, row.counter) for contact in contacts),
            )

    def outbox(self) -> list[OutboxRow]:
        return [_outbox(row) for row in self._db.all(_OUTBOX + "ORDER BY counter", (self._book,))]

    def outbox_row(self, counter: int) -> OutboxRow | None:
        row = self._db.one(_OUTBOX + "AND outbox.counter = ?", (self._book, counter))
        return None if row is None else _outbox(row)

    def unsent(self) -> list[OutboxRow]:
        return [_outbox(row) for row in self._db.all(_OUTBOX + "AND seq = 0 ORDER BY counter", (self._book,))]

    def outbox_of(self, contact: bytes) -> list[OutboxRow]:
        rows = self._db.all(
            "SELECT outbox.counter, entry, envelope, seq FROM outbox_contacts JOIN outbox USING(book, counter)"
            " WHERE outbox_contacts.book = ? AND contact = ? ORDER BY outbox.counter",
            (self._book, contact),
        )
        return [_outbox(row) for row in rows]

    def outbox_contacts(self, counter: int) -> list[bytes]:
        rows = self._db.all(
            "SELECT contact FROM outbox_contacts WHERE book = ? AND counter = ? ORDER BY contact", (self._book, counter)
        )
        return [blob(row[0]) for row in rows]

    def update_outbox(self, row: OutboxRow) -> None:
        self._db.run(
            "UPDATE outbox SET entry = ?, envelope = ?, seq = ? WHERE book = ? AND counter = ?",
            (row.entry, row.envelope, row.seq, self._book, row.counter),
        )

    def delete_outbox(self, up_to: int) -> None:
        with self.transaction():
            for table in ("outbox", "outbox_contacts"):
                self._db.run(f"DELETE FROM {table} WHERE book = ? AND counter <= ?", (self._book, up_to))
            # Blobs of counter 0 belong to an opening, not to an entry.
            self._db.run("DELETE FROM uploads WHERE book = ? AND counter BETWEEN 1 AND ?", (self._book, up_to))

    # Blobs that wait for upload.

    def add_upload(self, blob_id: bytes, blob: bytes, counter: int) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO uploads(book, counter, blob_id, blob) VALUES(?, ?, ?, ?)",
            (self._book, counter, blob_id, blob),
        )

    def uploads(self, counter: int) -> list[bytes]:
        """The ids of the blobs, in the order in which they were added."""
        rows = self._db.all(
            "SELECT blob_id FROM uploads WHERE book = ? AND counter = ? ORDER BY number", (self._book, counter)
        )
        return [blob(row[0]) for row in rows]

    def upload(self, blob_id: bytes) -> bytes | None:
        row = self._db.one("SELECT blob FROM uploads WHERE book = ? AND blob_id = ?", (self._book, blob_id))
        return None if row is None else blob(row[0])

    def delete_uploads(self, counter: int) -> None:
        self._db.run("DELETE FROM uploads WHERE book = ? AND counter = ?", (self._book, counter))

    # What people see.

    def overlay(self, contact: bytes) -> bytes | None:
        row = self._db.one("SELECT state FROM overlay WHERE book = ? AND contact = ?", (self._book, contact))
        return None if row is None else blob(row[0])

    def put_overlay(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        with self.transaction():
            for batch in batches(rows):
                batch.sort(key=_first)
                self._db.many(
                    "INSERT OR REPLACE INTO overlay(book, contact, state) VALUES(?, ?, ?)",
                    [(self._book, contact, state) for contact, state in batch],
                )

    def delete_overlay(self, contacts: Iterable[bytes]) -> None:
        self._db.many(
            "DELETE FROM overlay WHERE book = ? AND contact = ?", ((self._book, contact) for contact in contacts)
        )

    def overlaid(self) -> list[bytes]:
        rows = self._db.all("SELECT contact FROM overlay WHERE book = ? ORDER BY contact", (self._book,))
        return [blob(row[0]) for row in rows]

    def clear_overlay(self) -> dict[bytes, bytes]:
        with self.transaction():
            rows = self._db.all(
                "SELECT overlay.contact, overlay.state FROM overlay LEFT JOIN contacts USING(book, contact)"
                " WHERE overlay.book = ? AND overlay.state IS NOT contacts.state ORDER BY overlay.contact",
                (self._book,),
            )
            self._db.run("DELETE FROM overlay WHERE book = ?", (self._book,))
        return {blob(contact): blob(state) for contact, state in rows}

    def mark_shown(self, contacts: Iterable[bytes]) -> None:
        self._names.mark(contacts)

    def cards(self, query: str | None = None) -> list[CardRow]:
        """The index of names (`NameIndex.cards`)."""
        return self._names.cards(query)

    def find(self, selector: str) -> list[CardRow]:
        """The contacts that a selector names (`NameIndex.find`)."""
        return self._names.find(selector)

    # Media, and the local history.

    def media(self, digest: str) -> bytes | None:
        row = self._db.one("SELECT content FROM media WHERE book = ? AND digest = ?", (self._book, digest))
        return None if row is None else blob(row[0])

    def put_media(self, digest: str, content: bytes) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO media(book, digest, content) VALUES(?, ?, ?)", (self._book, digest, content)
        )

    def missing_media(self) -> list[tuple[str, bytes]]:
        """(digest, encoded place) of shown media that are not here (SPEC 11.6)."""
        here = set(self.media_digests())
        return sorted((digest, place) for digest, place in self._media_places().items() if digest not in here)

    def media_places(self) -> list[tuple[str, bytes, bytes]]:
        """(digest, contact, encoded place) of all media that shown contacts name."""
        from e2esync.contactset import view
        from e2esync.wire import encode

        rows = self._db.all(
            "SELECT contact, coalesce(overlay.state, contacts.state) FROM contacts"
            " LEFT JOIN overlay USING(book, contact) WHERE contacts.book = ? AND instr(contacts.state, ?)"
            " ORDER BY contact", (self._book, _BLOBS.encode()))
        shown = ((blob(contact), view(blob(state)) if state else None) for contact, state in rows)
        return [(path.removeprefix(_BLOBS), contact, encode(place)) for contact, seen in shown if seen
                for path, place in seen.registers.items() if path.startswith(_BLOBS)]

    def _media_places(self) -> dict[str, bytes]:
        """Digest → encoded place, of all media that a shown contact names."""
        from e2esync.contactset import view
        from e2esync.wire import encode

        # Only contacts that name a place of media at all are worth unpacking.
        places: dict[str, bytes] = {}
        for (state,) in self._db.all(_WITH_MEDIA, (self._book, _BLOBS.encode())):
            shown = view(blob(state))
            for path, place in (shown.registers if shown else {}).items():
                digest = path.removeprefix(_BLOBS)
                if path != digest:
                    places[digest] = encode(place)
        return places

    def media_digests(self) -> list[str]:
        """What `media` has, ascending."""
        rows = self._db.all("SELECT digest FROM media WHERE book = ? ORDER BY digest", (self._book,))
        return [text(row[0]) for row in rows]

    def names_media(self, digest: str, but: bytes) -> bool:
        """Whether a shown contact, or the history of one, names this photo; `but`: another one than this."""
        self._names.catch_up()
        shown = "contact IN (SELECT contact FROM cards WHERE book = ?1)"
        row = self._db.one(
            f"SELECT 1 FROM contacts WHERE book = ?1 AND contact <> ?3 AND {shown} AND instr(state, ?2) UNION ALL"
            f" SELECT 1 FROM overlay WHERE book = ?1 AND contact <> ?3 AND {shown} AND instr(state, ?2) UNION ALL"
            " SELECT 1 FROM history WHERE book = ?1 AND contact <> ?3 AND instr(before, ?2) LIMIT 1",
            (self._book, (_BLOBS + digest).encode(), but),
        )
        return row is not None

    def delete_media(self, digests: Iterable[str]) -> None:
        """Drop media that no card names any more."""
        self._db.many("DELETE FROM media WHERE book = ? AND digest = ?", ((self._book, each) for each in digests))

    def begin_step(self, name: str, author: int, time: int) -> int:
        return self.history.begin_step(name, author, time)

    def add_changes(self, step: int, rows: Iterable[tuple[bytes, bytes]]) -> None:
        self.history.add(step, rows)

    def purge_history(self, now: int) -> None:
        self.history.purge(now)

    def forget(self) -> None:
        """Drop what is kept for undo, media that no contact names, and set-aside cards of contacts that are gone."""
        with self.transaction():
            self._forget_quarantined()
            self.history.clear()
            self.copies.forget()
            self.drop_unnamed_media()

    def drop_unnamed_media(self) -> None:
        """Drop media that no shown contact names."""
        named = self._media_places()
        self.delete_media(digest for digest in self.media_digests() if digest not in named)

    def _forget_quarantined(self) -> None:
        """A card that could not be read is known by its uid alone: what history and the index say of who went."""
        gone = self.history.uids()
        # What the guard goes on showing (SPEC 14.9) lies in the overlay alone, and waits for its person.
        present = ("SELECT contact FROM contacts WHERE book = ?1 AND state <> x'' UNION"
                   " SELECT contact FROM overlay WHERE book = ?1 AND state <> x''")
        gone |= {text(uid) for (uid,) in self._db.all(
            f"SELECT uid FROM cards WHERE book = ?1 AND contact NOT IN ({present})", (self._book,))}
        gone -= {text(uid) for (uid,) in self._db.all(
            f"SELECT uid FROM cards WHERE book = ?1 AND contact IN ({present})", (self._book,))}
        for uid in gone - {""}:
            self._db.run("DELETE FROM quarantine WHERE instr(raw, ?)", (uid.encode(),))

    # What is kept aside.

    def keep(self, kind: str, rows: Iterable[KeptRow]) -> None:
        self._db.many(
            "INSERT OR REPLACE INTO kept(book, kind, key, value, time) VALUES(?, ?, ?, ?, ?)",
            [(self._book, kind, row.key, row.value, row.time) for row in rows],
        )

    def kept(self, kind: str) -> list[KeptRow]:
        rows = self._db.all(
            "SELECT key, value, time FROM kept WHERE book = ? AND kind = ? ORDER BY key", (self._book, kind)
        )
        return [KeptRow(blob(key), blob(value), number(time)) for key, value, time in rows]

    def kept_keys(self, kind: str) -> list[bytes]:
        rows = self._db.all("SELECT key FROM kept WHERE book = ? AND kind = ? ORDER BY key", (self._book, kind))
        return [blob(row[0]) for row in rows]

    def kept_one(self, kind: str, key: bytes) -> KeptRow | None:
        row = self._db.one(
            "SELECT key, value, time FROM kept WHERE book = ? AND kind = ? AND key = ?", (self._book, kind, key)
        )
        return None if row is None else KeptRow(blob(row[0]), blob(row[1]), number(row[2]))

    def unkeep(self, kind: str, keys: Iterable[bytes]) -> None:
        self._db.many(
            "DELETE FROM kept WHERE book = ? AND kind = ? AND key = ?", [(self._book, kind, key) for key in keys]
        )


def _pending(row: Row) -> PendingRow:
    key, op, contact, context = row
    return PendingRow(number(key), blob(op), blob(contact), blob(context))


def _outbox(row: Row) -> OutboxRow:
    counter, entry, envelope, seq = row
    return OutboxRow(number(counter), blob(entry), blob(envelope), number(seq))


def _first(row: tuple[bytes, bytes]) -> bytes:
    return row[0]
