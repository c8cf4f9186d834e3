"""Seeds give way (SPEC 14.7 steps 4 and 7): a device leaves the epochs with which a relay was brought back.

A device that seeds a relay knows only what it had seen before the loss. Another one may have been ahead, and seeds what
it has: then two branches exist, one of which only brought things back. Who stands there goes over to the other,
if that holds all from which the seed began. Entries that only this device holds go along: every author's, as they
were signed. Invariants: nothing that changes members ever gives way; no entry is lost by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from e2esync.epoch.record import parse_record
from e2esync.epoch.roles import WRITERS
from e2esync.errors import E2esyncError, ForkDetected
from e2esync.log.entry import Entry, parse_entry
from e2esync.log.envelope import envelope_blobs, read_envelope
from e2esync.replica.core import Replica
from e2esync.replica.entering import Entrance
from e2esync.replica.sightings import CHAIN
from e2esync.wire import decode, encode

ASTRAY: Final = "astray"
"""Named value: `[[entry, [blob id, ...]], ...]` of other authors, which the snapshot entered by does not hold."""


def first_seed(records: Sequence[bytes]) -> int:
    """Where the seeds begin in which a chain ends; its length where it ends in none."""
    first = len(records)
    while first and parse_record(records[first - 1]).is_seed:
        first -= 1
    return first


def check_gives_way(replica: Replica, entrance: Entrance) -> None:
    """That the branch to go over to holds all from which the own open epoch began. Raises ForkDetected."""
    held = entrance.manifest.counters if entrance.manifest else {}
    lacking = [member for member, counter in _begun_from(replica).items()
               if member in entrance.chain.members and held.get(member, 0) < counter]
    if lacking:
        raise ForkDetected(
            f"two records of epoch {entrance.records[0].epoch} exist, and the relay's branch lacks changes of member "
            f"{lacking[0]} that this device has", about=CHAIN)


def keep_astray(replica: Replica, entrance: Entrance) -> None:
    """Put aside others' entries of the own log that the snapshot lacks, before the log is left."""
    held = entrance.manifest.counters if entrance.manifest else {}
    kept = [[entry.raw, list(envelope_blobs(envelope))] for entry, envelope in _entries(replica)
            if entry.author != replica.member and entry.counter > held.get(entry.author, 0)]
    if kept:
        replica.store.put(ASTRAY, encode([*_stored(replica), *kept]))


def astray_entries(replica: Replica) -> list[tuple[bytes, list[bytes]]]:
    """(entry, ids of its blobs) of what was put aside, is still missing, and is by somebody who may write."""
    vector, members = replica.store.vector(), replica.chain.members
    missing = []
    for raw, blobs in _stored(replica):
        entry = parse_entry(raw)
        folded = vector.get(entry.author)
        author = members.get(entry.author)
        if author and author.role in WRITERS and (folded is None or entry.counter > folded[0]):
            missing.append((raw, blobs))
    return missing


def _stored(replica: Replica) -> list[tuple[bytes, list[bytes]]]:
    stored = replica.store.get(ASTRAY)
    return [(raw, blobs) for raw, blobs in decode(stored, limit=len(stored))] if stored else []


def _begun_from(replica: Replica) -> dict[int, int]:
    """Member -> counter at the beginning of the open epoch: the vector, less what its log has brought."""
    begun = {member: counter for member, (counter, _id) in replica.store.vector().items()}
    for entry, _envelope in _entries(replica):
        begun[entry.author] = min(begun.get(entry.author, 0), entry.counter - 1)
    return begun


def _entries(replica: Replica) -> Iterator[tuple[Entry, bytes]]:
    """The valid entries of the open epoch's log, with their envelopes."""
    key = replica.key
    for seq in range(1, replica.position.seq + 1) if key is not None else ():
        envelope = replica.store.envelope(seq) or b""
        try:
            assert key is not None
            yield read_envelope(key, replica.chain, envelope), envelope
        except E2esyncError:
            continue
