"""Recovery from the kit, with trio (SPEC 12.6, 12.7): words and a relay's address are enough.

    async with open_kit(kit, url) as rescue:       reads the book; nothing is changed yet
        rescue.devices()                           whom it could remove
        past = await rescue.past(at)               the book as it was
        await rescue.restore(profile, name, remove={2}, past=past)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass

from e2esync.access.kit import RecoveryKit
from e2esync.client.connection import Connection
from e2esync.client.endings import set_deleted
from e2esync.client.profile import Profile
from e2esync.client.sync import SYSTEM_ENTROPY, Progress, make_link, no_progress, now_ms
from e2esync.crypto import Entropy, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.errors import HandshakeFailed, ProfileExists, Refused
from e2esync.limits import KEY
from e2esync.procedures.deleting import read_deletion_as_kit
from e2esync.procedures.founding import arrive
from e2esync.procedures.past import Retained, list_retained, read_past
from e2esync.procedures.recovering import KitKeys, add_by_kit, find_keys, kit_keys, read_as_kit, succeed
from e2esync.procedures.steps import Link
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.own_object import book_name, device_names, name_device
from e2esync.replica.putting_back import put_back
from e2esync.stores.book import BookStore
from e2esync.stores.profile import BookInfo, ProfileStore


@dataclass(frozen=True, slots=True)
class Past:
    """A book as it was at a time (ms), in memory."""

    at: int
    epoch: int
    store: BookStore

    @property
    def contacts(self) -> int:
        """How many contacts it had."""
        return len(self.store.cards())


class Rescue:
    """A book as its kit sees it."""

    def __init__(self, url: str, keys: KitKeys, replica: Replica, connection: Connection, link: Link) -> None:
        self.replica = replica
        self._url = url
        self._keys = keys
        self._connection = connection
        self._link = link

    @property
    def name(self) -> str:
        """The book's name."""
        return book_name(self.replica)

    def devices(self) -> dict[int, str]:
        """The devices of the book: member index and name."""
        names = device_names(self.replica)
        devices = (member for _index, member in sorted(self.replica.chain.members.items()) if member.is_device)
        return {member.index: names.get(member.index) or f"device {member.index}" for member in devices}

    def has(self, verify_key: bytes) -> bool:
        """Whether a member of the book has this key now."""
        return any(member.verify_key == verify_key for member in self.replica.chain.members.values())

    def everybody(self) -> dict[int, str]:
        """Every device that the book ever had: member index and name."""
        names, everybody = device_names(self.replica), self.replica.chain.all_members.values()
        return {member.index: names.get(member.index) or f"device {member.index}"
                for member in everybody if member.is_device}

    async def retained(self) -> list[Retained]:
        """The epochs that the relay can still give back, newest first."""
        return await self._connection.run(list_retained(self.replica.store.records()))

    async def past(self, at: int) -> Past:
        """The book as it was at this time (ms). Raises NotFound where the relay keeps nothing of it any more."""
        store = ProfileStore.memory()
        replica = await self._connection.run(read_past(store.book(0), self._link, self._keys, self.replica, at))
        return Past(at, replica.position.epoch, store.book(0))

    async def restore(self, profile: Profile, device_name: str, *, remove: Set[int] = frozenset(), book: int = 0,
                      past: Past | None = None) -> Replica:
        """Make this device a member, remove those that are lost, and bring everything back into the profile.

        With `past` the book is then put back as it was, as edits of this device.
        Raises ProfileExists, or what the relay refuses with; the profile is then as it was.
        """
        store = profile.store.book(book)
        if store.get("identity") is not None:
            raise ProfileExists("this profile is in a contact set already")
        entropy = self._link.entropy
        signing, sealing = SigningKey(entropy.draw("signing key", KEY)), SealingKey.generate(entropy)
        joined = await self._connection.run(
            add_by_kit(self.replica, self._link, signing, sealing, frozenset(remove))
        )
        connection = await Connection.as_member(
            self._url, joined.set_id, joined.index, signing, joined.relay_key, entropy
        )
        try:
            assert connection.head is not None
            link = make_link(connection.head, self._link.progress, entropy, self._link.now)
            with profile.sync_lock():
                replica = await connection.run(arrive(store, link, joined, signing, sealing))
                profile.store.put_book(BookInfo(book, joined.set_id, self.name, self._url))
                store.put("unverified", b"")
                name_device(replica, joined.index, device_name, link.now())
                if past is not None:
                    put_back(replica, past.store, link.now())
                await connection.run(sync_procedure(replica, link))
        except BaseException:
            profile.store.delete_book(book)
            raise
        finally:
            await connection.aclose()
        return replica


    async def give_way(self, signing: SigningKey, sealing: SealingKey) -> None:
        """Have another kit's keys take the place of these (SPEC 9.4 step 5)."""
        await self._connection.run(succeed(self.replica, self._link, signing, sealing))


@asynccontextmanager
async def open_kit(kit: RecoveryKit, url: str, *, relay_key: bytes | None = None, progress: Progress = no_progress,
                   entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> AsyncIterator[Rescue]:
    """Read a person's own book with nothing but its kit: number 0 first, then what the relay finds (SPEC 12.6 step 1).

    Raises Unreachable, HandshakeFailed where the relay knows no such book, or SetDeleted. `relay_key` is the one on the
    kit's sheet; without it the relay at the address is trusted at sight, and the chain must name it.
    """
    keys, connection = await connect_kit(kit, url, relay_key=relay_key, entropy=entropy, now=now)
    async with _reading(connection, url, keys, progress, entropy, now) as rescue:
        yield rescue


@asynccontextmanager
async def open_place(keys: KitKeys, url: str, *, relay_key: bytes | None = None, progress: Progress = no_progress,
                     entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> AsyncIterator[Rescue]:
    """Read one book that a recovery key is known to be a member of. Raises as `open_kit` does, or Refused."""
    connection = await connect_place(keys, url, relay_key=relay_key, entropy=entropy, now=now)
    async with _reading(connection, url, keys, progress, entropy, now) as rescue:
        yield rescue


async def connect_kit(kit: RecoveryKit, url: str, *, relay_key: bytes | None = None, entropy: Entropy = SYSTEM_ENTROPY,
                      now: Callable[[], int] = now_ms) -> tuple[KitKeys, Connection]:
    """Connect as a kit to its person's own book. Raises as `open_kit` does."""
    keys = kit_keys(kit)
    try:
        return keys, await connect_place(keys, url, relay_key=relay_key, entropy=entropy, now=now)
    except Refused as error:
        if error.reason != "NotMember":
            raise
        found = await find_places(kit, url, (0,), relay_key=relay_key, entropy=entropy)
        if not found:
            raise HandshakeFailed("the relay at this address has no book of this recovery kit",
                                  "check the address, and that this is the newest kit") from error
    return found[0], await connect_place(found[0], url, relay_key=relay_key, entropy=entropy, now=now)


async def connect_place(keys: KitKeys, url: str, *, relay_key: bytes | None = None, entropy: Entropy = SYSTEM_ENTROPY,
                        now: Callable[[], int] = now_ms) -> Connection:
    """Connect as a recovery key to a book. Raises Refused, or SetDeleted where the relay proves that it may be gone."""
    connection = await Connection.as_member(
        url, keys.set_id, keys.member, keys.signing, relay_key, entropy, former=True)
    try:
        if connection.removed is not None:
            raise Refused("NotMember", f"this member was removed in epoch {connection.removed}")
        if connection.deleted:
            read = read_deletion_as_kit(keys.set_id, connection.deleted, connection.relay_key, now())
            raise set_deleted(await connection.run(read), connection.deleted)
    except BaseException:
        await connection.aclose()
        raise
    return connection


async def find_places(kit: RecoveryKit, url: str, numbers: Iterable[int], *, relay_key: bytes | None = None,
                      entropy: Entropy = SYSTEM_ENTROPY) -> list[KitKeys]:
    """The sets at a relay that recovery keys of these numbers are members of now (SPEC 13.10)."""
    visit = await Connection.as_visitor(url, relay_key, entropy)
    try:
        found: list[KitKeys] = []
        for number in numbers:
            found += await visit.run(find_keys(kit, number, visit.session.binding))
        return found
    finally:
        await visit.aclose()


@asynccontextmanager
async def _reading(connection: Connection, url: str, keys: KitKeys, progress: Progress, entropy: Entropy,
                   now: Callable[[], int]) -> AsyncIterator[Rescue]:
    store = ProfileStore.memory()
    try:
        assert connection.head is not None
        link = make_link(connection.head, progress, entropy, now)
        replica = await connection.run(read_as_kit(store.book(0), link, keys))
        if replica.chain.relay_key != connection.relay_key:
            raise HandshakeFailed("the book belongs to another relay than the one at this address")
        yield Rescue(url, keys, replica, connection, link)
    finally:
        await connection.aclose()
        store.close()
