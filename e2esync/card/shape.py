"""How the shape of a card's file differs from what the writer gives (SPEC 7, origin record).

Invariants: exact: None only where writing gives every byte of the file back. Most lines of most books are so plain
that this is seen without writing them: what a head is written as depends, for these, on the head alone, and is
tried once for each head of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .origin import FileLine, pack
from .types import V21, Line, Registers, Style, Value
from .writer import write_register
from .writer.target import MediaSource, Target

_PLAIN_TEXT: Final = frozenset(("FN", "TEL", "EMAIL", "TITLE", "ROLE", "NOTE", "UID", "PRODID"))
_PLAIN_PARTS: Final = {"ADR": 6, "N": 4, "ORG": 0}
_NO_YEARS: Final = frozenset(("1604", "0000"))
_WIDTH: Final = 75


@dataclass(slots=True)
class Shape:
    """The lines of a card, who owns them, the style by number and in full, and the registers slot by slot."""

    texts: list[tuple[str, str]]
    owners: list[str | None]
    lines: list[Line | None]
    number: int
    style: Style
    media: MediaSource
    registers: Registers

    def ops(self, media_op: Callable[[Line], list[Value] | None]) -> list[Value] | None:
        """The ops of the origin record, or None where nothing differs."""
        eol, texts = self.style.eol, self.texts
        plain = (
            len(texts) > 2
            and texts[0] == ("BEGIN:VCARD", eol)
            and texts[1] == (f"VERSION:{self.style.version}", eol)
            and texts[-1] == ("END:VCARD", eol)
        )
        given = self._given()
        if plain and texts[2:-1] == [(line, eol) for lines in given for line in lines]:
            return None
        numbers = {path: index for index, path in enumerate(self.registers)}
        rows = []
        for index in range(2, len(texts) - 1) if plain else range(len(texts)):
            owner, line, media = self.owners[index], self.lines[index], None
            if line is not None and owner is not None and owner.startswith(("media/", "cryptoKeys/")):
                media = media_op(line)
            rows.append(FileLine(None if owner is None else numbers[owner], *texts[index], media))
        return ([] if plain else [0]) + pack(rows, given, eol)

    def _given(self) -> list[list[str]]:
        """The writer's lines, slot by slot."""
        style = self.style
        target = Target(style, self.registers, self.media)
        known = self._plain_lines(Target(style, self.registers, self.media))
        return [
            known[path] if path in known else write_register(target, path, value)
            for path, value in self.registers.items()
        ]

    def _plain_lines(self, probe: Target) -> dict[str, list[str]]:
        """The registers whose one line is what the writer gives, as can be told from its head and value alone.

        ``probe`` is a target of its own, because trying a head must not count its groups.
        """
        key = self.number
        known: dict[str, list[str]] = {}
        several: set[str] = set()
        ascii_only = self.style.version == V21
        names: list[Line] = []
        for owner, line in zip(self.owners, self.lines, strict=True):
            if owner is None or line is None:
                continue
            raw = line.raw
            if owner in known or not _fits(raw, ascii_only) or not _plain_value(line):
                several.add(owner)
            elif owner == "name":
                names.append(line)
            else:
                verdict = line.head.memo.get(key)
                if verdict is None:
                    verdict = line.head.memo[key] = write_register(probe, owner, self.registers[owner]) == [raw]
                if verdict:
                    known[owner] = [raw]
        if [line.head.text for line in names] == (["N", "FN"] if self.style.name_first else ["FN", "N"]):
            known["name"] = [line.raw for line in names]
        for owner in several:
            known.pop(owner, None)
        return known


def _fits(raw: str, ascii_only: bool) -> bool:
    """Whether a line is printable and short enough not to be folded, nor encoded in 2.1."""
    if len(raw) > _WIDTH or not raw.isprintable():
        return False
    if raw.isascii():
        return True
    return not ascii_only and len(raw.encode()) <= _WIDTH


def _plain_value(line: Line) -> bool:
    """Whether the value is written as it was read, whatever it says: no escapes, no list, no URI."""
    head, value = line.head, line.value
    if head.group or "\\" in value or "," in value or not value or value != value.strip():
        return False
    if head.name in _PLAIN_TEXT:
        return ";" not in value and ":" not in value
    if head.name == "BDAY":
        return len(value) == 10 and value[4] == value[7] == "-" and value[:4] not in _NO_YEARS
    return value.count(";") == _PLAIN_PARTS.get(head.name, -1) and value != ";;;;;;"
