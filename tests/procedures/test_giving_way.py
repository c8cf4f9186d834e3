"""SPEC 14.7 step 7: a relay that has lost everything is brought back by whoever comes first, and nobody freezes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import permutations
from pathlib import Path

import pytest

from e2esync.epoch.record import Flag, Remove
from e2esync.errors import DeviceRemoved, E2esyncError, ForkDetected, Refused
from e2esync.procedures.opening import announce
from e2esync.procedures.seeding import seed_chain, seed_state, show
from e2esync.procedures.sending import send
from e2esync.stores.relay import RelayStore
from tests.helpers.liar import copy_of, served_by
from tests.helpers.network import Device, Line, Network

QUARTER = 10**7


@pytest.fixture
def empty(net: Network, tmp_path: Path) -> Iterator[RelayStore]:
    """The relay as it was before there was a set: same key, another incarnation."""
    store = copy_of(net, tmp_path / "empty.sqlite3", restored=True)
    yield store
    store.close()


def bring(device: Device) -> None:
    """What `client.relocating.reseed` does, over the network's lines."""
    line = Line(device.net, None)
    try:
        waits = line.run(show(device.replica))
    except Refused:
        waits = True
    if waits:
        line.run(seed_chain(device.replica))
        replica = device.replica
        member = Line(device.net, replica)
        link = member.link()
        member.run(seed_state(replica, link))
        member.run(announce(replica, link))
        member.run(send(replica, link))


def come(device: Device) -> None:
    """A client's sync: where the relay lacks something, it is brought back first."""
    device.net.clock.time += QUARTER
    try:
        device.sync()
    except DeviceRemoved as error:
        if error.removal is not None:
            raise
    except (E2esyncError, ValueError):
        bring(device)
        device.sync()


def settled(*devices: Device) -> None:
    """Everybody comes until nothing moves; nobody has stopped writing, and all have one state."""
    for _round in range(3):
        for device in devices:
            come(device)
    assert not any(device.replica.frozen for device in devices)
    assert len({device.digest() for device in devices}) == 1
    assert len({device.replica.chain.head.hash for device in devices}) == 1


@pytest.fixture
def trio(empty: RelayStore, net: Network) -> tuple[Device, Device, Device]:
    """Phone, laptop and tablet in step, at a relay that was empty a moment ago."""
    assert empty is not net.relay
    phone = net.begin()
    laptop, tablet = net.add(phone, "laptop"), net.add(phone, "tablet")
    phone.edit("ada", **{"notes/n": "old"})
    net.settle()
    return phone, laptop, tablet


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("ahead", ["by entries", "by epochs"])
def test_whoever_comes_first(trio: tuple[Device, ...], empty: RelayStore, order: tuple[int, ...], ahead: str) -> None:
    """The phone was ahead when the relay lost everything; the tablet has seen half of that; all have unsent edits."""
    phone, _laptop, tablet = trio
    net = phone.net
    phone.edit("ada", **{"notes/n": "newer"})
    if ahead == "by epochs":
        phone.rotate()
    phone.sync()
    tablet.sync()
    phone.edit("bob", **{"notes/n": "newest"})
    if ahead == "by epochs":
        phone.rotate()
        phone.rotate()
    phone.sync()
    for device in trio:
        device.edit(f"unsent {device.name}", **{"notes/n": "x"})
    with served_by(net, empty):
        for place in order:
            come(trio[place])
        settled(*trio)
        for device in trio:
            assert device.registers("ada") == {"uid": "ada", "notes/n": "newer"}
            assert device.registers("bob") == {"uid": "bob", "notes/n": "newest"}
            assert all(device.registers(f"unsent {each.name}") for each in trio)


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two(net: Network, empty: RelayStore, order: tuple[int, ...]) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "old"})
    net.settle()
    phone.rotate()
    phone.edit("bob", **{"notes/n": "new"})
    phone.sync()
    with served_by(net, empty):
        for place in order:
            come((phone, laptop)[place])
        settled(phone, laptop)
        assert laptop.registers("bob") == {"uid": "bob", "notes/n": "new"}
        laptop.edit("bob", **{"notes/n": "later"})
        settled(phone, laptop)
        assert phone.registers("bob") == {"uid": "bob", "notes/n": "later"}


def test_what_a_device_wrote_that_never_comes_back(trio: tuple[Device, ...], empty: RelayStore) -> None:
    """The tablet is lost with the relay: what only the phone has of it, the phone gives to the others."""
    phone, laptop, tablet = trio
    tablet.edit("last", **{"notes/n": "words"})
    tablet.sync()
    phone.sync()
    with served_by(phone.net, empty):
        come(laptop)
        settled(phone, laptop)
        assert laptop.registers("last") == {"uid": "last", "notes/n": "words"}


def test_what_was_written_into_the_seed_by_a_device_that_never_comes_back(
    trio: tuple[Device, ...], empty: RelayStore,
) -> None:
    phone, laptop, tablet = trio
    phone.rotate()
    with served_by(phone.net, empty):
        come(laptop)
        come(tablet)
        tablet.edit("last", **{"notes/n": "words"})
        tablet.sync()
        laptop.sync()
        come(phone)
        settled(phone, laptop)
        assert phone.registers("last") == {"uid": "last", "notes/n": "words"}


def test_who_was_removed_meanwhile_reads_so(trio: tuple[Device, ...], empty: RelayStore) -> None:
    """It brought the set back in good faith; the record that removes it is older than that, and counts."""
    phone, laptop, tablet = trio
    phone.open(Remove(tablet.replica.member))
    with served_by(phone.net, empty):
        come(tablet)
        assert tablet.replica.chain.head.is_seed
        come(phone)
        settled(phone, laptop)
        with pytest.raises(DeviceRemoved) as removed:
            come(tablet)
        assert removed.value.removal is not None


def test_a_seed_on_which_members_changed_gives_way_to_nobody(trio: tuple[Device, ...], empty: RelayStore) -> None:
    """The laptop shuts the tablet out of the set that it brought back: no other branch undoes that."""
    phone, laptop, tablet = trio
    phone.rotate()
    with served_by(phone.net, empty):
        come(laptop)
        laptop.open(Remove(tablet.replica.member))
        come(phone)
        with pytest.raises(ForkDetected):
            laptop.sync()
        assert laptop.replica.frozen == ForkDetected.code
        assert tablet.replica.member not in laptop.replica.chain.members


def test_a_seed_is_flagged_and_leaves_key_number_and_horizon(trio: tuple[Device, ...], empty: RelayStore) -> None:
    phone, laptop, _tablet = trio
    before = laptop.replica.chain.numbers[laptop.replica.member]
    with served_by(phone.net, empty):
        come(laptop)
        record = laptop.replica.chain.head
        assert (record.flags, record.changes, record.relay) == (Flag.SEED, (), b"")
        assert record.numbers[laptop.replica.member] == before + 1


def test_a_branch_that_lacks_what_the_seed_began_from_is_a_fork(
    trio: tuple[Device, ...], empty: RelayStore, tmp_path: Path,
) -> None:
    """A relay hides the laptop's acknowledged edit from the phone, and plays dead to the laptop."""
    phone, laptop, _tablet = trio
    net = phone.net
    before = copy_of(net, tmp_path / "hidden.sqlite3")
    laptop.edit("mine", **{"notes/n": "acknowledged"})
    laptop.sync()
    with served_by(net, before):
        phone.rotate()
        phone.rotate()
    with served_by(net, empty):
        come(laptop)
    with closing(before), served_by(net, before), pytest.raises(ForkDetected):
        laptop.sync()
    assert laptop.replica.frozen == ForkDetected.code
    assert laptop.registers("mine") == {"uid": "mine", "notes/n": "acknowledged"}
