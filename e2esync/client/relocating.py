"""Relays that lost a book, and other relays for it, with trio (SPEC 14.10).

    await move(profile, url)        from any device; the others follow by themselves, or with the same command
    await reseed(profile)           what a sync does by itself where the relay was restored from a backup
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from e2esync.client.connection import Connection
from e2esync.client.profile import HOME, Profile
from e2esync.client.sync import SYSTEM_ENTROPY, go_online, make_link, no_progress, now_ms, relay_url, sync_locked
from e2esync.crypto import Entropy
from e2esync.epoch.roles import RIGHTS
from e2esync.epoch.shape import ZERO_HASH
from e2esync.errors import (
    E2esyncError,
    ForkDetected,
    ProfileError,
    Refused,
    RollbackDetected,
    SessionError,
    SetDeleted,
)
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.reading import enter
from e2esync.procedures.seeding import seed_chain, seed_media, seed_state, show
from e2esync.procedures.sending import send
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.home import list_set, read_home
from e2esync.replica.own_object import own_registers, write_own
from e2esync.session.messages import Have, HaveAnswer
from e2esync.stores.profile import BookInfo
from e2esync.wire import encode

POINTER = "settings/relay"
"""The register of the set's own object that says where a set has moved: `{"key": relay key, "url": address}`."""


async def move(profile: Profile, url: str, *, book: int = 0, relay_key: bytes | None = None,
               invitation: bytes = b"", entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> bool:
    """Take a book to the relay at an address; True if this device brought it there, False if it was there already.

    The relay that it is at is told if it answers honestly, so that the other devices follow by themselves. Without
    `relay_key` the key that the relay at the address shows is trusted at sight. Raises Unreachable, ProfileError for
    who is no owner, and Refused where the relay there does not take it: nothing was changed then. What was broken off
    goes on when it is repeated.
    """
    replica = Replica(profile.store.book(book))
    with profile.sync_lock():
        visit = await Connection.as_visitor(url, relay_key, entropy)
        key = visit.relay_key
        try:
            brought = not await _arrive(replica, url, key, entropy, now)
            if brought:
                _check_right(replica, key)
                # First what the other relay may refuse: nobody is sent to where the set is not taken.
                start = replica.position.epoch + 1
                await visit.run(seed_chain(replica, invitation))
                await _tell(profile, book, url, key, entropy, now)
                await visit.run(seed_chain(replica, start=start))
                await _bring(replica, url, key, entropy, now)
        finally:
            await visit.aclose()
        _note_relay(profile, book, url, now)
        if book != HOME:
            # The person's other devices are told at home too, should they find nobody at the old address.
            with suppress(E2esyncError):
                await sync_locked(profile, HOME, entropy=entropy, now=now)
    return brought


async def reseed(profile: Profile, book: int = 0, *, entropy: Entropy = SYSTEM_ENTROPY,
                 now: Callable[[], int] = now_ms) -> bool:
    """Give the book's relay back what it has lost. False if it says, and can show, that nothing is missing.

    Raises Refused where it has lost all of it and does not take it back, as without an invitation.
    """
    replica, url = Replica(profile.store.book(book)), relay_url(profile, book)
    try:
        visit = await Connection.as_visitor(url, replica.chain.relay_key, entropy)
    except Refused:
        return False
    try:
        if not await _seed_again(visit, replica, url):
            return False
    finally:
        await visit.aclose()
    try:
        await _bring(replica, url, replica.chain.relay_key, entropy, now)
    except Refused:
        return False
    return True


async def _seed_again(visit: Connection, replica: Replica, url: str) -> bool:
    """The chain, where the relay's own signature says that it lacks something of it; whether it does."""
    try:
        if not await visit.run(show(replica)):
            return False
    except Refused:
        # It never had the set, or has forgotten all of it: it takes the whole chain.
        try:
            await visit.run(seed_chain(replica))
        except Refused as error:
            raise Refused(
                error.reason, f"the relay has lost this book, and does not take it back: {error.message}",
                f"ask who runs it for an invitation: `e2esync relay move {url} --invitation CODE`") from error
        return True
    try:
        await visit.run(seed_chain(replica))
    except Refused:
        return False
    return True


def follow(profile: Profile, book: int = 0, *, now: Callable[[], int] = now_ms) -> bool:
    """After a record that names another relay: go there with the next sync, if the book says where it is."""
    replica = Replica(profile.store.book(book))
    pointer = own_registers(replica).get(POINTER)
    if not isinstance(pointer, dict) or pointer.get("key") != replica.chain.relay_key:
        return False
    url = pointer.get("url")
    if not isinstance(url, str):
        return False
    _note_relay(profile, book, url, now)
    return True


async def follow_list(profile: Profile, book: int, url: str, *, entropy: Entropy = SYSTEM_ENTROPY,
                      now: Callable[[], int] = now_ms) -> bool:
    """Go where the home book says that a further one is, if it went on there (SPEC 14.10 step 4); whether it did.

    What cannot be reached there, or cannot show a newer record that names itself, changes nothing.
    """
    replica = Replica(profile.store.book(book))
    try:
        if not await _arrive(replica, url, None, entropy, now):
            return False
    except E2esyncError:
        return False
    _note_relay(profile, book, url, now)
    return True


def _check_right(replica: Replica, key: bytes) -> None:
    """Raises ProfileError for who may not name another relay (SPEC 9.4 step 1)."""
    me = replica.chain.members.get(replica.member)
    if key != replica.chain.relay_key and (me is None or not RIGHTS[me.role].governs):
        raise ProfileError("only an owner takes a book to another relay", "ask one of its owners")


async def _arrive(replica: Replica, url: str, key: bytes | None, entropy: Entropy, now: Callable[[], int]) -> bool:
    """Enter the epoch in which the set is at the relay at an address; False if it is not there, or not beyond here."""
    try:
        connection = await Connection.as_member(url, replica.set_id, replica.member, replica.signing_key, key, entropy)
    except Refused:
        return False
    try:
        assert connection.head is not None
        if connection.head.epoch < replica.position.epoch:
            return False
        if connection.head.epoch == replica.position.epoch:
            return replica.chain.relay_key == connection.relay_key and await _is_whole(connection, replica)
        link = make_link(connection.head, no_progress, entropy, now)
        await connection.run(enter(replica, link))
        if replica.chain.relay_key != connection.relay_key:
            return False
        replica.store.put("incarnation", encode(connection.head.incarnation))
        return True
    finally:
        await connection.aclose()


async def _is_whole(connection: Connection, replica: Replica) -> bool:
    """Whether the snapshot of the open epoch is there: a device may have died when it had brought the chain alone."""
    manifest = replica.chain.head.manifest
    if manifest == ZERO_HASH:
        return True
    return all((await connection.request(Have((manifest,)), HaveAnswer)).received)


async def _tell(profile: Profile, book: int, url: str, key: bytes, entropy: Entropy, now: Callable[[], int]) -> None:
    """Have the relay that the book is at close its log with the record that names the other; best effort.

    One that cannot be reached, or lies, is left without a word: its other devices are told by their owner.
    """
    replica = Replica(profile.store.book(book))
    if replica.chain.relay_key == key:
        return
    try:
        async with go_online(profile, book, progress=no_progress, entropy=entropy, now=now) as online:
            run, link = online.connection.run, online.link
            await run(sync_procedure(online.replica, link))
            write_own(online.replica, {POINTER: {"key": key, "url": url}}, now())
            await run(send(online.replica, link))
            await run(open_epoch(online.replica, link, lambda _replica: (), relay=key))
    except (SessionError, ForkDetected, RollbackDetected, SetDeleted):
        return


async def _bring(replica: Replica, url: str, key: bytes, entropy: Entropy, now: Callable[[], int]) -> None:
    """As a member: the whole snapshot, then photos, then everything else."""
    connection = await Connection.as_member(url, replica.set_id, replica.member, replica.signing_key, key, entropy)
    try:
        assert connection.head is not None
        link = make_link(connection.head, no_progress, entropy, now)
        named = replica.chain.relay_key
        await connection.run(seed_state(replica, link, b"" if named == key else key))
        await connection.run(announce(replica, link))
        await connection.run(seed_media(replica, link))
        await connection.run(send(replica, link))
    finally:
        await connection.aclose()


def _note_relay(profile: Profile, book: int, url: str, now: Callable[[], int]) -> None:
    """The address is this one from now on; of a further book the home book says so too."""
    with profile.store.transaction():
        for info in profile.store.books():
            if info.number == book:
                profile.store.put_book(BookInfo(info.number, info.set_id, info.name, url))
        if book != HOME:
            home = Replica(profile.store.book(HOME))
            listed = read_home(home).sets.get(Replica(profile.store.book(book)).set_id)
            if listed is not None and listed.relay != url:
                list_set(home, replace(listed, relay=url), now())
