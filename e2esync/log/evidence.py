"""Evidence (SPEC 10.8): proof that somebody lied, for anybody who has the set's public chain.

Two things that one key has signed, and that no honest holder of it signs both. A file holds heads, records and the
headers of entries, never operations: the author's signature covers a salted hash in their place, so there is no
contact in it and nothing to open. `verify_evidence` needs no network, no key and no profile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from e2esync.crypto import Label, blake2b, verify
from e2esync.epoch import shape
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Record, parse_record
from e2esync.errors import E2esyncError, EvidenceInvalid
from e2esync.limits import ENVELOPE_MAX, EVIDENCE_MAX, HASH, SIGNATURE, SPEC_VERSION
from e2esync.log.entry import Entry
from e2esync.log.head import Head, parse_head, verify_head
from e2esync.wire import Value, decode, encode


class Kind(IntEnum):
    """What a file of evidence proves."""

    TWO_LOGS = 1
    """The relay signed two logs of one epoch."""
    ROLLED_BACK = 2
    """The relay signed a lower position after a higher one."""
    TWO_RECORDS = 3
    """Two records have one number."""
    TWO_ENTRIES = 4
    """A member signed two entries under one counter."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What verified evidence says: who signed two things (`member` of the set; None for the relay), and where."""

    kind: Kind
    set_id: bytes
    epoch: int
    position: int
    """Position in the log, or counter of an author."""
    member: int | None
    key: bytes
    """The verify key that signed both; of two records the one that signed the second."""


def two_logs(set_id: bytes, low: Head, high: Head, below: bytes, hashes: Sequence[bytes]) -> bytes:
    """Evidence of two heads of one epoch, `low` not above `high`.

    `below` is the log hash at `low`'s position in the log of `high`, `hashes` those of the envelopes between.
    """
    return _encode(Kind.TWO_LOGS, set_id, [_head(low), _head(high), below, list(hashes)])


def rolled_back(set_id: bytes, earlier: Head, later: Head) -> bytes:
    """Evidence of a head that is signed later than another and lies below it."""
    return _encode(Kind.ROLLED_BACK, set_id, [_head(earlier), _head(later)])


def two_records(set_id: bytes, left: bytes, right: bytes) -> bytes:
    """Evidence of two records with one number."""
    return _encode(Kind.TWO_RECORDS, set_id, [left, right])


def two_entries(set_id: bytes, left: Entry, right: Entry) -> bytes:
    """Evidence of two entries by one author with one counter; their operations stay out of it."""
    return _encode(Kind.TWO_ENTRIES, set_id, [[each.header, each.ops_hash, each.signature] for each in (left, right)])


def with_chain(evidence: bytes, records: Sequence[bytes]) -> bytes:
    """The same evidence with the set's chain inside, so that whoever gets the file needs nothing else."""
    version, kind, set_id, _records, items = _parse(evidence)
    return encode([version, int(kind), set_id, list(records), items])


def verify_evidence(evidence: bytes, records: Sequence[bytes] = ()) -> Proof:
    """What a file of evidence proves (SPEC 10.8). `records`: the chain, where the file does not hold it.

    Raises EvidenceInvalid for one that proves nothing, and NonCanonical, LimitExceeded, ChainInvalid, BadKey or
    AuthFailed for what is malformed, or not signed by whom it says.
    """
    _version, kind, set_id, held, items = _parse(evidence)
    chains = _Chains(set_id, held or list(records))
    if kind is Kind.TWO_LOGS:
        return _check_two_logs(set_id, chains, *shape.array(items, 4, "evidence of two logs"))
    if kind is Kind.ROLLED_BACK:
        return _check_rolled_back(set_id, chains, *shape.array(items, 2, "evidence of a rollback"))
    if kind is Kind.TWO_RECORDS:
        return _check_two_records(set_id, chains, *shape.array(items, 2, "evidence of two records"))
    return _check_two_entries(set_id, chains, *shape.array(items, 2, "evidence of two entries"))


class _Chains:
    """The set's public chain, verified, at each of its epochs; iterates from the newest back."""

    def __init__(self, set_id: bytes, raws: Sequence[bytes]) -> None:
        if not raws:
            raise EvidenceInvalid("the file does not hold the set's chain", "give the chain with --chain FILE")
        records = [parse_record(shape.any_octets(raw, "a record")) for raw in raws]
        chain = Chain.begin(records[0], set_id)
        self._chains = [chain]
        for record in records[1:]:
            chain = chain.extend(record)
            self._chains.append(chain)

    def __iter__(self) -> Iterator[Chain]:
        return reversed(self._chains)

    def at(self, epoch: int) -> Chain:
        """The chain up to an epoch. Raises EvidenceInvalid for one that it does not reach."""
        if epoch >= len(self._chains):
            raise EvidenceInvalid(f"the chain ends before epoch {epoch}")
        return self._chains[epoch]


def _encode(kind: Kind, set_id: bytes, items: list[Value]) -> bytes:
    return encode([SPEC_VERSION, int(kind), set_id, [], items])


def _head(head: Head) -> list[Value]:
    return [head.body, head.signature]


def _parse(evidence: bytes) -> tuple[int, Kind, bytes, list[bytes], list[Value]]:
    fields = shape.array(decode(evidence, limit=EVIDENCE_MAX), 5, "evidence")
    version, kind, set_id, records, items = fields
    if version != SPEC_VERSION or type(version) is not int:
        raise EvidenceInvalid("the evidence is of another version")
    if type(kind) is not int or kind not in list(Kind):
        raise EvidenceInvalid("the evidence is of a kind that does not exist")
    shape.octets(set_id, HASH, "a set id")
    if type(records) is not list or type(items) is not list:
        raise EvidenceInvalid("the evidence has no records or no items")
    return version, Kind(kind), set_id, records, items


def _read_head(value: Value, set_id: bytes, chains: _Chains) -> Head:
    body, signature = shape.array(value, 2, "a head")
    head = parse_head(body, signature)
    verify_head(head, set_id, chains.at(head.epoch).relay_key)
    return head


def _check_two_logs(set_id: bytes, chains: _Chains, first: Value, second: Value, below: Value, hashes: Value,
                    ) -> Proof:
    """SPEC 10.8, kind 1: the log that `high` names does not lead through `low`."""
    low, high = _read_head(first, set_id, chains), _read_head(second, set_id, chains)
    _check_same_place(low, high)
    _check_leads(shape.octets(below, HASH, "a log hash"), hashes, low, high)
    _check_not_one_log(below, low, high)
    return Proof(Kind.TWO_LOGS, set_id, low.epoch, low.seq, None, chains.at(low.epoch).relay_key)


def _check_same_place(low: Head, high: Head) -> None:
    """Both heads are of one epoch and one life of the relay's store, `low` not above `high`."""
    if low.incarnation != high.incarnation:
        raise EvidenceInvalid("between these heads the relay was restored from a backup, which is no lie")
    if low.epoch != high.epoch or low.seq > high.seq:
        raise EvidenceInvalid("the heads are not of one epoch, or not in order")


def _check_leads(log_hash: bytes, hashes: Value, low: Head, high: Head) -> None:
    """The hashes of the envelopes between lead from the log hash at `low`'s position to `high`."""
    if type(hashes) is not list or len(hashes) != high.seq - low.seq:
        raise EvidenceInvalid("the evidence does not lead from one head to the other")
    for envelope in hashes:
        log_hash = blake2b(Label.LOG, log_hash, shape.octets(envelope, HASH, "the hash of an envelope"))
    if log_hash != high.log_hash:
        raise EvidenceInvalid("the envelopes between do not lead to the later head")


def _check_not_one_log(below: Value, low: Head, high: Head) -> None:
    """What an honest relay signs: two positions of one log."""
    if below == low.log_hash and low.record_hash == high.record_hash:
        raise EvidenceInvalid("both heads are of one log")


def _check_rolled_back(set_id: bytes, chains: _Chains, first: Value, second: Value) -> Proof:
    """SPEC 10.8, kind 2: signed later, and lower."""
    earlier, later = _read_head(first, set_id, chains), _read_head(second, set_id, chains)
    _check_lower(earlier, later)
    return Proof(Kind.ROLLED_BACK, set_id, later.epoch, later.seq, None, chains.at(later.epoch).relay_key)


def _check_lower(earlier: Head, later: Head) -> None:
    """Of one life of the relay's store, signed later, and lower."""
    if earlier.incarnation != later.incarnation:
        raise EvidenceInvalid("between these heads the relay was restored from a backup, which is no lie")
    if later.time <= earlier.time or (later.epoch, later.seq) >= (earlier.epoch, earlier.seq):
        raise EvidenceInvalid("the later head is not below the earlier one")


def _check_two_records(set_id: bytes, chains: _Chains, first: Value, second: Value) -> Proof:
    """SPEC 10.8, kind 3: both follow one record, and both are valid there."""
    records = [parse_record(shape.any_octets(value, "a record")) for value in (first, second)]
    epoch = records[0].epoch
    _check_are_two(epoch, records[1].epoch, records[0].raw == records[1].raw or not epoch)
    _check_no_seed(records)
    before = chains.at(epoch - 1)
    for record in records:
        before.extend(record)
    # The key that signed is that of before the record, which may replace its opener's.
    opener = before.members[records[1].opener]
    return Proof(Kind.TWO_RECORDS, set_id, epoch, 0, opener.index, opener.verify_key)


def _check_no_seed(records: Sequence[Record]) -> None:
    """Who seeds a relay cannot know what another device has opened since: no lie of either."""
    if any(record.is_seed for record in records):
        raise EvidenceInvalid("one of the records only brought back what a relay had lost, which is no lie")


def _check_two_entries(set_id: bytes, chains: _Chains, first: Value, second: Value) -> Proof:
    """SPEC 10.8, kind 4: one author, one counter, one key, two entries."""
    entries = [_read_entry(value) for value in (first, second)]
    (author, counter, seen), other = entries[0][0], entries[1][0]
    _check_are_two((author, counter), other[:2], entries[0][1:] == entries[1][1:])
    for key in _keys_of(chains, author):
        try:
            for _fields, signed, signature in entries:
                verify(Label.SIGN_ENTRY, set_id, signed, signature, key)
        except E2esyncError:
            continue
        return Proof(Kind.TWO_ENTRIES, set_id, seen, counter, author, key)
    raise EvidenceInvalid(f"member {author} has not signed both entries with one key of the chain")


def _check_are_two(place: object, other: object, same: bool) -> None:
    """Two different things in one place."""
    if place != other or same:
        raise EvidenceInvalid("the two have not one number, or are one")


def _read_entry(value: Value) -> tuple[tuple[int, int, int], bytes, bytes]:
    """((author, counter, epoch of the head it had seen), what was signed, signature)."""
    header, ops_hash, signature = shape.array(value, 3, "an entry's header")
    fields = decode(shape.any_octets(header, "an entry's header"), limit=ENVELOPE_MAX)
    author, counter, _prev, _vector, seen = shape.array(fields, 5, "an entry's header")
    epoch = shape.array(seen, 3, "the head that an entry names")[0]
    shape.octets(ops_hash, HASH, "the hash of an entry's operations")
    shape.octets(signature, SIGNATURE, "an entry's signature")
    return ((shape.index(author, "an entry's author"), shape.integer(counter, "an entry's counter", 1),
             shape.integer(epoch, "the epoch of the head that an entry names")), header + ops_hash, signature)


def _keys_of(chains: _Chains, author: int) -> list[bytes]:
    """Every verify key that the chain ever gave to a member, the newest first."""
    keys: dict[bytes, None] = {}
    for chain in chains:
        member = chain.all_members.get(author)
        if member is not None:
            keys[member.verify_key] = None
    return list(keys)
