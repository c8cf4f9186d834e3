"""A whole network in one thread: a real relay store, real sessions on both sides, real replicas; no socket, no clock.

A `Line` carries frames between a client session and a relay session and runs procedures over them, so a test can cut
it at any frame. Everything is deterministic from the entropy's seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from e2esync.access.kit import RecoveryKit
from e2esync.access.pairing import Joined
from e2esync.contactset import delete_ops, set_ops, view
from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import Change, Remove, make_add
from e2esync.epoch.roles import Role
from e2esync.errors import Unreachable
from e2esync.limits import CUT_AFTER_TRIES, OPENINGS_INTERVAL
from e2esync.procedures.founding import arrive, create
from e2esync.procedures.leaving import read_removal
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.recovering import add_by_kit, kit_keys, read_as_kit
from e2esync.procedures.steps import Link, Procedure
from e2esync.procedures.syncing import Synced, sync
from e2esync.replica.contacts import contact_id
from e2esync.replica.core import Replica
from e2esync.replica.founding import found
from e2esync.replica.opening import rekey
from e2esync.replica.snapshots import digest
from e2esync.replica.writing import shown_state, write
from e2esync.session.client import Answered, Challenged, ClientSession, Connected, RefusedRequest
from e2esync.session.commands import Admit, Consult, Disconnect, Transmit
from e2esync.session.commands import Change as StoreChange
from e2esync.session.messages import Open
from e2esync.session.relay import RelaySession
from e2esync.stores.book import BookStore
from e2esync.stores.history import ChangeRow
from e2esync.stores.profile import ProfileStore
from e2esync.stores.relay import RelayStore
from e2esync.testing.clock import Clock
from tests.helpers.entropy import FastEntropy

Result = TypeVar("Result")


class Who(Protocol):
    """What a line needs to know of a member: a replica, or a newcomer that has none yet."""

    set_id: bytes
    member: int

    @property
    def signing_key(self) -> SigningKey: ...


@dataclass
class Newcomer:
    """A device that was added and has not arrived."""

    set_id: bytes
    member: int
    signing_key: SigningKey


class Line:
    """One connection to the relay, as a member or (without a replica) as a visitor."""

    def __init__(self, net: Network, who: Who | None, frames: int | None = None) -> None:
        self._net = net
        self._left = frames
        self.relay = RelaySession(net.relay.key, net.entropy.draw("session nonce", 32), next(net.numbers))
        nonce = net.entropy.draw("session nonce", 32)
        if who is None:
            self.client = ClientSession(None, 0, None, None, nonce)
        else:
            self.client = ClientSession(who.set_id, who.member, who.signing_key, net.relay.key.verify_key, nonce)
        self._events: list[object] = []
        self._send(self.client.hello())
        self._send(self.client.proof())
        (connected,) = (event for event in self._events if isinstance(event, Connected))
        self.head = connected.head
        self._events.clear()
        if connected.removed is not None and isinstance(who, Replica):
            # What every client does then: read the record that did it, and raise DeviceRemoved.
            self.run(read_removal(who))

    def link(self) -> Link:
        """What procedures on this line need."""
        assert self.head is not None
        return Link(self.head, self._net.entropy, self._net.clock)

    def run(self, procedure: Procedure[Result]) -> Result:
        """Run a procedure to its end. Raises Unreachable where the line is cut."""
        try:
            requests = next(procedure)
            while True:
                answers = []
                for request in requests:
                    self._send(self.client.request(request))
                for event in self._events:
                    answers.append(event.answer if isinstance(event, Answered) else event.error)  # type: ignore[attr-defined]
                self._events.clear()
                requests = procedure.send(answers)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        finally:
            procedure.close()

    def _send(self, frame: bytes) -> None:
        self._count()
        self._do(self.relay.receive(frame))

    def _do(self, commands: list[object]) -> None:
        for command in commands:
            if isinstance(command, Transmit):
                # The relay has done its work by now; a cut here is a lost answer.
                for frame in command.frames:
                    self._count()
                    self._take(frame)
            elif isinstance(command, Admit | StoreChange):
                outcome = self._net.relay.execute([command], self._net.clock()).outcomes[0]
                self._do(list(self.relay.complete(command, outcome.result)))
            elif isinstance(command, Consult):
                self._do(list(self.relay.complete(command, self._net.relay.read(command, self._net.clock()))))
            elif isinstance(command, Disconnect):
                return

    def _take(self, frame: bytes) -> None:
        self._events += [
            event for event in self.client.receive(frame)
            if isinstance(event, Connected | Answered | RefusedRequest | Challenged)
        ]

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Unreachable("the line was cut")


class Device:
    """A device with its own store. `names` and `edit` speak of contacts by a short name."""

    def __init__(self, net: Network, store: ProfileStore, name: str) -> None:
        self.net = net
        self.name = name
        self.profile = store
        self.store = store.book(0)

    @property
    def replica(self) -> Replica:
        """A fresh replica over the store, as a process that has just started has it."""
        return Replica(self.store)

    def sync(self, frames: int | None = None) -> Synced:
        """One sync over a new line, which is cut after so many frames if a number is given."""
        replica = self.replica
        line = Line(self.net, replica, frames)
        return line.run(sync(replica, line.link()))

    def online(self) -> tuple[Replica, Line, Link]:
        """A replica that is in step with the relay, on a line that stays open."""
        replica = self.replica
        line = Line(self.net, replica)
        link = line.link()
        line.run(sync(replica, link))
        return replica, line, link

    def edit(self, contact: str, **values: object) -> None:
        """Set registers of a contact, by the name of the contact; it is created if there is none."""
        key = contact_id(self.replica.set_id, contact, 0)
        now = self.net.clock()
        write(self.replica, list(set_ops(key, shown_state(self.store, key), now, {"uid": contact, **values})))

    def delete(self, contact: str) -> None:
        """Delete a contact."""
        key = contact_id(self.replica.set_id, contact, 0)
        write(self.replica, list(delete_ops(key, shown_state(self.store, key), self.net.clock())))

    def registers(self, contact: str) -> dict[str, object] | None:
        """What this device shows of a contact; None when it shows none."""
        state = shown_state(self.store, contact_id(self.replica.set_id, contact, 0))
        shown = view(state) if state else None
        return dict(shown.registers) if shown else None

    def conflicts(self, contact: str) -> dict[str, object]:
        """The conflicts it shows."""
        state = shown_state(self.store, contact_id(self.replica.set_id, contact, 0))
        shown = view(state) if state else None
        return dict(shown.conflicts) if shown else {}

    def open(self, *changes: Change, frames: int | None = None, cut_after: int = CUT_AFTER_TRIES) -> None:
        """Open an epoch with these changes; ten minutes later, as the relay lets one member open no faster."""
        self.net.clock.time += OPENINGS_INTERVAL
        replica = self.replica
        line = Line(self.net, replica, frames)
        link = line.link()
        line.run(sync(replica, link))
        line.run(open_epoch(replica, link, lambda _replica: tuple(changes), cut_after=cut_after))
        line.run(announce(replica, link))

    def remove(self, other: Device, *, lost: bool = False) -> None:
        """Remove another device; a lost one at once without what it wrote last."""
        self.open(Remove(other.replica.member), cut_after=0 if lost else CUT_AFTER_TRIES)

    def rotate(self) -> None:
        """Replace the own signing key."""
        self.open(rekey(self.replica, self.net.entropy))

    def digest(self) -> bytes:
        """Digest of the shared state."""
        return digest(self.store)


class Network:
    """A relay, a clock, entropy, and the devices of one set."""

    def __init__(self, folder: Path, seed: str = "network") -> None:
        self.entropy = FastEntropy(seed)
        self.clock = Clock()
        self.numbers: Iterator[int] = itertools.count(1)
        self.relay = RelayStore(folder / "relay.sqlite3", draw=lambda size: self.entropy.draw("relay", size))
        self.kit = RecoveryKit(Secret(self.entropy.draw("kit seed", 32)))
        self.devices: list[Device] = []

    def begin(self, name: str = "phone") -> Device:
        """Make the set with its first device."""
        device = Device(self, ProfileStore.memory(), name)
        founding = found(device.store, self.kit.signing_key(0), self.kit.sealing_key(0), self.relay.key.verify_key,
                         self.clock(), self.entropy)
        Line(self, None).run(create(founding))
        self.devices.append(device)
        return device

    def add(self, sponsor: Device, name: str, role: Role = Role.OWNER) -> Device:
        """Add a device through a sponsor, as pairing does once the words were confirmed."""
        device = Device(self, ProfileStore.memory(), name)
        signing = SigningKey(self.entropy.draw("signing key", 32))
        sealing = SealingKey.generate(self.entropy)
        before = sponsor.replica.chain
        person = sponsor.replica.person
        add = make_add(signing, before.set_id, person, role, sealing.public)
        sponsor.open(add)
        after = sponsor.replica
        (index,) = (m.index for m in after.chain.members.values() if m.verify_key == signing.verify_key)
        joined = Joined(
            before.set_id, person, int(role), before.relay_key, before.head.hash, before.epoch,
            after.chain.head.hash, after.chain.epoch, 0, after.chain.head.hash, index,
        )
        self._arrive(device, joined, signing, sealing)
        self.devices.append(device)
        return device

    def _arrive(self, device: Device, joined: Joined, signing: SigningKey, sealing: SealingKey) -> None:
        line = Line(self, Newcomer(joined.set_id, joined.index, signing))
        replica = line.run(arrive(device.store, line.link(), joined, signing, sealing))
        line.run(sync(replica, line.link()))

    def recover(self, name: str, remove: Sequence[Device] = ()) -> Device:
        """A new device by the kit alone, which removes these."""
        keys = kit_keys(self.kit)
        kit_store = ProfileStore.memory()
        line = Line(self, Newcomer(keys.set_id, keys.member, keys.signing))
        replica = line.run(read_as_kit(kit_store.book(0), line.link(), keys))
        signing = SigningKey(self.entropy.draw("signing key", 32))
        sealing = SealingKey.generate(self.entropy)
        gone = frozenset(device.replica.member for device in remove)
        joined = line.run(add_by_kit(replica, line.link(), signing, sealing, gone))
        device = Device(self, ProfileStore.memory(), name)
        self._arrive(device, joined, signing, sealing)
        self.devices = [each for each in self.devices if each not in remove] + [device]
        return device

    def settle(self, *devices: Device) -> None:
        """Sync everybody until nothing moves."""
        for _round in range(8):
            moved = False
            for device in devices or tuple(self.devices):
                done = device.sync()
                moved = moved or bool(done.received or done.sent)
            if not moved:
                return

    def close(self) -> None:
        """Give the files back."""
        self.relay.close()


def changes_by_contact(store: BookStore) -> list[list[ChangeRow]]:
    """The local history of each contact, oldest change first."""
    contacts = {row.contact for step in store.history.steps() for row in store.history.of_step(step.number)}
    return [store.history.of_contact(contact) for contact in sorted(contacts)]


def meanwhile(procedure: Procedure[Result], other: Callable[[], object]) -> Procedure[Result]:
    """A procedure in whose way something comes right before its first OPEN, and what goes along with it."""
    waiting: Callable[[], object] | None = other
    requests = next(procedure)
    while True:
        if waiting is not None and isinstance(requests[-1], Open):
            waiting()
            waiting = None
        try:
            requests = procedure.send((yield requests))
        except StopIteration as stop:
            result: Result = stop.value
            return result
