"""Content lines to heads and values."""

from __future__ import annotations

import pytest

from e2esync.card.heads import parse_head, parse_line


def test_heads_are_parsed_with_groups_quotes_and_bare_types() -> None:
    head = parse_head('item1.Tel;TYPE="voice,home";PREF=3;X-A="b;c:d";CELL')
    assert head is not None
    assert (head.group, head.name, head.types, head.pref) == ("item1", "TEL", ["voice", "home", "CELL"], 3)
    assert head.param("X-A") == "b;c:d"


@pytest.mark.parametrize("raw", ["", "no colon", ":value", ";TYPE=x:1", "\u00e4:1", "A\x00B:1"])
def test_what_is_no_content_line_is_none(raw: str) -> None:
    assert parse_line(raw, "\n", "3.0", {}) is None


def test_a_colon_inside_quotes_does_not_end_the_head() -> None:
    line = parse_line('ADR;LABEL="a:b;c":;;x', "\n", "4.0", {})
    assert line is not None
    assert (line.head.param("LABEL"), line.value) == ("a:b;c", ";;x")


def test_caret_escapes_of_parameters_are_undone() -> None:
    line = parse_line('ADR;LABEL="a^nb^^^\'c":x', "\n", "4.0", {})
    assert line is not None
    assert line.head.param("LABEL") == 'a\nb^"c'
