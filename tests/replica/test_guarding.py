"""replica.guarding: what one author takes away by the hundred stays in view until a person decides (SPEC 14.9)."""

from __future__ import annotations

import pytest

from e2esync.limits import GUARD_CONTACTS, GUARD_PERIOD
from e2esync.replica.contacts import contact_id
from e2esync.replica.guarding import COUNTED, held, release
from e2esync.replica.writing import lay_over
from tests.helpers.network import Device, Network

MANY = [f"c{number}" for number in range(40)]
A_FEW = MANY[:8]
MOST = MANY[:36]


def fill(net: Network, *, size: int = 40) -> tuple[Device, Device]:
    """A phone and a laptop in step, with so many contacts."""
    phone = net.begin("phone")
    laptop = net.add(phone, "laptop")
    for name in MANY[:size]:
        phone.edit(name, **{"phones/p1": {"number": name}})
    net.settle()
    return phone, laptop


def shown(device: Device) -> list[str]:
    return [name for name in MANY if device.registers(name) is not None]


def names_held(device: Device) -> set[str]:
    ids = {contact_id(device.replica.set_id, name, 0): name for name in MANY}
    return {ids[one.contact] for one in held(device.store)}


def delete(device: Device, names: list[str]) -> None:
    for name in names:
        device.delete(name)
    device.sync()


def test_the_view_goes_on_showing_what_one_author_deletes_by_the_hundred(net: Network) -> None:
    phone, laptop = fill(net)
    before = laptop.registers("c3")
    delete(phone, MOST)
    laptop.sync()
    assert shown(laptop) == MANY
    assert laptop.registers("c3") == before
    assert names_held(laptop) == set(MOST)
    assert shown(phone) == MANY[36:]
    assert phone.digest() == laptop.digest(), "the shared state changes like everybody's"


def test_up_to_the_limit_everything_leaves_at_once(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, A_FEW)
    laptop.sync()
    assert shown(laptop) == MANY[8:]
    assert not names_held(laptop)


def test_few_of_a_small_book_are_no_matter(net: Network) -> None:
    phone, laptop = fill(net, size=GUARD_CONTACTS)
    delete(phone, MANY[:GUARD_CONTACTS])
    laptop.sync()
    assert shown(laptop) == []


def test_what_left_little_by_little_comes_back_into_view_when_it_is_too_much(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, A_FEW)
    laptop.sync()
    delete(phone, MANY[8:12])
    laptop.sync()
    assert shown(laptop) == MANY
    assert names_held(laptop) == set(MANY[:12])
    delete(phone, MANY[12:13])
    laptop.sync()
    assert shown(laptop) == MANY, "and one more stays too"


def test_on_another_day_it_is_counted_anew(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, A_FEW)
    laptop.sync()
    net.clock.time += GUARD_PERIOD
    delete(phone, MANY[8:15])
    laptop.sync()
    assert shown(laptop) == MANY[15:]
    assert not names_held(laptop)
    assert len(laptop.store.kept(COUNTED)) == 7


def test_a_mass_edit_is_held_as_a_mass_delete_is(net: Network) -> None:
    phone, laptop = fill(net)
    for name in MOST:
        phone.edit(name, **{"phones/p1": {"number": "666"}})
    net.settle()
    assert laptop.registers("c3") == {"uid": "c3", "phones/p1": {"number": "c3"}}
    assert names_held(laptop) == set(MOST)
    assert phone.digest() == laptop.digest()


def test_what_is_only_added_is_not_counted(net: Network) -> None:
    phone, laptop = fill(net)
    for name in MANY:
        phone.edit(name, **{"notes/n": {"note": "hello"}})
    net.settle()
    assert laptop.registers("c3") == phone.registers("c3")
    assert not laptop.store.kept(COUNTED)


def test_what_another_device_puts_back_is_held_no_longer(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, MOST)
    laptop.sync()
    for name in MOST:
        phone.edit(name, **{"phones/p1": {"number": name}})
    net.settle()
    assert not names_held(laptop)
    assert shown(laptop) == shown(phone) == MANY
    assert not laptop.store.overlaid()


def test_a_snapshot_is_counted_as_its_openers(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, MOST)
    phone.open()
    laptop.sync()
    assert shown(laptop) == MANY
    assert {one.author for one in held(laptop.store)} == {phone.replica.member}
    assert phone.digest() == laptop.digest()


@pytest.mark.parametrize("epochs", [1, 2])
def test_what_is_held_stays_over_openings_by_whomever(net: Network, epochs: int) -> None:
    phone, laptop = fill(net)
    delete(phone, MOST)
    laptop.sync()
    for _epoch in range(epochs):
        phone.open()
    laptop.sync()
    laptop.open()
    net.settle()
    assert shown(laptop) == MANY
    assert names_held(laptop) == set(MOST)
    assert phone.digest() == laptop.digest()


def test_an_edit_of_a_held_contact_brings_it_back_whole(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, MOST)
    laptop.sync()
    laptop.edit("c3", **{"notes/n": {"note": "mine"}})
    whole = {"uid": "c3", "phones/p1": {"number": "c3"}, "notes/n": {"note": "mine"}}
    assert laptop.registers("c3") == whole
    net.settle()
    assert phone.registers("c3") == laptop.registers("c3") == whole
    assert laptop.conflicts("c3") == {}
    assert names_held(laptop) == set(MOST) - {"c3"}


def test_a_deletion_of_a_held_contact_agrees(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, MOST)
    laptop.sync()
    laptop.delete("c3")
    assert laptop.registers("c3") is None
    net.settle()
    assert laptop.registers("c3") is None
    assert names_held(laptop) == set(MOST) - {"c3"}
    assert phone.digest() == laptop.digest()


def test_released_contacts_are_shown_as_everybody_has_them(net: Network) -> None:
    phone, laptop = fill(net)
    delete(phone, MOST)
    laptop.sync()
    contacts = [one.contact for one in held(laptop.store)]
    release(laptop.replica, contacts)
    lay_over(laptop.replica, contacts)
    assert shown(laptop) == shown(phone)
    assert not laptop.store.kept(COUNTED), "and what comes next is counted anew"


def test_own_edits_lie_over_what_is_held(net: Network) -> None:
    phone, laptop = fill(net)
    laptop.edit("c3", **{"notes/n": {"note": "mine"}})
    delete(phone, MOST)
    laptop.sync()
    assert laptop.registers("c3") is not None
    net.settle()
    assert shown(laptop) == MANY
    assert (laptop.registers("c3") or {})["notes/n"] == {"note": "mine"}
    assert phone.digest() == laptop.digest()


def test_a_device_is_its_own_master(net: Network) -> None:
    phone, _laptop = fill(net)
    delete(phone, MOST)
    net.settle()
    assert not phone.store.kept(COUNTED)
    assert shown(phone) == MANY[36:]
