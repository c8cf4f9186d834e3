"""cli.output: the one sink of untrusted text (attack A50), JSON, tables."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.cli.exits import UsageError
from e2esync.cli.output import CELL_MAX, LINE_MAX, Output, clean, fit, to_json, width
from e2esync.errors import Ambiguous
from e2esync.stores.index import CardRow

HOSTILE = [
    "\x1b[31mred", "\x1b]52;c;ZXZpbA==\x07", "\x1b]8;;http://evil\x1b\\x", "\x9b31m", "a\u202egnp.exe", "a\nb\rc\td",
    "zero\u200bwidth", "\u2066iso\u2069", "\x00\x07\x7f", "\ud800", "tag\U000e0041", "\u2028line",
]
FORBIDDEN = {chr(code) for code in [*range(32), *range(127, 160), 0x202E, 0x200B, 0x2066, 0x2069, 0xE0041, 0x2028]}


def dangerous(text: str) -> set[str]:
    return set(text) & (FORBIDDEN - {"\n"})


@pytest.mark.parametrize("text", HOSTILE)
def test_clean_lets_nothing_through(text: str) -> None:
    assert not set(clean(text)) & FORBIDDEN
    assert clean(clean(text)) == clean(text)


@given(st.text(alphabet=st.characters(), max_size=60))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_clean_is_printable_or_harmless(text: str) -> None:
    assert not set(clean(text)) & FORBIDDEN


def test_clean_cuts_a_megabyte() -> None:
    assert len(clean("x" * 1_000_000)) == LINE_MAX
    assert clean("x" * LINE_MAX) == "x" * LINE_MAX


@pytest.mark.parametrize("text", HOSTILE)
def test_every_way_out_is_clean(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.data(text)
    out.heading(text)
    out.table(("A", "B"), [(text, text)])
    out.note(text)
    out.warn(text)
    out.show(text)
    error = Ambiguous(f"two fit: {text}", text)
    error.candidates = [CardRow(b"", text, text, "", (), (), "")]  # type: ignore[attr-defined]
    out.error(error)
    shown = capsys.readouterr()
    assert not dangerous(shown.out)
    assert not dangerous(shown.err)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_plain_ascii_and_comes_back(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=True).result(name=text)
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert not dangerous(shown)
    assert json.loads(shown) == {"schema": 1, "name": text}


def test_json_values() -> None:
    assert to_json({"b": b"\x00\xff", "s": {2, 1}}) == '{"b":"00ff","s":[1,2]}'
    with pytest.raises(TypeError):
        to_json(object())


def test_json_mode_keeps_stdout_for_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(json=True)
    with pytest.raises(AssertionError):
        out.data("text")
    out.show("words")
    out.note("hello")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "words\nhello\n"


def test_error_as_json_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    error = Ambiguous("2 contacts fit", "say more")
    error.candidates = [CardRow(b"1", "u1", "Ada", "ada", (), (), "")]  # type: ignore[attr-defined]
    Output(json=True).error(error)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err) == {"schema": 1, "error": {
        "code": "Ambiguous", "message": "2 contacts fit", "hint": "say more",
        "candidates": [{"uid": "u1", "name": "Ada"}]}}


def test_quiet_keeps_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(quiet=True)
    out.note("one")
    out.warn("two")
    out.error(UsageError("three"))
    shown = capsys.readouterr().err
    assert "one" not in shown
    assert "two" in shown
    assert "three" in shown


def test_table_aligns_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("NAME", "PHONE"), [("山田太郎", "1"), ("Ada", "2"), ("e\u0301", "3")])
    lines = capsys.readouterr().out.splitlines()
    assert [width(line[:line.index(mark)]) for line, mark in zip(lines[1:], "123", strict=True)] == [10, 10, 10]


def test_table_cuts_long_cells(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("NAME", "PHONE"), [("山" * 500, "1"), ("x" * 500, "2")])
    for line in capsys.readouterr().out.splitlines()[1:]:
        assert width(line) <= CELL_MAX + 3


def test_fit() -> None:
    assert fit("abc", 3) == "abc"
    assert fit("abcd", 3) == "ab…"
    assert fit("山山", 3) == "山…"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for color, environment, expected in ((True, "", True), (False, "", False), (True, "1", False)):
        stream = Terminal()
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setenv("NO_COLOR", environment)
        Output(color=color).heading("\x1b[5mhi")
        assert ("\x1b[1m" in stream.getvalue()) is expected
        assert "\x1b[5m" not in stream.getvalue()


def test_document_to_a_terminal_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    Output().document(b"NOTE:\x1b]0;evil\x07\xff\r\nEND\r\n")
    assert not dangerous(stream.getvalue())
    assert "END" in stream.getvalue()
