"""Undo, restore and the trash: everything comes back, as new operations, on one device and on the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2esync.card import read_vcards
from e2esync.client.book import Book
from e2esync.client.history import Trashed, differences, plan_untrash, trash
from e2esync.errors import NotFound
from tests.client.test_book import vcards
from tests.client.world import card

DAY = 86_400_000


class Clock:
    """A clock that goes on when a test says so."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000

    def __call__(self) -> int:
        self.time += 1
        return self.time


@pytest.fixture(autouse=True)
def clock(book: Book) -> Clock:
    """The book's clock."""
    clock = Clock()
    book.now = clock
    return clock


def everything(book: Book) -> dict[str, object]:
    """Every contact by its name, wherever its photos lie."""
    return {row.name: {path: value for path, value in book.registers(row.contact).items() if path[:6] != "blobs/"}
            for row in book.list()}


def load(book: Book, data: bytes, name: str = "import") -> None:
    book.apply(book.plan(read_vcards(data, salt=book.set_id)), name)


def undo(book: Book, step: int | None = None) -> None:
    book.carry_out(book.plan_undo(step))


def edit(book: Book) -> None:
    ada = book.find("Ada").contact
    book.update(ada, {**book.card(ada), "phones": {"p": {"number": "2"}}, "notes": {"n": {"note": "x"}}})


def delete(book: Book) -> None:
    book.remove([book.find("Ada").contact, book.find("Club").contact])


def bring_in(book: Book) -> None:
    load(book, vcards(60, photo=True))


@pytest.mark.parametrize("act", [edit, delete, bring_in, lambda book: book.add(card("New"))])
def test_undo_gives_back_what_was_and_undo_of_that_does_it_again(
    book: Book, act: Callable[[Book], object],
) -> None:
    ada = card("Ada", phones={"p": {"number": "1"}, "q": {"number": "7"}}, keywords={"Family": True})
    book.add(ada)
    book.add(card("Club", kind="group", members={"urn:Ada": True, "urn:elsewhere": True}))
    before = everything(book)
    act(book)
    after = everything(book)
    assert after != before
    undo(book)
    assert everything(book) == before
    redo = book.store.history.steps()[0].number
    undo(book, redo)
    assert everything(book) == after
    # And so the thing itself can be undone again, by default.
    undo(book)
    assert everything(book) == before


def test_photos_come_back_with_their_contacts(book: Book) -> None:
    load(book, vcards(1, photo=True))
    contact = book.list()[0].contact
    (digest,) = [path.removeprefix("blobs/") for path in book.registers(contact) if path.startswith("blobs/")]
    place = book.registers(contact)[f"blobs/{digest}"]
    book.remove([contact])
    undo(book)
    assert any(path.startswith("media/") for path in book.registers(contact))
    # Sealed again: nobody named the old blobs meanwhile.
    assert book.registers(contact)[f"blobs/{digest}"] != place
    assert book.media(digest) is not None


def test_what_was_changed_since_stays_and_is_named(book: Book) -> None:
    ada = book.add(card("Ada", phones={"p": {"number": "1"}}, notes={"n": {"note": "old"}}))
    book.update(ada, {**book.card(ada), "phones": {"p": {"number": "2"}}, "notes": {"n": {"note": "new"}}})
    step = book.store.history.steps()[0].number
    book.update(ada, {**book.card(ada), "phones": {"p": {"number": "3"}}})
    plan = book.plan_undo(step)
    assert plan.kept == ["Ada"]
    book.carry_out(plan)
    assert book.card(ada)["phones"] == {"p": {"number": "3"}}
    assert book.card(ada)["notes"] == {"n": {"note": "old"}}


def test_an_import_is_undone_but_for_what_was_edited_since(book: Book) -> None:
    load(book, vcards(3), "import phone.vcf")
    edited = book.find("c001").contact
    book.update(edited, {**book.card(edited), "notes": {"n": {"note": "mine"}}})
    step = next(row.number for row in book.store.history.steps() if row.name == "import phone.vcf")
    plan = book.plan_undo(step)
    assert (len(plan.gone), plan.kept, plan.name) == (2, ["c001"], "undo import phone.vcf")
    book.carry_out(plan)
    assert [row.name for row in book.list()] == ["c001"]


def test_undo_of_a_step_in_one_contact_only(book: Book) -> None:
    load(book, vcards(3))
    first = book.find("c000").contact
    book.carry_out(book.plan_undo(None, [first]))
    assert [row.name for row in book.list()] == ["c001", "c002"]


def test_what_cannot_be_undone(book: Book) -> None:
    with pytest.raises(NotFound):
        book.plan_undo()
    book.add(card("Ada"))
    step = book.store.history.steps()[0].number
    undo(book)
    with pytest.raises(NotFound):
        book.plan_undo()
    with pytest.raises(NotFound, match="undone already"):
        book.plan_undo(step)
    with pytest.raises(NotFound, match="no step"):
        book.plan_undo(99)


def test_an_edit_of_somebody_who_was_deleted_since(book: Book) -> None:
    ada = book.add(card("Ada"))
    book.update(ada, {**book.card(ada), "notes": {"n": {"note": "x"}}})
    step = book.store.history.steps()[0].number
    book.remove([ada])
    plan = book.plan_undo(step)
    assert (plan.empty, plan.kept) == (True, ["Ada"])


def test_the_book_as_it_was_at_any_time(book: Book, clock: Clock) -> None:
    moments: list[tuple[int, dict[str, object]]] = []

    def note() -> None:
        moments.append((clock.time, everything(book)))
        clock.time += DAY

    note()
    ada = book.add(card("Ada", phones={"p": {"number": "1"}}))
    note()
    edit(book)
    load(book, vcards(60))
    note()
    book.remove([row.contact for row in book.list()])
    note()
    book.add({**card("Ada"), "notes": {"n": {"note": "again"}}})
    note()
    book.remove([ada])
    note()
    for at, then in (*moments, *moments[::-1], *moments[::2]):
        book.carry_out(book.plan_restore(at))
        assert everything(book) == then
        clock.time += DAY


def test_restoring_some_contacts_only(book: Book, clock: Clock) -> None:
    ada, bob = book.add(card("Ada")), book.add(card("Bob"))
    at = clock.time
    book.remove([ada, bob])
    plan = book.plan_restore(at, [bob])
    assert [item.name for item in plan.back] == ["Bob"]
    book.carry_out(plan)
    assert list(everything(book)) == ["Bob"]
    assert book.plan_restore(clock.time).empty


def test_a_time_before_the_history(book: Book, clock: Clock) -> None:
    book.store.purge_history(clock.time + 40 * DAY)
    with pytest.raises(NotFound, match="does not know"):
        book.plan_restore(clock.time)


def test_the_trash(book: Book, clock: Clock) -> None:
    ada, bob = book.add(card("Ada")), book.add(card("Bob"))
    assert trash(book) == []
    book.remove([bob])
    book.remove([ada])
    assert trash(book) == [
        Trashed(ada, "Ada", "urn:Ada", clock.time, 1), Trashed(bob, "Bob", "urn:Bob", clock.time - 2, 1)]
    book.carry_out(plan_untrash(book, [ada]))
    assert [one.name for one in trash(book)] == ["Bob"]
    assert list(everything(book)) == ["Ada"]
    book.forget_deleted([bob])
    assert trash(book) == []
    assert book.plan_restore(clock.time - 5).back == []


def test_emptying_the_trash_takes_photos_along(book: Book) -> None:
    load(book, vcards(2, photo=True))
    first, second = (row.contact for row in book.list())
    digest = book.store.media_digests()[0]
    book.remove([first])
    book.forget_deleted([first])
    # The other contact has the same photo.
    assert book.media(digest) is not None
    book.remove([second])
    book.forget_deleted([second])
    assert book.media(digest) is None


def test_differences(book: Book, clock: Clock) -> None:
    ada = book.add(card("Ada", phones={"p": {"number": "1"}}))
    at = clock.time
    edit(book)
    (one,) = differences(book, at=at)
    assert (one.contact, one.name, one.before, one.after) == (ada, "Ada", True, True)
    assert one.values == {"phones/p": ({"number": "1"}, {"number": "2"}), "notes/n": (None, {"note": "x"})}
    (same,) = differences(book, step=book.store.history.steps()[0].number)
    assert same == one
    book.remove([ada])
    (gone,) = differences(book, step=book.store.history.steps()[0].number, contact=ada)
    assert (gone.before, gone.after, gone.values["uid"]) == (True, False, ("urn:Ada", None))
    assert differences(book, at=clock.time) == []


def test_several_writes_are_one_step(book: Book, clock: Clock) -> None:
    from e2esync.replica.history import Step

    with book.step(Step("label", clock())):
        ada = book.add(card("Ada"))
        book.remove([ada])
        book.add(card("Bob"))
    assert [(row.name, row.contacts) for row in book.store.history.steps()] == [("label", 2)]
    undo(book)
    assert everything(book) == {}


def test_a_step_that_fails_leaves_nothing(book: Book, clock: Clock) -> None:
    from e2esync.replica.history import Step

    def fail() -> None:
        with book.step(Step("label", clock())):
            book.add(card("Ada"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert book.store.history.steps() == []
    assert everything(book) == {}
    assert book.replica.step is None
