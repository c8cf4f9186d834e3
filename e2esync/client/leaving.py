"""Leaving a book and being shut out of it (SPEC 14.12): what a device does then with what it holds.

Nothing here happens on a relay's word: `shut_out` is called with the removal that a verified record makes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import trio

from e2esync.access.rescue import RescueHeader, seal_rescue
from e2esync.client.connection import Connection
from e2esync.client.farewell import ERASED, FROZEN, RETIRED, Left, say_farewell, write_left
from e2esync.client.profile import Profile
from e2esync.client.protection import forget
from e2esync.client.sync import SYSTEM_ENTROPY, Progress, go_online, no_progress, now_ms
from e2esync.crypto import Entropy
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import parse_record
from e2esync.epoch.roster import Member
from e2esync.errors import DeviceRemoved, E2esyncError, SetDeleted
from e2esync.procedures.leaving import leave
from e2esync.replica.core import Replica
from e2esync.replica.leaving import Removal, removal_of, who_closes
from e2esync.replica.own_object import book_name, device_names
from e2esync.replica.rescuing import contents
from e2esync.session.messages import RecordPush
from e2esync.stores import files
from e2esync.stores.profile import BookInfo

LEAVING = "leaving"
"""Stored with a book from before the request is sent: a removal that follows is this device's own wish."""


async def retire(profile: Profile, *, wait: float = 0.0, progress: Progress = no_progress,
                 entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> Left:
    """Send what is unsent, ask to leave every book, and erase this profile; returns what its folder then says.

    `wait`: seconds to listen for the record that removes it, if another device is connected just now. Raises
    Unreachable or whatever keeps a book from being sent, and then has erased nothing. The profile is closed after it.
    """
    home = Replica(profile.store.book(0))
    names = device_names(home)
    others = tuple(_named(names, member) for member in who_closes(home))
    left = Left(RETIRED, _named(names, home.member), _name(profile, 0), now(), "", 0, others)
    with profile.sync_lock():
        # The home set last: as long as this device is in it, the others can be tried again.
        for info in sorted(profile.store.books(), reverse=True):
            if profile.store.book(info.number).get("identity") is None:
                continue
            try:
                async with go_online(profile, info.number, progress=progress, entropy=entropy, now=now) as online:
                    profile.store.book(info.number).put(LEAVING, b"")
                    await online.connection.run(leave(online.replica, online.link))
                    if info.number == 0:
                        chain = online.replica.chain
                        _erase(profile, left)
                        # What it listens for now, it needs nothing of its own to understand.
                        closed = await _listen(online.connection, chain, home.member, wait)
                        if closed is not None:
                            left = replace(left, epoch=closed.epoch, by=_named(names, closed.opener))
                            write_left(profile.home, left)
            except SetDeleted:
                # Nothing is left to leave: the relay has no door any more.
                if info.number == 0:
                    left = replace(left, others=(), gone=True)
                    _erase(profile, left)
    return left


def shut_out(profile: Profile, book: int, removal: Removal, *, entropy: Entropy = SYSTEM_ENTROPY,
             now: Callable[[], int] = now_ms) -> DeviceRemoved:
    """Erase or freeze what a removed device holds (SPEC 14.12); the error says what happened and what comes next.

    Whoever is out of the home set is out of the profile; a further book goes alone.
    """
    replica = Replica(profile.store.book(book))
    names = device_names(replica)
    wished = replica.store.get(LEAVING) is not None
    by = "" if removal.by_kit else _named(names, removal.opener)
    state = RETIRED if wished else ERASED if removal.by_kit else FROZEN
    left = Left(state, _named(names, replica.member), _name(profile, book), now(), by, removal.epoch)
    gone = profile.store.books() if book == 0 else [_info(profile, book)]
    if state == FROZEN:
        for info in gone:
            _rescue(profile, info, removal.epoch, entropy, now())
    if book == 0:
        _erase(profile, left)
    else:
        profile.store.delete_book(book)
        profile.store.purge()
    happened, following = left.told()
    return DeviceRemoved(happened, following if book == 0 else _following(state), removal)


def _following(state: str) -> str:
    """What to do next where one book is gone and the profile stays."""
    kept = "; what you had not sent is kept in the profile's folder, for `e2esync recover --add-rescue`"
    return ("your other books are as they were. To be in this one again, ask one of its owners for an invitation"
            + (kept if state == FROZEN else ""))


def _erase(profile: Profile, left: Left) -> None:
    """Close the profile, and leave nothing of it but the stub."""
    profile.close()
    say_farewell(profile.home, left)
    with suppress(E2esyncError):
        # A key in the keyring opens nothing any more.
        forget(profile.protection)


async def _listen(connection: Connection, chain: Chain, member: int, wait: float) -> Removal | None:
    """The removal of this member, if somebody signs it within `wait` seconds."""
    with trio.move_on_after(wait), suppress(E2esyncError):
        while member in chain.members:
            push = await connection.next_push()
            if isinstance(push, RecordPush):
                chain = chain.extend(parse_record(push.record))
    return removal_of(chain) if member not in chain.members else None


def _rescue(profile: Profile, info: BookInfo, epoch: int, entropy: Entropy, now: int) -> None:
    """Seal a book to its person's kit, into the profile's folder; on the disk when this returns."""
    replica = Replica(profile.store.book(info.number))
    kit = _rescuer(profile, replica)
    header = RescueHeader(replica.set_id, replica.member, epoch, now, kit.verify_key)
    pieces = seal_rescue(header, kit.seal_key, contents(replica, info.name, info.relay), entropy)
    files.write_private_parts(profile.home / f"rescue-{replica.set_id[:4].hex()}-{epoch}.e2esync", pieces)


def _rescuer(profile: Profile, replica: Replica) -> Member:
    """The recovery member of this device's person, in the chain as it had entered it; else the root of the home set."""
    for each in (replica, Replica(profile.store.book(0))):
        kits = [member for _index, member in sorted(each.chain.members.items()) if not member.is_device]
        own = [member for member in kits if member.person == each.person]
        if own:
            return own[0]
    return kits[0]


def _info(profile: Profile, book: int) -> BookInfo:
    return next(info for info in profile.store.books() if info.number == book)


def _name(profile: Profile, book: int) -> str:
    return book_name(Replica(profile.store.book(book))) or _info(profile, book).name or "the book"


def _named(names: dict[int, str], member: int) -> str:
    return names.get(member) or f"device {member}"
