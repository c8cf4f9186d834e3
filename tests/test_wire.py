"""wire.py (SPEC 6): one value, one spelling; any bytes at all give a value or one of two errors."""

from __future__ import annotations

import math
import struct
import time
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync import wire
from e2esync.errors import LimitExceeded, NonCanonical, WireError
from e2esync.limits import DEPTH_MAX, INT_MAX, VALUE_DEPTH_MAX

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SCALARS = st.booleans() | st.integers(-INT_MAX, INT_MAX) | TEXT | st.binary(max_size=40)
CARD_SCALARS = SCALARS | st.none() | st.floats(allow_nan=False, allow_infinity=False)


def nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of at most six levels: hypothesis' own recursion is deeper than a protocol object may be."""
    values = scalars
    for _level in range(3):
        values = values | st.lists(values, max_size=5) | st.dictionaries(TEXT, values, max_size=5)
    return values


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from True and 1.0, and 0.0 from -0.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float):
        return struct.pack(">d", left) == struct.pack(">d", right)
    return bool(left == right)


@settings(max_examples=150, derandomize=True)
@given(nested(SCALARS))
def test_decoding_gives_back_what_was_encoded(value: Any) -> None:
    assert same(wire.decode(wire.encode(value)), value)


@settings(max_examples=150, derandomize=True)
@given(nested(CARD_SCALARS))
def test_card_values_come_back_too(value: Any) -> None:
    assert same(wire.decode_values(wire.encode(value)), value)


@settings(max_examples=100, derandomize=True)
@given(nested(CARD_SCALARS))
def test_bytes_that_decode_are_the_ones_that_encode_writes(value: Any) -> None:
    # msgpack itself writes maps in any order, so these bytes are often not canonical.
    spelled = msgpack.packb(value, use_bin_type=True)
    try:
        decoded = wire.decode_values(spelled)
    except NonCanonical:
        assert wire.encode(value) != spelled
    else:
        assert wire.encode(decoded) == spelled


@settings(max_examples=150, derandomize=True)
@given(st.binary(max_size=200), st.sampled_from([wire.decode, wire.decode_values]))
def test_any_bytes_give_a_value_or_our_error(data: bytes, decode: Any) -> None:
    try:
        value = decode(data)
    except WireError:
        return
    assert wire.encode(value) == data


@settings(max_examples=150, derandomize=True)
@given(nested(CARD_SCALARS), st.data())
def test_damaged_bytes_give_a_value_or_our_error(value: Any, data: st.DataObject) -> None:
    spelled = bytearray(wire.encode(value))
    place = data.draw(st.integers(0, len(spelled) - 1))
    spelled[place] = data.draw(st.integers(0, 255))
    try:
        decoded = wire.decode_values(bytes(spelled))
    except WireError:
        return
    assert wire.encode(decoded) == bytes(spelled)


# One defect each. The first column says what is wrong, the second is the spelling in hex.
MALFORMED = {
    # SPEC 6.2 step 4: longer forms
    "uint8 for 0": "cc00", "uint8 for 127": "cc7f", "uint16 for 255": "cd00ff", "uint32 for 65535": "ce0000ffff",
    "uint64 for 2^32-1": "cf00000000ffffffff", "int8 for -32": "d0e0", "int8 for 0": "d000", "int16 for -128": "d1ff80",
    "int16 for 1": "d10001", "int32 for -32768": "d2ffff8000", "int64 for -2^31": "d3ffffffff80000000",
    "int64 for 5": "d30000000000000005", "str8 for 31": "d91f" + "61" * 31, "str8 for 0": "d900",
    "str16 for 255": "da00ff" + "61" * 255, "str32 for 1": "db0000000161", "bin16 for 255": "c500ff" + "00" * 255,
    "bin32 for 0": "c600000000", "array16 for 15": "dc000f" + "01" * 15, "array32 for 16": "dd00000010" + "01" * 16,
    "map16 for 1": "de0001a16101", "map32 for 0": "df00000000",
    # maps
    "unsorted keys": "82a16201a16102", "unsorted by length": "82a2616101a16102", "repeated key": "82a16101a16102",
    "repeated, apart": "83a16101a16202a16103", "unsorted inside": "81a16182a16201a16102",
    "unsorted non-ASCII": "82a2c3a901a17a02", "integer key": "810101", "bytes key": "81c4016101", "true key": "81c301",
    "null key": "81c001", "float key": "81cb3ff000000000000001", "list key": "819001", "map key": "818001",
    # integers out of range
    "2^53": "cf0020000000000000", "-2^53": "d3ffe0000000000000", "2^64-1": "cfffffffffffffffff",
    "-2^63": "d38000000000000000", "2^53 inside": "91cf0020000000000000",
    # types
    "never used": "c1", "never used inside": "91c1", "fixext1": "d40100", "fixext16": "d801" + "00" * 16,
    "ext8": "c7010500", "ext8 empty": "c70005", "ext16": "c800010500", "ext32": "c9000000010500",
    "timestamp32": "d6ff00000000", "timestamp64": "d7ff0000000000000000", "timestamp96": "c70cff" + "00" * 12,
    "ext as key": "81d4010001",
    # UTF-8
    "continuation byte": "a180", "0xff": "a1ff", "overlong": "a2c080", "overlong slash": "a3e080af",
    "surrogate": "a3eda080", "beyond U+10FFFF": "a4f4908080", "half a character": "a1c3", "bad key": "81a1ff01",
    # lengths
    "nothing": "", "trailing byte": "0100", "trailing nil": "01c0", "two values": "9090", "short uint16": "cd01",
    "short float": "cb3ff0", "short str": "a261", "short bin": "c40561", "short array": "9201", "short map": "81a161",
    "short ext": "d401", "header only": "dc", "half a header": "dc00",
}
OBJECTS_ONLY = {
    "null": "c0", "null inside": "91c0", "null as value": "81a161c0", "float": "cb3ff0000000000000",
    "float inside": "91cb3ff0000000000000", "minus zero": "cb8000000000000000",
}
VALUES_ONLY = {
    "float32": "ca3f800000", "NaN": "cb7ff8000000000000", "other NaN": "cbfff8000000000001",
    "infinity": "cb7ff0000000000000", "minus infinity": "cbfff0000000000000",
}


@pytest.mark.parametrize("spelling", (MALFORMED | OBJECTS_ONLY).values(), ids=(MALFORMED | OBJECTS_ONLY).keys())
def test_decode_refuses(spelling: str) -> None:
    with pytest.raises(NonCanonical):
        wire.decode(bytes.fromhex(spelling))


@pytest.mark.parametrize("spelling", (MALFORMED | VALUES_ONLY).values(), ids=(MALFORMED | VALUES_ONLY).keys())
def test_decode_values_refuses(spelling: str) -> None:
    with pytest.raises(NonCanonical):
        wire.decode_values(bytes.fromhex(spelling))


@pytest.mark.parametrize("spelling", OBJECTS_ONLY.values(), ids=OBJECTS_ONLY.keys())
def test_card_values_hold_null_and_floats(spelling: str) -> None:
    assert wire.encode(wire.decode_values(bytes.fromhex(spelling))).hex() == spelling


@pytest.mark.parametrize(("decode", "depth"), [
    (wire.decode, DEPTH_MAX), (wire.decode_values, DEPTH_MAX + VALUE_DEPTH_MAX),
])
class TestDepth:
    @pytest.mark.parametrize("level", ["91", "81a161"])
    def test_as_deep_as_allowed(self, decode: Any, depth: int, level: str) -> None:
        assert decode(bytes.fromhex(level * (depth - 1) + "90"))
        assert decode(bytes.fromhex(level * depth + "01"))

    @pytest.mark.parametrize("level", ["91", "81a161"])
    @pytest.mark.parametrize("more", [1, 2, 400, 1_100, 100_000])
    def test_deeper(self, decode: Any, depth: int, level: str, more: int) -> None:
        with pytest.raises(LimitExceeded):
            decode(bytes.fromhex(level * (depth - 1 + more) + "90"))

    def test_deep_among_shallow_ones(self, decode: Any, depth: int) -> None:
        with pytest.raises(LimitExceeded):
            decode(b"\x93\x01" + b"\x91" * depth + b"\x01" + b"\x02")


class TestBombs:
    @pytest.mark.parametrize("claim", [
        b"\xdd\xff\xff\xff\xff", b"\xdd\x00\x0f\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xdc\xff\xff", b"\xde\xff\xff",
    ])
    def test_what_is_claimed_and_not_there_costs_nothing(self, claim: bytes) -> None:
        data = claim * (5_000 // len(claim))
        tracemalloc.start()
        with pytest.raises(WireError):
            wire.decode(data)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 200_000

    def test_a_quarter_frame_of_empty_lists_is_read_in_bounded_time(self) -> None:
        count = 2**18
        begun = time.process_time()
        assert len(wire.decode(b"\xdd" + count.to_bytes(4, "big") + b"\x90" * count)) == count
        assert time.process_time() - begun < 5


class TestLimit:
    def test_is_in_bytes_and_inclusive(self) -> None:
        assert wire.decode(b"\xa3abc", limit=4) == "abc"
        with pytest.raises(LimitExceeded):
            wire.decode(b"\xa4abcd", limit=4)
        with pytest.raises(LimitExceeded):
            wire.decode_values(b"\xa4abcd", limit=4)

    def test_comes_before_parsing(self) -> None:
        with pytest.raises(LimitExceeded):
            wire.decode(b"\xc1" * 5, limit=4)

    def test_of_a_frame_by_default(self) -> None:
        content = bytes(2**20 - 5)
        assert wire.decode(wire.encode(content)) == content
        with pytest.raises(LimitExceeded):
            wire.decode(wire.encode(content + b"\0"))


class TestEncode:
    @pytest.mark.parametrize("value", [
        2**53, -(2**53), math.nan, math.inf, -math.inf, {1: 2}, {b"a": 1}, {None: 1}, {True: 1}, object(), {1, 2},
        bytearray(b"a"), memoryview(b"a"), 1j, "\ud800", {"\ud800": 1}, [object()], {"a": {2: 1}},
    ])
    def test_refuses_what_it_cannot_carry(self, value: Any) -> None:
        with pytest.raises(NonCanonical):
            wire.encode(value)

    def test_refuses_what_no_decoder_takes_for_depth(self) -> None:
        value: list[Any] = []
        for _level in range(DEPTH_MAX + VALUE_DEPTH_MAX - 1):
            value = [value]
        assert wire.decode_values(wire.encode(value)) == value
        with pytest.raises(LimitExceeded):
            wire.encode([value])

    def test_refuses_a_value_that_holds_itself(self) -> None:
        value: list[Any] = []
        value.append(value)
        with pytest.raises(LimitExceeded):
            wire.encode(value)

    def test_sorts_keys_by_their_bytes(self) -> None:
        keys = ["\U00010000", "\uffff", "é", "z", "aa", "a", ""]
        spelled = wire.encode(dict.fromkeys(keys, 1))
        assert list(wire.decode(spelled)) == sorted(keys, key=str.encode)

    def test_does_not_change_what_it_is_given(self) -> None:
        value = {"b": [1], "a": {"d": 1, "c": 2}}
        wire.encode(value)
        assert list(value) == ["b", "a"]
        assert list(value["a"]) == ["d", "c"]

    def test_writes_tuples_as_arrays(self) -> None:
        assert wire.encode((1, (2,))) == wire.encode([1, [2]])

    def test_ordered_is_the_same_for_ordered_maps(self) -> None:
        value = {"a": [1, {"x": b"", "y": None}], "b": 0.5}
        assert wire.encode_ordered(value) == wire.encode(value)
        with pytest.raises(NonCanonical):
            wire.encode_ordered({"a": object()})


def test_errors_do_not_hold_content() -> None:
    for data in (b"\x92\xa6secret\xc1", b"\x82\xa6secret\x01\xa6secret\x02", b"\xa7secret\xff"):
        with pytest.raises(NonCanonical) as caught:
            wire.decode(data)
        assert "secret" not in str(caught.value)
