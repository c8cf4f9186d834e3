"""What the program writes: data on stdout, messages on stderr, and the one sink for text that others wrote.

Invariants: every piece of text passes `clean` on its way out, so no control character, escape sequence or invisible
direction mark of a contact, a device name or a file name reaches a terminal (attack A50). JSON is pure ASCII. Colour
is added after cleaning and only on a terminal. With `--json` nothing but JSON goes to stdout, and an error is one
JSON object on stderr.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from e2esync.errors import E2esyncError

SCHEMA: Final = 1
LINE_MAX: Final = 4000
CELL_MAX: Final = 60
CANDIDATES_MAX: Final = 20
GAP: Final = "  "
_WIDE: Final = re.compile("[^\x00-\u02ff]")
"""Cleaned text without these takes one column a character."""
_BOLD, _RED, _END = "\x1b[1m", "\x1b[31m", "\x1b[0m"


def clean(text: str, limit: int = LINE_MAX) -> str:
    """One line that is safe to print: no controls, no invisible marks, at most `limit` characters."""
    if not text.isprintable():
        from e2esync.card.display import sanitize

        text = sanitize(text)
    if len(text) > limit:
        return text[: limit - 1] + "…"
    return text


def counted(number: int, word: str) -> str:
    """`1 contact`, `2,000 contacts`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def width(text: str) -> int:
    """How many terminal columns a cleaned text takes."""
    if text.isascii() or not _WIDE.search(text):
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 1 + (east_asian_width(char) in "WF") for char in text)


def fit(text: str, columns: int) -> str:
    """A cleaned text cut to at most so many columns, with an ellipsis if anything is lost."""
    if len(text) * 2 <= columns or width(text) <= columns:
        return text
    kept = text[: max(columns - 1, 0)]
    while kept and width(kept) > columns - 1:
        kept = kept[:-1]
    return kept + "…"


def to_json(value: Any) -> str:
    """A value as one line of ASCII JSON; bytes become lower-case hex."""
    import json

    text = json.dumps(value, default=_plain, separators=(",", ":"))
    # JSON leaves DEL alone; terminals do not.
    return text.replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Output:
    """The two streams of one command. `json`, `quiet` and `color` are the global options."""

    __slots__ = ("color", "json", "quiet")

    def __init__(self, *, json: bool = False, quiet: bool = False, color: bool = True) -> None:
        self.json = json
        self.quiet = quiet
        self.color = color and not os.environ.get("NO_COLOR")

    # stdout: data

    def data(self, *lines: str) -> None:
        """Print lines of data. With `--json` this is a bug in the command, because stdout is one JSON value."""
        if self.json:
            raise AssertionError("text on stdout with --json")
        self._write(sys.stdout, lines)

    def heading(self, text: str) -> None:
        """Print a heading among the data."""
        self._write(sys.stdout, [text], _BOLD)

    def document(self, content: bytes | Iterable[bytes]) -> None:
        """Write a file's bytes, or its pieces, to stdout as they are; to a terminal only what is safe to see."""
        for part in (content,) if isinstance(content, bytes) else content:
            self._document_part(part)

    def _document_part(self, content: bytes) -> None:
        if sys.stdout.isatty():
            text = content.decode("utf-8", "replace")
            self._write(sys.stdout, text.splitlines())
            return
        sys.stdout.flush()
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:
            sys.stdout.write(content.decode("utf-8", "surrogateescape"))
            return
        binary.write(content)
        binary.flush()

    def tabbed(self, rows: Iterable[Sequence[str]]) -> None:
        """Print rows for programs: cleaned cells with tabs between."""
        for row in rows:
            sys.stdout.write("\t".join(clean(cell).encode("utf-8", "replace").decode() for cell in row) + "\n")

    def binary(self, content: bytes) -> None:
        """Write bytes that are no text to stdout. Raises UsageError where that is a terminal."""
        if sys.stdout.isatty():
            from .exits import UsageError

            raise UsageError("this is no text, and stdout is a terminal", "name a file with -o")
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()

    def result(self, **fields: Any) -> None:
        """Print the one JSON object of a command, or one line of a stream of them; without `--json` nothing."""
        if self.json:
            sys.stdout.write(to_json({"schema": SCHEMA, **fields}) + "\n")
            sys.stdout.flush()

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print at least one row in columns, cells that are too wide cut."""
        columns = [_column(header, cells) for header, cells in zip(headers, zip(*rows, strict=True), strict=True)]
        first, *others = [GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]
        self._write(sys.stdout, [first], _BOLD)
        sys.stdout.write("".join([line + "\n" for line in others]))

    # stderr: messages

    def note(self, *lines: str) -> None:
        """Say something that a script may ignore; `--quiet` keeps it back."""
        if not self.quiet:
            self._write(sys.stderr, lines)

    def warn(self, *lines: str) -> None:
        """Say something that matters, even with `--quiet`."""
        self._write(sys.stderr, lines, _BOLD)

    def show(self, *lines: str) -> None:
        """Show what the command exists to show: data, or with `--json` a message, because stdout is JSON."""
        self._write(sys.stderr if self.json else sys.stdout, lines)

    def error(self, error: E2esyncError) -> None:
        """Say what went wrong and what to do: text, or with `--json` one object, on stderr."""
        candidates = getattr(error, "candidates", ())
        if self.json:
            body: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
            if candidates:
                body["candidates"] = [{"uid": row.uid, "name": row.name} for row in candidates]
            sys.stderr.write(to_json({"schema": SCHEMA, "error": body}) + "\n")
            return
        self._write(sys.stderr, [f"e2esync: {error.message}"], _RED)
        shown = [f"  {fit(clean(row.name), CELL_MAX)}  {row.uid}" for row in candidates[:CANDIDATES_MAX]]
        more = len(candidates) - len(shown)
        self._write(sys.stderr, shown + ([f"  and {more} more"] if more else []))
        if error.hint:
            self._write(sys.stderr, [f"  {error.hint}"])

    def _write(self, stream: TextIO, lines: Iterable[str], style: str = "") -> None:
        styled = bool(style) and self.color and stream.isatty()
        for line in lines:
            for part in line.split("\n"):
                text = clean(part).encode("utf-8", "replace").decode()
                stream.write(f"{style}{text}{_END}\n" if styled else text + "\n")


def _column(header: str, cells: Sequence[str]) -> list[str]:
    """A column's cells, cleaned, cut and padded to one width. Ten thousand rows take a few milliseconds."""
    column = [header, *cells]
    together = "".join(column)
    size = max(map(len, column))
    if size <= CELL_MAX and together.isprintable() and not _WIDE.search(together):
        return [cell.ljust(size) for cell in column]
    column = [fit(clean(cell, 2 * CELL_MAX), CELL_MAX) for cell in column]
    widths = [width(cell) for cell in column]
    size = max(widths)
    return [cell + " " * (size - taken) for cell, taken in zip(column, widths, strict=True)]
