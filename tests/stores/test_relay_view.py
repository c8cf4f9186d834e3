"""SPEC 4.1 is the whole list: every column that a relay keeps is a line of it, or says nothing about anybody."""

import sqlite3

import pytest

from e2esync.stores import relay_schema
from tests.test_spec import section

OWN = ""
"""The relay's own book-keeping: numbers that it gives, and what it computes from what is in the list already."""

SEEN = {
    "meta": {"name": OWN, "value": OWN},
    "sets": {"owner": OWN, "set_id": "set ids", "epoch": "each record: number", "record_hash": OWN,
             "seq": "number, order", "log_hash": OWN, "held": "padded size", "version": OWN,
             "holds": "whom the others wait for", "deletion": "who wants a set deleted", "due": "when that was said",
             "gone": OWN},
    "records": {"owner": OWN, "epoch": "each record: number", "opened": "time", "closed": "time",
                "record": "person tags, roles, verify keys", "box_list": "lists and sizes of boxes"},
    "boxes": {"owner": OWN, "epoch": "each record: number", "member": "lists and sizes of boxes",
              "device": "roles", "box": "lists and sizes of boxes"},
    "envelopes": {"owner": OWN, "epoch": "number, order", "seq": "number, order", "member": "submitter",
                  "time": "arrival time of envelopes", "hash": OWN, "log_hash": OWN, "envelope": "padded size"},
    "blobs": {"owner": OWN, "blob": "number, padded size, arrival time and liveness of blobs", "size": "padded size",
              "received": "padded size", "state": "liveness", "since": "arrival time and liveness",
              "epoch": "which envelope or record names them", "seq": "which envelope or record names them"},
    "parts": {"owner": OWN, "blob": "blobs", "start": OWN, "bytes": "padded size"},
    "slots": {"owner": OWN, "member": "announcements in clear", "announcement": "announcements in clear",
              "heartbeat": "heartbeats: size, time", "time": "heartbeats: size, time", "version": OWN,
              "announced": OWN},
    "openings": {"owner": OWN, "member": "opener", "due": "time"},
    "kits": {"verify_key": "recovery keys", "set_id": "set ids", "member": "members' indices", "root": "roles",
             "since": "time"},
    "seeding": {"owner": OWN, "record_hash": "heads and records that are shown or seeded", "epoch": "heads and records",
                "waits": OWN},
    "erasing": {"owner": OWN},
    "invitations": {"invitation": "invitations", "expires": "until they are used or expire"},
    "mailboxes": {"mailbox": "mailboxes", "born": "time of messages", "token0": "tokens of both sides",
                  "token1": "tokens of both sides"},
    "mail": {"mailbox": "mailboxes", "n": "number, padded size and time of messages", "message": "padded size"},
}


def columns() -> dict[str, set[str]]:
    """The relay's tables and their columns, as SQLite makes them."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(relay_schema._VERSION_1)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")} for name in names}


def test_all_that_is_kept_is_accounted_for() -> None:
    assert {table: set(kept) for table, kept in SEEN.items()} == columns()


@pytest.mark.parametrize("table", SEEN)
def test_what_is_kept_is_in_the_list(table: str) -> None:
    for column, words in SEEN[table].items():
        assert words in section("4.1"), f"{table}.{column}"
