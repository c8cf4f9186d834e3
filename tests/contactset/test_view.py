"""SPEC 8.6: what a person sees, and where a writer writes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from e2esync.contactset import (
    Candidate,
    Contact,
    Group,
    Life,
    SetOp,
    View,
    alive_lives,
    fold_ops,
    pack,
    view,
    write_life,
)
from e2esync.limits import INT_MAX, LIFE_MAX
from tests.contactset.strategies import states


def seen(*lives: Life) -> View | None:
    return view(pack(Contact(list(lives))))


def at(path: str, *groups: Group) -> tuple[Any, list[Candidate]]:
    found = seen(Life(1, sorted(groups, key=lambda group: group.dot)))
    assert found is not None
    return found.registers.get(path), found.conflicts.get(path, [])


def test_an_ordinary_contact() -> None:
    assert seen(Life(3, [Group(0, 1, 5, {"a": 1, "b": "x"})])) == View({"a": 1, "b": "x"}, {}, 5, (3,))


def test_a_dead_contact_is_not_shown() -> None:
    assert seen(Life(1, [Group(0, 1, 5, {"a": 1})], 0, {(0, 1)})) is None


def test_time_then_member_elects_and_the_others_are_conflicts() -> None:
    old, new = Group(5, 1, 10, {"a": "old"}), Group(1, 1, 11, {"a": "new"})
    assert at("a", old, new) == ("new", [Candidate("old", 10, 5, 1)])
    tie = Group(6, 1, 11, {"a": "tie"})
    assert at("a", old, new, tie) == ("tie", [Candidate("new", 11, 1, 1), Candidate("old", 10, 5, 1)])


def test_a_clock_in_the_year_9999_wins_once() -> None:
    far = Group(0, 1, INT_MAX, {"a": "far"})
    assert at("a", far, Group(1, 1, 10, {"a": "now"}))[0] == "far"
    # The next edit has seen it, so nothing of it is left to win.
    contacts = {bytes(16): pack(Contact([Life(1, [far])]))}
    fold_ops(contacts, 1, 1, {0: 1}, [SetOp(bytes(16), 1, 10, {"a": "now"})], 0, lambda _: [])
    after = view(contacts[bytes(16)])
    assert after == View({"a": "now"}, {}, 10, (1,))


def test_equal_values_are_one_and_equal_means_encoded() -> None:
    same = Group(0, 1, 10, {"a": {"b": [1]}}), Group(1, 1, 9, {"a": {"b": [1]}})
    assert at("a", *same) == ({"b": [1]}, [])
    values = [1, 1.0, True, "1"]
    winner, others = at("a", *(Group(member, 1, 10, {"a": value}) for member, value in enumerate(values)))
    assert winner == "1"
    assert [(type(other.value), other.value) for other in others] == [(bool, True), (float, 1.0), (int, 1)]
    winner, others = at("a", *(Group(member, 1, member, {"a": value}) for member, value in enumerate([1.0, 1.0, 1])))
    assert (type(winner), [type(other.value) for other in others]) == (int, [float])


def test_a_value_wins_over_a_removal_that_did_not_see_it() -> None:
    removal = Group(0, 1, 99, {"a": None}, 0)
    assert at("a", removal, Group(1, 1, 10, {"a": "kept"})) == ("kept", [Candidate(None, 99, 0, 1)])
    assert at("a", removal, Group(1, 1, 10, {"a": None}, 0)) == (None, [])
    found = seen(Life(1, [removal]))
    assert found == View({}, {}, 99, (1,))


def test_all_living_lives_are_shown_and_the_higher_wins() -> None:
    found = seen(
        Life(1, [Group(0, 1, 99, {"a": "one", "b": "only in one"})]),
        Life(2, [Group(0, 2, 50, {"a": "dead"})], 0, {(0, 2)}),
        Life(3, [Group(0, 3, 10, {"a": "three"})]),
    )
    assert found == View(
        {"a": "three", "b": "only in one"}, {"a": [Candidate("one", 99, 0, 1)]}, 99, (1, 3))


def test_a_living_life_is_shown_whole() -> None:
    found = seen(Life(1, [Group(0, 1, 5, {"a": 1}), Group(1, 1, 6, {"b": 2})], 0, {(0, 1)}))
    assert found is not None
    assert found.registers == {"a": 1, "b": 2}


def test_where_bytes_lie_never_conflicts() -> None:
    assert at("blobs/00", Group(0, 1, 1, {"blobs/00": {"parts": []}}), Group(1, 1, 2, {"blobs/00": 2})) == (2, [])


def test_where_a_writer_sets() -> None:
    living = Life(2, [Group(0, 1, 5, {"a": 1})])
    dead = Life(7, [Group(0, 1, 5, {"a": 1})], 0, {(0, 1)})
    last = Life(LIFE_MAX, [Group(0, 1, 5, {"a": 1})], 0, {(0, 1)})
    assert write_life(None) == 1
    assert write_life(pack(Contact([living]))) == 2
    assert write_life(pack(Contact([living, dead]))) == 2
    assert write_life(pack(Contact([dead]))) == 8
    assert write_life(pack(Contact([last]))) == LIFE_MAX


@settings(max_examples=150, deadline=None, derandomize=True)
@given(states())
def test_laws(contact: Contact) -> None:
    packed = pack(contact)
    found = view(packed)
    assert alive_lives(packed) == tuple(life.number for life in contact.lives if life.alive)
    assert (found is None) == (not alive_lives(packed))
    if found is None:
        return
    assert found.alive_lives == alive_lives(packed)
    assert None not in found.registers.values()
    assert list(found.registers) == sorted(found.registers)
    assert found.conflicts.keys() <= found.registers.keys()
    living = [group for life in contact.lives if life.alive for group in life.groups]
    assert found.registers.keys() == {
        path for group in living for path, value in group.values.items() if value is not None}
