"""Several devices, one relay, a clock, and lines that break at any frame: everybody converges and no edit is lost.

The devices are the real replica and procedures over real stores, the relay is the real store behind real sessions.
Every device writes registers of its own, so what must be visible in the end is simply what each wrote last.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest

from e2esync.errors import Unreachable
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.procedures.reading import catch_up
from e2esync.replica.contacts import contact_id
from e2esync.replica.writing import write_batch
from tests.helpers.network import Device, Line, Network, changes_by_contact

CONTACTS = 6


class Run:
    """One random history and what it must end in."""

    def __init__(self, net: Network, seed: int) -> None:
        self.net = net
        self.chance = random.Random(seed)
        self.alive = [net.begin("first")]
        self.wrote: dict[tuple[int, str], int] = {}
        self.count = 0

    def step(self) -> None:
        """One random act of one random device."""
        device = self.chance.choice(self.alive)
        acts = [self.edit] * 8 + [self.sync] * 6 + [self.broken_sync] * 5 + [self.open] * 2 + [self.doom] * 2
        acts += [self.broken_open, self.add, self.revoke, self.load, self.load, self.rotate, self.watch]
        self.chance.choice(acts)(device)
        self.net.clock.time += self.chance.choice([1, 1000, 3_600_000])

    def edit(self, device: Device) -> None:
        """Write a register that only this device writes, in a contact that everybody writes."""
        self.count += 1
        contact = f"c{self.chance.randrange(CONTACTS)}"
        device.edit(contact, **{f"notes/{device.replica.member}": self.count})
        self.wrote[device.replica.member, contact] = self.count

    def load(self, device: Device) -> None:
        """Import a file: some contacts that others know, and some that nobody does, in one entry over chunks."""
        self.count += 1
        replica = device.replica
        names = {f"c{self.chance.randrange(CONTACTS)}", f"doomed{self.chance.randrange(2)}", f"i{self.count}"}
        cards = []
        for name in names:
            cards.append((contact_id(replica.set_id, name, 0), {"uid": name, f"notes/{replica.member}": self.count}))
            if not name.startswith("doomed"):
                self.wrote[replica.member, name] = self.count
        write_batch(replica, sorted(cards), self.net.clock(), self.net.entropy)

    def rotate(self, device: Device) -> None:
        device.rotate()

    def watch(self, device: Device) -> None:
        """Only read, as a device does that is told of others' writes while its own are on their way."""
        replica = device.replica
        line = Line(self.net, replica)
        line.run(catch_up(replica, line.link()))

    def doom(self, device: Device) -> None:
        """Create or delete a contact that may end either way, but the same way for all."""
        contact = f"doomed{self.chance.randrange(2)}"
        if device.registers(contact) is None:
            device.edit(contact, **{"notes/x": self.count})
        else:
            device.delete(contact)

    def sync(self, device: Device) -> None:
        device.sync()

    def broken_sync(self, device: Device) -> None:
        """The line is cut after a random number of frames: before, between or after what counts."""
        with contextlib.suppress(Unreachable):
            device.sync(self.chance.randrange(2, 40))

    def open(self, device: Device) -> None:
        device.open()

    def broken_open(self, device: Device) -> None:
        with contextlib.suppress(Unreachable):
            device.open(frames=self.chance.randrange(6, 30))

    def add(self, device: Device) -> None:
        if len(self.alive) < 4:
            self.net.clock.time += OPENINGS_INTERVAL
            self.alive.append(self.net.add(device, f"d{len(self.net.devices)}"))

    def revoke(self, device: Device) -> None:
        """Remove another device; what it has not sent is not expected any more."""
        others = [other for other in self.alive if other is not device]
        if len(others) < 2:
            return
        gone = self.chance.choice(others)
        device.remove(gone, lost=self.chance.random() < 0.5)
        self.alive.remove(gone)
        self.wrote = {key: value for key, value in self.wrote.items() if key[0] != gone.replica.member}

    def check(self) -> None:
        """Everybody syncs; all have one state, and in it what each wrote last."""
        self.net.clock.time += OPENINGS_INTERVAL
        self.net.settle(*self.alive)
        assert len({device.digest() for device in self.alive}) == 1
        assert len({device.replica.position for device in self.alive}) == 1
        for device in self.alive:
            for rows in changes_by_contact(device.store):
                # A contact that was folded twice into the history would show the same twice.
                assert all(one.before != other.before for one, other in pairwise(rows))
            assert not device.replica.frozen
            assert not device.store.pending()
            for (member, contact), value in self.wrote.items():
                shown = device.registers(contact)
                assert shown is not None
                assert shown[f"notes/{member}"] == value
        names = [f"doomed{n}" for n in range(2)]
        assert len({repr([device.registers(name) for name in names]) for device in self.alive}) == 1


def _play(seed: int, steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        net = Network(Path(folder), f"law {seed}")
        try:
            run = Run(net, seed)
            for _step in range(steps):
                run.step()
            run.check()
        finally:
            net.close()


@pytest.mark.parametrize("seed", range(12))
def test_any_history_converges_and_loses_nothing(seed: int) -> None:
    _play(seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 250))
def test_many_more_histories(seed: int) -> None:
    _play(seed, 100)
