"""`relay_log`: what a refused change leaves behind, whose session is over, and how long logs are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2esync.epoch.record import Remove
from e2esync.limits import BLOB_DEAD_RETENTION, OPENINGS_BURST
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined
from e2esync.stores import relay_log
from e2esync.stores.relay_log import ended_by, hash_of, owners_of_old_logs, parsed, sweep_logs
from e2esync.stores.relay_migrate import OTHER_TABLES, SET_TABLES
from tests.session.world import NOW
from tests.stores.relays import Place, code


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "relay")
    yield made
    made.store.close()


def rows_of(place: Place) -> dict[str, list[Any]]:
    """Every row of every table."""
    return {table: place.store._rows.all(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in ("sets", *SET_TABLES, *OTHER_TABLES)}


@pytest.mark.parametrize("last", ["_store_record", "_drop_envelopes", "mark_dead", "mark_live", "_reset_slots",
                                  "place_kits"])
def test_an_opening_that_is_declined_midway_has_done_none_of_its_writes(
    place: Place, monkeypatch: pytest.MonkeyPatch, last: str,
) -> None:
    """Whatever it was about to do next: its savepoint takes all of it back, and the batch goes on without it."""
    place.append()
    request, _record = place.book.open(1, (Remove(2),), manifest=place.blob())
    before = rows_of(place)
    real = getattr(relay_log, last)

    def failing(*args: Any, **options: Any) -> None:
        real(*args, **options)
        raise Declined(Refusal.BUSY, "midway")

    with monkeypatch.context() as patch:
        patch.setattr(relay_log, last, failing)
        assert code(place.do(1, request)) is Refusal.BUSY
    assert rows_of(place) == before
    assert isinstance(place.do(1, request), m.Opened)


def test_a_set_that_is_declined_midway_is_not_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    other = type(place.book)(place.book.relay_key, seed="other")
    before = rows_of(place)

    def failing(*_: Any) -> None:
        raise Declined(Refusal.BUSY, "midway")

    with monkeypatch.context() as patch:
        patch.setattr(relay_log, "place_kits", failing)
        assert code(place.visit(other.create())) is Refusal.BUSY
    assert rows_of(place) == before
    assert place.visit(other.create()) == m.Created(other.set_id)


def test_a_refused_opening_does_not_use_up_the_openers_rate(place: Place) -> None:
    for _each in range(3 * OPENINGS_BURST):
        request, _record = place.book.open(1, manifest=b"?" * 32)
        assert code(place.do(1, request)) is Refusal.BLOB_MISSING
    for _each in range(OPENINGS_BURST):
        place.open(1)
    request, _record = place.book.open(1, manifest=place.blob())
    assert code(place.do(1, request)) is Refusal.TOO_OFTEN


def test_a_session_ends_with_its_member(place: Place) -> None:
    before = place.book.chain
    place.open(1, (Remove(2),))
    assert ended_by(before, place.book.chain) == {2}
    before = place.book.chain
    place.open(1)
    assert ended_by(before, place.book.chain) == frozenset()


def test_the_hash_of_a_record_that_is_here_and_of_none(place: Place) -> None:
    place.open()
    rows, key = place.store._rows, 1
    assert hash_of(rows, key, 1) == place.book.chain.head.hash
    assert hash_of(rows, key, 2) is None
    with pytest.raises(Declined) as caught:
        parsed(b"\x90")
    assert caught.value.answer().code is Refusal.BAD_RECORD


def test_a_closed_log_is_kept_for_the_retention_and_its_record_for_ever(place: Place) -> None:
    sizes = [1024, 4096]
    for size in sizes:
        place.append(size=size)
    place.open(1)
    place.append()
    rows, key, last = place.store._rows, 1, NOW + BLOB_DEAD_RETENTION
    assert sweep_logs(rows, key, last, BLOB_DEAD_RETENTION) == (0, 0)
    assert owners_of_old_logs(rows, last, BLOB_DEAD_RETENTION) == set()
    assert owners_of_old_logs(rows, last + 1, BLOB_DEAD_RETENTION) == {key}
    assert sweep_logs(rows, key, last + 1, BLOB_DEAD_RETENTION) == (2, sum(sizes))
    assert rows.all("SELECT epoch, seq FROM envelopes") == [(1, 1)]
    assert rows.all("SELECT epoch, length(record) > 0, length(box_list) > 0 FROM records") == [(0, 1, 0), (1, 1, 1)]
    assert rows.all("SELECT DISTINCT epoch FROM boxes") == [(1,)]
    # It is done with: the next sweep does not look at it again.
    assert owners_of_old_logs(rows, last + 1, BLOB_DEAD_RETENTION) == set()
    assert sweep_logs(rows, key, last + 1, BLOB_DEAD_RETENTION) == (0, 0)
