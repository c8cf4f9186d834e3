"""What the relay's journal may hold: no text of a stranger's."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from e2esync.relay.journal import Journal, keep_journal


def test_the_journal_holds_no_text_of_a_strangers() -> None:
    try:
        raise ValueError("Ada Lovelace, +44 20 7946 0000")
    except ValueError:
        record = logging.LogRecord("e2esync", logging.ERROR, "f", 1, "a bug: %s", ("batch",), sys.exc_info())
    for as_json in (True, False):
        line = Journal(as_json=as_json).format(record)
        assert "Lovelace" not in line
        assert "ValueError" in line
        assert "a bug: batch" in line
        assert "\n" not in line
    assert json.loads(Journal(as_json=True).format(record))["level"] == "error"


@pytest.mark.parametrize("as_json", [True, False])
def test_it_goes_to_stderr_a_line_each(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        keep_journal(as_json=as_json)
        logging.getLogger("e2esync.relay").error("the disk is full")
        logging.getLogger("e2esync.relay").debug("nobody wants to know")
    finally:
        root.handlers[:], root.level = before, level
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    fields = json.loads(line) if as_json else dict(zip(("time", "level", "message"), line.split(" ", 2), strict=True))
    assert (fields["level"], fields["message"]) == ("error", "the disk is full")
    assert fields["time"].endswith("+00:00")
