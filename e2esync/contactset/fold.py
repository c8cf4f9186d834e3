"""FOLD: what the operations of one entry do to the contacts (SPEC 8.4 steps 3 and 4).

Pure over an injected mapping, contact id -> packed state. Invariants: every check comes before the first effect; the
result is a function of the contacts before, the entry and the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

from e2esync.contactset.ops import BatchOp, DeleteOp, Op, SetOp, UnknownOp
from e2esync.contactset.state import check_written, forms_of
from e2esync.contactset.work import ContactWork, Context
from e2esync.errors import BadState, EntryInvalid
from e2esync.limits import CONTACT_ID

Item = tuple[bytes, bytes]
"""(contact id, packed state), as the chunks of a run hold them."""

Batch = Callable[[BatchOp], Iterable[Item]]
"""Fetches the items of a batch."""


class OwnItems(list[Item]):
    """Items of a batch that this device has made itself and kept since: they need no second look."""


@dataclass(slots=True)
class FoldResult:
    """What folding one entry did.

    `changed`: contact id -> new packed state. `unsettled`: those of them that a boundary may change. `unknown`:
    operations of later versions, skipped.
    """

    author: int
    counter: int
    changed: dict[bytes, bytes] = field(default_factory=dict)
    unsettled: set[bytes] = field(default_factory=set)
    unknown: list[UnknownOp] = field(default_factory=list)


def clamp(claimed: Mapping[int, int], vector: Mapping[int, int], author: int, counter: int) -> dict[int, int]:
    """What an entry has seen: its claim counts only as far as the log before it shows (SPEC 8.4 step 3)."""
    seen = {member: min(count, vector.get(member, 0)) for member, count in claimed.items()}
    seen[author] = counter - 1
    return seen


def fold_ops(
    contacts: MutableMapping[bytes, bytes], author: int, counter: int, seen: Mapping[int, int], ops: Sequence[Op],
    epoch: int, batch: Batch,
) -> FoldResult:
    """Fold the operations of the entry (author, counter), which has `seen` these counters, in `epoch`.

    Operations are as `decode_ops` gives them. Raises EntryInvalid, before any effect, for a batch that breaks its
    rules; whatever `batch` raises also comes before any effect.
    """
    return fold_resolved(contacts, author, counter, seen, ops, epoch, resolve(author, counter, ops, batch))


def resolve(author: int, counter: int, ops: Sequence[Op], batch: Batch) -> list[list[Item]]:
    """The items of the entry's batches in turn, fetched and checked (SPEC 11.4). Raises EntryInvalid."""
    return [_resolve(author, counter, op, batch) for op in ops if isinstance(op, BatchOp)]


def fold_resolved(
    contacts: MutableMapping[bytes, bytes], author: int, counter: int, seen: Mapping[int, int], ops: Sequence[Op],
    epoch: int, batches: Sequence[list[Item]],
) -> FoldResult:
    """`fold_ops` with the batches at hand, as `resolve` gave them. Raises nothing of its own."""
    fold = _Fold(contacts, Context(author, counter, seen, epoch))
    items = iter(batches)
    for op in ops:
        if isinstance(op, SetOp):
            fold.on(op.contact).set(op.life, op.time, op.values)
        elif isinstance(op, DeleteOp):
            fold.on(op.contact).delete(op.life)
        elif isinstance(op, BatchOp):
            fold.batch(next(items))
        else:
            fold.result.unknown.append(op)
    return fold.finish()


def _resolve(author: int, counter: int, op: BatchOp, batch: Batch) -> list[Item]:
    found = batch(op)
    items = found if isinstance(found, OwnItems) else list(found)
    if len(items) != op.count:
        raise EntryInvalid(f"a batch names {op.count} contacts and holds {len(items)}")
    if isinstance(items, OwnItems):
        return items
    for contact, packed in items:
        if len(contact) != CONTACT_ID:
            raise EntryInvalid(f"a batch holds a contact whose id is not {CONTACT_ID} bytes")
        try:
            own = check_written(packed, (author, counter))
        except BadState as error:
            raise EntryInvalid(f"a batch holds a malformed contact: {error.message}") from error
        if not own:
            raise EntryInvalid("a batch holds a null, a deletion, or a write of another entry")
    return items


class _Fold:
    """The working state of one entry's fold."""

    def __init__(self, contacts: MutableMapping[bytes, bytes], context: Context) -> None:
        self.result = FoldResult(context.author, context.counter)
        self._contacts = contacts
        self._context = context
        self._work: dict[bytes, ContactWork] = {}

    def on(self, contact: bytes) -> ContactWork:
        """The contact under this entry's operations."""
        work = self._work.get(contact)
        if work is None:
            work = self._work[contact] = ContactWork(self._contacts.get(contact, b""), self._context)
        return work

    def batch(self, items: list[Item]) -> None:
        """Each item as a set of each of its lives; onto nothing, that gives the checked item itself."""
        for contact, packed in items:
            if contact in self._work or contact in self._contacts:
                for number, [[_, _, time, values]] in forms_of(packed):
                    self.on(contact).set(number, time, values)
            else:
                self._contacts[contact] = self.result.changed[contact] = packed

    def finish(self) -> FoldResult:
        """Write back what changed."""
        result = self.result
        for contact, work in self._work.items():
            outcome = work.finish()
            if outcome.packed != work.before:
                self._contacts[contact] = result.changed[contact] = outcome.packed
                if outcome.unsettled:
                    result.unsettled.add(contact)
        return result
