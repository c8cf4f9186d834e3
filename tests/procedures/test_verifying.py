"""procedures.verifying: what the relay's copy lacks or has otherwise is found, and nothing here is changed by it."""

from __future__ import annotations

import pytest

from e2esync.errors import ForkDetected, RollbackDetected, SnapshotInvalid, WithheldDetected
from e2esync.procedures.steps import Link
from e2esync.procedures.verifying import compare_chain, compare_log, missing_photos, read_own, rebuild
from e2esync.replica.core import Position, Replica, write_position
from e2esync.replica.snapshots import contact_row
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Device, Line, Network


@pytest.fixture
def pair(net: Network) -> tuple[Device, Device]:
    """Two devices in step: an epoch with a snapshot, and a log behind it."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    for device in (phone, laptop):
        device.edit(device.name, **{"notes/n": "x"})
    net.settle()
    phone.open()
    laptop.edit("later", **{"notes/n": "y"})
    net.settle()
    return phone, laptop


def _line(device: Device) -> tuple[Replica, Line, Link]:
    """A line on which nothing was done yet."""
    line = Line(device.net, device.replica)
    return device.replica, line, line.link()


def _rebuilt(device: Device) -> str:
    replica, line, link = _line(device)
    store = ProfileStore.memory()
    return str(line.run(rebuild(store.book(0), replica, link, line.run(read_own(replica, link)))))


def test_an_honest_copy_is_the_same(pair: tuple[Device, Device]) -> None:
    for device in pair:
        before = device.digest(), device.replica.position, device.store.vector()
        replica, line, link = _line(device)
        assert line.run(compare_chain(replica)).endswith("the same")
        assert line.run(compare_log(replica, link)).endswith("the same")
        assert "3 contacts" in _rebuilt(device)
        assert line.run(missing_photos(replica)) == (0, 0)
        assert (device.digest(), device.replica.position, device.store.vector()) == before


def test_what_came_meanwhile_is_no_lie(pair: tuple[Device, Device]) -> None:
    phone, laptop = pair
    phone.edit("news", **{"notes/n": "z"})
    phone.sync()
    replica, line, link = _line(laptop)
    assert "and 1 more" in line.run(compare_log(replica, link))
    assert "the same" in _rebuilt(laptop)
    phone.open()
    replica, line, link = _line(laptop)
    assert "and newer ones" in line.run(compare_chain(replica))
    assert "sync first" in line.run(compare_log(replica, link))


def test_another_log_is_found(pair: tuple[Device, Device]) -> None:
    _phone, laptop = pair
    position = laptop.replica.position
    laptop.store.add_envelopes(position.seq, [(b"x" * 512, b"h" * 32)])
    write_position(laptop.store, Position(position.epoch, position.seq, b"h" * 32))
    replica, line, link = _line(laptop)
    with pytest.raises(ForkDetected):
        line.run(compare_log(replica, link))
    with pytest.raises(ForkDetected):
        line.run(read_own(replica, link))


def test_an_older_log_is_found(pair: tuple[Device, Device]) -> None:
    _phone, laptop = pair
    position = laptop.replica.position
    write_position(laptop.store, Position(position.epoch, position.seq + 1, b"h" * 32))
    replica, line, link = _line(laptop)
    with pytest.raises(RollbackDetected):
        line.run(compare_log(replica, link))


def test_another_state_is_found(pair: tuple[Device, Device]) -> None:
    """A device whose own state is not what the relay's copy makes: one of both is wrong, and that is said."""
    _phone, laptop = pair
    row = next(row for row in laptop.store.contacts() if b"later" in row.state)
    laptop.store.put_contacts([contact_row(row.contact, b"", 0)])
    with pytest.raises(SnapshotInvalid, match="another state"):
        _rebuilt(laptop)


def test_a_gap_in_the_log_is_found(pair: tuple[Device, Device]) -> None:
    _phone, laptop = pair
    replica, line, link = _line(laptop)
    own = line.run(read_own(replica, link))
    laptop.edit("one", **{"notes/n": "1"})
    laptop.sync()
    laptop.edit("two", **{"notes/n": "2"})
    laptop.sync()
    replica, line, link = _line(laptop)
    everything = line.run(read_own(replica, link))
    assert len(everything) == len(own) + 2
    with pytest.raises(WithheldDetected, match="exists"):
        line.run(rebuild(ProfileStore.memory().book(0), replica, link, (*own, everything[-1])))
