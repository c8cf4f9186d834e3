"""How a device comes into a set: it makes one, or it arrives where the chain has put it."""

from __future__ import annotations

import pytest

from e2esync.errors import Refused
from e2esync.procedures.founding import create
from e2esync.replica.founding import found
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Line, Network


def test_creating_again_after_a_lost_answer_is_no_second_set(net: Network) -> None:
    store = ProfileStore.memory().book(0)
    founding = found(store, net.kit.signing_key(0), net.kit.sealing_key(0), net.relay.key.verify_key, 5, net.entropy)
    for _again in range(2):
        Line(net, None).run(create(founding))


def test_another_set_of_the_same_kit_is_refused(net: Network) -> None:
    net.begin()
    store = ProfileStore.memory().book(0)
    founding = found(store, net.kit.signing_key(0), net.kit.sealing_key(0), net.relay.key.verify_key, 5, net.entropy)
    with pytest.raises(Refused, match="BadRecord"):
        Line(net, None).run(create(founding))


def test_a_newcomer_has_the_book_and_its_keys(net: Network) -> None:
    phone = net.begin()
    for n in range(30):
        phone.edit(f"c{n}", **{"notes/n": "x"})
    phone.sync()
    laptop = net.add(phone, "laptop")
    assert laptop.digest() == phone.digest()
    assert laptop.store.secret_numbers("epoch") == [1]
    assert laptop.store.secret_numbers("sealing") == [1, 2]
    assert laptop.registers("c7") == {"uid": "c7", "notes/n": "x"}
