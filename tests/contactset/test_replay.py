"""SPEC 8.4 steps 1, 2 and 5: duplicates, gaps, forks, and what waits."""

from __future__ import annotations

import pytest

from e2esync.contactset import Applied, BatchOp, ContactSet, DeleteOp, Item, Op, Pending, SetOp, Status, unpack
from e2esync.contactset.replay import FIRST_PREV
from e2esync.errors import EntryInvalid, Unreachable
from e2esync.limits import PARKED_MAX

ID = bytes(range(16))
BAD_BATCH = BatchOp(bytes(32), bytes(32), 1)


def fresh() -> ContactSet:
    return ContactSet({}, {}, {})


def name_of(author: int, counter: int) -> bytes:
    return bytes([author, counter]) * 16


def apply(
    state: ContactSet, author: int, counter: int, *ops: Op, claimed: dict[int, int] | None = None, size: int = 100,
    entry_id: bytes | None = None, prev: bytes | None = None, items: list[Item] | None = None,
) -> Applied:
    def batch(_: BatchOp) -> list[Item]:
        if items is None:
            raise Unreachable("nobody answers")
        return items

    return state.apply(
        author, counter, entry_id or name_of(author, counter), claimed or {}, ops, size, 0, batch, prev=prev)


def put(path: str, value: object) -> SetOp:
    return SetOp(ID, 1, 5, {path: value})


def test_an_entry_moves_the_vector() -> None:
    state = fresh()
    assert (state.counter(3), state.last_id(3)) == (0, FIRST_PREV)
    applied = apply(state, 3, 1, put("a", 1), prev=FIRST_PREV)
    assert applied.status is Status.APPLIED
    assert [(result.author, result.counter, [*result.changed]) for result in applied.results] == [(3, 1, [ID])]
    assert (state.counter(3), state.last_id(3)) == (1, name_of(3, 1))
    assert state.counters() == {3: 1}


def test_what_came_before_has_no_effect_twice() -> None:
    state = fresh()
    apply(state, 3, 1, put("a", 1))
    before = dict(state.contacts)
    assert apply(state, 3, 1, put("a", 2)).status is Status.DUPLICATE
    assert apply(state, 3, 1, put("a", 2), entry_id=bytes(32)).status is Status.FORKED
    apply(state, 3, 2)
    # Only the id of an author's last entry is known.
    assert apply(state, 3, 1, put("a", 2), entry_id=bytes(32)).status is Status.DUPLICATE
    assert state.contacts == before


def test_an_entry_of_another_branch_has_no_effect() -> None:
    state = fresh()
    assert apply(state, 3, 1, put("a", 1), prev=bytes(31) + b"x").status is Status.FORKED
    apply(state, 3, 1)
    assert apply(state, 3, 2, put("a", 1), prev=FIRST_PREV).status is Status.FORKED
    assert state.counter(3) == 1
    assert not state.contacts


def test_gaps_are_waited_for() -> None:
    state = fresh()
    assert apply(state, 3, 3, put("a", 3)).status is Status.PARKED
    assert apply(state, 3, 2, put("a", 2)).status is Status.PARKED
    assert apply(state, 4, 1, put("b", 1)).status is Status.APPLIED
    assert state.counter(3) == 0
    applied = apply(state, 3, 1, put("a", 1))
    assert [result.counter for result in applied.results] == [1, 2, 3]
    assert not state.parked
    assert [group.values for group in unpack(state.contacts[ID]).lives[0].groups] == [{"a": 3}, {"b": 1}]


def test_the_claim_of_a_parked_entry_counts_when_it_is_folded() -> None:
    state = fresh()
    apply(state, 3, 2, put("a", "later"), claimed={4: 1})
    apply(state, 4, 1, put("a", "first"))
    apply(state, 3, 1)
    assert [group.values for group in unpack(state.contacts[ID]).lives[0].groups] == [{"a": "later"}]


def test_the_first_entry_parked_under_a_dot_stays() -> None:
    state = fresh()
    apply(state, 3, 2, put("a", "first"))
    assert apply(state, 3, 2, put("a", "first")).status is Status.PARKED
    assert apply(state, 3, 2, put("a", "second"), entry_id=bytes(32)).status is Status.FORKED
    apply(state, 3, 1)
    assert unpack(state.contacts[ID]).lives[0].groups[0].values == {"a": "first"}


def test_an_author_parks_at_most_its_share() -> None:
    state = fresh()
    half = PARKED_MAX // 2
    assert apply(state, 3, 2, size=half).status is Status.PARKED
    assert apply(state, 3, 3, size=half).status is Status.PARKED
    assert apply(state, 3, 4, size=1).status is Status.DROPPED
    assert apply(state, 4, 3, size=half).status is Status.PARKED
    again = ContactSet(state.contacts, state.vector, state.parked)
    assert apply(again, 3, 4, size=1).status is Status.DROPPED
    apply(again, 3, 1)
    assert again.counter(3) == 3
    assert apply(again, 3, 5, size=PARKED_MAX).status is Status.PARKED


def test_a_parked_entry_of_another_branch_is_refused() -> None:
    state = fresh()
    apply(state, 3, 2, put("a", 1), prev=bytes(32))
    applied = apply(state, 3, 1)
    assert [result.counter for result in applied.results] == [1]
    assert [entry.counter for entry in applied.refused] == [2]
    assert not state.parked
    assert apply(state, 3, 2, put("a", 2), entry_id=bytes(32), prev=name_of(3, 1)).status is Status.APPLIED


def test_an_invalid_batch_has_no_effect() -> None:
    state = fresh()
    with pytest.raises(EntryInvalid):
        apply(state, 3, 1, put("a", 1), BAD_BATCH, items=[(ID, b"")])
    assert (state.contacts, state.vector) == ({}, {})


def test_an_invalid_parked_batch_is_refused_without_harm_to_what_came_before() -> None:
    state = fresh()
    apply(state, 3, 2, BAD_BATCH)
    applied = apply(state, 3, 1, put("a", 1), items=[(ID, b"")])
    assert ([result.counter for result in applied.results], [entry.counter for entry in applied.refused]) == ([1], [2])
    assert state.counter(3) == 1
    assert ID in state.contacts


def test_a_missing_blob_behind_a_parked_entry_stops_before_any_effect() -> None:
    state = fresh()
    apply(state, 3, 2, BAD_BATCH)
    with pytest.raises(Unreachable):
        apply(state, 3, 1, put("a", 1))
    assert (state.contacts, state.vector, list(state.parked)) == ({}, {}, [(3, 2)])


def test_a_boundary_forgets_what_waits_and_drops_what_is_dead() -> None:
    state = fresh()
    other = bytes(16)
    apply(state, 3, 1, put("a", 1), SetOp(other, 1, 5, {"a": 1}))
    applied = apply(state, 3, 2, DeleteOp(ID, 1, 6), SetOp(other, 1, 5, {"a": 2}))
    apply(state, 3, 9, size=PARKED_MAX)
    kept = state.contacts[other]
    assert state.boundary(1, [*applied.results[0].unsettled, other]) == {ID: None}
    assert state.contacts == {other: kept}
    assert not state.parked
    assert apply(state, 3, 9, size=PARKED_MAX).status is Status.PARKED


def test_parked_entries_can_be_kept_by_a_store() -> None:
    state = fresh()
    apply(state, 3, 2, put("a", 1), claimed={4: 1}, size=7, prev=name_of(3, 1))
    assert state.parked == {(3, 2): Pending(3, 2, name_of(3, 2), name_of(3, 1), {4: 1}, (put("a", 1),), 7)}
