"""The guard (SPEC 14.9): what one author removes or overwrites by the hundred stays in view until a person decides.

Invariants: local, and of the view alone: the fold, the digest and an opening know nothing of it. A *counted* contact
is one that an author has harmed within the period; a *held* one is shown as it was before, by `writing.lay_over`,
and kept as contact → `[author, before, after, epoch]`.
What this device's own index wrote is never counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from e2esync.contactset import alive_lives, harms
from e2esync.epoch.shape import u32
from e2esync.limits import GUARD_CONTACTS, GUARD_PERIOD, GUARD_SHARE
from e2esync.replica.core import Replica
from e2esync.replica.port import HELD, RESERVED, KeptRow, ReplicaStore
from e2esync.wire import decode, encode

COUNTED: Final = "counted"
"""Kind of kept rows: author ‖ contact → `[before, after]`, packed states, of the last `GUARD_PERIOD`."""

Change = tuple[int, bytes, bytes, bytes]
"""(author, contact, packed shared state before, and after)."""


@dataclass(frozen=True, slots=True)
class Held:
    """A contact that the view shows as it was."""

    contact: bytes
    author: int
    before: bytes
    """The packed state that is shown."""
    after: bytes
    """What the author made of it; empty for nothing."""
    epoch: int
    """The epoch in which it was."""
    time: int
    """When this device received it; ms."""


def held(store: ReplicaStore) -> list[Held]:
    """All contacts that are held, ascending."""
    return [_read(row) for row in store.kept(HELD)]


def held_one(store: ReplicaStore, contact: bytes) -> Held | None:
    """How a contact is held, if it is."""
    row = store.kept_one(HELD, contact)
    return None if row is None else _read(row)


def watch(replica: Replica, changes: Iterable[Change], shown: Callable[[], int], now: int) -> set[bytes]:
    """Count what others did, before it is in the store; returns the contacts that are held from now on.

    `shown` says how many contacts the shared state shows before these changes.
    """
    store = replica.store
    harmed: dict[int, dict[bytes, tuple[bytes, bytes]]] = {}
    for author, contact, before, after in changes:
        if author == replica.member or contact in RESERVED or not before:
            continue
        mine = harmed.setdefault(author, {})
        known = mine.get(contact) or _known(store, author, contact, now)
        if known is not None or harms(before, after):
            # A second change by the same author is part of what he did: a refusal takes it back too.
            mine[contact] = (known[0] if known else before, after)
    found: set[bytes] = set()
    for author, mine in harmed.items():
        if mine:
            found |= _count(replica, author, mine, shown, now)
    return found


def living(store: ReplicaStore) -> int:
    """How many contacts the shared state shows. Only where something was deleted is there anything to unpack."""
    dead = sum(1 for row in store.unsettled() if row.state and not alive_lives(row.state))
    return store.count_contacts() - dead


def release_restored(replica: Replica, states: Mapping[bytes, bytes] | None = None) -> set[bytes]:
    """Hold no longer what the shared state shows again, all of it: somebody has put it back. Returns these contacts.

    `states`: contact → shared state, of those that may have changed; all by default.
    """
    store, released = replica.store, set()
    keys = [contact for contact in store.kept_keys(HELD) if states is None or contact in states]
    for one in (one for contact in keys if (one := held_one(store, contact)) is not None):
        row = store.contact(one.contact)
        if not harms(one.before, row.state if row else b""):
            released.add(one.contact)
    store.unkeep(HELD, released)
    return released


def release(replica: Replica, contacts: Collection[bytes]) -> list[Held]:
    """A person has decided about these: hold them no longer, and begin to count their authors' changes anew."""
    store = replica.store
    found = [one for contact in contacts if (one := held_one(store, contact)) is not None]
    store.unkeep(HELD, [one.contact for one in found])
    store.unkeep(COUNTED, [u32(one.author) + one.contact for one in found])
    for author in {one.author for one in found} - {one.author for one in held(store)}:
        store.unkeep(COUNTED, [row.key for row in store.kept(COUNTED) if row.key[:4] == u32(author)])
    return found


def forget_counted(store: ReplicaStore) -> None:
    """What is forgotten is forgotten here too, as far as it is not held; that it was counted stays."""
    store.keep(COUNTED, [KeptRow(row.key, encode([b"", b""]), row.time) for row in store.kept(COUNTED)])


def holds_forgotten(replica: Replica, epoch: int) -> bool:
    """Whether something is held from before the epoch of a forget: this device is not done with it (SPEC 14.4)."""
    return bool(replica.store.kept_keys(HELD)) and any(one.epoch < epoch for one in held(replica.store))


def not_done(replica: Replica) -> bool:
    """Whether what is held keeps this device from the newest forget."""
    stored = replica.store.get("forget")
    return stored is not None and holds_forgotten(replica, decode(stored))


def _count(replica: Replica, author: int, mine: dict[bytes, tuple[bytes, bytes]], shown: Callable[[], int], now: int,
           ) -> set[bytes]:
    """Count what an author harmed, and hold all of it if it is too much."""
    store = replica.store
    rows = store.kept(COUNTED)
    # Counted to the clock's either side: one that was set back must not make a row count for years.
    old = [row.key for row in rows if abs(now - row.time) >= GUARD_PERIOD]
    store.unkeep(COUNTED, old)
    of_author = {row.key[4:]: row for row in rows if row.key[:4] == u32(author) and row.key not in set(old)}
    times = {contact: of_author[contact].time if contact in of_author else now for contact in mine}
    fresh = [KeptRow(u32(author) + contact, encode(list(states)), times[contact]) for contact, states in mine.items()]
    store.keep(COUNTED, fresh)
    everything = {contact: (raw[0], raw[1]) for contact, row in of_author.items() if (raw := _values(row.value))} | mine
    if len(everything) <= GUARD_CONTACTS:
        return set()
    gone = sum(1 for contact in of_author if contact not in mine and not _is_shown(store, contact))
    if len(everything) * GUARD_SHARE <= shown() + gone:
        return set()
    return _hold(replica, author, everything, now)


def _hold(replica: Replica, author: int, harmed: dict[bytes, tuple[bytes, bytes]], now: int) -> set[bytes]:
    store, found, rows = replica.store, set(), []
    for contact, (before, after) in harmed.items():
        known = held_one(store, contact)
        if (known is not None and known.author != author) or not before:
            continue
        first = known or Held(contact, author, before, after, replica.position.epoch, now)
        rows.append(KeptRow(contact, encode([author, first.before, after, first.epoch]), first.time))
        if known is None:
            found.add(contact)
    store.keep(HELD, rows)
    return found


def _known(store: ReplicaStore, author: int, contact: bytes, now: int) -> tuple[bytes, bytes] | None:
    row = store.kept_one(COUNTED, u32(author) + contact)
    if row is None or abs(now - row.time) >= GUARD_PERIOD:
        return None
    before, after = _values(row.value)
    return before, after


def _is_shown(store: ReplicaStore, contact: bytes) -> bool:
    row = store.contact(contact)
    return row is not None and bool(row.state) and bool(alive_lives(row.state))


def _read(row: KeptRow) -> Held:
    author, before, after, epoch = _values(row.value)
    return Held(row.key, author, before, after, epoch, row.time)


def _values(raw: bytes) -> list[Any]:
    found: list[Any] = decode(raw, limit=len(raw))
    return found
