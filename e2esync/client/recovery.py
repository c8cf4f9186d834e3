"""Recovery from the kit, with trio (SPEC 12.6): words and a relay's address are enough.

    async with open_kit(kit, url) as rescue:       reads the book; nothing is changed yet
        rescue.devices()                           whom it could remove
        await rescue.restore(profile, name, remove={2})
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Set
from contextlib import asynccontextmanager

from e2esync.access.kit import RecoveryKit
from e2esync.client.connection import Connection
from e2esync.client.profile import Profile
from e2esync.client.sync import SYSTEM_ENTROPY, Progress, make_link, no_progress, now_ms
from e2esync.crypto import Entropy, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.errors import HandshakeFailed, ProfileExists, Refused
from e2esync.limits import KEY
from e2esync.procedures.founding import arrive
from e2esync.procedures.recovering import KitKeys, add_by_kit, kit_keys, read_as_kit
from e2esync.procedures.steps import Link
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.own_object import book_name, device_names, name_device
from e2esync.stores.profile import BookInfo, ProfileStore


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

    async def restore(self, profile: Profile, device_name: str, *, remove: Set[int] = frozenset(), book: int = 0,
                      ) -> Replica:
        """Make this device a member, remove those that are lost, and bring everything back into the profile.

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
                await connection.run(sync_procedure(replica, link))
        except BaseException:
            profile.store.delete_book(book)
            raise
        finally:
            await connection.aclose()
        return replica


@asynccontextmanager
async def open_kit(kit: RecoveryKit, url: str, *, relay_key: bytes | None = None, progress: Progress = no_progress,
                   entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> AsyncIterator[Rescue]:
    """Read a book with nothing but its kit. Raises Unreachable, or HandshakeFailed where the relay knows no such book.

    `relay_key` is the one on the kit's sheet; without it the relay at the address is trusted at sight, and the chain
    must name it.
    """
    keys = kit_keys(kit)
    try:
        connection = await Connection.as_member(url, keys.set_id, keys.member, keys.signing, relay_key, entropy)
    except Refused as error:
        if error.reason != "NotMember":
            raise
        raise HandshakeFailed("the relay at this address has no book of this recovery kit",
                              "check the address, and that this is the newest kit") from error
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
