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
    """The length of a value as msgpack (within two bytes a member); ``BadCard`` where it is no JSON value in limits."""
    if depth > VALUE_DEPTH_MAX:
        raise BadCard(f"values are nested deeper than {VALUE_DEPTH_MAX}")
    if isinstance(value, str):
        return _text_size(value)
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int):
        if abs(value) > INT_MAX:
            raise BadCard("a number is beyond 2^53 - 1")
        return 1 if -32 <= value < 128 else 9
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadCard("a number is not finite")
        return 9
    if isinstance(value, dict):
        return _dict_size(value, depth)
    if isinstance(value, list):
        return 3 + sum(check_value(item, depth + 1) for item in value)
    raise BadCard(f"a value is of type {type(value).__name__}, which JSON does not have")


def _text_size(text: str) -> int:
    try:
        return len(text.encode("utf-8")) + 2
    except UnicodeEncodeError:
        raise BadCard("a text is not valid Unicode") from None


def _dict_size(value: dict[Any, Value], depth: int) -> int:
    size = 3
    for key, member in value.items():
        if not isinstance(key, str):
            raise BadCard("a name is not a text")
        size += _text_size(key) + check_value(member, depth + 1)
    return size
