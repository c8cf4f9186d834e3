"""What the relay answers from its store (SPEC 13.3, 13.9), on a connection that cannot write.

Every answer fits one frame: logs, chains and blobs are served in pieces, and the asker asks for the next. Who may ask
was settled at the handshake; a member that is removed loses its sessions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import apsw

from e2esync.limits import BLOB_PART, FRAME_MAX, READ_BATCH
from e2esync.session.commands import Consult, Reading
from e2esync.session.kinds import Refusal
from e2esync.session.messages import (
    BlobPart,
    BoxAnswer,
    ChainPart,
    GetBlob,
    Have,
    HaveAnswer,
    Inspect,
    Inspected,
    LogPart,
    Message,
    Read,
    ReadBox,
    ReadChain,
    Slot,
    SlotList,
)
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Identity

_CHAIN_BYTES: Final = FRAME_MAX - 4096
_LOG_ROWS: Final = 1024


def answer(connection: apsw.Connection, identity: Identity, consult: Consult, now: int) -> Message:
    """The answer to a reading request. Raises Declined."""
    owner = connection.execute("SELECT id FROM sets WHERE set_id = ?", (consult.set_id,)).get
    if owner is None:
        raise Declined(Refusal.NOT_FOUND, "there is no such set")
    request: Reading = consult.request
    if isinstance(request, Read):
        return _log(connection, identity, consult.set_id, owner, request, now)
    if isinstance(request, ReadChain):
        return _chain(connection, owner, request.epoch)
    if isinstance(request, ReadBox):
        return _box(connection, owner, request.epoch, consult.member)
    if isinstance(request, GetBlob):
        return _blob(connection, owner, request)
    if isinstance(request, Have):
        return HaveAnswer(tuple(_received(connection, owner, blob) for blob in request.blobs))
    if isinstance(request, Inspect):
        return _inspect(connection, owner)
    rows = connection.execute(
        "SELECT member, announcement, heartbeat, time FROM slots WHERE owner = ? ORDER BY member", (owner,)
    )
    return SlotList(tuple(Slot(*row) for row in rows))


def _row(cursor: apsw.Cursor) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = cursor.fetchone()
    assert found is not None
    return found


def _log(
    connection: apsw.Connection, identity: Identity, set_id: bytes, owner: int, request: Read, now: int
) -> LogPart:
    # One transaction, so that the head is that of the log as served.
    with connection:
        epoch, record_hash, seq, log_hash = _row(connection.execute(
            "SELECT epoch, record_hash, seq, log_hash FROM sets WHERE id = ?", (owner,)
        ))
        if request.epoch != epoch:
            _check_retained(connection, owner, request.epoch)
        rows = connection.execute(
            "SELECT envelope FROM envelopes WHERE owner = ? AND epoch = ? AND seq >= ? ORDER BY seq LIMIT ?",
            (owner, request.epoch, request.start, _LOG_ROWS),
        )
        envelopes = _up_to((raw for (raw,) in rows), READ_BATCH)
    head = None
    if request.epoch == epoch and request.start + len(envelopes) > seq:
        head = identity.head(set_id, epoch, seq, log_hash, record_hash, now)
    return LogPart(request.epoch, request.start, envelopes, head)


def _check_retained(connection: apsw.Connection, owner: int, epoch: int) -> None:
    found = connection.execute(
        "SELECT closed IS NOT NULL FROM records WHERE owner = ? AND epoch = ?", (owner, epoch)
    ).get
    if not found:
        raise Declined(Refusal.NOT_FOUND, f"the log of epoch {epoch} is not held")


def _chain(connection: apsw.Connection, owner: int, epoch: int) -> ChainPart:
    rows = connection.execute(
        "SELECT record FROM records WHERE owner = ? AND epoch >= ? ORDER BY epoch", (owner, epoch)
    )
    return ChainPart(_up_to((raw for (raw,) in rows), _CHAIN_BYTES))


def _up_to(items: Iterable[bytes], limit: int) -> tuple[bytes, ...]:
    """As many of the items, from the first on, as `limit` bytes hold with their framing; at least one if there is."""
    taken: list[bytes] = []
    room = limit
    for item in items:
        room -= len(item) + 5
        if taken and room < 0:
            break
        taken.append(item)
    return tuple(taken)


def _box(connection: apsw.Connection, owner: int, epoch: int, member: int) -> BoxAnswer:
    found = connection.execute(
        "SELECT box_list, box FROM records JOIN boxes USING (owner, epoch) "
        "WHERE owner = ? AND epoch = ? AND member = ?",
        (owner, epoch, member),
    ).fetchone()
    if found is None:
        raise Declined(Refusal.NOT_FOUND, f"no box of member {member} in epoch {epoch} is held")
    return BoxAnswer(*found)


def _blob(connection: apsw.Connection, owner: int, request: GetBlob) -> BlobPart:
    found = connection.execute(
        "SELECT id, size FROM blobs WHERE owner = ? AND blob = ? AND received = size", (owner, request.blob)
    ).fetchone()
    if found is None:
        raise Declined(Refusal.NOT_FOUND, "no such blob is complete")
    row, size = found
    if request.offset > size:
        raise Declined(Refusal.BAD_BLOB, f"offset {request.offset} lies outside of a blob of {size} bytes")
    end = min(size, request.offset + BLOB_PART)
    pieces = connection.execute(
        "SELECT substr(bytes, max(?1 - start, 0) + 1, ?2 - max(start, ?1)) FROM parts "
        "WHERE blob = ?3 AND start < ?2 AND start + length(bytes) > ?1 ORDER BY start",
        (request.offset, end, row),
    )
    return BlobPart(size, b"".join(piece for (piece,) in pieces))


def _received(connection: apsw.Connection, owner: int, blob: bytes) -> int:
    found = connection.execute("SELECT received FROM blobs WHERE owner = ? AND blob = ?", (owner, blob)).get
    return found or 0


def _inspect(connection: apsw.Connection, owner: int) -> Inspected:
    """SPEC 13.9: everything that is held on the set, counted."""
    def pair(query: str) -> tuple[int, int]:
        count, size = _row(connection.execute(query, (owner,)))
        return count, size or 0

    with connection:
        epoch, seq = _row(connection.execute("SELECT epoch, seq FROM sets WHERE id = ?", (owner,)))
        records = pair("SELECT count(*), sum(length(record) + length(box_list)) FROM records WHERE owner = ?")
        envelopes = pair("SELECT count(*), sum(length(envelope)) FROM envelopes WHERE owner = ?")
        blobs = pair("SELECT count(*), sum(received) FROM blobs WHERE owner = ? AND state != 2")
        dead = pair("SELECT count(*), sum(received) FROM blobs WHERE owner = ? AND state = 2")
        boxes, members = pair(
            "SELECT count(*), count(DISTINCT CASE WHEN epoch = (SELECT epoch FROM sets WHERE id = ?1) THEN member END) "
            "FROM boxes WHERE owner = ?1"
        )
        slots = connection.execute("SELECT count(*) FROM slots WHERE owner = ?", (owner,)).get
    return Inspected({
        "epoch": epoch, "seq": seq, "records": records[0], "record_bytes": records[1], "envelopes": envelopes[0],
        "envelope_bytes": envelopes[1], "blobs": blobs[0], "blob_bytes": blobs[1], "dead_blobs": dead[0],
        "dead_blob_bytes": dead[1], "boxes": boxes, "slots": slots, "members": members,
    })
