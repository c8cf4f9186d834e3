"""Bytes to content lines."""

from __future__ import annotations

import pytest

from e2esync.card.lexer import blocks, card_lines, decode_file, encode_file


@pytest.mark.parametrize(
    ("data", "encoding", "bom"),
    [
        (b"BEGIN:VCARD\r\n", "utf-8", False),
        (b"\xef\xbb\xbfBEGIN:VCARD\n", "utf-8", True),
        ("\ufeffBEGIN:VCARD\r".encode("utf-16-le"), "utf-16-le", True),
        ("BEGIN:VCARD\r\n".encode("utf-16-le"), "utf-16-le", False),
        ("BEGIN:VCARD\r\n".encode("utf-16-be"), "utf-16-be", False),
        (b"BEGIN:VCARD\xff\xe4\x80", "utf-8", False),
        (b"", "utf-8", False),
    ],
)
def test_a_file_is_decoded_and_encoded_to_the_same_bytes(data: bytes, encoding: str, bom: bool) -> None:
    file = decode_file(data)
    assert (file.encoding, file.bom) == (encoding, bom)
    assert encode_file(file.text(0, len(file.data)), file.encoding, file.bom) == data


def test_what_is_between_cards_is_told_apart() -> None:
    file = decode_file(b"junk\nBEGIN:VCARD\nN:a\nEND:VCARD\n\nBEGIN:VCARD\nN:b\nEND:VCARD\nrest")
    found = [(block.card, block.line) for block in blocks(file)]
    assert found == [(False, 1), (True, 2), (False, 5), (True, 6), (False, 9)]


def test_a_card_without_end_stops_where_the_next_begins() -> None:
    file = decode_file(b"BEGIN:VCARD\nN:a\nBEGIN:VCARD\nN:b\nEND:VCARD\n")
    assert [(block.card, block.closed) for block in blocks(file)] == [(True, False), (True, True)]


def test_nested_cards_belong_to_the_outer_one() -> None:
    text = "BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nN:inner\nEND:VCARD\nTEL:1\nEND:VCARD\n"
    (block,) = blocks(decode_file(text.encode()))
    lines = [raw for raw, _ in card_lines(block.text, "\n")[1]]
    assert lines == ["BEGIN:VCARD", "AGENT:\nBEGIN:VCARD\nN:inner\nEND:VCARD", "TEL:1", "END:VCARD"]


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x0c", "\r", "\u2029"])
def test_only_line_feeds_end_a_line(separator: str) -> None:
    lines = card_lines(f"BEGIN:VCARD\r\nFN:A{separator}TEL:1\r\nEND:VCARD\r\n", "\n")[1]
    assert len(lines) == 3


@pytest.mark.parametrize(
    "text",
    [
        "A:1\r\nB:2\nC:3",
        "A:1\r\n b\r\n",
        "A:1\r\r\nB:2\r\r\n",
        "\r\n\r\n",
        "NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\nb\r\nB:2\r\n",
    ],
)
def test_lines_and_their_ends_joined_are_the_card(text: str) -> None:
    assert "".join(raw + eol for raw, eol in card_lines(text, "\n")[1]) == text


def test_soft_breaks_and_base64_blocks_hold_lines_together() -> None:
    text = "NOTE;ENCODING=QUOTED-PRINTABLE:a=\nb\nPHOTO;ENCODING=BASE64:QUJD\nREVG\n\nTEL:1\n"
    assert [raw.partition(":")[0] for raw, _ in card_lines(text, "\n")[1]] == [
        "NOTE;ENCODING=QUOTED-PRINTABLE",
        "PHOTO;ENCODING=BASE64",
        "TEL",
    ]
