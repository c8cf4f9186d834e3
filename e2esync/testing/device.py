"""A device of a test's network: a real profile in a folder, its book, and the client's own calls over the wires."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from e2esync.client.book import Book
from e2esync.client.members import revoke, rotate
from e2esync.client.profile import Profile
from e2esync.client.protection import Plain
from e2esync.client.sync import SyncResult, sync
from e2esync.client.watching import watch
from e2esync.contactset import DeleteOp, SetOp, decode_ops
from e2esync.epoch.record import Record
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.log.entry import parse_entry
from e2esync.replica.core import EPOCH, SEALING, SIGNING, Position, Replica
from e2esync.replica.snapshots import digest
from e2esync.stores.book import BookStore
from e2esync.testing.entropy import SeededEntropy
from e2esync.wire import Value

if TYPE_CHECKING:
    from e2esync.testing.network import Network


class Standing(NamedTuple):
    """Everything that an attack must leave as it is."""

    digest: bytes
    position: Position
    vector: dict[int, tuple[int, bytes]]
    shown: list[tuple[bytes, str]]
    record: bytes
    keys: list[list[int]]
    unsent: list[bytes]
    """The operations that no relay has got."""


class Device:
    """`book` and `profile` are the public ones; the rest is short for what tests do all the time."""

    def __init__(self, net: Network, name: str, profile: Profile, entropy: SeededEntropy,
                 now: Callable[[], int]) -> None:
        self.net = net
        self.name = name
        self.profile = profile
        self.entropy = entropy
        self.now = now

    @classmethod
    def create(cls, net: Network, name: str) -> Device:
        """A device with an empty profile in the network's folder."""
        entropy = SeededEntropy(f"{net.seed}/{name}")
        profile = Profile.create(net.folder / name, Plain(), entropy=entropy)
        return cls(net, name, profile, entropy, net.clock)

    def clone(self, name: str) -> Device:
        """The same folder once more, as a disk image or a thief has it. Under its name it draws its own randomness."""
        self.profile.close()
        shutil.copytree(self.net.folder / self.name, self.net.folder / name)
        self.profile = Profile.open(self.net.folder / self.name)
        copy = Device(self.net, name, Profile.open(self.net.folder / name), SeededEntropy(f"{self.net.seed}/{name}"),
                      self.now)
        self.net.devices.append(copy)
        return copy

    def become(self, older: Device) -> None:
        """Have this device's folder replaced by an older copy of it."""
        self.profile.close()
        older.profile.close()
        shutil.rmtree(self.net.folder / self.name)
        shutil.copytree(self.net.folder / older.name, self.net.folder / self.name)
        self.profile = Profile.open(self.net.folder / self.name)
        older.profile = Profile.open(self.net.folder / older.name)

    # What it holds.

    @property
    def book(self) -> Book:
        """Its home book."""
        return Book(self.profile, entropy=self.entropy, now=self.now)

    @property
    def store(self) -> BookStore:
        """The tables of the home book."""
        return self.profile.store.book(0)

    @property
    def replica(self) -> Replica:
        """The replica under the book, as a process that has just started has it."""
        return Replica(self.store)

    def names(self) -> list[str]:
        """What `list` shows."""
        return [row.name for row in self.book.list()]

    def digest(self) -> bytes:
        """The digest of the shared state (SPEC 8.7)."""
        return digest(self.store)

    def standing(self) -> Standing:
        """What must be the same before and after an attack that was refused."""
        store = self.store
        kinds = (SIGNING, SEALING, EPOCH)
        unsent = [parse_entry(row.entry).ops for row in store.outbox() if not row.seq]
        unsent += [row.op for row in store.pending()]
        return Standing(
            self.digest(), self.replica.position, store.vector(),
            [(row.contact, row.name) for row in self.book.list()], self.replica.chain.head.hash,
            [store.secret_numbers(kind) for kind in kinds], _operations(unsent),
        )

    # What its person does.

    def add(self, name: str, **more: Value) -> bytes:
        """Add a contact whose uid follows from its name; its contact id."""
        return self.book.add({"@type": "Card", "version": "1.0", "uid": f"urn:{name}", "name": {"full": name}, **more})

    def note(self, name: str, text: str) -> None:
        """Write a contact's note."""
        self.book.write(self.book.find(name).contact, {"notes/n": {"note": text}})

    def remove(self, *names: str) -> None:
        """Delete contacts."""
        self.book.remove([self.book.find(name).contact for name in names])

    # What it does with the relay.

    def online(self) -> AbstractContextManager[None]:
        """In this block any client code of this task connects through the network, as this device."""
        return self.net.dialing(self.name)

    async def sync(self) -> SyncResult:
        """One sync."""
        with self.online():
            return await sync(self.profile, entropy=self.entropy, now=self.now)

    async def watch(self, on_event: Callable[[str], None] = lambda _event: None) -> None:
        """Stay in sync until cancelled."""
        with self.online():
            await watch(self.profile, on_event=on_event, entropy=self.entropy, now=self.now)

    async def rotate(self) -> Record:
        """Open an epoch with fresh keys, ten minutes later: the relay lets one member open no faster."""
        self.net.clock.time += OPENINGS_INTERVAL
        with self.online():
            return await rotate(self.profile, entropy=self.entropy, now=self.now)

    async def revoke(self, *others: Device, lost: bool = False) -> Record:
        """Remove other devices."""
        self.net.clock.time += OPENINGS_INTERVAL
        members = {other.replica.member for other in others}
        with self.online():
            return await revoke(self.profile, members, lost=lost, entropy=self.entropy, now=self.now)


def _operations(raws: list[bytes]) -> list[bytes]:
    """What operations say, without when and by which entry: that may change until they are sent."""
    said = []
    for raw in raws:
        for op in decode_ops(raw):
            if isinstance(op, SetOp):
                said += [f"{op.contact.hex()} {path} {value!r}".encode() for path, value in op.values.items()]
            elif isinstance(op, DeleteOp):
                said.append(op.contact)
    return sorted(said)
