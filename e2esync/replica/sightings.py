"""What the others say that they have seen, against what this device was served (SPEC 14.6).

Entries name a head and a version vector, heartbeats a head that the relay has signed and a vector. Whatever of it lies
beyond what the relay serves here is withheld; whatever lies within it and differs is a fork. A member may claim what
it likes, so an entry's claim is only reported; two heads that the relay has signed are evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from e2esync.epoch.record import parse_record
from e2esync.errors import Detection, E2esyncError, ForkDetected, WithheldDetected
from e2esync.log.entry import LOG_HASH_CUT, Entry, SeenHead
from e2esync.log.envelope import envelope_hash, read_envelope
from e2esync.log.evidence import rolled_back, two_entries, two_logs
from e2esync.log.head import Head, parse_head
from e2esync.log.heartbeat import Heartbeat
from e2esync.replica.announcing import valid_beat
from e2esync.replica.core import Replica
from e2esync.wire import decode, encode

RESTORED = "restored"
"""Named value: the epoch in which the relay came back from a backup. Heads of its life before prove nothing then."""
DOUBT = "doubt"
"""Named value: the epoch whose log, as this device knows it, was found to be another than the relay's."""
CHAIN = "chain"
"""What a fork of the chain itself is about."""


def is_doubted(replica: Replica) -> bool:
    """Whether another history was met in the epoch that is open here: the next sync looks at it from its beginning."""
    return replica.store.get(DOUBT) == encode(replica.position.epoch)


def doubt(replica: Replica) -> None:
    """Another history was met."""
    replica.store.put(DOUBT, encode(replica.position.epoch))


def kept_head(replica: Replica) -> Head | None:
    """The newest head of the relay that this device has verified."""
    stored = replica.store.get("head")
    return parse_head(*decode(stored)) if stored else None


def is_restored(replica: Replica) -> bool:
    """Whether the relay came back from a backup in the epoch that is open."""
    return replica.store.get(RESTORED) == encode(replica.position.epoch)


def hash_at(replica: Replica, seq: int) -> bytes | None:
    """The log hash at a position of the open epoch that this device has folded; None beyond."""
    return replica.chain.head.hash if seq == 0 else replica.store.log_hash(seq)


def check_entry(replica: Replica, entry: Entry, seq: int, counter_of: Callable[[int], int],
                log_hash: Callable[[int], bytes | None]) -> list[Detection]:
    """What an entry at position `seq` says of the log before it (SPEC 14.6 steps 1 and 2); of another's entry.

    `counter_of` gives a member's folded counter there, `log_hash` the log hash at a position before.
    """
    if entry.author == replica.member or is_restored(replica):
        return []
    found: list[Detection] = withheld(replica, entry.author, entry.vector, counter_of)
    seen, epoch = entry.seen_head, replica.position.epoch
    if seen.epoch < epoch:
        return found + _closed(replica, entry.author, seen)
    if (seen.epoch, seen.seq) >= (epoch, seq):
        return [*found, _ahead(entry.author, seen.epoch, seen.seq)]
    here = log_hash(seen.seq)
    if here is not None and here[:LOG_HASH_CUT] != seen.log_hash:
        found.append(_other_log(entry.author, seen.epoch, seen.seq))
    return found


def withheld(replica: Replica, witness: int, vector: Mapping[int, int], counter_of: Callable[[int], int],
             ) -> list[Detection]:
    """Entries that a member has seen and this device was not served, by author (SPEC 14.6 step 1)."""
    # What a removed member wrote last may have been left out by the record that removed it.
    return [
        missing(author, counter, f"member {witness} has seen it") for author, counter in sorted(vector.items())
        if author != witness and author in replica.chain.members and counter > counter_of(author)
    ]


def missing(author: int, counter: int, why: str) -> WithheldDetected:
    """An entry that exists and is not served."""
    return WithheldDetected(
        f"change {counter} of member {author} exists ({why}) and the relay does not show it to this device",
        about=str(author), counter=counter,
    )


def compare_beats(replica: Replica, incarnation: int) -> list[Detection]:
    """What the heartbeats last served say (SPEC 14.6 steps 3 and 4), for a replica that is caught up.

    A beat of another life of the relay's store says nothing about this one.
    """
    found: list[Detection] = []
    counters = {member: counter for member, (counter, _id) in replica.store.vector().items()}
    for beat in _beats(replica):
        if beat.head.incarnation == incarnation:
            found += withheld(replica, beat.member, beat.vector, lambda author: counters.get(author, 0))
            found += _compare_head(replica, beat)
    return found


def is_behind(replica: Replica) -> bool:
    """Whether a heartbeat speaks of more than this device was served: it may only have to read on."""
    position = replica.position
    counters = {member: counter for member, (counter, _id) in replica.store.vector().items()}
    return any(
        (beat.head.epoch, beat.head.seq) > (position.epoch, position.seq)
        or withheld(replica, beat.member, beat.vector, lambda author: counters.get(author, 0))
        for beat in _beats(replica)
    )


def fork_of(set_id: bytes, mine: Head | None, theirs: Head, log_hash: Callable[[int], bytes | None],
            envelopes: Callable[[int], bytes | None]) -> bytes:
    """Evidence that two heads of one epoch are of two logs; empty where there is none to give.

    `log_hash` and `envelopes` are of the log of the higher one.
    """
    if mine is None or mine.incarnation != theirs.incarnation or mine.epoch != theirs.epoch:
        return b""
    low, high = sorted((mine, theirs), key=_seq)
    below = log_hash(low.seq)
    between = [envelopes(seq) for seq in range(low.seq + 1, high.seq + 1)]
    if below is None or (below == low.log_hash and low.record_hash == high.record_hash):
        return b""
    hashes = [envelope_hash(envelope) for envelope in between if envelope is not None]
    return two_logs(set_id, low, high, below, hashes) if len(hashes) == len(between) else b""


def rollback_of(set_id: bytes, earlier: Head | None, later: Head) -> bytes:
    """Evidence that the relay has signed a lower position after a higher one; empty where it is none."""
    if earlier is None or earlier.incarnation != later.incarnation or later.time <= earlier.time:
        return b""
    return rolled_back(set_id, earlier, later) if (later.epoch, later.seq) < (earlier.epoch, earlier.seq) else b""


def author_forked(replica: Replica, entry: Entry, served: Iterable[Entry]) -> ForkDetected:
    """An author has written two entries under one counter: one of its two copies is a clone, or it lies.

    `served`: the valid entries that came along with this one, before it.
    """
    twins = (other for other in chain(_entries(replica), served)
             if (other.author, other.counter) == (entry.author, entry.counter) and other.id != entry.id)
    first = next(twins, None)
    return ForkDetected(
        f"member {entry.author} has written two different changes numbered {entry.counter}: it was copied, or lies",
        "on that device `e2esync rejoin CODE`, with the code of `e2esync pair` on another one, shuts the copy out; if "
        "the device is lost: `e2esync revoke DEVICE`", about=f"author {entry.author}", counter=entry.counter,
        evidence=two_entries(replica.set_id, first, entry) if first else b"",
    )


def _compare_head(replica: Replica, beat: Heartbeat) -> list[Detection]:
    """SPEC 14.6 step 3: the head in a heartbeat, which the relay has signed."""
    head, position, mine = beat.head, replica.position, kept_head(replica)
    if head.epoch < position.epoch:
        return _closed(replica, beat.member, SeenHead(head.epoch, head.seq, head.log_hash[:LOG_HASH_CUT]))
    if (head.epoch, head.seq) > (position.epoch, position.seq):
        ahead = _ahead(beat.member, head.epoch, head.seq)
        ahead.evidence = rollback_of(replica.set_id, head, mine) if mine else b""
        return [ahead]
    if hash_at(replica, head.seq) == head.log_hash and head.record_hash == replica.chain.head.hash:
        return []
    fork = _other_log(beat.member, head.epoch, head.seq)
    fork.evidence = fork_of(replica.set_id, mine, head, lambda seq: hash_at(replica, seq), replica.store.envelope)
    return [fork]


def _closed(replica: Replica, witness: int, seen: SeenHead) -> list[Detection]:
    """SPEC 14.6 step 2: a head of a closed epoch is compared at the closing position, and nowhere else.

    Step 4: not at all where a relay had lost it since.
    """
    following = [parse_record(raw) for raw in replica.store.records()[seen.epoch + 1 : replica.position.epoch + 1]]
    if any(record.is_seed for record in following):
        # What was before a seed is another one's branch, perhaps, which has given way (SPEC 14.7 step 7).
        return []
    closing = following[0]
    if seen.seq != closing.closes_seq or seen.log_hash == closing.closes_hash[:LOG_HASH_CUT]:
        return []
    return [_other_log(witness, seen.epoch, seen.seq)]


def _ahead(witness: int, epoch: int, seq: int) -> WithheldDetected:
    return WithheldDetected(
        f"member {witness} has seen position {epoch}/{seq} of the log and the relay does not serve it to this device",
        about=f"position {witness}", counter=seq,
    )


def _other_log(witness: int, epoch: int, seq: int) -> ForkDetected:
    return ForkDetected(
        f"the relay shows member {witness} another history than this device, at {epoch}/{seq} or before",
        about=f"log {witness}", counter=seq,
    )


def _beats(replica: Replica) -> Iterable[Heartbeat]:
    """The valid heartbeats of the other members, as last served."""
    for slot in replica.store.slots():
        beat = valid_beat(replica, slot.member, slot.heartbeat)
        if beat is not None and slot.member != replica.member:
            yield beat


def _entries(replica: Replica) -> Iterable[Entry]:
    """The valid entries of the open epoch's log."""
    key, position = replica.key, replica.position
    for seq in range(1, position.seq + 1) if key is not None else ():
        try:
            assert key is not None
            yield read_envelope(key, replica.chain, replica.store.envelope(seq) or b"")
        except E2esyncError:
            continue


def _seq(head: Head) -> int:
    return head.seq

