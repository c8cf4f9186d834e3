"""What is still to be done in this person's books (SPEC 14.5), said by name; without the network.

Such an intent lies nowhere by itself: it is what the home set's own object and the book's chain disagree about, on all
of the person's devices, until one of them has done it. So none is lost with the device that wished it.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.client.profile import HOME, Profile
from e2esync.replica.core import Replica
from e2esync.replica.home import FurtherSet, Home, read_home
from e2esync.replica.moving import successor
from e2esync.replica.own_object import device_names
from e2esync.replica.together import waiting_in, waiting_out
from e2esync.stores.profile import BookInfo


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that waits: in which book, what kind, and a sentence for people."""

    book: str
    kind: str
    """`follow`, `let in`, `shut out` or `leave`."""
    text: str


def intents(profile: Profile) -> list[Intent]:
    """Everything that waits, by book."""
    store = profile.store.book(HOME)
    if store.get("identity") is None:
        return []
    home = Replica(store)
    listed, names = read_home(home), device_names(home)
    by_set = {info.set_id: info for info in profile.store.books()}
    found: list[Intent] = []
    for set_id, further in sorted(listed.sets.items(), key=lambda each: each[1].name):
        info = by_set.get(set_id)
        found += _of(profile, home, listed, names, further, info)
    return found


def _of(profile: Profile, home: Replica, listed: Home, names: dict[int, str], further: FurtherSet,
        info: BookInfo | None) -> list[Intent]:
    store = profile.store.book(info.number) if info is not None else None
    name = info.name if info is not None else further.name
    if store is None or store.get("identity") is None:
        return [] if further.left else [Intent(name, "follow", _why_not_here(home, listed, further, name))]
    replica = Replica(store)
    if further.left:
        text = f"you have left {name}; it is over when one of its owners has synced"
        if successor(listed, replica):
            text = f"{name} has moved to a new set: what was written here goes along when that is on this device"
        return [Intent(name, "leave", text)]
    found = [
        Intent(name, "let in", f"{_device(names, member)} waits to be let into {name}: sync this device")
        for member in waiting_in(home, listed, replica)
    ]
    return found + [
        Intent(name, "shut out", f"{_device(names, member)} was removed from your devices, and is still in {name}: "
               "sync this device")
        for member in waiting_out(home, listed, replica)
    ]


def _why_not_here(home: Replica, listed: Home, further: FurtherSet, name: str) -> str:
    """What a book that is not on this device waits for."""
    if (further.set_id, home.member) in listed.seats:
        return f"this device was shut out of {name}: one of its owners can invite you again"
    if not any(member.is_device and index != home.member for index, member in home.chain.members.items()):
        return (f"this device is not in {name}, and no other device of yours is left to let it in: `e2esync recover`, "
                "with the recovery kit, brings it here")
    return f"this device is not in {name} yet: another device of yours that is in it has to sync, then this one"


def _device(names: dict[int, str], member: int) -> str:
    return names.get(member) or f"device {member}"
