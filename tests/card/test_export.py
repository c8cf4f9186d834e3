"""Lossless export, before and after edits."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.card import assemble, changes, write_vcards

from .helpers import lines_of, one, read, vcard

ODD = (
    "PRODID:-//x",
    "N:Doe;Bo",
    "FN:Bo Doe",
    "item1.TEL;type=CELL;type=VOICE;type=pref:+1 555 0101",
    "item1.X-ABLabel:Boat",
    "tel;Type=home,VOICE:020 7946 0101",
    "EMAIL;TYPE=WORK;X-SLOT=1:bo@x.example",
    "CATEGORIES: a, b",
    "REV:2024-01-01T00:00:00Z",
    "",
    "no colon here",
    "X-Odd;X-P=1:a;b\\,c",
)


def edited(card: Any, path_start: str, **members: Any) -> dict[str, Any]:
    """The registers with members of the first entry of a property replaced."""
    registers = dict(card.registers)
    path = next(path for path in registers if path.startswith(path_start))
    registers[path] = {**registers[path], **members}
    return registers


def test_an_untouched_card_is_its_bytes() -> None:
    data = vcard(*ODD)
    assert write_vcards([read(data).cards[0].registers], version=None, media={}.get) == data


def test_an_edit_changes_its_lines_only() -> None:
    card = one(*ODD)
    lines = lines_of(edited(card, "emails/", address="new@x.example"))
    expected = [
        line if not line.startswith("EMAIL") else "EMAIL;TYPE=WORK;X-SLOT=1:new@x.example" for line in ODD
    ]
    expected.remove("REV:2024-01-01T00:00:00Z")
    assert lines == [*expected, "UID:" + card.uid]


def test_an_edited_entry_keeps_group_and_label() -> None:
    card = one(*ODD)
    lines = lines_of(edited(card, "phones/", number="9"))
    assert [line for line in lines if line.startswith("item1.TEL;") and line.endswith(":9")]
    assert "item1.X-ABLabel:Boat" in lines


def test_a_deleted_entry_takes_its_lines_along() -> None:
    card = one(*ODD)
    registers = {path: value for path, value in card.registers.items() if not path.startswith("phones/")}
    assert not [
        line
        for line in lines_of(registers)
        if "TEL" in line.upper().partition(":")[0] or "ABLABEL" in line.upper()
    ]


def test_a_new_entry_stands_after_its_like() -> None:
    card = one("FN:x", "TEL:1", "NOTE:n", "UID:u")
    assert lines_of({**card.registers, "phones/new": {"number": "2"}}) == [
        "FN:x",
        "TEL:1",
        "TEL:2",
        "NOTE:n",
        "UID:u",
    ]


def test_raw_categories_do_not_outlive_a_change_of_the_set() -> None:
    card = one("FN:x", "CATEGORIES:b, c", "UID:u")
    more = {**card.registers, "keywords/new": True}
    assert "CATEGORIES:b, c,new" in lines_of(more) or "CATEGORIES:b,\\ c,new" in lines_of(more)
    fewer = {path: value for path, value in card.registers.items() if path != "keywords/b"}
    assert "CATEGORIES: c" in lines_of(fewer)


def test_a_card_without_uid_gets_one_when_it_was_touched() -> None:
    card = one("FN:x", "TEL:1")
    assert not [line for line in lines_of(card.registers) if line.startswith("UID")]
    assert f"UID:{card.uid}" in lines_of(edited(card, "phones/", number="2"))
    assert f"UID:{card.uid}" in lines_of(card.registers, "4.0")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        1,
        [],
        [1],
        [1, 2],
        [-1, b""],
        [1, b"123"],
        [1, b"", 3],
        [
            0,
            b"1234" * 9,
            [
                0,
                5,
                b"X:1",
                [b"Y:2"],
                [b"Z:3", b"\n"],
                [99, 0],
                [0, 99],
                [0, b"W"],
                [],
                [None],
                ["nodigest"],
                [b"P:", 0, 0, b"", b""],
                True,
                None,
                {"a": 1},
                [0, []],
                10**9,
            ],
        ],
    ],
)
def test_a_spoilt_origin_never_raises(origin: Any) -> None:
    registers = {"uid": "u", "name": {"full": "x"}, "origin": origin}
    for version in (None, "2.1", "3.0", "4.0"):
        assert b"END:VCARD" in write_vcards([registers], version=version, media={}.get) or origin is not None


def test_photos_in_any_layout_come_back_without_being_stored_twice() -> None:
    for photo in (
        "PHOTO;ENCODING=b;TYPE=JPEG:" + "QUJD" * 40,
        "PHOTO;X-ABCROP-RECTANGLE=1;ENCODING=b:\r\n  " + "QUJD" * 5 + "\r\n  QUJD",
    ):
        data = vcard("FN:x", photo)
        (card,) = read(data).cards
        assert write_vcards([card.registers], version=None, media=card.media.get) == data
        assert len(str(card.registers["origin"])) < 160


def test_a_photo_that_is_not_here_is_left_out() -> None:
    card = one("FN:x", "PHOTO;ENCODING=b;TYPE=JPEG:QUJD")
    assert not [line for line in lines_of(card.registers, "4.0") if line.startswith("PHOTO")]


class TestReimport:
    """Three-way: only what changed in the file is an edit."""

    def test_the_same_file_again_changes_nothing_however_much_was_edited(self) -> None:
        card = one(*ODD)
        current = edited(card, "phones/", number="9")
        del current[next(path for path in current if path.startswith("emails/"))]
        incoming = one(*ODD).registers
        assert {path for path in changes(current, incoming) if not path.startswith("emails/")} == set()

    def test_what_changed_in_the_file_is_an_edit(self) -> None:
        current = one("UID:u", "FN:x", "TEL:1", "NOTE:a").registers
        incoming = one("UID:u", "FN:y", "TEL:1", "NOTE:a").registers
        assert changes(current, incoming).keys() == {"name", "origin"}

    def test_what_the_file_dropped_is_removed_unless_edited_here(self) -> None:
        card = one("UID:u", "FN:x", "TEL:1", "NOTE:a")
        incoming = one("UID:u", "FN:x").registers
        edits = changes(edited(card, "notes/", note="mine"), incoming)
        assert [path.partition("/")[0] for path, value in edits.items() if value is None] == ["phones"]

    def test_without_an_origin_nothing_is_removed(self) -> None:
        incoming = one("UID:u", "FN:x").registers
        assert changes({"uid": "u", "phones/a": {"number": "1"}}, incoming).keys() == {"name", "origin"}

    def test_two_devices_store_the_same(self) -> None:
        assert one(*ODD).registers == one(*ODD).registers


def test_a_clean_card_has_a_small_origin() -> None:
    card = one(
        "FN:Bo Doe",
        "N:Doe;Bo;;;",
        "TEL;TYPE=CELL:+1 555",
        "TEL;TYPE=HOME:2",
        "EMAIL;TYPE=HOME:b@x.example",
        "ADR;TYPE=HOME:;;1 Main;Town;;123;UK",
        "ORG:Mill",
        "TITLE:Miller",
        "BDAY:1980-01-02",
        "UID:u",
    )
    style, base = card.registers["origin"]
    assert type(style) is int
    assert len(base) == 4 * 8
    assert "origin" not in assemble(card.registers)


def test_a_label_stays_with_its_number_when_another_one_goes() -> None:
    card = one("FN:a", "UID:a", "item1.TEL;TYPE=HOME:1", "item1.X-ABLabel:Boat", "item2.TEL;type=WORK:2",
               "item2.X-ABLabel:Hut")
    gone = next(path for path in card.registers if path.startswith("phones/") and card.registers[path]["number"] == "1")
    del card.registers[gone]
    assert lines_of(card.registers)[-2:] == ["item2.TEL;type=WORK:2", "item2.X-ABLabel:Hut"]
