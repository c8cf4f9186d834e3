"""The allow-list of what may stand in a relay's file: every column of every table has a rule, and no row breaks it.

Where a value is an object of SPEC its own strict decoder judges it: every byte of it then belongs to a field of the
protocol. What is encrypted has a size of the ladder, and a hash that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import apsw

from e2esync.client.pairing import ENDED
from e2esync.crypto.padding import padded_size
from e2esync.epoch.announcement import parse_announcement
from e2esync.epoch.boxes import parse_box_list
from e2esync.epoch.deletion import parse_deletion
from e2esync.epoch.record import parse_record
from e2esync.limits import HASH, INT_MAX, MAILBOX_ID, MAILBOX_MESSAGE_MAX, SEALED_BOX, VERIFY_KEY
from e2esync.log.envelope import check_envelope_shape, envelope_hash
from e2esync.log.heartbeat import check_heartbeat_shape
from e2esync.session.holds import unpack
from e2esync.snapshot.blob import blob_id, check_blob_size

Row = dict[str, Any]
Rule = Callable[[Any, Row], object]

_META: Final = {"key": 32, "incarnation": None, "moved": None}


class NotAllowedError(AssertionError):
    """Something lies at the relay that SPEC 4.1 does not list."""


def _number(value: Any, _row: Row) -> None:
    if type(value) is not int or not -1 <= value <= INT_MAX:
        raise NotAllowedError(f"{value!r} is no number")


def _octets(*lengths: int) -> Rule:
    def rule(value: Any, _row: Row) -> None:
        if type(value) is not bytes or len(value) not in lengths:
            raise NotAllowedError(f"{len(value)} bytes stand where {lengths} may")
    return rule


def _or_none(rule: Rule) -> Rule:
    return lambda value, row: value is None or rule(value, row)


def _meta(value: Any, row: Row) -> None:
    if row["name"] not in _META:
        raise NotAllowedError(f"the relay keeps {row['name']!r}")
    if type(value) is bytes and len(value) > HASH:
        raise NotAllowedError(f"{row['name']} is too long")


def _envelope(value: Any, row: Row) -> None:
    check_envelope_shape(value, row["epoch"])
    if envelope_hash(value) != row["hash"]:
        raise NotAllowedError("an envelope's hash is another's")


def _part(value: Any, _row: Row) -> None:
    if type(value) is not bytes:
        raise NotAllowedError("a part of a blob is no bytes")


def _message(value: Any, _row: Row) -> None:
    if type(value) is not bytes or len(value) > MAILBOX_MESSAGE_MAX:
        raise NotAllowedError("a message is too long")
    if value != ENDED and padded_size(len(value)) != len(value):
        raise NotAllowedError("a message has a size of its own")


def _holds(value: Any, _row: Row) -> None:
    try:
        same = type(value) is bytes and unpack(value).pack() == value
    except (TypeError, ValueError, LookupError):
        same = False
    if not same:
        raise NotAllowedError("this is nobody's hold")


GRAMMAR: Final[dict[str, dict[str, Rule]]] = {
    "meta": {"name": lambda *_: None, "value": _meta},
    "sets": {"owner": _number, "set_id": _octets(HASH), "epoch": _number, "record_hash": _octets(HASH), "seq": _number,
             "log_hash": _octets(HASH), "held": _number, "version": _number, "holds": _holds,
             "deletion": lambda value, _row: value == b"" or parse_deletion(value), "due": _number, "gone": _number},
    "records": {"owner": _number, "epoch": _number, "opened": _number, "closed": _or_none(_number),
                "record": lambda value, _row: parse_record(value),
                "box_list": lambda value, _row: value == b"" or parse_box_list(value)},
    "boxes": {"owner": _number, "epoch": _number, "member": _number, "device": _number, "box": _octets(SEALED_BOX)},
    "envelopes": {"owner": _number, "epoch": _number, "seq": _number, "member": _number, "time": _number,
                  "hash": _octets(HASH), "log_hash": _octets(HASH), "envelope": _envelope},
    "erasing": {"owner": _number},
    "blobs": {"owner": _number, "blob": _octets(HASH), "size": lambda value, _row: check_blob_size(value),
              "received": _number, "state": _number, "since": _number, "epoch": _number, "seq": _number},
    "parts": {"owner": _number, "blob": _octets(HASH), "start": _number, "bytes": _part},
    "slots": {"owner": _number, "member": _number, "time": _number, "version": _number, "announced": _number,
              "announcement": lambda value, _row: value == b"" or parse_announcement(value),
              "heartbeat": lambda value, _row: value == b"" or check_heartbeat_shape(value, int.from_bytes(value[:8]))},
    "openings": {"owner": _number, "member": _number, "due": _number},
    "kits": {"verify_key": _octets(VERIFY_KEY), "set_id": _octets(HASH), "member": _number, "root": _number,
             "since": _number},
    "seeding": {"owner": _number, "record_hash": _octets(HASH), "epoch": _number, "waits": _number},
    "invitations": {"invitation": _octets(16, 32), "expires": _number},
    "mailboxes": {"mailbox": _octets(MAILBOX_ID), "born": _number, "token0": _or_none(_octets(16, 32)),
                  "token1": _or_none(_octets(16, 32))},
    "mail": {"mailbox": _octets(MAILBOX_ID), "n": _number, "message": _message},
}


def check(path: Path) -> dict[str, int]:
    """Every row of a relay's file; how many there are by table. Raises NotAllowedError, or what a decoder raises."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if tables != GRAMMAR.keys():
            raise NotAllowedError(f"tables without a rule: {sorted(tables ^ GRAMMAR.keys())}")
        counts = {table: sum(1 for _ in _checked(connection, table)) for table in sorted(tables)}
        _check_blobs(connection)
    finally:
        connection.close()
    return counts


def _checked(connection: apsw.Connection, table: str) -> Iterator[Row]:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if set(columns) != GRAMMAR[table].keys():
        raise NotAllowedError(f"columns of {table} without a rule: {sorted(set(columns) ^ GRAMMAR[table].keys())}")
    for values in connection.execute(f"SELECT {', '.join(columns)} FROM {table}"):
        row = dict(zip(columns, values, strict=True))
        for column, rule in GRAMMAR[table].items():
            rule(row[column], row)
        yield row


def _check_blobs(connection: apsw.Connection) -> None:
    """What is encrypted is as long as it may be, and named by its hash."""
    for owner, blob, size in connection.execute("SELECT owner, blob, size FROM blobs"):
        parts = connection.execute("SELECT bytes FROM parts WHERE owner = ? AND blob = ? ORDER BY start", (owner, blob))
        content = b"".join(part for (part,) in parts)
        if len(content) == size and blob_id(content) != blob:
            raise NotAllowedError("a blob's bytes are not what its name says")
        if padded_size(size) != size:
            raise NotAllowedError(f"a blob has the size {size}")
