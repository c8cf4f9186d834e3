"""`relay_decide`: a command inside its batch; what is declined is undone alone, holds begin and end (SPEC 13.6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2esync.session import messages as m
from e2esync.session.commands import Admit, Attend, Attention
from e2esync.session.holds import HoldKind
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import Delayed
from tests.session.world import NOW, blob_of
from tests.stores.relays import Place, code


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


def attend(place: Place, member: int, why: Attention) -> None:
    place.store.execute([Attend(place.book.set_id, member, why)], NOW)


def held_for(place: Place) -> tuple[int, HoldKind] | None:
    known = place.store._views.get(place.store._rows, place.book.set_id)
    assert known is not None
    hold = known.view.holds.hold
    return None if hold is None else (hold.member, hold.kind)


def test_what_is_declined_is_undone_alone(place: Place) -> None:
    name, data = blob_of(b"content")
    half = m.PutBlob(name, len(data) + 1, 0, data)
    commands = [
        place.change(1, place.book.append()), place.change(1, m.PutBlob(name, len(data), 5, data)),
        place.change(1, half), Admit(place.book.set_id, 1, b"b" * 32, bytes(64)), place.change(2, place.book.append()),
    ]
    results = [outcome.result for outcome in place.store.execute(commands, NOW).outcomes]
    assert isinstance(results[0], m.Appended)
    assert code(results[1]) is Refusal.BAD_BLOB
    assert code(results[3]) is Refusal.NOT_MEMBER
    assert isinstance(results[4], m.Appended)
    assert place.counts()["envelopes"] == 2


def test_a_hold_begins_with_a_kit_and_with_nobody_else(place: Place) -> None:
    for member in (1, 2, 9):
        attend(place, member, Attention.CAME)
        assert held_for(place) is None
    place.store.execute([Attend(b"?" * 32, 0, Attention.CAME)], NOW)
    attend(place, 0, Attention.CAME)
    assert held_for(place) == (0, HoldKind.ROOT)
    attend(place, 1, Attention.LOST)
    assert held_for(place) == (0, HoldKind.ROOT)
    attend(place, 0, Attention.LEFT)
    assert held_for(place) is None
    attend(place, 1, Attention.LOST)
    assert held_for(place) == (1, HoldKind.DEVICE)


def test_a_refused_opening_ends_a_devices_hold_and_not_the_roots(place: Place) -> None:
    opening, _record = place.book.open(1, manifest=place.blob(), closes_seq=7)
    attend(place, 1, Attention.LOST)
    assert code(place.do(1, opening)) is Refusal.HEAD_MOVED
    assert held_for(place) is None
    wrong, _record = place.book.open(0, manifest=place.blob(), closes_seq=7, announcement=b"")
    attend(place, 0, Attention.CAME)
    assert code(place.do(0, wrong)) is Refusal.HEAD_MOVED
    assert held_for(place) == (0, HoldKind.ROOT)
    place.open(0, announcement=b"")
    assert held_for(place) is None


def test_who_waits_has_changed_nothing(place: Place) -> None:
    attend(place, 0, Attention.CAME)
    before = place.counts()
    (outcome,) = place.store.execute([place.change(1, place.book.append())], NOW).outcomes
    assert isinstance(outcome.effect, Delayed)
    assert outcome.effect.set_id == place.book.set_id
    assert code(outcome.result) is Refusal.BUSY
    assert place.counts() == before
