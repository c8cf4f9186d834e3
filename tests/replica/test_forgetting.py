"""Forget (SPEC 14.4): what goes, when it is complete, and for whom."""

from __future__ import annotations

import pytest

from e2esync.crypto import Secret
from e2esync.epoch.roles import Role
from e2esync.errors import RightMissing
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.procedures.forgetting import forget as forget_procedure
from e2esync.replica.core import SEALING
from e2esync.replica.forgetting import Forgetting, clean_runs, forgetting, forgotten
from e2esync.replica.snapshots import settle
from tests.helpers.network import Device, Network


def forget(device: Device, *without: Device) -> int:
    """What `e2esync forget` does; returns the epoch."""
    device.net.clock.time += OPENINGS_INTERVAL
    replica, line, link = device.online()
    line.run(forget_procedure(replica, link, {other.replica.member for other in without}))
    return replica.position.epoch


def rounds(*devices: Device) -> None:
    """Everybody syncs, often enough for three epochs."""
    for device in devices * 4:
        device.sync()


def progress(device: Device) -> Forgetting:
    state = forgetting(device.replica)
    assert state is not None
    return state


def test_all_that_is_dead_goes_from_the_snapshot_and_from_undo(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("kept", name="Kept")
    phone.edit("gone", name="Gone")
    net.settle()
    phone.open()
    net.settle()
    phone.edit("kept", name="Renamed", **{"notes/n": "short-lived"})
    phone.edit("kept", **{"notes/n": None})
    phone.delete("gone")
    net.settle()
    assert phone.store.history.steps()
    assert laptop.store.history.steps()
    runs = laptop.store.runs()
    epoch = forget(phone)
    net.settle()
    for device in (phone, laptop):
        assert device.replica.position.epoch >= epoch
        assert device.store.history.steps() == []
        assert {row.contact for row in device.store.contacts() if not row.state} == set()
        assert not {run.index_id for run in device.store.runs()} & {run.index_id for run in runs}
        assert device.registers("kept") == {"uid": "kept", "name": "Renamed"}
        assert device.registers("gone") is None
    assert phone.digest() == laptop.digest()


def test_a_run_that_holds_nothing_superseded_stays(net: Network) -> None:
    phone = net.begin()
    for number in range(40):
        phone.edit(f"old {number}", name="x")
    phone.sync()
    phone.open()
    (old,) = phone.store.runs()
    phone.edit("new", name="y")
    phone.sync()
    phone.open()
    assert next(run.number for run in phone.store.runs()) == old.number
    phone.edit("new", name="z")
    forget(phone)
    first, second = phone.store.runs()
    assert (first.index_id, second.count) == (old.index_id, 1)
    # And one whose contact was touched does not.
    phone.edit("old 7", name="y")
    forget(phone)
    assert old.index_id not in {run.index_id for run in phone.store.runs()}
    assert clean_runs(phone.store, phone.store.runs(), settle(phone.store, 99).changes) == len(phone.store.runs())


def test_it_is_complete_when_all_have_said_so(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    epoch = forget(phone)
    state = progress(phone)
    assert (state.epoch, state.done, state.silent) == (epoch, {1}, {2})
    laptop.sync()
    phone.sync()
    assert forgetting(phone.replica) is None
    assert forgotten(phone.store) == epoch
    # The laptop's key in the flagged epoch was fresh already: no further epoch was needed.
    assert phone.replica.position.epoch == epoch


def test_s5_a_sleeper_is_not_done_before_it_was_sealed_to_a_fresh_key(net: Network) -> None:
    phone = net.begin()
    laptop, sleeper = net.add(phone, "laptop"), net.add(phone, "sleeper")
    net.settle()
    phone.open()
    laptop.sync()
    # The sleeper's key of epoch 2 serves for 3, 4 and the flagged one.
    phone.delete("x")
    epoch = forget(phone)
    number = phone.replica.chain.numbers[3]
    laptop.sync()
    phone.sync()
    assert progress(phone).silent == {3}
    assert progress(phone).done == {1, 2}
    sleeper.sync()
    assert sleeper.store.secret(SEALING, number) is not None
    phone.sync()
    # All that was missing was a fresh number: the phone has opened one more epoch by itself.
    assert phone.replica.position.epoch == epoch + 1
    assert phone.replica.chain.numbers[3] == number + 1
    assert forgetting(phone.replica) is not None
    sleeper.sync()
    assert sleeper.store.secret(SEALING, number) is None
    phone.sync()
    assert (forgetting(phone.replica), forgotten(phone.store)) == (None, epoch)


def test_nobody_opens_for_the_ready_while_others_are_silent(net: Network) -> None:
    phone = net.begin()
    one, other = net.add(phone, "one"), net.add(phone, "other")
    net.settle()
    phone.open()
    epoch = forget(phone)
    one.sync()
    phone.sync()
    state = progress(phone)
    assert (state.ready, state.silent) == ({2}, {3})
    assert phone.replica.position.epoch == epoch
    # Whoever is removed is waited for no more.
    without = forget(phone, other)
    rounds(phone, one)
    assert forgotten(phone.store) == without


def test_another_owner_sees_it_through_when_its_opener_has_left(net: Network) -> None:
    phone = net.begin()
    laptop, sleeper = net.add(phone, "laptop"), net.add(phone, "sleeper")
    net.settle()
    phone.open()
    epoch = forget(phone)
    laptop.remove(phone)
    sleeper.sync()
    rounds(laptop, sleeper)
    assert forgotten(laptop.store) == epoch


def test_who_may_not_sign_it(net: Network) -> None:
    phone = net.begin()
    writer = net.add(phone, "writer", Role.WRITER)
    net.settle()
    with pytest.raises(RightMissing):
        forget(writer)


def test_what_could_not_be_read_goes_with_its_contact(net: Network) -> None:
    phone = net.begin()
    phone.edit("urn:gone", name="Gone")
    phone.edit("urn:kept", name="Kept")
    for uid in ("urn:gone", "urn:kept"):
        phone.profile.quarantine("x.vcf", f"BEGIN:VCARD\nUID:{uid}\nbroken".encode(), "no end", 1)
    phone.sync()
    phone.profile.settle()
    phone.delete("urn:gone")
    forget(phone)
    assert [card.raw for card in phone.profile.quarantined()] == [b"BEGIN:VCARD\nUID:urn:kept\nbroken"]


def test_media_that_no_contact_names_go(net: Network) -> None:
    phone = net.begin()
    for name, digest in (("gone", "aa"), ("kept", "bb")):
        phone.edit(name, **{f"blobs/{digest}": {"keys": [bytes(32)], "parts": [bytes(32)]}})
        phone.store.put_media(digest, digest.encode())
    phone.sync()
    phone.edit("unsent", **{"blobs/cc": {"keys": [bytes(32)], "parts": [bytes(32)]}})
    phone.store.put_media("cc", b"cc")
    phone.delete("gone")
    phone.store.forget()
    assert phone.store.media_digests() == ["bb", "cc"]
    assert isinstance(phone.store.secret(SEALING, phone.replica.chain.numbers[1]), Secret)
