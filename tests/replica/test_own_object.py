"""The set's own object: names of the book and of its devices, encrypted like any contact, and never shown as one."""

from __future__ import annotations

import pytest

from e2esync.errors import BadCard
from e2esync.replica.own_object import book_name, device_names, name_book, name_device, own_registers
from e2esync.replica.port import OWN_OBJECT
from tests.helpers.network import Network


def test_names_reach_the_others_and_no_list(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    assert (own_registers(laptop.replica), book_name(laptop.replica), device_names(laptop.replica)) == ({}, "", {})
    name_book(phone.replica, "Family", 5)
    name_device(phone.replica, 1, "Phone", 5)
    name_device(laptop.replica, 2, "Läptop", 6)
    net.settle()
    for device in (phone, laptop):
        assert book_name(device.replica) == "Family"
        assert device_names(device.replica) == {1: "Phone", 2: "Läptop"}
        assert device.store.cards() == []
        assert device.store.contact(OWN_OBJECT) is not None
    assert phone.digest() == laptop.digest()


@pytest.mark.parametrize("name", ["", " \t", "x" * 65, "ä" * 33])
def test_names_that_are_none(net: Network, name: str) -> None:
    replica = net.begin().replica
    with pytest.raises(BadCard):
        name_book(replica, name, 5)
    with pytest.raises(BadCard):
        name_device(replica, 1, name, 5)
    assert own_registers(replica) == {}


def test_a_name_of_sixty_four_bytes(net: Network) -> None:
    replica = net.begin().replica
    name_book(replica, "ä" * 32, 5)
    assert book_name(replica) == "ä" * 32
