"""How the demo tells what it does: short headings, aligned columns, plain words, or one JSON object at the end.

Every claim is made through `claim`, which is told whether it is so: the last line and the exit code follow from that
and from nothing else.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import Any, Final

from e2esync.cli.output import Output, clean, fit, width

WIDTH: Final = 79
INDENT: Final = "   "
_TWO: Final = 37
_THREE: Final = 24


class Report:
    """The demo's voice."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._parts = 0
        self.claims: list[tuple[str, bool]] = []
        self.facts: dict[str, Any] = {}

    @property
    def holds(self) -> bool:
        """Whether all that was claimed is so."""
        return all(so for _text, so in self.claims)

    def title(self, text: str, *more: str) -> None:
        """The first lines."""
        self._heading(text)
        self._lines(*more)

    def part(self, text: str) -> None:
        """Begin the next part."""
        self._parts += 1
        self._lines("")
        self._heading(f"{self._parts}. {text}")

    def say(self, text: str) -> None:
        """A sentence or two, wrapped."""
        self._lines(*textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT,
                                   break_on_hyphens=False))

    def claim(self, text: str, so: bool) -> None:
        """Say that something is so, or that it is not."""
        self.claims.append((text, so))
        mark = "ok  " if so else "NOT SO  "
        self._lines(*textwrap.wrap(mark + text, WIDTH, initial_indent=INDENT, break_on_hyphens=False,
                                   subsequent_indent=INDENT + " " * len(mark)))

    def columns(self, *cells: str) -> None:
        """A row of two or three columns."""
        size = _TWO if len(cells) == 2 else _THREE
        self._lines((INDENT + "  ".join(_cell(cell, size) for cell in cells)).rstrip())

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A heading row and others: the first column to the left, numbers to the right."""
        sizes = [max(map(width, column)) for column in zip(*rows, strict=True)]
        for first, *others in rows:
            cells = [_cell(first, sizes[0]), *map(_right, others, sizes[1:])]
            self._lines((INDENT + "  ".join(cells)).rstrip())

    def verbatim(self, text: str) -> None:
        """A line that is not wrapped: something to copy."""
        self._lines(INDENT + INDENT + text)

    def end(self) -> None:
        """The last word, and the JSON object."""
        false = [text for text, so in self.claims if not so]
        self._lines("")
        self._heading(f"All {len(self.claims)} claims hold." if self.holds
                      else f"{len(false)} of {len(self.claims)} claims do NOT hold: {'; '.join(false)}")
        self._out.result(ok=self.holds, claims=[{"claim": text, "holds": so} for text, so in self.claims], **self.facts)

    def _heading(self, text: str) -> None:
        if not self._out.json:
            self._out.heading(text)

    def _lines(self, *lines: str) -> None:
        if not self._out.json:
            self._out.data(*lines)
            sys.stdout.flush()


def duration(seconds: float) -> str:
    """Seconds for people."""
    return f"{seconds:.2f} s"


def size(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def plural(count: int, word: str) -> str:
    """`1 card`, `2 cards`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _cell(text: str, columns: int) -> str:
    text = fit(clean(text), columns)
    return text + " " * (columns - width(text))


def _right(text: str, columns: int) -> str:
    return " " * (columns - width(text)) + text
