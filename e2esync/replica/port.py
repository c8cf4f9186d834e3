"""The store that a replica stands on: one contact set's rows, in transactions (SPEC 14).

A replica holds no contact in memory: it reads and writes packed states through this port, so a book of 100,000
contacts costs what it touches. Everything between `transaction()`'s start and end happens together or not at all.
The reference implementation is `stores.profile` (SQLite); an embedder may bring another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from e2esync.crypto.secret import Secret
from e2esync.limits import CONTACT_ID

OWN_OBJECT = bytes(CONTACT_ID)
KIT_OBJECT = b"\xff" * CONTACT_ID
"""Apart from the other, as it is large and hardly ever changes: naming a device must not write it into a new run."""
RESERVED = frozenset({OWN_OBJECT, KIT_OBJECT})
"""The set's own objects (SPEC 8.8): folded and hashed like contacts, and never shown as one."""
HELD = "held"
"""Kind of kept rows, by contact: what the guard goes on showing as it was (`replica.guarding`)."""
DIRTY = 0
"""Run number of a contact whose state no run of the snapshot gives."""


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact of the shared state: what every member has after the same log."""

    contact: bytes
    state: bytes
    """Packed state (SPEC 8.3); empty for a contact that is gone but stands in an older run (*absent*)."""
    hash: bytes
    """Contact hash (SPEC 8.7), 32 bytes; empty for an absent contact."""
    run: int
    """Local number of the newest run that gives this state; `DIRTY` when none does."""
    unsettled: bool
    """Whether a boundary has something to do here (SPEC 8.5)."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run of the snapshot that the open epoch began from (SPEC 11.3), oldest first."""

    number: int
    """Local number, from 1, never reused."""
    index_id: bytes
    index_key: bytes
    count: int


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A write of this device that is in no entry yet (SPEC 10.3: counters are given when packed)."""

    number: int
    op: bytes
    """One encoded operation (`contactset.ops.encode_ops([op])`)."""
    contact: bytes
    context: bytes
    """`encode([vector, head])`: the causal context of the write."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An own entry that no snapshot covers yet."""

    counter: int
    entry: bytes
    envelope: bytes
    """The envelope it went out in, or empty if it has to be sealed (again) under the open epoch."""
    seq: int
    """Its position in the open epoch's log, 0 while the relay has not acknowledged it."""


@dataclass(frozen=True, slots=True)
class SlotRow:
    """What was last served of a member's slot."""

    member: int
    announcement: bytes
    heartbeat: bytes
    heard: int
    """When the heartbeat came, by this device's clock; 0 for never."""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """Something that is kept aside under a key of its kind: a finding, evidence, what waits for a person."""

    key: bytes
    value: bytes
    time: int
    """ms."""


class ReplicaStore(Protocol):
    """One contact set's rows. Every method raises only errors of the tree (ProfileDamaged, DiskFull, ProfileBusy)."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, durable when it ends (unless it is nested: then with the outermost)."""
        ...

    def replay(self) -> AbstractContextManager[None]:
        """A transaction whose loss in a power cut would only mean to read it from the relay once more."""
        ...

    # Named values: the position, the chain's head and so on (`replica.meta` names them).
    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, value: bytes) -> None: ...
    def drop(self, name: str) -> None: ...

    # Secrets: signing key, sealing keys by number, epoch secrets by epoch.
    def secret(self, kind: str, number: int) -> Secret | None: ...
    def keep_secret(self, kind: str, number: int, secret: Secret) -> None: ...
    def erase_secrets(self, kind: str, below: int) -> None:
        """Logical erase of the secrets of a kind with a number below `below` (secure_delete is on)."""
        ...
    def secret_numbers(self, kind: str) -> list[int]: ...

    # Chain.
    def records(self) -> list[bytes]: ...
    def add_record(self, epoch: int, record: bytes) -> None: ...

    # Shared state.
    def contact(self, contact: bytes) -> ContactRow | None: ...
    def put_contacts(self, rows: Iterable[ContactRow]) -> None: ...
    def delete_contacts(self, contacts: Iterable[bytes]) -> None: ...
    def delete_all_contacts(self) -> None: ...
    def contacts(self, *, run: int | None = None) -> Iterator[ContactRow]:
        """All, or those of one run number, ascending by contact id, streamed; absent ones included."""
        ...
    def contact_ids(self) -> set[bytes]:
        """The ids of all rows, absent ones included."""
        ...
    def count_contacts(self) -> int:
        """How many rows there are, but for absent ones and the set's own objects."""
        ...
    def unsettled(self) -> list[ContactRow]: ...
    def renumber_runs(self, numbers: Iterable[int], to: int) -> None:
        """Every contact whose run is one of `numbers` gets run `to`."""
        ...
    def drop_absent(self, run: int) -> None:
        """Delete absent rows of a run."""
        ...
    def count_dirty(self) -> int: ...
    def bucket_hashes(self, bucket: int) -> list[tuple[bytes, bytes]]:
        """(contact, hash) of the present contacts whose id begins with this byte, ascending by id."""
        ...
    def buckets(self) -> dict[int, bytes]:
        """The stored digests of buckets, but of those in which a contact changed (put_contacts and deletes see to it).
        """
        ...
    def put_bucket(self, number: int, digest: bytes) -> None: ...

    # Vector of the shared state with the id of each author's last entry; parked entries.
    def vector(self) -> dict[int, tuple[int, bytes]]: ...
    def put_vector(self, member: int, counter: int, entry_id: bytes) -> None: ...
    def replace_vector(self, vector: dict[int, tuple[int, bytes]]) -> None: ...
    def parked(self) -> list[tuple[int, int, bytes]]:
        """(author, counter, entry) of entries that wait for their author's entry before."""
        ...
    def put_parked(self, rows: list[tuple[int, int, bytes]]) -> None:
        """Replace what is parked by these."""
        ...

    # Envelopes of the open epoch, kept to give them back to a restored relay.
    def add_envelopes(self, first: int, envelopes: Iterable[tuple[bytes, bytes]]) -> None:
        """(envelope, log hash there) from position `first` on."""
        ...
    def log_hash(self, seq: int) -> bytes | None: ...
    def envelope(self, seq: int) -> bytes | None: ...
    def envelope_bytes(self) -> int: ...
    def clear_envelopes(self) -> None: ...

    # Own writes.
    def add_pending(self, op: bytes, contact: bytes, context: bytes) -> int: ...
    def pending(self) -> list[PendingRow]: ...
    def pending_of(self, contact: bytes) -> list[PendingRow]: ...
    def delete_pending(self, up_to: int) -> None: ...
    def add_outbox(self, row: OutboxRow, contacts: Iterable[bytes]) -> None:
        """`contacts`: the ones that the entry writes, so that `outbox_of` finds it."""
        ...
    def outbox(self) -> list[OutboxRow]: ...
    def outbox_row(self, counter: int) -> OutboxRow | None: ...
    def unsent(self) -> list[OutboxRow]:
        """Those without a position in the open epoch's log; there may be many that have one."""
        ...
    def outbox_of(self, contact: bytes) -> list[OutboxRow]: ...
    def outbox_contacts(self, counter: int) -> list[bytes]: ...
    def update_outbox(self, row: OutboxRow) -> None: ...
    def delete_outbox(self, up_to: int) -> None:
        """Entries with a counter up to `up_to`, with their contacts and blobs."""
        ...

    # Blobs that wait for upload, under the own entry (or 0 for an opening) that names them.
    def add_upload(self, blob_id: bytes, blob: bytes, counter: int) -> None: ...
    def uploads(self, counter: int) -> list[bytes]:
        """The ids of the blobs that an entry names."""
        ...
    def upload(self, blob_id: bytes) -> bytes | None: ...
    def delete_uploads(self, counter: int) -> None: ...

    # What people see: own unlanded writes laid over the shared state.
    def overlay(self, contact: bytes) -> bytes | None:
        """The packed state with own writes, where it differs from the shared one."""
        ...
    def put_overlay(self, rows: Iterable[tuple[bytes, bytes]]) -> None: ...
    def delete_overlay(self, contacts: Iterable[bytes]) -> None: ...
    def overlaid(self) -> list[bytes]: ...
    def clear_overlay(self) -> dict[bytes, bytes]:
        """Drop the whole overlay; the contacts whose shown state changes by that, with what was laid over them."""
        ...
    def mark_shown(self, contacts: Iterable[bytes]) -> None:
        """The shown state of these contacts changed: bring the index of names up to date with them."""
        ...

    # Snapshot.
    def runs(self) -> list[RunRow]: ...
    def put_runs(self, runs: list[RunRow]) -> None: ...

    # Slots, media, history.
    def slots(self) -> list[SlotRow]: ...
    def put_slot(self, row: SlotRow) -> None: ...
    def media(self, digest: str) -> bytes | None: ...
    def media_digests(self) -> list[str]:
        """The digests of the media that are here, ascending."""
        ...
    def missing_media(self) -> list[tuple[str, bytes]]:
        """(digest, encoded value of its `blobs/<digest>` register) of shown media whose bytes are not here."""
        ...
    def media_places(self) -> list[tuple[str, bytes, bytes]]:
        """(digest, contact, encoded place) of all media that shown contacts name."""
        ...
    def put_media(self, digest: str, content: bytes) -> None: ...
    def begin_step(self, name: str, author: int, time: int) -> int:
        """A new step of the local history (`replica.history`); returns its number."""
        ...
    def add_changes(self, step: int, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """(contact, what was shown before) of contacts that the step changed."""
        ...
    def purge_history(self, now: int) -> None:
        """Drop the steps that are older than a person wants to go back."""
        ...
    def forget(self) -> None:
        """Drop all that is kept of what is no contact's any more: history, media, cards that no import could read."""
        ...

    # What is kept aside, by kind and key.
    def keep(self, kind: str, rows: Iterable[KeptRow]) -> None: ...
    def kept(self, kind: str) -> list[KeptRow]:
        """All of a kind, ascending by key."""
        ...
    def kept_keys(self, kind: str) -> list[bytes]:
        """Their keys alone, ascending."""
        ...
    def kept_one(self, kind: str, key: bytes) -> KeptRow | None: ...
    def unkeep(self, kind: str, keys: Iterable[bytes]) -> None: ...
