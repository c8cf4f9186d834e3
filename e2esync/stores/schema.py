"""The tables of a profile, and how older ones become newer ones.

`MIGRATIONS[n]` takes schema n to n + 1; `PRAGMA user_version` says which one a file has. A published migration is
never edited. A file of a newer version is refused, untouched. Every table but `settings` and `quarantine` carries the
number of its book, so that one file holds all contact sets of a profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import apsw

from e2esync.errors import ProfileDamaged, ProfileError

if TYPE_CHECKING:
    from e2esync.stores.database import Database

APPLICATION: Final = 0x65326573
"""`PRAGMA application_id`: the letters "e2es"."""

# Contacts and overlays lie in the order of their ids (WITHOUT ROWID): a run, a bucket and a digest are
# each one range. Blobs of up to a megabyte lie in tables with a rowid, whose leaves may hold less of a row.
_V1: Final = """
CREATE TABLE settings(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE books(book INTEGER PRIMARY KEY, set_id BLOB NOT NULL, name TEXT NOT NULL, relay TEXT NOT NULL) STRICT;
CREATE TABLE quarantine(
  id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, raw BLOB NOT NULL, reason TEXT NOT NULL,
  time INTEGER NOT NULL) STRICT;

CREATE TABLE named(
  book INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(book, name)) STRICT, WITHOUT ROWID;
CREATE TABLE secrets(
  book INTEGER NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL, secret BLOB NOT NULL,
  PRIMARY KEY(book, kind, number)) STRICT, WITHOUT ROWID;
CREATE TABLE records(
  book INTEGER NOT NULL, epoch INTEGER NOT NULL, record BLOB NOT NULL,
  PRIMARY KEY(book, epoch)) STRICT, WITHOUT ROWID;

CREATE TABLE contacts(
  book INTEGER NOT NULL, contact BLOB NOT NULL, state BLOB NOT NULL, hash BLOB NOT NULL, run INTEGER NOT NULL,
  unsettled INTEGER NOT NULL, PRIMARY KEY(book, contact)) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_dirty ON contacts(book, contact) WHERE run = 0;
CREATE INDEX contacts_unsettled ON contacts(book, contact) WHERE unsettled = 1;
CREATE TABLE buckets(
  book INTEGER NOT NULL, number INTEGER NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY(book, number)) STRICT, WITHOUT ROWID;
CREATE TABLE vector(
  book INTEGER NOT NULL, member INTEGER NOT NULL, counter INTEGER NOT NULL, entry_id BLOB NOT NULL,
  PRIMARY KEY(book, member)) STRICT, WITHOUT ROWID;
CREATE TABLE parked(
  book INTEGER NOT NULL, author INTEGER NOT NULL, counter INTEGER NOT NULL, entry BLOB NOT NULL,
  PRIMARY KEY(book, author, counter)) STRICT;
CREATE TABLE envelopes(
  book INTEGER NOT NULL, seq INTEGER NOT NULL, log_hash BLOB NOT NULL, envelope BLOB NOT NULL,
  PRIMARY KEY(book, seq)) STRICT, WITHOUT ROWID;

CREATE TABLE pending(
  number INTEGER PRIMARY KEY AUTOINCREMENT, book INTEGER NOT NULL, op BLOB NOT NULL, contact BLOB NOT NULL,
  context BLOB NOT NULL) STRICT;
CREATE INDEX pending_contact ON pending(book, contact);
CREATE TABLE outbox(
  book INTEGER NOT NULL, counter INTEGER NOT NULL, entry BLOB NOT NULL, envelope BLOB NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(book, counter)) STRICT;
CREATE INDEX outbox_unsent ON outbox(book, counter) WHERE seq = 0;
CREATE TABLE outbox_contacts(
  book INTEGER NOT NULL, contact BLOB NOT NULL, counter INTEGER NOT NULL,
  PRIMARY KEY(book, contact, counter)) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_contacts_counter ON outbox_contacts(book, counter);
CREATE TABLE uploads(
  number INTEGER PRIMARY KEY, book INTEGER NOT NULL, counter INTEGER NOT NULL, blob_id BLOB NOT NULL,
  blob BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX uploads_blob ON uploads(book, blob_id);
CREATE INDEX uploads_counter ON uploads(book, counter);

CREATE TABLE overlay(
  book INTEGER NOT NULL, contact BLOB NOT NULL, state BLOB NOT NULL, PRIMARY KEY(book, contact)) STRICT, WITHOUT ROWID;
CREATE TABLE cards(
  book INTEGER NOT NULL, contact BLOB NOT NULL, uid TEXT NOT NULL, name TEXT NOT NULL, sort TEXT NOT NULL,
  phones TEXT NOT NULL, emails TEXT NOT NULL, org TEXT NOT NULL, search TEXT NOT NULL, digits TEXT NOT NULL,
  PRIMARY KEY(book, contact)) STRICT, WITHOUT ROWID;
CREATE TABLE stale(
  book INTEGER NOT NULL, contact BLOB NOT NULL, PRIMARY KEY(book, contact)) STRICT, WITHOUT ROWID;

CREATE TABLE runs(
  book INTEGER NOT NULL, number INTEGER NOT NULL, position INTEGER NOT NULL, index_id BLOB NOT NULL,
  index_key BLOB NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY(book, number)) STRICT, WITHOUT ROWID;

CREATE TABLE slots(
  book INTEGER NOT NULL, member INTEGER NOT NULL, announcement BLOB NOT NULL, heartbeat BLOB NOT NULL,
  heard INTEGER NOT NULL, PRIMARY KEY(book, member)) STRICT, WITHOUT ROWID;
CREATE TABLE media(
  book INTEGER NOT NULL, digest TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY(book, digest)) STRICT;
CREATE TABLE steps(
  number INTEGER PRIMARY KEY AUTOINCREMENT, book INTEGER NOT NULL, name TEXT NOT NULL, author INTEGER NOT NULL,
  time INTEGER NOT NULL, undone INTEGER NOT NULL) STRICT;
CREATE INDEX steps_time ON steps(book, time);
CREATE TABLE kept(
  book INTEGER NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY(book, kind, key)) STRICT;
CREATE TABLE history(
  number INTEGER PRIMARY KEY AUTOINCREMENT, book INTEGER NOT NULL, step INTEGER NOT NULL, contact BLOB NOT NULL,
  before BLOB NOT NULL) STRICT;
CREATE INDEX history_contact ON history(book, contact);
CREATE INDEX history_step ON history(step);
CREATE TABLE copies(
  book INTEGER NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL, contact BLOB NOT NULL, stamp BLOB NOT NULL,
  hash BLOB NOT NULL, shown BLOB NOT NULL, base BLOB NOT NULL, next BLOB NOT NULL,
  PRIMARY KEY(book, folder, name)) STRICT;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_V1,)
VERSION: Final = len(MIGRATIONS)

BOOK_TABLES: Final = (
    "named", "secrets", "records", "contacts", "buckets", "vector", "parked", "envelopes", "pending", "outbox",
    "outbox_contacts", "uploads", "overlay", "cards", "stale", "runs", "slots", "media", "kept", "steps",
    "history", "copies", "books",
)
"""Every table that carries a book's number: what leaves with a book."""


def migrate(database: Database, *, create: bool = False, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring a file to the newest schema, all or nothing. `create` says that it is new, and empty.

    Raises ProfileDamaged for a file that is no profile, ProfileError for one of a newer version.
    """
    version = _version(database)
    if version == len(migrations):
        return
    with database.transaction():
        # Read again under the lock: another process may have brought the file up to date meanwhile.
        version = _version(database)
        if version > len(migrations):
            raise ProfileError(
                f"the profile has schema {version}, this e2esync knows {len(migrations)}", "update e2esync",
            )
        if version == 0 and not create:
            raise ProfileDamaged("the profile's database is empty")
        for step in migrations[version:]:
            database.run(step)
        database.run(f"PRAGMA application_id = {APPLICATION}")
        database.run(f"PRAGMA user_version = {len(migrations)}")


def _version(database: Database) -> int:
    row = database.one("SELECT user_version, application_id FROM pragma_user_version, pragma_application_id")
    assert row is not None
    version, application = row
    if version < 0 or (version and application != APPLICATION):
        raise ProfileDamaged("the file is a database, but not that of a profile")
    return int(version)


def is_intact(connection: apsw.Connection) -> bool:
    """Whether a file has the tables that it must have and passes SQLite's own check."""
    model = apsw.Connection(":memory:")
    for step in MIGRATIONS:
        model.execute(step)
    query = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name"
    if connection.execute(query).fetchall() != model.execute(query).fetchall():
        return False
    return bool(connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)])
