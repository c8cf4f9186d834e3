"""What the guard holds in view, and what a person decides about it (SPEC 14.9).

To *confirm* lets the view follow the shared state: the contacts leave, as a step of the device that did it, which undo
takes back like any other. To *refuse* writes what was shown back, for everybody, in as few entries as hold it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2esync.card import display_name
from e2esync.client.history import Reversal, put_back
from e2esync.client.importing import carry_out
from e2esync.contactset import view
from e2esync.replica.forgetting import forgetting, forgotten
from e2esync.replica.guarding import Held, held, release
from e2esync.replica.history import Change, Step, keep
from e2esync.replica.port import HELD
from e2esync.replica.writing import check_may_write, lay_over, put_back_registers, shown_state
from e2esync.wire import Value

if TYPE_CHECKING:
    from e2esync.client.book import Book


@dataclass(frozen=True, slots=True)
class Guarded:
    """A contact that somebody deleted or overwrote among many, and that is shown as it was."""

    contact: bytes
    name: str
    author: int
    """The member who did it; of a snapshot, its opener."""
    deleted: bool
    """Whether the others have it no more; else something in it is another."""
    time: int
    """When this device received it; ms."""


def count_guarded(book: Book) -> int:
    """How many contacts wait for a person; costs next to nothing."""
    return len(book.store.kept_keys(HELD))


def guarded(book: Book) -> list[Guarded]:
    """See `Book.guarded`."""
    found = []
    for one in held(book.store):
        found.append(Guarded(one.contact, display_name(_registers(one.before) or {}), one.author,
                             _registers(_shared(book, one.contact)) is None, one.time))
    return found


def guard_notices(book: Book) -> list[str]:
    """What waits for a person, a plain sentence for each device that did it."""
    if not count_guarded(book):
        return []
    names = {device.member: device.name for device in book.devices()}
    found: dict[int, list[Guarded]] = {}
    for one in guarded(book):
        found.setdefault(one.author, []).append(one)
    return [f"{names.get(author) or f'device {author}'} {deeds(items)}: they are shown here as they were, until "
            "you agree or refuse (`e2esync guard`)" for author, items in sorted(found.items())]


def deeds(items: Sequence[Guarded]) -> str:
    """`deleted 9,000 contacts and changed 12`."""
    deleted = sum(one.deleted for one in items)
    changed = len(items) - deleted
    counts = [("deleted", deleted)] * bool(deleted) + [("changed", changed)] * bool(changed)
    said = [f"{what} {count:,}" for what, count in counts]
    said[0] += " contact" + ("" if counts[0][1] == 1 else "s")
    return " and ".join(said)


def confirm_guarded(book: Book, contacts: Collection[bytes] | None = None) -> int:
    """See `Book.confirm_guarded`."""
    store, wanted = book.store, _wanted(book, contacts)
    with book.profile.store.transaction():
        before = {one.contact: shown_state(store, one.contact) or b"" for one in wanted}
        release(book.replica, list(before))
        store.mark_shown(lay_over(book.replica, before))
        last = _last_forget(book)
        steps: dict[int, list[Change]] = {}
        for one in wanted:
            # What has been forgotten meanwhile goes without a trace, now that its person has agreed.
            if one.epoch >= last:
                after = shown_state(store, one.contact) or b""
                steps.setdefault(one.author, []).append((one.contact, before[one.contact], after))
        for author, changes in steps.items():
            keep(store, author, book.now(), changes)
        if len(wanted) > sum(map(len, steps.values())):
            store.drop_unnamed_media()
    return len(wanted)


def refuse_guarded(book: Book, contacts: Collection[bytes] | None = None) -> int:
    """See `Book.refuse_guarded`."""
    check_may_write(book.replica)
    wanted = _wanted(book, contacts)
    plan = Reversal("refuse")
    # Nothing changes in view, so nothing is kept for undo.
    with book.step(Step(plan.name, book.now(), quiet=True)):
        for one in wanted:
            shared = _shared(book, one.contact)
            put_back(book, plan, one.contact, put_back_registers(one, shared), _registers(shared))
        release(book.replica, [one.contact for one in wanted])
        book.store.mark_shown(lay_over(book.replica, [one.contact for one in wanted]))
        carry_out(book, [*plan.back, *plan.changed])
    return len(wanted)


def _wanted(book: Book, contacts: Collection[bytes] | None) -> list[Held]:
    return [one for one in held(book.store) if contacts is None or one.contact in contacts]


def _last_forget(book: Book) -> int:
    state = forgetting(book.replica)
    return state.epoch if state else forgotten(book.store)


def _shared(book: Book, contact: bytes) -> bytes:
    row = book.store.contact(contact)
    return row.state if row else b""


def _registers(state: bytes) -> dict[str, Value] | None:
    shown = view(state) if state else None
    return dict(shown.registers) if shown else None
