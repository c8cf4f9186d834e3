"""Bringing a backup back: as one step that can be undone, into its own book or any other (`client.backup`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from e2esync.card import display_name
from e2esync.client.backup import BackupContents, Way, read_backup
from e2esync.client.importing import PLACES, Planned, carry_out
from e2esync.contactset import changes, view
from e2esync.replica.contacts import contact_id
from e2esync.replica.history import NOBODY, Step
from e2esync.replica.writing import shown_state
from e2esync.wire import encode

if TYPE_CHECKING:
    from e2esync.client.book import Book

GROUP: Final = 200
"""Contacts whose photos are in memory at the same time."""


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What bringing a backup back would do. Contacts that it does not hold stay as they are."""

    path: Path
    contents: BackupContents
    new: list[Planned] = field(default_factory=list)
    changed: list[Planned] = field(default_factory=list)
    identical: int = 0
    with_history: bool = False
    """Whether the history comes along, into an empty book: then it ends in what comes, and this is no step in it."""


def plan_backup(book: Book, path: Path, way: Way) -> BackupPlan:
    """Read a backup and plan. Raises as `read_backup`."""
    contents = read_backup(path, way)
    new: list[Planned] = []
    changed: list[Planned] = []
    for uid, ordinal, registers in contents.contacts:
        contact = contact_id(book.set_id, uid, max(ordinal, 0))
        state = shown_state(book.store, contact)
        shown = view(state) if state else None
        now = {key: value for key, value in shown.registers.items() if not key.startswith(PLACES)} if shown else {}
        values = changes(now, registers)
        if values:
            (changed if shown else new).append(Planned(contact, display_name(registers), values, {}))
    fresh = not book.store.history.steps() and not book.list()
    return BackupPlan(path, contents, new, changed, len(contents.contacts) - len(new) - len(changed), fresh)


def apply_backup(book: Book, plan: BackupPlan, way: Way) -> None:
    """Carry it out, all or nothing."""
    store = book.store
    with book.profile.store.transaction():
        if plan.contents.photos:
            read_backup(plan.path, way, store.put_media)
        if plan.with_history:
            _restore_history(book, plan.contents)
        with book.step(Step(f"restore {plan.path.name}", book.now(), quiet=plan.with_history)):
            items = [*plan.new, *plan.changed]
            for start in range(0, len(items), GROUP):
                carry_out(book, [_with_media(book, item) for item in items[start : start + GROUP]])
        for name, layout in plan.contents.layouts.items():
            store.put(name, layout)


def _with_media(book: Book, item: Planned) -> Planned:
    """The photos that a contact names and whose place it does not know."""
    digests = {value["digest"] for value in item.values.values()
               if isinstance(value, dict) and isinstance(value.get("digest"), str)}
    state = shown_state(book.store, item.contact)
    shown = view(state) if state else None
    known = shown.registers if shown else {}
    media = {digest: content for digest in sorted(digests)
             if f"{PLACES}{digest}" not in known and (content := book.store.media(digest)) is not None}
    return Planned(item.contact, item.name, item.values, media)


def _restore_history(book: Book, contents: BackupContents) -> None:
    """The steps as they were; in another book their authors are nobody of it."""
    history, same = book.store.history, contents.set_id == book.set_id
    numbers: dict[int, int] = {}
    by_step: dict[int, list[tuple[bytes, bytes]]] = {}
    for step, uid, ordinal, before in contents.changes:
        if ordinal >= 0:
            by_step.setdefault(step, []).append((contact_id(book.set_id, uid, ordinal), before))
    for number, name, author, time, _undone in contents.steps:
        if number in by_step:
            numbers[number] = history.begin_step(name, author if same else NOBODY, time)
            history.add(numbers[number], by_step[number])
    for number, _name, _author, _time, undone in contents.steps:
        if number in numbers and undone in numbers:
            history.mark_undone(numbers[number], numbers[undone])
    if contents.steps:
        book.store.put("history", encode(min(step[3] for step in contents.steps)))


