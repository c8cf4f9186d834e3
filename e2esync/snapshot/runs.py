"""Runs (SPEC 11.3): contact states in chunks of about 128 KiB, under one index. Media parts (11.6) are cut here too.

A snapshot is at most 8 runs laid over one another. Their sizes grow geometrically, so that an opening writes what has
changed and, now and then, merges; it never writes the book anew for one contact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from e2esync.crypto import Entropy, Secret
from e2esync.epoch import shape
from e2esync.errors import LimitExceeded, LocalProtocolError, NonCanonical, SnapshotInvalid
from e2esync.limits import (
    BLOB_MAX,
    BLOB_PART,
    CHUNK_TARGET,
    CONTACT_ID,
    HASH,
    KEY,
    MEDIA_MAX,
    NONCE,
    RUN_CHUNKS_MAX,
    RUN_RATIO,
    RUNS_MAX,
    STATE_MAX,
)
from e2esync.snapshot.blob import OVERHEAD, BlobType, blob_id, seal_blob
from e2esync.snapshot.manifest import RunRef
from e2esync.wire import decode, encode_ordered

Item = tuple[bytes, bytes]
"""(contact id, packed state); an empty state says that the contact is absent."""


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """A chunk: its blob, that blob's key, and how many contacts it holds."""

    id: bytes
    key: Secret = field(repr=False, compare=False)
    count: int


class BuiltRun(NamedTuple):
    """A run to be named in a manifest or batch, and its blobs (id, bytes) to upload: chunks, then the index."""

    ref: RunRef
    blobs: list[tuple[bytes, bytes]]


# A chunk's content may take what padding mark and overhead leave of the target. The array header is 3 bytes for
# 16 to 65,535 items, and no chunk within the target holds more.
_ROOM: Final = CHUNK_TARGET - OVERHEAD - 1 - 3


def build_run(contacts: Iterable[Item], set_id: bytes, entropy: Entropy) -> BuiltRun:
    """The run of these (contact id, packed state), which come ascending by id; an empty state says *absent*.

    Contacts are taken one at a time. Draws `blob key` and `blob nonce` per chunk, in order, then for the index.
    """
    blobs: list[tuple[bytes, bytes]] = []
    lines: list[list[bytes | int]] = []
    count = 0
    for chunk in _chunks(contacts):
        key, blob = _seal_new(BlobType.CHUNK, encode_ordered(chunk), set_id, entropy)
        lines.append([blob_id(blob), key, len(chunk)])
        blobs.append((blob_id(blob), blob))
        count += len(chunk)
    if len(lines) > RUN_CHUNKS_MAX:
        raise LimitExceeded(f"a run of {len(lines)} chunks, at most {RUN_CHUNKS_MAX} are allowed")
    key, index = _seal_new(BlobType.INDEX, encode_ordered(lines), set_id, entropy)
    blobs.append((blob_id(index), index))
    return BuiltRun(RunRef(blob_id(index), Secret(key), count), blobs)


def parse_index(content: bytes) -> list[ChunkRef]:
    """The chunks of a run, from the content of its index. Raises NonCanonical or LimitExceeded."""
    return [
        ChunkRef(
            shape.octets(chunk_id, HASH, "a chunk's id"),
            Secret(shape.octets(key, KEY, "a chunk's key")),
            shape.integer(count, "a chunk's count", 1),
        )
        for chunk_id, key, count in (
            shape.array(line, 3, "a line of an index")
            for line in shape.items(decode(content, limit=BLOB_MAX), RUN_CHUNKS_MAX, "an index")
        )
    ]


def parse_chunk(content: bytes) -> list[Item]:
    """The (contact id, packed state) of a chunk, ascending by id. Raises NonCanonical or LimitExceeded.

    States are not unpacked: a replica keeps them as they are until somebody looks at one.
    """
    lines = decode(content, limit=BLOB_MAX)
    if type(lines) is not list:
        raise NonCanonical("a chunk is not an array")
    items: list[Item] = []
    last = b""
    for line in lines:
        contact, state = shape.array(line, 2, "an item of a chunk")
        if shape.octets(contact, CONTACT_ID, "a contact's id") <= last:
            raise NonCanonical("a chunk is not ascending by contact id")
        if len(shape.any_octets(state, "a contact's state")) > STATE_MAX:
            raise LimitExceeded(f"a contact's state is {len(state)} bytes, at most {STATE_MAX} are allowed")
        items.append((contact, state))
        last = contact
    return items


def check_counts(ref: RunRef, index: Sequence[ChunkRef]) -> None:
    """Raises SnapshotInvalid unless the chunks hold as many contacts as the run is said to."""
    if sum(chunk.count for chunk in index) != ref.count:
        raise SnapshotInvalid(f"the index of a run of {ref.count} contacts lists another number")


def check_chunk(ref: ChunkRef, items: Sequence[Item], last: bytes) -> bytes:
    """The chunk's last id, if the chunk holds what the index says, all after `last`, the id that the run has come to.

    Raises SnapshotInvalid. The first chunk of a run comes after `b""`.
    """
    if len(items) != ref.count:
        raise SnapshotInvalid(f"a chunk holds {len(items)} contacts where its index says {ref.count}")
    if items[0][0] <= last:
        raise SnapshotInvalid("the chunks of a run are not ascending by contact id")
    return items[-1][0]


def plan_runs(old_runs: Sequence[RunRef], dirty_count: int) -> int:
    """How many of the old runs (oldest first) stay as they are; the others go into the new run (SPEC 14.3).

    `dirty_count` is the number of contacts whose state differs from what the old runs give. Starting from the newest,
    a run at most twice as large as the new one is merged into it, and so are runs beyond 8.
    """
    kept, new = len(old_runs), dirty_count
    while kept:
        newest = old_runs[kept - 1].count
        crowded = kept + (1 if new else 0) > RUNS_MAX
        if not crowded and newest > RUN_RATIO * new:
            break
        kept -= 1
        new += newest
    return kept


def split_media(media: bytes) -> list[bytes]:
    """The parts of at most 512 KiB that media are stored in (SPEC 11.6). Raises LimitExceeded above 16 MiB."""
    if len(media) > MEDIA_MAX:
        raise LimitExceeded(f"media of {len(media)} bytes, at most {MEDIA_MAX} are allowed", "use a smaller picture")
    return [media[start : start + BLOB_PART] for start in range(0, len(media), BLOB_PART)] or [b""]


def _chunks(contacts: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists whose chunk, padded, is within the target; one that alone is more gets its own."""
    chunk: list[Item] = []
    filled = 0
    last = b""
    for contact, state in contacts:
        if contact <= last:
            raise LocalProtocolError("the contacts of a run must come ascending by id")
        size = _item_size(state)
        if chunk and filled + size > _ROOM:
            yield chunk
            chunk, filled = [], 0
        chunk.append((contact, state))
        filled += size
        last = contact
    if chunk:
        yield chunk


def _item_size(state: bytes) -> int:
    """The encoded size of an item: array header, id with its header, state with its header."""
    length = len(state)
    header = 2 if length < 1 << 8 else 3 if length < 1 << 16 else 5
    return 1 + 2 + CONTACT_ID + header + length


def _seal_new(kind: BlobType, content: bytes, set_id: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
    key = entropy.draw("blob key", KEY)
    nonce = entropy.draw("blob nonce", NONCE)
    return key, seal_blob(kind, Secret(key), nonce, set_id, content)
