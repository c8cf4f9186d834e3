"""Appends, openings and new sets in the relay's store (SPEC 13.4, 13.5): compare-and-set inside the transaction.

The rules are those of `session.rules`; here they meet the rows. A function either raises Declined, before or inside
its savepoint, or has done all of its writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import apsw

from e2esync.epoch.boxes import check_boxes
from e2esync.epoch.chain import Chain, record_set_id
from e2esync.epoch.record import Record, Rekey, parse_record
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError
from e2esync.limits import BLOB_DEAD_RETENTION
from e2esync.log.envelope import envelope_hash, next_log_hash
from e2esync.session import rules
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Append, Create, Created, Open, Opened
from e2esync.session.rules import Declined, SetView
from e2esync.stores.relay_batch import Batch, EpochOpened, Known, Logged, Outcome, with_leaving
from e2esync.stores.relay_blobs import mark_dead, mark_live, missing_blobs
from e2esync.stores.relay_slots import check_opening_announcement, store_announcement


def append(batch: Batch, change: Change, request: Append) -> Logged | tuple[bytes, int, int]:
    """SPEC 13.4. Returns the effect, or (set id, epoch, seq) of the same envelope's earlier append."""
    known = batch.member(change.set_id, change.member)
    view = known.view
    rules.check_append(view, change.member, request.epoch, request.envelope)
    live = request.live
    if live:
        rules.check_blobs_complete(missing_blobs(batch.connection, known.row, live))
    digest = envelope_hash(request.envelope)
    seq, log_hash = view.seq + 1, next_log_hash(view.log_hash, request.envelope)
    full = view.held + len(request.envelope) > batch.quota
    if not full:
        # The unique index over hashes finds a repetition in the same statement that would store it.
        batch.connection.execute(
            "INSERT OR IGNORE INTO envelopes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (known.row, view.epoch, seq, change.member, batch.now, digest, log_hash, request.envelope),
        )
    if full or not batch.connection.changes():
        earlier = batch.connection.execute(
            "SELECT seq FROM envelopes WHERE owner = ? AND epoch = ? AND hash = ?", (known.row, view.epoch, digest)
        ).get
        if earlier is None:
            rules.check_quota(view, len(request.envelope), batch.quota)
        assert earlier is not None, "the view of a set and its log are out of step"
        # SPEC 13.4 step 5: the acknowledgement was lost, the envelope was not.
        batch.appended(view)
        return view.set_id, view.epoch, earlier
    if live:
        mark_live(batch, known.row, live, view.epoch, seq)
    after = replace(view, seq=seq, log_hash=log_hash, held=view.held + len(request.envelope))
    batch.update(known, after)
    batch.appended(after)
    return Logged(view.set_id, view.epoch, seq, request.envelope, change.member, change.session)


def open_epoch(batch: Batch, change: Change, request: Open) -> Outcome:
    """SPEC 13.5."""
    known = batch.member(change.set_id, change.member)
    view = known.view
    record = _parsed(request.record)
    if record.hash == view.record_hash and record.opener == change.member:
        return Outcome(_opened(batch, record, view.set_id))
    chain = rules.check_opening(view, change.member, record)
    hash_there, later = _behind(batch.connection, known, record.closes_seq)
    rules.check_close(chain, record, hash_there, {author for _, author, _ in later})
    _check_boxes(request.box_list, request.boxes, record, chain)
    rules.check_blobs_complete(missing_blobs(batch.connection, known.row, (record.manifest, *request.live)))
    check_opening_announcement(batch.connection, known.row, chain, request.announcement)
    _check_rate(batch, known, change.member)

    _store_record(batch, known.row, record, request.box_list, request.boxes, chain)
    dropped = sum(size for _, _, size in later)
    _drop_envelopes(batch, known.row, view, record.closes_seq)
    mark_dead(batch, known.row, request.dead)
    mark_live(batch, known.row, (record.manifest, *request.live), record.epoch, 0)
    _reset_slots(batch, known.row, record, request.announcement)
    after = SetView(view.set_id, chain, record.epoch, record.hash, 0, record.hash, view.held - dropped)
    batch.update(known, with_leaving(batch.connection, known.row, after))
    ended = view.chain.members.keys() - chain.members.keys()
    rekeyed = {change.member for change in record.changes if isinstance(change, Rekey)}
    effect = EpochOpened(
        view.set_id, record.epoch, record.raw, change.member, change.session, frozenset(ended | rekeyed)
    )
    return Outcome(_opened(batch, record, view.set_id), effect)


def create_set(batch: Batch, request: Create) -> Outcome:
    """CREATE: a set, whose record 0 says everything about it (SPEC 9.1, 13.3)."""
    record = _parsed(request.record)
    try:
        set_id = record_set_id(record)
        chain = Chain.begin(record, set_id)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error
    known = batch.find(set_id)
    if known is not None:
        # A lost answer: the same record 0 gives the same answer. Another one under this root key is refused.
        first = batch.connection.execute("SELECT record FROM records WHERE owner = ? AND epoch = 0", (known.row,))
        if first.get == record.raw:
            return Outcome(Created(set_id))
        raise Declined(Refusal.BAD_RECORD, "the set exists, with another record 0")
    if record.relay != batch.identity.key.verify_key:
        raise Declined(Refusal.BAD_RECORD, "record 0 names another relay than this one")
    _check_boxes(request.box_list, request.boxes, record, chain)
    batch.connection.execute(
        "INSERT INTO sets (set_id, epoch, record_hash, seq, log_hash, held) VALUES (?, 0, ?, 0, ?, 0)",
        (set_id, record.hash, record.hash),
    )
    row = batch.connection.last_insert_rowid()
    _store_record(batch, row, record, request.box_list, request.boxes, chain)
    for raw in request.announcements:
        store_announcement(batch, row, chain, raw)
    view = SetView(set_id, chain, 0, record.hash, 0, record.hash, 0)
    batch.update(Known(row, view), with_leaving(batch.connection, row, view))
    return Outcome(Created(set_id))


def _parsed(raw: bytes) -> Record:
    try:
        return parse_record(raw)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error


def _opened(batch: Batch, record: Record, set_id: bytes) -> Opened:
    # Position 0's log hash is the record's (SPEC 10.1). A repeated opening gets the same, wherever the log is by now.
    return Opened(record.epoch, batch.identity.head(set_id, record.epoch, 0, record.hash, record.hash, batch.now))


def _behind(connection: apsw.Connection, known: Known, seq: int) -> tuple[bytes | None, list[tuple[Any, ...]]]:
    """The log hash at a position of the open log (None beyond its end), and what lies behind: (seq, member, size)."""
    view = known.view
    if seq > view.seq:
        return None, []
    if seq == view.seq:
        return view.log_hash, []
    later: list[tuple[Any, ...]] = connection.execute(
        "SELECT seq, member, length(envelope) FROM envelopes WHERE owner = ? AND epoch = ? AND seq > ?",
        (known.row, view.epoch, seq),
    ).fetchall()
    if seq == 0:
        return view.record_hash, later
    there = connection.execute(
        "SELECT log_hash FROM envelopes WHERE owner = ? AND epoch = ? AND seq = ?", (known.row, view.epoch, seq)
    ).get
    return there, later


def _check_boxes(box_list: bytes, boxes: Sequence[bytes], record: Record, chain: Chain) -> None:
    try:
        check_boxes(box_list, list(boxes), record, chain)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error


def _check_rate(batch: Batch, known: Known, member: int) -> None:
    if known.view.chain.members[member].role is Role.ROOT:
        return
    due = batch.connection.execute(
        "SELECT due FROM openings WHERE owner = ? AND member = ?", (known.row, member)
    ).get
    batch.connection.execute(
        "INSERT OR REPLACE INTO openings VALUES (?, ?, ?)",
        (known.row, member, rules.check_rate(due or 0, batch.now)),
    )


def _store_record(
    batch: Batch, row: int, record: Record, box_list: bytes, boxes: Iterable[bytes], chain: Chain
) -> None:
    connection = batch.connection
    connection.execute(
        "UPDATE records SET closed = ? WHERE owner = ? AND epoch = ?", (batch.now, row, record.epoch - 1)
    )
    connection.execute(
        "INSERT INTO records VALUES (?, ?, ?, NULL, ?, ?)", (row, record.epoch, batch.now, record.raw, box_list)
    )
    # SPEC 13.5 step 10. Recovery members keep theirs: they are the way back to what a thief overwrote.
    connection.execute("DELETE FROM boxes WHERE owner = ? AND device", (row,))
    connection.executemany(
        "INSERT INTO boxes VALUES (?, ?, ?, ?, ?)",
        [
            (row, record.epoch, member, chain.members[member].is_device, box)
            for member, box in zip(sorted(chain.members), boxes, strict=True)
        ],
    )


def _drop_envelopes(batch: Batch, row: int, view: SetView, seq: int) -> None:
    connection = batch.connection
    connection.execute("DELETE FROM envelopes WHERE owner = ? AND epoch = ? AND seq > ?", (row, view.epoch, seq))
    # What only a dropped envelope named belongs to nothing any more.
    connection.execute(
        "UPDATE blobs SET state = 2, since = ? WHERE owner = ? AND state = 1 AND epoch = ? AND seq > ?",
        (batch.now, row, view.epoch, seq),
    )


def _reset_slots(batch: Batch, row: int, record: Record, announcement: bytes) -> None:
    connection = batch.connection
    for member in record.removes:
        connection.execute("DELETE FROM slots WHERE owner = ? AND member = ?", (row, member))
    connection.execute("UPDATE slots SET heartbeat = x'' WHERE owner = ?", (row,))
    if announcement:
        connection.execute(
            "INSERT OR REPLACE INTO slots VALUES (?, ?, ?, x'', ?)", (row, record.opener, announcement, batch.now)
        )


def sweep_logs(batch: Batch) -> int:
    """Drops logs and boxes of epochs that closed longer ago than the retention. Returns how many envelopes went."""
    connection = batch.connection
    before = batch.now - BLOB_DEAD_RETENTION
    closed = connection.execute("SELECT owner, epoch FROM records WHERE closed < ? LIMIT 1000", (before,)).fetchall()
    gone = 0
    for row, epoch in closed:
        size = connection.execute(
            "SELECT coalesce(sum(length(envelope)), 0) FROM envelopes WHERE owner = ? AND epoch = ?", (row, epoch)
        ).get
        connection.execute("DELETE FROM envelopes WHERE owner = ? AND epoch = ?", (row, epoch))
        gone += connection.changes()
        connection.execute("UPDATE sets SET held = held - ? WHERE id = ?", (size, row))
        connection.execute("DELETE FROM boxes WHERE owner = ? AND epoch = ?", (row, epoch))
        connection.execute(
            "UPDATE records SET closed = NULL, box_list = x'' WHERE owner = ? AND epoch = ?", (row, epoch)
        )
    return gone
