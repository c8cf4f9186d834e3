"""SPEC 8.4 steps 3 and 4, case by case; tests/laws holds the fold to a literal transcription of the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2esync.contactset import (
    BatchOp,
    Contact,
    DeleteOp,
    FoldResult,
    Group,
    Life,
    Op,
    SetOp,
    UnknownOp,
    clamp,
    fold_ops,
    pack,
    unpack,
)
from e2esync.errors import EntryInvalid, Unreachable
from e2esync.limits import STATE_MAX
from e2esync.wire import encode

ID = bytes(range(16))
OTHER = bytes(16)
Items = list[tuple[bytes, bytes]]


def fold(
    contacts: dict[bytes, bytes], author: int, counter: int, seen: Mapping[int, int], *ops: Op, epoch: int = 0,
    items: Items | None = None,
) -> FoldResult:
    own = {**seen, author: counter - 1}
    return fold_ops(contacts, author, counter, own, ops, epoch, lambda _: items or [])


def put(path: str, value: Any, *, life: int = 1, time: int = 5, contact: bytes = ID) -> SetOp:
    return SetOp(contact, life, time, {path: value})


def lives(contacts: dict[bytes, bytes], contact: bytes = ID) -> list[Life]:
    return unpack(contacts[contact]).lives


def batch(count: int) -> BatchOp:
    return BatchOp(bytes(32), bytes(32), count)


def test_a_claim_counts_as_far_as_the_log_shows() -> None:
    assert clamp({1: 9, 2: 3, 5: 7}, {1: 4, 2: 8, 3: 6}, 3, 7) == {1: 4, 2: 3, 5: 0, 3: 6}


def test_a_set_replaces_what_it_saw_and_stands_beside_what_it_did_not() -> None:
    contacts: dict[bytes, bytes] = {}
    fold(contacts, 0, 1, {}, SetOp(ID, 1, 5, {"a": "old", "b": "kept"}))
    fold(contacts, 1, 1, {}, put("a", "unseen"))
    result = fold(contacts, 2, 1, {0: 1}, put("a", "new", time=9))
    assert lives(contacts) == [Life(1, [
        Group(0, 1, 5, {"b": "kept"}), Group(1, 1, 5, {"a": "unseen"}), Group(2, 1, 9, {"a": "new"})])]
    assert result.changed == {ID: contacts[ID]}
    assert not result.unsettled


def test_groups_without_registers_go_and_their_covered_dots_with_them() -> None:
    contacts: dict[bytes, bytes] = {}
    fold(contacts, 0, 1, {}, put("a", 1))
    fold(contacts, 1, 1, {0: 1}, DeleteOp(ID, 1, 6), epoch=4)
    assert lives(contacts) == [Life(1, [Group(0, 1, 5, {"a": 1})], 4, {(0, 1)})]
    fold(contacts, 2, 1, {0: 1}, put("a", 2), epoch=4)
    assert lives(contacts) == [Life(1, [Group(2, 1, 5, {"a": 2})])]


def test_operations_of_one_entry_share_a_group_with_the_last_time() -> None:
    contacts: dict[bytes, bytes] = {}
    fold(contacts, 0, 1, {}, put("a", 1, time=9), put("b", None, time=3), put("a", 2, time=4), epoch=2)
    assert lives(contacts) == [Life(1, [Group(0, 1, 4, {"a": 2, "b": None}, 2)])]
    fold(contacts, 0, 2, {}, put("b", 1), epoch=3)
    assert lives(contacts)[0].groups == [Group(0, 1, 4, {"a": 2}), Group(0, 2, 5, {"b": 1})]


def test_a_null_that_the_same_entry_takes_back_leaves_no_epoch() -> None:
    contacts: dict[bytes, bytes] = {}
    result = fold(contacts, 0, 1, {}, put("a", None), put("a", 1), epoch=2)
    assert lives(contacts) == [Life(1, [Group(0, 1, 5, {"a": 1})])]
    assert not result.unsettled


def test_a_delete_covers_what_it_saw_and_what_its_entry_wrote_before() -> None:
    contacts: dict[bytes, bytes] = {}
    fold(contacts, 0, 1, {}, put("a", 1))
    fold(contacts, 1, 1, {}, put("b", 2))
    result = fold(contacts, 2, 1, {0: 1}, put("c", 3), DeleteOp(ID, 1, 6), epoch=7)
    [life] = lives(contacts)
    assert (life.covered, life.died, life.alive) == ({(0, 1), (2, 1)}, 7, True)
    assert result.unsettled == {ID}
    fold(contacts, 2, 2, {0: 1, 1: 1}, DeleteOp(ID, 1, 6), epoch=5)
    [life] = lives(contacts)
    assert (life.covered, life.died, life.alive) == ({(0, 1), (1, 1), (2, 1)}, 7, False)


def test_a_delete_of_nothing_seen_is_nothing() -> None:
    contacts: dict[bytes, bytes] = {}
    assert not fold(contacts, 1, 1, {}, DeleteOp(ID, 1, 6)).changed
    fold(contacts, 0, 1, {}, put("a", 1))
    assert not fold(contacts, 1, 2, {}, DeleteOp(ID, 1, 6), DeleteOp(ID, 2, 6)).changed
    assert lives(contacts) == [Life(1, [Group(0, 1, 5, {"a": 1})])]


def test_a_write_beside_a_delete_brings_the_life_back_whole() -> None:
    concurrent: list[tuple[int, Op]] = [(1, DeleteOp(ID, 1, 6)), (2, put("b", 2))]
    for order in (concurrent, concurrent[::-1]):
        contacts: dict[bytes, bytes] = {}
        fold(contacts, 0, 1, {}, SetOp(ID, 1, 5, {"a": 1, "b": 1}))
        for author, op in order:
            fold(contacts, author, 1, {0: 1}, op, epoch=3)
        assert lives(contacts) == [Life(1, [Group(0, 1, 5, {"a": 1}), Group(2, 1, 5, {"b": 2})], 3, {(0, 1)})]
        assert lives(contacts)[0].alive


def test_lives_stand_in_order() -> None:
    contacts: dict[bytes, bytes] = {}
    for counter, number in enumerate([5, 1, 3], 1):
        fold(contacts, 0, counter, {}, put("a", number, life=number))
    assert [life.number for life in lives(contacts)] == [1, 3, 5]


def test_unknown_operations_are_reported_and_change_nothing() -> None:
    contacts: dict[bytes, bytes] = {}
    result = fold(contacts, 0, 1, {}, UnknownOp(4, b"\x91\x04"))
    assert (result.unknown, result.changed, contacts) == ([UnknownOp(4, b"\x91\x04")], {}, {})


def item(author: int, counter: int, **values: Any) -> bytes:
    return pack(Contact([Life(1, [Group(author, counter, 5, values)])]))


def test_a_batch_onto_nothing_is_taken_as_it_is() -> None:
    contacts: dict[bytes, bytes] = {}
    items = [(OTHER, item(3, 1, a=1)), (ID, item(3, 1, b=2))]
    result = fold(contacts, 3, 1, {}, batch(2), items=items)
    assert contacts == dict(items) == result.changed
    assert not result.unsettled


def test_a_batch_onto_something_is_folded_as_sets() -> None:
    packed = item(3, 1, a="imported", b="imported")
    befores: list[list[Op]] = [[], [put("a", "seen"), put("c", 1)]]
    for before in befores:
        plain: dict[bytes, bytes] = {}
        batched: dict[bytes, bytes] = {}
        for contacts in (plain, batched):
            fold(contacts, 0, 1, {}, *before)
            fold(contacts, 1, 1, {}, put("b", "unseen"))
        fold(plain, 3, 1, {0: 1}, SetOp(ID, 1, 5, {"a": "imported", "b": "imported"}))
        fold(batched, 3, 1, {0: 1}, batch(1), items=[(ID, packed)])
        assert plain == batched


def test_a_batch_meets_what_its_own_entry_wrote() -> None:
    contacts: dict[bytes, bytes] = {}
    fold(contacts, 3, 1, {}, put("a", "inline"), put("c", 1), batch(1), items=[(ID, item(3, 1, a="batch"))])
    assert lives(contacts) == [Life(1, [Group(3, 1, 5, {"a": "batch", "c": 1})])]


@pytest.mark.parametrize("bad", [
    b"", b"\xc0", encode([]), item(3, 2, a=1), item(2, 1, a=1),
    pack(Contact([Life(1, [Group(3, 1, 5, {"a": None}, 0)])])),
    pack(Contact([Life(1, [Group(3, 1, 5, {"a": 1})], 0, {(3, 1)})])),
    pack(Contact([Life(1, [Group(2, 9, 5, {"a": 1}), Group(3, 1, 5, {"b": 1})])])),
])
def test_a_bad_batch_makes_the_entry_invalid_before_any_effect(bad: bytes) -> None:
    contacts: dict[bytes, bytes] = {}
    with pytest.raises(EntryInvalid):
        fold(contacts, 3, 1, {}, put("a", 1), batch(2), items=[(OTHER, item(3, 1, a=1)), (ID, bad)])
    assert contacts == {}


def test_a_batch_of_another_count_or_with_a_bad_id_is_invalid() -> None:
    good = item(3, 1, a=1)
    for count, items in [(2, [(ID, good)]), (1, []), (1, [(b"short", good)])]:
        with pytest.raises(EntryInvalid):
            fold({}, 3, 1, {}, batch(count), items=items)


def test_a_batch_that_cannot_be_fetched_leaves_no_trace() -> None:
    contacts: dict[bytes, bytes] = {}

    def missing(_: BatchOp) -> Items:
        raise Unreachable("nobody answers")

    with pytest.raises(Unreachable):
        fold_ops(contacts, 3, 1, {}, [put("a", 1), batch(1)], 0, missing)
    assert contacts == {}


def test_sets_that_make_a_contact_too_large_have_no_effect_and_deletes_do() -> None:
    contacts: dict[bytes, bytes] = {}
    large = "x" * 200_000
    fold(contacts, 0, 1, {}, put("a", large))
    fold(contacts, 1, 1, {}, put("b", large))
    full = contacts[ID]
    result = fold(contacts, 2, 1, {0: 1}, put("c", large), put("d", 1), put("e", 1, contact=OTHER))
    assert contacts[ID] == full
    assert result.changed.keys() == {OTHER}
    fold(contacts, 2, 2, {0: 1}, put("c", large), DeleteOp(ID, 1, 6))
    assert lives(contacts)[0].covered == {(0, 1)}
    fold(contacts, 2, 3, {0: 1, 1: 1}, put("a", large), DeleteOp(ID, 1, 6))
    assert not lives(contacts)[0].alive
    assert "c" not in {path for group in lives(contacts)[0].groups for path in group.values}
    assert len(contacts[ID]) <= STATE_MAX


def test_a_dot_that_a_lying_snapshot_holds_already_is_written_over() -> None:
    contacts = {ID: item(3, 7, a="lie", b="lie")}
    fold(contacts, 3, 7, {}, put("a", 1))
    assert lives(contacts) == [Life(1, [Group(3, 7, 5, {"a": 1, "b": "lie"})])]
