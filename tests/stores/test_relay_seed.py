"""`relay_seed`: which records are heard, and which never are (SPEC 13.12)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2esync.log.head import sign_head
from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.stores.relay import RelayStore
from tests.session.world import NOW, Book
from tests.stores.relays import Place, code


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A set with two epochs, and the records of both."""
    made = Place(tmp_path / "relay.sqlite3")
    made.open()
    yield made
    made.store.close()


def records(place: Place) -> tuple[bytes, ...]:
    answer = place.ask(1, m.ReadChain(0))
    assert isinstance(answer, m.ChainPart)
    return answer.records


def test_a_set_that_lacks_nothing_takes_nothing(place: Place) -> None:
    for start in (0, 1):
        seed = m.Seed(place.book.set_id, start, records(place)[start:])
        assert code(place.visit(seed)) is Refusal.NOT_ALLOWED
    assert isinstance(place.append(), m.Appended)


def test_an_empty_relay_takes_the_chain_in_order_and_from_its_beginning(place: Place, tmp_path: Path) -> None:
    set_id, (first, second) = place.book.set_id, records(place)
    with RelayStore(tmp_path / "other.sqlite3") as other:
        def visit(request: m.Seed) -> object:
            return other.execute([Change(b"", 0, 1, request)], NOW).outcomes[0].result

        strange = Book(place.store.key.verify_key, seed="another").create().record
        for wrong in (
            m.Seed(set_id, 0, (second,)), m.Seed(set_id, 1, (second,)), m.Seed(set_id, 0, (second, first)),
            m.Seed(set_id, 0, (b"?",)), m.Seed(set_id, 0, (strange,)), m.Seed(set_id, 0, ()),
        ):
            assert code(visit(wrong)) is Refusal.BAD_RECORD
        assert visit(m.Seed(set_id, 0, (first,))) == m.Seeded(0)
        # What is here already changes nothing; what follows is taken, and nothing else.
        assert visit(m.Seed(set_id, 0, (first, second))) == m.Seeded(1)
        assert visit(m.Seed(set_id, 1, (second,))) == m.Seeded(1)
        assert code(visit(m.Seed(set_id, 0, (strange,)))) is Refusal.BAD_RECORD


def test_a_head_of_this_relays_about_what_is_here_makes_nobody_wait(place: Place) -> None:
    book, store = place.book, place.store

    def show(epoch: int, record_hash: bytes) -> object:
        head = sign_head(store.key, book.set_id, epoch=epoch, seq=0, log_hash=record_hash, record_hash=record_hash,
                         time=NOW, incarnation=store.incarnation)
        return place.visit(m.Show(book.set_id, head.body, head.signature))

    assert show(1, book.chain.head.hash) == m.Shown(1, 0)
    assert isinstance(place.append(), m.Appended)
    assert show(2, b"lost" * 8) == m.Shown(1, 1)
    assert code(place.do(1, book.append())) is Refusal.BUSY
    # A lower one does not take its place.
    assert show(1, b"gone" * 8) == m.Shown(1, 1)
    place.reopen()
    assert code(place.do(1, book.append())) is Refusal.BUSY


def test_only_what_this_relay_has_signed_counts(place: Place) -> None:
    other = Book(place.store.key.verify_key, seed="another")
    assert code(place.visit(m.Show(place.book.set_id, b"?", bytes(64)))) is Refusal.NOT_MEMBER
    assert code(place.visit(m.Show(other.set_id, b"?", bytes(64)))) is Refusal.NOT_MEMBER
