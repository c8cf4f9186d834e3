"""A book that moves to another set (SPEC 12.9): what the old set says of it, and its contacts under the new set's ids.

Contact ids and media digests are salted with the set id, so both are made anew; everything else goes as it is. Both
sides of a move compute the same ids, and so a device that comes later finds the contacts that the first one took along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from e2esync.card.digests import media_digest
from e2esync.contactset import unpack, view
from e2esync.limits import HASH, VERIFY_KEY
from e2esync.replica.contacts import contact_id
from e2esync.replica.core import Replica
from e2esync.replica.home import Home
from e2esync.replica.own_object import device_names, own_registers, write_own
from e2esync.replica.port import RESERVED, ReplicaStore
from e2esync.replica.writing import shown_state
from e2esync.wire import Value

PATH: Final = "moved"
_PLACES: Final = "blobs/"
_ORDINALS: Final = 64
"""Further cards with one uid in one file that are looked for."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the old set's own object says: the new set, its relay, and what of the old set went along."""

    set_id: bytes
    relay: str
    relay_key: bytes
    record_hash: bytes
    """Of the new set's record 0."""
    member: int
    """Who moved it."""
    epoch: int
    """Of the old set, when it moved."""
    vector: Mapping[int, int]
    """The counters of the writes that went along."""


def write_notice(replica: Replica, notice: Notice, now: int) -> None:
    """Say in the old set that its book has moved; as an entry it is signed by this device."""
    value: dict[str, Value] = {
        "set": notice.set_id, "relay": notice.relay, "key": notice.relay_key, "record": notice.record_hash,
        "member": notice.member, "epoch": notice.epoch,
        "vector": [[member, count] for member, count in sorted(notice.vector.items())],
    }
    write_own(replica, {PATH: value}, now)


def read_notice(replica: Replica) -> Notice | None:
    """What the own object says of a move; None where it says nothing, or nothing that has the form."""
    return parse_notice(own_registers(replica).get(PATH))


def parse_notice(value: Value) -> Notice | None:
    """The word of a move; None for a value that has not the form of SPEC 8.8, which is ignored."""
    if type(value) is not dict:
        return None
    fields: list[Any] = [value.get(name) for name in ("set", "relay", "key", "record", "member", "epoch", "vector")]
    set_id, relay, key, record, member, epoch, vector = fields
    ids = ((set_id, HASH), (key, VERIFY_KEY), (record, HASH))
    if any(type(raw) is not bytes or len(raw) != size for raw, size in ids) or type(relay) is not str:
        return None
    if not _are_counts([member, epoch]) or type(vector) is not list:
        return None
    if any(type(pair) is not list or len(pair) != 2 or not _are_counts(pair) for pair in vector):
        return None
    return Notice(set_id, relay, key, record, member, epoch, dict(map(tuple, vector)))


def _are_counts(numbers: list[Any]) -> bool:
    return all(type(number) is int and number >= 0 for number in numbers)


@dataclass(frozen=True, slots=True)
class Moved:
    """A contact under its new id: registers, and the bytes of its media by their new digest."""

    contact: bytes
    registers: dict[str, Value]
    media: dict[str, bytes]


def moved_contacts(store: ReplicaStore, old: bytes, new: bytes) -> Iterator[Moved]:
    """Every contact that set `old` shows, as it is in set `new`."""
    for contact in sorted({*store.contact_ids(), *store.overlaid()} - RESERVED):
        state = shown_state(store, contact)
        shown = view(state) if state else None
        if shown is not None:
            yield moved(contact, dict(shown.registers), old, new, store.media)


def moved(contact: bytes, registers: dict[str, Value], old: bytes, new: bytes, media: Callable[[str], bytes | None],
          ) -> Moved:
    """One contact as it is in the new set. Where a photo's bytes are not here, the card keeps its bare entry."""
    found: dict[str, bytes] = {}
    values: dict[str, Value] = {}
    for path, value in registers.items():
        if path.startswith(_PLACES):
            continue
        digest = value.get("digest") if type(value) is dict else None
        content = media(digest) if type(digest) is str else None
        if type(value) is dict and content is not None:
            fresh = media_digest(new, content)
            found[fresh] = content
            value = value | {"digest": fresh}
        values[path] = value
    return Moved(moved_id(contact, registers, old, new), values, found)


def moved_id(contact: bytes, registers: Mapping[str, Value], old: bytes, new: bytes) -> bytes:
    """The contact's id in the new set: of the same uid and ordinal, where its old id is of these (SPEC 8.1)."""
    uid = registers.get("uid")
    if type(uid) is str:
        for ordinal in range(_ORDINALS):
            if contact_id(old, uid, ordinal) == contact:
                return contact_id(new, uid, ordinal)
    return contact_id(new, contact.hex(), 0)


@dataclass(frozen=True, slots=True)
class Late:
    """A contact of the old set that was written after the move: the paths written, or that it was deleted."""

    contact: bytes
    registers: dict[str, Value]
    """All that it shows; of a deleted one what it showed."""
    paths: frozenset[str]
    gone: bool


def late_writes(store: ReplicaStore, notice: Notice) -> Iterator[Late]:
    """What the move did not take along. Writes of this device that were never sent are among it."""
    for contact in sorted({*store.contact_ids(), *store.overlaid()} - RESERVED):
        state = shown_state(store, contact)
        late = late_of(contact, state, notice) if state else None
        if late is not None:
            yield late


def late_of(contact: bytes, state: bytes, notice: Notice) -> Late | None:
    """What of one contact's packed state did not go along; None where all of it did (SPEC 12.9 step 2)."""
    lives = unpack(state).lives
    groups = [group for life in lives for group in life.groups]
    paths = frozenset(path for group in groups if group.counter > notice.vector.get(group.member, 0)
                      for path in group.values)
    shown = view(state)
    if shown is not None:
        return Late(contact, dict(shown.registers), paths, False) if paths else None
    if groups and max(life.died for life in lives) >= notice.epoch:
        return Late(contact, {path: value for group in groups for path, value in group.values.items()}, paths, True)
    return None


def successor(listed: Home, replica: Replica) -> Notice | None:
    """Where a further set that this person has left has moved to (SPEC 12.9 step 4): the home set has to list that."""
    notice = read_notice(replica)
    further = listed.sets.get(notice.set_id) if notice is not None else None
    return notice if further is not None and not further.left else None


def move_notice(replica: Replica) -> str | None:
    """What `status` says of a home set that was moved; None for one that was not."""
    notice = read_notice(replica)
    if notice is None:
        return None
    who = device_names(replica).get(notice.member) or f"device {notice.member}"
    return (f"this book has moved to a new set, says {who}. If you did that: run `e2esync pair` there, and "
            "`e2esync rehome --confirm CODE` here. If not, somebody has that device: shut it out")
