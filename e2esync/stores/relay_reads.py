"""What the relay answers from its store (SPEC 13.3, 13.9), in one transaction that does not write.

Every answer fits one frame: logs, chains and blobs are served in pieces, and the asker asks for the next. Who may ask
was settled at the handshake; a member that is removed loses its sessions.
"""

from __future__ import annotations

from typing import Final

from e2esync.limits import BLOB_PART, FOUND_MAX, FRAME_MAX, READ_BATCH
from e2esync.session.commands import OF_DELETED_SETS, Consult, Reading
from e2esync.session.kinds import Refusal
from e2esync.session.messages import (
    BlobPart,
    BoxAnswer,
    ChainPart,
    Find,
    Found,
    GetBlob,
    Have,
    HaveAnswer,
    Inspect,
    Inspected,
    LogPart,
    Message,
    Place,
    Read,
    ReadBox,
    ReadChain,
    ReadSlots,
    Slot,
    SlotList,
)
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Identity
from e2esync.stores.relay_rows import Key, Row, Rows, SetRow

_CHAIN_BYTES: Final = FRAME_MAX - 4096
_ROWS_MAX: Final = 1024


def answer(rows: Rows, identity: Identity, consult: Consult, now: int) -> Message:
    """The answer to a reading request, within one transaction: a head is that of the log as served. Raises Declined."""
    if isinstance(consult.request, Find):
        return _find(rows, consult.request.verify_key)
    found = rows.find_set(consult.set_id)
    if found is None:
        raise Declined(Refusal.NOT_FOUND, "there is no such set")
    owner = found.key
    request: Reading = consult.request
    if found.gone and not isinstance(request, OF_DELETED_SETS):
        raise Declined(Refusal.NOT_ALLOWED, "this set was deleted here")
    if isinstance(request, Read):
        return _log(rows, identity, consult.set_id, found, request, now)
    if isinstance(request, ReadChain):
        return _chain(rows, owner, request.epoch)
    if isinstance(request, ReadBox):
        return _box(rows, owner, request.epoch, consult.member)
    if isinstance(request, GetBlob):
        return _blob(rows, owner, request)
    if isinstance(request, Have):
        return HaveAnswer(tuple(_received(rows, owner, blob) for blob in request.blobs))
    if isinstance(request, Inspect):
        return _inspect(rows, found)
    assert isinstance(request, ReadSlots)
    slots = rows.all(
        "SELECT member, announcement, heartbeat, time FROM slots WHERE owner = ? AND version > ? ORDER BY member",
        (owner, request.since),
    )
    return SlotList(found.version, tuple(Slot(*row) for row in slots))


def _find(rows: Rows, verify_key: bytes) -> Found:
    """SPEC 13.10 step 2. Whoever asks has proved the key to the session."""
    found = rows.all(
        "SELECT set_id, member FROM kits WHERE verify_key = ? ORDER BY root DESC, since, set_id LIMIT ?",
        (verify_key, FOUND_MAX),
    )
    return Found(tuple(Place(*row) for row in found))


def _log(rows: Rows, identity: Identity, set_id: bytes, found: SetRow, request: Read, now: int) -> LogPart:
    if request.epoch != found.epoch:
        _check_retained(rows, found.key, request.epoch)
    envelopes = _fitting(
        rows, "envelope", "seq", "envelopes", "owner = ? AND epoch = ? AND seq >= ?",
        (found.key, request.epoch, request.start), READ_BATCH,
    )
    head = None
    if request.epoch == found.epoch and request.start + len(envelopes) > found.seq:
        head = identity.head(set_id, found.epoch, found.seq, found.log_hash, found.record_hash, now)
    return LogPart(request.epoch, request.start, envelopes, head)


def _check_retained(rows: Rows, owner: Key, epoch: int) -> None:
    found = rows.one("SELECT closed FROM records WHERE owner = ? AND epoch = ?", (owner, epoch))
    if found is None or found[0] is None:
        raise Declined(Refusal.NOT_FOUND, f"the log of epoch {epoch} is not held")


def _chain(rows: Rows, owner: Key, epoch: int) -> ChainPart:
    return ChainPart(
        _fitting(rows, "record", "epoch", "records", "owner = ? AND epoch >= ?", (owner, epoch), _CHAIN_BYTES)
    )


def _fitting(
    rows: Rows, what: str, order: str, table: str, where: str, args: Row, limit: int
) -> tuple[bytes, ...]:
    """As many of the rows' bytes, in order, as `limit` holds with their framing; at least one if there is.

    Sizes first: a thousand rows may be half a megabyte or a quarter of a gigabyte.
    """
    last, room = None, limit
    for place, size in rows.all(
        f"SELECT {order}, length({what}) FROM {table} WHERE {where} ORDER BY {order} LIMIT ?", (*args, _ROWS_MAX)
    ):
        room -= size + 5
        if last is not None and room < 0:
            break
        last = place
    if last is None:
        return ()
    found = rows.all(f"SELECT {what} FROM {table} WHERE {where} AND {order} <= ? ORDER BY {order}", (*args, last))
    return tuple(raw for (raw,) in found)


def _box(rows: Rows, owner: Key, epoch: int, member: int) -> BoxAnswer:
    lists = rows.one("SELECT box_list FROM records WHERE owner = ? AND epoch = ?", (owner, epoch))
    found = rows.one("SELECT box FROM boxes WHERE owner = ? AND epoch = ? AND member = ?", (owner, epoch, member))
    if lists is None or found is None:
        raise Declined(Refusal.NOT_FOUND, f"no box of member {member} in epoch {epoch} is held")
    return BoxAnswer(lists[0], found[0])


def _blob(rows: Rows, owner: Key, request: GetBlob) -> BlobPart:
    found = rows.one(
        "SELECT size FROM blobs WHERE owner = ? AND blob = ? AND received = size", (owner, request.blob)
    )
    if found is None:
        raise Declined(Refusal.NOT_FOUND, "no such blob is complete")
    size = found[0]
    if request.offset > size:
        raise Declined(Refusal.BAD_BLOB, f"offset {request.offset} lies outside of a blob of {size} bytes")
    end = min(size, request.offset + BLOB_PART)
    pieces = rows.all(
        "SELECT start, bytes FROM parts WHERE owner = ? AND blob = ? AND start < ? AND start + length(bytes) > ? "
        "ORDER BY start",
        (owner, request.blob, end, request.offset),
    )
    return BlobPart(size, b"".join(piece[max(request.offset - start, 0) : end - start] for start, piece in pieces))


def _received(rows: Rows, owner: Key, blob: bytes) -> int:
    found = rows.one("SELECT received FROM blobs WHERE owner = ? AND blob = ?", (owner, blob))
    return found[0] if found else 0


def _inspect(rows: Rows, found: SetRow) -> Inspected:
    """SPEC 13.9: everything that is held on the set, counted."""
    def counted(what: str, table: str, where: str = "") -> Row:
        if found.gone and table != "records":
            # What is left of its rows is on its way out, and nobody's any more.
            return 0, 0
        (row,) = rows.all(
            f"SELECT count(*), CAST(coalesce(sum({what}), 0) AS BIGINT) FROM {table} WHERE owner = ? {where}",
            (found.key,),
        )
        return row

    records = counted("length(record) + length(box_list)", "records")
    envelopes = counted("length(envelope)", "envelopes")
    blobs = counted("received", "blobs", "AND state != 2")
    dead = counted("received", "blobs", "AND state = 2")
    boxes, members = counted(f"CASE WHEN epoch = {found.epoch} THEN 1 ELSE 0 END", "boxes")
    slots = counted("0", "slots")
    return Inspected({
        "epoch": found.epoch, "seq": found.seq, "records": records[0], "record_bytes": records[1],
        "envelopes": envelopes[0], "envelope_bytes": envelopes[1], "blobs": blobs[0], "blob_bytes": blobs[1],
        "dead_blobs": dead[0], "dead_blob_bytes": dead[1], "boxes": boxes, "slots": slots[0], "members": members,
    })
