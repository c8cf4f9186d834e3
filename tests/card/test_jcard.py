"""jCard (RFC 7095) in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.card import VERSIONS, assemble, changes, check_card, jcard, read_vcards, write_vcards
from e2esync.errors import BadCard

from .helpers import SALT, again, one, read, vcard
from .strategies import CARDS

CARD: list[Any] = ["vcard", [
    ["version", {}, "text", "4.0"],
    ["fn", {}, "text", "Ada, Countess; \\ of\nLovelace"],
    ["n", {}, "text", ["Lovelace", "Ada", ["Augusta", "King"], "", ""]],
    ["bday", {}, "date-and-or-time", "--12-10"],
    ["anniversary", {}, "date-time", "2009-08-08T14:30:00-05:00"],
    ["tel", {"type": ["work", "voice"], "pref": "1"}, "uri", "tel:+44-20-7946-0001;ext=2"],
    ["tel", {"group": "item1"}, "text", "020 7946 0002"],
    ["x-ablabel", {"group": "item1"}, "unknown", "Engine room"],
    ["org", {}, "text", "Analytical"],
    ["org", {"sort-as": "E"}, "text", ["Engines", "Difference, No. 2"]],
    ["categories", {}, "text", "maths", "a,b"],
    ["gender", {}, "text", "F"],
    ["uid", {}, "uri", "urn:uuid:ada"],
    ["url", {}, "uri", "https://example.com/a;b,c"],
    ["rev", {}, "timestamp", "2024-01-01T00:00:00Z"],
    ["x-number", {}, "integer", 7],
    ["x-truth", {}, "boolean", True],
    ["x-odd", {"pref": 1, "q": "a^b\"c;d"}, "unknown", "one\ntwo", ["deep", ["deeper"]]],
    ["photo", {}, "uri", "data:image/png;base64,iVBORw0KGgo="],
    ["lang", {"pref": "1"}, "language-tag", "fr"],
], []]


def back(value: Any) -> Any:
    return json.loads(again(jcard.read(json.dumps(value), salt=SALT)))


def test_what_it_says_is_understood() -> None:
    (card,) = jcard.read(json.dumps(CARD), salt=SALT).cards
    whole = assemble(card.registers)
    check_card(whole)
    assert card.uid == "urn:uuid:ada"
    assert whole["name"]["full"] == "Ada, Countess; \\ of\nLovelace"
    assert [part["value"] for part in whole["name"]["components"]] == ["Lovelace", "Ada", "Augusta", "King"]
    assert next(entry["date"] for entry in whole["anniversaries"].values()) == {"month": 12, "day": 10}
    assert {entry["number"]: entry.get("label") for entry in whole["phones"].values()} == {
        "tel:+44-20-7946-0001;ext=2": None, "020 7946 0002": "Engine room"}
    assert whole["keywords"] == {"maths": True, "a,b": True}
    assert list(card.media.values()) == [b"\x89PNG\r\n\x1a\n"]
    assert [entry["name"] for entry in whole["organizations"].values()] == ["Analytical", "Engines"]


@pytest.mark.parametrize("value", [CARD, CARD[:2], [CARD, CARD, ["vcard", [["uid", {}, "text", "b"]]], 7]])
def test_a_file_comes_back_equal_as_json(value: Any) -> None:
    assert back(value) == value


def test_after_an_edit_only_the_edited_property_differs() -> None:
    (card,) = jcard.read(json.dumps(CARD), salt=SALT).cards
    path = next(path for path in card.registers if path.startswith(("titles/", "preferredL")))
    card.registers[path] = {"language": "de", "pref": 1}
    props = json.loads(jcard.restore(card.registers, card.media.get))[1]
    changed = [prop for prop in props if prop not in CARD[1]]
    assert changed == [["lang", {"pref": "1"}, "language-tag", "de"]]
    assert [prop for prop in CARD[1] if prop not in props] == [CARD[1][14], CARD[1][-1]]  # REV would lie.


def test_an_export_of_another_format_is_made_anew() -> None:
    (card,) = jcard.read(json.dumps(CARD), salt=SALT).cards
    for version in VERSIONS:
        (other,) = read(write_vcards([card.registers], version=version, media=card.media.get)).cards
        assert other.uid == card.uid
    assert b"[" not in write_vcards([card.registers], version="4.0", media=card.media.get)
    assert jcard.restore(one("UID:a", "FN:A").registers, {}.get) == json.dumps(
        jcard.to_jcard(one("UID:a", "FN:A").registers, {}.get))


def test_a_stale_file_undoes_no_newer_edit() -> None:
    (card,) = jcard.read(json.dumps(CARD), salt=SALT).cards
    now = {**card.registers, "name": {"full": "Ada King"}}
    assert changes(now, jcard.read(json.dumps(CARD), salt=SALT).cards[0].registers) == {}


@settings(max_examples=60, derandomize=True, deadline=None)
@given(CARDS)
def test_export_import_export_is_a_fixpoint_with_every_version(data: bytes) -> None:
    (card,) = read(data).cards
    exported = jcard.write([card.registers], media=card.media.get)
    (other,) = jcard.read(exported, salt=SALT).cards
    assert other.uid == card.uid
    assert jcard.write([other.registers], media=other.media.get) == exported
    assert json.loads(again(jcard.read(exported, salt=SALT))) == json.loads(exported)
    for version in VERSIONS:
        written = write_vcards([other.registers], version=version, media=other.media.get)
        (last,) = read_vcards(written, salt=SALT).cards
        assert write_vcards([last.registers], version=version, media=last.media.get) == written


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.sampled_from(("text", "uri", "fn")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=8,
)
PROPERTY = st.tuples(
    st.sampled_from(("fn", "n", "x-a", "TEL", "end", "bday", "org", "photo", "a:b", "uid", "adr")) | JSON,
    st.dictionaries(st.sampled_from(("type", "group", "pref", "value", "x:y", "altid")), JSON, max_size=2) | JSON,
    st.sampled_from(("text", "uri", "unknown", "date", "integer", "boolean", "x y:z")) | JSON,
    JSON,
).map(list)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(PROPERTY, max_size=4))
def test_hostile_properties_are_refused_or_come_back(properties: list[Any]) -> None:
    value = ["vcard", properties]
    file = jcard.read(json.dumps(value), salt=SALT)
    assert json.loads(again(file)) == value
    for card in file.cards:
        for version in VERSIONS:
            assert len(read(write_vcards([card.registers], version=version, media=card.media.get)).cards) == 1


@pytest.mark.parametrize("value", [
    ["vcard"], ["vcard", {}], ["vcard", [["fn", {}, "text"]]], ["vcard", [["end", {}, "text", "VCARD"]]],
    ["vcard", [["fn:x\nEND", {}, "text", "a"]]], ["vcard", [["fn", {"a:b": "c"}, "text", "a"]]],
    ["vcard", [["fn", {}, "text\nTEL:1", "a"]]], ["vcard", [["fn", {}, "text", "\ud800"]]], ["vcard", []],
])
def test_what_is_no_card_is_quarantined(value: Any) -> None:
    file = jcard.read(json.dumps(value), salt=SALT)
    assert (file.cards, len(file.quarantine)) == ([], 1)
    assert json.loads(file.quarantine[0].raw) == value


def test_no_json_at_all() -> None:
    with pytest.raises(BadCard):
        jcard.read("[" * 10_000, salt=SALT)


def test_values_cannot_smuggle_a_card() -> None:
    evil = "x\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:y"
    value = ["vcard", [["note", {"x-p": evil, "group": evil}, "text", evil], ["x-u", {}, "unknown", evil]]]
    (card,) = jcard.read(json.dumps(value), salt=SALT).cards
    for version in VERSIONS:
        assert len(read(write_vcards([card.registers], version=version, media={}.get)).cards) == 1
    assert back(value) == value
    assert vcard("FN:a").count(b"BEGIN") == 1
