"""What a person changed: the difference of two flattened cards, as values to set (SPEC 8.2)."""

from __future__ import annotations

from collections.abc import Mapping

from e2esync.wire import Value, encode


def same(left: Value, right: Value) -> bool:
    """Whether two values are equal when encoded: 1 is neither 1.0 nor True, at any depth."""
    kind = type(left)
    if kind is not type(right):
        # A tuple is written as a list is.
        return {kind, type(right)} == {list, tuple} and encode(left) == encode(right)
    if kind is str or kind is bytes or kind is int or kind is bool or left is None:
        return bool(left == right)
    return encode(left) == encode(right)


def changes(old: Mapping[str, Value], new: Mapping[str, Value]) -> dict[str, Value]:
    """The values to set so that registers `old` become `new`; None where an entry is gone."""
    written = {path: value for path, value in new.items() if path not in old or not same(old[path], value)}
    removed = {path: None for path in old if path not in new}
    return written | removed
