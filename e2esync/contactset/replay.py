"""The contact set S = (vector, contacts), and FOLD of whole entries in log order (SPEC 8.4).

Invariants: the same entries in the same order give the same state on every device; an entry is folded only right
after its author's entry before it; what refuses an entry leaves no trace of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from e2esync.contactset.boundary import boundary_contact
from e2esync.contactset.fold import Batch, FoldResult, Item, clamp, fold_resolved, resolve
from e2esync.contactset.ops import Op
from e2esync.errors import EntryInvalid
from e2esync.limits import HASH, PARKED_MAX

FIRST_PREV: Final = bytes(HASH)
"""`prev` of an author's first entry."""


class Status(Enum):
    """What became of an entry."""

    APPLIED = "applied"        # folded, and whatever of its author's was parked behind it
    DUPLICATE = "duplicate"    # folded before
    FORKED = "forked"          # its author wrote two entries under one counter: evidence of a clone
    PARKED = "parked"          # waits for its author's entry before it
    DROPPED = "dropped"        # its author has too much parked


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that was verified and decoded: what FOLD needs of it. `size` is that of the entry in bytes."""

    author: int
    counter: int
    entry_id: bytes
    prev: bytes | None
    claimed: Mapping[int, int]
    ops: Sequence[Op]
    size: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The status of an entry, and what each entry that it let in did, in the order of the fold.

    `refused` names entries that were parked behind it and turned out to be invalid or of another branch.
    """

    status: Status
    results: tuple[FoldResult, ...] = ()
    refused: tuple[Pending, ...] = ()


class ContactSet:
    """The replicated state over mappings that the caller owns.

    `contacts`: contact id -> packed state. `vector`: member -> (counter, id of the entry with that counter).
    `parked`: (author, counter) -> entry that waits. Any of them may be backed by a store.
    """

    def __init__(
        self,
        contacts: MutableMapping[bytes, bytes],
        vector: MutableMapping[int, tuple[int, bytes]],
        parked: MutableMapping[tuple[int, int], Pending],
    ) -> None:
        self.contacts = contacts
        self.vector = vector
        self.parked = parked
        self._parked_size: dict[int, int] = {}
        for entry in parked.values():
            self._count(entry, 1)

    def counter(self, member: int) -> int:
        """The counter of the member's last folded entry; 0 if there is none."""
        return self.vector[member][0] if member in self.vector else 0

    def last_id(self, member: int) -> bytes:
        """The id of that entry, which the member's next one names as `prev`."""
        return self.vector[member][1] if member in self.vector else FIRST_PREV

    def counters(self) -> dict[int, int]:
        """The version vector: what a writer claims to have seen now."""
        return {member: counter for member, (counter, _) in self.vector.items()}

    def apply(
        self, author: int, counter: int, entry_id: bytes, claimed: Mapping[int, int], ops: Sequence[Op], size: int,
        epoch: int, batch: Batch, *, prev: bytes | None = None,
    ) -> Applied:
        """FOLD of an entry at the next position of the log of `epoch` (SPEC 8.4). `prev` is compared if given.

        Raises EntryInvalid, without effect, for a batch that breaks its rules; what `batch` raises for want of
        blobs, also on behalf of parked entries, comes before any effect too, and the call can be repeated.
        """
        entry = Pending(author, counter, entry_id, prev, claimed, ops, size)
        last = self.counter(author)
        if counter <= last:
            forked = counter == last and entry_id != self.last_id(author)
            return Applied(Status.FORKED if forked else Status.DUPLICATE)
        if counter > last + 1:
            return Applied(self._park(entry))
        if prev is not None and prev != self.last_id(author):
            return Applied(Status.FORKED)
        return self._fold_with_parked(entry, epoch, batch)

    def boundary(self, horizon: int, unsettled: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """BOUNDARY of the set (SPEC 8.5); `unsettled` names at least the contacts that it may change.

        What changed: contact id -> new packed state, None where it was dropped.
        """
        self.parked.clear()
        self._parked_size.clear()
        changed: dict[bytes, bytes | None] = {}
        for contact in list(unsettled):
            before = self.contacts[contact]
            after = boundary_contact(before, horizon)
            if after == before:
                continue
            changed[contact] = after
            if after is None:
                del self.contacts[contact]
            else:
                self.contacts[contact] = after
        return changed

    def _fold_with_parked(self, entry: Pending, epoch: int, batch: Batch) -> Applied:
        """SPEC 8.4 steps 3 to 5. Every batch is fetched first, so that nothing is half done when one is missing."""
        ready: list[tuple[Pending, list[list[Item]]]] = []
        refused: list[Pending] = []
        waiting: Pending | None = entry
        while waiting is not None:
            try:
                if ready and waiting.prev not in (None, ready[-1][0].entry_id):
                    raise EntryInvalid("a parked entry continues another branch of its author's log")
                ready.append((waiting, resolve(waiting.author, waiting.counter, waiting.ops, batch)))
            except EntryInvalid:
                if not ready:
                    raise
                refused.append(waiting)
                break
            waiting = self.parked.get((entry.author, waiting.counter + 1))
        results = [self._fold(folded, epoch, batches) for folded, batches in ready]
        for gone in refused:
            self._unpark(gone)
        return Applied(Status.APPLIED, tuple(results), tuple(refused))

    def _fold(self, entry: Pending, epoch: int, batches: list[list[Item]]) -> FoldResult:
        seen = clamp(entry.claimed, self.counters(), entry.author, entry.counter)
        result = fold_resolved(self.contacts, entry.author, entry.counter, seen, entry.ops, epoch, batches)
        self.vector[entry.author] = (entry.counter, entry.entry_id)
        self._unpark(entry)
        return result

    def _park(self, entry: Pending) -> Status:
        """SPEC 8.4 step 2. The first entry under a dot stays; another one there is evidence, not a replacement."""
        waiting = self.parked.get((entry.author, entry.counter))
        if waiting is not None:
            return Status.PARKED if waiting.entry_id == entry.entry_id else Status.FORKED
        if self._parked_size.get(entry.author, 0) + entry.size > PARKED_MAX:
            return Status.DROPPED
        self.parked[entry.author, entry.counter] = entry
        self._count(entry, 1)
        return Status.PARKED

    def _unpark(self, entry: Pending) -> None:
        """Forget what is parked under the entry's dot: it was folded, or another entry now has its place."""
        waiting = self.parked.pop((entry.author, entry.counter), None)
        if waiting is not None:
            self._count(waiting, -1)

    def _count(self, entry: Pending, sign: int) -> None:
        self._parked_size[entry.author] = self._parked_size.get(entry.author, 0) + sign * entry.size
