"""The rows of the local history: steps, what they changed, what is gone, and how long it is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2esync.limits import HORIZON_AGE
from e2esync.stores.book import BookStore
from e2esync.stores.history import RETENTION, History
from e2esync.stores.profile import ProfileStore
from e2esync.wire import encode

ADA, BOB = b"a" * 16, b"b" * 16
DAY = 86_400_000


@pytest.fixture
def profile() -> Iterator[ProfileStore]:
    with ProfileStore.memory() as store:
        yield store


@pytest.fixture
def book(profile: ProfileStore) -> BookStore:
    return profile.book(0)


def fill(history: History) -> tuple[int, int]:
    first = history.begin_step("import", 1, 10 * DAY)
    history.add(first, [(ADA, b""), (BOB, b"")])
    second = history.begin_step("", 2, 20 * DAY)
    history.add(second, [(ADA, b"before"), (ADA, b"between")])
    return first, second


def test_steps_newest_first(book: BookStore) -> None:
    first, second = fill(book.history)
    assert [(row.number, row.name, row.author, row.contacts) for row in book.history.steps()] == [
        (second, "", 2, 1), (first, "import", 1, 2)]
    assert [row.number for row in book.history.steps(since=11 * DAY)] == [second]
    assert [row.number for row in book.history.steps(contact=BOB)] == [first]
    assert book.history.step(first) == book.history.steps()[1]
    assert book.history.step(99) is None


def test_changes_in_their_orders(book: BookStore) -> None:
    first, second = fill(book.history)
    assert [row.before for row in book.history.of_step(second)] == [b"before", b"between"]
    assert [row.before for row in book.history.of_contact(ADA)] == [b"", b"before", b"between"]
    assert [row.before for row in book.history.later(10 * DAY)] == [b"between", b"before"]
    assert len(book.history.later(0)) == 4
    assert [step.number for step, _rows in book.history.all_changes()] == [first, second]


def test_who_is_gone(book: BookStore) -> None:
    fill(book.history)
    # Nobody is in the index of names: Ada's last change says what she was, Bob's that he had not been there.
    assert [(row.contact, row.before) for row in book.history.gone()] == [(ADA, b"between")]


def test_what_undid_a_step(book: BookStore) -> None:
    first, second = fill(book.history)
    book.history.mark_undone(first, second)
    undone = book.history.undone_by(second)
    assert undone is not None
    assert (undone.number, undone.undone) == (first, second)
    book.history.mark_undone(first, 0)
    assert book.history.undone_by(second) is None


def test_old_steps_are_dropped(book: BookStore) -> None:
    first, second = fill(book.history)
    book.purge_history(39 * DAY)
    assert [row.number for row in book.history.steps()] == [second, first]
    book.purge_history(41 * DAY)
    assert [row.number for row in book.history.steps()] == [second]
    assert book.history.of_contact(BOB) == []


def test_the_setting_says_how_long(profile: ProfileStore, book: BookStore) -> None:
    fill(book.history)
    assert book.history.retention() == HORIZON_AGE
    profile.put_setting(RETENTION, encode(5 * DAY))
    book.purge_history(21 * DAY)
    assert [row.time for row in book.history.steps()] == [20 * DAY]


def test_how_far_back_it_reaches(book: BookStore) -> None:
    assert book.history.reaches() == 0
    book.purge_history(50 * DAY)
    assert book.history.reaches() == 50 * DAY
    book.purge_history(70 * DAY)
    assert book.history.reaches() == 50 * DAY
    book.purge_history(90 * DAY)
    assert book.history.reaches() == 60 * DAY


def test_forgetting_a_contact(book: BookStore) -> None:
    first, _second = fill(book.history)
    book.history.forget([ADA])
    assert [row.number for row in book.history.steps()] == [first]
    assert book.history.of_contact(ADA) == []


def test_two_books_have_two_histories(profile: ProfileStore) -> None:
    fill(profile.book(0).history)
    assert profile.book(1).history.steps() == []
    assert profile.book(1).history.gone() == []
