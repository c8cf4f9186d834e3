"""SPEC 8.3: a state has one spelling, and every other is BadState."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.contactset import Contact, Group, Life, check_packed, pack, unpack
from e2esync.contactset.state import check_written, fits
from e2esync.errors import BadState
from e2esync.limits import INT_MAX, LIFE_MAX, STATE_MAX
from e2esync.wire import encode
from tests.contactset.strategies import states

GOOD: Any = [
    [1, [[0, 1, 5, {"a": 1, "b": "x"}], [0, 2, 6, {"c": None}, 3]], 3, [[0, 1]]],
    [2, [[2, 1, 7, {"a": 1.5}]]],
]


def test_the_packed_state_is_that_of_the_table() -> None:
    contact = Contact([
        Life(1, [Group(0, 1, 5, {"b": "x", "a": 1}), Group(0, 2, 6, {"c": None}, 3)], 3, {(0, 1)}),
        Life(2, [Group(2, 1, 7, {"a": 1.5})]),
    ])
    assert pack(contact) == encode(GOOD)
    assert unpack(encode(GOOD)) == contact
    assert contact.unsettled
    assert contact.lives[0].alive


@settings(max_examples=150, deadline=None, derandomize=True)
@given(states())
def test_round_trip(contact: Contact) -> None:
    packed = pack(contact)
    assert unpack(packed) == contact
    assert pack(unpack(packed)) == packed
    assert check_packed(packed) == contact.unsettled


@settings(max_examples=300, deadline=None, derandomize=True)
@given(states(), st.data())
def test_altered_bytes_are_refused_or_mean_what_they_spell(contact: Contact, data: st.DataObject) -> None:
    packed = bytearray(pack(contact))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    altered = bytes(packed[:data.draw(st.integers(0, len(packed)))])
    try:
        found = unpack(altered)
    except BadState:
        return
    assert pack(found) == altered


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=30))
def test_arbitrary_bytes_raise_only_bad_state(data: bytes) -> None:
    with pytest.raises(BadState):
        check_packed(b"\x91" + data + b"\xc1")


def life(**change: Any) -> Any:
    parts = {"number": 1, "groups": [[0, 1, 5, {"a": 1}]], "died": 3, "covered": [[0, 1]]} | change
    return [list(parts.values())]


@pytest.mark.parametrize("forms", [
    [], {}, 1, None, [1], [[]], [[1]], [[1, []]], [[1, {}]], [[1, [[0, 1, 5, {"a": 1}]], 3]],
    [[0, [[0, 1, 5, {"a": 1}]]]], [[LIFE_MAX + 1, [[0, 1, 5, {"a": 1}]]]], [[True, [[0, 1, 5, {"a": 1}]]]],
    [GOOD[1], GOOD[0]], [GOOD[1], GOOD[1]],
    life(covered=[]), life(covered=[[0, 2]]), life(covered=[[0, 1], [0, 1]]), life(covered=[[0]]), life(covered=None),
    life(covered=[[False, 1]]), life(died=-1), life(died=True), life(died=None),
    [[1, [[0, 1, 5, {}]]]], [[1, [[0, 1, 5, []]]]], [[1, [[0, 1, 5]]]], [[1, [[0, 1, 5, {"a": 1}, 1, 1]]]],
    [[1, [[-1, 1, 5, {"a": 1}]]]], [[1, [[0, 0, 5, {"a": 1}]]]], [[1, [[2**32, 1, 5, {"a": 1}]]]],
    [[1, [[False, 1, 5, {"a": 1}]]]], [[1, [[0, True, 5, {"a": 1}]]]],
    [[1, [[0, 1, -1, {"a": 1}]]]], [[1, [[0, 1, True, {"a": 1}]]]],
    [[1, [[0, 1, 5, {"": 1}]]]], [[1, [[0, 1, 5, {"/a": 1}]]]], [[1, [[0, 1, 5, {"a" * 1025: 1}]]]],
    [[1, [[0, 1, 5, {"a": None}]]]], [[1, [[0, 1, 5, {"a": 1}, 3]]]], [[1, [[0, 1, 5, {"a": None}, -1]]]],
    [[1, [[0, 2, 5, {"a": 1}], [0, 1, 5, {"a": 1}]]]], [[1, [[0, 1, 5, {"a": 1}], [0, 1, 5, {"b": 1}]]]],
])
def test_one_defect_is_refused(forms: Any) -> None:
    assert check_packed(encode(life())) is True
    with pytest.raises(BadState):
        check_packed(encode(forms))
    with pytest.raises(BadState):
        unpack(encode(forms))


def test_unsorted_paths_are_refused() -> None:
    packed = pack(Contact([Life(1, [Group(0, 1, 5, {"a": 1, "b": 2})])]))
    with pytest.raises(BadState):
        check_packed(packed.replace(b"\xa1a\x01\xa1b\x02", b"\xa1b\x02\xa1a\x01"))


def test_a_state_must_fit_even_when_it_is_all_deleted() -> None:
    def of(size: int) -> bytes:
        return pack(Contact([Life(1, [Group(0, 1, 5, {"a": "x" * size})])]))

    reserve = 9 + 4  # `died` at its largest, and the one covered dot
    fitting = of(STATE_MAX - (len(of(1 << 17)) - (1 << 17)) - reserve)
    assert fits(fitting)
    assert check_packed(fitting) is False
    deleted = unpack(fitting)
    deleted.lives[0].died, deleted.lives[0].covered = INT_MAX, {(0, 1)}
    assert len(pack(deleted)) == STATE_MAX
    assert check_packed(pack(deleted))
    larger = of(STATE_MAX - (len(of(1 << 17)) - (1 << 17)) - reserve + 1)
    assert not fits(larger)
    with pytest.raises(BadState):
        check_packed(larger)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(states())
def test_no_deletion_makes_a_state_three_times_as_large(contact: Contact) -> None:
    worst = [Life(life.number, life.groups, INT_MAX, {group.dot for group in life.groups}) for life in contact.lives]
    assert len(pack(Contact(worst))) <= 3 * len(pack(contact))


def test_check_written_asks_for_one_entry_and_no_trace_of_deletion() -> None:
    one: Any = [[1, [[4, 9, 5, {"a": 1}]]], [3, [[4, 9, 6, {"b": 1}]]]]
    assert check_written(encode(one), (4, 9))
    assert not check_written(encode(one), (4, 8))
    assert not check_written(encode(life(covered=[[0, 1]])), (0, 1))
    assert not check_written(encode([[1, [[4, 9, 5, {"a": None}, 1]]]]), (4, 9))
