"""SPEC 8.2: one spelling of each operation, and no other is taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.contactset import BatchOp, DeleteOp, Op, SetOp, UnknownOp, decode_ops, encode_ops
from e2esync.errors import EntryInvalid, LimitExceeded, NonCanonical
from e2esync.limits import INT_MAX, LIFE_MAX
from e2esync.wire import encode
from tests.contactset.strategies import entries

ID = bytes(range(16))


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@settings(max_examples=100, deadline=None, derandomize=True)
@given(entries)
def test_every_operation_comes_back_as_it_was(ops: list[Op]) -> None:
    assert decode_ops(encode_ops(ops)) == ops


def test_the_forms_are_those_of_the_table() -> None:
    ops: list[Op] = [
        SetOp(ID, 1, 2, {"b": None, "a": 1.5}), DeleteOp(ID, LIFE_MAX, INT_MAX), BatchOp(bytes(32), b"k" * 32, 7),
    ]
    assert encode_ops(ops) == encode([
        [1, ID, 1, 2, {"a": 1.5, "b": None}], [2, ID, LIFE_MAX, INT_MAX], [3, bytes(32), b"k" * 32, 7]])


def test_an_unknown_kind_is_kept_verbatim() -> None:
    data = encode([[4], [9, "anything", {"a": None}]])
    ops = decode_ops(data)
    assert ops == [UnknownOp(4, encode([4])), UnknownOp(9, encode([9, "anything", {"a": None}]))]
    assert encode_ops(ops) == data


@pytest.mark.parametrize("form", [
    [], {}, 1, [0], [-1], [True], ["1"], [None],
    [1, ID, 1, 2], [1, ID, 1, 2, {}], [1, ID, 1, 2, []], [1, ID, 1, 2, {"a": 1}, 0],
    [1, ID[:15], 1, 2, {"a": 1}], [1, "x" * 16, 1, 2, {"a": 1}],
    [1, ID, 0, 2, {"a": 1}], [1, ID, LIFE_MAX + 1, 2, {"a": 1}], [1, ID, True, 2, {"a": 1}], [1, ID, 1.0, 2, {"a": 1}],
    [1, ID, 1, -1, {"a": 1}], [1, ID, 1, True, {"a": 1}], [1, ID, 1, None, {"a": 1}],
    [1, ID, 1, 2, {"": 1}], [1, ID, 1, 2, {"/a": 1}], [1, ID, 1, 2, {"a" * 1025: 1}], [1, ID, 1, 2, {"a": nested(34)}],
    [2, ID, 1], [2, ID, 1, 2, 3], [2, b"", 1, 2], [2, ID, 0, 2], [2, ID, 1, -1],
    [3, bytes(31), bytes(32), 1], [3, bytes(32), bytes(33), 1], [3, bytes(32), bytes(32), 0],
    [3, bytes(32), bytes(32), True], [3, "a" * 32, bytes(32), 1], [3, bytes(32), bytes(32)],
])
def test_a_malformed_operation_makes_the_entry_invalid(form: Any) -> None:
    good = [2, ID, 1, 0]
    assert decode_ops(encode([good]))
    with pytest.raises(EntryInvalid):
        decode_ops(encode([good, form]))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xc0", b"\x91", encode([]) + b"\0", b"\x91\xdc\x00\x00"])
def test_bytes_that_are_no_array_of_operations(data: bytes) -> None:
    with pytest.raises(EntryInvalid):
        decode_ops(data)


def test_limits() -> None:
    assert decode_ops(encode_ops([SetOp(ID, 1, 0, {"a" * 1024: nested(33)})]))
    large = "x" * (240 << 10)
    with pytest.raises(LimitExceeded):
        encode_ops([SetOp(ID, 1, 0, {"a": large})])
    with pytest.raises(EntryInvalid):
        decode_ops(encode([[1, ID, 1, 0, {"a": large}]]))


def test_an_author_does_not_write_what_others_would_refuse() -> None:
    for bad in (SetOp(ID, 0, 0, {"a": 1}), SetOp(ID, 1, 0, {}), DeleteOp(ID, 1, -1), BatchOp(b"", bytes(32), 1)):
        with pytest.raises(EntryInvalid):
            encode_ops([bad])
    with pytest.raises(EntryInvalid):
        encode_ops([DeleteOp(ID, 1, 0), SetOp(ID, 1, 0, {"a": 1})])
    with pytest.raises(NonCanonical):
        encode_ops([SetOp(ID, 1, 0, {"a": float("nan")})])
    assert encode_ops([DeleteOp(ID, 1, 0), SetOp(ID, 2, 0, {"a": 1})])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=40))
def test_arbitrary_bytes_raise_only_entry_invalid(data: bytes) -> None:
    try:
        ops = decode_ops(data)
    except EntryInvalid:
        return
    assert encode_ops(ops) == data


def test_the_key_of_a_batch_is_not_shown() -> None:
    shown = repr(BatchOp(bytes(32), b"k" * 32, 1))
    assert "6b6b" not in shown
    assert "kk" not in shown
