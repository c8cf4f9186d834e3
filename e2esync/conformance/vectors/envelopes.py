"""Examples of the log (SPEC 10): entries, envelopes, log hashes, heads and heartbeats of one small set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from e2esync.conformance.vectors import entries, evidence, heads
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, hexed
from e2esync.conformance.vectors.entries import CONTACT, OPS, entry_fields, make_entry, spelled
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import party, world
from e2esync.contactset import decode_ops
from e2esync.crypto import AEAD_OVERHEAD, Secret, pad, padded_size, seal
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import Remove
from e2esync.epoch.shape import u64
from e2esync.errors import AuthFailed, CommitMismatch, E2esyncError, EntryInvalid, LimitExceeded, NonCanonical
from e2esync.limits import ENVELOPE_MAX, NONCE
from e2esync.log.entry import Entry
from e2esync.log.envelope import (
    envelope_blobs,
    envelope_hash,
    envelope_header,
    next_log_hash,
    open_envelope,
    read_envelope,
    seal_envelope,
)
from e2esync.wire import encode

_FLAGS: Final = {
    "shape": "an object, signed or sealed as it is, whose form is not the one of its section",
    "bomb": "more than an object may be",
    "prev": "an entry that is its author's first, or claims to be, wrongly",
    "header": "what an envelope says in clear",
    "altered": "one bit changed, or bytes missing",
    "moved": "an authentic object in another place",
    "padding": "a plaintext padded in another way",
    "author": "an authentic entry of somebody who may not write it there",
    "operations": "operations that are not well-formed: the whole entry has no effect",
    "head": "a head that the relay did not sign as it is read",
    "slot": "a heartbeat in a slot that it does not belong to",
}
_TOO_LARGE: Final = padded_size(ENVELOPE_MAX + 1)
_BLOBS: Final = (b"\xb1" * 32, b"\xb2" * 32)
_NONCE: Final = NamedEntropy("envelopes").draw("envelope nonce", NONCE)


def _seal_envelope(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    key, set_id, entry = (bytes.fromhex(inputs[name]) for name in ("key", "set_id", "entry"))
    blobs = [bytes.fromhex(blob) for blob in inputs["blobs"]]
    nonce = entropy.draw("envelope nonce", NONCE)
    envelope = seal_envelope(Secret(key), set_id, inputs["epoch"], entry, nonce, blobs)
    return Outcome({"envelope": envelope.hex(), "hash": envelope_hash(envelope).hex()},
                   {"header": envelope_header(inputs["epoch"], blobs).hex()})


def _read_envelope(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    chain = verify_chain(bytes.fromhex(inputs["set_id"]), [bytes.fromhex(record) for record in inputs["records"]])
    key, envelope = Secret(bytes.fromhex(inputs["key"])), bytes.fromhex(inputs["envelope"])
    entry = read_envelope(key, chain, envelope)
    count = len(decode_ops(entry.ops))
    return Outcome(
        entry_fields(entry) | {"id": entry.id.hex(), "blobs": hexed(envelope_blobs(envelope)), "operations": count},
        {"entry": open_envelope(key, chain.set_id, chain.epoch, envelope).hex()},
    )


def _log_hash(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    hashes = [bytes.fromhex(inputs["record_hash"])]
    for envelope in inputs["envelopes"]:
        hashes.append(next_log_hash(hashes[-1], bytes.fromhex(envelope)))
    return Outcome({"log_hash": hashes[-1].hex()}, {"log_hashes": hexed(hashes)})


_OPERATIONS: Final = {"seal_envelope": _seal_envelope, "read_envelope": _read_envelope, "log_hash": _log_hash}


def layer() -> Layer:
    """All cases of `envelopes.json`."""
    cases = Layer("envelopes", "10", entries.OPERATIONS | _OPERATIONS | heads.OPERATIONS | evidence.OPERATIONS, _FLAGS)
    for number, record in enumerate(world().records):
        cases.give(f"record-{number}", record)
    entries.add_cases(cases)
    _envelopes(cases)
    _broken_headers(cases)
    _broken_ciphertexts(cases)
    _wrong_authors(cases)
    _malformed_operations(cases)
    _log_hashes(cases)
    heads.add_cases(cases)
    evidence.add_cases(cases)
    return cases


def _sealed(entry: bytes, blobs: tuple[bytes, ...] = (), epoch: int = 1, set_id: bytes | None = None) -> bytes:
    at = world()
    return seal_envelope(at.key, at.set_id if set_id is None else set_id, epoch, entry, _NONCE, blobs)


def _raw(header: bytes, plaintext: bytes, context: bytes | None = None) -> bytes:
    """An envelope of this header and padded plaintext, as they are."""
    at = world()
    return header + seal(at.key, _NONCE, at.set_id + (header if context is None else context), plaintext)


def _read(envelope: bytes, *records: bytes, key: Secret | None = None) -> Inputs:
    at = world()
    return {
        "set_id": at.set_id.hex(), "records": [{"given": "record-0"}, {"given": "record-1"}, *hexed(records)],
        "key": (key or at.key).reveal().hex(), "envelope": envelope.hex(),
    }


def _envelopes(cases: Layer) -> None:
    at = world()
    small, ops = make_entry(), encode([[1, CONTACT, 1, 1, {"notes/a": "x" * 900}]])
    big = make_entry(author=1, ops=ops)
    for name, comment, entry, blobs in (
        ("smallest", "512 bytes", small, ()),
        ("next-size", "2048 bytes", big, ()),
        ("with-blobs", "the header names the blobs that the operations need", small, _BLOBS),
        ("blobs-given-descending", "they are written in ascending order", small, _BLOBS[::-1]),
    ):
        inputs = {"key": at.key.reveal().hex(), "set_id": at.set_id.hex(), "epoch": 1, "entry": entry.raw.hex(),
                  "blobs": hexed(blobs)}
        sealed = cases.valid("seal_envelope", name, "10.4", comment, inputs)["envelope"]
        cases.valid("read_envelope", name, "10.4", comment, _read(bytes.fromhex(sealed)))
    cases.invalid("seal_envelope", "too-long", "10.4", "an entry that does not fit 256 KiB", {
        "key": at.key.reveal().hex(), "set_id": at.set_id.hex(), "epoch": 1, "blobs": [],
        "entry": bytes(ENVELOPE_MAX - AEAD_OVERHEAD - 12).hex(),
    }, LimitExceeded, flags=("bomb",))
    unknown = make_entry(ops=encode([[4, "later"]]))
    cases.valid("read_envelope", "unknown-operation", "8.2", "an operation of a later version is skipped",
                _read(_sealed(unknown.raw)))


def _refuse(
    cases: Layer, name: str, comment: str, envelope: bytes, error: type[E2esyncError], flag: str, *records: bytes,
    key: Secret | None = None, spec: str = "10.4",
) -> None:
    cases.invalid("read_envelope", name, spec, comment, _read(envelope, *records, key=key), error, flags=(flag,))


def _broken_headers(cases: Layer) -> None:
    plain = _sealed(make_entry().raw)
    named = _sealed(make_entry().raw, _BLOBS)
    first, second = named[12:44], named[44:76]
    for name, comment, envelope in (
        ("nothing", "nothing at all", b""),
        ("one-byte-more", "a size that is not allowed", plain + b"\0"),
        ("one-byte-less", "a size that is not allowed", plain[:-1]),
        ("too-large", "an allowed size above 256 KiB", b"\1\1" + u64(1) + bytes(_TOO_LARGE - 10)),
        ("other-suite", "suite 2", b"\2" + plain[1:]),
        ("other-type", "the type of a chunk", plain[:1] + b"\4" + plain[2:]),
        ("other-epoch", "epoch 2 in the header", plain[:9] + b"\2" + plain[10:]),
        ("blobs-descending", "the blobs out of order", named[:12] + second + first + named[76:]),
        ("blob-twice", "a blob named twice", named[:12] + first + first + named[76:]),
        ("count-beyond-the-end", "a count of blobs that are not there", plain[:10] + b"\xff\xff" + plain[12:]),
    ):
        _refuse(cases, name, comment, envelope, EntryInvalid, "header")
    for name, comment, envelope in (
        ("count-less", "one blob fewer named", named[:10] + b"\0\1" + named[12:]),
        ("blob-exchanged", "another blob named", named[:12] + b"\xb0" * 32 + named[44:]),
    ):
        _refuse(cases, name, comment, envelope, CommitMismatch, "header")


def _broken_ciphertexts(cases: Layer) -> None:
    at = world()
    entry, plain = make_entry().raw, _sealed(make_entry().raw)
    header = envelope_header(1)
    overhead = len(header) + AEAD_OVERHEAD
    padded = pad(entry, overhead)
    for name, comment, envelope, error, flag in (
        ("nonce-altered", "a bit of the nonce", flipped(plain, 12 * 8), CommitMismatch, "altered"),
        ("commitment-altered", "a bit of the commitment", flipped(plain, 36 * 8), CommitMismatch, "altered"),
        ("ciphertext-altered", "a bit of the ciphertext", flipped(plain, 68 * 8), AuthFailed, "altered"),
        ("tag-altered", "a bit of the tag", flipped(plain, -1), AuthFailed, "altered"),
        ("sealed-for-another-set", "the context of another set", _sealed(entry, set_id=bytes(32)), CommitMismatch,
         "moved"),
        ("sealed-without-header", "a context without the header", _raw(header, padded, b""), CommitMismatch, "moved"),
        ("sealed-for-another-epoch", "the context of epoch 0", _raw(header, padded, envelope_header(0)),
         CommitMismatch, "moved"),
        ("no-mark", "zeros and no mark", _raw(header, bytes(len(padded))), AuthFailed, "padding"),
        ("mark-81", "0x81 for the mark", _raw(header, entry + b"\x81" + padded[len(entry) + 1 :]), AuthFailed,
         "padding"),
        ("byte-after-mark", "a byte behind the mark that is not zero", _raw(header, padded[:-1] + b"\1"), AuthFailed,
         "padding"),
        ("larger-than-needed", "1024 bytes where 512 are enough",
         _raw(header, entry + b"\x80" + bytes(1024 - overhead - len(entry) - 1)), AuthFailed, "padding"),
        ("no-entry", "a plaintext that is no entry", _sealed(b"\x90"), NonCanonical, "shape"),
    ):
        _refuse(cases, name, comment, envelope, error, flag)
    _refuse(cases, "key-of-epoch-0", "opened under another epoch's key", plain, CommitMismatch, "moved",
            key=Secret(bytes(32)))
    _refuse(cases, "sealed-under-the-secret", "the epoch's secret for its key", seal_envelope(
        at.openings[1].secret, at.set_id, 1, entry, _NONCE), CommitMismatch, "moved")


def _wrong_authors(cases: Layer) -> None:
    at = world()
    stranger = party("stranger").signing

    def refuse(name: str, comment: str, entry: Entry, error: type[E2esyncError], *records: bytes) -> None:
        epoch = 1 + len(records)
        _refuse(cases, name, comment, _sealed(entry.raw, epoch=epoch), error, "author", *records)

    refuse("by-stranger", "an index that was not given", make_entry(author=9, signer=stranger), EntryInvalid)
    refuse("by-reader", "a reader may not write", make_entry(author=4), EntryInvalid)
    refuse("by-kit", "a recovery member may not write", make_entry(author=6), EntryInvalid)
    refuse("by-root", "nor may the root", make_entry(author=0), EntryInvalid)
    refuse("signed-by-another", "member 5's key for member 3", make_entry(signer=at.parties[5].signing), AuthFailed)
    refuse("signed-by-relay", "the relay's key", make_entry(signer=at.relay), AuthFailed)
    refuse("signed-for-another-set", "a signature in another set", make_entry(set_id=bytes(32)), AuthFailed)
    gone = at.record(1, (Remove(3),))
    refuse("by-removed", "a member that the epoch's record removed", make_entry(), EntryInvalid, gone.raw)
    left = at.record(1, (Remove(1),))
    refuse("opener-outside", "the epoch's opener is not one of its members", make_entry(), EntryInvalid, left.raw)
    cases.valid("read_envelope", "after-an-opening", "10.5", "an entry made before the epoch in which it is sent",
                _read(_sealed(make_entry().raw, epoch=2), at.record().raw))
    good = make_entry()
    other = replace(good, ops=encode([]))
    for name, comment, raw in (
        ("other-operations", "other operations under the signature",
         encode([good.header, good.salt, other.ops, good.signature])),
        ("other-salt", "another salt under the signature",
         encode([good.header, bytes(16), good.ops, good.signature])),
        ("other-header", "another header under the signature",
         spelled([3, 1, bytes(32), [[1, 1]], [1, 0, bytes(16)]], good.salt, OPS, good.signature)),
    ):
        _refuse(cases, name, comment, _sealed(raw), AuthFailed, "author")


def _malformed_operations(cases: Layer) -> None:
    contact = CONTACT
    malformed: tuple[tuple[str, str, Any], ...] = (
        ("set-without-paths", "a set of nothing", [1, contact, 1, 1, {}]),
        ("set-life-0", "lives begin with 1", [1, contact, 0, 1, {"a": 1}]),
        ("delete-of-five", "a delete with five elements", [2, contact, 1, 1, 0]),
        ("batch-of-nothing", "a batch without contacts", [3, bytes(32), bytes(32), 0]),
    )
    for name, comment, op in malformed:
        good = [1, contact, 1, 1, {"a": 1}]
        envelope = _sealed(make_entry(ops=encode([good, op])).raw)
        _refuse(cases, name, comment, envelope, EntryInvalid, "operations", spec="8.2")
    envelope = _sealed(make_entry(ops=encode({"a": 1})).raw)
    _refuse(cases, "ops-in-a-map", "a map for the operations", envelope, EntryInvalid, "operations")
    envelope = _sealed(make_entry(ops=b"").raw)
    _refuse(cases, "no-ops", "no bytes for the operations", envelope, EntryInvalid, "operations")


def _log_hashes(cases: Layer) -> None:
    at = world()
    one, two = (_sealed(make_entry(author=author).raw) for author in (1, 3))
    inputs = {"record_hash": at.chain.head.hash.hex()}
    for name, comment, log in (
        ("empty", "position 0: the record's hash", []),
        ("one", "position 1", [one]),
        ("two", "position 2", [one, two]),
        ("two-swapped", "another order is another hash", [two, one]),
    ):
        cases.valid("log_hash", name, "10.1", comment, inputs | {"envelopes": hexed(log)})
