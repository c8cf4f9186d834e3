"""What a device that is shut out still holds, as the contents of a rescue file, and back into a book (SPEC 14.13)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from e2esync.contactset import DeleteOp, SetOp, decode_ops, encode_ops, unpack, view
from e2esync.crypto import Entropy
from e2esync.epoch import shape
from e2esync.errors import NonCanonical
from e2esync.limits import CONTACT_ID, STATE_MAX
from e2esync.log.entry import parse_entry
from e2esync.replica.contacts import media_blobs
from e2esync.replica.core import Replica
from e2esync.replica.port import OWN_OBJECT, ReplicaStore
from e2esync.replica.writing import OwnBatches, rewrite, shown_state, single_ops, write_batch
from e2esync.snapshot.runs import split_media
from e2esync.wire import Value, decode, encode

BOOK, MEDIA, CONTACTS, EDITS = 1, 2, 3, 4
"""Kinds of contents."""

_PART: Final = 256 << 10
_BLOBS: Final = "blobs/"


@dataclass(slots=True)
class Returned:
    """What came back from a rescue file."""

    contacts: list[bytes] = field(default_factory=list)
    """Contacts that the book did not show."""
    edits: int = 0
    """Edits of contacts that it did show."""
    landed: int = 0
    """Edits that had landed after all."""


def contents(replica: Replica, name: str, relay: str) -> Iterator[Value]:
    """Everything that this device shows, and what of its own has not landed."""
    store = replica.store
    yield [BOOK, name, relay]
    for digest in store.media_digests():
        for number, part in enumerate(split_media(store.media(digest) or b"")):
            yield [MEDIA, digest, number, part]
    yield from _grouped(CONTACTS, _shown(store))
    yield from _grouped(EDITS, _edits(replica))


def write_back(replica: Replica, old_member: int, parts: Iterable[Value], now: int, entropy: Entropy) -> Returned:
    """Write what a rescue file of the same set holds into the book, all or nothing; twice does no more than once.

    Raises NonCanonical, LimitExceeded or BadState for contents that no e2esync has written.
    """
    done, fresh = Returned(), set[str]()
    with replica.store.transaction():
        for part in parts:
            match part:
                case [1, str(), str()]:
                    continue
                case [2, str() as digest, int() as number, bytes() as content]:
                    _keep_media(replica.store, fresh, digest, number, content)
                case [3, list() as rows]:
                    _add_contacts(replica, rows, now, entropy, done)
                case [4, list() as rows]:
                    _repeat_edits(replica, old_member, rows, done)
                case _:
                    raise NonCanonical("the rescue file holds something that is not of this version")
    return done


def _shown(store: ReplicaStore) -> Iterator[list[Value]]:
    known = {*(row.contact for row in store.contacts() if row.state), *store.overlaid()}
    for contact in sorted(known):
        state = shown_state(store, contact)
        if state:
            yield [contact, state]


def _edits(replica: Replica) -> Iterator[list[Value]]:
    store = replica.store
    landed = store.vector().get(replica.member, (0, b""))[0]
    batches = OwnBatches(replica)
    for row in store.outbox():
        if row.counter > landed:
            entry = parse_entry(row.entry)
            seen = {**entry.vector, **({replica.member: landed} if landed else {})}
            for op in single_ops(decode_ops(entry.ops), batches):
                yield [row.counter, encode_ops([op]), shape.pairs(seen), list(entry.seen_head)]
    for pending in store.pending():
        vector, head = decode(pending.context)
        yield [0, pending.op, vector, head]


def _grouped(kind: int, rows: Iterable[list[Value]]) -> Iterator[Value]:
    group: list[Value] = []
    size = 0
    for row in rows:
        length = len(encode(row))
        if group and size + length > _PART:
            yield [kind, group]
            group, size = [], 0
        group.append(row)
        size += length
    if group:
        yield [kind, group]


def _keep_media(store: ReplicaStore, fresh: set[str], digest: str, number: int, content: bytes) -> None:
    """One part of media; `fresh` are those that came from this file alone, because this device lacked them."""
    here = store.media(digest)
    if number == 0 and here is None:
        fresh.add(digest)
    if digest in fresh:
        store.put_media(digest, (here or b"") + content)


def _add_contacts(replica: Replica, rows: list[Value], now: int, entropy: Entropy, done: Returned) -> None:
    """Whole contacts that the book does not show, as one entry; their photos go up again."""
    items, media = [], []
    for row in rows:
        contact, packed = shape.array(row, 2, "a contact of a rescue file")
        shape.octets(contact, CONTACT_ID, "a contact's id")
        if len(shape.any_octets(packed, "a contact's state")) > STATE_MAX or contact == OWN_OBJECT:
            continue
        here = shown_state(replica.store, contact)
        shown = view(packed)
        if shown is None or (here and view(here)):
            continue
        values: dict[str, Value] = dict(shown.registers)
        for path in [path for path in values if path.startswith(_BLOBS)]:
            content = replica.store.media(path.removeprefix(_BLOBS))
            if content is not None:
                values[path], blobs = media_blobs(replica.set_id, content, entropy)
                media += blobs
        items.append((contact, values))
    if items:
        write_batch(replica, sorted(items, key=lambda item: item[0]), now, entropy, media)
        done.contacts += [contact for contact, _values in items]


def _repeat_edits(replica: Replica, old_member: int, rows: list[Value], done: Returned) -> None:
    """What had not landed, of contacts that the book shows, in the causal context of then."""
    landed = replica.store.vector().get(old_member, (0, b""))[0]
    added = set(done.contacts)
    for row in rows:
        counter, raw, vector, head = shape.array(row, 4, "an edit of a rescue file")
        (op,) = decode_ops(shape.any_octets(raw, "an operation"))
        if not isinstance(op, SetOp | DeleteOp) or op.contact in added:
            continue
        if 0 < shape.integer(counter, "a counter") <= landed:
            done.landed += 1
            continue
        state = shown_state(replica.store, op.contact)
        if state and unpack(state).life(op.life):
            shape.counters(vector, "a version vector")
            rewrite(replica, op, encode([vector, shape.array(head, 3, "a head")]))
            done.edits += 1
