"""Moving a book to a new set with a new kit, with trio (SPEC 12.9): what to do when the kit is lost.

    await rehome(profile, kit)                        on one device: new set, contacts along, a word in the old set
    await follow_move(profile, code, name, …)         on each other one, with a pairing code of the first

The old set's root is a kit that somebody may have found, and nobody but that kit can remove it: so the set is left.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.carrying import bring_late, leave_word, take_along
from e2esync.client.pairing import join
from e2esync.client.profile import HOME, Profile
from e2esync.client.sync import SYSTEM_ENTROPY, create_set, go_online, no_progress, now_ms, relay_url, sync
from e2esync.client.together import free_number
from e2esync.crypto import Entropy
from e2esync.epoch.announcement import AskLeave
from e2esync.epoch.record import parse_record
from e2esync.errors import E2esyncError, NotFound, PairingAborted, ProfileExists
from e2esync.procedures.opening import announce
from e2esync.replica.asking import ask_for
from e2esync.replica.core import Replica
from e2esync.replica.moving import read_notice
from e2esync.replica.own_object import book_name


@dataclass(frozen=True, slots=True)
class Rehomed:
    """What a move did."""

    set_id: bytes
    contacts: int
    others: tuple[str, ...]
    """Names of the devices on which a person has to confirm it."""


def _nobody(_replica: Replica) -> None:
    """The kit is in its owner's hands already."""


async def rehome(profile: Profile, kit: RecoveryKit, *, relay: str | None = None, invitation: bytes = b"",
                 ready: Callable[[Replica], None] = _nobody, entropy: Entropy = SYSTEM_ENTROPY,
                 now: Callable[[], int] = now_ms) -> Rehomed:
    """Move the home set to a new set whose root is `kit`, at `relay` or where it is; this device is its first.

    `invitation` is the relay's operator's, where he asks for one. `ready` is called with the new set when it is whole,
    and before anybody is told: to give the kit to its owner.
    Raises ProfileExists where it was moved already by another device: that move is followed instead. What fails
    before the old set is told leaves the profile as it was.
    """
    await sync(profile, entropy=entropy, now=now)
    old = Book(profile, 0, entropy=entropy, now=now)
    if read_notice(old.replica) is not None:
        raise ProfileExists("another device has moved this book already", "`e2esync rehome --confirm CODE` follows it")
    number, name = free_number(profile), old.device_name
    url = relay or relay_url(profile, 0)
    try:
        await create_set(profile, url, name, kit, book_name=book_name(old.replica) or "Contacts", book=number,
                         invitation=invitation, entropy=entropy, now=now)
        new = Book(profile, number, entropy=entropy, now=now)
        taken = take_along(old, new, now)
        await sync(profile, number, entropy=entropy, now=now)
        ready(new.replica)
        leave_word(old, new, url, now)
        await sync(profile, entropy=entropy, now=now)
    except BaseException:
        profile.store.delete_book(number)
        raise
    me = old.replica.member
    others = tuple(sorted(device.name for device in old.devices() if device.member != me))
    set_id = new.set_id
    await ask_to_leave(profile, HOME, entropy, now)
    profile.store.renumber_book(number, 0)
    profile.store.purge()
    return Rehomed(set_id, taken, others)


def finish_move(profile: Profile) -> bool:
    """Go on with a move that this device was killed in, after it had told the others; whether there was one."""
    store = profile.store
    notice = read_notice(Replica(store.book(0)))
    numbers = [info.number for info in store.books() if notice is not None and info.set_id == notice.set_id]
    if not numbers or store.book(numbers[0]).get("identity") is None:
        return False
    store.renumber_book(numbers[0], 0)
    store.purge()
    return True


async def follow_move(profile: Profile, code: str, *, show_words: Callable[[tuple[str, ...]], None],
                      relay: str | None = None, entropy: Entropy = SYSTEM_ENTROPY,
                      now: Callable[[], int] = now_ms) -> int:
    """Follow a move that another device has made, with a pairing code of a device that is in the new set.

    What was written here since, sent or not, goes along; returns how many contacts that were. Raises NotFound where
    nobody has moved the book, and PairingAborted for a code that leads elsewhere.
    """
    with suppress(E2esyncError):
        # Perhaps the relay is gone for good: what this device has is enough.
        await sync(profile, entropy=entropy, now=now)
    old = Book(profile, 0, entropy=entropy, now=now)
    notice = read_notice(old.replica)
    if notice is None:
        raise NotFound("nobody has moved this book", "sync first; to add this device to another book: `e2esync join`")
    number = free_number(profile)
    try:
        replica = await join(profile, code, old.device_name, show_words=show_words, relay=relay, book=number,
                             entropy=entropy, now=now)
        if replica.set_id != notice.set_id or parse_record(replica.store.records()[0]).hash != notice.record_hash:
            raise PairingAborted("the code leads to another book than the one that this book was moved to")
        new = Book(profile, number, entropy=entropy, now=now)
        late = bring_late(old, new, notice)
        await sync(profile, number, entropy=entropy, now=now)
    except BaseException:
        profile.store.delete_book(number)
        raise
    await ask_to_leave(profile, HOME, entropy, now)
    profile.store.renumber_book(number, 0)
    profile.store.purge()
    return late


async def ask_to_leave(profile: Profile, book: int, entropy: Entropy, now: Callable[[], int]) -> None:
    """Ask the devices that are still in an old set to remove this one; that they can be asked is not needed."""
    replica = Replica(profile.store.book(book))
    ask_for(replica, AskLeave(replica.chain.epoch))
    with suppress(E2esyncError), profile.sync_lock():
        async with go_online(profile, book, progress=no_progress, entropy=entropy, now=now) as online:
            await online.connection.run(announce(online.replica, online.link))
