"""JSContact files."""

from __future__ import annotations

import json

import pytest

from e2esync.card import changes, jscontact
from e2esync.errors import BadCard

from .helpers import SALT, again

PNG = "data:image/png;base64,iVBORw0KGgo="


def test_cards_go_in_and_out() -> None:
    cards = [{"@type": "Card", "version": "1.0", "uid": "a", "name": {"full": "Bo"}, "x.example:y": [1]}]
    file = jscontact.read(json.dumps(cards), salt=SALT)
    assert json.loads(jscontact.write([card.registers for card in file.cards], media={}.get)) == cards


def test_inline_media_leave_the_card_and_come_back() -> None:
    entry = {"kind": "photo", "uri": PNG, "mediaType": "image/png"}
    card = {"@type": "Card", "version": "1.0", "uid": "a", "media": {"m": entry}}
    (got,) = jscontact.read(json.dumps(card).encode(), salt=SALT).cards
    assert got.registers["media/m"].keys() == {"kind", "mediaType", "digest", "size"}
    assert list(got.media.values()) == [b"\x89PNG\r\n\x1a\n"]
    assert json.loads(jscontact.write([got.registers], media=got.media.get)) == [card]


def test_a_card_without_uid_gets_the_same_one_everywhere() -> None:
    first, second = (
        jscontact.read('{"version":"2.0","name":{"full":"Bo"}}', salt=SALT).cards for _ in range(2)
    )
    assert first[0].uid == second[0].uid != ""


@pytest.mark.parametrize(
    "text", ["", "[", '{"a":1,"a":2}', "[NaN]", "[1e999]", b"\xff", "[" * 10_000, "nonsense"]
)
def test_what_is_not_strict_json_is_refused(text: str | bytes) -> None:
    try:
        file = jscontact.read(text, salt=SALT)
    except BadCard:
        return
    assert not file.cards
    assert file.quarantine


AS_IMPORTED = [
    {"version": "2.0", "name": {"full": "Bo"}},
    {"@type": "Card", "version": "1.0", "uid": "b", "updated": "2024-01-01T00:00:00Z"},
    {"@type": "Card", "version": "1.0", "uid": "c", "media": {"m": {"kind": "photo", "uri": PNG}}},
    {"@type": "Card", "version": "1.0", "uid": "d", "media": {"m": {"kind": "photo", "uri": PNG[:-1]}}},
    {"@type": "Card", "version": "1.0", "uid": "e", "vCardProps": [
        ["x-z", {}, "unknown", "1"], ["x-a", {}, "unknown", "2"], ["x-z", {}, "unknown", "1"]]},
    {"@type": "Card", "version": "1.0", "uid": "f", "phones": {}, "x.example:y": [1, None, 2.5]},
    7,
]


def test_a_file_comes_back_equal_as_json() -> None:
    for value in (AS_IMPORTED, AS_IMPORTED[0]):
        assert json.loads(again(jscontact.read(json.dumps(value), salt=SALT))) == value


def test_after_an_edit_only_the_edited_property_differs() -> None:
    for value in AS_IMPORTED[:-1]:
        (card,) = jscontact.read(json.dumps(value), salt=SALT).cards
        card.registers["notes/n"] = {"note": "new"}
        expected = {**value, "notes": {"n": {"note": "new"}}}
        expected.pop("updated", None)
        assert json.loads(jscontact.restore(card.registers, card.media.get)) == expected


def test_a_stale_file_undoes_no_newer_edit() -> None:
    text = '{"uid":"a","notes":{"n":{"note":"old"}},"emails":{"e":{"address":"a@b.example"}}}'
    (card,) = jscontact.read(text, salt=SALT).cards
    now = {**card.registers, "notes/n": {"note": "newer"}}
    assert changes(now, jscontact.read(text, salt=SALT).cards[0].registers) == {}
    newer = changes(now, jscontact.read(text.replace("a@b", "c@b"), salt=SALT).cards[0].registers)
    assert set(newer) == {"emails/e", "origin"}


def test_one_bad_card_does_not_take_the_others() -> None:
    file = jscontact.read('[{"uid":"a"},{"phones":[]},7,{"uid":"a","kind":"org"},{"uid":"a"}]', salt=SALT)
    assert [(card.uid, card.ordinal) for card in file.cards] == [("a", 0), ("a", 1)]
    assert [item.line for item in file.quarantine] == [2, 3]
