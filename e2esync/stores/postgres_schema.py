"""The relay's tables in PostgreSQL (SPEC 4.1 lists what they may hold): those of the SQLite file, keyed by set id.

`owner` is the set's id and the first column of every key, `mailbox` and a kit's `verify_key` likewise: on Citus they
are what the tables are distributed by, on YugabyteDB what they are hashed by. Only `meta`, a few rows that hardly
ever change, is everybody's: key, incarnation, and the moment of the last probe.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg

from e2esync.crypto import SigningKey
from e2esync.errors import ProfileDamaged
from e2esync.stores.relay_batch import Identity
from e2esync.stores.relay_schema import check_not_moved

SCHEMA_VERSION: Final = 1
_SETTING_UP: Final = 0x65326572
IN_USE: Final = 0x65326573
"""The advisory lock that relays share while they run; `relay migrate` takes it alone."""

TABLES: Final = {
    "sets": "owner", "records": "owner", "boxes": "owner", "envelopes": "owner", "blobs": "owner", "parts": "owner",
    "slots": "owner", "openings": "owner", "seeding": "owner", "erasing": "owner", "kits": "verify_key",
    "invitations": "invitation", "mailboxes": "mailbox", "mail": "mailbox",
}
"""Every table but `meta`, with the column that says to whom a row belongs."""

_VERSION_1: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
CREATE TABLE sets (
    owner BYTEA PRIMARY KEY, epoch BIGINT NOT NULL, record_hash BYTEA NOT NULL, seq BIGINT NOT NULL,
    log_hash BYTEA NOT NULL, held BIGINT NOT NULL, version BIGINT NOT NULL, holds BYTEA NOT NULL DEFAULT '',
    deletion BYTEA NOT NULL DEFAULT '', due BIGINT NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX due_sets ON sets (due) WHERE due > 0;
CREATE TABLE records (
    owner BYTEA NOT NULL, epoch BIGINT NOT NULL, opened BIGINT NOT NULL, closed BIGINT, record BYTEA NOT NULL,
    box_list BYTEA NOT NULL, PRIMARY KEY (owner, epoch)
);
CREATE TABLE boxes (
    owner BYTEA NOT NULL, epoch BIGINT NOT NULL, member BIGINT NOT NULL, device INTEGER NOT NULL, box BYTEA NOT NULL,
    PRIMARY KEY (owner, epoch, member)
);
CREATE TABLE envelopes (
    owner BYTEA NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, member BIGINT NOT NULL, time BIGINT NOT NULL,
    hash BYTEA NOT NULL, log_hash BYTEA NOT NULL, envelope BYTEA NOT NULL,
    PRIMARY KEY (owner, epoch, seq), UNIQUE (owner, epoch, hash)
);
CREATE TABLE blobs (
    owner BYTEA NOT NULL, blob BYTEA NOT NULL, size BIGINT NOT NULL, received BIGINT NOT NULL, state INTEGER NOT NULL,
    since BIGINT NOT NULL, epoch BIGINT NOT NULL DEFAULT -1, seq BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (owner, blob)
);
CREATE INDEX blob_states ON blobs (state, since);
CREATE TABLE parts (
    owner BYTEA NOT NULL, blob BYTEA NOT NULL, start BIGINT NOT NULL, bytes BYTEA NOT NULL,
    PRIMARY KEY (owner, blob, start)
);
CREATE TABLE slots (
    owner BYTEA NOT NULL, member BIGINT NOT NULL, announcement BYTEA NOT NULL, heartbeat BYTEA NOT NULL,
    time BIGINT NOT NULL, version BIGINT NOT NULL, announced BIGINT NOT NULL, PRIMARY KEY (owner, member)
);
CREATE TABLE openings (
    owner BYTEA NOT NULL, member BIGINT NOT NULL, due BIGINT NOT NULL, PRIMARY KEY (owner, member)
);
CREATE TABLE kits (
    verify_key BYTEA NOT NULL, set_id BYTEA NOT NULL, member BIGINT NOT NULL, root INTEGER NOT NULL,
    since BIGINT NOT NULL, PRIMARY KEY (verify_key, set_id)
);
CREATE TABLE seeding (
    owner BYTEA NOT NULL, record_hash BYTEA NOT NULL, epoch BIGINT NOT NULL, waits INTEGER NOT NULL,
    PRIMARY KEY (owner, record_hash)
);
CREATE TABLE erasing (owner BYTEA PRIMARY KEY);
CREATE TABLE invitations (invitation BYTEA PRIMARY KEY, expires BIGINT NOT NULL);
CREATE TABLE mailboxes (mailbox BYTEA PRIMARY KEY, born BIGINT NOT NULL, token0 BYTEA, token1 BYTEA);
CREATE TABLE mail (mailbox BYTEA NOT NULL, n INTEGER NOT NULL, message BYTEA NOT NULL, PRIMARY KEY (mailbox, n));
ALTER TABLE envelopes ALTER COLUMN envelope SET STORAGE EXTERNAL;
ALTER TABLE parts ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE boxes ALTER COLUMN box SET STORAGE EXTERNAL;
"""


def hang_up(connection: psycopg.Connection[Any]) -> None:
    """Lets go of the locks, then of the connection: a server notices by itself only a moment after the other side."""
    with suppress(psycopg.Error):
        connection.execute("SELECT pg_advisory_unlock_all()")
    connection.close()


def set_up(connection: psycopg.Connection[Any], draw: Callable[[int], bytes]) -> Identity:
    """Makes the tables if there are none, and the relay's key with them; several processes may do so at once.

    Raises ProfileDamaged if the tables are another program's, or have lost the key.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SETTING_UP,))
        found = connection.execute("SELECT to_regclass('meta'), to_regclass('sets')").fetchone()
        if found == (None, None):
            connection.execute(_VERSION_1)
            values = {"key": draw(32), "incarnation": draw(6), "schema": SCHEMA_VERSION.to_bytes(2, "big")}
            for name, value in values.items():
                connection.execute("INSERT INTO meta (name, value) VALUES (%s, %s)", (name, value))
        elif found is None or None in found:
            raise ProfileDamaged("the database belongs to another program", "give the relay a database of its own")
    return identity(connection)


def identity(connection: psycopg.Connection[Any]) -> Identity:
    """The relay's key and incarnation. Raises ProfileDamaged if they are not there, or the schema is a newer one."""
    stored = {name: bytes(value) for name, value in connection.execute("SELECT name, value FROM meta")}
    check_not_moved("moved" in stored)
    version = int.from_bytes(stored.get("schema", b""), "big")
    if version > SCHEMA_VERSION:
        raise ProfileDamaged(
            f"the database was written by a newer e2esync (schema {version}, this one knows {SCHEMA_VERSION})",
            "update e2esync",
        )
    key, incarnation = stored.get("key", b""), stored.get("incarnation", b"")
    if len(key) != 32 or len(incarnation) != 6:
        raise ProfileDamaged("the database has lost the relay's key", "restore it from a backup")
    return Identity(SigningKey(key), int.from_bytes(incarnation, "big"))
