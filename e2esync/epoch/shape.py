"""Arrays with a schema (SPEC 6.4): type, length and range of each element, checked before anything is made of it.

The strict encoding has already refused null, floats and second spellings; what is left to refuse here is a value that
does not fit its place. Every refusal is NonCanonical and names the place, never the value.
"""

from __future__ import annotations

from typing import Final

from e2esync.errors import LimitExceeded, NonCanonical
from e2esync.limits import HASH, INT_MAX
from e2esync.wire import Value

INDEX_MAX: Final = 2**32 - 1
"""The greatest member index: it is written as u32 in contexts (SPEC 9.5)."""

ZERO_HASH: Final = bytes(HASH)


def u32(number: int) -> bytes:
    """A big-endian integer of 4 bytes (SPEC 3)."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """A big-endian integer of 8 bytes (SPEC 3)."""
    return number.to_bytes(8, "big")


def array(value: Value, length: int, what: str) -> list[Value]:
    """`value` as an array of exactly `length` elements."""
    if type(value) is not list or len(value) != length:
        raise NonCanonical(f"{what} is not an array of {length} elements")
    return value


def items(value: Value, limit: int, what: str) -> list[Value]:
    """`value` as an array of at most `limit` elements; more is LimitExceeded."""
    if type(value) is not list:
        raise NonCanonical(f"{what} is not an array")
    if len(value) > limit:
        raise LimitExceeded(f"{what} has {len(value)} elements where at most {limit} are allowed")
    return value


def integer(value: Value, what: str, low: int = 0, high: int = INT_MAX) -> int:
    """`value` as an integer within low..high. A boolean is none."""
    if type(value) is not int or not low <= value <= high:
        raise NonCanonical(f"{what} is not an integer within {low}..{high}")
    return value


def index(value: Value, what: str) -> int:
    """`value` as a member index."""
    return integer(value, what, 0, INDEX_MAX)


def octets(value: Value, size: int, what: str) -> bytes:
    """`value` as a byte string of exactly `size` bytes."""
    if type(value) is not bytes or len(value) != size:
        raise NonCanonical(f"{what} is not a byte string of {size} bytes")
    return value


def optional(value: Value, size: int, what: str) -> bytes:
    """`value` as a byte string of `size` bytes, or an empty one."""
    if type(value) is not bytes or len(value) not in (0, size):
        raise NonCanonical(f"{what} is neither empty nor a byte string of {size} bytes")
    return value


def any_octets(value: Value, what: str) -> bytes:
    """`value` as a byte string of any length; the caller sees to its limit."""
    if type(value) is not bytes:
        raise NonCanonical(f"{what} is not a byte string")
    return value


def counters(value: Value, what: str) -> dict[int, int]:
    """`[[member, counter], …]`, ascending by member, no zero counters: a version vector, or a record's numbers."""
    if type(value) is not list:
        raise NonCanonical(f"{what} is not an array")
    result: dict[int, int] = {}
    last = -1
    for pair in value:
        member, counter = array(pair, 2, what)
        # Ascending order gives a mapping one spelling, and rules out a member that stands twice.
        if index(member, what) <= last:
            raise NonCanonical(f"{what} is not ascending by member")
        result[member] = integer(counter, what, 1)
        last = member
    return result


def pairs(counts: dict[int, int]) -> list[list[int]]:
    """The array that `counters` reads."""
    return [[member, counts[member]] for member in sorted(counts)]
