"""Examples of contact ids and operations (SPEC 8.1, 8.2), part of `contactset.json`."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, tagged, text, untagged
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.contactset import BatchOp, DeleteOp, Op, SetOp, UnknownOp, decode_ops, encode_ops
from e2esync.errors import EntryInvalid, LimitExceeded, NonCanonical
from e2esync.limits import ENTRY_BODY_MAX, INT_MAX, LIFE_MAX
from e2esync.replica.contacts import contact_id
from e2esync.wire import decode_values, encode

ID: Final = bytes(range(16))
OTHER: Final = bytes(range(16, 32))


def _contact_id(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    identity = contact_id(bytes.fromhex(inputs["set_id"]), inputs["uid"]["text"], inputs["ordinal"])
    return Outcome({"contact_id": identity.hex()})


def _encode_ops(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"ops": encode_ops([_op(form) for form in untagged(inputs["operations"])]).hex()})


def _decode_ops(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    ops = decode_ops(bytes.fromhex(inputs["ops"]))
    return Outcome({"operations": tagged([_form(op) for op in ops])})


def _op(form: list[Any]) -> Op:
    match form:
        case [1, contact, life, time, values]:
            return SetOp(contact, life, time, values)
        case [2, contact, life, time]:
            return DeleteOp(contact, life, time)
        case [3, index_id, index_key, count]:
            return BatchOp(index_id, index_key, count)
    return UnknownOp(form[0], encode(form))


def _form(op: Op) -> list[Any]:
    match op:
        case SetOp(contact, life, time, values):
            return [1, contact, life, time, values]
        case DeleteOp(contact, life, time):
            return [2, contact, life, time]
        case BatchOp(index_id, index_key, count):
            return [3, index_id, index_key, count]
        case UnknownOp(_, raw):
            return list(decode_values(raw))


OPERATIONS: Final = {"contact_id": _contact_id, "encode_ops": _encode_ops, "decode_ops": _decode_ops}


def put(values: dict[str, Any], *, contact: bytes = ID, life: int = 1, time: int = 1) -> list[Any]:
    """A set, as an array."""
    return [1, contact, life, time, values]


def gone(*, contact: bytes = ID, life: int = 1, time: int = 9) -> list[Any]:
    """A delete, as an array."""
    return [2, contact, life, time]


def nested(depth: int) -> Any:
    """Empty lists, one in the other."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def add_cases(cases: Layer) -> None:
    """Add the cases of 8.1 and 8.2 to the layer `contactset`."""
    uid: Inputs = {"set_id": "5e" * 32, "uid": text("urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1")}
    for name, comment, change in (
        ("first", "the first card with a uid", {"ordinal": 0}),
        ("second", "the next card with the same uid in one file", {"ordinal": 1}),
        ("other-set", "another id in another set", {"ordinal": 0, "set_id": "5f" * 32}),
        ("uid-with-umlaut", "the uid is text in UTF-8", {"ordinal": 0, "uid": text("Zoë")}),
    ):
        cases.valid("contact_id", name, "8.1", comment, uid | change)
    for name, comment, forms in (
        ("set", "two registers of a life", [put({"name/full": "Zoë", "phones/a": {"number": "+1"}})]),
        ("values", "values of every type", [put({"a": None, "b": 1.5, "c": True, "d": b"\0", "e": [1, {"f": -1}]})]),
        ("delete", "the last life, the latest time", [gone(life=LIFE_MAX, time=INT_MAX)]),
        ("batch", "a run's index", [[3, b"\x1d" * 32, b"\x4e" * 32, 7]]),
        ("unknown", "a kind of a later version is kept verbatim", [[9, "later", {"a": None}]]),
        ("next-life", "a delete, then a set of the next life", [gone(), put({"a": 1}, life=2)]),
        ("deepest", "a value of 33 lists", [put({"a": nested(33)})]),
        ("longest-path", "a path of 1024 characters", [put({"a" * 1024: 1})]),
    ):
        ops = cases.valid("encode_ops", name, "8.2", comment, {"operations": tagged(forms)})
        if name in ("values", "unknown"):
            cases.valid("decode_ops", name, "8.2", comment, ops)
    cases.invalid("encode_ops", "set-after-delete", "8.4", "a writer does not set a life that it has just deleted",
                  {"operations": tagged([gone(), put({"a": 1})])}, EntryInvalid, flags=("writer",))
    cases.invalid("encode_ops", "too-long", "10.3", "more than 240 KiB: to be split",
                  {"operations": tagged([put({"a": bytes(ENTRY_BODY_MAX)})])}, LimitExceeded, flags=("writer",))
    cases.invalid("encode_ops", "not-a-number", "6.3", "a value that is not finite",
                  {"operations": tagged([put({"a": float("nan")})])}, NonCanonical, flags=("writer",))
    _malformed(cases)


def _malformed(cases: Layer) -> None:
    good = gone(contact=OTHER)
    for name, comment, form in (
        ("no-array", "a number for an operation", 1),
        ("no-kind", "an empty array", []),
        ("kind-0", "kind 0", [0]),
        ("kind-true", "a boolean is no kind", [True, ID, 1, 1, {"a": 1}]),
        ("kind-in-text", "text for the kind", ["1"]),
        ("kind-null", "null for the kind", [None, ID, 1, 1]),
        ("set-of-four", "a set without paths", put({})[:4]),
        ("set-of-six", "a set with one element more", [*put({"a": 1}), 0]),
        ("set-of-nothing", "a set with an empty map", put({})),
        ("set-of-list", "a list for the map", [1, ID, 1, 1, ["a"]]),
        ("short-contact", "a contact id of 15 bytes", put({"a": 1}, contact=ID[:15])),
        ("long-contact", "a contact id of 17 bytes", put({"a": 1}, contact=ID + b"\0")),
        ("contact-in-text", "text for the contact id", [1, "x" * 16, 1, 1, {"a": 1}]),
        ("life-0", "lives begin with 1", put({"a": 1}, life=0)),
        ("life-2-31", "a life of 2^31", put({"a": 1}, life=LIFE_MAX + 1)),
        ("life-true", "a boolean is no life", put({"a": 1}, life=True)),
        ("life-in-float", "a float is no life", [1, ID, 1.0, 1, {"a": 1}]),
        ("time-below-0", "time −1", put({"a": 1}, time=-1)),
        ("time-null", "no time", [1, ID, 1, None, {"a": 1}]),
        ("empty-path", "a path of no characters", put({"": 1})),
        ("path-without-property", "a path that begins with /", put({"/a": 1})),
        ("path-of-1025", "a path of 1025 characters", put({"a" * 1025: 1})),
        ("too-deep", "a value of 34 lists", put({"a": nested(34)})),
        ("delete-of-three", "a delete without a time", gone()[:3]),
        ("delete-of-five", "a delete with one element more", [*gone(), 0]),
        ("delete-time-true", "a boolean is no time", gone(time=True)),
        ("delete-life-0", "a delete of life 0", gone(life=0)),
        ("batch-of-three", "a batch without a count", [3, bytes(32), bytes(32)]),
        ("batch-short-id", "an index id of 31 bytes", [3, bytes(31), bytes(32), 1]),
        ("batch-long-key", "an index key of 33 bytes", [3, bytes(32), bytes(33), 1]),
        ("batch-id-in-text", "text for the index id", [3, "i" * 32, bytes(32), 1]),
        ("batch-key-in-text", "text for the index key", [3, bytes(32), "k" * 32, 1]),
        ("batch-count-true", "a boolean is no count", [3, bytes(32), bytes(32), True]),
        ("batch-of-nothing", "a count of 0", [3, bytes(32), bytes(32), 0]),
    ):
        cases.invalid("decode_ops", name, "8.2", comment, {"ops": encode([good, form]).hex()}, EntryInvalid,
                      flags=("operations",))
    _malformed_bytes(cases, good)


def _malformed_bytes(cases: Layer, good: list[Any]) -> None:
    for name, comment, data in (
        ("too-long", "more than 240 KiB", encode([put({"a": "x" * ENTRY_BODY_MAX})])),
        ("nothing", "no bytes", b""),
        ("map", "a map for the operations", encode({})),
        ("trailing-byte", "a byte after the operations", encode([good]) + b"\0"),
        ("longer-form", "an array in a longer form", b"\xdc\0\0"),
        ("cut-short", "the last byte missing", encode([good])[:-1]),
        ("key-is-number", "a map key that is not text",
         encode([put({"a": 1})]).replace(b"\x81\xa1a\1", b"\x81\1\1")),
        ("path-not-utf-8", "a path that is not UTF-8",
         encode([put({"ab": 1})]).replace(b"\xa2ab", b"\xa2\xc3\x28")),
        ("extension", "a value of an extension type",
         encode([put({"ab": 1})]).replace(b"\xa2ab\1", b"\xa2ab\xd4\1\0")),
        ("paths-descending", "map keys out of order",
         encode([put({"a": 1, "b": 2})]).replace(b"\xa1a\1\xa1b\2", b"\xa1b\2\xa1a\1")),
    ):
        cases.invalid("decode_ops", name, "10.4", comment, {"ops": data.hex()}, EntryInvalid, flags=("operations",))
