"""A device that dies right before each of its commits in turn: at the next start nothing is lost, or there twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import make_add
from e2esync.epoch.roles import Role
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.replica.contacts import contact_id
from e2esync.replica.writing import write_batch
from e2esync.stores.profile import ProfileStore
from tests.helpers.crashing import Crash, crashing
from tests.helpers.network import Device, Line, Network, Newcomer, changes_by_contact

MOST = 60
"""No act here has as many commits."""

Act = Callable[[Network, Device, Device], None]


def _prepare(net: Network) -> tuple[Device, Device]:
    """Two devices: the phone has an import and edits to send, the laptop has written and opened an epoch meanwhile."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1"})
    net.settle()
    _import(phone, range(5))
    phone.edit("ada", **{"phones/a": "2"})
    laptop.edit("bob", **{"notes/n": "x"})
    laptop.edit("ada", **{"notes/n": "y"})
    laptop.sync()
    return phone, laptop


def _import(device: Device, numbers: range) -> None:
    set_id = device.replica.set_id
    cards = sorted((contact_id(set_id, f"c{n}", 0), {"uid": f"c{n}", "notes/n": "x"}) for n in numbers)
    write_batch(device.replica, cards, device.net.clock(), device.net.entropy)


def _sync(_net: Network, phone: Device, _laptop: Device) -> None:
    phone.sync()


def _enter(_net: Network, phone: Device, laptop: Device) -> None:
    phone.sync()
    laptop.edit("bob", **{"notes/n": "x"})


def _open(_net: Network, phone: Device, _laptop: Device) -> None:
    phone.open()


def _edit(_net: Network, phone: Device, _laptop: Device) -> None:
    phone.edit("ada", **{"phones/a": "2"})
    phone.delete("gone")
    _import(phone, range(5))


def _check(net: Network, phone: Device, laptop: Device, *, imported: bool) -> None:
    net.clock.time += OPENINGS_INTERVAL
    net.settle()
    assert phone.digest() == laptop.digest()
    assert phone.replica.position == laptop.replica.position
    assert not phone.store.pending()
    for device in (phone, laptop):
        assert not device.replica.frozen
        assert device.registers("ada") == {"uid": "ada", "phones/a": "2", "notes/n": "y"}
        assert device.conflicts("ada") == {}
        assert device.registers("bob") == {"uid": "bob", "notes/n": "x"}
        assert not imported or all(device.registers(f"c{n}") == {"uid": f"c{n}", "notes/n": "x"} for n in range(5))
    # An entry that was sent twice, or history that was folded twice, would show here.
    for rows in changes_by_contact(phone.store):
        assert all(one.before != other.before for one, other in pairwise(rows))


@pytest.mark.parametrize(("act", "epochs"), [(_sync, 0), (_enter, 1), (_enter, 3), (_open, 0), (_open, 1), (_edit, 0)],
                         ids=["sync", "enter", "sleep", "open", "enter and open", "edit"])
def test_a_crash_before_every_commit(tmp_path: Path, act: Act, epochs: int) -> None:
    for at in range(1, MOST):
        folder = tmp_path / str(at)
        folder.mkdir()
        net = Network(folder, f"crash {at}")
        try:
            phone, laptop = _prepare(net)
            for _epoch in range(epochs):
                laptop.open()
            with crashing(phone.profile, at):
                try:
                    act(net, phone, laptop)
                except Crash:
                    crashed = True
                else:
                    crashed = False
            if act is _edit:
                act(net, phone, laptop)
            _check(net, phone, laptop, imported=True)
        finally:
            net.close()
        if not crashed:
            assert at > 2
            return
    raise AssertionError(f"more than {MOST} commits")


def test_a_crash_at_every_commit_of_an_arrival(tmp_path: Path) -> None:
    """A joining device that has stored who it is goes on with its next sync; before that there is nothing of it."""
    for at in range(1, MOST):
        folder = tmp_path / str(at)
        folder.mkdir()
        net = Network(folder, f"arrival {at}")
        try:
            if not _arrive_and_crash(net, at):
                assert at > 2
                return
        finally:
            net.close()
    raise AssertionError(f"more than {MOST} commits")


def _arrive_and_crash(net: Network, at: int) -> bool:
    from e2esync.access.pairing import Joined
    from e2esync.procedures.founding import arrive
    from e2esync.procedures.syncing import sync

    phone, laptop = _prepare(net)
    net.settle()
    signing, sealing = SigningKey(net.entropy.draw("signing key", 32)), SealingKey.generate(net.entropy)
    replica = phone.replica
    before = replica.chain
    phone.open(make_add(signing, replica.set_id, replica.person, Role.OWNER, sealing.public))
    after = phone.replica
    (index,) = (member.index for member in after.chain.members.values() if member.verify_key == signing.verify_key)
    joined = Joined(replica.set_id, replica.person, int(Role.OWNER), before.relay_key, before.head.hash, before.epoch,
                    after.chain.head.hash, after.chain.epoch, 0, after.chain.head.hash, index)
    phone.edit("after", **{"notes/n": "x"})
    phone.sync()
    device = Device(net, ProfileStore.memory(), "tablet")
    line = Line(net, Newcomer(joined.set_id, index, signing))
    link = line.link()
    with crashing(device.profile, at):
        try:
            line.run(sync(line.run(arrive(device.store, link, joined, signing, sealing)), link))
        except Crash:
            crashed = True
        else:
            crashed = False
    if device.store.get("identity") is None:
        return True
    # Whether the epoch moved on meanwhile or not.
    if at % 2:
        laptop.open()
    net.devices.append(device)
    _check(net, phone, laptop, imported=True)
    assert device.digest() == phone.digest()
    assert device.registers("after") == {"uid": "after", "notes/n": "x"}
    return crashed
