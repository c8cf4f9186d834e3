"""What changed in a book, for programs that show it: made from the local history, so that nothing is missed.

    last = 0
    def look(_what: str) -> None:
        nonlocal last
        for event in book.events(after=last):
            last = event.number
            ...
    await watch(profile, on_event=look)

An event tells of one contact in one step: own edits, other devices' and whole snapshots alike. `number` only grows; a
program that was not running asks after the last one that it has seen. What is older than the history (30 days, or the
setting `keep-history`) has no events any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from e2esync.card import display_name
from e2esync.contactset import view
from e2esync.replica.history import read_before
from e2esync.replica.writing import shown_state

if TYPE_CHECKING:
    from e2esync.client.book import Book


@dataclass(frozen=True, slots=True)
class Event:
    """One contact was added, changed or deleted."""

    number: int
    contact: bytes
    name: str
    """As it is now, or as it last was."""
    kind: Literal["added", "changed", "deleted"]
    paths: tuple[str, ...]
    """The registers that changed; of one that was added none, of one that was deleted all."""
    author: int
    """The member who did it; -1 where a snapshot brought the work of several."""
    time: int
    """When this device did or received it; ms."""
    conflicts: tuple[str, ...]
    """Where devices disagree about the contact now: a person may settle it (`Book.conflicts`, `Book.resolve`)."""


def events(book: Book, after: int) -> list[Event]:
    """See `Book.events`."""
    history = book.store.history
    rows = history.after(after)
    steps = {step.number: step for step in history.steps()} if rows else {}
    found: list[Event] = []
    following: dict[bytes, bytes] = {}
    names: dict[bytes, str] = {}
    # From the newest back: whether a contact was still there after a change, the next change of it says.
    for row in reversed(rows):
        before, step = read_before(row.before), steps[row.step]
        state = shown_state(book.store, row.contact)
        shown = view(state) if state else None
        there = bool(following[row.contact]) if row.contact in following else shown is not None
        following[row.contact] = row.before
        paths = tuple(path for path in before or () if not path.startswith(("blobs/", "origin")))
        kind: Literal["added", "changed", "deleted"] = "added" if before is None else "changed" if there else "deleted"
        kept = {path: values[0] for path, values in (before or {}).items() if values}
        names[row.contact] = names.get(row.contact) or display_name(shown.registers if shown else kept)
        found.append(Event(
            row.number, row.contact, names[row.contact], kind, paths, step.author,
            step.time, tuple(sorted(shown.conflicts)) if shown else (),
        ))
    return found[::-1]
