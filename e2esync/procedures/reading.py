"""Catching up (SPEC 14.1, 14.2): the log to its head, and every epoch that was opened meanwhile."""

from __future__ import annotations

from e2esync.errors import E2esyncError, ForkDetected, RemoteProtocolError, SnapshotInvalid
from e2esync.procedures.steps import PIPELINE, Link, Procedure, ask, fetch_blob, fetch_blobs
from e2esync.replica.core import EPOCH, Replica
from e2esync.replica.entering import (
    Entrance,
    adopt_fold,
    adopt_snapshot,
    closed_at,
    extend,
    missing_runs,
    open_secret,
    read_manifest,
)
from e2esync.replica.reading import Folded, check_head, fold, open_slice
from e2esync.replica.snapshots import batch_run, chunk_items, named_blobs, run_chunks
from e2esync.session.messages import BoxAnswer, ChainPart, LogPart, LogPush, Read, ReadBox, ReadChain
from e2esync.snapshot.manifest import RunRef
from e2esync.snapshot.runs import ChunkRef


def catch_up(replica: Replica, link: Link) -> Procedure[int]:
    """Bring a replica to the relay's head; returns how many envelopes it folded.

    `check_welcome` has judged the head of the handshake: where it is the position, nothing more is asked.
    """
    position = replica.position
    if link.epoch == position.epoch == link.head.epoch and link.head.seq == position.seq:
        return 0
    return (yield from read_on(replica, link))


def read_on(replica: Replica, link: Link) -> Procedure[int]:
    """Read to the head as it is now, through every epoch on the way; returns how many envelopes were folded."""
    folded = 0
    while True:
        if link.epoch > replica.position.epoch:
            folded += yield from enter(replica, link)
        part = yield from ask(Read(replica.position.epoch, replica.position.seq + 1), LogPart)
        if part.envelopes:
            yield from take(replica, link, part)
            folded += len(part.envelopes)
        elif part.head is not None:
            check_head(replica, part.head, replica.position, link.head.incarnation)
        if part.head is not None and part.head.seq <= replica.position.seq:
            return folded
        if not part.envelopes:
            # A log that gives neither more nor a head has been closed: an epoch was opened that nobody told of.
            link.epoch = replica.position.epoch + 1


def take(replica: Replica, link: Link, part: LogPart | LogPush) -> Procedure[Folded]:
    """Fold envelopes that come right behind the position, from an answer or a push (SPEC 14.1)."""
    opened = open_slice(replica, part.start, part.envelopes, part.head, link.head.incarnation)
    blobs: dict[bytes, bytes] = {}
    for op, named in opened.batches:
        blobs.update((yield from _batch_blobs(replica, link, batch_run(op), named)))
    folded = fold(replica, opened, blobs, link.now())
    link.notices += folded.detections
    return folded


def enter(replica: Replica, link: Link) -> Procedure[int]:
    """Enter the newest epoch (SPEC 14.2); returns how many envelopes of the one left were folded on the way."""
    raws = yield from read_records(replica.position.epoch + 1)
    if not raws:
        raise RemoteProtocolError("the relay names an epoch that it does not serve the record of")
    chain, records = extend(replica, raws)
    folded = yield from _finish_log(replica, link, records[0].closes_seq)
    if folded and not closed_at(replica, records[0]):
        raise ForkDetected(f"epoch {records[0].epoch} closes another log than the one that the relay serves")
    box = yield from ask(ReadBox(chain.epoch), BoxAnswer)
    secret = open_secret(replica, chain, box.box_list, box.box)
    if secret is None:
        raise SnapshotInvalid(f"the box of epoch {chain.epoch} does not open with a key of this device",
                              "another device has to open an epoch; this one goes on reading")
    manifest = read_manifest(replica, chain, secret, (yield from fetch_blob(chain.head.manifest)))
    entrance = Entrance(chain, records, secret, manifest)
    if not adopt_fold(replica, entrance):
        yield from adopt(replica, link, entrance)
    link.epoch = max(link.epoch, chain.epoch)
    return folded


def begin_again(replica: Replica, link: Link) -> Procedure[None]:
    """Go back to the beginning of the open epoch: its snapshot, and nothing of its log."""
    chain = replica.chain
    secret = replica.store.secret(EPOCH, chain.epoch)
    if secret is None:
        raise SnapshotInvalid(f"this device has no secret of epoch {chain.epoch}")
    entrance = Entrance(chain, (), secret, None)
    if chain.epoch:
        manifest = read_manifest(replica, chain, secret, (yield from fetch_blob(chain.head.manifest)))
        entrance = Entrance(chain, (), secret, manifest)
    yield from adopt(replica, link, entrance, (True,))


def adopt(replica: Replica, link: Link, entrance: Entrance, ways: tuple[bool, ...] = (False, True)) -> Procedure[None]:
    """Enter by the snapshot: first with only the runs that are new to this replica, then, if need be, with all."""
    manifest = entrance.manifest
    for whole in ways:
        replica.store.clear_staged()
        wanted = missing_runs(replica, manifest, whole=whole) if manifest else []
        total = sum(ref.count for _number, ref in wanted)
        done = 0
        for number, ref in wanted:
            done = yield from _stage(replica, link, number, ref, done, total)
        try:
            notice = adopt_snapshot(replica, entrance, whole=whole)
        except SnapshotInvalid:
            if whole:
                raise
        else:
            link.notices += [notice] if notice else []
            return


def _stage(replica: Replica, link: Link, number: int, ref: RunRef, done: int, total: int) -> Procedure[int]:
    """Fetch one run, a few chunks at a time, into the staging area."""
    chunks = run_chunks(replica.set_id, ref, (yield from fetch_blob(ref.index_id)))
    last = b""
    for start in range(0, len(chunks), PIPELINE):
        group: list[ChunkRef] = chunks[start : start + PIPELINE]
        blobs = yield from fetch_blobs([chunk.id for chunk in group])
        for chunk in group:
            items = chunk_items(replica.set_id, chunk, blobs[chunk.id], last)
            last = items[-1][0]
            replica.store.stage((contact, state, number) for contact, state in items)
            done += len(items)
            link.progress("download", done, total)
    return done


def read_records(first: int) -> Procedure[tuple[bytes, ...]]:
    """All records of the chain from epoch `first` on."""
    raws: tuple[bytes, ...] = ()
    while True:
        part = yield from ask(ReadChain(first + len(raws)), ChainPart)
        if not part.records:
            return raws
        raws += part.records


def _finish_log(replica: Replica, link: Link, closes: int) -> Procedure[int]:
    """Fold what is left of a closed log, up to the position that the next record closes."""
    folded = 0
    while replica.position.seq < closes:
        part = yield from ask(Read(replica.position.epoch, replica.position.seq + 1), LogPart)
        if not part.envelopes:
            break
        left = part.envelopes[: closes - replica.position.seq]
        yield from take(replica, link, LogPart(part.epoch, part.start, left, None))
        folded += len(left)
    return folded


def _batch_blobs(replica: Replica, link: Link, run: RunRef, named: frozenset[bytes]) -> Procedure[dict[bytes, bytes]]:
    """The blobs of a batch: those at hand (it may be this device's own), and the others from the relay.

    Only blobs that the envelope names are asked for: the relay has them. A batch that lies elsewhere, or whose index
    is none, has no effect, which the fold finds out by itself.
    """
    if run.index_id not in named:
        return {}
    index = replica.store.upload(run.index_id) or (yield from fetch_blob(run.index_id))
    blobs = {run.index_id: index}
    try:
        chunks = run_chunks(replica.set_id, run, index)
    except E2esyncError:
        return blobs
    missing = []
    for chunk in chunks if named_blobs(run, chunks) <= named else ():
        at_hand = replica.store.upload(chunk.id)
        if at_hand is None:
            missing.append(chunk.id)
        else:
            blobs[chunk.id] = at_hand
    for start in range(0, len(missing), PIPELINE):
        link.progress("download", start, len(missing))
        blobs.update((yield from fetch_blobs(missing[start : start + PIPELINE])))
    return blobs
