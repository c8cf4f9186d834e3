"""`relay_batch`: what the commands of one transaction share, what they know of sets, and when that becomes known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Batch, BatchResult, Known, Logged, News, Outcome, Views
from e2esync.stores.relay_rows import SqliteRows
from tests.session.world import NOW, Book
from tests.stores.relays import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "relay")
    yield made
    made.store.close()


def batch(place: Place, views: Views | None = None) -> Batch:
    return Batch(place.store._rows, views or Views(), place.store._identity, NOW)


def longer(known: Known, by: int) -> Known:
    return replace(known, view=replace(known.view, seq=known.view.seq + by, log_hash=bytes([by]) * 32))


def test_what_is_known_is_bounded_and_the_longest_unused_goes_first(place: Place) -> None:
    books = [place.book, *(Book(place.book.relay_key, seed=str(number)) for number in range(2))]
    for book in books[1:]:
        assert place.visit(book.create()) == m.Created(book.set_id)
    views = Views(size=2)
    asked: list[bytes] = []

    class Counted(SqliteRows):
        def find_set(self, set_id: bytes) -> object:  # type: ignore[override]
            asked.append(set_id)
            return super().find_set(set_id)

    rows = Counted(place.store._writer)
    for index in (0, 1, 0, 2, 0, 1):
        assert views.get(rows, books[index].set_id) is not None
    assert asked == [books[index].set_id for index in (0, 1, 2, 1)]
    views.forget(books[1].set_id)
    views.get(rows, books[1].set_id)
    assert asked[4:] == [books[1].set_id]
    assert views.get(rows, b"?" * 32) is None


def test_a_command_sees_what_the_one_before_it_did_and_nobody_else_does(place: Place) -> None:
    views = Views()
    running = batch(place, views)
    known = running.member(place.book.set_id, 1)
    running.update(known, longer(known, 1).view)
    assert running.member(place.book.set_id, 1).view.seq == 1
    assert batch(place, views).member(place.book.set_id, 1).view.seq == 0
    running.flush()
    running.commit()
    after = batch(place, views).member(place.book.set_id, 1)
    assert (after.view.seq, after.version) == (1, known.version + 1)
    row = place.store._rows.find_set(place.book.set_id)
    assert row is not None
    # What is stored is what is remembered, the version too: another process would compare it.
    assert (row.seq, row.log_hash, row.version) == (1, after.view.log_hash, after.version)


def test_a_set_is_written_once_however_many_commands_changed_it(place: Place) -> None:
    running = batch(place)
    known = running.member(place.book.set_id, 1)
    for by in (1, 2, 3):
        running.update(known, longer(known, by).view)
    running.flush()
    row = place.store._rows.find_set(place.book.set_id)
    assert row is not None
    assert (row.seq, row.version) == (3, known.version + 1)


def test_one_head_for_each_set_and_epoch_of_the_last_position(place: Place) -> None:
    running = batch(place)
    known = running.member(place.book.set_id, 1)
    for by in (1, 2):
        running.appended(longer(known, by).view)
    running.appended(replace(known.view, epoch=1, seq=9))
    heads = running.heads()
    assert {key[1]: head.seq for key, head in heads.items()} == {0: 2, 1: 9}
    assert all(head.time == NOW for head in heads.values())


def test_who_is_no_member_is_told_what_a_stranger_is_told(place: Place) -> None:
    for set_id, member in ((place.book.set_id, 9), (b"?" * 32, 1)):
        with pytest.raises(Declined) as caught:
            batch(place).member(set_id, member)
        assert caught.value.answer().code is Refusal.NOT_MEMBER


def test_a_damaged_chain_is_busy_for_everybody(place: Place) -> None:
    place.store._writer.execute("UPDATE records SET record = x'90'")
    with pytest.raises(Declined) as caught:
        batch(place).find(place.book.set_id)
    assert caught.value.answer().code is Refusal.BUSY


def test_news_come_before_what_a_later_result_did() -> None:
    first, second = (News(Logged(b"s" * 32, 0, seq, b"", 1, 1)) for seq in (1, 2))
    done = Outcome(m.Pong())
    result = BatchResult([], {}, [first]).then(BatchResult([done], {}, [second]))
    assert (list(result.outcomes), list(result.news)) == ([done], [first, second])
