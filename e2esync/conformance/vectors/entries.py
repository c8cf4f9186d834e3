"""Examples of entries (SPEC 10.3), part of `envelopes.json`."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import replaced, world
from e2esync.contactset import DeleteOp, SetOp, encode_ops
from e2esync.crypto import Label, SigningKey
from e2esync.errors import EntryInvalid, LimitExceeded, NonCanonical
from e2esync.limits import ENTRY_BODY_MAX, ENVELOPE_MAX
from e2esync.log.entry import Entry, hash_operations, parse_entry, sign_entry
from e2esync.wire import decode, encode

CONTACT: Final = bytes(range(16))
OPS: Final = encode_ops([SetOp(CONTACT, 1, 1_800_000_000_000, {"name/full": "Zoë", "phones/a": {"number": "+1"}})])
"""The operations of most examples."""


def _sign_entry(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    epoch, seq, log_hash = inputs["seen_head"]
    entry = sign_entry(
        SigningKey(bytes.fromhex(inputs["signing_seed"])), bytes.fromhex(inputs["set_id"]), author=inputs["author"],
        counter=inputs["counter"], prev=bytes.fromhex(inputs["prev"]), vector=dict(inputs["vector"]),
        seen_head=(epoch, seq, bytes.fromhex(log_hash)), ops=bytes.fromhex(inputs["ops"]), entropy=entropy,
    )
    return Outcome(
        {"entry": entry.raw.hex(), "id": entry.id.hex()},
        {"header": entry.header.hex(), "ops_hash": entry.ops_hash.hex(), "signature": entry.signature.hex()},
    )


def entry_fields(entry: Entry) -> Inputs:
    """An entry's fields as cases write them; the log hash of the head is cut to 16 bytes."""
    return {
        "author": entry.author, "counter": entry.counter, "prev": entry.prev.hex(),
        "vector": hexed(sorted(entry.vector.items())), "seen_head": hexed(entry.seen_head), "ops": entry.ops.hex(),
    }


def _parse_entry(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    entry = parse_entry(bytes.fromhex(inputs["entry"]))
    return Outcome(entry_fields(entry) | {"id": entry.id.hex()}, {"ops_hash": entry.ops_hash.hex()})


OPERATIONS: Final = {"sign_entry": _sign_entry, "parse_entry": _parse_entry}


def make_entry(author: int = 3, ops: bytes = OPS, **override: Any) -> Entry:
    """An entry that is valid in epoch 1, with fields replaced; `signer` and `set_id` too."""
    at = world()
    fields: dict[str, Any] = {
        "author": author, "counter": 1, "prev": bytes(32), "vector": {}, "ops": ops,
        "seen_head": (1, 0, at.chain.head.hash),
    } | override
    signer = fields.pop("signer", None) or at.parties[author].signing
    name = f"envelopes::entry::{fields['author']}::{fields['counter']}"
    return sign_entry(signer, fields.pop("set_id", at.set_id), entropy=NamedEntropy(name), **fields)


def spelled(header: Any, salt: Any = b"\x5a" * 16, ops: Any = OPS, signature: Any = None) -> bytes:
    """An entry of member 3 with this header and these parts, whatever they are, signed as they are."""
    at = world()
    head = encode(header)
    if signature is None:
        digest = hash_operations(bytes(salt), ops if isinstance(ops, bytes) else b"")
        signature = at.parties[3].signing.sign(Label.SIGN_ENTRY, at.set_id, head + digest)
    return encode([head, salt, ops, signature])


def add_cases(cases: Layer) -> None:
    """Add the cases of 10.3 to the layer `envelopes`."""
    at = world()
    first = make_entry()
    second = make_entry(counter=2, prev=first.id, vector={1: 4, 3: 1}, seen_head=(1, 9, b"\x10" * 32),
                        ops=encode_ops([DeleteOp(CONTACT, 1, 1_800_000_000_000)]))
    for name, comment, entry in (
        ("first", "an author's first entry has no entry before it", first),
        ("second", "the next names the first, and what its author has seen", second),
        ("empty", "no operations", make_entry(ops=encode([]))),
    ):
        inputs = entry_fields(entry) | {"signing_seed": at.parties[3].seed, "set_id": at.set_id.hex()}
        cases.valid("sign_entry", name, "10.3", comment, inputs)
        cases.valid("parse_entry", name, "10.3", comment, {"entry": entry.raw.hex()})
    for name, comment, counter, prev in (
        ("first-with-prev", "counter 1, and an entry before it", 1, b"\x0f" * 32),
        ("second-without-prev", "counter 2, and no entry before it", 2, bytes(32)),
    ):
        raw = spelled([3, counter, prev, [], [1, 0, bytes(16)]])
        cases.invalid("parse_entry", name, "10.3", comment, {"entry": raw.hex()}, EntryInvalid, flags=("prev",))
    _shapes(cases, decode(second.header))


def _shapes(cases: Layer, good: list[Any]) -> None:
    def refuse(name: str, comment: str, raw: bytes) -> None:
        cases.invalid("parse_entry", name, "6.4", comment, {"entry": raw.hex()}, NonCanonical, flags=("shape",))

    for name, comment, index, value in (
        ("author-beyond-u32", "an index of 2^32", 0, 2**32),
        ("counter-0", "counters begin with 1", 1, 0),
        ("counter-true", "a boolean is no counter", 1, True),
        ("short-prev", "an id of 31 bytes", 2, good[2][:-1]),
        ("vector-descending", "members out of order", 3, [[3, 1], [1, 4]]),
        ("vector-member-twice", "a member twice", 3, [[1, 4], [1, 5]]),
        ("vector-with-0", "a counter of 0 is left out", 3, [[1, 0], [3, 1]]),
        ("vector-in-a-map", "a map for the vector", 3, {}),
        ("no-head", "an empty array for the head", 4, []),
        ("head-with-whole-hash", "a log hash of 32 bytes", 4, [1, 9, bytes(32)]),
        ("head-below-0", "position −1", 4, [1, -1, bytes(16)]),
    ):
        refuse(name, comment, spelled(replaced(good, index, value)))
    refuse("header-of-four", "the last field missing", spelled(good[:-1]))
    refuse("header-of-six", "one field more", spelled([*good, 0]))
    refuse("short-salt", "a salt of 15 bytes", spelled(good, salt=bytes(15)))
    refuse("ops-in-place", "the operations as an array, not as bytes", spelled(good, ops=[]))
    refuse("short-signature", "a signature of 63 bytes", spelled(good, signature=bytes(63)))
    refuse("trailing-byte", "a byte after the entry", spelled(good) + b"\0")
    for name, comment, raw in (
        ("ops-too-long", "operations of one byte more than 240 KiB", spelled(good, ops=bytes(ENTRY_BODY_MAX + 1))),
        ("too-long", "one byte more than an envelope may have", bytes(ENVELOPE_MAX + 1)),
    ):
        cases.invalid("parse_entry", name, "10.3", comment, {"entry": raw.hex()}, LimitExceeded, flags=("bomb",))
    refuse("three-parts", "no signature", encode([encode(good), bytes(16), OPS]))
