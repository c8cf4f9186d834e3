"""The state that an epoch begins from (SPEC 8.5, 8.7, 11): digest, settling, runs and their contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from e2esync.contactset import BatchOp, boundary_contact, bucket_digest, check_packed, contact_hash, state_digest
from e2esync.crypto import Secret
from e2esync.errors import SnapshotInvalid
from e2esync.limits import DIGEST_BUCKETS
from e2esync.replica.port import ContactRow, ReplicaStore, RunRow
from e2esync.snapshot.blob import BlobType, check_blob_id, open_blob
from e2esync.snapshot.manifest import RunRef
from e2esync.snapshot.runs import ChunkRef, check_chunk, check_counts, parse_chunk, parse_index


@dataclass(frozen=True, slots=True)
class Settled:
    """BOUNDARY of the shared state, not yet written: what it changes, and the digest of the whole."""

    changes: dict[bytes, bytes]
    """Contact → packed state after the boundary; empty when the contact goes."""
    digest: bytes


def digest(store: ReplicaStore) -> bytes:
    """The state digest of the shared state (SPEC 8.7); recomputes only buckets that changed."""
    return _digest(store, {})


def settle(store: ReplicaStore, horizon: int) -> Settled:
    """BOUNDARY(S, horizon) (SPEC 8.5): touches only contacts that a boundary has something to do with."""
    changes = {}
    for row in store.unsettled():
        after = boundary_contact(row.state, horizon) or b""
        if after != row.state:
            changes[row.contact] = after
    return Settled(changes, _digest(store, changes))


def write_settled(store: ReplicaStore, settled: Settled, run: int) -> None:
    """Make BOUNDARY the state. What goes stays as an absent row of `run`, until older runs are merged away."""
    rows = [contact_row(contact, state, run) for contact, state in settled.changes.items()]
    store.put_contacts(rows)


def contact_row(contact: bytes, state: bytes, run: int) -> ContactRow:
    """The row of a packed state that came from outside, or of none. Raises BadState for a malformed one."""
    if not state:
        return ContactRow(contact, b"", b"", run, False)
    return ContactRow(contact, state, contact_hash(contact, state), run, check_packed(state))


def run_ref(run: RunRow) -> RunRef:
    """A run of the store as manifests name it."""
    return RunRef(run.index_id, Secret(run.index_key), run.count)


def batch_run(op: BatchOp) -> RunRef:
    """The run that a batch's writes are in (SPEC 11.4)."""
    return RunRef(op.index_id, Secret(op.index_key), op.count)


def run_row(number: int, ref: RunRef) -> RunRow:
    """A run as the store keeps it, under its local number."""
    return RunRow(number, ref.index_id, ref.index_key.reveal(), ref.count)


def run_chunks(set_id: bytes, ref: RunRef, index: bytes) -> list[ChunkRef]:
    """The chunks of a run, from its index blob."""
    check_blob_id(ref.index_id, index)
    chunks = parse_index(open_blob(BlobType.INDEX, ref.index_key, set_id, index))
    check_counts(ref, chunks)
    return chunks


def named_blobs(run: RunRef, chunks: Iterable[ChunkRef]) -> set[bytes]:
    """The ids of a run's blobs: its index and its chunks."""
    return {run.index_id, *(chunk.id for chunk in chunks)}


def chunk_items(set_id: bytes, ref: ChunkRef, blob: bytes, after: bytes) -> list[tuple[bytes, bytes]]:
    """(contact, packed state) of a chunk, ascending and above `after`, the last contact of the chunk before."""
    check_blob_id(ref.id, blob)
    items = parse_chunk(open_blob(BlobType.CHUNK, ref.key, set_id, blob))
    check_chunk(ref, items, after)
    return items


def run_items(set_id: bytes, run: RunRef, fetch: Callable[[bytes], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(contact, packed state) of a whole run, ascending. `fetch` gives blobs by id; raises SnapshotInvalid."""
    last = b""
    for ref in run_chunks(set_id, run, fetch(run.index_id)):
        items = chunk_items(set_id, ref, fetch(ref.id), last)
        last = items[-1][0]
        yield from items


def fetcher(find: Callable[[bytes], bytes | None]) -> Callable[[bytes], bytes]:
    """A `fetch` over blobs at hand (`find` gives None for one that is not); a missing one is SnapshotInvalid."""

    def fetch(blob_id: bytes) -> bytes:
        blob = find(blob_id)
        if blob is None:
            raise SnapshotInvalid("a blob that a run names is not there")
        return blob

    return fetch


def _digest(store: ReplicaStore, changes: dict[bytes, bytes]) -> bytes:
    with store.replay():
        return state_digest(_buckets(store, changes))


def _buckets(store: ReplicaStore, changes: dict[bytes, bytes]) -> list[bytes]:
    """All bucket digests; those that contacts have changed in are made anew and stored."""
    touched: dict[int, dict[bytes, bytes]] = {}
    for contact, state in changes.items():
        touched.setdefault(contact[0], {})[contact] = state
    stored, buckets = store.buckets(), []
    for number in range(DIGEST_BUCKETS):
        if number in touched:
            buckets.append(_changed_bucket(store, number, touched[number]))
            continue
        known = stored.get(number)
        if known is None:
            known = bucket_digest([digest for _contact, digest in store.bucket_hashes(number)])
            store.put_bucket(number, known)
        buckets.append(known)
    return buckets


def _changed_bucket(store: ReplicaStore, number: int, changes: dict[bytes, bytes]) -> bytes:
    """A bucket's digest with some of its contacts replaced; reads hashes with their ids, as there are few."""
    hashes = dict(store.bucket_hashes(number))
    for contact, state in changes.items():
        if state:
            hashes[contact] = contact_hash(contact, state)
        else:
            hashes.pop(contact, None)
    return bucket_digest([hashes[contact] for contact in sorted(hashes)])
