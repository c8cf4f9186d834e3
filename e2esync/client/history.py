"""Undo, restore and the trash: back to what the local history knows, by new operations that sync like any other.

A *reversal* is planned first and changes nothing; it is carried out as one step, which can itself be undone. What
somebody has changed since is never put back by `undo`: the plan names it. Photos whose bytes are here are sealed and
sent again, because the relay may have dropped what nobody named any more.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from e2esync.card import display_name
from e2esync.client.importing import PLACES, Planned, carry_out
from e2esync.contactset import changes, same, view
from e2esync.errors import NotFound
from e2esync.replica.history import Step, read_before
from e2esync.replica.writing import shown_state
from e2esync.wire import Value

if TYPE_CHECKING:
    from e2esync.client.book import Book
    from e2esync.stores.history import ChangeRow, StepRow

Registers = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Reversal:
    """What putting something back would do; nothing is changed before `Book.carry_out`."""

    name: str
    """What the step will be called."""
    back: list[Planned] = field(default_factory=list)
    """Contacts that are gone and come back."""
    changed: list[Planned] = field(default_factory=list)
    """Contacts that change: path → value, None where one goes."""
    gone: list[tuple[bytes, str]] = field(default_factory=list)
    """(contact, name) of those that were not there then, and leave."""
    kept: list[str] = field(default_factory=list)
    """Names of contacts that were changed since, and stay as they are (in part, if they are also in `changed`)."""
    undoes: int = 0
    """The step that it undoes; 0 for a restore."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.back or self.changed or self.gone)


@dataclass(frozen=True, slots=True)
class Trashed:
    """A contact that was deleted, as it last was."""

    contact: bytes
    name: str
    uid: str
    time: int
    """When this device saw it go; ms."""
    by: int
    """The member who deleted it, as far as that is known; -1 if not."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A contact between two times: path → (before, after), None where there was nothing."""

    contact: bytes
    name: str
    before: bool
    """Whether it was there before."""
    after: bool
    values: dict[str, tuple[Value, Value]]


def plan_undo(book: Book, number: int | None = None, contacts: Collection[bytes] = ()) -> Reversal:
    """What undoing a step would do, or the last own one that is not undone; `contacts`: only in these.

    Raises NotFound.
    """
    step = _step_to_undo(book, number)
    plan = Reversal(f"undo {step.name}".rstrip() if step.name else "undo what another device did", undoes=step.number)
    rows: dict[bytes, list[ChangeRow]] = {}
    for row in book.store.history.of_step(step.number):
        if not contacts or row.contact in contacts:
            rows.setdefault(row.contact, []).append(row)
    for contact, own in rows.items():
        now = _present(book, contact)
        before = _before(own, now)
        later = [row for row in book.store.history.of_contact(contact) if row.number > own[-1].number]
        after = _before(later, now)
        _plan_undo_of(book, plan, contact, before, after, now)
    return plan


def plan_restore(book: Book, at: int, contacts: Collection[bytes] = ()) -> Reversal:
    """What putting the book, or some contacts, back as they were at a time (ms) would do.

    Raises NotFound for a time that this device's history does not reach.
    """
    reaches = book.store.history.reaches()
    if at < reaches:
        raise NotFound("this device does not know how the book was then", _how_far(reaches))
    plan = Reversal("restore")
    for contact, before in _as_of(book, at).items():
        if not contacts or contact in contacts:
            put_back(book, plan, contact, before, _present(book, contact))
    return plan


def plan_untrash(book: Book, contacts: Iterable[bytes]) -> Reversal:
    """What bringing deleted contacts back would do."""
    plan = Reversal("restore from the trash")
    rows = {row.contact: row for row in book.store.history.gone()}
    for contact in contacts:
        if contact in rows:
            put_back(book, plan, contact, _shown(read_before(rows[contact].before)), None)
    return plan


def carry_out_reversal(book: Book, plan: Reversal) -> None:
    """Carry a reversal out, as one step."""
    step = Step(plan.name, book.now())
    with book.step(step):
        if plan.gone:
            book.remove([contact for contact, _name in plan.gone])
        carry_out(book, [*plan.back, *plan.changed])
        if plan.undoes and step.number:
            history = book.store.history
            # Undoing an undo does the thing again: then it can be undone once more.
            if (redone := history.undone_by(plan.undoes)) is not None:
                history.mark_undone(redone.number, 0)
            history.mark_undone(plan.undoes, step.number)


def trash(book: Book) -> list[Trashed]:
    """What was deleted within the retention and is not back, the last first."""
    history = book.store.history
    book.profile.store.names(book.number).catch_up()
    found = []
    for row in history.gone():
        registers, step = _shown(read_before(row.before)) or {}, history.step(row.step)
        uid = registers.get("uid")
        found.append(Trashed(row.contact, display_name(registers), uid if isinstance(uid, str) else "",
                             step.time if step else 0, step.author if step else -1))
    return found


def forget(book: Book, contacts: Iterable[bytes]) -> None:
    """Drop what the history knows of deleted contacts, and the photos that nobody else has."""
    store = book.store
    with book.profile.store.transaction():
        for contact in contacts:
            kept = [read_before(row.before) or {} for row in store.history.of_contact(contact)]
            digests = {path.removeprefix(PLACES) for told in kept for path in told if path.startswith(PLACES)}
            store.history.forget([contact])
            store.delete_media(digest for digest in digests if not store.names_media(digest, contact))
    book.profile.store.purge()


def differences(book: Book, *, step: int | None = None, at: int | None = None,
                contact: bytes | None = None) -> list[Difference]:
    """What a step changed, or how the book was at a time and is now."""
    history = book.store.history
    found = []
    if step is not None:
        rows: dict[bytes, list[ChangeRow]] = {}
        for row in history.of_step(step):
            rows.setdefault(row.contact, []).append(row)
        for changed, own in rows.items():
            now = _present(book, changed)
            later = [row for row in history.of_contact(changed) if row.number > own[-1].number]
            found.append(_difference(changed, _before(own, _before(later, now)), _before(later, now)))
    else:
        found = [_difference(changed, before, _present(book, changed))
                 for changed, before in _as_of(book, at or 0).items()]
    return [one for one in found if one.values and contact in (None, one.contact)]


def _step_to_undo(book: Book, number: int | None) -> StepRow:
    history = book.store.history
    if number is not None:
        step = history.step(number)
        if step is None:
            raise NotFound(f"there is no step {number}", "`e2esync history` lists them")
        if step.undone:
            raise NotFound(f"step {number} is undone already, by step {step.undone}",
                           f"`e2esync undo {step.undone}` does it again")
        return step
    for step in history.steps():
        # An undo is not undone by the next undo, which goes on to the step before.
        if step.author == book.replica.member and step.name and not step.undone and not history.undone_by(step.number):
            return step
    raise NotFound("nothing that this device did is left to undo", "`e2esync history` lists also what others did")


def _plan_undo_of(book: Book, plan: Reversal, contact: bytes, before: Registers | None, after: Registers | None,
                  now: Registers | None) -> None:
    """Put back of one contact what is still as the step left it."""
    if after is None or now is None or before is None:
        if (after is None) == (now is None) and (before is not None or _alike(after, now)):
            put_back(book, plan, contact, before, now)
        elif (before is None) != (now is None) or not _alike(before, now):
            plan.kept.append(display_name(now or after or before or {}))
        return
    wanted, touched = dict(now), False
    for path, value in changes(after, before).items():
        if _same_at(now, after, path):
            wanted[path] = value
        elif not _same_at(now, before, path):
            touched = True
    if touched:
        plan.kept.append(display_name(now))
    put_back(book, plan, contact, {path: value for path, value in wanted.items() if value is not None}, now)


def put_back(book: Book, plan: Reversal, contact: bytes, wanted: Registers | None, now: Registers | None) -> None:
    """Plan what makes a contact from what it is now what it was."""
    if wanted is None:
        if now is not None:
            plan.gone.append((contact, display_name(now)))
        return
    name = display_name(wanted)
    # Where the photos of a contact lie stays where it is known; how they are found again is for `_media` to say.
    values = {path: value for path, value in changes(now or {}, wanted).items()
              if value is not None or not path.startswith(PLACES)}
    if not values:
        return
    media = _media(book, values)
    values = {path: value for path, value in values.items() if path.removeprefix(PLACES) not in media}
    (plan.changed if now is not None else plan.back).append(Planned(contact, name, values, media))


def _media(book: Book, values: Registers) -> dict[str, bytes]:
    """The bytes of the photos that come back, as far as they are on this device."""
    digests = {path.removeprefix(PLACES) for path in values if path.startswith(PLACES)}
    return {digest: content for digest in sorted(digests) if (content := book.store.media(digest)) is not None}


def _present(book: Book, contact: bytes) -> Registers | None:
    state = shown_state(book.store, contact)
    shown = view(state) if state else None
    return dict(shown.registers) if shown else None


def _as_of(book: Book, at: int) -> dict[bytes, Registers | None]:
    """How each contact was at a time that has changed since; None for one that was not there."""
    rows: dict[bytes, list[ChangeRow]] = {}
    for row in reversed(book.store.history.later(at)):
        rows.setdefault(row.contact, []).append(row)
    return {contact: _before(own, _present(book, contact)) for contact, own in rows.items()}


def _before(rows: list[ChangeRow], after: Registers | None) -> Registers | None:
    """The registers of a contact before some changes of it in a row, oldest first, after which it was `after`."""
    registers = dict(after) if after is not None else None
    for row in reversed(rows):
        kept = read_before(row.before)
        if kept is None:
            registers = None
            continue
        registers = registers or {}
        for path, values in kept.items():
            if values:
                registers[path] = values[0]
            else:
                registers.pop(path, None)
    return registers


def _shown(kept: dict[str, list[Value]] | None) -> Registers | None:
    return None if kept is None else {path: values[0] for path, values in kept.items() if values}


def _difference(contact: bytes, before: Registers | None, after: Registers | None) -> Difference:
    old, new = before or {}, after or {}
    values = {path: (old.get(path), new.get(path)) for path in sorted(changes(old, new))}
    return Difference(contact, display_name(new or old), before is not None, after is not None, values)


def _alike(one: Registers | None, other: Registers | None) -> bool:
    """Whether two cards say the same, wherever their photos lie."""
    return all(path.startswith(PLACES) for path in changes(one or {}, other or {}))


def _same_at(one: Registers, other: Registers, path: str) -> bool:
    return (path in one) == (path in other) and same(one.get(path), other.get(path))


def _how_far(reaches: int) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(reaches / 1000))
    return f"its history begins on {moment}; another device may know more"
