"""Replicas through a real relay store: what people see after edits, races, lost answers and long absences."""

from __future__ import annotations

import contextlib

import pytest

from e2esync.epoch.roles import Role
from e2esync.errors import DeviceRemoved, ReadOnly, Refused, RollbackDetected, Unreachable
from tests.helpers.network import Network


def test_an_edit_reaches_the_other_device(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": {"number": "1"}})
    net.settle()
    assert laptop.registers("ada") == {"uid": "ada", "phones/a": {"number": "1"}}
    assert phone.digest() == laptop.digest()


def test_an_unsent_edit_is_shown_at_once_and_survives_a_lost_line(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    phone.edit("ada", name={"full": "Ada"})
    assert phone.registers("ada") == {"uid": "ada", "name": {"full": "Ada"}}
    # Cut after every possible frame: an edit whose acknowledgement was lost must land exactly once.
    for frames in range(2, 12):
        with contextlib.suppress(Unreachable):
            phone.sync(frames)
    phone.sync()
    assert phone.replica.position.seq == 1
    assert phone.registers("ada") == {"uid": "ada", "name": {"full": "Ada"}}


def test_concurrent_edits_of_different_registers_merge(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1", "notes/n": "old"})
    net.settle()
    phone.edit("ada", **{"phones/a": "2"})
    laptop.edit("ada", **{"notes/n": "new"})
    net.settle()
    for device in (phone, laptop):
        assert device.registers("ada") == {"uid": "ada", "phones/a": "2", "notes/n": "new"}
        assert device.conflicts("ada") == {}


def test_concurrent_edits_of_one_register_are_a_conflict_on_both(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1"})
    net.settle()
    phone.edit("ada", **{"phones/a": "2"})
    laptop.edit("ada", **{"phones/a": "3"})
    net.settle()
    assert phone.registers("ada") == laptop.registers("ada") == {"uid": "ada", "phones/a": "3"}
    assert [c.value for c in phone.conflicts("ada")["phones/a"]] == ["2"]
    phone.edit("ada", **{"phones/a": "4"})
    net.settle()
    assert laptop.registers("ada") == {"uid": "ada", "phones/a": "4"}
    assert laptop.conflicts("ada") == {}


def test_an_edit_against_a_delete_brings_the_whole_contact_back(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1", "notes/n": "x"})
    net.settle()
    phone.delete("ada")
    laptop.edit("ada", **{"notes/n": "y"})
    phone.sync()
    net.settle()
    for device in (phone, laptop):
        assert device.registers("ada") == {"uid": "ada", "phones/a": "1", "notes/n": "y"}


def test_created_and_deleted_before_it_was_sent_stays_deleted(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "x"})
    phone.delete("ada")
    assert phone.registers("ada") is None
    net.settle()
    assert phone.registers("ada") is None
    assert laptop.registers("ada") is None


def test_a_device_away_for_many_epochs_sends_all_edits_once(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    for n in range(30):
        phone.edit(f"c{n}", **{"notes/n": "x"})
    net.settle()
    for n in range(10):
        laptop.edit(f"c{n}", **{"notes/n": "laptop"})
    laptop.edit("new", **{"notes/n": "laptop"})
    for n in range(5, 15):
        phone.edit(f"c{n}", **{"phones/a": str(n)})
        phone.open()
    phone.delete("c0")
    phone.sync()
    phone.open()
    net.settle()
    assert phone.digest() == laptop.digest()
    # c0 was deleted by somebody who had not seen the laptop's edit: it is back, whole.
    assert phone.registers("c0") == {"uid": "c0", "notes/n": "laptop"}
    assert phone.registers("c7") == {"uid": "c7", "notes/n": "laptop", "phones/a": "7"}
    assert phone.registers("new") == {"uid": "new", "notes/n": "laptop"}
    assert all(phone.registers(f"c{n}") == laptop.registers(f"c{n}") for n in range(30))


def test_an_edit_to_a_contact_that_was_purged_meanwhile_comes_back_whole(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1", "notes/n": "x"})
    net.settle()
    laptop.edit("ada", **{"notes/n": "y"})
    phone.delete("ada")
    phone.sync()
    for _days in range(3):
        net.clock.time += 31 * 86_400_000
        phone.open()
    assert phone.registers("ada") is None
    net.settle()
    for device in (phone, laptop):
        assert device.registers("ada") == {"uid": "ada", "phones/a": "1", "notes/n": "y"}


def test_a_removed_device_gets_nothing_more(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    tablet = net.add(phone, "tablet")
    net.settle()
    phone.remove(laptop)
    phone.edit("ada", **{"notes/n": "x"})
    net.settle(phone, tablet)
    assert tablet.registers("ada") is not None
    laptop.edit("bob", **{"notes/n": "x"})
    with pytest.raises(DeviceRemoved):
        laptop.sync()
    net.settle(phone, tablet)
    assert phone.registers("bob") is None


def test_a_reader_writes_nothing(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = net.begin()
    reader = net.add(phone, "child", Role.READER)
    phone.edit("ada", **{"notes/n": "x"})
    net.settle(phone)
    reader.sync()
    assert reader.registers("ada") is not None
    with pytest.raises(ReadOnly):
        reader.edit("bob", **{"notes/n": "x"})
    assert reader.store.pending() == []
    # A client that does not look at its own role is refused by the relay.
    monkeypatch.setattr("e2esync.replica.writing.check_may_write", lambda _replica: None)
    reader.edit("bob", **{"notes/n": "x"})
    with pytest.raises(Refused):
        reader.sync()
    net.settle(phone)
    assert phone.registers("bob") is None


def test_an_older_head_is_a_rollback_and_changes_nothing(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "x"})
    phone.sync()
    replica = phone.replica
    before = phone.digest()
    from e2esync.replica.reading import check_welcome
    from tests.helpers.network import Line

    head = Line(net, replica).head
    assert head is not None
    from dataclasses import replace

    with pytest.raises(RollbackDetected):
        check_welcome(replica, replace(head, seq=0))
    assert phone.digest() == before


def test_a_rotation_replaces_the_signing_key_and_what_was_unsent_lands(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    old = phone.replica.signing_key
    phone.rotate()
    assert phone.replica.signing_key.verify_key != old.verify_key
    phone.edit("ada", **{"notes/n": "x"})
    net.settle()
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "x"}
    assert phone.digest() == laptop.digest()


def test_the_log_can_be_cut_before_what_a_removed_device_wrote_last(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    tablet = net.add(phone, "tablet")
    phone.edit("ada", **{"notes/n": "phone"})
    net.settle()
    laptop.edit("ada", **{"notes/n": "thief"})
    laptop.edit("eve", **{"notes/n": "thief"})
    laptop.sync()
    tablet.sync()
    assert tablet.registers("eve") is not None
    phone.remove(laptop, lost=True)
    net.settle(phone, tablet)
    for device in (phone, tablet):
        assert device.registers("ada") == {"uid": "ada", "notes/n": "phone"}
        assert device.registers("eve") is None
    assert phone.digest() == tablet.digest()


def test_the_kit_alone_brings_everything_back_and_shuts_the_thief_out(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "x"})
    net.settle()
    # The thief has the phone, unlocked, and revokes everybody else.
    phone.remove(laptop)
    phone.edit("eve", **{"notes/n": "thief"})
    phone.sync()
    rescued = net.recover("new phone", remove=[phone])
    assert rescued.registers("ada") == {"uid": "ada", "notes/n": "x"}
    phone.edit("mallory", **{"notes/n": "thief"})
    with pytest.raises(DeviceRemoved):
        phone.sync()
    rescued.edit("bob", **{"notes/n": "y"})
    tablet = net.add(rescued, "tablet")
    net.settle(rescued, tablet)
    assert tablet.registers("bob") == {"uid": "bob", "notes/n": "y"}
    assert tablet.registers("mallory") is None
    assert rescued.digest() == tablet.digest()


def test_the_kit_restores_a_book_that_never_had_a_second_epoch(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "x"})
    phone.sync()
    rescued = net.recover("new phone")
    assert rescued.registers("ada") == {"uid": "ada", "notes/n": "x"}
    phone.edit("ada", **{"notes/n": "z"})
    net.settle(phone, rescued)
    assert rescued.registers("ada") == phone.registers("ada") == {"uid": "ada", "notes/n": "z"}
