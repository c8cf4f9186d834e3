"""Registers to lines."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.card import write_vcards

from .helpers import lines_of, one, read, values


@pytest.mark.parametrize(
    ("registers", "version", "expected"),
    [
        (
            {"phones/a": {"number": "1", "features": {"mobile": True}, "pref": 1}},
            "3.0",
            "TEL;TYPE=CELL;TYPE=PREF:1",
        ),
        (
            {"phones/a": {"number": "1", "features": {"mobile": True}, "pref": 1}},
            "4.0",
            "TEL;PREF=1;TYPE=cell:1",
        ),
        ({"phones/a": {"number": "1", "features": {"mobile": True}, "pref": 1}}, "2.1", "TEL;CELL;PREF:1"),
        ({"phones/a": {"number": "tel:+1"}}, "4.0", "TEL;VALUE=uri:tel:+1"),
        ({"emails/a": {"address": "a;b"}}, "3.0", "EMAIL:a\\;b"),
        ({"notes/a": {"note": "ä\nb"}}, "2.1", "NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=A4=0D=0Ab"),
        ({"keywords/a": True, "keywords/b,c": True}, "3.0", "CATEGORIES:a,b\\,c"),
        ({"kind": "group"}, "3.0", "X-ADDRESSBOOKSERVER-KIND:group"),
        ({"kind": "group"}, "4.0", "KIND:group"),
        ({"members/u": True}, "4.0", "MEMBER:u"),
        ({"anniversaries/a": {"kind": "birth", "date": {"month": 2, "day": 29}}}, "4.0", "BDAY:--0229"),
        (
            {"anniversaries/a": {"kind": "wedding", "date": {"year": 2001, "month": 2, "day": 3}}},
            "3.0",
            "X-ANNIVERSARY:2001-02-03",
        ),
        ({"titles/a": {"name": "Cook", "kind": "role"}}, "3.0", "ROLE:Cook"),
        ({"relatedTo/Jo": {"relation": {"spouse": True}}}, "4.0", "RELATED;VALUE=text;TYPE=spouse:Jo"),
        ({"media/a": {"kind": "photo", "uri": "https://x"}}, "3.0", "PHOTO;VALUE=uri:https://x"),
        ({"vCardProps/a": ["x-odd", {"x-p": "a;b"}, "unknown", "v"]}, "3.0", 'X-ODD;X-P="a;b":v'),
        ({"example.com:a": {"b": 1}}, "4.0", 'JSPROP;JSPTR="example.com:a":{"b":1}'),
        ({"example.com:a": {"b": 1}}, "3.0", 'X-JSPROP;JSPTR="example.com:a":{"b":1}'),
        ({"speakToAs": {"grammaticalGender": "feminine"}}, "4.0", "GRAMGENDER:FEMININE"),
    ],
)
def test_a_register_is_written(registers: dict[str, Any], version: str, expected: str) -> None:
    assert expected in lines_of({"uid": "u", **registers}, version)


def test_labels_are_written_with_groups() -> None:
    lines = lines_of(
        {"phones/a": {"number": "1", "label": "Home page"}, "phones/b": {"number": "2", "label": "Boat"}},
        "3.0",
    )
    assert lines[1:5] == [
        "item1.X-ABLabel:_$!<HomePage>!$_",
        "item2.TEL:2",
        "item2.X-ABLabel:Boat",
        "FN:1",
    ] or {"item1.TEL:1", "item1.X-ABLabel:_$!<HomePage>!$_", "item2.X-ABLabel:Boat"} <= set(lines)


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
@pytest.mark.parametrize(
    "evil", ["a\r\nTEL:1", "a\nTEL:1", "a\rTEL:1", "a\u2028TEL:1", "a\x85TEL:1", "a\x0bTEL:1", "\\", 'a";b:c']
)
def test_no_value_becomes_another_property(version: str, evil: str) -> None:
    registers = {
        "uid": "u",
        "name": {"full": evil, "components": [{"kind": "given", "value": evil}]},
        "notes/a": {
            "note": evil,
            "label": evil,
            "vCardParams": {"x-" + evil: evil, "type": evil, "group": evil},
        },
        "vCardProps/a": ["x" + evil, {evil: evil}, "unknown", evil],
        "keywords/" + evil: True,
        "members/" + evil: True,
        "links/a": {"uri": evil},
        "onlineServices/a": {"service": evil, "user": evil, "vCardName": evil},
        "media/a": {"kind": "photo", "uri": evil, "mediaType": evil},
        "kind": evil,
        "relatedTo/" + evil: {},
        "anniversaries/a": {"kind": evil, "date": {"year": 2000}},
        evil: evil,
    }
    lines = lines_of(registers, version)
    assert not [line for line in lines if line.partition(":")[0].partition(";")[0] == "TEL"]


def test_values_of_wrong_types_never_raise() -> None:
    for value in (None, 1, "x", [], {}, {"components": [{}]}, {"date": 1}, {"kind": [1]}, [1, 2, 3, 4]):
        for prop in (
            "name",
            "phones/a",
            "addresses/a",
            "media/a",
            "anniversaries/a",
            "vCardProps/a",
            "speakToAs",
            "relatedTo/a",
        ):
            for version in ("2.1", "3.0", "4.0"):
                lines_of({"uid": "u", prop: value}, version)


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
@pytest.mark.parametrize(("prop", "entry"), [
    ("phones", {"number": "1", "x.example:y": {"z": [1, None]}}),
    ("emails", {"address": "a@b.example", "mood": "calm"}),
    ("titles", {"name": "Chief", "organizationId": "o1"}), ("links", {"uri": "https://a.example", "size": 7}),
    ("addresses", {"components": [{"kind": "locality", "value": "Town"}], "phoneticScript": "Latn"}),
    ("onlineServices", {"service": "Mastodon", "uri": "https://a.example/@b", "verified": True}),
])
def test_members_that_no_vcard_property_says_survive(version: str, prop: str, entry: dict[str, object]) -> None:
    registers = {"uid": "a", "name": {"full": "A"}, f"{prop}/e1": entry, "x.example:é;=%2C": 1}
    text = write_vcards([registers], version=version, media={}.get)
    (card,) = read(text).cards
    got = card.registers[f"{prop}/e1"]
    assert card.registers["x.example:é;=%2C"] == 1
    assert {name: value for name, value in got.items() if name not in ("vCardParams", "vCardName")} == entry
    assert write_vcards([card.registers], version=version, media={}.get) == text
    for other in ("2.1", "3.0", "4.0"):
        there = write_vcards([card.registers], version=other, media={}.get)
        (back,) = read(there).cards
        assert back.registers[f"{prop}/e1"].keys() >= entry.keys()
        assert write_vcards([back.registers], version=other, media={}.get) == there


def test_a_jsprop_never_replaces_what_a_line_says() -> None:
    card = one("UID:a", "FN:A", "TEL;PROP-ID=p:1", 'JSPROP;JSPTR=phones/p/number:"666"', "JSPROP;JSPTR=phones/q/x:1",
               'JSPROP;JSPTR=media/p/digest:"00"', version="4.0")
    assert card.registers["phones/p"] == {"number": "1"}
    assert len(values(card, "vCardProps")) == 3
