"""S7 (SPEC 13.12, 14.10): a relay that lost epochs takes them back from any device, and nobody else's in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2esync.epoch.record import Remove
from e2esync.errors import DeviceRemoved, Refused, RelayRestored
from e2esync.procedures.opening import open_epoch
from e2esync.procedures.seeding import seed_chain, seed_state, show
from e2esync.procedures.steps import ask
from e2esync.session import messages as m
from e2esync.stores import relay_seed
from e2esync.stores.relay import RelayStore
from tests.helpers.liar import copy_of, served_by
from tests.helpers.network import Device, Line, Network

QUARTER = 10**7


@pytest.fixture
def lost(net: Network, tmp_path: Path) -> Iterator[tuple[Device, Device, Device, RelayStore]]:
    """Phone, laptop and a tablet that was removed after the backup was made."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    tablet = net.add(phone, "tablet")
    phone.edit("ada", **{"notes/n": "old"})
    net.settle()
    backup = copy_of(net, tmp_path / "backup.sqlite3", restored=True)
    phone.open(Remove(tablet.replica.member))
    phone.edit("ada", **{"notes/n": "new"})
    phone.sync()
    laptop.sync()
    laptop.edit("bob", **{"notes/n": "unsent"})
    yield phone, laptop, tablet, backup
    backup.close()


@contextmanager
def restored(net: Network, backup: RelayStore) -> Iterator[None]:
    net.clock.time += QUARTER
    with served_by(net, backup):
        yield


def seed(device: Device) -> object:
    """What `client.moving.reseed` does, over the network's lines."""
    line = Line(device.net, None)
    assert line.run(show(device.replica))
    line.run(seed_chain(device.replica))
    replica = device.replica
    member = Line(device.net, replica)
    return member.run(seed_state(replica, member.link()))


def test_what_was_lost_comes_back_and_the_removed_stay_out(
    lost: tuple[Device, Device, Device, RelayStore],
) -> None:
    phone, laptop, tablet, backup = lost
    net = phone.net
    with restored(net, backup):
        before = phone.digest(), phone.replica.position
        with pytest.raises(RelayRestored):
            phone.sync()
        assert (phone.digest(), phone.replica.position) == before
        assert seed(phone) is not None
        net.settle(phone, laptop)
        assert phone.digest() == laptop.digest()
        assert laptop.registers("ada") == {"uid": "ada", "notes/n": "new"}
        assert phone.registers("bob") == {"uid": "bob", "notes/n": "unsent"}
        with pytest.raises((Refused, DeviceRemoved)):
            tablet.sync()


def test_an_epoch_opened_by_the_removed_one_in_between_goes(
    lost: tuple[Device, Device, Device, RelayStore],
) -> None:
    phone, laptop, tablet, backup = lost
    net = phone.net
    with restored(net, backup):
        # A member again, by the backup: it opens an epoch and writes.
        tablet.edit("eve", **{"notes/n": "inserted"})
        tablet.open()
        tablet.sync()
        with pytest.raises(RelayRestored):
            laptop.sync()
        assert seed(laptop) is not None
        net.settle(phone, laptop)
        assert phone.digest() == laptop.digest()
        assert phone.registers("eve") is None
        # What it was signed in between opens nothing again.
        line = Line(net, None)
        assert not line.run(show(tablet.replica))
        with pytest.raises(Refused, match="nothing of this set is missing"):
            line.run(seed_chain(tablet.replica))


def test_nothing_is_written_while_a_set_waits(lost: tuple[Device, Device, Device, RelayStore]) -> None:
    phone, laptop, tablet, backup = lost
    with restored(phone.net, backup):
        assert Line(phone.net, None).run(show(phone.replica))
        tablet.edit("eve", **{"notes/n": "x"})
        with pytest.raises(Refused) as refused:
            tablet.sync()
        assert refused.value.reason == "Busy"
        assert seed(laptop) is not None
        phone.net.settle(phone, laptop)
        assert phone.digest() == laptop.digest()


def test_of_two_that_seed_one_is_faster_and_the_other_enters(
    lost: tuple[Device, Device, Device, RelayStore],
) -> None:
    phone, laptop, _tablet, backup = lost
    net = phone.net
    with restored(net, backup):
        line = Line(net, None)
        assert line.run(show(laptop.replica))
        line.run(seed_chain(laptop.replica))
        replica = laptop.replica
        slow = Line(net, replica)
        assert seed(phone) is not None
        assert slow.run(seed_state(replica, slow.link())) is None
        net.settle(phone, laptop)
        assert phone.digest() == laptop.digest()


def test_a_relay_that_lacks_nothing_takes_no_seed(lost: tuple[Device, Device, Device, RelayStore]) -> None:
    phone, _laptop, _tablet, _backup = lost
    line = Line(phone.net, None)
    assert not line.run(show(phone.replica))
    with pytest.raises(Refused, match="nothing of this set is missing"):
        line.run(seed_chain(phone.replica))


@pytest.mark.parametrize("spoil", ["signature", "set"])
def test_a_head_that_the_relay_has_not_signed_shows_nothing(
    lost: tuple[Device, Device, Device, RelayStore], spoil: str,
) -> None:
    from e2esync.replica.sightings import kept_head

    phone, _laptop, _tablet, backup = lost
    head = kept_head(phone.replica)
    assert head is not None
    request = {
        "signature": m.Show(phone.replica.set_id, head.body, bytes(64)),
        "set": m.Show(b"x" * 32, head.body, head.signature),
    }[spoil]
    with restored(phone.net, backup):
        with pytest.raises(Refused) as refused:
            Line(phone.net, None).run(ask(request, m.Shown))
        assert refused.value.reason == "NotMember"


def test_a_seed_without_the_record_that_was_shown_is_not_the_end(
    lost: tuple[Device, Device, Device, RelayStore],
) -> None:
    phone, _laptop, tablet, backup = lost
    with restored(phone.net, backup):
        assert Line(phone.net, None).run(show(phone.replica))
        replica = tablet.replica
        line = Line(phone.net, replica)
        with pytest.raises(Refused, match="was shown"):
            line.run(seed_state(replica, line.link()))
        assert seed(phone) is not None


def test_without_the_memory_of_what_was_replaced_it_would_come_back(
    lost: tuple[Device, Device, Device, RelayStore], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: the removed device shows what it was signed in between."""
    monkeypatch.setattr(relay_seed.rules, "is_lacking", lambda _view, head, here, _gone: here != head.record_hash)
    phone, laptop, tablet, backup = lost
    with restored(phone.net, backup):
        tablet.open()
        tablet.sync()
        assert seed(laptop) is not None
        assert Line(phone.net, None).run(show(tablet.replica))


def test_an_empty_relay_takes_the_whole_set(
    lost: tuple[Device, Device, Device, RelayStore], tmp_path: Path,
) -> None:
    """Another relay, which the seed's last record names (SPEC 14.10)."""
    phone, laptop, _tablet, _backup = lost
    net = phone.net
    other = RelayStore(tmp_path / "other.sqlite3", draw=lambda size: net.entropy.draw("other relay", size))
    with served_by(net, other):
        Line(net, None).run(seed_chain(phone.replica))
        replica = phone.replica
        line = Line(net, replica)
        with pytest.raises(Refused, match="another relay"):
            line.run(seed_state(replica, line.link()))
        line = Line(net, replica)
        assert line.run(seed_state(replica, line.link(), other.key.verify_key)) is not None
        laptop.sync()
        net.settle(phone, laptop)
        assert phone.digest() == laptop.digest()
        assert phone.replica.chain.relay_key == other.key.verify_key
        assert phone.registers("bob") == {"uid": "bob", "notes/n": "unsent"}
    other.close()


def _bring(device: Device, relay: bytes) -> None:
    """What `client.relocating.move` does at the relay where the set is to be."""
    net = device.net
    Line(net, None).run(seed_chain(device.replica))
    replica = device.replica
    line = Line(net, replica)
    assert line.run(seed_state(replica, line.link(), b"" if replica.chain.relay_key == relay else relay)) is not None


def _tell(device: Device, relay: bytes) -> None:
    """Have the relay where the set is close its log with a record that names another one."""
    replica = device.replica
    line = Line(device.net, replica)
    line.run(open_epoch(replica, line.link(), lambda _replica: (), relay=relay))


@pytest.fixture
def away(net: Network, tmp_path: Path) -> Iterator[tuple[Device, Device, RelayStore]]:
    """A set that has left the network's relay, which was told so, for another; phone and laptop are in it."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    other = RelayStore(tmp_path / "other.sqlite3", draw=lambda size: net.entropy.draw("other relay", size))
    net.clock.time += QUARTER
    _tell(phone, other.key.verify_key)
    with served_by(net, other):
        _bring(phone, other.key.verify_key)
    yield phone, laptop, other
    other.close()


def test_a_set_may_come_back(away: tuple[Device, Device, RelayStore]) -> None:
    """With everything from there; what the old relay still has of slots and logs is older, and harms nobody."""
    phone, laptop, other = away
    net = phone.net
    with served_by(net, other):
        laptop.sync()
        laptop.rotate()
        laptop.edit("ada", **{"notes/n": "there"})
        net.settle()
    home = net.relay.key.verify_key
    net.clock.time += QUARTER
    _bring(phone, home)
    phone.edit("ada", **{"notes/n": "home"})
    net.settle()
    assert phone.digest() == laptop.digest()
    assert phone.replica.chain.relay_key == laptop.replica.chain.relay_key == home


def test_who_was_out_before_it_left_does_not_bring_it_back(net: Network, tmp_path: Path) -> None:
    """His own records can stand there for a while, but no opening ends in them, and the set's own take their place."""
    phone = net.begin()
    thief = net.add(phone, "thief")
    net.settle()
    mine = copy_of(net, tmp_path / "thief.sqlite3")
    phone.open(Remove(thief.replica.member))
    other = RelayStore(tmp_path / "other.sqlite3", draw=lambda size: net.entropy.draw("other relay", size))
    net.clock.time += QUARTER
    _tell(phone, other.key.verify_key)
    with served_by(net, mine):
        thief.open()
    Line(net, None).run(seed_chain(thief.replica))
    replica = thief.replica
    line = Line(net, replica)
    with pytest.raises(Refused, match="was shown"):
        line.run(seed_state(replica, line.link()))
    _bring(phone, net.relay.key.verify_key)
    with pytest.raises(Refused, match="nothing of this set is missing"):
        Line(net, None).run(seed_chain(thief.replica))
    mine.close()
    other.close()
