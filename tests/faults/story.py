"""The life of a relay and two devices on recorded disks, from the first table to a forget, with restarts in between.

Each of the three is a machine of its own, which may lose power at any moment. TOLD steps stand where somebody relies
on it that all before is durable: the relay has answered, or a device's transaction has ended that waits for the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from e2esync.limits import OPENINGS_INTERVAL
from e2esync.procedures.forgetting import forget
from e2esync.replica.contacts import contact_id
from e2esync.replica.writing import write_batch
from e2esync.stores import database
from e2esync.stores.profile import ProfileStore
from e2esync.stores.relay import RelayStore
from tests.faults.power import Kind, RecordingVFS, Step
from tests.helpers.network import Device, Network

RELAY, PHONE, LAPTOP = MACHINES = ("relay.sqlite3", "phone.sqlite3", "laptop.sqlite3")
DEVICE_LOG_PAGES = 40
"""After so many pages in its log a device moves them into its file: often, so that power goes in the middle of it."""
UNKNOWN = "?"


@dataclass
class Story:
    """A recorded life. Facts are (number of steps before it, contact, note; None if deleted, UNKNOWN if on the way)."""

    steps: list[Step] = field(default_factory=list)
    facts: list[tuple[int, str, str | None]] = field(default_factory=list)
    times: list[tuple[int, int]] = field(default_factory=list)
    """(number of steps, time of day)"""
    paired: int = 0
    """So many steps until both devices are members."""

    def acknowledged(self, at: int) -> dict[str, str | None]:
        """What the devices had acknowledged by then."""
        told = {contact: note for number, contact, note in self.facts if number <= at}
        return {contact: note for contact, note in told.items() if note != UNKNOWN}

    def time(self, at: int) -> int:
        """What the clock showed then."""
        return max(time for number, time in self.times if number <= at)


@contextmanager
def recording(patch: pytest.MonkeyPatch, *, relaxed: bool = False) -> Iterator[list[Step]]:
    """Every store's file lies on a recorded disk. Where all is relaxed, no commit waits for it (synchronous=NORMAL)."""
    vfs = RecordingVFS("recording")
    steps = vfs.steps = []
    real = apsw.Connection

    def connect(path: str, **options: Any) -> apsw.Connection:
        connection = real(path, vfs="recording", **options)
        if path.endswith((PHONE, LAPTOP)):
            connection.wal_autocheckpoint(DEVICE_LOG_PAGES)
        if relaxed:
            connection.pragma("synchronous", "normal")
            connection.authorizer = _never_full
        return connection

    with patch.context() as changed:
        changed.setattr(apsw, "Connection", connect)
        _tell(changed, steps)
        yield steps
    vfs.unregister()


def _never_full(action: int, name: str | None, value: str | None, *_: Any) -> int:
    """Passes over each statement that would make commits wait for the disk again."""
    full = action == apsw.SQLITE_PRAGMA and name == "synchronous" and value is not None
    return int(apsw.SQLITE_IGNORE if full else apsw.SQLITE_OK)


def _tell(patch: pytest.MonkeyPatch, steps: list[Step]) -> None:
    """Notes when somebody is told that something is durable. Of what changed nothing nobody is told anything."""
    execute, run = RelayStore.execute, database.Database.run
    enter, leave = database._Transaction.__enter__, database._Transaction.__exit__
    before: dict[int, int] = {}

    def ended(connection: apsw.Connection, changes: int) -> None:
        if connection.total_changes() != changes:
            steps.append(Step(Kind.TOLD, connection.filename))

    def executed(self: RelayStore, *arguments: Any) -> Any:
        changes = self._writer.total_changes()
        result = execute(self, *arguments)
        ended(self._writer, changes)
        return result

    def entered(self: Any) -> None:
        enter(self)
        if self._database._depth == 1:
            before[id(self._database)] = self._database._connection.total_changes()

    def left(self: Any, kind: Any, *arguments: Any) -> None:
        leave(self, kind, *arguments)
        store = self._database
        if kind is None and store._depth == 0 and type(self) is database._Transaction:
            ended(store._connection, before[id(store)])

    def ran(self: Any, sql: str, *arguments: Any) -> None:
        changes = self._connection.total_changes()
        run(self, sql, *arguments)
        if self._depth == 0:
            ended(self._connection, changes)

    patch.setattr(RelayStore, "execute", executed)
    patch.setattr(database._Transaction, "__enter__", entered)
    patch.setattr(database._Transaction, "__exit__", left)
    patch.setattr(database.Database, "run", ran)


class Life:
    """What the machines do, act by act."""

    def __init__(self, folder: Path, steps: list[Step], patch: pytest.MonkeyPatch) -> None:
        self.story = Story(steps)
        self._folder = folder
        self._patch = patch
        self.net = Network(folder, "story")
        self.phone = self._device(PHONE, lambda: self.net.begin("phone"))
        self.laptop = self._device(LAPTOP, lambda: self.net.add(self.phone, "laptop"))
        self.story.paired = len(steps)
        self._tick()

    def _device(self, name: str, make: Any) -> Device:
        with self._patch.context() as patch:
            patch.setattr(ProfileStore, "memory", classmethod(lambda _cls: ProfileStore.create(self._folder / name)))
            device: Device = make()
        return device

    def _tick(self) -> None:
        self.story.times.append((len(self.story.steps), self.net.clock()))

    def _fact(self, contact: str, note: str | None) -> None:
        self.story.facts.append((len(self.story.steps), contact, note))
        self._tick()

    def edit(self, device: Device, name: str) -> None:
        """A new contact."""
        device.edit(name, **{"notes/n": name})
        self._fact(name, name)

    def delete(self, device: Device, name: str) -> None:
        """Away with it."""
        self._fact(name, UNKNOWN)
        device.delete(name)
        self._fact(name, None)

    def load(self, device: Device, prefix: str, count: int) -> None:
        """A file of contacts: all of it or nothing."""
        names = [f"{prefix} {number}" for number in range(count)]
        set_id = device.replica.set_id
        cards = sorted((contact_id(set_id, name, 0), {"uid": name, "notes/n": name}) for name in names)
        write_batch(device.replica, cards, self.net.clock(), self.net.entropy)
        for name in names:
            self._fact(name, name)

    def sync(self, *devices: Device) -> None:
        """One after the other."""
        for device in devices:
            device.sync()
            self._tick()

    def restart(self) -> None:
        """Everybody's process ends and begins again."""
        for device, name in ((self.phone, PHONE), (self.laptop, LAPTOP)):
            device.profile.close()
            device.profile = ProfileStore.open(self._folder / name)
            device.store = device.profile.book(0)
        self.net.relay.close()
        self.net.relay = RelayStore(self._folder / RELAY, draw=lambda size: self.net.entropy.draw("relay", size))
        self._tick()

    def forget(self, device: Device) -> None:
        """An epoch that drops what is dead, on the disks too."""
        self.net.clock.time += OPENINGS_INTERVAL
        replica, line, link = device.online()
        line.run(forget(replica, link))
        self._tick()

    def close(self) -> None:
        """The end."""
        self.phone.profile.close()
        self.laptop.profile.close()
        self.net.close()


def record(folder: Path, patch: pytest.MonkeyPatch, rounds: int, *, relaxed: bool = False) -> Story:
    """A life of so many rounds."""
    with recording(patch, relaxed=relaxed) as steps:
        life = Life(folder, steps, patch)
        for number in range(rounds):
            _round(life, number)
        life.close()
    return life.story


def _round(life: Life, number: int) -> None:
    phone, laptop, net = life.phone, life.laptop, life.net
    for each in range(3):
        life.edit(phone, f"phone {number} {each}")
        life.edit(laptop, f"laptop {number} {each}")
        life.sync(phone, laptop)
    net.relay.checkpoint()
    life.load(laptop, f"file {number}", 12)
    life.sync(laptop, phone)
    phone.open()
    life.delete(laptop, f"phone {number} 1")
    life.sync(laptop, phone)
    if number % 2:
        life.forget(laptop)
        net.relay.sweep(net.clock())
        life.restart()
