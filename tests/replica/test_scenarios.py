"""Stories of several devices whose steps fall together badly, played message by message."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2esync.errors import CloneDetected, Unreachable
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.sending import send
from e2esync.procedures.syncing import sync
from e2esync.replica.contacts import contact_id
from e2esync.replica.history import NOBODY, read_before
from e2esync.replica.writing import write_batch
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Device, Line, Network, meanwhile

DAYS = 86_400_000


def _import(device: Device, cards: dict[str, dict[str, object]]) -> None:
    set_id = device.replica.set_id
    rows = sorted((contact_id(set_id, name, 0), {"uid": name, **values}) for name, values in cards.items())
    write_batch(device.replica, rows, device.net.clock(), device.net.entropy)


def _copy(net: Network, device: Device, folder: Path) -> Device:
    """The device's profile as a backup, or a thief, has it."""
    path = folder / "copy.sqlite3"
    device.profile._db.run(f"VACUUM INTO '{path}'")
    return Device(net, ProfileStore.open(path), "copy")


def test_s1_a_rotation_races_with_appends_in_flight(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    # The phone is caught up and has its opening ready; then the laptop writes, and hears nothing of it.
    net.clock.time += OPENINGS_INTERVAL
    replica = phone.replica
    line = Line(net, replica)
    link = line.link()
    line.run(sync(replica, link))
    laptop.edit("b21", **{"notes/n": "1"})
    with pytest.raises(Unreachable):
        laptop.sync(_frames_of_append(laptop) - 1)
    epoch = replica.position.epoch
    record = line.run(open_epoch(replica, link, lambda _replica: ()))
    assert record is not None
    # It read what it had not seen and closed behind it.
    assert (record.closes_seq, phone.registers("b21")) == (1, {"uid": "b21", "notes/n": "1"})
    # The laptop had two more under way.
    laptop.edit("b22", **{"notes/n": "2"})
    laptop.edit("b23", **{"notes/n": "3"})
    net.settle()
    for device in (phone, laptop):
        assert device.replica.position.epoch == epoch + 1
        assert [device.registers(name)["notes/n"] for name in ("b21", "b22", "b23")] == ["1", "2", "3"]
    assert phone.digest() == laptop.digest()
    # b21 had landed in the closed log and did not go out again.
    assert phone.replica.position.seq == 1
    assert phone.store.vector()[laptop.replica.member][0] == 2


def _frames_of_append(laptop: Device) -> int:
    """How many frames a sync has up to the answer of its append: two and two of the handshake, two of the append."""
    assert laptop.replica.position.seq == 0
    return 6


def test_s1_an_append_that_comes_to_a_closed_epoch_goes_out_in_the_next_one(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    replica, line, link = laptop.online()
    for n in range(20):
        laptop.edit(f"b{n}", **{"notes/n": str(n)})
    phone.edit("ada", **{"notes/n": "x"})
    phone.open()
    # More than one go of appends, all to the epoch that is closed by now.
    line.run(send(replica, link))
    net.settle()
    assert phone.digest() == laptop.digest()
    assert all(phone.registers(f"b{n}") == {"uid": f"b{n}", "notes/n": str(n)} for n in range(20))
    assert phone.conflicts("b0") == {}


def test_s1_both_want_to_open(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    replica, line, link = laptop.online()
    net.clock.time += OPENINGS_INTERVAL
    procedure = open_epoch(replica, link, lambda _replica: ())
    opened = line.run(meanwhile(procedure, phone.open))
    assert opened is not None
    line.run(announce(replica, link))
    net.settle()
    assert phone.replica.position == laptop.replica.position
    assert opened.epoch == phone.replica.position.epoch
    assert phone.digest() == laptop.digest()


def test_s3_a_laptop_asleep_over_five_epochs_with_fifty_edits(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    # A fifth of this book is more than the laptop changes: the guard (SPEC 14.9) has no part in this.
    for n in range(260):
        phone.edit(f"c{n}", **{"phones/a": "old", "notes/n": "old"})
    net.settle()
    laptop.open()
    net.settle()
    number = laptop.replica.chain.numbers[laptop.replica.member]
    asleep = laptop.replica.position.epoch
    for n in range(50):
        laptop.edit(f"c{n}", **{"notes/n": f"laptop {n}"})
    for epoch in range(5):
        phone.edit(f"c{epoch}", **{"notes/n": f"phone {epoch}"})
        phone.delete(f"c{40 + epoch}")
        phone.sync()
        net.clock.time += 31 * DAYS
        phone.open()
    assert phone.replica.position.epoch == asleep + 5
    # Sealed to the key that the laptop announced before it fell asleep, and has kept.
    assert phone.replica.chain.numbers[laptop.replica.member] == number + 1
    before = laptop.store.vector()[laptop.replica.member][0] if laptop.replica.member in laptop.store.vector() else 0
    laptop.sync()
    net.settle()
    assert phone.digest() == laptop.digest()
    # One entry of fifty edits, whose context is that of then, and one with the lives that had been purged.
    assert phone.store.vector()[laptop.replica.member][0] - before == 2
    for n in range(5):
        # A newer edit is a conflict, not a victim.
        shown = {phone.registers(f"c{n}")["notes/n"], *(c.value for c in phone.conflicts(f"c{n}")["notes/n"])}
        assert shown == {f"phone {n}", f"laptop {n}"}
    for n in range(5, 50):
        assert phone.registers(f"c{n}") == {"uid": f"c{n}", "phones/a": "old", "notes/n": f"laptop {n}"}
    assert all(phone.registers(f"c{n}") == laptop.registers(f"c{n}") for n in range(60))
    secrets = laptop.store.secret_numbers("epoch")
    assert secrets == [laptop.replica.position.epoch]
    assert min(laptop.store.secret_numbers("sealing")) == laptop.replica.chain.numbers[laptop.replica.member]


def test_s10_two_sponsors_add_two_devices_at_once(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    added: list[Device] = []

    def other() -> None:
        added.append(net.add(phone, "tablet"))

    from e2esync.crypto import SigningKey
    from e2esync.crypto.sealing import SealingKey
    from e2esync.epoch.record import make_add
    from e2esync.epoch.roles import Role

    net.clock.time += OPENINGS_INTERVAL
    replica, line, link = laptop.online()
    signing, sealing = SigningKey(net.entropy.draw("signing key", 32)), SealingKey.generate(net.entropy)
    add = make_add(signing, replica.set_id, replica.person, Role.OWNER, sealing.public)
    record = line.run(meanwhile(open_epoch(replica, link, lambda _replica: (add,)), other))
    line.run(announce(replica, link))
    assert record is not None
    (tablet,) = added
    indices = {m.verify_key: m.index for m in laptop.replica.chain.members.values()}
    assert indices[signing.verify_key] == tablet.replica.member + 1
    net.settle()
    assert len({device.digest() for device in net.devices}) == 1
    assert len({device.replica.position for device in net.devices}) == 1


# Whole lives.

def test_what_landed_and_was_deleted_since_does_not_come_back(net: Network) -> None:
    """Whoever deleted it had seen the edit; that the sleeper has not heard of it is no reason to send it again."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1", "notes/n": "x"})
    net.settle()
    laptop.edit("ada", **{"notes/n": "y"})
    laptop.sync()
    phone.sync()
    phone.delete("ada")
    for _month in range(3):
        phone.sync()
        net.clock.time += 31 * DAYS
        phone.open()
    net.settle()
    assert laptop.registers("ada") is None
    assert phone.registers("ada") is None


def test_an_imported_change_to_a_contact_that_was_purged_comes_back_whole(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1", "notes/n": "x"})
    net.settle()
    _import(laptop, {"ada": {"notes/n": "y"}, "bob": {"notes/n": "z"}})
    phone.delete("ada")
    for _month in range(3):
        phone.sync()
        net.clock.time += 31 * DAYS
        phone.open()
    net.settle()
    for device in (phone, laptop):
        assert device.registers("ada") == {"uid": "ada", "phones/a": "1", "notes/n": "y"}
        assert device.registers("bob") == {"uid": "bob", "notes/n": "z"}


def test_an_edit_of_mine_stays_shown_while_others_write_the_same_contact(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "1", "notes/n": "x"})
    net.settle()
    laptop.edit("ada", **{"notes/n": "mine"})
    for n in range(3):
        phone.edit("ada", **{"phones/a": str(n), "notes/n": f"theirs {n}"})
        phone.sync()
        replica = laptop.replica
        line = Line(net, replica)
        link = line.link()
        from e2esync.procedures.reading import catch_up

        line.run(catch_up(replica, link))
        assert laptop.registers("ada")["phones/a"] == str(n)
        shown = {laptop.registers("ada")["notes/n"], *(c.value for c in laptop.conflicts("ada")["notes/n"])}
        assert shown == {"mine", f"theirs {n}"}
        assert laptop.store.cards()[0].uid == "ada"
    net.settle()
    assert phone.registers("ada") == laptop.registers("ada")


def test_own_edits_stay_shown_when_the_log_is_cut_behind_them(net: Network) -> None:
    """A cut folds the epoch again; what this device wrote in it is shown all the time, and its history is kept once.

    What the cut took away is one change more: nobody can say afterwards that it was never there.
    """
    phone = net.begin()
    lost = net.add(phone, "lost")
    phone.edit("ada", **{"notes/n": "1"})
    net.settle()
    phone.edit("ada", **{"notes/n": "2"})
    net.settle()
    lost.edit("ada", **{"notes/n": "3"})
    lost.sync()
    phone.sync()
    history = phone.profile.book(0).history
    steps = history.steps()
    assert steps
    phone.remove(lost, lost=True)
    assert phone.registers("ada") == {"uid": "ada", "notes/n": "2"}
    newest, *older = history.steps()
    assert older == steps
    assert newest.author == NOBODY
    assert [read_before(row.before) for row in history.of_step(newest.number)] == [{"notes/n": ["3"]}]
    net.settle(phone)
    assert history.steps() == [newest, *steps]


# Clones.

@pytest.mark.parametrize("unsent", [True, False], ids=["with unsent edits", "without"])
@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_a_copied_profile_stops_writing_and_loses_nothing(
    net: Network, tmp_path: Path, unsent: bool, epochs: int,
) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "1"})
    net.settle()
    copy = _copy(net, laptop, tmp_path)
    try:
        laptop.edit("ada", **{"notes/n": "laptop"})
        laptop.sync()
        for _epoch in range(epochs):
            phone.open()
        if unsent:
            copy.edit("bob", **{"notes/n": "copy"})
        for _again in range(2):
            with pytest.raises(CloneDetected):
                copy.sync()
        assert copy.replica.frozen
        assert copy.registers("ada") == {"uid": "ada", "notes/n": "1"}
        assert copy.registers("bob") == ({"uid": "bob", "notes/n": "copy"} if unsent else None)
        with pytest.raises(CloneDetected):
            copy.open()
        net.settle()
        assert phone.registers("ada") == {"uid": "ada", "notes/n": "laptop"}
        assert phone.registers("bob") is None
        assert not laptop.replica.frozen
    finally:
        copy.profile.close()


def test_a_copy_that_announces_another_key(net: Network, tmp_path: Path) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    copy = _copy(net, laptop, tmp_path)
    try:
        phone.open()
        laptop.sync()
        with pytest.raises(CloneDetected):
            copy.sync()
        assert copy.replica.frozen
        net.settle()
        assert not laptop.replica.frozen
    finally:
        copy.profile.close()


def test_deleted_values_are_kept_for_undo(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "1"})
    net.settle()
    phone.edit("ada", **{"notes/n": "2"})
    phone.sync()
    phone.delete("ada")
    net.settle()
    history = laptop.profile.book(0).history
    assert [[read_before(row.before) for row in history.of_step(step.number)] for step in history.steps()] == [
        [{"notes/n": ["1"]}, {"notes/n": ["2"], "uid": ["ada"]}], [None]]


def test_a_box_that_does_not_open_is_asked_for_again(net: Network) -> None:
    """An opener that seals to a number which the laptop never announced: the next honest opening lets it in."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    laptop.edit("bob", **{"notes/n": "mine"})
    phone.open()
    laptop.store.erase_secrets("sealing", 10**6)
    from e2esync.errors import SnapshotInvalid

    for _again in range(2):
        with pytest.raises(SnapshotInvalid):
            laptop.sync()
    phone.open()
    net.settle()
    assert laptop.replica.position == phone.replica.position
    assert phone.registers("bob") == {"uid": "bob", "notes/n": "mine"}


