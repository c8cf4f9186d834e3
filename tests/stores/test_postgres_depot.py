"""`postgres_depot`: a relay's database as something to copy from and to, which nobody uses meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from e2esync.errors import ProfileBusy, ProfileDamaged
from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.stores.postgres import PostgresStore
from e2esync.stores.postgres_depot import PostgresDepot
from tests.helpers.postgres import Server
from tests.session.world import NOW, Book


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.database()


@pytest.fixture
def depot(url: str) -> Iterator[PostgresDepot]:
    with closing(PostgresDepot(url)) as made:
        yield made


def test_it_knows_each_set_and_its_version(url: str, depot: PostgresDepot) -> None:
    with PostgresStore(url) as store:
        assert (store.key.seed.reveal(), store.incarnation) == depot.identity()
        book = Book(store.key.verify_key)
        store.execute([Change(b"", 0, 1, book.create())], NOW)
        ((set_id, (key, before)),) = depot.sets().items()
        assert set_id == key == book.set_id
        store.execute([Change(book.set_id, 1, 1, book.append())], NOW)
        assert depot.sets() == {set_id: (key, before + 1)}


def test_a_transaction_sees_one_moment_and_happens_whole(depot: PostgresDepot, url: str) -> None:
    with closing(PostgresDepot(url)) as other, depot.transaction() as rows:
        assert rows.all("SELECT * FROM sets") == []
        with other.transaction() as others:
            others.make_set(b"s" * 32, b"h" * 32)
        assert rows.all("SELECT * FROM sets") == []
    with suppress(ZeroDivisionError), depot.transaction() as rows:
        rows.run("DELETE FROM sets WHERE owner = ?", (b"s" * 32,))
        raise ZeroDivisionError
    assert list(depot.sets()) == [b"s" * 32]


def test_nobody_holds_what_a_relay_uses_and_no_relay_uses_what_is_held(depot: PostgresDepot, url: str) -> None:
    with PostgresStore(url):
        assert not depot.hold()
    assert depot.hold()
    with pytest.raises(ProfileBusy, match="being moved"):
        PostgresStore(url)
    depot.close()
    PostgresStore(url).close()


def test_it_becomes_another_relay_and_moves_away(depot: PostgresDepot, url: str) -> None:
    depot.become(bytes(range(32)), 77)
    assert depot.identity() == (bytes(range(32)), 77)
    with PostgresStore(url) as store:
        assert (store.key.seed.reveal(), store.incarnation) == (bytes(range(32)), 77)
    depot.mark_moved()
    depot.mark_moved()
    with pytest.raises(ProfileDamaged, match="moved to another store"):
        PostgresStore(url)


def test_an_answer_that_was_given_is_still_right_after_it(depot: PostgresDepot, url: str) -> None:
    with PostgresStore(url) as store:
        book = Book(store.key.verify_key)
        (outcome,) = store.execute([Change(b"", 0, 1, book.create())], NOW).outcomes
        assert outcome.result == m.Created(book.set_id)
    with depot.transaction() as rows:
        assert rows.all("SELECT owner FROM sets") == [(book.set_id,)]
