"""Reading a book as it was (SPEC 12.7): an earlier snapshot and the log that followed, by what the relay retains.

A recovery member has its box in every epoch; the relay keeps those of closed epochs, their manifests, chunks and logs
for 30 days. Everything is verified as it was then: the record, the box, the digest of the snapshot, and the log
against the record that closed it. What is read stands in a store of its own; nothing is changed by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from e2esync.contactset import BatchOp, DeleteOp, Op, SetOp, unpack
from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import Record, parse_record
from e2esync.errors import ForkDetected, NotFound, Refused
from e2esync.limits import INT_MAX
from e2esync.log.envelope import next_log_hash
from e2esync.procedures.reading import adopt_whole, take
from e2esync.procedures.recovering import KitKeys, check_is_kit
from e2esync.procedures.steps import PIPELINE, Link, Procedure, accepted, ask, fetch_blob
from e2esync.replica.core import Position, Replica, begin
from e2esync.replica.port import ReplicaStore
from e2esync.replica.reading import open_slice
from e2esync.replica.snapshots import batch_run, chunk_items, run_chunks
from e2esync.session.messages import BoxAnswer, Have, HaveAnswer, LogPart, Read, ReadBox


@dataclass(frozen=True, slots=True)
class Retained:
    """An epoch that the relay can still give back: from when to when (ms; 0 for the open one), and who began it."""

    epoch: int
    since: int
    until: int
    opener: int


def list_retained(raws: Sequence[bytes]) -> Procedure[list[Retained]]:
    """The epochs of a chain that can be read, newest first: those whose box and manifest the relay still has."""
    records = [parse_record(raw) for raw in raws]
    retained: list[Retained] = []
    for end in range(len(records), 0, -PIPELINE):
        group = records[max(0, end - PIPELINE) : end]
        boxes = yield [ReadBox(record.epoch) for record in group]
        named = tuple(record.manifest for record in group)
        have = yield from ask(Have(named), HaveAnswer)
        here = [
            record for record, box, size in zip(group, boxes, have.received, strict=True)
            if not isinstance(box, Refused) and (size or not record.epoch)
        ]
        retained += [_retained(record, records) for record in reversed(here)]
        if len(here) < len(group):
            break
    return retained


def _retained(record: Record, records: Sequence[Record]) -> Retained:
    after = records[record.epoch + 1].time if record.epoch + 1 < len(records) else 0
    return Retained(record.epoch, record.time, after, record.opener)


def epoch_at(raws: Sequence[bytes], at: int) -> int:
    """The epoch that was open at this time (ms), by its openers' clocks. Raises NotFound for a time before the set."""
    found = [record.epoch for record in map(parse_record, raws) if record.time <= at]
    if not found:
        raise NotFound("the book did not exist then", "`e2esync recover --list` shows from when on it can be restored")
    return found[-1]


def read_past(store: ReplicaStore, link: Link, keys: KitKeys, now: Replica, at: int) -> Procedure[Replica]:
    """The book as it was at this time (ms); its replica stands in `store`. `now` is the kit's, read to the head.

    The log is folded up to the first entry that holds a write later than that, by the clock of whoever wrote it.
    Raises NotFound where the relay keeps nothing of that time any more.
    """
    raws = now.store.records()
    epoch = epoch_at(raws, at)
    answers = yield [ReadBox(epoch)]
    if isinstance(answers[0], Refused) and answers[0].reason == "NotFound":
        raise NotFound(f"the relay keeps nothing of epoch {epoch} any more",
                       "`e2esync recover --list` shows the times that can be restored")
    box = accepted(answers[0], BoxAnswer)
    chain = verify_chain(keys.set_id, raws[: epoch + 1])
    person = check_is_kit(chain, keys)
    secret = open_own_box(chain.head, keys.set_id, keys.member, box.box_list, box.box, keys.sealing)
    with store.transaction():
        replica = begin(store, keys.set_id, keys.member, person, keys.signing, chain, list(raws[: epoch + 1]))
    yield from adopt_whole(replica, link, secret)
    end = now.position
    if epoch < end.epoch:
        after = parse_record(raws[epoch + 1])
        end = Position(epoch, after.closes_seq, after.closes_hash)
    envelopes = yield from _whole_log(replica, end)
    kept = yield from _until(replica, link, envelopes, at)
    if kept:
        yield from take(replica, link, LogPart(epoch, 1, envelopes[:kept], None))
    return replica


def _whole_log(replica: Replica, end: Position) -> Procedure[tuple[bytes, ...]]:
    """The log of the replica's epoch up to where it was closed, or to where the kit has verified it."""
    envelopes: list[bytes] = []
    while len(envelopes) < end.seq:
        part = yield from ask(Read(end.epoch, len(envelopes) + 1), LogPart)
        if not part.envelopes:
            break
        envelopes += part.envelopes
    whole = tuple(envelopes[: end.seq])
    if reduce(next_log_hash, whole, replica.position.log_hash) != end.log_hash:
        raise ForkDetected(f"the log of epoch {end.epoch} that the relay serves is not the one that was written")
    return whole


def _until(replica: Replica, link: Link, envelopes: tuple[bytes, ...], at: int) -> Procedure[int]:
    """How many of the envelopes, from the first on, hold nothing that was written later than `at`."""
    opened = open_slice(replica, 1, envelopes, None, link.head.incarnation).opened
    for count, one in enumerate(opened):
        for op in one.ops:
            if (yield from _time_of(replica, op)) > at:
                return count
    return len(opened)


def _time_of(replica: Replica, op: Op) -> Procedure[int]:
    """When an operation was written; all of a batch at once, so that one chunk tells."""
    if isinstance(op, SetOp | DeleteOp):
        return op.time
    if not isinstance(op, BatchOp):
        return 0
    run = batch_run(op)
    chunks = run_chunks(replica.set_id, run, (yield from fetch_blob(run.index_id)))
    items = chunk_items(replica.set_id, chunks[0], (yield from fetch_blob(chunks[0].id)), b"") if chunks else []
    times = [group.time for _contact, state in items for life in unpack(state).lives for group in life.groups]
    return min(max(times, default=0), INT_MAX)
