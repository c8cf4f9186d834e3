"""Appends, openings and new sets in the relay's store (SPEC 13.4, 13.5): compare-and-set inside the transaction.

The rules are those of `session.rules`; here they meet the rows. A function either raises Declined, before or inside
its savepoint, or has done all of its writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from e2esync.epoch.boxes import check_boxes
from e2esync.epoch.chain import Chain, record_set_id
from e2esync.epoch.record import Flag, Record, Rekey, parse_record
from e2esync.epoch.roles import Role
from e2esync.epoch.roster import Member
from e2esync.errors import E2esyncError
from e2esync.log.envelope import envelope_hash, log_hash_after
from e2esync.session import policy, rules
from e2esync.session.commands import Change
from e2esync.session.deleting import due_after
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Append, Create, Created, Open, Opened
from e2esync.session.rules import Declined, SetView
from e2esync.stores.relay_batch import Batch, EpochOpened, Known, Logged, Outcome, with_leaving
from e2esync.stores.relay_blobs import forget_dead, mark_dead, mark_live, missing_blobs
from e2esync.stores.relay_invitations import admit_set
from e2esync.stores.relay_rows import Key, Rows
from e2esync.stores.relay_slots import check_opening_announcement, store_announcement, write_slot


def append(batch: Batch, change: Change, request: Append) -> Logged | tuple[bytes, int, int]:
    """SPEC 13.4. Returns the effect, or (set id, epoch, seq) of the same envelope's earlier append."""
    known = batch.member(change.set_id, change.member)
    view = known.view
    rules.check_not_held(view, change.member, batch.now)
    digest, after = next_position(view, change.member, request, batch.identity.key.verify_key)
    live = request.live
    if live:
        rules.check_blobs_complete(missing_blobs(batch.rows, known.row, live))
    full = policy.is_full(batch.policy, after.held, view.seq)
    if not full:
        # The unique index over hashes finds a repetition in the same statement that would store it.
        stored = batch.rows.run(
            "INSERT INTO envelopes (owner, epoch, seq, member, time, hash, log_hash, envelope) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (known.row, view.epoch, after.seq, change.member, batch.now, digest, after.log_hash, request.envelope),
        )
    if full or not stored:
        earlier = batch.rows.one(
            "SELECT seq FROM envelopes WHERE owner = ? AND epoch = ? AND hash = ?", (known.row, view.epoch, digest)
        )
        if earlier is None:
            rules.check_quota(view, len(request.envelope), batch.policy.set_bytes)
            policy.check_entries(batch.policy, view.seq)
        assert earlier is not None, "the view of a set and its log are out of step"
        # SPEC 13.4 step 5: the acknowledgement was lost, the envelope was not.
        batch.appended(view)
        return view.set_id, view.epoch, earlier[0]
    if live:
        mark_live(batch, known.row, live, view.epoch, after.seq)
    batch.update(known, after)
    batch.appended(after)
    return Logged(view.set_id, view.epoch, after.seq, request.envelope, change.member, change.session)


def next_position(view: SetView, member: int, request: Append, relay_key: bytes) -> tuple[bytes, SetView]:
    """SPEC 13.4 steps 1 to 3, 13.12 steps 3 and 6: the envelope's hash, and the set once it has the next position."""
    check_may_append(view, member, request.epoch, relay_key)
    rules.check_envelope(request.epoch, request.envelope)
    digest = envelope_hash(request.envelope)
    return digest, replace(
        view, seq=view.seq + 1, log_hash=log_hash_after(view.log_hash, digest), held=view.held + len(request.envelope)
    )


def check_may_append(view: SetView, member: int, epoch: int, relay_key: bytes) -> None:
    """SPEC 13.4 steps 1 and 2, 13.12 steps 3 and 6: whether the member may append to this epoch."""
    rules.check_not_gone(view)
    rules.check_append(view, member, epoch)
    rules.check_here(view.chain, relay_key)


def open_epoch(batch: Batch, change: Change, request: Open) -> Outcome:
    """SPEC 13.5."""
    known = batch.member(change.set_id, change.member)
    view = known.view
    rules.check_not_held(view, change.member, batch.now)
    record = parsed(request.record)
    if record.hash == view.record_hash and record.opener == change.member:
        return Outcome(_opened(batch, record, view.set_id))
    chain = rules.check_opening(view, change.member, record)
    if view.waits_for is None:
        rules.check_here(view.chain, batch.identity.key.verify_key)
        hash_there, later = _behind(batch.rows, known, record.closes_seq)
        rules.check_close(chain, record, hash_there, {author for _, author, _ in later})
    else:
        # SPEC 13.12: the log that this closes is not here; the snapshot has what came of it.
        rules.check_here(chain, batch.identity.key.verify_key)
        rules.check_seed_complete(hash_of(batch.rows, known.row, view.waits_for[0]), view.waits_for)
        batch.rows.run("DELETE FROM seeding WHERE owner = ? AND waits = 1", (known.row,))
        later = []
    policy.check_members(batch.policy, len(view.chain.members), len(chain.members))
    _check_boxes(request.box_list, request.boxes, record, chain)
    rules.check_blobs_complete(missing_blobs(batch.rows, known.row, (record.manifest, *request.live)))
    check_opening_announcement(batch.rows, known.row, chain, request.announcement)
    _check_rate(batch, known, change.member, record.only_removes)

    _store_record(batch, known.row, record, request.box_list, request.boxes, chain)
    dropped = sum(size for _, _, size in later)
    _drop_envelopes(batch, known.row, view, record.closes_seq)
    mark_dead(batch, known.row, request.dead)
    mark_live(batch, known.row, (record.manifest, *request.live), record.epoch, 0)
    _reset_slots(batch, known, record, request.announcement)
    place_kits(batch, view.chain.members, chain)
    if record.flags & Flag.FORGET and view.chain.members[change.member].role is Role.ROOT:
        dropped += _forget_past(batch.rows, known.row, record.epoch)
    after = replace(view, chain=chain, epoch=record.epoch, record_hash=record.hash, seq=0, log_hash=record.hash,
                    held=view.held - dropped, waits_for=None, due=due_after(view, chain),
                    holds=view.holds.decided(change.member, accepted=True))
    batch.update(known, with_leaving(batch.rows, known.row, after))
    effect = EpochOpened(
        view.set_id, record.epoch, record.raw, change.member, change.session, ended_by(view.chain, chain)
    )
    return Outcome(_opened(batch, record, view.set_id), effect)


def ended_by(before: Chain, after: Chain) -> frozenset[int]:
    """The members whose sessions are over by the last record of `after`: removed, or under another key."""
    rekeyed = {change.member for change in after.head.changes if isinstance(change, Rekey)}
    return frozenset((before.members.keys() - after.members.keys()) | rekeyed)


def create_set(batch: Batch, request: Create) -> Outcome:
    """CREATE: a set, whose record 0 says everything about it (SPEC 9.1, 13.3)."""
    record = parsed(request.record)
    try:
        set_id = record_set_id(record)
        chain = Chain.begin(record, set_id)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error
    known = batch.find(set_id)
    if known is not None:
        rules.check_not_gone(known.view)
        # A lost answer: the same record 0 gives the same answer. Another one under this root key is refused.
        first = batch.rows.one("SELECT record FROM records WHERE owner = ? AND epoch = 0", (known.row,))
        if first == (record.raw,):
            return Outcome(Created(set_id))
        raise Declined(Refusal.BAD_RECORD, "the set exists, with another record 0")
    if record.relay != batch.identity.key.verify_key:
        raise Declined(Refusal.BAD_RECORD, "record 0 names another relay than this one")
    _check_boxes(request.box_list, request.boxes, record, chain)
    admit_set(batch, request.invitation)
    row = batch.rows.make_set(set_id, record.hash)
    _store_record(batch, row, record, request.box_list, request.boxes, chain)
    place_kits(batch, {}, chain)
    view = SetView(set_id, chain, 0, record.hash, 0, record.hash, 0)
    known = Known(row, view)
    for raw in request.announcements:
        store_announcement(batch, known, raw)
    batch.update(known, with_leaving(batch.rows, row, view))
    return Outcome(Created(set_id))


def hash_of(rows: Rows, owner: Key, epoch: int) -> bytes | None:
    """The hash of the record of an epoch that the relay holds."""
    found = rows.one("SELECT record FROM records WHERE owner = ? AND epoch = ?", (owner, epoch))
    return None if found is None else parse_record(found[0]).hash


def parsed(raw: bytes) -> Record:
    """A record; Declined for one that is malformed."""
    try:
        return parse_record(raw)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error


def _opened(batch: Batch, record: Record, set_id: bytes) -> Opened:
    # Position 0's log hash is the record's (SPEC 10.1). A repeated opening gets the same, wherever the log is by now.
    return Opened(record.epoch, batch.identity.head(set_id, record.epoch, 0, record.hash, record.hash, batch.now))


def _behind(rows: Rows, known: Known, seq: int) -> tuple[bytes | None, list[tuple[Any, ...]]]:
    """The log hash at a position of the open log (None beyond its end), and what lies behind: (seq, member, size)."""
    view = known.view
    if seq > view.seq:
        return None, []
    if seq == view.seq:
        return view.log_hash, []
    later = rows.all(
        "SELECT seq, member, length(envelope) FROM envelopes WHERE owner = ? AND epoch = ? AND seq > ?",
        (known.row, view.epoch, seq),
    )
    if seq == 0:
        return view.record_hash, later
    there = rows.one(
        "SELECT log_hash FROM envelopes WHERE owner = ? AND epoch = ? AND seq = ?", (known.row, view.epoch, seq)
    )
    return there[0] if there else None, later


def _check_boxes(box_list: bytes, boxes: Sequence[bytes], record: Record, chain: Chain) -> None:
    try:
        check_boxes(box_list, list(boxes), record, chain)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error


def _check_rate(batch: Batch, known: Known, member: int, removal: bool) -> None:
    if known.view.chain.members[member].role is Role.ROOT:
        return
    found = batch.rows.one("SELECT due FROM openings WHERE owner = ? AND member = ?", (known.row, member))
    due = rules.check_rate(found[0] if found else 0, batch.now, removal)
    batch.rows.run(
        "INSERT INTO openings (owner, member, due) VALUES (?, ?, ?) "
        "ON CONFLICT (owner, member) DO UPDATE SET due = excluded.due",
        (known.row, member, due),
    )


def _store_record(
    batch: Batch, row: Key, record: Record, box_list: bytes, boxes: Iterable[bytes], chain: Chain
) -> None:
    rows = batch.rows
    rows.run("UPDATE records SET closed = ? WHERE owner = ? AND epoch = ?", (batch.now, row, record.epoch - 1))
    rows.run(
        "INSERT INTO records (owner, epoch, opened, record, box_list) VALUES (?, ?, ?, ?, ?)",
        (row, record.epoch, batch.now, record.raw, box_list),
    )
    # SPEC 13.5 step 10. Recovery members keep theirs: they are the way back to what a thief overwrote.
    rows.run("DELETE FROM boxes WHERE owner = ? AND device = 1", (row,))
    rows.many(
        "INSERT INTO boxes (owner, epoch, member, device, box) VALUES (?, ?, ?, ?, ?)",
        [
            (row, record.epoch, member, int(chain.members[member].is_device), box)
            for member, box in zip(sorted(chain.members), boxes, strict=True)
        ],
    )


def place_kits(batch: Batch, before: Mapping[int, Member], after: Chain) -> None:
    """Where the recovery keys of the set are members now (SPEC 13.10): whose membership the record has changed."""
    batch.rows.many("DELETE FROM kits WHERE verify_key = ? AND set_id = ?", [
        (member.verify_key, after.set_id) for index, member in before.items()
        if not member.is_device and index not in after.members
    ])
    batch.rows.many("INSERT INTO kits (verify_key, set_id, member, root, since) VALUES (?, ?, ?, ?, ?)", [
        (member.verify_key, after.set_id, index, int(member.role is Role.ROOT), batch.now)
        for index, member in after.members.items() if not member.is_device and index not in before
    ])


def _forget_past(rows: Rows, owner: Key, epoch: int) -> int:
    """SPEC 13.5 step 11: the root's *forget* ends the retention of everything before. Returns the bytes that went."""
    held = rows.one(
        "SELECT CAST(coalesce(sum(length(envelope)), 0) AS BIGINT) FROM envelopes WHERE owner = ? AND epoch < ?",
        (owner, epoch),
    )
    rows.run("DELETE FROM envelopes WHERE owner = ? AND epoch < ?", (owner, epoch))
    rows.run("DELETE FROM boxes WHERE owner = ? AND epoch < ?", (owner, epoch))
    rows.run("UPDATE records SET closed = NULL, box_list = ? WHERE owner = ? AND epoch < ?", (b"", owner, epoch))
    return (held[0] if held else 0) + forget_dead(rows, owner)


def _drop_envelopes(batch: Batch, row: Key, view: SetView, seq: int) -> None:
    batch.rows.run("DELETE FROM envelopes WHERE owner = ? AND epoch = ? AND seq > ?", (row, view.epoch, seq))
    # What only a dropped envelope named belongs to nothing any more.
    batch.rows.run(
        "UPDATE blobs SET state = 2, since = ? WHERE owner = ? AND state = 1 AND epoch = ? AND seq > ?",
        (batch.now, row, view.epoch, seq),
    )


def _reset_slots(batch: Batch, known: Known, record: Record, announcement: bytes) -> None:
    batch.rows.many(
        "DELETE FROM slots WHERE owner = ? AND member = ?", [(known.row, member) for member in record.removes]
    )
    batch.rows.run("UPDATE slots SET heartbeat = ? WHERE owner = ?", (b"", known.row))
    if announcement:
        write_slot(batch, known, record.opener, announcement, b"", announced=True)


def sweep_logs(rows: Rows, owner: Key, now: int, retention: int) -> tuple[int, int]:
    """Drops a set's logs and boxes of epochs that closed longer ago than the retention.

    Returns (how many envelopes went, their bytes).
    """
    gone = freed = 0
    for (epoch,) in rows.all(
        "SELECT epoch FROM records WHERE owner = ? AND closed < ?", (owner, now - retention)
    ):
        held = rows.one(
            "SELECT CAST(coalesce(sum(length(envelope)), 0) AS BIGINT) FROM envelopes WHERE owner = ? AND epoch = ?",
            (owner, epoch),
        )
        freed += held[0] if held else 0
        gone += rows.run("DELETE FROM envelopes WHERE owner = ? AND epoch = ?", (owner, epoch))
        rows.run("DELETE FROM boxes WHERE owner = ? AND epoch = ?", (owner, epoch))
        rows.run(
            "UPDATE records SET closed = NULL, box_list = ? WHERE owner = ? AND epoch = ?", (b"", owner, epoch)
        )
    return gone, freed


def owners_of_old_logs(rows: Rows, now: int, retention: int) -> set[Key]:
    """The sets that have something for `sweep_logs` to drop; of many, some."""
    found = rows.all("SELECT owner FROM records WHERE closed < ? LIMIT 1000", (now - retention,))
    return {owner for (owner,) in found}
