"""The strict profile of msgpack (SPEC 6), both ways, read byte by byte.

The reader refuses a second spelling as it goes, so what it returns has exactly one encoding: `encode` of it.
"""

import math
import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .errors import Refusal, refuse, require

FRAME_MAX = 1 << 20
DEPTH_MAX = 6
VALUE_DEPTH_MAX = DEPTH_MAX + 32
INT_MAX = (1 << 53) - 1
TIME = range(INT_MAX + 1)
INDEX = range(1 << 32)


def decode(data: bytes, *, limit: int = FRAME_MAX, values: bool = False, code: str = "") -> Any:
    """The one value in `data` (SPEC 6.2, 6.3); `code` replaces that of a refusal where an object's section says so."""
    try:
        require(len(data) <= limit, "LimitExceeded", "more bytes than the object may have")
        reader = _Reader(data, values)
        value = reader.value(0)
        require(reader.at == len(data), "NonCanonical", "bytes behind the value")
    except Refusal as refusal:
        raise Refusal(code or refusal.code, "malformed") from refusal
    return value


class _Reader:
    """A cursor over bytes."""

    def __init__(self, data: bytes, values: bool):
        self.data, self.values, self.at = data, values, 0
        self.depth_max = VALUE_DEPTH_MAX if values else DEPTH_MAX

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        require(len(part) == count, "NonCanonical", "cut short")
        self.at += count
        return part

    def number(self, size: int, smallest: int) -> int:
        """An unsigned number of `size` bytes, which had no shorter form."""
        found = int.from_bytes(self.take(size), "big")
        require(found >= smallest, "NonCanonical", "a longer form than needed")
        return found

    def value(self, depth: int) -> Any:
        head = self.take(1)[0]
        if head <= 0x7F:
            return head
        if head >= 0xE0:
            return head - 0x100
        if 0xA0 <= head <= 0xBF:
            return self.text(head & 0x1F)
        if 0x90 <= head <= 0x9F:
            return self.array(head & 0x0F, depth)
        if 0x80 <= head <= 0x8F:
            return self.map(head & 0x0F, depth)
        if head in (0xC2, 0xC3):
            return head == 0xC3
        if head in (0xC0, 0xCB):
            return self.card_value(head)
        longer = _LONGER.get(head)
        if longer is None:
            refuse("NonCanonical", "a type that is not in the profile")
        return longer(self, depth)

    def card_value(self, head: int) -> float | None:
        """Null and floats, which only card values may hold (SPEC 6.3)."""
        require(self.values, "NonCanonical", "null or a float in a protocol object")
        if head == 0xC0:
            return None
        found: float = struct.unpack(">d", self.take(8))[0]
        require(math.isfinite(found), "NonCanonical", "a float that is not finite")
        return found

    def signed(self, size: int, largest: int) -> int:
        found = int.from_bytes(self.take(size), "big", signed=True)
        require(-INT_MAX <= found < largest, "NonCanonical", "an integer out of range, or in a longer form")
        return found

    def unsigned(self, size: int, smallest: int) -> int:
        found = self.number(size, smallest)
        require(found <= INT_MAX, "NonCanonical", "an integer out of range")
        return found

    def text(self, length: int) -> str:
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refusal("NonCanonical", "text that is not UTF-8") from error

    def enter(self, depth: int, count: int) -> int:
        """One level down, to `count` elements, which take a byte each at least."""
        require(count <= len(self.data) - self.at, "NonCanonical", "more elements than bytes")
        require(depth < self.depth_max, "LimitExceeded", "nested too deep")
        return depth + 1

    def array(self, length: int, depth: int) -> list[Any]:
        inner = self.enter(depth, length)
        return [self.value(inner) for _ in range(length)]

    def map(self, length: int, depth: int) -> dict[str, Any]:
        inner, found, last = self.enter(depth, 2 * length), {}, b""
        for place in range(length):
            key = self.value(inner)
            if not isinstance(key, str):
                refuse("NonCanonical", "a map key that is no string")
            spelled = key.encode()
            require(place == 0 or spelled > last, "NonCanonical", "map keys unsorted or repeated")
            found[key], last = self.value(inner), spelled
        return found


_LONGER: dict[int, Callable[[_Reader, int], Any]] = {
    0xC4: lambda r, _: r.take(r.number(1, 0)),
    0xC5: lambda r, _: r.take(r.number(2, 1 << 8)),
    0xC6: lambda r, _: r.take(r.number(4, 1 << 16)),
    0xCC: lambda r, _: r.unsigned(1, 1 << 7),
    0xCD: lambda r, _: r.unsigned(2, 1 << 8),
    0xCE: lambda r, _: r.unsigned(4, 1 << 16),
    0xCF: lambda r, _: r.unsigned(8, 1 << 32),
    0xD0: lambda r, _: r.signed(1, -(1 << 5)),
    0xD1: lambda r, _: r.signed(2, -(1 << 7)),
    0xD2: lambda r, _: r.signed(4, -(1 << 15)),
    0xD3: lambda r, _: r.signed(8, -(1 << 31)),
    0xD9: lambda r, _: r.text(r.number(1, 1 << 5)),
    0xDA: lambda r, _: r.text(r.number(2, 1 << 8)),
    0xDB: lambda r, _: r.text(r.number(4, 1 << 16)),
    0xDC: lambda r, depth: r.array(r.number(2, 1 << 4), depth),
    0xDD: lambda r, depth: r.array(r.number(4, 1 << 16), depth),
    0xDE: lambda r, depth: r.map(r.number(2, 1 << 4), depth),
    0xDF: lambda r, depth: r.map(r.number(4, 1 << 16), depth),
}


def encode(value: Any) -> bytes:
    """The one spelling of a value (SPEC 6.1)."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        require(math.isfinite(value), "NonCanonical", "a float that is not finite")
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return _head(len(value), None, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, str):
        try:
            spelled = value.encode("utf-8")
        except UnicodeEncodeError:
            refuse("NonCanonical", "a text with half of a surrogate pair")
        return _head(len(spelled), (0xA0, 0x20), (0xD9, 0xDA, 0xDB)) + spelled
    if isinstance(value, (list, tuple)):
        return _head(len(value), (0x90, 0x10), (None, 0xDC, 0xDD)) + b"".join(map(encode, value))
    pairs = sorted((key.encode("utf-8"), key) for key in value)
    return _head(len(pairs), (0x80, 0x10), (None, 0xDE, 0xDF)) + b"".join(
        encode(key) + encode(value[key]) for _, key in pairs
    )


def _head(length: int, short: tuple[int, int] | None, longer: tuple[int | None, int, int]) -> bytes:
    """The type byte and the length behind it, in the shortest form."""
    if short and length < short[1]:
        return bytes([short[0] | length])
    one, two, four = longer
    if one is not None and length < 1 << 8:
        return bytes([one, length])
    return bytes([two]) + length.to_bytes(2, "big") if length < 1 << 16 else bytes([four]) + length.to_bytes(4, "big")


def _integer(value: int) -> bytes:
    require(abs(value) <= INT_MAX, "NonCanonical", "an integer out of range")
    if -0x20 <= value < 0x80:
        return bytes([value & 0xFF])
    # A sign takes a bit, which an unsigned form has to spare.
    size = next(size for size in (1, 2, 4, 8) if -(1 << (8 * size - 1)) <= value < 1 << (8 * size))
    head = (0xCC if value >= 0 else 0xD0) + size.bit_length() - 1
    return bytes([head]) + value.to_bytes(size, "big", signed=value < 0)


# SPEC 6.4: what stands in an array with a schema.


def fields(value: Any, count: int, code: str = "NonCanonical") -> list[Any]:
    """An array of exactly so many elements."""
    require(isinstance(value, list) and len(value) == count, code, f"not an array of {count}")
    return list(value)


def items(value: Any, code: str = "NonCanonical", most: int | None = None) -> list[Any]:
    """An array of any number of elements, up to `most`."""
    require(isinstance(value, list), code, "no array")
    require(most is None or len(value) <= most, "LimitExceeded", "too many elements")
    return list(value)


def raw(value: Any, *sizes: int, code: str = "NonCanonical") -> bytes:
    """A byte string of one of the sizes given, or of any."""
    require(isinstance(value, bytes) and (not sizes or len(value) in sizes), code, f"no byte string of {sizes}")
    return bytes(value)


def integer(value: Any, allowed: range = TIME, code: str = "NonCanonical") -> int:
    """An integer within a range; a boolean is none."""
    require(isinstance(value, int) and not isinstance(value, bool) and value in allowed, code, "no such integer")
    return int(value)


def ascending(keys: list[Any], code: str = "NonCanonical") -> None:
    """Keys that rise strictly."""
    require(all(left < right for left, right in pairwise(keys)), code, "not ascending")


def vector(value: Any, code: str = "NonCanonical") -> dict[int, int]:
    """`[[member, counter], …]`, ascending, no zero counters (SPEC 10.3)."""
    pairs = [fields(pair, 2, code) for pair in items(value, code)]
    found = [(integer(member, INDEX, code), integer(counter, range(1, INT_MAX + 1), code)) for member, counter in pairs]
    ascending([member for member, _ in found], code)
    return dict(found)
