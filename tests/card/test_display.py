"""Names, and text made safe for a terminal (A50)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2esync.card import display_name, sanitize


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = sanitize(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown)
    assert sanitize(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;evil\x07Bob", "]0;evilBob"),
        ("\x1b[31mred", "[31mred"),
        ("a\u009b31mb", "a31mb"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\u2066b\u2069", "ab"),
        ("two\r\nlines\tand", "two lines and"),
        ("Zoë 山田 🚕 الحداد", "Zoë 山田 🚕 الحداد"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert sanitize(text) == shown


def part(kind: str, value: str) -> dict[str, str]:
    return {"kind": kind, "value": value}


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ({"name": {"full": " Bo "}}, "Bo"),
        (
            {"name": {"components": [part("surname", "Doe"), part("given", "Jo"), part("title", "Dr.")]}},
            "Dr. Jo Doe",
        ),
        ({"name": {"components": [part("given", "花子"), part("surname", "山田")]}}, "山田花子"),
        ({"name": {"components": [part("given", "Bo"), part("surname", "山田")]}}, "山田 Bo"),
        (
            {
                "name": {
                    "isOrdered": True,
                    "defaultSeparator": "-",
                    "components": [part("given", "a"), part("given2", "b")],
                }
            },
            "a-b",
        ),
        ({"name": {}, "organizations/x": {"name": "Mill"}}, "Mill"),
        ({"emails": {"x": {"address": "a@b.example"}}}, "a@b.example"),
        ({"phones/x": {"number": "1"}}, "1"),
        ({}, ""),
    ],
)
def test_display_name(card: dict[str, object], name: str) -> None:
    assert display_name(card) == name
