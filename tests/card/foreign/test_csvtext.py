"""CSV as text, and the guard against formulas (attack A52)."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.card.foreign.csvtext import delimiter_of, format_csv, guard, parse_csv, unguard

FIELD = st.text(st.sampled_from('ab,;"\r\n\t \'=+-@é0＝'), max_size=6)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.lists(FIELD, min_size=2, max_size=3), max_size=4))
def test_what_is_written_is_read_here_and_by_python(rows: list[list[str]]) -> None:
    text = format_csv(rows)
    assert [[unguard(field) for field in row.fields] for row in parse_csv(text, ",")] == rows
    assert [[unguard(field) for field in row] for row in csv.reader(io.StringIO(text, newline=""))] == rows


@pytest.mark.parametrize("value", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\r=x", "'=1", "+1-1=2",
                                   "=HYPERLINK(\"https://evil.example\")", "''@x", "  =1", "＝1", "＋1", " ＠x", "\n=1",
                                   "'+44 20"])
def test_formulas_are_guarded_and_come_back(value: str) -> None:
    assert guard(value) == "'" + value
    assert unguard(guard(value)) == value


@pytest.mark.parametrize("value", ["+44 20 7946-0001", "+1 (555) 0151", "--04-15", "Bo", "'t Hooft", "a=b", ""])
def test_phones_and_days_stay_as_they_are(value: str) -> None:
    assert guard(value) == unguard(value) == value


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    text = 'a,b\n1,"open\n3,4\n5,"closed"x\n"6""\n7'
    rows = parse_csv(text, ",")
    assert [(row.fields, row.whole, row.line) for row in rows] == [
        (["a", "b"], True, 1), (["1", "open\n3,4\n5,closed\"x"], True, 2), ([], False, 5), (["7"], True, 6)]
    assert "".join(row.raw for row in rows) == text


def test_delimiters() -> None:
    assert [delimiter_of(text) for text in ("a,b\n1;2;3", "a;b;c,d", "a\tb", "alone")] == [",", ";", "\t", ","]
