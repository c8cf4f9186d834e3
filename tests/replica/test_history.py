"""replica.history: what is kept of a change, and that every way in which something changes keeps it once."""

from __future__ import annotations

from e2esync.contactset import Contact, Group, Life, pack
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.replica.contacts import contact_id
from e2esync.replica.history import difference, read_before, told
from e2esync.replica.writing import write_batch
from tests.helpers.network import Device, Network


def state(*groups: Group) -> bytes:
    return pack(Contact([Life(1, list(groups))]))


OLD = state(Group(1, 1, 5, {"a": 1, "b": 2}))
NEW = state(Group(1, 1, 5, {"a": 1}), Group(1, 2, 6, {"b": 3, "c": 4}))
SPLIT = state(Group(1, 1, 5, {"a": 1}), Group(2, 1, 6, {"a": 9}))


def test_what_a_change_keeps() -> None:
    assert difference(OLD, OLD) is None
    assert difference(b"", b"") is None
    assert difference(b"", OLD) == b""
    kept = difference(OLD, NEW)
    assert kept is not None
    assert read_before(kept) == {"b": [2], "c": []}
    gone = difference(OLD, b"")
    assert gone is not None
    assert read_before(gone) == {"a": [1], "b": [2]}
    assert read_before(b"") is None


def test_values_that_lost_are_kept_with_the_one_shown() -> None:
    assert told(SPLIT) == {"a": [9, 1]}
    kept = difference(SPLIT, state(Group(3, 1, 7, {"a": 5})))
    assert kept is not None
    assert read_before(kept) == {"a": [9, 1]}


def test_a_state_that_looks_the_same_is_no_change() -> None:
    assert difference(OLD, state(Group(1, 1, 5, {"a": 1}), Group(1, 2, 6, {"b": 2}))) is None


def steps(device: Device) -> list[tuple[str, int, int]]:
    """(name, author, contacts) of a device's steps, oldest first."""
    return [(row.name, row.author, row.contacts) for row in reversed(device.profile.book(0).history.steps())]


def was(device: Device, contact: str) -> list[object]:
    """What a contact was before each of its changes, oldest first."""
    rows = device.profile.book(0).history.of_contact(contact_id(device.replica.set_id, contact, 0))
    return [read_before(row.before) for row in rows]


def test_own_edits_are_kept_at_once_and_not_again_when_they_land(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.edit("ada", **{"notes/n": "2"})
    here = was(phone, "ada")
    assert here == [None, {"notes/n": ["1"]}]
    assert steps(phone) == [("edit", 1, 1), ("edit", 1, 1)]
    phone.sync()
    phone.open()
    phone.sync()
    assert was(phone, "ada") == here


def test_an_import_is_kept_as_one_step(net: Network) -> None:
    phone = net.begin()
    phone.edit("c1", **{"notes/n": "1"})
    ids = sorted(contact_id(phone.replica.set_id, f"c{n}", 0) for n in range(5))
    write_batch(phone.replica, [(key, {"uid": "c", "notes/n": "x"}) for key in ids], net.clock(), net.entropy)
    assert steps(phone)[0] == ("edit", 1, 1)
    assert was(phone, "c1") == [None, {"notes/n": ["1"], "uid": ["c1"]}]
    assert was(phone, "c2") == [None]
    phone.sync()
    assert was(phone, "c1") == [None, {"notes/n": ["1"], "uid": ["c1"]}]


def test_what_another_device_did_is_one_step_of_its_author(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    for name in ("ada", "bob"):
        laptop.edit(name, **{"notes/n": "1"})
    laptop.sync()
    phone.sync()
    assert steps(phone) == [("", laptop.replica.member, 2)]
    laptop.delete("ada")
    laptop.edit("bob", **{"notes/n": "2"})
    laptop.sync()
    phone.sync()
    assert was(phone, "ada") == [None, {"notes/n": ["1"], "uid": ["ada"]}]
    assert was(phone, "bob") == [None, {"notes/n": ["1"]}]


def test_a_remote_change_under_an_own_edit(net: Network) -> None:
    """The own edit is shown; what the other device said meanwhile is a value that lost, or wins over it."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "1"})
    net.settle()
    phone.edit("ada", **{"notes/n": "phone"})
    laptop.edit("ada", **{"notes/n": "laptop", "notes/m": "more"})
    laptop.sync()
    phone.sync()
    assert phone.registers("ada") == {"uid": "ada", "notes/n": "laptop", "notes/m": "more"}
    assert was(phone, "ada")[-1] == {"notes/m": [], "notes/n": ["phone"], "uid": ["ada"]} or was(phone, "ada")[-1] == {
        "notes/m": [], "notes/n": ["phone"]}
    assert steps(phone)[-1] == ("", laptop.replica.member, 1)


def test_what_a_snapshot_brings_is_kept(net: Network) -> None:
    phone = net.begin()
    sleeper = net.add(phone, "sleeper")
    phone.edit("ada", **{"notes/n": "1"})
    phone.edit("bob", **{"notes/n": "1"})
    net.settle()
    before = steps(sleeper)
    phone.open()
    phone.delete("ada")
    phone.edit("bob", **{"notes/n": "2"})
    phone.sync()
    net.clock.time += OPENINGS_INTERVAL
    phone.open()
    sleeper.sync()
    assert sleeper.digest() == phone.digest()
    assert steps(sleeper) == [*before, ("", -1, 2)]
    assert was(sleeper, "ada")[-1] == {"notes/n": ["1"], "uid": ["ada"]}
    assert was(sleeper, "bob")[-1] == {"notes/n": ["1"]}


def test_what_was_there_on_arrival_is_no_change(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.sync()
    laptop = net.add(phone, "laptop")
    laptop.sync()
    assert laptop.registers("ada") is not None
    assert steps(laptop) == []
