"""Examples of a book that moves to another set (SPEC 12.9, 8.8), part of `access.json`."""

from __future__ import annotations

from typing import Any, Final

from e2esync.card.digests import media_digest
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, tagged, text, untagged
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.operations import ID
from e2esync.conformance.vectors.states import group
from e2esync.contactset import check_packed
from e2esync.errors import BadState
from e2esync.replica.contacts import contact_id
from e2esync.replica.moving import late_of, moved, parse_notice
from e2esync.wire import encode

_OLD: Final = b"\x01" * 32
_NEW: Final = b"\x02" * 32
_PHOTO: Final = b"\xff\xd8\xff\xe0 a photo"
_WORD: Final[dict[str, Any]] = {
    "set": _NEW, "relay": "wss://relay.example", "key": b"\x03" * 32, "record": b"\x04" * 32, "member": 1, "epoch": 7,
    "vector": [[1, 4], [2, 9]],
}


def _moved_contact(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    media = {digest["text"]: bytes.fromhex(content) for digest, content in inputs["media"]}
    found = moved(bytes.fromhex(inputs["contact"]), untagged(inputs["registers"]), bytes.fromhex(inputs["old_set"]),
                  bytes.fromhex(inputs["new_set"]), media.get)
    return Outcome({"contact": found.contact.hex(), "registers": tagged(found.registers)})


def _moved_word(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    word = parse_notice(untagged(inputs["moved"]))
    return Outcome({"word": [] if word is None else [
        word.set_id.hex(), text(word.relay), word.relay_key.hex(), word.record_hash.hex(), word.member, word.epoch,
        [list(pair) for pair in sorted(word.vector.items())],
    ]})


def _late_writes(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    word, state = parse_notice(untagged(inputs["moved"])), bytes.fromhex(inputs["state"])
    check_packed(state)
    assert word is not None
    late = late_of(ID, state, word)
    gone = late is not None and late.gone
    return Outcome({"removed": gone, "paths": [] if late is None or gone else list(map(text, sorted(late.paths)))})


OPERATIONS: Final = {"moved_contact": _moved_contact, "moved_word": _moved_word, "late_writes": _late_writes}


def add_cases(cases: Layer) -> None:
    """Add the cases of 12.9 to the layer `access`."""
    _contacts(cases)
    _words(cases)
    _late(cases)


def _contacts(cases: Layer) -> None:
    digest, elsewhere = media_digest(_OLD, _PHOTO), "0" * 32
    photo = {"kind": "photo", "digest": digest, "size": len(_PHOTO), "mediaType": "image/jpeg"}
    registers: dict[str, Any] = {"uid": "urn:ada", "name/full": "Ada"}
    for name, comment, contact, values in (
        ("first-of-its-uid", "the id of the same uid and ordinal", contact_id(_OLD, "urn:ada", 0), registers),
        ("third-of-its-uid", "its ordinal goes along", contact_id(_OLD, "urn:ada", 2), registers),
        ("last-ordinal", "63 is looked for", contact_id(_OLD, "urn:ada", 63), registers),
        ("beyond-the-ordinals", "64 is not: the uid is the old id", contact_id(_OLD, "urn:ada", 64), registers),
        ("other-uid", "an id that its uid does not give", ID, registers),
        ("without-uid", "no uid", ID, {"name/full": "Ada"}),
        ("uid-no-text", "a uid that is none", ID, {"uid": 7, "name/full": "Ada"}),
        ("photo", "a digest is salted with the set, too", contact_id(_OLD, "urn:ada", 0),
         registers | {"media/p": photo, f"blobs/{digest}": {"keys": [], "parts": []}}),
        ("photo-elsewhere", "media whose bytes are not here keep their entry", contact_id(_OLD, "urn:ada", 0),
         registers | {"media/p": photo | {"digest": elsewhere}}),
    ):
        cases.valid("moved_contact", name, "12.9", comment, {
            "old_set": _OLD.hex(), "new_set": _NEW.hex(), "contact": contact.hex(), "registers": tagged(values),
            "media": [[text(digest), _PHOTO.hex()]],
        })


def _words(cases: Layer) -> None:
    cases.valid("moved_word", "well-formed", "8.8", "where the book is now", {"moved": tagged(_WORD)})
    cases.valid("moved_word", "more-is-said", "8.8", "what else it says is of a later version",
                {"moved": tagged(_WORD | {"more": True})})
    cases.valid("moved_word", "no-map", "8.8", "ignored: no map", {"moved": tagged("gone")})
    for name, comment, path, value in (
        ("short-set", "a set id of 31 bytes", "set", bytes(31)), ("set-in-hex", "a set id as text", "set", "02" * 32),
        ("relay-in-bytes", "an address that is no text", "relay", b"wss://relay.example"),
        ("long-key", "a relay key of 33 bytes", "key", bytes(33)), ("no-record", "null for a hash", "record", None),
        ("member-below-0", "member -1", "member", -1), ("true-for-a-member", "a boolean", "member", True),
        ("epoch-below-0", "epoch -1", "epoch", -1), ("vector-a-map", "a vector as a map", "vector", {"1": 4}),
        ("vector-of-three", "a pair with three numbers", "vector", [[1, 4, 0]]),
        ("counter-below-0", "counter -4", "vector", [[1, -4]]),
        ("true-for-a-counter", "a boolean as counter", "vector", [[1, True]]),
    ):
        cases.valid("moved_word", name, "8.8", f"ignored: {comment}", {"moved": tagged(_WORD | {path: value})})
    for path in sorted(_WORD):
        without = {each: value for each, value in _WORD.items() if each != path}
        cases.valid("moved_word", f"without-{path}", "8.8", "ignored: a member is missing", {"moved": tagged(without)})


def _late(cases: Layer) -> None:
    dead = [1, [group({"a": 1}, 1, 4), group({"b": 2}, 2, 10)], 7, [[1, 4], [2, 10]]]
    for name, comment, lives in (
        ("nothing", "all that it shows went along", [[1, [group({"a": 1}, 1, 4), group({"b": 2}, 2, 9)]]]),
        ("one-path", "a write above its author's counter", [[1, [group({"a": 1}, 1, 4), group({"b": 2}, 2, 10)]]]),
        ("unknown-author", "a member that the word does not name",
         [[1, [group({"a": 1}, 1, 4), group({"b": 2}, 3, 1)]]]),
        ("died-since", "it died in the epoch of the move", [dead]),
        ("died-before", "it died in an epoch before", [[*dead[:2], 6, dead[3]]]),
        ("written-again", "dead, and alive in another life", [dead, [2, [group({"c": 3}, 2, 11)]]]),
    ):
        cases.valid("late_writes", name, "12.9 step 2", comment,
                    {"state": encode(lives).hex(), "moved": tagged(_WORD)})
    cases.invalid("late_writes", "malformed", "8.3", "a state without lives", {"state": "90", "moved": tagged(_WORD)},
                  BadState, flags=("state",))
