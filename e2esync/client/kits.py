"""Replacing a recovery kit, with trio (SPEC 12.8): another seed takes its place in every set of the person.

The root is replaced by nobody but itself, so that takes the old kit. Without it an owner's device replaces recovery
members of its own person; a set whose root is lost is left by a move (`rehome`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from e2esync.access.kit import RecoveryKit, key_number
from e2esync.client.profile import Profile
from e2esync.client.recovery import open_place
from e2esync.client.sync import SYSTEM_ENTROPY, go_online, no_progress, now_ms, relay_url
from e2esync.crypto import Entropy
from e2esync.epoch.roles import KITS, Role
from e2esync.epoch.roster import Member
from e2esync.errors import E2esyncError, RightMissing
from e2esync.limits import KIT_HALVES
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.recovering import KitKeys, succession
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.home import keep_halves, read_home
from e2esync.replica.own_object import book_name


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of the kit in one book."""

    book: int
    name: str
    done: bool
    root: bool
    problem: str = ""


async def replace_kit(profile: Profile, old: RecoveryKit | None, new: RecoveryKit, *, entropy: Entropy = SYSTEM_ENTROPY,
                      now: Callable[[], int] = now_ms) -> list[Replaced]:
    """Put `new` in the place of the person's kit in every book of the profile; `old` is that kit, if it is at hand.

    Can be run again for what could not be reached. Raises nothing that one book alone is about.
    """
    books = [info.number for info in profile.store.books() if profile.store.book(info.number).get("identity")]
    done = [await _replace(profile, number, old, new, entropy, now) for number in books]
    if any(each.done and each.book == 0 for each in done):
        home = Replica(profile.store.book(0))
        keep_halves(home, {number: new.half(number) for number in range(KIT_HALVES)}, now(), entropy)
        await _step(profile, 0, entropy, now)
    return done


async def _replace(profile: Profile, book: int, old: RecoveryKit | None, new: RecoveryKit, entropy: Entropy,
                   now: Callable[[], int]) -> Replaced:
    name = book_name(Replica(profile.store.book(book))) or f"book {book}"
    root = False
    try:
        await _step(profile, book, entropy, now)
        replica = Replica(profile.store.book(book))
        if own_kits(replica, new):
            return Replaced(book, name, True, False)
        (member,) = own_kits(replica, old) or _of_person(profile, replica)
        root = member.role is Role.ROOT
        if old is not None and (number := key_number(old, member.verify_key)) is not None:
            signing, sealing = old.signing_key(number), old.sealing_key(number)
            keys = KitKeys(replica.set_id, member.index, signing, sealing, number)
            await _by_kit(profile, book, keys, new, entropy, now)
        elif not root:
            await _by_device(profile, book, member, new, entropy, now)
        else:
            raise RightMissing("only the old kit itself can give way as the root of a book")
        # Nobody writes in an epoch whose opener left it: this device opens the next one.
        await _step(profile, book, entropy, now)
    except E2esyncError as error:
        return Replaced(book, name, False, root, error.message)
    return Replaced(book, name, True, root)


def own_kits(replica: Replica, kit: RecoveryKit | None) -> list[Member]:
    """The recovery members of a book whose keys are of this kit."""
    if kit is None:
        return []
    keys = {kit.signing_key(number).verify_key for number in range(KIT_HALVES)}
    return [member for member in replica.chain.members.values() if member.verify_key in keys]


def _of_person(profile: Profile, replica: Replica) -> list[Member]:
    """The recovery member of this device's person: by person and, of several, by the halves that the home set lists."""
    kits = [member for member in replica.chain.members.values()
            if member.role in KITS and member.person == replica.person]
    halves = {half.verify_key for half in read_home(Replica(profile.store.book(0))).kit.values()}
    known = [member for member in kits if member.verify_key in halves] or kits
    if not known:
        raise RightMissing("this person has no recovery kit in the book")
    return known[:1]


async def _by_kit(profile: Profile, book: int, keys: KitKeys, new: RecoveryKit, entropy: Entropy,
                  now: Callable[[], int]) -> None:
    chain = Replica(profile.store.book(book)).chain
    url = relay_url(profile, book)
    async with open_place(keys, url, relay_key=chain.relay_key, entropy=entropy, now=now) as rescue:
        await rescue.give_way(new.signing_key(keys.number), new.sealing_key(keys.number))


async def _by_device(profile: Profile, book: int, member: Member, new: RecoveryKit, entropy: Entropy,
                     now: Callable[[], int]) -> None:
    listed = read_home(Replica(profile.store.book(0))).sets.get(Replica(profile.store.book(book)).set_id)
    number = listed.kit if listed is not None else 0
    wish = succession(member.index, new.signing_key(number), new.sealing_key(number))
    with profile.sync_lock():
        async with go_online(profile, book, progress=no_progress, entropy=entropy, now=now) as online:
            await online.connection.run(sync_procedure(online.replica, online.link))
            await online.connection.run(open_epoch(online.replica, online.link, wish))
            await online.connection.run(announce(online.replica, online.link))


async def _step(profile: Profile, book: int, entropy: Entropy, now: Callable[[], int]) -> None:
    """One sync of a book."""
    with profile.sync_lock():
        async with go_online(profile, book, progress=no_progress, entropy=entropy, now=now) as online:
            await online.connection.run(sync_procedure(online.replica, online.link))
