"""Escapes, quoted-printable, charsets, folds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2esync.card import text as t

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_escaping_is_undone(text: str) -> None:
    assert t.unescape(t.escape(text)) == t.plain(text)
    assert "\n" not in t.escape(text)
    assert "\r" not in t.escape(text)


@given(st.lists(TEXT, min_size=1))
def test_escaped_parts_are_split_where_they_were_joined(parts: list[str]) -> None:
    for separator in ";,":
        joined = separator.join(map(t.escape, parts))
        assert [t.unescape(part) for part in t.split(joined, separator)] == [t.plain(part) for part in parts]


@given(st.lists(TEXT.filter(lambda text: not text.endswith("\\") and "\0" not in text), min_size=1))
def test_parts_of_2_1_are_split_where_they_were_joined(parts: list[str]) -> None:
    assert t.split21(";".join(map(t.escape21, parts))) == parts


def test_a_backslash_of_2_1_is_literal() -> None:
    assert t.unescape21(r"C:\new\;x") == r"C:\new;x"
    assert t.unescape(r"a\nb\,c\:d\x") == "a\nb,c\\:d\\x"


@given(TEXT.map(t.plain))
def test_quoted_printable_is_undone(text: str) -> None:
    encoded = t.quote_printable(text, 10, "\r\n")
    assert all(len(line) <= 76 for line in encoded.split("\r\n"))
    assert t.plain(t.unquote_printable(encoded).decode()) == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=300))
def test_folds_are_by_octets_and_never_inside_a_character(line: str) -> None:
    folded = t.fold(line, "\r\n")
    assert folded.replace("\r\n ", "") == line
    assert all(len(part.encode()) <= 75 for part in folded.split("\r\n"))


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"\x8d\xb2\x93\xa1", "SHIFT_JIS", "佐藤"),
        (b"\xe4", "windows-1252", "ä"),
        (b"\xe4", "BLABLA", "ä"),
        (b"\xe4", "punycode", "ä"),
        (b"+2AA-", "utf-7", "+2AA-"),
        (b"\xc3\xa4", "", "ä"),
        (b"\x81", "", "\x81"),
    ],
)
def test_charsets_fall_back_and_never_raise(data: bytes, charset: str, text: str) -> None:
    assert t.decode(data, charset) == text
