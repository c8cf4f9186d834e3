"""Looking over the relay's copy of a book, without changing anything here (SPEC 9.4, 10.2, 11, 14.1).

    compare_chain, compare_log     the relay's chain, and its log from the position on, against this device's
    read_own, rebuild              the whole log of the epoch; and what it and the snapshot make, against this device's
    missing_photos                 how many photos the relay lacks a part of
    lives                          whether a stored state is a contact's that is there

Each raises what it finds; what it returns says what was looked at.
"""

from __future__ import annotations

from functools import reduce

from e2esync.contactset import alive_lives
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import parse_record
from e2esync.errors import ForkDetected, SnapshotInvalid
from e2esync.log.envelope import next_log_hash
from e2esync.procedures.healing import read_whole
from e2esync.procedures.reading import adopt_whole, read_log, read_records, take
from e2esync.procedures.steps import PIPELINE, Link, Procedure
from e2esync.replica.core import EPOCH, Position, Replica, begin
from e2esync.replica.port import RESERVED, ContactRow, ReplicaStore
from e2esync.replica.reading import check_head, judge_head
from e2esync.replica.sightings import CHAIN, RESTORED, is_restored, missing
from e2esync.replica.snapshots import digest
from e2esync.session.messages import Have, HaveAnswer, LogPart
from e2esync.wire import decode_values, encode


def compare_chain(replica: Replica) -> Procedure[str]:
    """The relay's whole chain: valid, and the one that this device follows."""
    raws = yield from read_records(0)
    chain = verify_chain(replica.set_id, raws)
    own = replica.store.records()[: replica.position.epoch + 1]
    if list(raws[: len(own)]) != own:
        raise ForkDetected("the relay's chain is not the one that this device follows", about=CHAIN)
    position, following = replica.position, raws[len(own) : len(own) + 1]
    for record in map(parse_record, following):
        if record.closes_seq == position.seq and record.closes_hash != position.log_hash:
            raise ForkDetected(f"epoch {record.epoch} closes another log than the one that this device has seen")
    return f"{chain.epoch + 1} records, the same" + (", and newer ones" if following else "")


def compare_log(replica: Replica, link: Link) -> Procedure[str]:
    """The relay's head, and what of its log lies behind the position: it continues this device's own."""
    head, position = link.head, replica.position
    judge_head(replica, head)
    if head.epoch > position.epoch:
        return f"at {head.epoch}/{head.seq}, and this device at {position.epoch}/{position.seq}: sync first"
    part = yield from read_log(replica)
    news = len(part.envelopes)
    if part.head is not None:
        log_hash = reduce(next_log_hash, part.envelopes, position.log_hash)
        check_head(replica, part.head, Position(position.epoch, position.seq + news, log_hash), head.incarnation)
    return f"at {head.epoch}/{head.seq}, the same" + (f", and {news} more" if news else "")


def read_own(replica: Replica, link: Link) -> Procedure[tuple[bytes, ...]]:
    """The relay's log of the open epoch up to this device's position, envelope by envelope the same."""
    served, _head = yield from read_whole(replica, link)
    epoch, seq = replica.position.epoch, replica.position.seq
    own = [replica.store.envelope(each) or b"" for each in range(1, seq + 1)]
    if served[:seq] != own:
        raise ForkDetected(f"the relay's log of epoch {epoch} is not the one that this device has seen")
    return tuple(own)


def rebuild(store: ReplicaStore, replica: Replica, link: Link, envelopes: tuple[bytes, ...]) -> Procedure[str]:
    """What a device would have that had nothing but the relay's copy: every piece of the snapshot, and the log.

    It is made in `store`, as the kit's member: of that one's own nothing can be missing. Raises WithheldDetected for a
    log with a gap, and SnapshotInvalid where it is another state than this device's.
    """
    secret = replica.store.secret(EPOCH, replica.position.epoch)
    if secret is None:
        raise SnapshotInvalid(f"this device has no secret of epoch {replica.position.epoch}")
    kit = next(member for member in replica.chain.members.values() if not member.is_device)
    again = begin(store, replica.set_id, kit.index, kit.person, replica.signing_key, replica.chain,
                  replica.store.records()[: replica.position.epoch + 1])
    if is_restored(replica):
        store.put(RESTORED, encode(replica.position.epoch))
    trial = Link(link.head, link.entropy, link.now, link.progress)
    yield from adopt_whole(again, trial, secret)
    if envelopes:
        yield from take(again, trial, LogPart(replica.position.epoch, 1, envelopes, None))
    for author, counter, _raw in store.parked():
        raise missing(author, store.vector().get(author, (0, b""))[0] + 1, f"its change {counter} is here")
    if digest(store) != digest(replica.store) or store.vector() != replica.store.vector():
        raise SnapshotInvalid("the snapshot and the log that the relay holds make another state than this device has",
                              "sync, and look again")
    return f"{sum(map(lives, store.contacts())):,} contacts from the relay's copy alone, the same"


def lives(row: ContactRow) -> bool:
    """Whether this is a contact that is there: neither deleted, nor one of the set's own objects (SPEC 8.8)."""
    return row.contact not in RESERVED and bool(row.state) and bool(alive_lives(row.state))


def missing_photos(replica: Replica) -> Procedure[tuple[int, int]]:
    """(photos that the book names, those of which the relay lacks a part)."""
    named: list[tuple[bytes, ...]] = []
    for _digest, _contact, place in replica.store.media_places():
        value = decode_values(place)
        parts = value.get("parts") if type(value) is dict else None
        if type(parts) is list and all(type(part) is bytes for part in parts):
            named.append(tuple(parts))
    lacking = 0
    for start in range(0, len(named), PIPELINE):
        answers = yield [Have(parts) for parts in named[start : start + PIPELINE]]
        lacking += sum(1 for each in answers if not (isinstance(each, HaveAnswer) and all(each.received)))
    return len(named), lacking
