"""`relay_invitations` and an operator's limits in the store, in both engines: exact, once, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from e2esync.crypto import SigningKey
from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.session.policy import Policy, Registration
from e2esync.stores.relay_engine import Engine, open_engine
from e2esync.stores.relay_invitations import invite
from e2esync.stores.relay_migrate import open_depot
from tests.helpers.postgres import Server
from tests.session.world import NOW, Book
from tests.stores.relays import Place, code

DAY = 86_400_000


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "relay")
    else:
        server: Server = request.getfixturevalue("postgres")
        yield server.database()


def ask(engine: Engine, request: Any, now: int = NOW) -> Any:
    (outcome,) = engine.execute([Change(b"", 0, 1, request)], now).outcomes
    return outcome.result


def create(book: Book, invitation: bytes = b"") -> m.Create:
    made = book.create()
    return m.Create(made.record, made.box_list, made.boxes, made.announcements, invitation)


def test_an_invitation_is_good_for_one_book(url: str) -> None:
    with closing(open_engine(url, policy=Policy(Registration.INVITATION))) as engine:
        with closing(open_depot(url)) as depot:
            first, second = invite(depot, NOW + DAY), invite(depot, NOW + DAY)
        books = [Book(engine.key.verify_key, seed=f"book {number}") for number in range(3)]
        assert code(ask(engine, create(books[0]))) is Refusal.NOT_ALLOWED
        assert code(ask(engine, create(books[0], b"x" * 16))) is Refusal.NOT_ALLOWED
        assert ask(engine, create(books[0], first)) == m.Created(books[0].set_id)
        # The answer was lost: the same again, although the invitation is used up.
        assert ask(engine, create(books[0], first)) == m.Created(books[0].set_id)
        assert code(ask(engine, create(books[1], first))) is Refusal.NOT_ALLOWED
        # A seed makes a set too.
        records = (books[1].create().record,)
        assert code(ask(engine, m.Seed(books[1].set_id, 0, records))) is Refusal.NOT_ALLOWED
        assert ask(engine, m.Seed(books[1].set_id, 0, records, second)) == m.Seeded(0)
        assert code(ask(engine, create(books[2], second))) is Refusal.NOT_ALLOWED


def test_what_is_refused_does_not_use_it_up_and_it_expires(url: str) -> None:
    with closing(open_engine(url, policy=Policy(Registration.INVITATION))) as engine:
        with closing(open_depot(url)) as depot:
            invitation = invite(depot, NOW + DAY)
        book, other = Book(engine.key.verify_key, seed="one"), Book(SigningKey(bytes(32)).verify_key, seed="two")
        assert code(ask(engine, create(other, invitation))) is Refusal.BAD_RECORD
        assert code(ask(engine, create(book, invitation), NOW + DAY)) is Refusal.NOT_ALLOWED
        assert ask(engine, create(book, invitation), NOW + DAY - 1) == m.Created(book.set_id)
        with closing(open_depot(url)) as depot:
            late = invite(depot, NOW + DAY)
        assert engine.sweep(NOW + DAY) == 1
        third = Book(engine.key.verify_key, seed="three")
        assert code(ask(engine, create(third, late), NOW)) is Refusal.NOT_ALLOWED


def test_closed_is_closed(url: str) -> None:
    with closing(open_engine(url, policy=Policy(Registration.CLOSED))) as engine:
        with closing(open_depot(url)) as depot:
            invitation = invite(depot, NOW + DAY)
        book = Book(engine.key.verify_key)
        assert code(ask(engine, create(book, invitation))) is Refusal.NOT_ALLOWED


def test_a_log_takes_so_many_envelopes(url: str) -> None:
    with closing(open_engine(url, policy=Policy(set_entries=3))) as engine:
        book = Book(engine.key.verify_key)
        ask(engine, create(book))
        requests = [book.append() for _ in range(5)]
        result = engine.execute([Change(book.set_id, 1, 1, request) for request in requests], NOW)
        answers = [outcome.result for outcome in result.outcomes]
        assert [answer.seq for answer in answers[:3] if isinstance(answer, m.Appended)] == [1, 2, 3]
        assert [code(answer) for answer in answers[3:]] == [Refusal.QUOTA_EXCEEDED] * 2
        # One that is there already is acknowledged all the same.
        (again,) = engine.execute([Change(book.set_id, 1, 1, requests[0])], NOW).outcomes
        assert isinstance(again.result, m.Appended)


def test_retention_is_the_operators(tmp_path: Path) -> None:
    place = Place(tmp_path / "relay")
    place.append()
    place.open()
    place.store.close()
    with closing(open_engine(str(place.path), policy=Policy(retention=DAY))) as engine:
        assert engine.sweep(NOW + DAY) == 0
        assert engine.sweep(NOW + DAY + 1) > 0
