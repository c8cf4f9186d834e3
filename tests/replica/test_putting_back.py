"""replica.putting_back (SPEC 12.7): whatever happened since, the book shows what it showed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.contactset import view
from e2esync.replica.contacts import contact_id
from e2esync.replica.own_object import book_name, name_book
from e2esync.replica.putting_back import put_back
from e2esync.replica.writing import shown_state
from e2esync.stores.book import BookStore
from tests.helpers.network import Device, Network

NAMES = ("ada", "bob", "cleo")
EDITS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["name", "note", "delete"]), st.integers(0, 3)),
                 max_size=8)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    made = Network(tmp_path)
    yield made
    made.close()


def shows(device: Device, store: BookStore) -> dict[str, dict[str, object]]:
    """Everything that a store of the device's set shows."""
    found = {}
    for name in NAMES:
        state = shown_state(store, contact_id(device.replica.set_id, name, 0))
        shown = view(state) if state else None
        if shown is not None:
            found[name] = dict(shown.registers)
    return found


def edit(device: Device, edits: list[tuple[str, str, int]]) -> None:
    for name, what, value in edits:
        if what == "delete":
            device.delete(name)
        else:
            device.edit(name, **{what: {"full": str(value)} if what == "name" else str(value)})


@settings(max_examples=6, deadline=None)
@given(EDITS, EDITS, EDITS)
def test_it_shows_what_it_showed(before: list[tuple[str, str, int]], own: list[tuple[str, str, int]],
                                 others: list[tuple[str, str, int]]) -> None:
    with TemporaryDirectory() as folder:
        net = Network(Path(folder))
        phone = net.begin()
        laptop = net.add(phone, "laptop")
        edit(phone, before)
        net.settle()
        wanted = shows(phone, phone.store)
        # Another device of the same set keeps the past; it is not told of anything that comes.
        past = laptop.store
        edit(phone, own)
        third = net.add(phone, "third")
        edit(third, others)
        net.settle(phone, third)
        came, changed, went = put_back(phone.replica, past, net.clock())
        assert shows(phone, phone.store) == wanted
        assert came + changed + went <= len(NAMES)
        net.settle()
        assert shows(third, third.store) == shows(phone, phone.store) == wanted
        assert put_back(phone.replica, phone.store, net.clock()) == (0, 0, 0)
        net.close()


def test_the_sets_own_object_stays(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    name_book(phone.replica, "Old", net.clock())
    phone.edit("ada", name={"full": "Ada"})
    net.settle()
    name_book(phone.replica, "New", net.clock())
    phone.delete("ada")
    phone.sync()
    assert put_back(phone.replica, laptop.store, net.clock()) == (1, 0, 0)
    assert book_name(phone.replica) == "New"


def test_an_edit_that_it_did_not_see_is_merged_as_always(net: Network) -> None:
    phone = net.begin()
    laptop, old = net.add(phone, "laptop"), net.add(phone, "old")
    phone.edit("ada", name={"full": "Ada"}, note="a")
    net.settle()
    phone.edit("ada", note="b")
    phone.sync()
    laptop.edit("ada", nickname="adi")
    assert put_back(phone.replica, old.store, net.clock()) == (0, 1, 0)
    net.settle(phone, laptop)
    assert phone.registers("ada") == laptop.registers("ada")
    assert phone.registers("ada") == {"uid": "ada", "name": {"full": "Ada"}, "note": "a", "nickname": "adi"}
