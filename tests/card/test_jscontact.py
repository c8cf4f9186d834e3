"""JSContact files."""

from __future__ import annotations

import json

import pytest

from e2esync.card import jscontact
from e2esync.errors import BadCard

from .helpers import SALT

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


def test_one_bad_card_does_not_take_the_others() -> None:
    file = jscontact.read('[{"uid":"a"},{"phones":[]},7,{"uid":"a"}]', salt=SALT)
    assert [(card.uid, card.ordinal) for card in file.cards] == [("a", 0), ("a", 1)]
    assert [item.line for item in file.quarantine] == [2, 3]
