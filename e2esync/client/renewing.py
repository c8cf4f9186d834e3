"""A person's further books after a move of the home set, with trio (SPEC 12.9 step 4): under the new kit, too.

The old kit is a member of every book that its person is in, so whoever finds it goes on reading there. Where it is a
recovery member, an owner's device replaces it. Where it is the root, nobody but itself can take it out: a book that
its person has alone moves to another set, and of one that is shared a person is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from e2esync.client.book import Book
from e2esync.client.books import create_book
from e2esync.client.carrying import leave_word, take_along
from e2esync.client.moving import ask_to_leave
from e2esync.client.profile import HOME, Profile
from e2esync.client.sync import SYSTEM_ENTROPY, go_online, no_progress, now_ms, sync
from e2esync.crypto import Entropy
from e2esync.epoch.record import Change, KitHalf, Remove
from e2esync.epoch.roles import KITS, Role
from e2esync.epoch.roster import Member
from e2esync.errors import E2esyncError, ProfileError
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.home import list_set, read_home
from e2esync.stores.profile import BookInfo


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of one further book."""

    book: int
    name: str
    problem: str = ""
    """Why the old kit is still in it; empty if it is not."""


async def renew_books(profile: Profile, *, invitations: Iterable[bytes] = (), entropy: Entropy = SYSTEM_ENTROPY,
                      now: Callable[[], int] = now_ms) -> list[Renewed]:
    """Take the old kit out of every further book, as far as this device may; books with the new one are left out.

    `invitations` are the relay operator's, one for each book that moves. Can be run again for what could not be
    reached. Raises nothing that one book alone is about.
    """
    done, waiting = [], iter(invitations)
    for info in profile.store.books():
        if info.number != HOME and profile.store.book(info.number).get("identity") is not None:
            try:
                if await _renew(profile, info, waiting, entropy, now):
                    done.append(Renewed(info.number, info.name))
            except E2esyncError as error:
                done.append(Renewed(info.number, info.name, error.message))
    return done


async def _renew(profile: Profile, info: BookInfo, invitations: Iterator[bytes], entropy: Entropy,
                 now: Callable[[], int]) -> bool:
    """Whether anything had to be done for one book. Raises ProfileError for what this device must not do."""
    home, replica = Replica(profile.store.book(HOME)), Replica(profile.store.book(info.number))
    listed = read_home(home)
    further = listed.sets.get(replica.set_id)
    old = _old_kit(replica, {half.verify_key for half in listed.kit.values()})
    if old is None or further is None or further.left:
        return False
    await sync(profile, info.number, entropy=entropy, now=now)
    if old.role is Role.ROOT:
        if any(member.person != replica.person for member in replica.chain.members.values()):
            raise ProfileError("it is shared, and the old kit is its root: make another book, and invite the others "
                               "there")
        await _move(profile, info, invitations, entropy, now)
        return True
    if replica.chain.members[replica.member].role is not Role.OWNER:
        raise ProfileError("only its owners could replace your kit there: leave it, and have them invite you again")
    await _replace(profile, info.number, old, listed.kit[further.kit], entropy, now)
    return True


def _old_kit(replica: Replica, new: set[bytes]) -> Member | None:
    """The recovery member of this person that is not of the new kit; None where the new one has its place."""
    kits = [member for member in replica.chain.members.values()
            if member.role in KITS and member.person == replica.person and member.verify_key not in new]
    return kits[0] if kits else None


async def _replace(profile: Profile, book: int, old: Member, half: KitHalf, entropy: Entropy, now: Callable[[], int],
                   ) -> None:
    """Put the new kit's public half in the place of the old recovery member (SPEC 12.8)."""
    def wish(current: Replica) -> tuple[Change, ...] | None:
        if old.index not in current.chain.members:
            return None
        add = () if half.verify_key in current.chain.used_keys else (half.add(old.person, old.role),)
        return *add, Remove(old.index)

    with profile.sync_lock():
        async with go_online(profile, book, progress=no_progress, entropy=entropy, now=now) as online:
            run = online.connection.run
            await run(sync_procedure(online.replica, online.link))
            await run(open_epoch(online.replica, online.link, wish))
            await run(announce(online.replica, online.link))


async def _move(profile: Profile, info: BookInfo, invitations: Iterator[bytes], entropy: Entropy,
                now: Callable[[], int]) -> None:
    """Move a book that nobody else is in to another set, and give that its number.

    Where an attempt was broken off, the next one goes on with the set that it had made.
    """
    store = profile.store
    old = Book(profile, info.number, entropy=entropy, now=now)
    if old.store.missing_media():
        raise ProfileError("some of its photos are not on this device yet: sync, then run this again")
    mark = f"moving-{info.set_id.hex()}"
    made = [each for each in store.books() if each.set_id == store.setting(mark)]
    there = made[0] if made else await create_book(
        profile, info.name, info.relay, invitation=next(invitations, b""), entropy=entropy, now=now)
    store.put_setting(mark, there.set_id)
    new = Book(profile, there.number, entropy=entropy, now=now)
    take_along(old, new, now)
    await sync(profile, there.number, entropy=entropy, now=now)
    leave_word(old, new, info.relay, now)
    await sync(profile, info.number, entropy=entropy, now=now)
    home = Replica(store.book(HOME))
    list_set(home, replace(read_home(home).sets[info.set_id], left=True), now())
    await sync(profile, HOME, entropy=entropy, now=now)
    await ask_to_leave(profile, info.number, entropy, now)
    store.renumber_book(there.number, info.number)
    store.drop_setting(mark)
    store.purge()
