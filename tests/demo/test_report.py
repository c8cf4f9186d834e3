"""How the demo tells: it fits a terminal, lines up, and its exit code hangs on its claims."""

from __future__ import annotations

import json

import pytest

from e2esync.cli.output import Output, width
from e2esync.demo.report import Report, duration, plural, size


def test_everything_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(Output(color=False))
    report.title("A title", "And a line.")
    report.part("A part")
    report.say("word " * 60)
    report.claim("a claim that is long " * 8, True)
    report.columns("王小明" * 20, "x" * 100)
    report.columns("a" * 50, "b" * 50, "c" * 50)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(width, lines)) <= 80
    assert "1. A part" in lines
    assert all(line == line.rstrip() for line in lines)


def test_columns_line_up_with_wide_letters(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(Output(color=False))
    report.columns("王小明", "|")
    report.columns("plain", "|")
    first, second = capsys.readouterr().out.splitlines()
    assert width(first) == width(second)


def test_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    Report(Output(color=False)).table([("", "HITS"), ("names", "5"), ("notes", "12345")])
    assert capsys.readouterr().out.splitlines() == ["           HITS", "   names      5", "   notes  12345"]


def test_hostile_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(Output(color=False))
    report.columns("\x1b[2Jgone", "\u202eevil")
    report.claim("\x1b]0;title\x07", True)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert "\x07" not in printed


def test_one_false_claim_is_the_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(Output(color=False))
    report.claim("water is wet", True)
    assert report.holds
    report.claim("the moon is cheese", False)
    report.end()
    printed = capsys.readouterr().out
    assert not report.holds
    assert "NOT SO  the moon is cheese" in printed
    assert printed.splitlines()[-1] == "1 of 2 claims do NOT hold: the moon is cheese"


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(Output(json=True))
    report.part("A part")
    report.say("words")
    report.claim("so", True)
    report.facts["seconds"] = 1.5
    report.end()
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1, "ok": True, "claims": [{"claim": "so", "holds": True}], "seconds": 1.5,
    }


def test_words_for_numbers() -> None:
    assert [size(count) for count in (0, 999, 1000, 30_440, 6_800_000)] == ["0 B", "999 B", "1.0 kB", "30.4 kB",
                                                                          "6.8 MB"]
    assert [plural(count, "card") for count in (0, 1, 10_000)] == ["0 cards", "1 card", "10,000 cards"]
    assert duration(0.456) == "0.46 s"
