"""What a JSON value within limits is, and what an Id is (SPEC 7; RFC 9553 1.4).

Invariants: the cost is bounded by the size of the value; nothing but ``BadCard`` is raised.
"""

from __future__ import annotations

import math
from typing import Any

from ..errors import BadCard
from ..limits import INT_MAX, VALUE_DEPTH_MAX
from .types import Value


def is_id(text: str) -> bool:
    """Whether a text is a JSContact Id."""
    return 1 <= len(text) <= 255 and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()


def check_value(value: Value, depth: int = 0) -> int:
    """How many bytes a value takes encoded (SPEC 6.1); ``BadCard`` where it is no JSON value within limits."""
    if depth > VALUE_DEPTH_MAX:
        raise BadCard(f"values are nested deeper than {VALUE_DEPTH_MAX}")
    if isinstance(value, str):
        return _text_size(value)
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int):
        if abs(value) > INT_MAX:
            raise BadCard("a number is beyond 2^53 - 1")
        return _integer_size(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadCard("a number is not finite")
        return 9
    if isinstance(value, dict):
        return _dict_size(value, depth)
    if isinstance(value, list):
        return _head_size(len(value), 16) + sum([check_value(item, depth + 1) for item in value])
    raise BadCard(f"a value is of type {type(value).__name__}, which JSON does not have")


def _integer_size(value: int) -> int:
    if -32 <= value < 128:
        return 1
    # A negative number has one bit less for each of its widths.
    bits = value.bit_length() if value >= 0 else (~value).bit_length() + 1
    return 2 if bits <= 8 else 3 if bits <= 16 else 5 if bits <= 32 else 9


def _head_size(count: int, short: int) -> int:
    """The bytes that say how many follow: up to `short` they are part of the type's own byte."""
    return 1 if count < short else 3 if count < 1 << 16 else 5


def _text_size(text: str) -> int:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise BadCard("a text is not valid Unicode") from None
    return size + (2 if 32 <= size < 256 else _head_size(size, 32))


def _dict_size(value: dict[Any, Value], depth: int) -> int:
    size = _head_size(len(value), 16)
    for key, member in value.items():
        if not isinstance(key, str):
            raise BadCard("a name is not a text")
        size += _text_size(key) + check_value(member, depth + 1)
    return size
