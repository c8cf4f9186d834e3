"""SPEC 8.6 and 14.2 step 6: what a writer writes to change, delete, and bring back a contact."""

from __future__ import annotations

from e2esync.contactset import (
    Contact,
    DeleteOp,
    Group,
    Life,
    Op,
    SetOp,
    delete_ops,
    fold_ops,
    pack,
    set_ops,
    view,
    whole_life,
)

ID = bytes(range(16))


def dead(number: int) -> Life:
    return Life(number, [Group(0, number, 5, {"a": "dead"})], 0, {(0, number)})


TWO = pack(Contact([
    dead(1), Life(2, [Group(0, 2, 5, {"a": "two", "b": "b"})]), Life(3, [Group(0, 3, 5, {"a": "three"})]),
]))


def after(packed: bytes, ops: list[Op]) -> bytes:
    contacts = {ID: packed}
    fold_ops(contacts, 9, 1, {0: 9}, ops, 0, lambda _: [])
    return contacts[ID]


def test_a_new_contact_and_one_that_was_deleted() -> None:
    assert set_ops(ID, None, 7, {"a": 1}) == [SetOp(ID, 1, 7, {"a": 1})]
    assert set_ops(ID, pack(Contact([dead(1)])), 7, {"a": 1}) == [SetOp(ID, 2, 7, {"a": 1})]


def test_a_write_settles_the_path_in_every_living_life() -> None:
    ops = set_ops(ID, TWO, 7, {"a": "new", "c": 1})
    assert ops == [SetOp(ID, 3, 7, {"a": "new", "c": 1}), SetOp(ID, 2, 7, {"a": "new"})]
    found = view(after(TWO, [*ops]))
    assert found is not None
    assert (found.registers, found.conflicts) == ({"a": "new", "b": "b", "c": 1}, {})


def test_a_removal_holds_in_every_living_life() -> None:
    found = view(after(TWO, [*set_ops(ID, TWO, 7, {"a": None, "b": None})]))
    assert found is not None
    assert (found.registers, found.conflicts) == ({}, {})


def test_a_delete_is_of_every_living_life() -> None:
    assert delete_ops(ID, TWO, 7) == [DeleteOp(ID, 2, 7), DeleteOp(ID, 3, 7)]
    assert view(after(TWO, [*delete_ops(ID, TWO, 7)])) is None
    assert delete_ops(ID, None, 7) == []
    assert delete_ops(ID, pack(Contact([dead(1)])), 7) == []


def test_a_whole_life_is_what_the_writers_own_entries_leave_unsaid() -> None:
    life = Life(1, [
        Group(0, 1, 5, {"a": "old", "b": 1}), Group(1, 1, 8, {"a": "later", "c": None}, 0), Group(9, 4, 90, {"d": 2}),
    ], 3, {(0, 1)})
    packed = pack(Contact([life]))
    # The time is that of what is repeated, not of the writer's own edit.
    assert whole_life(ID, packed, 1, {"d"}) == SetOp(ID, 1, 8, {"a": "later", "b": 1})
    assert whole_life(ID, packed, 1, {"a", "b", "d"}) is None
    assert whole_life(ID, packed, 2, set()) is None
    assert whole_life(ID, pack(Contact([dead(1)])), 1, set()) is None


def test_a_late_edit_alone_in_the_snapshot_is_not_the_life_that_was_known() -> None:
    known = pack(Contact([Life(1, [Group(0, 1, 5, {"a": "a", "b": "b", "c": "c"}), Group(9, 4, 90, {"d": 2})])]))
    goes_on = pack(Contact([Life(1, [Group(0, 1, 5, {"a": "a"}), Group(1, 1, 6, {"b": None}, 0)])]))
    late = pack(Contact([Life(1, [Group(1, 7, 6, {"b": "late"})])]))
    other = pack(Contact([Life(2, [Group(0, 1, 5, {"a": "a"})])]))
    assert whole_life(ID, known, 1, {"d"}, goes_on) is None
    assert whole_life(ID, known, 1, {"d"}, late) == SetOp(ID, 1, 5, {"a": "a", "c": "c"})
    assert whole_life(ID, known, 1, {"d"}, other) == SetOp(ID, 1, 5, {"a": "a", "b": "b", "c": "c"})
