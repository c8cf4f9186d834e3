"""Further books, and sharing them with other people, with trio (SPEC 12.3, 12.4, 14.5).

    await create_book(profile, "Family")                           a set of its own, whose root is the kit
    await share(profile, book, Role.WRITER, …)                     on the device of somebody who is in
    await accept(profile, code, …)                                 on the device of somebody who is invited
    await unshare(profile, book, person) · await leave(profile, book)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from e2esync.access.code import PairingCode, Purpose
from e2esync.access.messages import Guest, Inviter
from e2esync.access.pairing import Joiner, Offer
from e2esync.client.book import Book
from e2esync.client.connection import Connection
from e2esync.client.importing import Planned, carry_out
from e2esync.client.pairing import (
    Sponsorship,
    arrive_as,
    converse,
    offer_of,
    read_code,
    sponsor_newcomer,
)
from e2esync.client.profile import HOME, Profile
from e2esync.client.sync import (
    SYSTEM_ENTROPY,
    Progress,
    go_online,
    make_link,
    no_progress,
    now_ms,
    relay_url,
    sync_locked,
)
from e2esync.client.together import free_number, numbers_of
from e2esync.crypto import Entropy, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import Change, KitHalf, Remove
from e2esync.epoch.roles import RIGHTS, Role
from e2esync.epoch.roster import Member
from e2esync.errors import DeviceRemoved, NotFound, ProfileError, ProfileExists
from e2esync.limits import CHANGES_MAX, KEY, PERSON
from e2esync.procedures.founding import create, hand_over
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.recovering import KitKeys, read_as_kit
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.procedures.together import attend
from e2esync.replica.core import Replica
from e2esync.replica.founding import ROOT, found
from e2esync.replica.history import Step
from e2esync.replica.home import list_set, read_home
from e2esync.replica.moving import moved_contacts
from e2esync.replica.own_object import book_name, device_names, name_book, name_device, name_person, people_names
from e2esync.replica.together import register
from e2esync.stores.profile import BookInfo, ProfileStore


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is in a book."""

    tag: bytes
    name: str
    """As the person chose it; empty where nobody has said it."""
    role: str
    """The highest of its devices; `recovery` if none is left."""
    members: tuple[int, ...]
    devices: int
    this: bool


def people(replica: Replica) -> list[Person]:
    """Who is in a book, in the order in which they came."""
    names = people_names(replica)
    tags: dict[bytes, list[Member]] = {}
    for member in sorted(replica.chain.members.values(), key=lambda each: each.index):
        tags.setdefault(member.person, []).append(member)
    return [
        Person(tag, names.get(tag, ""), _highest(members).name.lower(), tuple(m.index for m in members),
               sum(m.is_device for m in members), tag == replica.person)
        for tag, members in tags.items()
    ]


def _highest(members: list[Member]) -> Role:
    return max((member.role for member in members if member.is_device), default=Role.RECOVERY)


async def create_book(profile: Profile, name: str, relay: str | None = None, *, invitation: bytes = b"",
                      progress: Progress = no_progress, entropy: Entropy = SYSTEM_ENTROPY,
                      now: Callable[[], int] = now_ms) -> BookInfo:
    """Make a further book at a relay (default: that of the home book), whose root is this person's kit (SPEC 12.4).

    The kit is not needed: its public halves are in the home book. `invitation` is the relay's operator's, where he asks
    for one. Raises ProfileError where no half is left, Unreachable or Refused; the profile is then as it was.
    """
    with profile.sync_lock():
        home = Replica(profile.store.book(HOME))
        kit, half = _free_half(home)
        url = relay or relay_url(profile, HOME)
        root, sealing = SigningKey(entropy.draw("signing key", KEY)), SealingKey.generate(entropy)
        number = free_number(profile)
        # One transaction over the network too: a profile that is killed here is as it was.
        with profile.store.transaction():
            replica = await _found(profile, number, url, root, sealing, half, invitation, progress, entropy, now)
            info = BookInfo(number, replica.set_id, name, url)
            profile.store.put_book(info)
            name_book(replica, name, now())
            own = device_names(home).get(home.member)
            if own:
                name_device(replica, replica.member, own, now())
            register(home, replica, url, now(), kit)
        # In epoch 1 nobody can write: the first sync opens the next, and the home book tells the other devices.
        await sync_locked(profile, number, progress=progress, entropy=entropy, now=now)
        await sync_locked(profile, HOME, progress=progress, entropy=entropy, now=now)
    return info


async def _found(profile: Profile, number: int, url: str, root: SigningKey, sealing: SealingKey, half: KitHalf,
                 invitation: bytes, progress: Progress, entropy: Entropy, now: Callable[[], int]) -> Replica:
    """Records 0 and 1: the one-time root begins the set, makes the kit its successor, and is forgotten."""
    visit = await Connection.as_visitor(url, None, entropy)
    try:
        founding = found(profile.store.book(number), root, sealing, visit.relay_key, now(), entropy)
        await visit.run(create(founding, invitation))
    finally:
        await visit.aclose()
    connection = await Connection.as_member(url, founding.set_id, ROOT, root, visit.relay_key, entropy)
    memory = ProfileStore.memory()
    try:
        assert connection.head is not None
        link = make_link(connection.head, progress, entropy, now)
        keys = KitKeys(founding.set_id, ROOT, root, sealing)
        as_root = await connection.run(read_as_kit(memory.book(0), link, keys))
        await connection.run(hand_over(as_root, link, half))
    finally:
        await connection.aclose()
        memory.close()
    return Replica(profile.store.book(number))


async def move_to_book(profile: Profile, name: str, *, invitation: bytes = b"", progress: Progress = no_progress,
                       entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> tuple[BookInfo, int]:
    """Make a book and move all contacts of the home book there, with photos and origins, so that it can be shared.

    In each of the two it is one step, which `undo` takes back. Returns the book, and how many contacts moved. Raises
    ProfileError while photos are not here yet, and what `create_book` raises; nothing was moved then.
    """
    old = Book(profile, HOME, entropy=entropy, now=now)
    if old.store.missing_media():
        raise ProfileError("some photos of your own book are not on this device yet", "sync first, then try again")
    info = await create_book(profile, name, invitation=invitation, progress=progress, entropy=entropy, now=now)
    new = Book(profile, info.number, entropy=entropy, now=now)
    planned = [Planned(each.contact, "", each.registers, each.media)
               for each in moved_contacts(old.store, old.set_id, new.set_id)]
    gone = [row.contact for row in old.list()]
    with profile.store.transaction():
        with new.step(Step("move", now())):
            carry_out(new, planned)
        with old.step(Step("move", now())):
            old.remove(gone)
    with profile.sync_lock():
        # First where they go to: what fails in between leaves them in both, and loses none.
        for number in (info.number, HOME):
            await sync_locked(profile, number, progress=progress, entropy=entropy, now=now)
    return info, len(planned)


async def share(profile: Profile, book: int, role: Role, own_name: str, *, show_code: Callable[[PairingCode], None],
                ask_words: Callable[[str, str], Awaitable[str]] | None, progress: Progress = no_progress,
                entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> tuple[bytes, str]:
    """Invite another person (SPEC 12.3): (the person, its name). `own_name` is what the guest is told.

    Raises ProfileError for the home book and for who is no owner, PairingAborted; nobody was added then.
    """
    if book == HOME:
        raise ProfileError("the home book is never shared", "move its contacts to a book of their own: "
                           "`e2esync share 0 --as NAME`")
    person = entropy.draw("person", PERSON)

    def offer(replica: Replica) -> Offer:
        check_owner(replica)
        if people_names(replica).get(replica.person) != own_name:
            name_person(replica, replica.person, own_name, now())
        inviter = Inviter(replica.signing_key.verify_key, own_name, book_name(replica) or "(no name)")
        return offer_of(replica, person, role, inviter)

    check_owner(Replica(profile.store.book(book)))
    how = Sponsorship(Purpose.INVITATION, offer, show_code, ask_words)
    _index, added = await sponsor_newcomer(profile, book, how, progress, entropy, now)
    assert added.guest is not None
    return person, added.guest.name


async def accept(profile: Profile, code_text: str, own_name: str, device_name: str, *,
                 decide: Callable[[Offer], Awaitable[bool]], show_words: Callable[[tuple[str, ...]], None],
                 relay: str | None = None, progress: Progress = no_progress, entropy: Entropy = SYSTEM_ENTROPY,
                 now: Callable[[], int] = now_ms) -> BookInfo:
    """Take an invitation (SPEC 12.3): the book is here when it returns, and this person's other devices follow.

    `decide` is shown who invites to what. Raises BadCode before the network is used, PairingAborted for a refusal or
    a failure; the profile is then as it was.
    """
    code, url = read_code(code_text, Purpose.INVITATION, relay)
    with profile.sync_lock():
        home = Replica(profile.store.book(HOME))
        _number, half = _free_half(home)
        signing, sealing = SigningKey(entropy.draw("signing key", KEY)), SealingKey.generate(entropy)

        async def decide_here(offer: Offer) -> bool:
            await _make_room(profile, offer.set_id, progress, entropy, now)
            return await decide(offer)

        joiner = Joiner(code, signing, sealing, device_name, entropy, Guest(own_name, half))
        joined = await converse(joiner, url, code, show_words, entropy, decide_here)
        number = free_number(profile)
        try:
            replica = await arrive_as(profile, number, url, joined, signing, sealing, progress, entropy, now)
        except BaseException:
            profile.store.delete_book(number)
            raise
        info = BookInfo(number, joined.set_id, book_name(replica), url)
        with profile.store.transaction():
            profile.store.put_book(info)
            register(home, replica, url, now())
        await sync_locked(profile, HOME, progress=progress, entropy=entropy, now=now)
    return info


async def _make_room(profile: Profile, set_id: bytes, progress: Progress, entropy: Entropy, now: Callable[[], int],
                     ) -> None:
    """See that a book which is here already is one that this device was shut out of (SPEC 14.12).

    The sync that reads so seals what it had not sent, for `recover --add-rescue` in the book that comes. Raises
    ProfileExists where this person is in it, and what keeps a sync from telling.
    """
    number = numbers_of(profile).get(set_id)
    if number is None:
        return
    try:
        await sync_locked(profile, number, progress=progress, entropy=entropy, now=now)
    except DeviceRemoved as error:
        if error.removal is None:
            raise
    else:
        raise ProfileExists("you are in this book already", "nothing was changed")


async def unshare(profile: Profile, book: int, person: bytes, *, progress: Progress = no_progress,
                  entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> int:
    """Remove a person from a book, with all its devices and its kit; returns how many members that were.

    Raises NotFound for who is not in the book, ProfileError for oneself and where one is no owner, RightMissing for
    whose kit is the root: whoever made a book cannot be removed from it.
    """
    def theirs(replica: Replica) -> list[int]:
        return [m.index for m in replica.chain.members.values() if m.person == person]

    def wish(replica: Replica) -> tuple[Change, ...] | None:
        return tuple(Remove(member) for member in theirs(replica)[:CHANGES_MAX]) or None

    with profile.sync_lock():
        async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
            replica, link, run = online.replica, online.link, online.connection.run
            await run(sync_procedure(replica, link))
            count = len(theirs(replica))
            if not count:
                raise NotFound("that person is not in the book")
            if person == replica.person:
                raise ProfileError("nobody can shut out themselves", "to go, use `e2esync leave`")
            check_owner(replica)
            while theirs(replica):
                await run(open_epoch(replica, link, wish))
            await run(announce(replica, link))
    return count


async def leave(profile: Profile, book: int, *, progress: Progress = no_progress, entropy: Entropy = SYSTEM_ENTROPY,
                now: Callable[[], int] = now_ms) -> None:
    """Leave a book with all of one's devices: ask to be removed, in it; tell one's other devices, at home.

    Nobody can make the secret that shuts it out: the book stays here until an owner's device has synced. Raises
    ProfileError for the home book, and where no other person could close the door.
    """
    if book == HOME:
        raise ProfileError("nobody leaves the home book", "to take this device out of it, use `e2esync retire`")
    with profile.sync_lock():
        home = Replica(profile.store.book(HOME))
        async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
            replica, link, run = online.replica, online.link, online.connection.run
            await run(sync_procedure(replica, link))
            others = (m for m in replica.chain.members.values() if m.person != replica.person)
            if not any(m.role is Role.OWNER for m in others):
                raise ProfileError("nobody else in this book is an owner, so nobody could let you go",
                                   "invite somebody as an owner first")
            register(home, replica, relay_url(profile, book), now())
            list_set(home, replace(read_home(home).sets[replica.set_id], left=True), now())
            await run(attend(home, replica, link, relay_url(profile, book)))
        await sync_locked(profile, HOME, progress=progress, entropy=entropy, now=now)


def check_owner(replica: Replica) -> None:
    """Raises ProfileError for who may not add or remove other people (SPEC 9.4 step 3)."""
    me = replica.chain.members.get(replica.member)
    if me is None or not RIGHTS[me.role].everybody:
        raise ProfileError("only an owner of a book decides who is in it", "ask one of its owners")


def _free_half(home: Replica) -> tuple[int, KitHalf]:
    found_half = read_home(home).free_half()
    if found_half is None:
        raise ProfileError("every key that the recovery kit has for further books is used up",
                           "`e2esync kit replace` makes a kit with new ones")
    return found_half
