"""What Apple, Google, Android and Outlook read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings

from e2esync.card import read_vcards
from e2esync.card.labels import Labels, group_card
from e2esync.card.profiles import PROFILES, dress, warnings_for, write_for

from .helpers import SALT, one, read
from .strategies import CARDS

Cards = dict[bytes, dict[str, Any]]
BOAT = ("UID:ada", "FN:Ada", "item1.TEL:1", "item1.X-ABLabel:Boat", "BDAY:--04-15", "CATEGORIES:Crew",
        "item2.X-ABDATE:2001-02-03", "item2.X-ABLabel:Launch", "item3.X-ABRELATEDNAMES:Bo",
        "item3.X-ABLabel:_$!<Sister>!$_")


def texts(name: str, cards: Cards) -> list[str]:
    dressed = dress(name, cards, SALT)
    return [write_for(name, card, {}.get) for card in dressed.values()]


def book() -> Cards:
    return {b"a": one(*BOAT).registers, b"g": group_card("Choir", "grp", ["ada", "gone"])}


def test_apple_reads_labels_as_groups_and_birthdays_as_of_1604() -> None:
    ada, choir, crew = texts("apple", book())
    assert "item1.TEL:1\r\nitem1.X-ABLabel:Boat\r\n" in ada
    assert "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15" in ada
    assert "CATEGORIES" not in ada
    assert "X-ABLabel:_$!<Sister>!$_" in ada
    assert "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:gone" in choir
    assert "X-ADDRESSBOOKSERVER-KIND:group" in crew
    assert "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:ada" in crew
    back = {card.uid.encode(): card.registers for card in read("".join((ada, choir, crew)).encode()).cards}
    assert {label.name: label.contacts for label in Labels(back)} == {"Choir": {b"ada"}, "Crew": {b"ada"}}
    assert texts("apple", book()) == [ada, choir, crew]


@pytest.mark.parametrize("name", ["google", "android", "outlook"])
def test_the_others_read_categories_and_no_group_cards(name: str) -> None:
    (ada,) = texts(name, book())
    assert re.search(r"^CATEGORIES:Crew,Choir\r$", ada, re.M)
    assert "--04" in ada


def test_android_reads_types_and_its_own_rows() -> None:
    (ada,) = texts("android", book())
    assert "TEL;TYPE=X-Boat:1\r\n" in ada
    assert "X-ABLabel" not in ada
    assert "X-ANDROID-CUSTOM:vnd.android.cursor.item/contact_event;2001-02-03;0;Launch;" in ada
    assert "X-ANDROID-CUSTOM:vnd.android.cursor.item/relation;Bo;13;;" in ada
    registers = read(ada.encode()).cards[0].registers
    assert [value for path, value in registers.items() if path.startswith("relatedTo")] == [
        {"label": "Sister", "relation": {"sibling": True}}]
    assert [value["label"] for path, value in registers.items() if path.startswith("phones")] == ["Boat"]
    days = {value.get("e2esync.org:label"): value["date"] for path, value in registers.items() if "annivers" in path}
    assert days == {None: {"month": 4, "day": 15}, "Launch": {"year": 2001, "month": 2, "day": 3}}


@pytest.mark.parametrize(("row", "prop"), [
    ("nickname;Bo;1;;;;", "nicknames"), ("contact_event;1985-04-12;1;;", "anniversaries"),
    ("contact_event;1985-04-12;3;;", "anniversaries"), ("relation;Bo;0;Muse;", "relatedTo"),
    ("relation;Bo;99;;", "relatedTo"), ("contact_event;someday;1;", "vCardProps"), ("group;1;2", "vCardProps"),
    ("nickname", "vCardProps"), (";;;", "vCardProps"),
])
def test_rows_of_android_are_read_and_come_back(row: str, prop: str) -> None:
    line = f"X-ANDROID-CUSTOM:vnd.android.cursor.item/{row}"
    card = one("FN:A", "UID:a", line)
    assert any(path.startswith(prop) for path in card.registers)
    from .helpers import lines_of

    assert line in lines_of(card.registers, "3.0")


def test_outlook_gets_quoted_printable() -> None:
    (text,) = texts("outlook", {b"a": one("UID:a", "FN:Zoë", "N:Müller;Zoë;;;").registers})
    assert "VERSION:2.1" in text
    assert "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Zo=C3=AB;;;" in text


def test_warnings() -> None:
    photo = {"name": {"full": "Ada"}, "media/m": {"kind": "photo", "digest": "d", "size": 230 << 10}}
    large = {b"a": photo, b"b": {"name": {"full": "Bob"}}}
    found = warnings_for("apple", large, {b"a": 257 << 10, b"b": 12})
    assert [warning.rpartition(": ")[2] for warning in found] == ["Ada", "Ada"]
    assert warnings_for("apple", {bytes([i]): photo for i in range(8)}, {})[0].endswith("Ada, and 3 more")
    assert warnings_for("apple", {b"%d" % i: {} for i in range(50_001)}, {})[0].startswith("iCloud takes at most")
    assert warnings_for("google", large, {}) == []
    assert warnings_for("outlook", large, {}) != []
    assert warnings_for("outlook", {b"a": {}}, {}) == []


@settings(max_examples=60, derandomize=True, deadline=None)
@given(CARDS)
def test_a_dressed_card_is_a_fixpoint_of_its_version(data: bytes) -> None:
    (card,) = read(data).cards
    for name, profile in PROFILES.items():
        for text in texts(name, {b"a": card.registers}):
            exported = text.encode("utf-8", "surrogateescape")
            (back,) = read_vcards(exported, salt=SALT).cards
            (again,) = [
                read_vcards(each.encode("utf-8", "surrogateescape"), salt=SALT).cards[0].uid
                for each in texts(name, {b"a": back.registers}) if f"VERSION:{profile.style.version}" in each
            ][:1]
            assert again == back.uid
