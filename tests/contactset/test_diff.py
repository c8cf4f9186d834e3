"""What a person changed, by the equality of encodings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from e2esync.contactset import changes, same
from tests.contactset.strategies import registers


@pytest.mark.parametrize(("left", "right"), [
    (1, 1.0), (1, True), (0, False), (0.0, -0.0), ("1", b"1"), (None, 0), ([1], [1.0]), ({"a": True}, {"a": 1}),
    ([], {}), ((1,), [2]),
])
def test_different_values(left: Any, right: Any) -> None:
    assert not same(left, right)
    assert changes({"a": left}, {"a": right}) == {"a": right}


@pytest.mark.parametrize(("left", "right"), [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ((1, 2), [1, 2]), ("x", "x"), (None, None), (1.5, 1.5),
])
def test_equal_values(left: Any, right: Any) -> None:
    assert same(left, right)
    assert changes({"a": left}, {"a": right}) == {}


def test_what_is_gone_is_null() -> None:
    assert changes({"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 4, "d": 5}) == {"b": None, "c": 4, "d": 5}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(registers, registers)
def test_applying_the_changes_gives_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    wanted = {path: value for path, value in new.items() if value is not None}
    written = {path: value for path, value in (old | changes(old, wanted)).items() if value is not None}
    assert not changes(written, wanted)
    assert changes(wanted, wanted) == {}
