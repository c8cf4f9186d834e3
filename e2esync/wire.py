"""Strict msgpack, both ways (SPEC 6): one value has one spelling, and a decoder refuses every other.

The only importer of msgpack. `decode` reads protocol objects: maps with sorted unique string keys, arrays, strings,
byte strings, booleans and integers within ±(2^53−1). `decode_values` reads what holds card values, which may also be
null and finite floats, and may nest deeper.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

import msgpack

from e2esync.errors import LimitExceeded, NonCanonical
from e2esync.limits import DEPTH_MAX, FRAME_MAX, INT_MAX, VALUE_DEPTH_MAX

Value = Any
"""What the encoding can carry: None, bool, int, float, str, bytes, list, dict with string keys."""

# msgpack reports hostile bytes in all of these ways; SPEC 6 has one code for them, and one for too deep a nesting.
_TOO_DEEP: Final = (RecursionError, msgpack.StackError)
_REFUSALS: Final = (ValueError, TypeError, KeyError, OverflowError, UnicodeError, msgpack.UnpackException)

# One for all: it holds nothing between two values, and packs each in one go. Making a new one costs as much as packing.
_PACKER: Final = msgpack.Packer(use_bin_type=True)
# No array of a value of 1 KiB can have more items than that, on no level: 3 MB of claims at worst, for a moment.
_SMALL: Final = 1 << 10
_NULL: Final = type(None)
_OBJECT_LEAVES: Final[frozenset[type]] = frozenset({str, bytes, bool})
_VALUE_LEAVES: Final[frozenset[type]] = frozenset({str, bytes, bool, _NULL})


def encode(value: Value) -> bytes:
    """The one spelling of `value` (SPEC 6.1). Maps are written in the order of their keys' UTF-8 bytes.

    Raises NonCanonical for a type, number or key that the encoding cannot carry.
    """
    return _pack(_ordered(value, VALUE_DEPTH_MAX + DEPTH_MAX))


def encode_ordered(value: Value) -> bytes:
    """`encode` for a value whose maps the caller has built in key order already (a hot path)."""
    return _pack(value)


def decode(data: bytes, *, limit: int = FRAME_MAX) -> Value:
    """The protocol object that `data` spells, at most `limit` bytes (SPEC 6.2): no null, no float."""
    return _decode(data, limit, _OBJECT_LEAVES, DEPTH_MAX)


def decode_values(data: bytes, *, limit: int = FRAME_MAX) -> Value:
    """The object with card values that `data` spells, at most `limit` bytes (SPEC 6.3)."""
    return _decode(data, limit, _VALUE_LEAVES, VALUE_DEPTH_MAX + DEPTH_MAX)


def decode_checked(data: bytes) -> Value:
    """The value of bytes that `decode_values` has accepted before, and that this device has kept since (a hot path)."""
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=True)
    except (*_TOO_DEEP, *_REFUSALS) as error:
        raise NonCanonical("stored bytes are not what was stored") from error


def _decode(data: bytes, limit: int, leaves: frozenset[type], depth: int) -> Value:
    # SPEC 6.2 step 1: length first, before anything is allocated for the content.
    if len(data) > limit:
        raise LimitExceeded(f"{len(data)} bytes where at most {limit} are allowed")
    size = len(data)
    try:
        if size > _SMALL:
            _walk(data)
        value = msgpack.unpackb(
            data, raw=False, strict_map_key=True, ext_hook=_no_extension, max_ext_len=0,
            max_str_len=size, max_bin_len=size, max_array_len=size, max_map_len=size,
        )
    except _TOO_DEEP as error:
        raise LimitExceeded("the value is nested too deeply") from error
    except _REFUSALS as error:
        raise NonCanonical("the bytes are not one msgpack value of the strict profile") from error
    _check(value, leaves, depth)
    # SPEC 6.2 step 4: shortest forms and no duplicate keys, by writing it again.
    if _pack(value) != data:
        raise NonCanonical("the value is spelled in another way than the shortest, or a map key stands twice")
    return value


def _pack(value: Value) -> bytes:
    try:
        packed = _PACKER.pack(value)
    except (RecursionError, *_REFUSALS) as error:
        _PACKER.reset()
        raise NonCanonical("the value cannot be encoded") from error
    assert isinstance(packed, bytes)
    return packed


def _walk(data: bytes) -> None:
    """Pass over the value without building it, so that arrays which claim more than is there cost no memory.

    msgpack sets aside room for an array as long as it claims to be, at every level of nesting. Only the two long forms
    can claim much; without their bytes there is nothing to look for.
    """
    if b"\xdd" in data or b"\xdc" in data:
        walker = msgpack.Unpacker(max_buffer_size=len(data), read_size=len(data))
        walker.feed(data)
        walker.skip()


def _no_extension(code: int, _data: bytes) -> Value:
    raise ValueError(f"extension type {code}")


def _check(value: Value, leaves: frozenset[type], depth: int) -> None:
    """Types, ranges, key order and depth of a whole value, one level of arrays and maps after the other.

    `leaves` are the types that need no look; integers and, where null is one of those types, floats are looked at.
    """
    floats = _NULL in leaves
    level: list[Value] = [[value]]
    while level:
        below: list[Value] = []
        for container in level:
            if type(container) is dict:
                _check_keys(container)
                container = container.values()
            for item in container:
                kind = type(item)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    below.append(item)
                elif kind not in leaves:
                    _check_number(item, floats=floats)
        if below and depth <= 0:
            raise LimitExceeded("the value is nested too deeply")
        depth -= 1
        level = below


def _check_keys(value: dict[Value, Value]) -> None:
    # Python orders strings by code point, which is the order of their UTF-8 bytes.
    last = ""
    for key in value:
        if type(key) is not str or (key <= last and last):
            raise NonCanonical("map keys are not strings in the order of their UTF-8 bytes")
        last = key


def _check_number(value: Value, *, floats: bool) -> None:
    if type(value) is int:
        if not -INT_MAX <= value <= INT_MAX:
            raise NonCanonical("an integer is outside ±(2^53−1)")
    elif not floats or type(value) is not float:
        raise NonCanonical(f"a {type(value).__name__} stands where there may be none")
    elif not isfinite(value):
        raise NonCanonical("a number is not finite")


def _ordered(value: Value, depth: int) -> Value:
    """`value` with every map in key order; raises NonCanonical for what the encoding cannot carry."""
    kind = type(value)
    if kind in _VALUE_LEAVES:
        return value
    if kind is dict:
        keys = _sorted_keys(value)
        below = _deeper(depth)
        return {key: item if type(item := value[key]) is str else _ordered(item, below) for key in keys}
    if kind is list or kind is tuple:
        below = _deeper(depth)
        return [item if type(item) is str else _ordered(item, below) for item in value]
    _check_number(value, floats=True)
    return value


def _sorted_keys(value: dict[Value, Value]) -> list[str]:
    try:
        keys = sorted(value)
    except TypeError:
        keys = [None]
    # Keys that can be sorted together are all strings if one is.
    if keys and type(keys[0]) is not str:
        raise NonCanonical("a map key is not a string")
    return keys


def _deeper(depth: int) -> int:
    if depth <= 0:
        raise LimitExceeded("the value is nested too deeply")
    return depth - 1
