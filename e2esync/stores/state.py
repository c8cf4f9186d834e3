"""The shared half of a book's rows: values, secrets, chain, contacts, vector, log, snapshot, slots (SPEC 14).

One half of the reference `replica.port.ReplicaStore`; the other, what this device has not landed yet, is
`stores.book`. The port's docstrings say what each method promises; here stands only how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from e2esync.crypto.secret import Secret
from e2esync.replica.port import DIRTY, RESERVED, ContactRow, RunRow, SlotRow
from e2esync.stores.database import Database, Row, blob, number, text

Item = TypeVar("Item")

BATCH: Final = 4096
"""Rows sorted and bound at a time: a book of any size passes through bounded memory."""
_PAGE: Final = 1024

_COLUMNS: Final = "SELECT contact, state, hash, run, unsettled FROM contacts "
_CONTACT: Final = _COLUMNS + "WHERE book = ? "
# Named, because the planner takes the whole table for as cheap as the few rows of a partial index.
_DIRTY: Final = "INDEXED BY contacts_dirty "
_UNSETTLED: Final = "INDEXED BY contacts_unsettled "
_PUT_CONTACT: Final = """
    INSERT INTO contacts(book, contact, state, hash, run, unsettled) VALUES(?, ?, ?, ?, ?, ?)
    ON CONFLICT(book, contact) DO UPDATE
    SET state = excluded.state, hash = excluded.hash, run = excluded.run, unsettled = excluded.unsettled"""


class SharedState:
    """What every member has after the same log, with this device's keys and place in it."""

    def __init__(self, database: Database, book: int) -> None:
        self._db = database
        self._book = book
        self.transaction = database.transaction
        self.replay = database.replay

    # Named values and secrets.

    def get(self, name: str) -> bytes | None:
        row = self._db.one("SELECT value FROM named WHERE book = ? AND name = ?", (self._book, name))
        return None if row is None else blob(row[0])

    def named(self, prefix: str) -> list[tuple[str, bytes]]:
        """(name, value) of the named values whose names begin so."""
        rows = self._db.all("SELECT name, value FROM named WHERE book = ? AND substr(name, 1, ?) = ? ORDER BY name",
                            (self._book, len(prefix), prefix))
        return [(text(name), blob(value)) for name, value in rows]

    def put(self, name: str, value: bytes) -> None:
        self._db.run("INSERT OR REPLACE INTO named(book, name, value) VALUES(?, ?, ?)", (self._book, name, value))

    def drop(self, name: str) -> None:
        self._db.run("DELETE FROM named WHERE book = ? AND name = ?", (self._book, name))

    def secret(self, kind: str, number: int) -> Secret | None:
        row = self._db.one(
            "SELECT secret FROM secrets WHERE book = ? AND kind = ? AND number = ?", (self._book, kind, number)
        )
        return None if row is None else Secret(blob(row[0]))

    def keep_secret(self, kind: str, number: int, secret: Secret) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO secrets(book, kind, number, secret) VALUES(?, ?, ?, ?)",
            (self._book, kind, number, secret.reveal()),
        )

    def erase_secrets(self, kind: str, below: int) -> None:
        self._db.run("DELETE FROM secrets WHERE book = ? AND kind = ? AND number < ?", (self._book, kind, below))

    def secret_numbers(self, kind: str) -> list[int]:
        rows = self._db.all(
            "SELECT number FROM secrets WHERE book = ? AND kind = ? ORDER BY number", (self._book, kind)
        )
        return [number(row[0]) for row in rows]

    # Chain.

    def records(self) -> list[bytes]:
        rows = self._db.all("SELECT record FROM records WHERE book = ? ORDER BY epoch", (self._book,))
        return [blob(row[0]) for row in rows]

    def add_record(self, epoch: int, record: bytes) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO records(book, epoch, record) VALUES(?, ?, ?)", (self._book, epoch, record)
        )

    # Contacts. Rows are written in the order of their ids, which is that of the table's pages; every change of a
    # contact takes the digest of its bucket away, in the same transaction.

    def contact(self, contact: bytes) -> ContactRow | None:
        row = self._db.one(_CONTACT + "AND contact = ?", (self._book, contact))
        return None if row is None else _contact(row)

    def put_contacts(self, rows: Iterable[ContactRow]) -> None:
        book = self._book
        with self.transaction():
            for batch in batches(rows):
                batch.sort(key=_by_contact)
                self._db.many(
                    _PUT_CONTACT, [(book, row.contact, row.state, row.hash, row.run, row.unsettled) for row in batch]
                )
                self._touch(row.contact for row in batch)

    def delete_contacts(self, contacts: Iterable[bytes]) -> None:
        book = self._book
        with self.transaction():
            for batch in batches(contacts):
                self._db.many("DELETE FROM contacts WHERE book = ? AND contact = ?", [(book, each) for each in batch])
                self._touch(batch)

    def delete_all_contacts(self) -> None:
        with self.transaction():
            self._db.run("DELETE FROM contacts WHERE book = ?", (self._book,))
            self._db.run("DELETE FROM buckets WHERE book = ?", (self._book,))

    def _touch(self, contacts: Iterable[bytes]) -> None:
        buckets = {contact[0] for contact in contacts}
        self._db.many(
            "DELETE FROM buckets WHERE book = ? AND number = ?", [(self._book, bucket) for bucket in sorted(buckets)]
        )

    def contacts(self, *, run: int | None = None) -> Iterator[ContactRow]:
        # Page by page, from the last id on: rows may be written while they are read, and none is kept.
        # A literal zero, so that the partial index of the dirty ones serves it.
        condition = "" if run is None else "AND run = 0 " if run == DIRTY else "AND run = ? "
        values: Row = (run,) if run else ()
        index = _DIRTY if run == DIRTY else ""
        query = f"{_COLUMNS}{index}WHERE book = ? AND contact > ? {condition}ORDER BY contact LIMIT {_PAGE}"
        return (_contact(row) for row in self._pages(query, values))

    def contact_ids(self) -> set[bytes]:
        rows = self._db.all("SELECT contact FROM contacts WHERE book = ?", (self._book,))
        return {blob(row[0]) for row in rows}

    def count_contacts(self) -> int:
        row = self._db.one("SELECT count(*) FROM contacts WHERE book = ? AND state <> x'' AND contact NOT IN (?, ?)",
                           (self._book, *sorted(RESERVED)))
        return 0 if row is None else number(row[0])

    def unsettled(self) -> list[ContactRow]:
        query = f"{_COLUMNS}{_UNSETTLED}WHERE book = ? AND unsettled = 1 ORDER BY contact"
        return [_contact(row) for row in self._db.all(query, (self._book,))]

    def renumber_runs(self, numbers: Iterable[int], to: int) -> None:
        wanted = set(numbers)
        with self.transaction():
            if DIRTY in wanted:
                self._db.run(f"UPDATE contacts {_DIRTY}SET run = ? WHERE book = ? AND run = 0", (to, self._book))
            others = ",".join(str(int(each)) for each in sorted(wanted - {DIRTY, to}))
            if others:
                self._db.run(
                    "UPDATE contacts SET run = ? WHERE book = ? AND run IN (SELECT value FROM json_each(?))",
                    (to, self._book, f"[{others}]"),
                )

    def drop_absent(self, run: int) -> None:
        # An absent contact has no part in a bucket's digest: the buckets stay.
        self._db.run("DELETE FROM contacts WHERE book = ? AND run = ? AND state = x''", (self._book, run))

    def count_dirty(self) -> int:
        row = self._db.one("SELECT count(*) FROM contacts WHERE book = ? AND run = 0", (self._book,))
        assert row is not None
        return number(row[0])

    def bucket_hashes(self, bucket: int) -> list[tuple[bytes, bytes]]:
        first = bytes((bucket,))
        rows = self._db.all(
            "SELECT contact, hash FROM contacts"
            " WHERE book = ? AND contact BETWEEN ? AND ? AND hash <> x'' ORDER BY contact",
            (self._book, first, first + b"\xff" * 16),
        )
        return [(blob(contact), blob(digest)) for contact, digest in rows]

    def buckets(self) -> dict[int, bytes]:
        rows = self._db.all("SELECT number, digest FROM buckets WHERE book = ?", (self._book,))
        return {number(bucket): blob(digest) for bucket, digest in rows}

    def put_bucket(self, number: int, digest: bytes) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO buckets(book, number, digest) VALUES(?, ?, ?)", (self._book, number, digest)
        )

    # Vector and parked entries.

    def vector(self) -> dict[int, tuple[int, bytes]]:
        rows = self._db.all(
            "SELECT member, counter, entry_id FROM vector WHERE book = ? ORDER BY member", (self._book,)
        )
        return {number(member): (number(counter), blob(entry_id)) for member, counter, entry_id in rows}

    def put_vector(self, member: int, counter: int, entry_id: bytes) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO vector(book, member, counter, entry_id) VALUES(?, ?, ?, ?)",
            (self._book, member, counter, entry_id),
        )

    def replace_vector(self, vector: dict[int, tuple[int, bytes]]) -> None:
        with self.transaction():
            self._db.run("DELETE FROM vector WHERE book = ?", (self._book,))
            for member, (counter, entry_id) in vector.items():
                self.put_vector(member, counter, entry_id)

    def parked(self) -> list[tuple[int, int, bytes]]:
        rows = self._db.all(
            "SELECT author, counter, entry FROM parked WHERE book = ? ORDER BY author, counter", (self._book,)
        )
        return [(number(author), number(counter), blob(entry)) for author, counter, entry in rows]

    def put_parked(self, rows: list[tuple[int, int, bytes]]) -> None:
        with self.transaction():
            self._db.run("DELETE FROM parked WHERE book = ?", (self._book,))
            self._db.many(
                "INSERT INTO parked(book, author, counter, entry) VALUES(?, ?, ?, ?)",
                [(self._book, *row) for row in rows],
            )

    # Envelopes of the open epoch.

    def add_envelopes(self, first: int, envelopes: Iterable[tuple[bytes, bytes]]) -> None:
        self._db.many(
            "INSERT OR REPLACE INTO envelopes(book, seq, log_hash, envelope) VALUES(?, ?, ?, ?)",
            ((self._book, seq, there, envelope) for seq, (envelope, there) in enumerate(envelopes, first)),
        )

    def log_hash(self, seq: int) -> bytes | None:
        row = self._db.one("SELECT log_hash FROM envelopes WHERE book = ? AND seq = ?", (self._book, seq))
        return None if row is None else blob(row[0])

    def envelope(self, seq: int) -> bytes | None:
        row = self._db.one("SELECT envelope FROM envelopes WHERE book = ? AND seq = ?", (self._book, seq))
        return None if row is None else blob(row[0])

    def envelope_bytes(self) -> int:
        return number(self._db.all("SELECT coalesce(sum(length(envelope)), 0) FROM envelopes WHERE book = ?",
                                   (self._book,))[0][0])

    def clear_envelopes(self) -> None:
        self._db.run("DELETE FROM envelopes WHERE book = ?", (self._book,))

    # Snapshot.

    def runs(self) -> list[RunRow]:
        rows = self._db.all(
            "SELECT number, index_id, index_key, count FROM runs WHERE book = ? ORDER BY position",
            (self._book,),
        )
        return [RunRow(number(run), blob(name), blob(key), number(count)) for run, name, key, count in rows]

    def put_runs(self, runs: list[RunRow]) -> None:
        with self.transaction():
            self._db.run("DELETE FROM runs WHERE book = ?", (self._book,))
            self._db.many(
                "INSERT INTO runs(book, number, position, index_id, index_key, count) VALUES(?, ?, ?, ?, ?, ?)",
                [(self._book, run.number, place, run.index_id, run.index_key, run.count)
                 for place, run in enumerate(runs)],
            )

    # Slots.

    def slots(self) -> list[SlotRow]:
        rows = self._db.all(
            "SELECT member, announcement, heartbeat, heard FROM slots WHERE book = ? ORDER BY member", (self._book,)
        )
        return [SlotRow(number(member), blob(announcement), blob(heartbeat), number(heard))
                for member, announcement, heartbeat, heard in rows]

    def put_slot(self, row: SlotRow) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO slots(book, member, announcement, heartbeat, heard) VALUES(?, ?, ?, ?, ?)",
            (self._book, row.member, row.announcement, row.heartbeat, row.heard),
        )

    def _pages(self, query: str, values: Row) -> Iterator[Row]:
        """Rows whose first column is a contact id, from page to page after the last one seen."""
        last = b""
        while rows := self._db.all(query, (self._book, last, *values)):
            yield from rows
            last = blob(rows[-1][0])


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists of at most `BATCH`."""
    source = iter(items)
    while batch := list(islice(source, BATCH)):
        yield batch


def _contact(row: Row) -> ContactRow:
    contact, state, digest, run, unsettled = row
    return ContactRow(blob(contact), blob(state), blob(digest), number(run), unsettled == 1)


def _by_contact(row: ContactRow) -> bytes:
    return row.contact


def _first(row: tuple[bytes, bytes, int]) -> bytes:
    return row[0]
