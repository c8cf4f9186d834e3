"""What this device showed before: the local history from which `undo` and `restore` put things back (SPEC 8.6).

A *step* is what one action of a person did here, or what came from one device at once. Of each contact whose shown
state it changed the history keeps what was shown *before*; what was shown after is in the next change of that contact,
or is shown now. Invariants: local, never sent; of what people see, so that own edits are in it before any sync, and
not a second time when they land; the values that lost against the one shown are kept with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2esync.contactset import alive_lives, view
from e2esync.replica.core import Replica
from e2esync.replica.port import RESERVED, ReplicaStore
from e2esync.wire import Value, decode_checked, encode

NOBODY = -1
"""The author of a step in which a snapshot brought the work of several devices."""

Change = tuple[bytes, bytes, bytes]
"""(contact, packed state shown before, packed state shown after); empty where nothing is known."""
Told = dict[str, list[Value]]
"""Path → the value shown and those that lost against it; nothing where there was no value."""


@dataclass(slots=True)
class Step:
    """A step of this device while it is done: it gets its number with its first change."""

    name: str
    time: int
    number: int = 0
    quiet: bool = False
    """Nothing is kept of it: the history of what it brings came along."""


def told(packed: bytes) -> Told | None:
    """What a packed state shows; None if no life is alive."""
    shown = view(packed) if packed else None
    if shown is None:
        return None
    return {path: [value, *(other.value for other in shown.conflicts.get(path, ()))]
            for path, value in shown.registers.items()}


def difference(before: bytes, after: bytes) -> bytes | None:
    """What a change has to keep: None if nothing changed, empty if the contact was not shown before it."""
    if before == after:
        return None
    old = told(before)
    if old is None:
        return b"" if after and alive_lives(after) else None
    new = told(after) or {}
    changed: Told = {path: values for path, values in old.items() if encode(values) != encode(new.get(path, []))}
    changed |= {path: [] for path in new if path not in old}
    return encode(changed) if changed else None


def read_before(before: bytes) -> Told | None:
    """What a change kept: the paths that it changed, as they were; None if the contact was not shown."""
    if not before:
        return None
    kept: Told = decode_checked(before)
    return kept


def keep(store: ReplicaStore, author: int, now: int, changes: Iterable[Change]) -> None:
    """Keep as one step what came from another device."""
    keep_in(store, Step("", now), author, changes)


def keep_own(replica: Replica, now: int, changes: Iterable[Change]) -> None:
    """Keep what this device wrote, in the step that is being done, or as one by itself."""
    keep_in(replica.store, replica.step or Step("edit", now), replica.member, changes)


def keep_in(store: ReplicaStore, step: Step, author: int, changes: Iterable[Change]) -> None:
    """Keep changes in a step, which begins with the first that changes something."""
    if step.quiet:
        return
    rows = []
    for contact, before, after in changes:
        kept = difference(before, after) if contact not in RESERVED else None
        if kept is not None:
            rows.append((contact, kept))
    if rows:
        if not step.number:
            step.number = store.begin_step(step.name, author, step.time)
        store.add_changes(step.number, rows)
