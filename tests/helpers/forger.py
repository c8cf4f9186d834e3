"""A member that deviates: real keys, and whatever it likes in its entries, batches and blobs."""

from __future__ import annotations

from collections.abc import Sequence

from e2esync.contactset import BatchOp, Op, encode_ops
from e2esync.crypto import Secret
from e2esync.log.entry import Entry, sign_entry
from e2esync.log.envelope import seal_envelope
from e2esync.procedures.steps import ask, upload_blobs
from e2esync.session.messages import Append, Appended
from e2esync.snapshot.blob import BlobType, blob_id, seal_blob
from e2esync.snapshot.runs import BuiltRun, build_run
from e2esync.wire import Value, encode
from tests.helpers.network import Device, Line

ZERO = bytes(32)
Blob = tuple[bytes, bytes]


class Forger:
    """Acts with a device's keys, and keeps its own count of what it wrote."""

    def __init__(self, device: Device) -> None:
        self.net = device.net
        self.replica = device.replica
        self.counter, self.prev = device.store.vector().get(self.replica.member, (0, ZERO))

    def entry(self, ops: Sequence[Op] | bytes, *, counter: int | None = None, prev: bytes | None = None,
              vector: dict[int, int] | None = None, author: int | None = None) -> Entry:
        """The next entry, or one with another counter, predecessor, version vector or author."""
        counter = self.counter + 1 if counter is None else counter
        position = self.replica.position
        entry = sign_entry(
            self.replica.signing_key, self.replica.set_id, counter=counter,
            author=self.replica.member if author is None else author,
            prev=self.prev if prev is None else prev, vector=vector or {},
            seen_head=(position.epoch, position.seq, position.log_hash),
            ops=ops if isinstance(ops, bytes) else encode_ops(ops), entropy=self.net.entropy,
        )
        if counter == self.counter + 1:
            self.counter, self.prev = counter, entry.id
        return entry

    def append(self, *entries: Entry, blobs: Sequence[bytes] = ()) -> None:
        """Put entries into the log, each in an envelope that names these blobs."""
        key = self.replica.key
        assert key is not None
        for entry in entries:
            nonce = self.net.entropy.draw("envelope nonce", 24)
            epoch = self.replica.position.epoch
            self.append_raw(seal_envelope(key, self.replica.set_id, epoch, entry.raw, nonce, blobs))

    def append_raw(self, envelope: bytes) -> None:
        """Put any bytes into the log that the relay takes."""
        Line(self.net, self.replica).run(ask(Append(self.replica.position.epoch, envelope), Appended))

    def upload(self, *blobs: Blob) -> list[bytes]:
        """Upload blobs; their ids."""
        line = Line(self.net, self.replica)
        line.run(upload_blobs(line.link(), blobs))
        return [name for name, _blob in blobs]

    def run(self, *items: tuple[bytes, bytes]) -> BuiltRun:
        """A run of (contact, packed state)."""
        return build_run(sorted(items), self.replica.set_id, self.net.entropy)

    def item(self, contact: bytes, values: dict[str, Value], **dot: int) -> tuple[bytes, bytes]:
        """An item as the next entry's batch may hold it, or with another dot."""
        member, counter = dot.get("member", self.replica.member), dot.get("counter", self.counter + 1)
        return contact, encode([[1, [[member, counter, 1, values]]]])

    def blob(self, kind: BlobType, content: bytes) -> tuple[bytes, Blob]:
        """(key, (id, blob)) of any content."""
        key = self.net.entropy.draw("blob key", 32)
        blob = seal_blob(kind, Secret(key), self.net.entropy.draw("blob nonce", 24), self.replica.set_id, content)
        return key, (blob_id(blob), blob)


def batch(run: BuiltRun, count: int | None = None) -> BatchOp:
    """The operation that names a run."""
    return BatchOp(run.ref.index_id, run.ref.index_key.reveal(), run.ref.count if count is None else count)
