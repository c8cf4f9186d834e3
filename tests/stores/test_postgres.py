"""`postgres`: one process's door to a database that others use, too, and that may go away."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from e2esync.errors import E2esyncError, Unreachable
from e2esync.limits import MAILBOX_TTL
from e2esync.session import messages as m
from e2esync.session.commands import Change, Consult
from e2esync.session.kinds import Refusal
from e2esync.stores.postgres import PostgresStore
from e2esync.stores.postgres_notifier import ListenNotifier, PollingNotifier
from tests.helpers.postgres import Server
from tests.session.world import NOW, Book


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.database()


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with PostgresStore(url) as made:
        yield made


def _break(url: str) -> None:
    """Every connection to the database ends, as when it is started again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND pid <> pg_backend_pid()")


def test_after_a_break_the_same_request_is_simply_sent_again(store: PostgresStore, url: str) -> None:
    book = Book(store.key.verify_key)
    store.execute([Change(b"", 0, 1, book.create())], NOW)
    request = book.append()
    _break(url)
    with pytest.raises(E2esyncError):
        store.execute([Change(book.set_id, 1, 1, request)], NOW)
    (outcome,) = store.execute([Change(book.set_id, 1, 1, request)], NOW).outcomes
    assert isinstance(outcome.result, m.Appended)
    (again,) = store.execute([Change(book.set_id, 1, 1, request)], NOW).outcomes
    assert isinstance(again.result, m.Appended)
    assert (outcome.result.seq, again.result.seq) == (1, 1)
    assert isinstance(store.read(Consult(book.set_id, 1, m.Read(0, 1)), NOW), m.LogPart)
    _break(url)
    with pytest.raises(E2esyncError):
        store.read(Consult(book.set_id, 1, m.Read(0, 1)), NOW)
    assert isinstance(store.read(Consult(book.set_id, 1, m.Read(0, 1)), NOW), m.LogPart)


def test_reading_declines_as_writing_does(store: PostgresStore) -> None:
    answer = store.read(Consult(b"?" * 32, 1, m.Read(0, 1)), NOW)
    assert isinstance(answer, m.RefusalAnswer)
    assert answer.code is Refusal.NOT_FOUND


def test_a_probe_is_a_row_made_durable(store: PostgresStore, url: str) -> None:
    store.probe(NOW)
    store.probe(NOW + 1)
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT value FROM meta WHERE name = 'probe'").fetchall()
    assert found == [((NOW + 1).to_bytes(8, "big"),)]


def test_what_is_over_is_swept_by_any_process(store: PostgresStore, url: str) -> None:
    side = m.UseMailbox(b"mailbox." * 2, 0, b"t" * 16)
    store.execute([Change(b"", 0, 1, side, side)], NOW)
    assert store.sweep(NOW) == 0
    with PostgresStore(url) as other:
        assert other.sweep(NOW + MAILBOX_TTL + 1) == 1
        assert store.sweep(NOW + MAILBOX_TTL + 1) == 0


def test_who_notifies(store: PostgresStore, url: str) -> None:
    notifier = store.notifier()
    assert isinstance(notifier, ListenNotifier)
    notifier.close()
    with PostgresStore(url + "&notify=poll") as polling:
        assert isinstance(polling.notifier(), PollingNotifier)


def test_closed_is_closed(url: str) -> None:
    store = PostgresStore(url)
    store.close()
    store.close()
    with pytest.raises(Unreachable):
        PostgresStore(url.replace("user=e2esync", "user=nobody"))
