"""What goes along when a book moves from one set to another (SPEC 12.9). Offline: sending it is the caller's.

Contact ids and media are salted with the set, so everything is written anew; both devices of a move compute the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2esync.client.book import Book
from e2esync.client.importing import Planned, carry_out
from e2esync.contactset import changes
from e2esync.epoch.record import parse_record
from e2esync.errors import NotFound
from e2esync.replica.moving import Notice, late_writes, moved, moved_contacts, moved_id, write_notice
from e2esync.replica.own_object import own_registers, write_own

_CARRIED: Final = ("settings", "sets")
"""What of the set's own object goes along: settings, and the list of further sets."""


def take_along(old: Book, new: Book, now: Callable[[], int]) -> int:
    """Write in the new set what the old one shows: contacts with photos, settings, of a home set the further sets.

    Ids are the same on every device and at every attempt, so a second time adds nothing. Returns how many contacts.
    """
    planned = [Planned(each.contact, "", each.registers, each.media)
               for each in moved_contacts(old.store, old.set_id, new.set_id)]
    with new.profile.store.transaction():
        carry_out(new, planned)
        own = {path: value for path, value in own_registers(old.replica).items()
               if path.partition("/")[0] in _CARRIED}
        if own:
            write_own(new.replica, own, now())
    return len(planned)


def leave_word(old: Book, new: Book, url: str, now: Callable[[], int]) -> None:
    """Say in the old set where the book is now; to be sent. What was folded there by now has gone along."""
    replica, key = old.replica, new.replica.chain.relay_key
    vector = {member: counter for member, (counter, _id) in replica.store.vector().items()}
    record = parse_record(new.store.records()[0]).hash
    notice = Notice(new.set_id, url, key, record, replica.member, replica.position.epoch, vector)
    write_notice(replica, notice, now())


def bring_late(old: Book, new: Book, notice: Notice) -> int:
    """Write in the new set what was written in the old one after the move; returns how many contacts that were."""
    count = 0
    with new.profile.store.transaction():
        for late in late_writes(old.store, notice):
            contact = moved_id(late.contact, late.registers, old.set_id, new.set_id)
            here = _registers(new, contact)
            if late.gone:
                count += new.remove([contact]) if here else 0
                continue
            there = moved(late.contact, late.registers, old.set_id, new.set_id, old.store.media)
            wanted = {path: value for path, value in there.registers.items() if not here or path in late.paths}
            lost = {path: None for path in late.paths if here and path in here and path not in there.registers}
            edits = changes({path: here[path] for path in wanted if path in here}, wanted) | lost
            if edits:
                carry_out(new, [Planned(contact, "", edits, there.media)])
                count += 1
    return count


def _registers(book: Book, contact: bytes) -> dict[str, object]:
    try:
        return dict(book.registers(contact))
    except NotFound:
        return {}

