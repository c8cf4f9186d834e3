"""Examples of snapshots (SPEC 11): blobs, manifests, runs of chunks under an index, media."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors import runs
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import replaced, world
from e2esync.crypto import AEAD_OVERHEAD, Secret, pad, padded_size, seal
from e2esync.errors import AuthFailed, CommitMismatch, E2esyncError, LimitExceeded, NonCanonical, SnapshotInvalid
from e2esync.limits import BLOB_MAX, NONCE
from e2esync.snapshot.blob import (
    BlobType,
    blob_id,
    check_blob_id,
    open_blob,
    open_manifest,
    seal_blob,
    seal_manifest,
)
from e2esync.snapshot.manifest import (
    LastEntry,
    Manifest,
    RunRef,
    UnknownOp,
    check_manifest,
    encode_manifest,
    parse_manifest,
)
from e2esync.wire import encode

_FLAGS: Final = {
    "header": "what a blob says in clear, its size or its name",
    "altered": "one bit changed",
    "moved": "an authentic blob in another place",
    "padding": "a plaintext padded in another way",
    "shape": "a content, sealed as it is, whose form is not the one of its section",
    "horizon": "a horizon that falls, or lies in an epoch to come",
    "run": "a run whose index, chunks and counts do not fit together",
}
_KEY: Final = b"\x6b" * 32
_NONCE: Final = NamedEntropy("snapshots").draw("blob nonce", NONCE)
_MANIFEST_NONCE: Final = NamedEntropy("snapshots").draw("manifest nonce", NONCE)
_CONTENT: Final = b"what a photo is made of"


def _seal_blob(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    key = Secret(entropy.draw("blob key", 32))
    nonce = entropy.draw("blob nonce", NONCE)
    blob = seal_blob(BlobType(inputs["type"]), key, nonce, bytes.fromhex(inputs["set_id"]),
                     bytes.fromhex(inputs["content"]))
    return Outcome({"blob": blob.hex(), "id": blob_id(blob).hex()})


def _open_blob(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key, set_id, identity, blob = (bytes.fromhex(inputs[name]) for name in ("key", "set_id", "id", "blob"))
    check_blob_id(identity, blob)
    return Outcome({"content": open_blob(BlobType(inputs["type"]), Secret(key), set_id, blob).hex()})


def _seal_manifest(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    key, set_id = Secret(bytes.fromhex(inputs["key"])), bytes.fromhex(inputs["set_id"])
    content = encode_manifest(Manifest(
        vector={member: LastEntry(counter, bytes.fromhex(last)) for member, counter, last in inputs["vector"]},
        digest=bytes.fromhex(inputs["digest"]), horizon=inputs["horizon"],
        runs=tuple(RunRef(bytes.fromhex(index), Secret(bytes.fromhex(run_key)), count)
                   for index, run_key, count in inputs["runs"]),
        unknown=tuple(UnknownOp(member, counter, bytes.fromhex(op)) for member, counter, op in inputs["unknown"]),
    ))
    blob = seal_manifest(key, entropy.draw("manifest nonce", NONCE), set_id, inputs["epoch"], content)
    return Outcome({"blob": blob.hex(), "id": blob_id(blob).hex()}, {"content": content.hex()})


def _open_manifest(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key, set_id, identity, blob = (bytes.fromhex(inputs[name]) for name in ("key", "set_id", "id", "blob"))
    check_blob_id(identity, blob)
    content = open_manifest(Secret(key), set_id, inputs["epoch"], blob)
    manifest = parse_manifest(content)
    check_manifest(manifest, inputs["epoch"], inputs["previous_horizon"])
    return Outcome(_fields(manifest), {"content": content.hex()})


def _fields(manifest: Manifest) -> Inputs:
    return {
        "vector": hexed([[member, *last] for member, last in sorted(manifest.vector.items())]),
        "digest": manifest.digest.hex(), "horizon": manifest.horizon,
        "runs": [[run.index_id.hex(), run.index_key.reveal().hex(), run.count] for run in manifest.runs],
        "unknown": hexed(manifest.unknown),
    }


_OPERATIONS: Final = {
    "seal_blob": _seal_blob, "open_blob": _open_blob, "seal_manifest": _seal_manifest,
    "open_manifest": _open_manifest,
}


def layer() -> Layer:
    """All cases of `snapshots.json`."""
    cases = Layer("snapshots", "11", _OPERATIONS | runs.OPERATIONS, _FLAGS)
    _blobs(cases)
    _broken_blobs(cases)
    _manifests(cases)
    _broken_manifests(cases)
    _malformed_manifests(cases)
    runs.add_cases(cases)
    return cases


def _opened(blob: bytes, **change: Any) -> Inputs:
    return {
        "type": 5, "key": _KEY.hex(), "set_id": world().set_id.hex(), "id": blob_id(blob).hex(), "blob": blob.hex(),
    } | change


def _blobs(cases: Layer) -> None:
    set_id = world().set_id
    for name, comment, kind, content in (
        ("index", "an index without chunks", 3, encode([])),
        ("chunk", "a chunk of one absent contact", 4, encode([[bytes(16), b""]])),
        ("media", "a part of a photo", 5, _CONTENT),
        ("empty", "no content", 5, b""),
        ("next-size", "1024 bytes", 5, bytes(440)),
    ):
        cases.valid("seal_blob", name, "11.1", comment,
                    {"type": kind, "set_id": set_id.hex(), "content": content.hex()})
        blob = seal_blob(BlobType(kind), Secret(_KEY), _NONCE, set_id, content)
        cases.valid("open_blob", name, "11.1", comment, _opened(blob, type=kind))


def _refuse(
    cases: Layer, name: str, comment: str, inputs: Inputs, error: type[E2esyncError], flag: str,
) -> None:
    cases.invalid("open_blob", name, "11.1", comment, inputs, error, flags=(flag,))


def _broken_blobs(cases: Layer) -> None:
    set_id = world().set_id
    good = seal_blob(BlobType.MEDIA, Secret(_KEY), _NONCE, set_id, _CONTENT)
    overhead = 2 + AEAD_OVERHEAD
    padded, context = pad(_CONTENT, overhead), set_id + b"\x05"

    def raw(plaintext: bytes, bound: bytes = context) -> bytes:
        return good[:2] + seal(Secret(_KEY), _NONCE, bound, plaintext)

    cases.invalid("seal_blob", "too-large", "11.1", "a content that does not fit 1 MiB",
                  {"type": 5, "set_id": set_id.hex(), "content": bytes(BLOB_MAX - overhead).hex()}, LimitExceeded,
                  flags=("header",))
    large = good[:2] + bytes(padded_size(BLOB_MAX + 1) - 2)
    _refuse(cases, "too-large", "an allowed size above 1 MiB", _opened(large), SnapshotInvalid, "header")
    _refuse(cases, "other-id", "the id of another blob", _opened(good, id="00" * 32), SnapshotInvalid, "header")
    _refuse(cases, "altered-but-named-as-before", "the id of the blob before a bit was changed",
            _opened(flipped(good, -1), id=blob_id(good).hex()), SnapshotInvalid, "altered")
    for name, comment, blob in (
        ("nothing", "no bytes", b""),
        ("one-byte-more", "a size that is not allowed", good + b"\0"),
        ("one-byte-less", "a size that is not allowed", good[:-1]),
        ("suite-2", "another suite", b"\2" + good[1:]),
        ("other-type-in-clear", "the type of a chunk", good[:1] + b"\4" + good[2:]),
        ("type-1", "the type of an envelope", good[:1] + b"\1" + good[2:]),
    ):
        _refuse(cases, name, comment, _opened(blob), SnapshotInvalid, "header")
    for name, comment, blob, error, flag in (
        ("commitment-altered", "a bit of the commitment", flipped(good, 26 * 8), CommitMismatch, "altered"),
        ("tag-altered", "a bit of the tag", flipped(good, -1), AuthFailed, "altered"),
        ("sealed-as-chunk", "the context of a chunk", raw(padded, set_id + b"\x04"), CommitMismatch, "moved"),
        ("sealed-for-another-set", "the context of another set", raw(padded, bytes(32) + b"\x05"), CommitMismatch,
         "moved"),
        ("no-mark", "zeros and no mark", raw(bytes(len(padded))), AuthFailed, "padding"),
        ("byte-after-mark", "a byte behind the mark that is not zero", raw(padded[:-1] + b"\1"), AuthFailed, "padding"),
        ("larger-than-needed", "1024 bytes where 512 are enough",
         raw(_CONTENT + b"\x80" + bytes(1024 - overhead - len(_CONTENT) - 1)), AuthFailed, "padding"),
    ):
        _refuse(cases, name, comment, _opened(blob), error, flag)
    _refuse(cases, "other-key", "another blob's key", _opened(good, key="00" * 32), CommitMismatch, "moved")
    _refuse(cases, "media-as-chunk", "a media part where a chunk is awaited", _opened(good, type=4), SnapshotInvalid,
            "moved")


def _good_manifest() -> list[Any]:
    return [
        [[1, 4, b"\x14" * 32], [3, 2, b"\x32" * 32]], b"\xd1" * 32, 2,
        [[b"\x1a" * 32, b"\xa1" * 32, 700], [b"\x1b" * 32, b"\xb1" * 32, 3]],
        [[3, 1, encode([9, "later"])], [3, 1, encode([9, "too"])], [3, 2, encode([4])]],
    ]


def _sealed(fields: Any, epoch: int = 3, set_id: bytes | None = None) -> bytes:
    content = fields if isinstance(fields, bytes) else encode(fields)
    bound = world().set_id if set_id is None else set_id
    return seal_manifest(Secret(_KEY), _MANIFEST_NONCE, bound, epoch, content)


def _read(blob: bytes, **change: Any) -> Inputs:
    return {
        "key": _KEY.hex(), "set_id": world().set_id.hex(), "epoch": 3, "previous_horizon": 1,
        "id": blob_id(blob).hex(), "blob": blob.hex(),
    } | change


def _manifests(cases: Layer) -> None:
    empty: list[Any] = [[], b"\xd0" * 32, 0, [], []]
    eight = replaced(_good_manifest(), 3, [[bytes([index]) * 32, b"\xa1" * 32, 0] for index in range(8)])
    for name, comment, fields, horizon in (
        ("full", "vector, runs, unknown operations", _good_manifest(), 1),
        ("empty", "the snapshot of an empty log", empty, 0),
        ("eight-runs", "as many as there may be", eight, 2),
    ):
        manifest = parse_manifest(encode(fields))
        cases.valid("seal_manifest", name, "11.2", comment, _fields(manifest) | {
            "key": _KEY.hex(), "set_id": world().set_id.hex(), "epoch": 3})
        cases.valid("open_manifest", name, "11.2", comment, _read(_sealed(fields), previous_horizon=horizon))
    cases.valid("open_manifest", "horizon-of-its-epoch", "11.2", "the horizon may be the epoch's own number",
                _read(_sealed(replaced(_good_manifest(), 2, 3))))


def _broken_manifests(cases: Layer) -> None:
    fields = _good_manifest()
    good = _sealed(fields)
    chunk = seal_blob(BlobType.CHUNK, Secret(_KEY), _NONCE, world().set_id, encode(fields))

    def refuse(name: str, comment: str, inputs: Inputs, error: type[E2esyncError], flag: str) -> None:
        cases.invalid("open_manifest", name, "11.2", comment, inputs, error, flags=(flag,))

    refuse("horizon-falls", "a horizon below the one before", _read(_sealed(replaced(fields, 2, 0))), SnapshotInvalid,
           "horizon")
    refuse("horizon-to-come", "a horizon beyond the epoch", _read(_sealed(replaced(fields, 2, 4))), SnapshotInvalid,
           "horizon")
    refuse("other-id", "an id that the record does not name", _read(good, id="00" * 32), SnapshotInvalid, "header")
    refuse("chunk-for-manifest", "a chunk", _read(chunk), SnapshotInvalid, "header")
    refuse("other-epoch", "sealed for epoch 2", _read(_sealed(fields, epoch=2)), CommitMismatch, "moved")
    refuse("other-set", "sealed for another set", _read(_sealed(fields, set_id=bytes(32))), CommitMismatch, "moved")
    refuse("other-key", "the key of another epoch", _read(good, key="00" * 32), CommitMismatch, "moved")
    refuse("altered", "a bit of the tag", _read(flipped(good, -1)), AuthFailed, "altered")


def _malformed_manifests(cases: Layer) -> None:
    good = _good_manifest()
    vector, runs_, unknown = good[0], good[3], good[4]
    for name, comment, fields in (
        ("four-fields", "the last field missing", good[:-1]),
        ("six-fields", "one field more", [*good, 0]),
        ("map", "a map for the manifest", {}),
        ("vector-descending", "members out of order", replaced(good, 0, vector[::-1])),
        ("vector-member-twice", "a member twice", replaced(good, 0, [vector[0], vector[0]])),
        ("vector-without-id", "a line without an entry id", replaced(good, 0, [vector[0][:2]])),
        ("vector-counter-0", "counters begin with 1", replaced(good, 0, [[1, 0, b"\x14" * 32]])),
        ("vector-short-id", "an entry id of 31 bytes", replaced(good, 0, [[1, 4, b"\x14" * 31]])),
        ("short-digest", "a digest of 31 bytes", replaced(good, 1, good[1][:-1])),
        ("horizon-below-0", "horizon −1", replaced(good, 2, -1)),
        ("horizon-true", "a boolean is no horizon", replaced(good, 2, True)),
        ("run-of-two", "a run without a count", replaced(good, 3, [runs_[0][:2]])),
        ("run-short-id", "an index id of 31 bytes", replaced(good, 3, [[bytes(31), bytes(32), 1]])),
        ("run-short-key", "an index key of 31 bytes", replaced(good, 3, [[bytes(32), bytes(31), 1]])),
        ("run-count-below-0", "a count of −1", replaced(good, 3, [[bytes(32), bytes(32), -1]])),
        ("unknown-descending", "unknown operations out of order", replaced(good, 4, unknown[::-1])),
        ("unknown-counter-0", "counters begin with 1", replaced(good, 4, [[3, 0, b"\x91\4"]])),
        ("unknown-in-place", "an operation as an array, not as bytes", replaced(good, 4, [[3, 1, [4]]])),
    ):
        cases.invalid("open_manifest", name, "6.4", comment, _read(_sealed(fields)), NonCanonical, flags=("shape",))
    nine = replaced(good, 3, [[bytes([index]) * 32, b"\xa1" * 32, 1] for index in range(9)])
    cases.invalid("open_manifest", "nine-runs", "11.2", "more than eight runs", _read(_sealed(nine)), LimitExceeded,
                  flags=("shape",))
    cases.invalid("open_manifest", "trailing-byte", "6.2 step 2", "a byte after the manifest",
                  _read(_sealed(encode(good) + b"\0")), NonCanonical, flags=("shape",))
