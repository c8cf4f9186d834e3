"""The follower tells of everything once, and settles what it knows to settle."""

from __future__ import annotations

from e2esync import Book
from tests.client.conftest import book  # noqa: F401
from tests.client.test_events import disagree
from tests.client.world import card

from .follower import Follower


def test_a_follower_tells_and_settles(book: Book) -> None:  # noqa: F811
    said: list[str] = []
    follower = Follower(book, said.append)
    ada = book.add(card("Ada"))
    follower.look()
    book.update(ada, {**book.card(ada), "phones": {"p": {"number": "1"}}})
    follower.look("sent")
    follower.look("received")
    assert said == ["added Ada", "changed Ada"]
    disagree(book, ada, "notes/n", {"note": "a longer note"}, {"note": "short"})
    again = Follower(book, said.append, last=follower.last - 1)
    again.look("connected")
    assert said[2:] == ["changed Ada", "settled notes/n of Ada"]
    assert book.registers(ada)["notes/n"] == {"note": "a longer note"}
    assert book.conflicts(ada) == {}
