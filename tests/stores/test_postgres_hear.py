"""`postgres_hear`: what others did is told whole and in order, all sets in a few statements or set by set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2esync.session import messages as m
from e2esync.session.commands import Attend, Attention, Change
from e2esync.stores.postgres import PostgresStore
from e2esync.stores.relay_batch import Delayed, EpochOpened, Logged, Mailed, SlotChanged
from tests.helpers.postgres import Server
from tests.session.world import NOW, Book, blob_of


@pytest.fixture(params=["", "&batch=set"])
def stores(postgres: Server, request: pytest.FixtureRequest) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """A process that listens, and one that writes."""
    url = postgres.database()
    with PostgresStore(url + request.param) as listener, PostgresStore(url) as writer:
        yield listener, writer


def books(writer: PostgresStore, listener: PostgresStore, count: int = 3) -> list[Book]:
    """Sets that the listener knows as they are."""
    made = [Book(writer.key.verify_key, seed=f"set {number}") for number in range(count)]
    for book in made:
        writer.execute([Change(b"", 0, 1, book.create())], NOW)
    listener.hear([book.set_id for book in made], NOW)
    return made


def effects(listener: PostgresStore, made: list[Book]) -> list[Any]:
    return [news.effect for news in listener.hear([book.set_id for book in made], NOW).news]


def test_each_sets_log_in_order_and_once(stores: tuple[PostgresStore, PostgresStore]) -> None:
    listener, writer = stores
    made = books(writer, listener)
    sent = [Change(book.set_id, 1, 1, book.append()) for _ in range(3) for book in made[:2]]
    writer.execute(sent, NOW)
    heard = effects(listener, made)
    for book in made:
        own = [each for each in heard if each.set_id == book.set_id]
        assert [each.seq for each in own] == ([1, 2, 3] if book is not made[2] else [])
        assert [each.envelope for each in own] == [
            each.request.envelope for each in sent if each.set_id == book.set_id]  # type: ignore[union-attr]
    assert effects(listener, made) == []


def test_slots_and_logs_and_an_epoch_between(stores: tuple[PostgresStore, PostgresStore]) -> None:
    listener, writer = stores
    (book,) = books(writer, listener, 1)

    def do(request: Any, member: int = 1) -> Any:
        return writer.execute([Change(book.set_id, member, 1, request)], NOW).outcomes[0].result

    last = book.append()
    assert do(last).seq == 1
    book.landed(last.envelope)
    do(m.PutSlot(book.announcement(2), b""), 2)
    name, data = blob_of(b"manifest")
    do(m.PutBlob(name, len(data), 0, data))
    opening, record = book.open(1, manifest=name)
    assert isinstance(do(opening), m.Opened)
    book.opened(record)
    assert do(book.append()).seq == 1
    heard = effects(listener, [book])
    assert [(each.epoch, each.seq) for each in heard if isinstance(each, Logged)] == [(0, 1), (1, 1)]
    (opened,) = [each for each in heard if isinstance(each, EpochOpened)]
    assert opened.record == record.raw
    # The old log comes before the record that closes it.
    assert heard.index(opened) == 1
    assert 2 in [each.member for each in heard if isinstance(each, SlotChanged)]


def test_a_hold_is_heard_with_the_rest(stores: tuple[PostgresStore, PostgresStore]) -> None:
    listener, writer = stores
    made = books(writer, listener)
    writer.execute([Change(book.set_id, 1, 1, book.append()) for book in made], NOW)
    writer.execute([Attend(made[0].set_id, 0, Attention.CAME)], NOW)
    effects(listener, made)
    outcomes = listener.execute([Change(book.set_id, 1, 1, book.append()) for book in made], NOW).outcomes
    assert [isinstance(outcome.effect, Delayed) for outcome in outcomes] == [True, False, False]


def test_strange_sets_and_damaged_ones_keep_nobody_from_hearing(stores: tuple[PostgresStore, PostgresStore]) -> None:
    listener, writer = stores
    made = books(writer, listener)
    writer.execute([Change(book.set_id, 1, 1, book.append()) for book in made], NOW)
    assert writer._writing is not None
    writer._writing.execute("UPDATE records SET record = '\\x00' WHERE owner = %s", (made[0].set_id,))
    listener._views.clear()
    heard = listener.hear([b"?" * 32, *(book.set_id for book in made)], NOW).news
    assert {news.effect.set_id for news in heard} == {book.set_id for book in made[1:]}  # type: ignore[union-attr]


def test_mail_is_told_from_the_beginning(stores: tuple[PostgresStore, PostgresStore]) -> None:
    listener, writer = stores
    box = b"mailbox." * 2
    side = m.UseMailbox(box, 0, b"t" * 16)
    writer.execute([Change(b"", 0, 1, side, side)], NOW)
    writer.execute([Change(b"", 0, 1, m.Mail(0, b"hello"), side)], NOW)
    assert [news.effect for news in listener.hear([box], NOW).news] == [Mailed(box, 0, 0, b"hello")]
