"""cli.progress: a bar on a terminal, lines where asked, nothing elsewhere."""

from __future__ import annotations

import io

import pytest

from e2esync.cli import progress
from e2esync.cli.progress import Progress, describe


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: moment[0])
    return moment


def test_describe() -> None:
    assert describe("sending", 500, 2000, 1.0) == (
        "sending [######..................]  25% 500/2,000, 500/s, 3 s left")
    assert describe("sending", 2000, 2000, 2.0).endswith("100% 2,000/2,000")
    assert describe("reading", 7, 0, 0.0) == "reading: 7"
    assert describe("x", 1, 1000, 1.0).endswith("16 min 39 s left")


def test_bar_is_drawn_at_most_ten_times_a_second_and_removed(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with Progress() as bar:
        for done in range(1000):
            clock[0] += 0.001
            bar.update("sending", done, 1000)
    drawn = screen.getvalue()
    assert 5 <= drawn.count("sending") <= 12
    assert drawn.endswith("\r\x1b[K")
    assert "\n" not in drawn


def test_nothing_without_a_terminal_or_when_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = ((io.StringIO(), "auto", False), (Terminal(), "never", False), (Terminal(), "auto", True))
    for stream, mode, quiet in cases:
        monkeypatch.setattr("sys.stderr", stream)
        with Progress(mode, quiet=quiet) as bar:
            bar.update("sending", 1, 2)
        assert stream.getvalue() == ""


def test_plain_lines_have_no_control_characters(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with Progress("plain") as bar:
        for done in range(101):
            clock[0] += 0.1
            bar.update("sending", done, 100)
    lines = stream.getvalue().splitlines()
    assert 3 <= len(lines) <= 8
    assert lines[-1].startswith("sending [####")
    assert "100%" in lines[-1]
    assert stream.getvalue().replace("\n", "").isprintable()


@pytest.mark.usefixtures("clock")
def test_each_stage_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with Progress("plain") as bar:
        bar.update("reading", 1, 10)
        bar.update("sending", 1, 10)
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == ["reading", "sending"]
