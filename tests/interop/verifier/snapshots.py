"""Snapshots and blobs (SPEC 11): sealed blobs, the manifest, runs of chunks."""

from typing import Any

from . import contacts, suite
from .encoding import INDEX, TIME, ascending, decode, encode, fields, integer, items, raw
from .errors import Refusal, require
from .records import u64

MANIFEST, INDEX_BLOB, CHUNK, MEDIA = 2, 3, 4, 5
BLOB_MAX, RUNS_MAX, RUN_CHUNKS_MAX, CHUNK_TARGET, BLOB_PART, RUN_RATIO = 1 << 20, 8, 8192, 131072, 524288, 2
OVERHEAD = 2 + 24 + 32 + 16
FROM_ONE = range(1, TIME.stop)
INVALID = "SnapshotInvalid"


def blob_id(blob: bytes) -> bytes:
    return suite.H("BLOB", blob)


def seal_blob(kind: int, key: bytes, nonce: bytes, context: bytes, content: bytes) -> bytes:
    """SPEC 11.1; `context` without the type that all contexts hold behind the set id."""
    require(suite.padded_size(len(content) + 1 + OVERHEAD) <= BLOB_MAX, "LimitExceeded", "a blob too large")
    return bytes([1, kind]) + suite.seal(key, nonce, context, suite.pad(content, OVERHEAD))


def open_blob(kind: int, key: bytes, context: bytes, name: bytes, blob: bytes) -> bytes:
    """SPEC 11.1: id, size, suite and type are compared before the cipher is opened."""
    fits = 0 < len(blob) <= BLOB_MAX and suite.padded_size(len(blob)) == len(blob)
    require(fits and blob_id(blob) == name, INVALID, "another blob, or a size that is not allowed")
    require(blob[:2] == bytes([1, kind]), INVALID, "another suite or type")
    return suite.unpad(suite.unseal(key, context, blob[2:]), OVERHEAD)


def context_of(kind: int, set_id: bytes, epoch: int = 0) -> bytes:
    return set_id + bytes([kind]) + (u64(epoch) if kind == MANIFEST else b"")


def open_manifest(key: bytes, set_id: bytes, epoch: int, previous_horizon: int, name: bytes, blob: bytes) -> list[Any]:
    """SPEC 11.2: vector, digest, horizon, runs, unknown."""
    content = open_blob(MANIFEST, key, context_of(MANIFEST, set_id, epoch), name, blob)
    parts = fields(decode(content, limit=BLOB_MAX), 5)
    vector = [fields(line, 3) for line in items(parts[0])]
    for member, counter, entry in vector:
        integer(member, INDEX), integer(counter, FROM_ONE), raw(entry, 32)
    ascending([line[0] for line in vector])
    raw(parts[1], 32), integer(parts[2])
    for index, run_key, count in (fields(run, 3) for run in items(parts[3], most=RUNS_MAX)):
        raw(index, 32), raw(run_key, 32), integer(count)
    unknown = [fields(line, 3) for line in items(parts[4])]
    for member, counter, operation in unknown:
        integer(member, INDEX), integer(counter, FROM_ONE), raw(operation)
    places = [tuple(line[:2]) for line in unknown]
    require(places == sorted(places), "NonCanonical", "unknown operations not ascending")
    require(previous_horizon <= parts[2] <= epoch, INVALID, "a horizon that falls, or lies in the future")
    return parts


def read_run(set_id: bytes, run: list[Any], blobs: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """The packed states of a run (SPEC 11.3); an empty one says *absent*."""
    index, key, count = run
    listed = decode(_fetch(set_id, INDEX_BLOB, index, key, blobs))
    lines = [fields(line, 3) for line in items(listed, most=RUN_CHUNKS_MAX)]
    for name, chunk_key, held in lines:
        raw(name, 32), raw(chunk_key, 32), integer(held, FROM_ONE)
    require(sum(line[2] for line in lines) == count, INVALID, "the run counts other contacts than its index")
    found: list[tuple[bytes, bytes]] = []
    for name, chunk_key, held in lines:
        part = _read_chunk(_fetch(set_id, CHUNK, name, chunk_key, blobs))
        require(len(part) == held, INVALID, "a chunk of other contacts than the index says")
        rising = not found or found[-1][0] < part[0][0]
        require(rising, INVALID, "chunks not ascending")
        found += part
    return found


def _fetch(set_id: bytes, kind: int, name: bytes, key: bytes, blobs: dict[bytes, bytes]) -> bytes:
    if name not in blobs:
        raise Refusal(INVALID, "a blob that is not there")
    return open_blob(kind, key, context_of(kind, set_id), name, blobs[name])


def _read_chunk(content: bytes) -> list[tuple[bytes, bytes]]:
    pairs = [fields(item, 2) for item in items(decode(content, limit=BLOB_MAX))]
    found = [(raw(contact, 16), raw(state)) for contact, state in pairs]
    ascending([contact for contact, _ in found])
    for _, state in found:
        if state:
            contacts.unpack(state)
    return found


def encode_manifest(vector: Any, digest: bytes, horizon: int, runs: Any, unknown: Any) -> bytes:
    return encode([vector, digest, horizon, runs, unknown])


def split_media(size: int) -> list[int]:
    """SPEC 11.6."""
    whole, rest = divmod(size, BLOB_PART)
    return [BLOB_PART] * whole + ([rest] if rest or not whole else [])


def plan_runs(counts: list[int], dirty: int) -> int:
    """How many of the old runs stay (SPEC 14.3)."""
    kept, new = len(counts), dirty
    while new and kept and (counts[kept - 1] <= RUN_RATIO * new or kept >= RUNS_MAX):
        kept -= 1
        new += counts[kept]
    return kept
