"""Whether a relay's store still is what devices were promised (`e2esync relay check`), and how much it holds.

Everything is verified that can be without a key of a member: each chain by the rules of SPEC 9.4, each log by its
hashes up to the head that the set's row names (10.1), each blob by its name (11.1), boxes, slots, and the bytes held.
One transaction per set, so a relay may go on running.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from e2esync.crypto import Label, blake2b
from e2esync.epoch.announcement import check_announcement, parse_announcement
from e2esync.epoch.boxes import check_boxes
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.deletion import check_deletion, parse_deletion
from e2esync.epoch.record import parse_record
from e2esync.errors import E2esyncError
from e2esync.log.envelope import envelope_hash, log_hash_after
from e2esync.stores.relay_deletion import CONTENT, is_erased
from e2esync.stores.relay_migrate import Depot, rows_in_pieces
from e2esync.stores.relay_rows import Key, Row, Rows, SetRow

_COUNTED: Final = {
    "records": "length(record) + length(box_list)", "envelopes": "length(envelope)", "blobs": "received",
    "boxes": "length(box)", "slots": "length(announcement) + length(heartbeat)", "kits": "0", "mailboxes": "0",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one set."""

    set_id: bytes
    what: str


def check_store(depot: Depot) -> Iterator[Fault]:
    """Everything that is wrong, set by set; nothing if all of it is well."""
    for set_id in sorted(depot.sets()):
        with depot.transaction() as rows:
            found = rows.find_set(set_id)
            faults = [] if found is None else list(_check_set(rows, set_id, found))
        for what in faults:
            yield Fault(set_id, what)


def count_store(depot: Depot) -> dict[str, dict[str, int]]:
    """How many rows of each kind there are, and their bytes."""
    counts = {"sets": {"count": len(depot.sets()), "bytes": 0}}
    with depot.transaction() as rows:
        for table, size in _COUNTED.items():
            found = rows.one(f"SELECT count(*), CAST(coalesce(sum({size}), 0) AS BIGINT) FROM {table}")
            assert found is not None
            counts[table] = {"count": found[0], "bytes": found[1]}
    return counts


def _check_set(rows: Rows, set_id: bytes, found: SetRow) -> Iterator[str]:
    stored = rows.all("SELECT epoch, record, box_list FROM records WHERE owner = ? ORDER BY epoch", (found.key,))
    try:
        if [epoch for epoch, _, _ in stored] != list(range(len(stored))):
            yield "records are missing from its chain"
            return
        chain = verify_chain(set_id, [raw for _, raw, _ in stored])
    except E2esyncError as error:
        yield f"its chain does not verify: {error.message}"
        return
    if (chain.epoch, chain.head.hash) != (found.epoch, found.record_hash):
        yield "its row names another record than the last one of its chain"
    yield from _check_deletion(rows, set_id, found, stored)
    if found.gone:
        return
    yield from _check_logs(rows, found, stored)
    yield from _check_boxes(rows, found, chain, stored[-1][2])
    held = yield from _check_blobs(rows, found.key)
    (envelopes,) = rows.one(
        "SELECT CAST(coalesce(sum(length(envelope)), 0) AS BIGINT) FROM envelopes WHERE owner = ?", (found.key,)
    ) or (0,)
    if held + envelopes != found.held:
        yield f"its row counts {found.held} bytes and {held + envelopes} are there"
    yield from _check_members(rows, found.key, set_id, chain)


def _check_deletion(rows: Rows, set_id: bytes, found: SetRow, stored: Sequence[Row]) -> Iterator[str]:
    """The word by which the set goes is of who may say it; of one that is gone, chain and word are all there is."""
    if found.due:
        try:
            word = parse_deletion(found.deletion)
            then = verify_chain(set_id, [raw for epoch, raw, _ in stored if epoch <= word.epoch])
            check_deletion(then, word, word.relay)
        except E2esyncError as error:
            yield f"the word on deleting it does not verify: {error.message}"
    erased = is_erased(rows, found.key)
    if not found.gone and not erased:
        yield "it is being erased, and nobody deleted it"
    if found.gone and erased:
        left = [table for table in CONTENT if rows.one(f"SELECT 1 FROM {table} WHERE owner = ?", (found.key,))]
        yield from (f"it was deleted, and has {table} left" for table in left)


def _check_logs(rows: Rows, found: SetRow, stored: Sequence[Row]) -> Iterator[str]:
    """Each log that is there is whole, from its record on, to where it was closed or stands."""
    records = [parse_record(raw) for _, raw, _ in stored]
    ends = {record.epoch: (0, record.hash) for record in records}
    present = set()
    columns = ("epoch", "seq", "hash", "log_hash", "envelope")
    for piece in rows_in_pieces(rows, "envelopes", columns, found.key):
        for epoch, seq, digest, log_hash, envelope in piece:
            present.add(epoch)
            last, before = ends.get(epoch, (0, b""))
            if seq != last + 1:
                yield f"position {last + 1} of epoch {epoch} is missing"
            if envelope_hash(envelope) != digest:
                yield f"the envelope at {epoch}.{seq} is not the one that was accepted"
            elif log_hash_after(before, digest) != log_hash:
                yield f"the log hash at {epoch}.{seq} does not follow"
            ends[epoch] = (seq, log_hash)
    if ends.get(found.epoch) != (found.seq, found.log_hash):
        yield f"the log of epoch {found.epoch} does not end at its head"
    for record in records[1:]:
        if record.epoch - 1 in present and ends[record.epoch - 1] != (record.closes_seq, record.closes_hash):
            yield f"the log of epoch {record.epoch - 1} does not end where the next record closed it"


def _check_boxes(rows: Rows, found: SetRow, chain: Chain, box_list: bytes) -> Iterator[str]:
    waits = rows.one("SELECT 1 FROM seeding WHERE owner = ? AND waits = 1", (found.key,))
    if waits is not None:
        # Between a seed and the opening that ends it there are no boxes.
        return
    boxes = rows.all("SELECT box FROM boxes WHERE owner = ? AND epoch = ? ORDER BY member", (found.key, found.epoch))
    try:
        check_boxes(box_list, [box for (box,) in boxes], chain.head, chain)
    except E2esyncError as error:
        yield f"the boxes of epoch {found.epoch} are not those of its record: {error.message}"


def _check_blobs(rows: Rows, owner: Key) -> Generator[str, None, int]:
    """Returns the bytes that the set's blobs hold."""
    held = 0
    for blob, size, received in rows.all("SELECT blob, size, received FROM blobs WHERE owner = ?", (owner,)):
        held += received
        parts = rows.all("SELECT start, bytes FROM parts WHERE owner = ? AND blob = ? ORDER BY start", (owner, blob))
        end = 0
        for start, part in parts:
            if start != end:
                yield f"a blob of {size} bytes has a gap at {end}"
            end = start + len(part)
        if end != received:
            yield f"a blob counts {received} bytes and has {end}"
        elif received == size and blake2b(Label.BLOB, *[part for _, part in parts]) != blob:
            yield f"a blob of {size} bytes is not the one that was accepted"
    return held


def _check_members(rows: Rows, owner: Key, set_id: bytes, chain: Chain) -> Iterator[str]:
    for member, raw in rows.all("SELECT member, announcement FROM slots WHERE owner = ?", (owner,)):
        try:
            if raw and check_announcement(chain, raw, None).member != member:
                yield f"the slot of member {member} is another's"
        except E2esyncError as error:
            # One that was overtaken by a record stays until its device makes the next.
            if _is_malformed(raw):
                yield f"the slot of member {member} is damaged: {error.message}"
    for index, member in chain.members.items():
        if not member.is_device and rows.one(
            "SELECT member FROM kits WHERE verify_key = ? AND set_id = ?", (member.verify_key, set_id)
        ) != (index,):
            yield f"recovery member {index} would not be found by its key"


def _is_malformed(raw: bytes) -> bool:
    try:
        parse_announcement(raw)
    except E2esyncError:
        return True
    return False
