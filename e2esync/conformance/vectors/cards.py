"""Examples of cards (SPEC 7): what is one, its registers, the ids and digests of imports, what a re-import edits."""

from __future__ import annotations

from typing import Any, Final

from e2esync.card import assemble, changes, check_card, flatten, join_path, normalize_email, normalize_phone
from e2esync.card.digests import IdMaker, base_digest, content_id, derive_uid, media_digest
from e2esync.card.paths import split_path
from e2esync.conformance.vectors import card_refusals
from e2esync.conformance.vectors.case import Inputs, Layer, Operation, Outcome, tagged, text, untagged
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.wire import encode_ordered

_FLAGS: Final = {
    "shape": "a card that is no JSContact card",
    "limit": "a value that not every implementation can hold",
    "unknown": "members that the reader does not know, which it keeps",
    "stale": "an older file imported again, which must undo nothing",
}
SET: Final = bytes(range(32)).hex()


def layer() -> Layer:
    """All cases of `cards.json`."""
    cases = Layer("cards", "7", OPERATIONS, _FLAGS)
    _paths(cases)
    _registers(cases)
    _ids(cases)
    _digests(cases)
    _numbers(cases)
    _imports(cases)
    card_refusals.add_cases(cases)
    return cases


def _flatten(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    card = untagged(inputs["card"])
    check_card(card)
    return Outcome({"registers": tagged(dict(sorted(flatten(card).items())))})


def _size(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    card = untagged(inputs["card"])
    check_card(card)
    return Outcome({"size": len(encode_ordered(card))})


def _assemble(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    card = assemble(untagged(inputs["registers"]))
    return Outcome({"card": tagged(dict(sorted(card.items())))})


def _join(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key = inputs.get("key")
    path = join_path(inputs["property"]["text"], None if key is None else key["text"])
    prop, split_key = split_path(path)
    parts = {"property": text(prop), **({} if split_key is None else {"key": text(split_key)})}
    return Outcome({"path": text(path), **parts})


def _entry_ids(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    maker = IdMaker(bytes.fromhex(inputs["set_id"]), inputs["uid"]["text"])
    ids = [maker.make(prop["text"], value["text"]) for prop, value in inputs["entries"]]
    return Outcome({"ids": [text(each) for each in ids]})


def _uid(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    lines = [line["text"] for line in inputs["lines"]]
    return Outcome({"uid": text(derive_uid(bytes.fromhex(inputs["set_id"]), lines))})


def _base(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"digest": base_digest(inputs["path"]["text"], untagged(inputs["value"])).hex()})


def _content(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"id": text(content_id(untagged(inputs["value"])))})


def _media(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    digest = media_digest(bytes.fromhex(inputs["set_id"]), bytes.fromhex(inputs["content"]))
    return Outcome({"digest": digest})


def _phone(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"normalized": text(normalize_phone(inputs["number"]["text"]))})


def _email(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"normalized": text(normalize_email(inputs["address"]["text"]))})


def _changes(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    edits = changes(untagged(inputs["current"]), untagged(inputs["incoming"]))
    return Outcome({"edits": tagged(dict(sorted(edits.items())))})


OPERATIONS: Final[dict[str, Operation]] = {
    "flatten": _flatten, "size": _size, "assemble": _assemble, "path": _join, "entry_ids": _entry_ids,
    "derive_uid": _uid, "base_digest": _base, "content_id": _content, "media_digest": _media,
    "normalize_phone": _phone, "normalize_email": _email, "changes": _changes,
}


def _paths(cases: Layer) -> None:
    for name, prop, key, comment in (
        ("property", "name", None, "a property that is one register"),
        ("entry", "phones", "a-1", "an entry of a map"),
        ("free-key", "keywords", "a/b~c", "what follows the first slash is verbatim"),
        ("vendor", "example.com:x/y~z", None, "a slash and a tilde in a property"),
    ):
        inputs = {"property": text(prop), **({} if key is None else {"key": text(key)})}
        cases.valid("path", name, "7.1", comment, inputs)


WHOLE: Final[dict[str, Any]] = {
    "@type": "Card", "version": "1.0", "uid": "urn:uuid:1", "kind": "individual", "updated": "2024-01-01T00:00:00Z",
    "name": {"full": "Zoë", "components": [{"kind": "given", "value": "Zoë"}]},
    "phones": {"a": {"number": "+44 20 7946 0001", "pref": 1, "contexts": {"work": True}}, "b": {"number": "1"}},
    "keywords": {"Crew": True, "a/b": True}, "members": {"urn:uuid:2": True}, "relatedTo": {},
    "media": {"p": {"kind": "photo", "digest": "00", "size": 2}},
    "localizations": {"jp": {"name/full": "ゾーイ"}},
    "example.com:x": [1, None, {"y": 2.5}],
    "vCardProps": [["x-a", {}, "unknown", "1"], ["x-b", {}, "unknown", "2"], ["x-a", {}, "unknown", "1"]],
}


def _registers(cases: Layer) -> None:
    for name, card, comment in (
        ("whole", WHOLE, "one register for each entry, key, property and vendor member"),
        ("version-2", {"version": "2.0"}, "RFC 9982: without uid"),
        ("bare", {}, "a card of which everything is implied"),
        ("empty-maps", {"phones": {}, "vCardProps": []}, "an empty map is a register, an empty vCardProps is none"),
    ):
        got = cases.valid("flatten", name, "7.1", comment, {"card": tagged(card)}, flags=("unknown",))
        cases.valid("assemble", name, "7.1", "the card of these registers, version 1.0, without `updated`",
                    {"registers": got["registers"]})
    inner = {"uid": "a", "origin": [1, b""], "blobs/00": [b"\0"]}
    cases.valid("assemble", "origin", "7.1", "the origin is never part of a card",
                {"registers": tagged({key: inner[key] for key in ("uid", "origin")})})


def _ids(cases: Layer) -> None:
    entries = [("phones", "+442079460001"), ("phones", "1"), ("phones", "1"), ("emails", "a@b.example")]
    inputs = {"set_id": SET, "uid": text("urn:uuid:1"), "entries": [[text(p), text(v)] for p, v in entries]}
    cases.valid("entry_ids", "entries", "7.2", "equal values are told apart by their ordinal", inputs)
    cases.valid("entry_ids", "another-card", "7.2", "the uid is part of the id", inputs | {"uid": text("urn:uuid:2")})
    cases.valid("entry_ids", "another-set", "7.2", "ids tell nothing outside the set",
                inputs | {"set_id": bytes(32).hex()})
    lines = ["N:Lovelace;Ada;;;", "FN:Ada Lovelace", "TEL:1", "TEL:1"]
    cases.valid("derive_uid", "lines", "7.2", "a UUID of version 8", {"set_id": SET, "lines": list(map(text, lines))})
    cases.valid("derive_uid", "another-order", "7.2", "the order of the lines does not count",
                {"set_id": SET, "lines": list(map(text, reversed(lines)))})
    cases.valid("derive_uid", "lines-beyond-the-plane", "7.2", "lines by their UTF-8 bytes, not by UTF-16 units",
                {"set_id": SET, "lines": [text("NOTE:\U00010000"), text("NOTE:\uffff")]})
    cases.valid("derive_uid", "empty", "7.2", "a card of which no line counts", {"set_id": SET, "lines": []})


def _digests(cases: Layer) -> None:
    for name, path, value in (
        ("text", "uid", "urn:uuid:1"), ("entry", "phones/a", {"number": "1", "contexts": {"work": True}}),
        ("order", "phones/a", {"contexts": {"work": True}, "number": "1"}), ("true", "keywords/Crew", True),
        ("unicode", "notes/a", {"note": "é\"\\\n\u0001"}), ("float", "example.com:x", [1.5, None, -1]),
    ):
        cases.valid("base_digest", name, "7.2", "JSON with sorted keys, without white space, text as it is",
                    {"path": text(path), "value": tagged(value)})
    for name, number in (
        ("whole-float", 1.0), ("minus-zero", -0.0), ("large-float", 1.5e15), ("larger-float", 1e16), ("huge", 1.25e300),
        ("small-float", 0.0001), ("smaller-float", 0.00001), ("two-digits", -2.5e-7), ("subnormal", 5e-324),
        ("many-digits", 123456789012345680.0),
    ):
        cases.valid("base_digest", name, "7.2", f"a float in JSON: {number!r}",
                    {"path": text("example.com:x"), "value": tagged(number)})
    cases.valid("base_digest", "keys-beyond-the-plane", "7.2", "keys by their UTF-8 bytes, not by UTF-16 units",
                {"path": text("example.com:x"), "value": tagged({"\uffff": 1, "\U00010000": 2})})
    cases.valid("content_id", "property", "7.2", "without a key", {"value": tagged(["x-a", {}, "unknown", "1"])})
    cases.valid("media_digest", "photo", "7.2", "keyed with the set id", {"set_id": SET, "content": "ffd8ff"})
    cases.valid("media_digest", "nothing", "7.2", "no bytes at all", {"set_id": SET, "content": ""})


def _numbers(cases: Layer) -> None:
    for name, number in (
        ("spaces", "+44 (0)20 7946-0001"), ("zeros", "0044 20 7946 0001"), ("uri", "tel:+1-418-656-9254;ext=102"),
        ("arabic", "٠١٢"), ("wide", "＋４４ 20"), ("words", " Ask Zoë "),
    ):
        cases.valid("normalize_phone", name, "7.2", "for ids and matching; what was typed is kept", {
            "number": text(number)})
    cases.valid("normalize_phone", "outside-the-plane", "7.2", "a digit of two UTF-16 units", {
        "number": text("\U0001d7dd2")})
    for name, address, comment in (
        ("mailto", " mailto:Ada@Example.ORG ", "without mailto: and case"),
        ("sharp-s", "STRAẞE.Straße@b.example", "full case folding: one letter becomes two"),
        ("last-sigma", "ΟΔΟΣ@b.example", "full case folding knows no last sigma"),
        ("white-space", "\x85\x1f a@b.example\u3000", "white space that not every language trims"),
        ("no-white-space", "\ufeffa@b.example", "and what some languages trim and Unicode does not"),
    ):
        cases.valid("normalize_email", name, "7.2", comment, {"address": text(address)})


def _imports(cases: Layer) -> None:
    old = {"uid": "a", "notes/n": {"note": "old"}, "phones/p": {"number": "1"}}
    origin = [0, b"".join(base_digest(path, old[path]) for path in ("notes/n", "phones/p"))]
    imported = {**old, "origin": origin}
    edited = {**imported, "notes/n": {"note": "newer"}}
    number = {"number": "2"}
    newer = {**imported, "phones/p": number,
             "origin": [0, base_digest("notes/n", old["notes/n"]) + base_digest("phones/p", number)]}
    without = {"uid": "a", "phones/p": {"number": "1"}, "origin": [0, base_digest("phones/p", old["phones/p"])]}
    for name, current, incoming, comment in (
        ("again", imported, imported, "the same file: no edit"),
        ("stale", edited, imported, "the same file after an edit here: the edit stays"),
        ("newer", edited, newer, "another number in the file: that is the edit, and nothing else"),
        ("removed", imported, without, "what the file no longer has, and nobody changed here, goes"),
        ("removed-there-edited-here", edited, without, "what somebody changed here stays"),
        ("no-origin", {"uid": "a", "notes/n": {"note": "mine"}}, {"uid": "a", "notes/n": {"note": "theirs"}},
         "a card that no import made: what the file says is the edit"),
    ):
        cases.valid("changes", name, "7.3", comment, {"current": tagged(current), "incoming": tagged(incoming)},
                    flags=("stale",))
