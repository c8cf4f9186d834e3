"""Examples of the encoding (SPEC 6): every spelling that is the one, and the others, which are refused."""

from __future__ import annotations

from typing import Final

from e2esync import wire
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, tagged, untagged
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.errors import LimitExceeded, NonCanonical
from e2esync.limits import FRAME_MAX

_FLAGS: Final = {
    "second-spelling": "the same value in another spelling; accepting it lets signed bytes and parsed meaning differ",
    "type": "a type that the profile does not have",
    "length": "bytes missing or left over",
    "bomb": "a short input that would cost much memory or deep recursion",
    "card-values": "allowed in card values, refused in protocol objects",
}


def layer() -> Layer:
    """All cases of `encoding.json`."""
    cases = Layer("encoding", "6", {"encode": _encode, "decode": _decode, "decode_values": _decode_values}, _FLAGS)
    _encodings(cases)
    _decodings(cases)
    _other_spellings(cases)
    _other_types(cases)
    _lengths(cases)
    _limits(cases)
    _card_values(cases)
    return cases


def _encode(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"bytes": wire.encode(untagged(inputs["value"])).hex()})


def _decode(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    limit = inputs.get("limit", FRAME_MAX)
    return Outcome({"value": tagged(wire.decode(bytes.fromhex(inputs["bytes"]), limit=limit))})


def _decode_values(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    limit = inputs.get("limit", FRAME_MAX)
    return Outcome({"value": tagged(wire.decode_values(bytes.fromhex(inputs["bytes"]), limit=limit))})


def _encodings(cases: Layer) -> None:
    for name, value in {
        "zero": 0, "fixint-max": 127, "uint8": 128, "uint16": 256, "uint32": 65536, "uint64": 2**32,
        "largest": 2**53 - 1, "negative-fixint": -32, "int8": -33, "int16": -129, "smallest": -(2**53 - 1),
        "empty-text": "", "text": "Zoë 日本", "text-of-32": "x" * 32, "empty-bytes": b"", "bytes": b"\0\xff",
        "list": [1, "a", b"a", True, []], "sixteen-items": list(range(16)),
    }.items():
        cases.valid("encode", name, "6.1", "the shortest form", {"value": tagged(value)})
    unsorted = {"é": 1, "b": 2, "a": 3, "\U00010000": 4, "\uffff": 5, "aa": 6}
    cases.valid("encode", "key-order", "6.1", "keys by their UTF-8 bytes, which is not the order of UTF-16 units",
                {"value": tagged(unsorted)})
    for name, number in {"float-of-a-whole-number": 1.0, "minus-zero": -0.0}.items():
        cases.valid("encode", name, "6.3", "a float stays one", {"value": tagged(number)}, flags=("card-values",))
    for name, broken, comment in (
        ("half-a-pair", "\ud800", "a text that is not Unicode: half of a surrogate pair"),
        ("pair-in-wrong-order", "\udc00\ud800", "a text that is not Unicode: two halves of no pair"),
        ("half-a-pair-deeper-in", ["a", {"b": "x\udfff"}], "a text that is not Unicode, deeper in"),
    ):
        cases.invalid("encode", name, "6.1", comment, {"value": tagged(broken)}, NonCanonical)
    for name, value in {"too-large": 2**53, "too-small": -(2**53)}.items():
        cases.invalid("encode", name, "6.1", "beyond ±(2^53−1)", {"value": tagged(value)}, NonCanonical)
    for name, number in {"nan": float("nan"), "infinity": float("inf"), "minus-infinity": float("-inf")}.items():
        cases.invalid("encode", name, "6.3", "a number that is not finite", {"value": tagged(number)}, NonCanonical)


def _decodings(cases: Layer) -> None:
    for name, value in {
        "text": "a", "bytes": b"a", "true": True, "list-of-lists": [[], [[]]], "map": {"a": 1, "b": [b""]},
        "deepest": [[[[[[]]]]]],
    }.items():
        cases.valid("decode", name, "6.2", "one value", {"bytes": wire.encode(value).hex()})
    for name, value, comment in (
        ("byte-order-mark", "\ufeffa", "a text keeps the U+FEFF that it begins with"),
        ("keys-beyond-the-plane", {"\uffff": 1, "\U00010000": 2}, "keys by their UTF-8 bytes, not by UTF-16 units"),
        ("keys-of-digits", {"10": 1, "9": 2, "a": 3}, "a key of digits is a text like any other"),
        ("keys-of-objects", {"__proto__": 1, "constructor": 2}, "a key that means something to a language"),
    ):
        cases.valid("decode", name, "6.2 step 4", comment, {"bytes": wire.encode(value).hex()})


def _refuse(cases: Layer, flag: str, step: str, examples: dict[str, tuple[str, str]]) -> None:
    for name, (spelling, comment) in examples.items():
        cases.invalid("decode", name, step, comment, {"bytes": spelling}, NonCanonical, flags=(flag,))


def _other_spellings(cases: Layer) -> None:
    _refuse(cases, "second-spelling", "6.2 step 4", {
        "uint8-for-5": ("cc05", "an integer in a longer form"),
        "uint16-for-255": ("cd00ff", "an integer in a longer form"),
        "uint32-for-65535": ("ce0000ffff", "an integer in a longer form"),
        "uint64-for-1": ("cf0000000000000001", "an integer in a longer form"),
        "int8-for-minus-1": ("d0ff", "a negative integer in a longer form"),
        "int8-for-5": ("d005", "a positive integer in a signed form"),
        "int16-for-minus-128": ("d1ff80", "a negative integer in a longer form"),
        "int32-for-minus-129": ("d2ffffff7f", "a negative integer in a longer form"),
        "int64-for-minus-1": ("d3ffffffffffffffff", "a negative integer in a longer form"),
        "str8-for-1": ("d90161", "text in a longer form"),
        "str16-for-1": ("da000161", "text in a longer form"),
        "str32-for-1": ("db0000000161", "text in a longer form"),
        "bin16-for-1": ("c5000161", "bytes in a longer form"),
        "bin32-for-1": ("c60000000161", "bytes in a longer form"),
        "array16-for-0": ("dc0000", "an array in a longer form"),
        "array32-for-1": ("dd0000000101", "an array in a longer form"),
        "map16-for-0": ("de0000", "a map in a longer form"),
        "map32-for-1": ("df00000001a16101", "a map in a longer form"),
        "unsorted-keys": ("82a16201a16102", "map keys out of order"),
        "shorter-key-last": ("82a2616101a16102", "a key after one that it begins"),
        "repeated-key": ("82a16101a16102", "a map key that stands twice"),
        "repeated-key-equal-value": ("82a16101a16101", "a map key that stands twice with the same value"),
        "unsorted-inner-keys": ("9182a16201a16102", "map keys out of order, deeper in"),
        "keys-by-utf-16": ("82a4f090808001a3efbfbf02", "map keys in the order of UTF-16 units"),
        "too-large": ("cf0020000000000000", "2^53"),
        "too-large-and-odd": ("cf0020000000000001", "2^53 + 1, which a float of 64 bits does not hold"),
        "too-small": ("d3ffe0000000000000", "−2^53"),
        "uint64-max": ("cfffffffffffffffff", "2^64−1"),
    })


def _other_types(cases: Layer) -> None:
    _refuse(cases, "type", "6.2 step 2", {
        "never-used": ("c1", "the byte that msgpack never uses"),
        "fixext1": ("d40100", "an extension"),
        "ext8-empty": ("c70005", "an extension without content"),
        "timestamp": ("d6ff00000000", "the timestamp extension"),
        "ext-in-list": ("91d40100", "an extension, deeper in"),
        "null": ("c0", "null in a protocol object"),
        "null-in-map": ("81a161c0", "null in a protocol object, deeper in"),
        "float64": ("cb3ff0000000000000", "a float in a protocol object"),
        "float32": ("ca3f800000", "a float in a protocol object"),
        "integer-key": ("810101", "a map key that is not text"),
        "bytes-key": ("81c4016101", "a map key that is not text"),
        "true-key": ("81c301", "a map key that is not text"),
        "null-key": ("81c001", "a map key that is not text"),
        "list-key": ("819001", "a map key that is not text"),
        "stray-continuation": ("a180", "text that is not UTF-8"),
        "overlong": ("a2c080", "text that is not UTF-8: an overlong form"),
        "surrogate": ("a3eda080", "text that is not UTF-8: half of a surrogate pair"),
        "beyond-unicode": ("a4f4908080", "text that is not UTF-8: beyond U+10FFFF"),
        "truncated-character": ("a1c3", "text that is not UTF-8: half a character"),
        "key-not-utf-8": ("81a1ff01", "a map key that is not UTF-8"),
    })


def _lengths(cases: Layer) -> None:
    _refuse(cases, "length", "6.2 step 2", {
        "nothing": ("", "no value at all"),
        "trailing-byte": ("0100", "a byte after the value"),
        "two-values": ("a161a162", "two values"),
        "short-integer": ("cd01", "an integer cut short"),
        "short-text": ("a261", "text cut short"),
        "short-bytes": ("c40561", "bytes cut short"),
        "short-list": ("9201", "a list with an element missing"),
        "short-map": ("81a161", "a map with a value missing"),
        "list-in-list-short": ("919201", "a list with an element missing, deeper in"),
    })
    _refuse(cases, "bomb", "6.2 step 2", {
        "claims-4-gib-of-text": ("dbffffffff61", "a length that is not there"),
        "claims-4-gib-of-bytes": ("c6ffffffff61", "a length that is not there"),
        "claims-a-huge-list": ("ddffffffff01", "a count that is not there"),
        "claims-a-huge-map": ("dfffffffffa16101", "a count that is not there"),
        "claims-lists-in-lists": ("dd000fffff" * 200, "counts that are not there, at every level"),
    })


def _limits(cases: Layer) -> None:
    for name, spelling in {
        "seven-lists": "91919191919190", "six-lists-and-a-map": "91919191919180", "seven-maps": "81a161" * 6 + "80",
    }.items():
        cases.invalid("decode", name, "6.2 step 3", "one level deeper than six", {"bytes": spelling}, LimitExceeded,
                      flags=("bomb",))
    cases.invalid("decode", "two-thousand-lists", "6.2 step 3", "deeper than a recursive parser bears",
                  {"bytes": "91" * 1999 + "90"}, LimitExceeded, flags=("bomb",))
    cases.valid("decode", "at-the-limit", "6.2 step 1", "as many bytes as the object may have",
                {"bytes": "a3616263", "limit": 4})
    cases.invalid("decode", "over-the-limit", "6.2 step 1", "one byte more than the object may have",
                  {"bytes": "a461626364", "limit": 4}, LimitExceeded)
    cases.invalid("decode", "over-the-limit-and-malformed", "6.2 step 1", "the length is looked at before the content",
                  {"bytes": "c1c1c1c1c1", "limit": 4}, LimitExceeded)


def _card_values(cases: Layer) -> None:
    for name, value in {
        "null": None, "float": 1.5, "minus-zero": -0.0, "whole-float": 1.0, "float-of-2-53": 2.0**53,
        "smallest-float": 5e-324, "mixed": {"a": [None, 0.1, 1]},
    }.items():
        cases.valid("decode_values", name, "6.3", "a card value", {"bytes": wire.encode(value).hex()},
                    flags=("card-values",))
    cases.valid("decode_values", "deepest", "6.3", "38 lists, one in the other", {"bytes": "91" * 37 + "90"},
                flags=("card-values",))
    for name, spelling, comment in (
        ("float32", "ca3f800000", "a float of 32 bits"),
        ("nan", "cb7ff8000000000000", "not a number"),
        ("nan-with-payload", "cb7ff0000000000001", "not a number: a signalling one"),
        ("infinity", "cb7ff0000000000000", "not finite"),
        ("minus-infinity", "cbfff0000000000000", "not finite"),
        ("null-key", "81c001", "a map key that is not text"),
        ("timestamp", "d6ff00000000", "the timestamp extension"),
        ("uint8-for-5", "cc05", "an integer in a longer form"),
    ):
        cases.invalid("decode_values", name, "6.3", comment, {"bytes": spelling}, NonCanonical, flags=("card-values",))
    cases.invalid("decode_values", "39-lists", "6.3", "one level too deep", {"bytes": "91" * 38 + "90"}, LimitExceeded,
                  flags=("card-values", "bomb"))
