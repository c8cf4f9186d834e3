"""CSV as text: records and fields, guarded against formulas on the way out.

Invariants: linear in the input; nothing raises; a quote that is never closed costs its own line and no other. Values
that a spreadsheet would take for a formula (attack A52) go out with an apostrophe before them, and come in without it;
a plain phone number, which can do no harm, is left alone because programs match on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_FORMULA: Final = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")
_PHONE: Final = re.compile(r"\+[0-9 ()./-]{1,40}", re.A)
_DAY: Final = re.compile(r"--\d\d-\d\d", re.A)
_END: Final = re.compile("[\r\n]")


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its fields, its raw text with the line end, the line where it begins, whether it is well-formed."""

    fields: list[str]
    raw: str
    line: int
    whole: bool = True


def parse_csv(text: str, delimiter: str) -> list[Row]:
    """The records of a text; empty lines are none."""
    rows: list[Row] = []
    position, line = 0, 1
    last_quote = text.rfind('"')
    while position < len(text):
        fields, end, whole = _record(text, position, delimiter, last_quote)
        raw = text[position:end]
        if fields != [""]:
            rows.append(Row(fields, raw, line, whole))
        line += raw.count("\n") or raw.count("\r")
        position = end
    return rows


def _record(text: str, position: int, delimiter: str, last_quote: int) -> tuple[list[str], int, bool]:
    """(fields, where the next record begins, whether every quote was closed)."""
    start = position
    fields: list[str] = []
    ends = re.compile(f"[{re.escape(delimiter)}\r\n]")
    while True:
        value = ""
        if text.startswith('"', position):
            closing = _closing(text, position + 1, last_quote)
            if closing < 0:
                match = _END.search(text, start)
                return fields, _past(text, match.start() if match else len(text)), False
            value = text[position + 1 : closing].replace('""', '"')
            position = closing + 1
        match = ends.search(text, position)
        stop = match.start() if match else len(text)
        fields.append(value + text[position:stop])
        if match is None or match[0] != delimiter:
            return fields, _past(text, stop), True
        position = stop + 1


def _closing(text: str, position: int, last_quote: int) -> int:
    """Where the quote that closes a field is, or -1."""
    while 0 <= position <= last_quote:
        position = text.find('"', position)
        if text[position + 1 : position + 2] != '"':
            return position
        position += 2
    return -1


def _past(text: str, end: int) -> int:
    """The position after a line end, of either kind, or at the end of the text."""
    return min(end + (2 if text.startswith("\r\n", end) else 1), len(text))


def delimiter_of(text: str) -> str:
    """What parts the fields of the first line: a comma, a semicolon or a tab."""
    head = text[:20_000].partition("\n")[0]
    return max(",;\t", key=lambda each: (head.count(each), each == ","))


def format_csv(rows: Iterable[Iterable[str]]) -> str:
    """Records as text: CRLF, quotes where needed, guarded."""
    return "".join(",".join(map(_field, row)) + "\r\n" for row in rows)


def _field(text: str) -> str:
    text = guard(text)
    if any(char in text for char in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def guard(text: str) -> str:
    """A value that no spreadsheet computes."""
    return "'" + text if _is_formula(text) else text


def unguard(text: str) -> str:
    """The inverse of ``guard``."""
    return text[1:] if text[:1] == "'" and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return _FORMULA.match(text) is not None and not _PHONE.fullmatch(text) and not _DAY.fullmatch(text)
