"""Whole files."""

from __future__ import annotations

import pytest

from e2esync.card import Layout, read_vcards
from e2esync.errors import BadCard

from .helpers import again, one, read, vcard


def test_one_bad_piece_never_stops_the_file() -> None:
    data = (
        b"junk\r\n"
        + vcard("FN:a", "UID:1")
        + b"BEGIN:VCARD\r\nEND:VCARD\r\n\r\n"
        + vcard("no colon", "FN:b", "UID:2")
    )
    file = read(data)
    assert [card.uid for card in file.cards] == ["1", "2"]
    assert [(item.line, item.raw) for item in file.quarantine] == [
        (1, b"junk\r\n"),
        (7, b"BEGIN:VCARD\r\nEND:VCARD\r\n"),
    ]
    assert file.cards[1].notices
    assert again(file) == data


def test_copies_revisions_and_namesakes() -> None:
    first, second = vcard("UID:u", "FN:a", "REV:2024-01-01"), vcard("UID:u", "FN:b", "REV:20240301T000000Z")
    third = vcard("UID:u", "FN:c")
    file = read(first + first)
    assert [(card.uid, card.ordinal) for card in file.cards] == [("u", 0)]
    assert again(file) == first + first
    file = read(first + second)
    assert [card.registers["name"]["full"] for card in file.cards] == ["b"]
    assert again(file) == first + second
    file = read(second + first + third)
    assert [(card.ordinal, card.registers["name"]["full"]) for card in file.cards] == [
        (0, "b"),
        (1, "a"),
        (2, "c"),
    ]
    assert again(file) == second + first + third


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_utf_16(encoding: str, mark: str) -> None:
    data = (mark + vcard("FN:Zoë 山").decode()).encode(encoding)
    file = read(data)
    assert file.cards[0].registers["name"]["full"] == "Zoë 山"
    assert again(file) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"BEGIN:VCARD",
        b"\xff\xfe",
        b"BEGIN:VCARD\nN:a",
        b"begin:vcard\r\nversion:2.1\r\nn:a\r\nend:vcard",
        b"BEGIN:VCARD\r\nN:a\nEND:VCARD\r\n",
        b"BEGIN:VCARD\rN:a\rEND:VCARD\r",
        b"BEGIN:VCARD \nN:a\nEND:VCARD \n\n",
        b"BEGIN:VCARD\nVERSION:4.0\nVERSION:3.0\nN:a\nEND:VCARD\n",
        b"\xef\xbb\xbfBEGIN:VCARD\nN:\xe4\nEND:VCARD\nx",
    ],
)
def test_odd_files_come_back(data: bytes) -> None:
    assert again(read(data)) == data


def test_a_card_over_the_limit_is_quarantined_whole() -> None:
    data = vcard("FN:x", "NOTE:" + "a" * 300_000) + vcard("FN:y")
    file = read(data)
    assert len(file.cards) == 1
    assert len(file.quarantine[0].raw) > 300_000
    assert again(file) == data


def test_a_large_photo_is_no_large_card() -> None:
    card = one("FN:x", "PHOTO;ENCODING=b:" + "QUJD" * 200_000)
    assert [len(data) for data in card.media.values()] == [600_000]


def test_a_card_without_end_is_read_and_said_so() -> None:
    data = b"BEGIN:VCARD\nFN:cut\nNOTE:hal"
    file = read(data)
    assert file.cards[0].notices
    assert again(file) == data


def test_a_layout_is_a_plain_value() -> None:
    layout = read(b"x\n" + vcard("UID:u", "FN:a") + vcard("UID:u", "FN:b")).layout
    assert Layout.from_value(layout.to_value()) == layout
    for value in (None, [], [9, 0, []], [0, 2, []], [0, 0, [[1]]], [0, 0, 1], ["0", 0, []]):
        with pytest.raises(BadCard):
            Layout.from_value(value)


def test_a_deleted_card_leaves_the_file() -> None:
    from e2esync.card import write_as_imported

    file = read(vcard("UID:1", "FN:a") + vcard("UID:2", "FN:b"))
    kept = {card.uid: card.registers for card in file.cards if card.uid == "2"}
    assert write_as_imported(file.layout, lambda uid, _: kept.get(uid), {}.get) == vcard("UID:2", "FN:b")


def test_a_long_salt_is_cut() -> None:
    data = vcard("FN:x")
    assert read_vcards(data, salt=b"s" * 64).cards[0].uid == read_vcards(data, salt=b"s" * 99).cards[0].uid
