"""Catching up (SPEC 14.1, 14.2): the log to its head, and every epoch that was opened meanwhile."""

from __future__ import annotations

from functools import reduce
from typing import Final

from e2esync.crypto import Secret
from e2esync.epoch.chain import Chain, replay_chain
from e2esync.epoch.record import Record, parse_record
from e2esync.errors import (
    E2esyncError,
    ForkDetected,
    Refused,
    RelayRestored,
    RemoteProtocolError,
    SnapshotInvalid,
    WithheldDetected,
)
from e2esync.log.envelope import next_log_hash
from e2esync.procedures.steps import PIPELINE, Link, Procedure, ask, fetch_blob, fetch_blobs
from e2esync.replica.announcing import ask_seal
from e2esync.replica.core import EPOCH, Replica
from e2esync.replica.entering import (
    Entrance,
    adopt_fold,
    adopt_snapshot,
    check_dropped,
    extend,
    missing_runs,
    open_secret,
    read_manifest,
)
from e2esync.replica.giving_way import check_gives_way, first_seed, keep_astray
from e2esync.replica.port import ContactRow
from e2esync.replica.reading import Folded, check_head, fold, keep_head, open_slice
from e2esync.replica.sightings import is_doubted
from e2esync.replica.snapshots import batch_run, chunk_items, contact_row, named_blobs, run_chunks
from e2esync.session.messages import BoxAnswer, ChainPart, LogPart, LogPush, PutSlot, Read, ReadBox, ReadChain
from e2esync.snapshot.manifest import RunRef
from e2esync.snapshot.runs import ChunkRef

HELD_MAX: Final = 16 << 20
"""Bytes of a log that are held until its head is there."""


def catch_up(replica: Replica, link: Link) -> Procedure[int]:
    """Bring a replica to the relay's head; returns how many envelopes it folded.

    `check_welcome` has judged the head of the handshake: where it is the position, nothing more is asked.
    """
    position = replica.position
    if link.epoch == position.epoch == link.head.epoch and link.head.seq == position.seq and replica.key is not None:
        return 0
    return (yield from read_on(replica, link))


def read_on(replica: Replica, link: Link) -> Procedure[int]:
    """Read to the head as it is now, through every epoch on the way; returns how many envelopes were folded."""
    folded = 0
    while True:
        # A device without a key was killed while it joined: it begins with the snapshot, whatever epoch is open.
        if link.epoch > replica.position.epoch or replica.key is None:
            before = replica.chain.relay_key
            folded += yield from enter(replica, link)
            if replica.chain.relay_key != before:
                # The set has moved: what this relay still says of it counts no more (SPEC 14.10).
                return folded
        part = yield from read_log(replica)
        if part.envelopes:
            yield from take(replica, link, part)
            folded += len(part.envelopes)
        elif part.head is not None:
            keep_head(replica, check_head(replica, part.head, replica.position, link.head.incarnation))
        if part.head is not None:
            return folded
        if not part.envelopes:
            # A log that gives neither more nor a head has been closed: an epoch was opened that nobody told of.
            link.epoch = replica.position.epoch + 1


def read_log(replica: Replica, closes: int | None = None) -> Procedure[LogPart]:
    """What follows the position: up to the relay's head, or up to where the log was `closed`.

    It is held until then, because nothing but the head, or the record, says that it is the log which the others see;
    of a log beyond 16 MiB as much as that. Without envelopes and head if the log was closed meanwhile.
    """
    epoch, first = replica.position.epoch, replica.position.seq + 1
    envelopes: list[bytes] = []
    held = 0
    while closes is None or first + len(envelopes) <= closes:
        part = yield from ask(Read(epoch, first + len(envelopes)), LogPart)
        if (part.epoch, part.start) != (epoch, first + len(envelopes)):
            raise RemoteProtocolError("the relay answered with another part of the log than was asked for")
        envelopes += part.envelopes
        held += sum(map(len, part.envelopes))
        last = first + len(envelopes) - 1
        if part.head is not None and closes is None and (part.head.seq == last or part.head.seq < first):
            return LogPart(epoch, first, tuple(envelopes), part.head)
        if part.head is not None and (part.head.seq < last or not part.envelopes):
            raise RemoteProtocolError(f"the relay's head is at {part.head.seq}, and its log ends at {last}")
        if not part.envelopes:
            return LogPart(epoch, first, (), None)
        if held > HELD_MAX:
            return LogPart(epoch, first, tuple(envelopes), None)
    return LogPart(epoch, first, tuple(envelopes[: (closes or 0) - first + 1]), None)


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
    arriving = replica.key is None
    if not raws and not arriving:
        raise RemoteProtocolError("the relay names an epoch that it does not serve the record of")
    base, raws = yield from branch_of(replica, raws)
    doubted = is_doubted(replica) or base is not None
    chain, records = extend(replica, raws, doubted=doubted, base=base)
    folded = 0 if arriving or doubted else (yield from _finish_log(replica, link, records[0]))
    box = yield from ask(ReadBox(chain.epoch), BoxAnswer)
    secret = open_secret(replica, chain, box.box_list, box.box, base)
    if secret is None:
        yield from ask_again(replica, link, chain)
        raise SnapshotInvalid(f"the box of epoch {chain.epoch} does not open with a key of this device",
                              "another device has to open an epoch; this one has asked for it")
    manifest = read_manifest(replica, chain, secret, (yield from fetch_blob(chain.head.manifest)))
    entrance = Entrance(chain, records, secret, manifest)
    if base is not None:
        check_gives_way(replica, entrance)
        link.notices.append(RelayRestored(
            f"epoch {replica.position.epoch}, with which this device brought a relay back that had lost the book, "
            "has given way to the epochs that other devices had opened before"))
    if doubted and not arriving:
        keep_astray(replica, entrance)
    if not arriving and not doubted and not records[0].relay:
        check_dropped(replica, entrance)
    if arriving or doubted or not adopt_fold(replica, entrance, link.now()):
        yield from adopt(replica, link, entrance)
    link.epoch = max(link.epoch, chain.epoch)
    return folded


def branch_of(replica: Replica, raws: tuple[bytes, ...]) -> Procedure[tuple[Chain | None, tuple[bytes, ...]]]:
    """The records to enter by: `raws`, which were served behind this replica's epoch; or, where its own last ones are
    seeds that the relay's chain does not hold, those of the relay, and the chain where both part (SPEC 14.7 step 7).
    """
    own = replica.store.records()[: replica.position.epoch + 1]
    first = first_seed(own)
    if first == len(own) or (raws and parse_record(raws[0]).prev == replica.chain.head.hash):
        return None, raws
    served = yield from read_records(first)
    same = next((n for n, (mine, theirs) in enumerate(zip(own[first:], served, strict=False)) if mine != theirs), None)
    if same is None:
        return None, raws
    return replay_chain(replica.set_id, own[: first + same]), served[same:]


def ask_again(replica: Replica, link: Link, chain: Chain) -> Procedure[None]:
    """Ask to be sealed again (SPEC 14.2 step 3): announce a key that is here under the number of the newest record."""
    own = ask_seal(replica, chain, link.entropy)
    answers = yield [PutSlot(own, b"")]
    if isinstance(answers[0], Refused) and answers[0].reason != "BadSlot":
        raise answers[0]


def begin_again(replica: Replica, link: Link) -> Procedure[None]:
    """Go back to the beginning of the open epoch: its snapshot, and nothing of its log."""
    chain = replica.chain
    secret = replica.store.secret(EPOCH, chain.epoch)
    if secret is None:
        raise SnapshotInvalid(f"this device has no secret of epoch {chain.epoch}")
    yield from adopt_whole(replica, link, secret)


def adopt_whole(replica: Replica, link: Link, secret: Secret) -> Procedure[None]:
    """Begin the epoch that this replica is in by the whole of its snapshot; epoch 0 begins empty."""
    chain = replica.chain
    manifest = None
    if chain.epoch:
        manifest = read_manifest(replica, chain, secret, (yield from fetch_blob(chain.head.manifest)))
    yield from adopt(replica, link, Entrance(chain, (), secret, manifest), (True,))


def adopt(replica: Replica, link: Link, entrance: Entrance, ways: tuple[bool, ...] = (False, True)) -> Procedure[None]:
    """Enter by the snapshot: first with only the runs that are new to this replica, then, if need be, with all."""
    manifest = entrance.manifest
    for whole in ways:
        wanted = missing_runs(replica, manifest, whole=whole) if manifest else []
        total = sum(ref.count for _number, ref in wanted)
        fetched: dict[bytes, ContactRow] = {}
        for number, ref in wanted:
            yield from _fetch_run(replica, link, number, ref, fetched, total)
        try:
            notice = adopt_snapshot(replica, entrance, fetched, link.now(), link.entropy, whole=whole)
        except SnapshotInvalid:
            if whole:
                raise
        else:
            link.notices += [notice] if notice else []
            return


def _fetch_run(replica: Replica, link: Link, number: int, ref: RunRef, fetched: dict[bytes, ContactRow], total: int,
               ) -> Procedure[None]:
    """Fetch one run, a few chunks at a time; a contact that a newer run gave already stays as it is."""
    chunks = run_chunks(replica.set_id, ref, (yield from fetch_blob(ref.index_id)))
    last = b""
    for start in range(0, len(chunks), PIPELINE):
        group: list[ChunkRef] = chunks[start : start + PIPELINE]
        blobs = yield from fetch_blobs([chunk.id for chunk in group])
        for chunk in group:
            items = chunk_items(replica.set_id, chunk, blobs[chunk.id], last)
            last = items[-1][0]
            fetched.update(
                (contact, contact_row(contact, state, number)) for contact, state in items if contact not in fetched
            )
            link.progress("download", len(fetched), total)


def read_records(first: int) -> Procedure[tuple[bytes, ...]]:
    """All records of the chain from epoch `first` on."""
    raws: tuple[bytes, ...] = ()
    while True:
        part = yield from ask(ReadChain(first + len(raws)), ChainPart)
        if not part.records:
            return raws
        raws += part.records


def _finish_log(replica: Replica, link: Link, record: Record) -> Procedure[int]:
    """Fold what is left of a closed log, up to the position that `record` closes, if it is still served.

    Raises ForkDetected, having folded nothing, where it is not the log that was closed.
    """
    position, missing = replica.position, record.closes_seq - replica.position.seq
    if missing <= 0:
        return 0
    try:
        part = yield from read_log(replica, record.closes_seq)
        if len(part.envelopes) < missing:
            return 0
        check_closed(record, reduce(next_log_hash, part.envelopes, position.log_hash))
        yield from take(replica, link, part)
    except (Refused, WithheldDetected):
        # Past the retention, say: the snapshot has it all.
        return 0
    return len(part.envelopes)


def check_closed(record: Record, log_hash: bytes) -> None:
    """Raises ForkDetected for the hash of another log than the one that `record` closes (SPEC 14.2 step 2)."""
    if log_hash != record.closes_hash:
        raise ForkDetected(f"epoch {record.epoch} closes another log than the one that the relay serves")


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
