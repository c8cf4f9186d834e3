"""Arrays with a schema: each reader takes what fits and refuses the rest with NonCanonical."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2esync.epoch import shape
from e2esync.errors import LimitExceeded, NonCanonical

GOOD: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = [
    (shape.array, ([1, 2], 2), [1, 2]),
    (shape.items, ([1], 1), [1]),
    (shape.integer, (0,), 0),
    (shape.integer, (2**53 - 1,), 2**53 - 1),
    (shape.index, (2**32 - 1,), 2**32 - 1),
    (shape.octets, (b"ab", 2), b"ab"),
    (shape.optional, (b"", 2), b""),
    (shape.optional, (b"ab", 2), b"ab"),
    (shape.any_octets, (b"",), b""),
    (shape.counters, ([[0, 1], [5, 9]],), {0: 1, 5: 9}),
    (shape.counters, ([],), {}),
]
BAD: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (shape.array, ([1], 2)), (shape.array, ({}, 0)), (shape.array, ("ab", 2)),
    (shape.items, (b"", 1)),
    (shape.integer, (True,)), (shape.integer, (-1,)), (shape.integer, (2**53,)), (shape.integer, ("1",)),
    (shape.index, (2**32,)), (shape.index, (-1,)), (shape.index, (False,)),
    (shape.octets, (b"a", 2)), (shape.octets, ("ab", 2)), (shape.octets, (b"", 2)),
    (shape.optional, (b"a", 2)), (shape.optional, ("", 2)),
    (shape.any_octets, ("",)),
    (shape.counters, ([[1, 1], [1, 2]],)), (shape.counters, ([[2, 1], [1, 2]],)), (shape.counters, ([[1, 0]],)),
    (shape.counters, ([[1]],)), (shape.counters, (5,)), (shape.counters, ([[True, 1]],)),
    (shape.counters, ([[1, True]],)),
]


def _call(reader: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return reader(*args[:1], "it") if len(args) == 1 else reader(*args, "it")


@pytest.mark.parametrize(("reader", "args", "expected"), GOOD)
def test_what_fits_is_taken(reader: Callable[..., Any], args: tuple[Any, ...], expected: Any) -> None:
    assert _call(reader, args) == expected


@pytest.mark.parametrize(("reader", "args"), BAD)
def test_what_does_not_fit_is_refused(reader: Callable[..., Any], args: tuple[Any, ...]) -> None:
    with pytest.raises(NonCanonical, match="it "):
        _call(reader, args)


def test_too_many_items_exceed_a_limit() -> None:
    with pytest.raises(LimitExceeded, match="2 elements where at most 1"):
        shape.items([1, 2], 1, "it")


def test_pairs_are_what_counters_reads() -> None:
    assert shape.pairs({5: 9, 0: 1}) == [[0, 1], [5, 9]]


def test_integers_are_big_endian() -> None:
    assert shape.u32(258) == b"\0\0\1\2"
    assert shape.u64(258) == b"\0\0\0\0\0\0\1\2"
