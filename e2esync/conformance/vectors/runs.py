"""Examples of runs (SPEC 11.3), of which an opening keeps (14.3), and of media (11.6), part of `snapshots.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import world
from e2esync.contactset import check_packed
from e2esync.crypto import Secret
from e2esync.errors import (
    AuthFailed,
    BadState,
    CommitMismatch,
    E2esyncError,
    LimitExceeded,
    NonCanonical,
    SnapshotInvalid,
)
from e2esync.limits import BLOB_PART, MEDIA_MAX, NONCE
from e2esync.replica.snapshots import fetcher, run_items
from e2esync.snapshot.blob import BlobType, blob_id, seal_blob
from e2esync.snapshot.manifest import RunRef
from e2esync.snapshot.runs import build_run, plan_runs, split_media
from e2esync.wire import encode

_IDS: Final = tuple(bytes([number]) * 16 for number in range(1, 6))
_STATE: Final = encode([[1, [[1, 1, 5, {"a": 1}]]]])
_KEY: Final = b"\x6b" * 32
_NONCE: Final = NamedEntropy("runs").draw("blob nonce", NONCE)


def _build_run(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    contacts = [(bytes.fromhex(contact), bytes.fromhex(state)) for contact, state in inputs["contacts"]]
    built = build_run(contacts, bytes.fromhex(inputs["set_id"]), entropy)
    ref = built.ref
    return Outcome(
        {
            "run": hexed([ref.index_id, ref.index_key.reveal(), ref.count]),
            "blobs": hexed([blob for _, blob in built.blobs]),
        },
        {"blob_ids": hexed([identity for identity, _ in built.blobs])},
    )


def _read_run(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    index_id, index_key, count = inputs["run"]
    ref = RunRef(bytes.fromhex(index_id), Secret(bytes.fromhex(index_key)), count)
    blobs = {bytes.fromhex(identity): bytes.fromhex(blob) for identity, blob in inputs["blobs"]}
    items = list(run_items(bytes.fromhex(inputs["set_id"]), ref, fetcher(blobs.get)))
    for _, state in items:
        if state:
            check_packed(state)
    return Outcome({"contacts": hexed(items)})


def _plan_runs(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    old = [RunRef(bytes(32), Secret(bytes(32)), count) for count in inputs["counts"]]
    return Outcome({"kept": plan_runs(old, inputs["dirty"])})


def _split_media(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"sizes": [len(part) for part in split_media(bytes(inputs["size"]))]})


OPERATIONS: Final = {
    "build_run": _build_run, "read_run": _read_run, "plan_runs": _plan_runs, "split_media": _split_media,
}


def _sealed(kind: BlobType, content: bytes, key: bytes = _KEY) -> bytes:
    return seal_blob(kind, Secret(key), _NONCE, world().set_id, content)


def _lines(*contacts: bytes, state: bytes = _STATE) -> list[list[bytes]]:
    return [[contact, state] for contact in contacts]


def _run(chunks: Sequence[Any], index: Any = None, *, counts: Sequence[int] | None = None, count: int | None = None,
         **change: Any) -> Inputs:
    """A run of these chunks (their lines, or their content), with the index, counts and count that fit them."""
    blobs = [_sealed(BlobType.CHUNK, lines if isinstance(lines, bytes) else encode(lines)) for lines in chunks]
    sizes = [len(lines) for lines in chunks] if counts is None else list(counts)
    if index is None:
        index = [[blob_id(blob), _KEY, size] for blob, size in zip(blobs, sizes, strict=True)]
    head = _sealed(BlobType.INDEX, index if isinstance(index, bytes) else encode(index))
    return {
        "set_id": world().set_id.hex(), "run": hexed([blob_id(head), _KEY, sum(sizes) if count is None else count]),
        "blobs": [[blob_id(blob).hex(), blob.hex()] for blob in [*blobs, head]],
    } | change


def add_cases(cases: Layer) -> None:
    """Add the cases of 11.3 and 11.6 to the layer `snapshots`."""
    one, two, three, four, _ = _IDS
    set_id = world().set_id.hex()
    for name, comment, contacts in (
        ("two-contacts", "one chunk", [[one, _STATE], [two, _STATE]]),
        ("absent", "an empty state says that the contact is absent", [[one, b""]]),
        ("empty", "no contacts: an index without chunks", []),
    ):
        cases.valid("build_run", name, "11.3", comment, {"set_id": set_id, "contacts": hexed(contacts)})
    for name, comment, chunks in (
        ("one-chunk", "one chunk", [_lines(one, two)]),
        ("two-chunks", "ids ascend within and across chunks", [_lines(one, two), _lines(three, four)]),
        ("absent", "a contact and one that is absent", [[[one, _STATE], [two, b""]]]),
        ("empty", "no chunks", []),
    ):
        cases.valid("read_run", name, "11.3", comment, _run(chunks))
    _broken_runs(cases)
    _broken_blobs(cases)
    _malformed_runs(cases)
    for name, comment, counts, dirty in (
        ("first", "no runs yet", [], 5),
        ("kept", "the old run is more than twice the new one", [100], 10),
        ("merged", "at most twice: it is merged", [20], 10),
        ("just-more-than-twice", "more than twice: it stays", [21], 10),
        ("cascade", "what was merged counts for the next older one", [100, 45, 20], 10),
        ("nothing-dirty", "nothing new: all stay", [100, 10], 0),
        ("eight-and-one", "a ninth run is merged into the eighth, however large",
         [6561, 2187, 729, 243, 81, 27, 9, 3], 1),
        ("eight-and-none", "eight stay when there is no new one", [6561, 2187, 729, 243, 81, 27, 9, 3], 0),
    ):
        cases.valid("plan_runs", name, "14.3", comment, {"counts": counts, "dirty": dirty})
    for name, comment, size in (
        ("nothing", "one empty part", 0), ("one-part", "as much as a part holds", BLOB_PART),
        ("two-parts", "one byte more", BLOB_PART + 1), ("largest", "16 MiB", MEDIA_MAX),
    ):
        cases.valid("split_media", name, "11.6", comment, {"size": size})
    cases.invalid("split_media", "too-large", "11.6", "one byte more than 16 MiB", {"size": MEDIA_MAX + 1},
                  LimitExceeded, flags=("run",))


def _refuse(
    cases: Layer, name: str, comment: str, inputs: Inputs, error: type[E2esyncError] = SnapshotInvalid,
    flag: str = "run",
) -> None:
    cases.invalid("read_run", name, "11.3", comment, inputs, error, flags=(flag,))


def _broken_runs(cases: Layer) -> None:
    one, two, three, four, _ = _IDS
    for name, comment, inputs in (
        ("count-more", "a run of more contacts than its index lists", _run([_lines(one, two)], count=3)),
        ("count-less", "a run of fewer contacts than its index lists", _run([_lines(one, two)], count=1)),
        ("chunk-count-more", "a chunk of fewer contacts than the index says",
         _run([_lines(one), _lines(three, four)], counts=[2, 2])),
        ("chunk-count-less", "a chunk of more contacts than the index says", _run([_lines(one, two)], counts=[1])),
        ("chunks-descending", "the chunks out of order", _run([_lines(three, four), _lines(one, two)])),
        ("chunks-overlap", "a chunk begins with the last id of the one before",
         _run([_lines(one, two), _lines(two, three)])),
        ("chunk-empty", "a chunk without contacts, listed with one", _run([[]], counts=[1])),
    ):
        _refuse(cases, name, comment, inputs)


def _broken_blobs(cases: Layer) -> None:
    good = _run([_lines(_IDS[0], _IDS[1])])
    chunk, index = good["blobs"]
    other = _sealed(BlobType.CHUNK, encode(_lines(_IDS[0], _IDS[2])))
    renamed = flipped(bytes.fromhex(index[1]), -1).hex()
    for name, comment, blobs in (
        ("chunk-missing", "a chunk that is not there", [index]),
        ("index-missing", "an index that is not there", [chunk]),
        ("chunk-of-another-name", "another chunk served under the name", [[chunk[0], other.hex()], index]),
        ("index-altered", "an altered index served under the name", [chunk, [index[0], renamed]]),
    ):
        _refuse(cases, name, comment, good | {"blobs": blobs}, flag="header")
    _refuse(cases, "index-is-chunk", "a chunk where the index is awaited",
            good | {"run": [chunk[0], *good["run"][1:]]}, flag="moved")
    swapped = _sealed(BlobType.INDEX, encode([[bytes.fromhex(index[0]), _KEY, 2]]))
    _refuse(cases, "chunk-is-an-index", "an index where a chunk is awaited", good | {
        "run": hexed([blob_id(swapped), _KEY, 2]), "blobs": [index, [blob_id(swapped).hex(), swapped.hex()]],
    }, flag="moved")
    _refuse(cases, "index-key-wrong", "another key for the index",
            good | {"run": [good["run"][0], "00" * 32, 2]}, CommitMismatch, "moved")
    wrong_key = _run([_lines(_IDS[0])], [[bytes.fromhex(_run([_lines(_IDS[0])])["blobs"][0][0]), bytes(32), 1]])
    _refuse(cases, "chunk-key-wrong", "another key for a chunk", wrong_key, CommitMismatch, "moved")
    altered = flipped(bytes.fromhex(chunk[1]), -1)
    head = _sealed(BlobType.INDEX, encode([[blob_id(altered), _KEY, 2]]))
    _refuse(cases, "chunk-altered", "a bit of a chunk's tag, and an index that names it so", good | {
        "run": hexed([blob_id(head), _KEY, 2]),
        "blobs": [[blob_id(altered).hex(), altered.hex()], [blob_id(head).hex(), head.hex()]],
    }, AuthFailed, "altered")


def _malformed_runs(cases: Layer) -> None:
    one, two = _IDS[:2]
    good = bytes.fromhex(_run([_lines(one)])["blobs"][0][0])
    chunks: tuple[tuple[str, str, Any, int, type[E2esyncError]], ...] = (
        ("ids-descending", "ids out of order within a chunk", _lines(two, one), 2, NonCanonical),
        ("id-twice", "an id twice within a chunk", _lines(one, one), 2, NonCanonical),
        ("short-id", "a contact id of 15 bytes", [[one[:15], _STATE]], 1, NonCanonical),
        ("item-of-three", "an item with three elements", [[one, _STATE, 0]], 1, NonCanonical),
        ("state-in-place", "a state as an array, not as bytes", [[one, [[1, []]]]], 1, NonCanonical),
        ("chunk-is-map", "a map for the chunk", encode({}), 1, NonCanonical),
        ("state-malformed", "a state without lives", [[one, b"\x90"]], 1, BadState),
        ("state-cut-short", "the last byte of a state missing", [[one, _STATE[:-1]]], 1, BadState),
    )
    for name, comment, lines, size, error in chunks:
        _refuse(cases, name, comment, _run([lines], counts=[size]), error, "shape")
    for name, comment, index in (
        ("index-is-map", "a map for the index", encode({})),
        ("line-of-two", "a line without a count", [[good, _KEY]]),
        ("line-short-id", "a chunk id of 31 bytes", [[good[:-1], _KEY, 1]]),
        ("line-short-key", "a chunk key of 31 bytes", [[good, _KEY[:-1], 1]]),
        ("line-count-0", "a chunk of no contacts", [[good, _KEY, 0]]),
        ("line-count-true", "a boolean is no count", [[good, _KEY, True]]),
    ):
        _refuse(cases, name, comment, _run([_lines(one)], index), NonCanonical, "shape")
