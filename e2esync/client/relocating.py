"""Relays that lost a book, and other relays for it, with trio (SPEC 14.10).

    await move(profile, url)        from any device; the others follow by themselves, or with the same command
    await reseed(profile)           what a sync does by itself where the relay was restored from a backup
"""

from __future__ import annotations

from collections.abc import Callable

from e2esync.client.connection import Connection
from e2esync.client.profile import Profile
from e2esync.client.sync import SYSTEM_ENTROPY, go_online, make_link, no_progress, now_ms, relay_url
from e2esync.crypto import Entropy
from e2esync.errors import ForkDetected, Refused, RollbackDetected, SessionError
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.reading import enter
from e2esync.procedures.seeding import seed_chain, seed_media, seed_state, show
from e2esync.procedures.sending import send
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.own_object import own_registers, write_own
from e2esync.stores.profile import BookInfo
from e2esync.wire import encode

POINTER = "settings/relay"
"""The register of the set's own object that says where a set has moved: `{"key": relay key, "url": address}`."""


async def move(profile: Profile, url: str, *, book: int = 0, relay_key: bytes | None = None,
               invitation: bytes = b"", entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> bool:
    """Take a book to the relay at an address; True if this device brought it there, False if it was there already.

    The relay that it is at is told if it answers honestly, so that the other devices follow by themselves. Without
    `relay_key` the key that the relay at the address shows is trusted at sight. Raises Unreachable, RightMissing.
    """
    replica = Replica(profile.store.book(book))
    with profile.sync_lock():
        visit = await Connection.as_visitor(url, relay_key, entropy)
        key = visit.relay_key
        try:
            if not await _arrive(replica, url, key, entropy, now):
                await _tell(profile, book, url, key, entropy, now)
                await visit.run(seed_chain(replica, invitation))
                await _bring(replica, url, key, entropy, now)
                brought = True
            else:
                brought = False
        finally:
            await visit.aclose()
        _note_relay(profile, book, url)
    return brought


async def reseed(profile: Profile, book: int = 0, *, entropy: Entropy = SYSTEM_ENTROPY,
                 now: Callable[[], int] = now_ms) -> bool:
    """Give the book's relay back what it has lost. False if it says, and can show, that nothing is missing."""
    replica, url = Replica(profile.store.book(book)), relay_url(profile, book)
    visit = await Connection.as_visitor(url, replica.chain.relay_key, entropy)
    try:
        try:
            waiting = await visit.run(show(replica))
        except Refused:
            # It never had the set, or has forgotten all of it: it takes the whole chain.
            waiting = True
        if waiting:
            await visit.run(seed_chain(replica))
    except Refused:
        return False
    finally:
        await visit.aclose()
    if waiting:
        await _bring(replica, url, replica.chain.relay_key, entropy, now)
    return waiting


def follow(profile: Profile, book: int = 0) -> bool:
    """After a record that names another relay: go there with the next sync, if the book says where it is."""
    replica = Replica(profile.store.book(book))
    pointer = own_registers(replica).get(POINTER)
    if not isinstance(pointer, dict) or pointer.get("key") != replica.chain.relay_key:
        return False
    url = pointer.get("url")
    if not isinstance(url, str):
        return False
    _note_relay(profile, book, url)
    return True


async def _arrive(replica: Replica, url: str, key: bytes, entropy: Entropy, now: Callable[[], int]) -> bool:
    """Enter the epoch in which the set is at the relay at an address; False if it is not there, or not beyond here."""
    try:
        connection = await Connection.as_member(url, replica.set_id, replica.member, replica.signing_key, key, entropy)
    except Refused:
        return False
    try:
        assert connection.head is not None
        if connection.head.epoch <= replica.position.epoch:
            return replica.chain.relay_key == key
        link = make_link(connection.head, no_progress, entropy, now)
        await connection.run(enter(replica, link))
        replica.store.put("incarnation", encode(connection.head.incarnation))
        return True
    finally:
        await connection.aclose()


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
    except (SessionError, ForkDetected, RollbackDetected):
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


def _note_relay(profile: Profile, book: int, url: str) -> None:
    for info in profile.store.books():
        if info.number == book:
            profile.store.put_book(BookInfo(info.number, info.set_id, info.name, url))
