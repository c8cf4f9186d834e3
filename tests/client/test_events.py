"""client.events and conflicts that a program settles."""

from __future__ import annotations

import pytest

from e2esync.client.book import Book
from e2esync.contactset import Contact, Group, Life, contact_hash, pack
from e2esync.errors import NotFound
from e2esync.replica.port import DIRTY, ContactRow
from tests.client.world import card


def disagree(book: Book, contact: bytes, path: str, *values: object) -> None:
    """Have devices 2, 3, … say different things of a contact; the last one is shown."""
    first = {**book.registers(contact), path: values[0]}
    groups = [Group(2, 1, 1, first), *(Group(n, 1, n, {path: value}) for n, value in enumerate(values[1:], start=3))]
    for group in groups:
        book.store.put_vector(group.member, 1, bytes(32))
    state = pack(Contact([Life(1, groups)]))
    book.store.clear_overlay()
    book.store.put_contacts([ContactRow(contact, state, contact_hash(contact, state), DIRTY, unsettled=False)])
    book.store.mark_shown([contact])


def test_added_changed_deleted(book: Book) -> None:
    ada = book.add(card("Ada"))
    book.update(ada, {**book.card(ada), "notes": {"n": {"note": "x"}}})
    book.remove([ada])
    found = book.events()
    assert [(event.kind, event.name, event.author) for event in found] == [
        ("added", "Ada", 1), ("changed", "Ada", 1), ("deleted", "Ada", 1)]
    assert found[1].paths == ("notes/n",)
    assert found[0].number < found[1].number < found[2].number
    assert book.events(after=found[1].number) == found[2:]
    assert book.events(after=found[2].number) == []


def test_a_contact_that_comes_and_goes(book: Book) -> None:
    ada = book.add(card("Ada"))
    book.remove([ada])
    book.add(card("Ada"))
    assert [event.kind for event in book.events()] == ["added", "deleted", "added"]


def test_an_event_names_conflicts_and_resolving_settles_them(book: Book) -> None:
    ada = book.add(card("Ada"))
    disagree(book, ada, "notes/n", {"note": "one"}, {"note": "two"}, {"note": "three"})
    (event,) = book.events()
    assert event.conflicts == ("notes/n",)
    with pytest.raises(NotFound):
        book.resolve(ada, "notes/n", 3)
    with pytest.raises(NotFound):
        book.resolve(ada, "name", 0)
    book.resolve(ada, "notes/n", 2)
    assert book.registers(ada)["notes/n"] == {"note": "one"}
    assert book.conflicts(ada) == {}
    assert book.events(after=event.number)[0].paths == ("notes/n",)
    assert book.store.history.steps()[0].name == "resolve"


def test_keeping_what_is_shown(book: Book) -> None:
    ada = book.add(card("Ada"))
    disagree(book, ada, "notes/n", {"note": "one"}, {"note": "two"})
    book.resolve(ada, "notes/n", 0)
    assert book.registers(ada)["notes/n"] == {"note": "two"}
    assert book.conflicts(ada) == {}
