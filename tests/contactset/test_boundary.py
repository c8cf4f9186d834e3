"""SPEC 8.5: what was deleted before the horizon goes; nothing comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.contactset import Contact, Group, Life, alive_lives, boundary_contact, needs_boundary, pack, unpack, view
from e2esync.errors import BadState
from tests.contactset.strategies import states


def bounded(horizon: int, *lives: Life) -> list[Life] | None:
    packed = boundary_contact(pack(Contact(list(lives))), horizon)
    return None if packed is None else unpack(packed).lives


def test_a_dead_life_goes_when_it_died_before_the_horizon() -> None:
    dead = Life(1, [Group(0, 1, 5, {"a": 1})], 3, {(0, 1)})
    living = Life(2, [Group(0, 2, 5, {"a": 1})])
    assert bounded(3, dead, living) == [dead, living]
    assert bounded(4, dead, living) == [living]
    assert bounded(4, dead) is None


def test_a_living_life_forgets_its_deletions_and_keeps_its_registers() -> None:
    groups = [Group(0, 1, 5, {"a": 1}), Group(1, 1, 5, {"b": 1})]
    assert bounded(0, Life(1, groups, 3, {(0, 1)})) == [Life(1, groups)]


def test_an_old_null_goes_where_nothing_else_stands_at_its_path() -> None:
    old = Group(0, 1, 5, {"a": None, "b": 1}, 2)
    assert bounded(2, Life(1, [old])) == [Life(1, [old])]
    assert bounded(3, Life(1, [old])) == [Life(1, [Group(0, 1, 5, {"b": 1})])]
    beside = Group(1, 1, 5, {"a": 7})
    assert bounded(3, Life(1, [old, beside])) == [Life(1, [old, beside])]
    young = Group(1, 1, 5, {"a": None}, 3)
    assert bounded(3, Life(1, [old, young])) == [Life(1, [old, young])]
    assert bounded(4, Life(1, [old, young])) == [Life(1, [Group(0, 1, 5, {"b": 1})])]


def test_a_group_keeps_its_epoch_while_another_null_is_in_it() -> None:
    both = Group(0, 1, 5, {"a": None, "b": None}, 2)
    beside = Group(1, 1, 5, {"a": 7})
    assert bounded(3, Life(1, [both, beside])) == [Life(1, [Group(0, 1, 5, {"a": None}, 2), beside])]


def test_a_life_of_old_nulls_goes_and_a_dead_one_forgets_their_dots() -> None:
    null = Group(0, 1, 5, {"a": None}, 2)
    assert bounded(3, Life(1, [null])) is None
    kept = Group(1, 1, 5, {"b": 1})
    assert bounded(3, Life(1, [null, kept], 5, {(0, 1), (1, 1)})) == [Life(1, [kept], 5, {(1, 1)})]
    # Its only uncovered group is a null: it is alive still, and its deletions are forgotten before the null is.
    assert bounded(3, Life(1, [null, kept], 1, {(1, 1)})) == [Life(1, [kept])]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(states(), st.integers(0, 5), st.integers(0, 5))
def test_laws(contact: Contact, horizon: int, later: int) -> None:
    packed = pack(contact)
    once = boundary_contact(packed, horizon)
    assert needs_boundary(packed) or once == packed
    if once is None:
        return
    assert boundary_contact(once, horizon) == once
    if not alive_lives(once):
        living = [group for life in contact.lives if life.alive for group in life.groups]
        assert all(value is None for group in living for value in group.values.values())
    before, after = view(packed), view(once)
    assert (after.registers if after else {}) == (before.registers if before else {})
    highest = max(horizon, later)
    assert boundary_contact(once, highest) == boundary_contact(packed, highest)


def test_only_states_are_taken() -> None:
    for call in (needs_boundary, lambda packed: boundary_contact(packed, 0)):
        with pytest.raises(BadState):
            call(b"\x90")
