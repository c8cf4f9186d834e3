"""`postgres_append`: appends of many sets in one statement; who is behind looks again, and nothing is there twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2esync.session import messages as m
from e2esync.session.commands import Change, Consult
from e2esync.stores import postgres_append
from e2esync.stores.postgres import PostgresStore
from tests.helpers.postgres import Server
from tests.session.world import NOW, Book

SETS = 5


@pytest.fixture
def stores(postgres: Server) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two relay processes on one database."""
    url = postgres.database()
    with PostgresStore(url) as one, PostgresStore(url) as other:
        yield one, other


def made(store: PostgresStore) -> list[Book]:
    books = [Book(store.key.verify_key, seed=f"set {number}") for number in range(SETS)]
    for book in books:
        store.execute([Change(b"", 0, 1, book.create())], NOW)
    return books


def appends(books: list[Book], count: int = 1) -> list[Change]:
    return [Change(book.set_id, 1, 1, book.append()) for _ in range(count) for book in books]


def seqs(store: PostgresStore, commands: list[Change]) -> list[Any]:
    return [outcome.result.seq if isinstance(outcome.result, m.Appended) else outcome.result
            for outcome in store.execute(commands, NOW).outcomes]


def statements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sets each statement was about."""
    counted: list[int] = []
    real = postgres_append._store

    def store_counted(connection: Any, sender: str, plans: Any) -> Any:
        counted.append(len(plans))
        return real(connection, sender, plans)

    monkeypatch.setattr(postgres_append, "_store", store_counted)
    return counted


def test_all_sets_in_one_statement(
    stores: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, _ = stores
    books = made(one)
    counted = statements(monkeypatch)
    assert seqs(one, appends(books, 2)) == [1] * SETS + [2] * SETS
    assert counted == [SETS]


def test_as_many_sets_as_a_notification_holds(
    stores: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, _ = stores
    books = made(one)
    monkeypatch.setattr(postgres_append, "_SETS_MAX", 2)
    counted = statements(monkeypatch)
    assert seqs(one, appends(books)) == [1] * SETS
    assert counted == [2, 2, 1]


def test_who_is_behind_looks_again_and_the_others_do_not_wait(
    stores: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = stores
    books = made(one)
    assert seqs(one, appends(books)) == [1] * SETS
    assert seqs(other, appends(books[:2])) == [2, 2]
    counted = statements(monkeypatch)
    assert seqs(one, appends(books)) == [3, 3, 2, 2, 2]
    # Of the five, two were old: the second statement is theirs alone.
    assert counted == [SETS, 2]


def test_what_comes_again_is_not_there_twice(stores: tuple[PostgresStore, PostgresStore]) -> None:
    one, other = stores
    books = made(one)
    commands = appends(books)
    assert seqs(one, commands) == [1] * SETS
    fresh = appends(books)
    assert seqs(other, [*commands, *fresh]) == [1] * SETS + [2] * SETS
    for book, command in zip(books, fresh, strict=True):
        part = other.read(Consult(book.set_id, 1, m.Read(0, 1)), NOW)
        assert isinstance(part, m.LogPart)
        assert len(part.envelopes) == 2
        assert part.envelopes[1] == command.request.envelope  # type: ignore[union-attr]


def test_a_set_that_others_keep_changing_is_decided_under_its_lock(
    stores: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = stores
    books = made(one)
    real = postgres_append._store

    def raced(connection: Any, sender: str, plans: Any) -> Any:
        if sender == one._sender:
            assert seqs(other, appends(books[:1])) != []
        return real(connection, sender, plans)

    monkeypatch.setattr(postgres_append, "_store", raced)
    assert seqs(one, appends(books[:1])) == [postgres_append._TRIES + 1]
