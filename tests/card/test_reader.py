"""Properties of vCard to registers."""

from __future__ import annotations

from typing import Any

import pytest

from .helpers import lines_of, one, read, values, vcard


@pytest.mark.parametrize(
    ("line", "prop", "entry"),
    [
        (
            "TEL;TYPE=CELL,HOME;TYPE=pref:+1 2",
            "phones",
            {"number": "+1 2", "features": {"mobile": True}, "contexts": {"private": True}, "pref": 1},
        ),
        ("TEL;TYPE=Ferienhaus:1", "phones", {"number": "1", "label": "Ferienhaus"}),
        ("TEL;TYPE=x-john:1", "phones", {"number": "1", "label": "john"}),
        (
            "TEL;TYPE=OTHER;X-SLOT=2:1",
            "phones",
            {"number": "1", "vCardParams": {"x-slot": "2", "type": "other"}},
        ),
        ("EMAIL;TYPE=INTERNET,WORK:a@b.c", "emails", {"address": "a@b.c", "contexts": {"work": True}}),
        (
            "ADR;TYPE=HOME:;;1 Main St\\, 2;Town;;;UK",
            "addresses",
            {
                "contexts": {"private": True},
                "components": [
                    {"kind": "name", "value": "1 Main St, 2"},
                    {"kind": "locality", "value": "Town"},
                    {"kind": "country", "value": "UK"},
                ],
            },
        ),
        ("ORG:Mill;Press;", "organizations", {"name": "Mill", "units": [{"name": "Press"}, {"name": ""}]}),
        ("TITLE:Editor", "titles", {"name": "Editor"}),
        ("ROLE:Cook", "titles", {"name": "Cook", "kind": "role"}),
        ("NOTE:a\\nb\\;c", "notes", {"note": "a\nb;c"}),
        ("URL:https\\://a.example/x", "links", {"uri": "https://a.example/x"}),
        ("BDAY:--0415", "anniversaries", {"kind": "birth", "date": {"month": 4, "day": 15}}),
        (
            "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15",
            "anniversaries",
            {"kind": "birth", "date": {"month": 4, "day": 15}},
        ),
        (
            "X-EVOLUTION-ANNIVERSARY:2001-02-03",
            "anniversaries",
            {"kind": "wedding", "date": {"year": 2001, "month": 2, "day": 3}},
        ),
        ("X-SKYPE:bo", "onlineServices", {"service": "Skype", "user": "bo", "vCardName": "x-skype"}),
        ("GEO:1.5;-2", "addresses", {"coordinates": "geo:1.5,-2"}),
        (
            "PHOTO;VALUE=uri:https://a.example/p.jpg",
            "media",
            {"kind": "photo", "uri": "https://a.example/p.jpg"},
        ),
        ("X-ODD;X-P=1:a;b\\,c", "vCardProps", ["x-odd", {"x-p": "1"}, "unknown", "a;b\\,c"]),
        ("BDAY:sometime", "vCardProps", ["bday", {}, "unknown", "sometime"]),
        ("BDAY:", "vCardProps", ["bday", {}, "unknown", ""]),
        ("GENDER:M", "vCardProps", ["gender", {}, "unknown", "M"]),
    ],
)
def test_a_property_is_read(line: str, prop: str, entry: Any) -> None:
    assert values(one("FN:x", line), prop) == [entry]


def test_full_name_and_components_may_disagree() -> None:
    name = one("FN:Bo the Great", "N:Doe,Roe;Bo;;;").registers["name"]
    assert name == {
        "full": "Bo the Great",
        "components": [
            {"kind": "surname", "value": "Doe"},
            {"kind": "surname", "value": "Roe"},
            {"kind": "given", "value": "Bo"},
        ],
    }


def test_all_seven_parts_of_a_name() -> None:
    name = one("N:a;b;c;d;e;f;g", version="4.0").registers["name"]
    assert [part["kind"] for part in name["components"]] == [
        "surname",
        "given",
        "given2",
        "title",
        "credential",
        "surname2",
        "generation",
    ]


def test_phonetics_go_to_the_components() -> None:
    name = one("N:山田;花子;;;", "X-PHONETIC-LAST-NAME:ヤマダ", "X-PHONETIC-FIRST-NAME:ハナコ").registers[
        "name"
    ]
    assert [part["phonetic"] for part in name["components"]] == ["ヤマダ", "ハナコ"]
    assert name["phoneticScript"] == "Kana"


def test_labels_of_apple_are_words_and_own_labels_stay() -> None:
    card = one("item1.TEL:1", "item1.X-ABLabel:_$!<HomePage>!$_", "item2.TEL:2", "item2.X-ABLabel:Boat & <b>")
    assert [entry["label"] for entry in values(card, "phones")] == ["Home page", "Boat & <b>"]


def test_a_label_of_nothing_is_kept() -> None:
    card = one("FN:x", "item7.X-ABLabel:Lost")
    assert values(card, "vCardProps") == [["x-ablabel", {"group": "item7"}, "unknown", "Lost"]]


def test_three_worlds_of_groups() -> None:
    card = one(
        "FN:x",
        "CATEGORIES:a,b\\,c",
        "X-ADDRESSBOOKSERVER-KIND:group",
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1",
    )
    assert {"keywords/a", "keywords/b,c", "members/urn:uuid:1"} <= card.registers.keys()
    assert card.registers["kind"] == "group"


def test_relations_come_from_types_and_labels() -> None:
    card = one(
        "item1.X-ABRELATEDNAMES:Jo", "item1.X-ABLabel:_$!<Spouse>!$_", "RELATED;TYPE=friend:urn:uuid:2"
    )
    assert card.registers["relatedTo/Jo"] == {"label": "Spouse", "relation": {"spouse": True}}
    assert card.registers["relatedTo/urn:uuid:2"] == {"relation": {"friend": True}}


@pytest.mark.parametrize(
    "lines",
    [
        ("PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=",),
        ("PHOTO:data:image/png;base64,iVBORw0KGgo=",),
        ("PHOTO;ENCODING=BASE64;TYPE=PNG:", " iVBORw0KGgo=", ""),
    ],
)
def test_inline_media_leave_the_card(lines: tuple[str, ...]) -> None:
    card = one("FN:x", *lines)
    ((digest, data),) = card.media.items()
    assert data == b"\x89PNG\r\n\x1a\n"
    assert values(card, "media") == [{"kind": "photo", "digest": digest, "size": 8, "mediaType": "image/png"}]


def test_charsets_of_2_1() -> None:
    raw = (
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=SHIFT_JIS:\x8d\xb2\x93\xa1;\r\n"
        b"NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=windows-1252:=E4\r\n"
    )
    (card,) = read(raw + b"TITLE:K\xf6chin\r\nORG;CHARSET=BLABLA:\xd6l\r\nEND:VCARD\r\n").cards
    assert card.registers["name"]["components"][0]["value"] == "佐藤"
    assert values(card, "notes")[0]["note"] == "ä"
    assert values(card, "titles")[0]["name"] == "Köchin"
    assert values(card, "organizations")[0]["name"] == "Öl"


def test_a_fold_inside_a_character_is_healed() -> None:
    raw = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Z" + b"\xc3\r\n \xb6\r\nEND:VCARD\r\n"
    assert read(raw).cards[0].registers["name"]["full"] == "Zö"


def test_uids_are_kept_verbatim_and_derived_where_there_are_none() -> None:
    assert one("UID:C67C\\:x.vlf", "FN:a").uid == "C67C\\:x.vlf"
    plain, reordered = one("FN:a", "TEL:1"), one("TEL:1", "FN:a", "PRODID:x", "REV:2024-01-01")
    assert plain.uid == reordered.uid
    assert one("FN:a", "TEL:2").uid != plain.uid


def test_ids_come_from_content_not_from_place() -> None:
    first = one("UID:u", "TEL:1", "TEL:2").registers
    second = one("UID:u", "FN:x", "TEL:2", "TEL:1").registers
    assert {path for path in first if path.startswith("phones/")} == {
        path for path in second if path.startswith("phones/")
    }
    assert "phones/mine" in one("TEL;PROP-ID=mine:1", version="4.0").registers
    assert len(values(one("TEL:1", "TEL:1"), "phones")) == 2


def test_another_salt_gives_other_ids() -> None:
    from e2esync.card import read_vcards

    data = vcard("UID:u", "TEL:1")
    paths = [set(read_vcards(data, salt=salt).cards[0].registers) for salt in (b"a", b"b")]
    assert paths[0] & paths[1] == {"uid", "origin"}


def test_a_derived_full_name_is_not_the_persons() -> None:
    assert "full" not in one("FN;DERIVED=TRUE:x", "N:Doe;;;;", version="4.0").registers["name"]


def test_jsprop_brings_back_what_vcard_cannot_say() -> None:
    card = one("FN:x", 'JSPROP;JSPTR="example.com:a":{"b":[1]}', version="4.0")
    assert card.registers["example.com:a"] == {"b": [1]}
    refused = one(
        "FN:x", "JSPROP;JSPTR=a:[1e999]", 'JSPROP;JSPTR=b:"\\\\ud800"', "JSPROP;JSPTR=uid:1", version="4.0"
    )
    assert len(values(refused, "vCardProps")) == 3


@pytest.mark.parametrize("line", ["CATEGORIES:Crew", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:b", "X-SPOUSE:Bo"])
def test_what_is_said_twice_goes_at_once(line: str) -> None:
    card = one("FN:a", "UID:a", line, line)
    (path,) = (path for path in card.registers if path.startswith(("keywords/", "members/", "relatedTo/")))
    del card.registers[path]
    assert line not in lines_of(card.registers)
