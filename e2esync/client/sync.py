"""Sync with the relay, with trio: the procedures of SPEC 14 over a connection, for one book of a profile.

    await sync(profile)                        once
    await create_set(profile, url, …)          the beginning of everything

`watching` is the same until cancelled.

Local data and unsent edits are never at risk here: whatever is raised, the book is as it was and the outbox waits.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from e2esync.access.kit import RecoveryKit
from e2esync.client.connection import Connection
from e2esync.client.endings import set_deleted
from e2esync.client.entropy import SystemEntropy
from e2esync.client.naming import tell, with_names
from e2esync.client.profile import Profile
from e2esync.client.settings import ROTATE_AFTER, ROTATE_EVERY, get_number
from e2esync.crypto import Entropy
from e2esync.epoch.record import parse_record
from e2esync.errors import (
    CryptoError,
    Detection,
    DeviceRemoved,
    E2esyncError,
    ObjectError,
    ProfileExists,
    Refused,
    RelayRestored,
    RemoteProtocolError,
    Unreachable,
    WireError,
)
from e2esync.limits import KIT_HALVES
from e2esync.log.head import Head
from e2esync.procedures.deleting import read_deletion
from e2esync.procedures.founding import create
from e2esync.procedures.leaving import read_removal
from e2esync.procedures.steps import Link
from e2esync.procedures.syncing import Synced
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.deletion import Deleting, deletion_of, hear_word, served_again
from e2esync.replica.founding import found
from e2esync.replica.home import keep_halves
from e2esync.replica.leaving import Removal
from e2esync.replica.own_object import device_names, name_book, name_device
from e2esync.replica.port import HELD
from e2esync.session.messages import Inspect, Inspected
from e2esync.stores.profile import BookInfo
from e2esync.wire import encode

Progress = Callable[[str, int, int], None]
SYSTEM_ENTROPY = SystemEntropy()
BROKEN_OFF = "nothing of yours is lost; if this goes on, take the book elsewhere: `e2esync relay move URL`"
"""What to do about a relay that serves what it must not."""


def now_ms() -> int:
    """The wall clock, in milliseconds."""
    return time.time_ns() // 1_000_000


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one sync did."""

    received: int
    """Envelopes folded."""
    sent: int
    """Entries that the relay has taken."""
    opened: bool
    """Whether an epoch was opened to compact the log."""
    media: int
    """Photos fetched."""
    bytes_sent: int
    bytes_received: int
    """Bytes on the wire, handshake and framing included."""
    notices: tuple[Detection, ...]
    """What was detected and did not stop the sync."""
    left: tuple[str, ...] = ()
    """Devices that asked to leave and that this one has removed: the door is closed behind them."""
    held: int = 0
    """Contacts that others deleted or overwrote by the hundred: shown as they were until a person decides."""
    deleting: Deleting | None = None
    """That the book is to be deleted at the relay: by whom and when."""


@dataclass(frozen=True, slots=True)
class Online:
    """A replica that is connected as a member."""

    connection: Connection
    replica: Replica
    link: Link

    @property
    def moved(self) -> bool:
        """Whether the newest record that was entered names another relay than the one on this line."""
        return self.replica.chain.relay_key != self.connection.relay_key


async def sync(profile: Profile, book: int = 0, *, progress: Progress = no_progress,
               entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> SyncResult:
    """Bring a book and its relay to the same state, once.

    Raises ProfileBusy if another process is at it, Unreachable, DeviceRemoved, or a Detection.
    """
    with profile.sync_lock():
        return await sync_locked(profile, book, progress=progress, entropy=entropy, now=now)


async def sync_locked(profile: Profile, book: int, *, progress: Progress = no_progress,
                      entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms,
                      then: Callable[[Online], Awaitable[None]] | None = None) -> SyncResult:
    """`sync` by a caller who holds the lock; `then` is what it has to do besides while it is connected."""
    said: list[Detection] = []
    while True:
        try:
            result, moved = await _sync_once(profile, book, progress, entropy, now, said, then)
        except (RelayRestored, DeviceRemoved) as error:
            if said or not await give_back(profile, book, error, entropy, now):
                raise
            said.append(came_back(error))
            continue
        if not moved or not _follow(profile, book, now):
            return result


async def _sync_once(profile: Profile, book: int, progress: Progress, entropy: Entropy, now: Callable[[], int],
                     said: list[Detection], then: Callable[[Online], Awaitable[None]] | None,
                     ) -> tuple[SyncResult, bool]:
    """One sync with the relay that the book is at; and whether it is at another one by now."""
    async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
        epoch = online.replica.position.epoch
        # What was found on the way here is kept with the rest (SPEC 14.6).
        online.link.notices += said
        try:
            done = await online.connection.run(sync_procedure(online.replica, online.link))
            hear_deletion(online)
            if then is not None and not online.moved:
                await then(online)
        except Refused:
            # In the middle of something it entered an epoch of another relay: what is left to do is to be done there.
            if not online.moved:
                raise
            done = Synced(0, 0, False, 0)
        except Detection as detection:
            tell(online.replica, [detection])
            raise
        except (CryptoError, ObjectError, WireError, RemoteProtocolError) as error:
            # Something that the relay serves is not what it must be: that is said until a sync comes to its end.
            error.hint = error.hint or BROKEN_OFF
            told = with_names(online.replica, error.message)
            profile.store.book(book).put("notices", encode([
                f"the last sync was broken off: {told} ({error.code}; {error.hint})"]))
            raise
        tell(online.replica, online.link.notices)
        forget_secrets(profile, online.replica, epoch)
        profile.store.book(book).drop("notices")
        wire = online.connection.transport
        return SyncResult(
            done.received, done.sent, done.opened, done.media, getattr(wire, "sent", 0),
            getattr(wire, "received", 0), tuple(online.link.notices), _closed_behind(online.replica, epoch),
            len(online.replica.store.kept_keys(HELD)), deletion_of(online.replica, now()),
        ), online.moved


async def give_back(profile: Profile, book: int, error: E2esyncError, entropy: Entropy, now: Callable[[], int],
                      ) -> bool:
    """Whether the relay had lost something, which it has again by now (SPEC 14.10).

    Raises Unreachable, and Refused where it has lost the whole book and does not take it without an invitation.
    """
    from e2esync.client.relocating import reseed

    if isinstance(error, DeviceRemoved) and error.removal is not None:
        # A record has removed this device: there is nothing left here to give back.
        return False
    try:
        return await reseed(profile, book, entropy=entropy, now=now)
    except Detection:
        return False


def came_back(error: RelayRestored | DeviceRemoved) -> RelayRestored:
    """What to say of a relay that was given back what it had lost."""
    return error if isinstance(error, RelayRestored) else RelayRestored(
        "the relay came back from a backup, or lost its data, and did not know this device any more",
        "there is nothing for you to do: this device has given it back what it lost")


def _follow(profile: Profile, book: int, now: Callable[[], int]) -> bool:
    from e2esync.client.relocating import follow

    return follow(profile, book, now=now)


async def create_set(profile: Profile, relay_url: str, device_name: str, kit: RecoveryKit, *,
                     book_name: str = "Contacts", book: int = 0, invitation: bytes = b"",
                     entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> Replica:
    """Make a person's home set at a relay, whose root is the kit and whose first device is this one (SPEC 9.1).

    The relay's key is trusted at sight and named in record 0 from then on. Raises Unreachable or Refused, and then
    leaves the profile as it was.
    """
    store = profile.store.book(book)
    if store.get("identity") is not None:
        raise ProfileExists("this profile is in a contact set already")
    visit = await Connection.as_visitor(relay_url, None, entropy)
    try:
        # One transaction over the network too: a profile that is killed here is as it was, and `init` begins anew.
        with profile.store.transaction():
            founding = found(store, kit.signing_key(0), kit.sealing_key(0), visit.relay_key, now(), entropy)
            replica = Replica(store)
            profile.store.put_book(BookInfo(book, founding.set_id, book_name, relay_url))
            keep_halves(replica, {number: kit.half(number) for number in range(KIT_HALVES)}, now(), entropy)
            name_book(replica, book_name, now())
            name_device(replica, replica.member, device_name, now())
            await visit.run(create(founding, invitation))
    finally:
        await visit.aclose()
    return replica


async def inspect(profile: Profile, book: int = 0, *, entropy: Entropy = SYSTEM_ENTROPY) -> dict[str, int]:
    """What the relay holds on this book: counts and sizes (SPEC 13.9)."""
    async with go_online(profile, book, entropy=entropy) as online:
        return (await online.connection.request(Inspect(), Inspected)).counts


@asynccontextmanager
async def go_online(profile: Profile, book: int = 0, *, progress: Progress = no_progress,
                    entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> AsyncIterator[Online]:
    """A connection to the book's relay as its member, for as long as the block lasts.

    Where a record says that this device was removed, its copy is erased or sealed (SPEC 14.12); where only the relay
    says so, nothing happens to it. DeviceRemoved in both cases. SetDeleted where the relay proves that the book was to
    be deleted, and nothing happens to the copy either.
    """
    try:
        async with _online(profile, book, progress, entropy, now) as online:
            yield online
    except DeviceRemoved as error:
        if isinstance(error.removal, Removal):
            from e2esync.client.leaving import shut_out

            raise shut_out(profile, book, error.removal, entropy=entropy, now=now) from error
        profile.store.book(book).put("notices", encode([error.message]))
        raise


@asynccontextmanager
async def _online(profile: Profile, book: int, progress: Progress, entropy: Entropy, now: Callable[[], int],
                  ) -> AsyncIterator[Online]:
    replica = Replica(profile.store.book(book))
    connection = await connect_replica(replica, relay_url(profile, book), entropy, now)
    try:
        assert connection.head is not None
        link = make_link(connection.head, progress, entropy, now)
        link.rotate_every = get_number(profile.store, ROTATE_EVERY)
        link.rotate_after = get_number(profile.store, ROTATE_AFTER)
        yield Online(connection, replica, link)
    finally:
        await connection.aclose()


async def connect_replica(replica: Replica, url: str, entropy: Entropy, now: Callable[[], int] = now_ms) -> Connection:
    """A member's connection. Raises DeviceRemoved: with the proof for a member that a record has removed, and without
    one where the relay does not know it; SetDeleted, with the proof, or DeletionInvalid without one."""
    try:
        connection = await Connection.as_member(
            url, replica.set_id, replica.member, replica.signing_key, replica.chain.relay_key, entropy, former=True,
        )
    except Refused as error:
        if error.reason == "NotMember":
            raise DeviceRemoved("the relay does not know this device as a member of the book",
                                "it was removed, or the relay lost its data: `e2esync sync` gives back what was lost",
                                ) from error
        raise
    if connection.removed is not None:
        try:
            await connection.run(read_removal(replica))
        finally:
            await connection.aclose()
    if connection.deleted:
        try:
            deleting = await connection.run(read_deletion(replica, connection.deleted, now()))
        finally:
            await connection.aclose()
        raise set_deleted(deleting, connection.deleted)
    return connection


def hear_deletion(online: Online) -> None:
    """What the relay has told of a deletion, now that this device is in the newest epoch."""
    if online.moved:
        # The set has moved: what is said of it there is for that relay to tell.
        return
    served_again(online.replica)
    if online.connection.word:
        hear_word(online.replica, online.connection.word)


def make_link(head: Head, progress: Progress, entropy: Entropy, now: Callable[[], int]) -> Link:
    """What procedures need from above the I/O line."""
    return Link(head, entropy, now, progress)


def relay_url(profile: Profile, book: int) -> str:
    """The address of a book's relay."""
    for info in profile.store.books():
        if info.number == book:
            return info.relay
    raise Unreachable("this book has no relay", "`e2esync init --relay URL` makes one with a relay")


def forget_secrets(profile: Profile, replica: Replica, before: int) -> None:
    """After an epoch change: what was erased leaves the write-ahead log too (SPEC 14.2 step 7)."""
    if replica.position.epoch != before:
        profile.store.settle()
        profile.store.purge()


def _closed_behind(replica: Replica, before: int) -> tuple[str, ...]:
    """The devices that this one has removed since an epoch: only on their own request does a sync do that."""
    records = (parse_record(raw) for raw in replica.store.records()[before + 1:])
    # A person's kit goes with its devices, and is not one.
    gone = [member for record in records if record.opener == replica.member for member in sorted(record.removes)
            if replica.chain.all_members[member].is_device]
    names = device_names(replica) if gone else {}
    return tuple(names.get(member) or f"device {member}" for member in gone)
