"""Entries (SPEC 10.3): what a member writes. Signed, numbered by its author, and never changed once sent.

The signature covers the header and a salted hash of the operations, so that a header can be shown as evidence without
a contact. It does not name the epoch whose key it travels under: an edit made offline is sent under a later one
without becoming another edit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from e2esync.crypto import Entropy, Label, SigningKey, blake2b, verify
from e2esync.epoch import shape
from e2esync.epoch.chain import Chain
from e2esync.epoch.roles import WRITERS
from e2esync.errors import EntryInvalid, LimitExceeded
from e2esync.limits import ENTRY_BODY_MAX, ENVELOPE_MAX, HASH, SALT, SIGNATURE
from e2esync.wire import decode, encode

LOG_HASH_CUT = 16
"""An entry names the head that its author had seen by the first 16 bytes of the log hash."""


class SeenHead(NamedTuple):
    """The head that an author had seen: evidence against a relay that shows others another log."""

    epoch: int
    seq: int
    log_hash: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it came. `ops` is the encoded array of operations, which `contactset` reads."""

    author: int
    counter: int
    prev: bytes
    vector: dict[int, int]
    seen_head: SeenHead
    ops: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    header: bytes = field(repr=False)
    ops_hash: bytes = field(repr=False)
    raw: bytes = field(repr=False)
    id: bytes


def sign_entry(
    signing_key: SigningKey, set_id: bytes, *, author: int, counter: int, prev: bytes, vector: dict[int, int],
    seen_head: tuple[int, int, bytes], ops: bytes, entropy: Entropy,
) -> Entry:
    """A signed entry; draws `entry salt`.

    `prev` is the id of the author's entry before (zeros for counter 1), `vector` the author's at the time of the
    writes, `seen_head` (epoch, seq, log hash, of which 16 bytes are kept), `ops` the encoded operations.
    """
    epoch, seq, log_hash = seen_head
    header = encode([author, counter, prev, shape.pairs(vector), [epoch, seq, log_hash[:LOG_HASH_CUT]]])
    salt = entropy.draw("entry salt", SALT)
    signature = signing_key.sign(Label.SIGN_ENTRY, set_id, header + hash_operations(salt, ops))
    return parse_entry(encode([header, salt, ops, signature]))


def parse_entry(raw: bytes) -> Entry:
    """The entry that `raw` spells. Raises NonCanonical, LimitExceeded or EntryInvalid; checks no signature."""
    header, salt, ops, signature = shape.array(decode(raw, limit=ENVELOPE_MAX), 4, "an entry")
    shape.octets(salt, SALT, "an entry's salt")
    shape.octets(signature, SIGNATURE, "an entry's signature")
    if len(shape.any_octets(ops, "an entry's operations")) > ENTRY_BODY_MAX:
        raise LimitExceeded(f"an entry's operations are {len(ops)} bytes, at most {ENTRY_BODY_MAX} are allowed")
    fields = decode(shape.any_octets(header, "an entry's header"), limit=ENVELOPE_MAX)
    author, counter, prev, vector, seen = shape.array(fields, 5, "an entry's header")
    epoch, seq, log_hash = shape.array(seen, 3, "the head that an entry names")
    ops_hash = hash_operations(salt, ops)
    entry = Entry(
        author=shape.index(author, "an entry's author"),
        counter=shape.integer(counter, "an entry's counter", 1),
        prev=shape.octets(prev, HASH, "the id of the entry before"),
        vector=shape.counters(vector, "an entry's vector"),
        seen_head=SeenHead(
            shape.integer(epoch, "the epoch of the head that an entry names"),
            shape.integer(seq, "the position that an entry names"),
            shape.octets(log_hash, LOG_HASH_CUT, "the log hash that an entry names"),
        ),
        ops=ops, salt=salt, signature=signature, header=header, ops_hash=ops_hash, raw=raw,
        id=blake2b(Label.ENTRY, ops_hash, signature, header),
    )
    check_first(entry)
    return entry


def hash_operations(salt: bytes, ops: bytes) -> bytes:
    """The salted hash that stands for the operations in signature and id."""
    return blake2b(Label.OPERATIONS, salt, ops)


def check_first(entry: Entry) -> None:
    """An author's first entry, and no other, follows nothing. Raises EntryInvalid."""
    if (entry.counter == 1) != (entry.prev == shape.ZERO_HASH):
        raise EntryInvalid(f"entry {entry.counter} of member {entry.author} is its first, or claims to be, wrongly")


def check_entry(entry: Entry, chain: Chain, set_id: bytes) -> None:
    """The conditions of SPEC 10.4 that the chain decides; `chain` is that of the epoch the envelope was sealed in.

    Raises EntryInvalid, or AuthFailed for the signature. Operations and `prev` are for the caller to check.
    """
    check_epoch_open_to_writers(chain)
    member = chain.members.get(entry.author)
    if member is None:
        raise EntryInvalid(f"an entry's author {entry.author} is no member in epoch {chain.epoch}")
    if member.role not in WRITERS:
        raise EntryInvalid(f"an entry's author {entry.author} is a {member.role.name.lower()} and may not write")
    verify(Label.SIGN_ENTRY, set_id, entry.header + entry.ops_hash, entry.signature, member.verify_key)


def check_epoch_open_to_writers(chain: Chain) -> None:
    """SPEC 9.6: whoever made an epoch's secret and is not in it must not be able to read what is written in it."""
    if chain.head.opener not in chain.members:
        raise EntryInvalid(f"the opener of epoch {chain.epoch} is not one of its members: no envelope is valid in it")
