"""The log (SPEC 10): its hash, the relay's heads, entries, envelopes, heartbeats, and evidence against liars."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from . import contacts, suite
from .encoding import INDEX, TIME, decode, encode, fields, integer, items, raw, vector
from .errors import Refusal, require
from .records import OWNER, SEED, WRITER, ZEROS, Chain, parse_record, u32, u64, verify_chain, verify_next

ENVELOPE_MAX, OPERATIONS_MAX, SLOT_MAX, EVIDENCE_MAX = 262144, 245760, 16384, 4194304
SEAL_OVERHEAD = 24 + 32 + 16


def log_hash(start: bytes, envelopes: Iterable[bytes]) -> bytes:
    """SPEC 10.1, from the log hash `start` on."""
    return log_hash_of(start, (suite.H("ENVELOPE", envelope) for envelope in envelopes))


def log_hash_of(start: bytes, hashes: Iterable[bytes]) -> bytes:
    for digest in hashes:
        start = suite.H("LOG", start + digest)
    return start


@dataclass(frozen=True, slots=True)
class Head:
    body: bytes
    epoch: int
    seq: int
    log_hash: bytes
    record_hash: bytes
    time: int
    incarnation: int
    binding: bytes


def verify_head(body: bytes, signature: bytes, set_id: bytes, relay_key: bytes) -> Head:
    """SPEC 10.2."""
    parts = fields(decode(raw(body)), 7)
    head = Head(
        body, integer(parts[0]), integer(parts[1]), raw(parts[2], 32), raw(parts[3], 32),
        integer(parts[4]), integer(parts[5]), raw(parts[6], 0, 32),
    )  # fmt: skip
    suite.verify("SIGN_HEAD", set_id, body, raw(signature, 64), relay_key)
    return head


def expand_short_head(
    short: bytes, epoch: int, at: bytes, record_hash: bytes, incarnation: int, set_id: bytes, relay_key: bytes
) -> bytes:
    """The body of a short head, built with what the receiver knows (SPEC 10.2)."""
    seq, time, signature = fields(decode(short), 3)
    body = encode([epoch, integer(seq), at, record_hash, integer(time), incarnation, b""])
    suite.verify("SIGN_HEAD", set_id, body, raw(signature, 64), relay_key)
    return body


@dataclass(frozen=True, slots=True)
class Entry:
    header: bytes
    salt: bytes
    ops: bytes
    signature: bytes
    author: int
    counter: int
    prev: bytes
    vector: dict[int, int]
    seen_head: list[Any]

    @property
    def ops_hash(self) -> bytes:
        return suite.H("OPERATIONS", self.salt + self.ops)

    @property
    def id(self) -> bytes:
        return suite.H("ENTRY", self.ops_hash + self.signature + self.header)


def parse_entry(data: bytes) -> Entry:
    """SPEC 10.3; no signature is checked."""
    header, salt, ops, signature = fields(decode(data, limit=ENVELOPE_MAX), 4)
    require(len(raw(ops)) <= OPERATIONS_MAX, "LimitExceeded", "operations too long")
    parts = parse_header(header)
    return Entry(header, raw(salt, 16), ops, raw(signature, 64), *parts)


def parse_header(header: Any) -> tuple[int, int, bytes, dict[int, int], list[Any]]:
    author, counter, prev, seen, head = fields(decode(raw(header)), 5)
    integer(author, INDEX), integer(counter, range(1, TIME.stop)), raw(prev, 32)
    epoch, seq, at = fields(head, 3)
    seen_head = [integer(epoch), integer(seq), raw(at, 16)]
    counters = vector(seen)
    require((counter == 1) == (prev == ZEROS), "EntryInvalid", "zeros before the first entry, and only there")
    return author, counter, prev, counters, seen_head


@dataclass(frozen=True, slots=True)
class Envelope:
    entry: Entry
    blobs: list[bytes]
    operations: list[Any]


def read_envelope(chain: Chain, key: bytes, data: bytes) -> Envelope:
    """All that SPEC 10.4 asks of an envelope but `prev`, for which one must know the author's entry before."""
    length, blobs = _parse_cover(chain.epoch, data)
    cover, context = data[:length], chain.set_id + data[:length]
    padded = suite.unseal(key, context, data[length:])
    entry = parse_entry(suite.unpad(padded, len(cover) + SEAL_OVERHEAD))
    author = chain.members.get(entry.author)
    if author is None or author.role not in (WRITER, OWNER):
        raise Refusal("EntryInvalid", "the author may not write")
    require(chain.record.opener in chain.members, "EntryInvalid", "nobody writes in an epoch of a removed opener")
    suite.verify("SIGN_ENTRY", chain.set_id, entry.header + entry.ops_hash, entry.signature, author.verify_key)
    operations = contacts.parse_operations(entry.ops)
    for operation in operations:
        batch_named = operation[0] != contacts.BATCH or operation[1] in blobs
        require(batch_named, "EntryInvalid", "a batch whose index the header does not name")
    return Envelope(entry, blobs, operations)


def _parse_cover(epoch: int, data: bytes) -> tuple[int, list[bytes]]:
    """The header in clear: its length, and the blobs that it names."""
    fits = 0 < len(data) <= ENVELOPE_MAX and suite.padded_size(len(data)) == len(data)
    require(fits, "EntryInvalid", "a size that is not allowed")
    require(data[:10] == b"\x01\x01" + u64(epoch), "EntryInvalid", "another suite, type or epoch")
    length = 12 + 32 * int.from_bytes(data[10:12], "big")
    require(length + SEAL_OVERHEAD <= len(data), "EntryInvalid", "blobs beyond the end")
    blobs = [data[at : at + 32] for at in range(12, length, 32)]
    rising = all(left < right for left, right in pairwise(blobs))
    require(rising, "EntryInvalid", "blobs not ascending")
    return length, blobs


@dataclass(frozen=True, slots=True)
class Heartbeat:
    member: int
    epoch: int
    time: int
    until: int
    vector: dict[int, int]
    head: tuple[bytes, bytes]


def open_heartbeat(chain: Chain, key: bytes, member: int, data: bytes) -> Heartbeat:
    """SPEC 10.7, for the slot of `member`."""
    fits = 0 < len(data) <= SLOT_MAX and suite.padded_size(len(data)) == len(data)
    require(fits and data[:8] == u64(chain.epoch), "SlotInvalid", "another size or epoch")
    beating = chain.members.get(member)
    if beating is None or not beating.device:
        raise Refusal("SlotInvalid", "no device, so no slot")
    context = chain.set_id + b"\x06" + u64(chain.epoch) + u32(member)
    plain = suite.unpad(suite.unseal(key, context, data[8:]), 8 + SEAL_OVERHEAD)
    body, signature = fields(decode(plain), 2)
    parts = fields(decode(raw(body)), 6)
    head_body, head_signature = fields(parts[5], 2)
    found = Heartbeat(
        integer(parts[0], INDEX), integer(parts[1]), integer(parts[2]), integer(parts[3]), vector(parts[4]),
        (raw(head_body), raw(head_signature, 64)),
    )  # fmt: skip
    require((found.member, found.epoch) == (member, chain.epoch), "SlotInvalid", "of another member or epoch")
    suite.verify("SIGN_HEARTBEAT", chain.set_id, body, raw(signature, 64), beating.verify_key)
    verify_head(*found.head, chain.set_id, chain.relay_key)
    return found


# Evidence (SPEC 10.8).


@dataclass(frozen=True, slots=True)
class Proof:
    """What a file of evidence proves: `key` has signed both of two things."""

    kind: int
    set_id: bytes
    epoch: int
    position: int
    member: list[int]
    key: bytes


def verify_evidence(data: bytes, brought: list[bytes]) -> Proof:
    version, kind, set_id, records, parts = fields(decode(data, limit=EVIDENCE_MAX), 5)
    require(integer(version) == 1 and integer(kind) in (1, 2, 3, 4), "EvidenceInvalid", "another version or kind")
    records = [raw(record) for record in items(records)] or brought
    parts = fields(parts, {1: 4, 2: 2, 3: 2, 4: 2}[kind])
    require(bool(records), "EvidenceInvalid", "no chain")
    chain = verify_chain(raw(set_id, 32), records)
    if kind in (1, 2):
        return _two_heads(kind, chain, parts)
    return _two_records(chain, records, parts) if kind == 3 else _two_entries(chain, parts)


def _two_heads(kind: int, chain: Chain, parts: list[Any]) -> Proof:
    """Two logs, or a log that was rolled back."""
    pairs = [fields(part, 2) for part in parts[:2]]
    epochs = [integer(fields(decode(raw(body)), 7)[0]) for body, _ in pairs]
    require(max(epochs) <= chain.epoch, "EvidenceInvalid", "an epoch that the chain does not reach")
    keys = [chain.relays[epoch] for epoch in epochs]
    first, second = (verify_head(*pair, chain.set_id, key) for pair, key in zip(pairs, keys, strict=True))
    require(first.incarnation == second.incarnation, "EvidenceInvalid", "a restored relay does not lie")
    require(first.epoch == second.epoch, "EvidenceInvalid", "heads of two epochs")
    if kind == 2:
        require(second.time > first.time and second.seq < first.seq, "EvidenceInvalid", "not later and lower")
        return Proof(kind, chain.set_id, first.epoch, second.seq, [], keys[0])
    require(first.seq <= second.seq, "EvidenceInvalid", "heads out of order")
    start, hashes = raw(parts[2], 32), [raw(digest, 32) for digest in items(parts[3])]
    leads = len(hashes) == second.seq - first.seq and log_hash_of(start, hashes) == second.log_hash
    require(leads, "EvidenceInvalid", "hashes that do not lead to the second head")
    differ = start != first.log_hash or first.record_hash != second.record_hash
    require(differ, "EvidenceInvalid", "one log after all")
    return Proof(kind, chain.set_id, first.epoch, first.seq, [], keys[0])


def _two_records(chain: Chain, records: list[bytes], parts: list[Any]) -> Proof:
    left, right = (parse_record(raw(part)) for part in parts)
    require(left.raw != right.raw and left.epoch == right.epoch, "EvidenceInvalid", "not two records of one number")
    require(not (left.flags | right.flags) & SEED, "EvidenceInvalid", "one only brings back what was lost")
    require(0 < left.epoch <= chain.epoch + 1, "EvidenceInvalid", "an epoch that the chain does not reach")
    base = verify_chain(chain.set_id, records[: left.epoch])
    for record in (left, right):
        verify_next(base, record)
    return Proof(3, chain.set_id, left.epoch, 0, [right.opener], base.members[right.opener].verify_key)


def _two_entries(chain: Chain, parts: list[Any]) -> Proof:
    left, right = (fields(part, 3) for part in parts)
    places = [parse_header(part[0]) for part in (left, right)]
    for part in (left, right):
        raw(part[1], 32), raw(part[2], 64)
    same_place = places[0][:2] == places[1][:2] and left[:2] != right[:2]
    require(same_place, "EvidenceInvalid", "not two entries of one author and counter")
    author, counter = places[0][:2]
    epoch = max(place[4][0] for place in places)
    require(epoch <= chain.epoch, "EvidenceInvalid", "an epoch that the chain does not reach")
    for key in (key for index, key in chain.keys if index == author):
        try:
            for header, ops_hash, signature in (left, right):
                suite.verify("SIGN_ENTRY", chain.set_id, header + ops_hash, signature, key)
        except Refusal:
            continue
        return Proof(4, chain.set_id, epoch, counter, [author], key)
    raise Refusal("EvidenceInvalid", "not one key of the chain has signed both")
