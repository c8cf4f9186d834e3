"""Bytes of a .vcf file into cards of content lines (SPEC 7): encodings, line ends, folds, nesting.

Invariants: nothing is lost: the raw text of the lines and their ends, joined, is the text of the card; a line ends
at CRLF or LF only (at CR in files that have no LF), so no other character can start a property (attack A51);
the time is linear in the size of the file; a file is kept once, as bytes, and one stretch of it at a time is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

STRETCH_MAX: Final = 64 << 20
"""A longer card, or as much that is no card, is not read: two photos of the largest size fit."""
_FIRST: Final = re.compile(rb"(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*\r*(?=\n|\Z)", re.I)
_BOUNDARY: Final = re.compile(rb"\n" + _FIRST.pattern, re.I)
"""A pattern that begins with a line feed is sought ten times as fast as one that begins with ``^``."""
_BOUNDARY_CR: Final = re.compile(rb"(?:(?<=\r)|\A)(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*(?=\r|\Z)", re.I)
_MARK: Final = re.compile(r"(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*\Z", re.I)
_MARK_INITIALS: Final = frozenset("BbEe")
_BLANKS: Final = frozenset(" \t")
_SOFT: Final = re.compile(r"=[ \t]*[\r\n]+")
_FOLD: Final = re.compile(r"[\r\n]+[ \t]?")
_FOLD21: Final = re.compile(r"[\r\n]+(?=[ \t])")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]+[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class FileText:
    """A file as UTF-8: its encoding and byte order mark, which ``data`` has not, and the line end that all of it uses,
    or LF."""

    data: bytes
    encoding: str
    bom: bool
    newline: str

    def text(self, at: int, size: int) -> str:
        """A stretch of the file as text."""
        return self.data[at : at + size].decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the file: the text of one card (from BEGIN to END, whole lines), or of what is between cards."""

    text: str
    """Empty where it is longer than ``STRETCH_MAX``."""
    line: int
    card: bool
    closed: bool = True
    at: int = 0
    """Where in the file's data it begins."""
    size: int = 0
    """And how many bytes it takes there."""


def decode_file(data: bytes) -> FileText:
    """A file as UTF-8, from that or from UTF-16 with or without a byte order mark: no byte of it is lost."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark) and (body := _utf16(data[2:], encoding)) is not None:
            return FileText(body, encoding, True, _newline(body))
    for pattern, encoding in ((b"B\0E\0", "utf-16-le"), (b"\0B\0E", "utf-16-be")):
        if data[:4].upper() == pattern and (body := _utf16(data, encoding)) is not None:
            return FileText(body, encoding, False, _newline(body))
    bom = data.startswith(b"\xef\xbb\xbf")
    return FileText(data[3:] if bom else data, "utf-8", bom, _newline(data))


def encode_file(text: str, encoding: str, bom: bool) -> bytes:
    """The inverse of ``decode_file``."""
    if encoding == "utf-8":
        return (b"\xef\xbb\xbf" if bom else b"") + text.encode("utf-8", "surrogateescape")
    return ("\ufeff" * bom + text).encode(encoding, "surrogatepass")


def _utf16(data: bytes, encoding: str) -> bytes | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text.encode() if text.encode(encoding) == data else None


def _newline(data: bytes) -> str:
    return "\r" if b"\n" not in data and b"\r" in data else "\n"


def blocks(file: FileText) -> Iterator[Block]:
    """The stretches of a file in order: joined they are its text.

    A BEGIN inside a card opens a nested card when END lines close both; without enough END lines the outer card is
    given as one that is not closed, and the inner one as a card of its own.
    """
    newline = file.newline.encode()
    boundary = _BOUNDARY if newline == b"\n" else _BOUNDARY_CR
    data, position, line = file.data, 0, 1
    first = _FIRST.match(data) if boundary is _BOUNDARY else None
    found = ([first] if first else []) + list(boundary.finditer(data))
    marks = [(match.start(1), match.end(), match[1][0] in b"Bb") for match in found]
    for start, end, closed in _spans(len(data), marks):
        if start > position:
            yield _block(file, position, start, line, card=False)
            line += data.count(newline, position, start)
        stop = data.find(newline, end) + 1 or len(data) if closed else end
        yield _block(file, start, stop, line, card=True, closed=closed)
        line += data.count(newline, start, stop)
        position = stop
    if position < len(data):
        yield _block(file, position, len(data), line, card=False)


def _block(file: FileText, start: int, stop: int, line: int, *, card: bool, closed: bool = True) -> Block:
    size = stop - start
    return Block(file.text(start, size) if size <= STRETCH_MAX else "", line, card, closed, start, size)


def _spans(length: int, marks: list[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
    """(start, end, closed) of the outermost cards, in file order."""
    closing: dict[int, int] = {}
    stack: list[int] = []
    for index, (_, _, begins) in enumerate(marks):
        if begins:
            stack.append(index)
        elif stack:
            closing[stack.pop()] = index
    index = 0
    while index < len(marks):
        start, _, begins = marks[index]
        if not begins:
            index += 1
        elif index in closing:
            yield start, marks[closing[index]][1], True
            index = closing[index] + 1
        else:
            yield start, marks[index + 1][0] if index + 1 < len(marks) else length, False
            index += 1


def card_lines(block: str, newline: str) -> tuple[str, list[tuple[str, str]]]:
    """The line end that the card uses and its logical lines as (raw text with folds, line end), joined to the block."""
    if newline == "\r":
        eol, physical = "\r", [(part, "\r") for part in block.split("\r")]
    elif (feeds := block.count("\n")) == block.count("\r\n") and "\r" not in block.replace("\r\n", ""):
        eol, physical = "\r\n" if feeds else "\n", [(part, "\r\n") for part in block.split("\r\n")]
    elif "\r" not in block:
        eol, physical = "\n", [(part, "\n") for part in block.split("\n")]
    else:
        eol, physical = _mixed(block)
    if physical[-1][0]:
        physical[-1] = (physical[-1][0], "")
    else:
        physical.pop()
    upper = block.upper()
    if (
        upper.find("BEGIN", 5) < 0
        and not any(mark in upper for mark in ("\n ", "\n\t", "\r ", "\r\t", "=\r", "=\n", "BASE64", "ENCODING=B"))
    ):
        return eol, physical  # Nothing here can span lines.
    return eol, _logical(physical)


def _mixed(block: str) -> tuple[str, list[tuple[str, str]]]:
    *parts, last = block.split("\n")
    physical = []
    for part in parts:
        bare = part.rstrip("\r")
        physical.append((bare, part[len(bare) :] + "\n"))
    returns = sum(end == "\r\n" for _, end in physical)
    eol = "\r\n" if physical and returns * 2 >= len(physical) else "\n"
    return eol, [*physical, (last, "")]


def _logical(physical: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Physical lines joined where folds, soft breaks, base64 blocks or nested cards hold them together."""
    out: list[tuple[str, str]] = []
    parts: list[str] = []
    pending, soft, quoted, base64, depth = "", False, False, False, 0
    for text, eol in physical:
        first = text[:1]
        if first in _BLANKS and parts and not depth:  # Most lines of a file with photos.
            parts += (pending, text)
            soft = quoted and text.endswith("=")
            pending = eol
            continue
        if first in _MARK_INITIALS and (depth or parts) and (mark := _MARK.match(text)):
            begins = mark[1][0] in "Bb"
            joined = depth > 0 or (begins and parts[0].upper().rstrip(" :").endswith("AGENT"))
            depth += 1 if begins else -1 if depth else 0
        else:
            joined = bool(parts) and (
                depth > 0 or soft or (base64 and _continues_base64(text))
            )
        if joined:
            parts += (pending, text)
            base64 = base64 and text != ""
        else:
            if parts:
                out.append(("".join(parts), pending))
            parts = [text]
            head = text.partition(":")[0].upper() if ";" in text else ""
            quoted = "QUOTED-PRINTABLE" in head
            base64 = "BASE64" in head or "ENCODING=B" in head
        soft = quoted and text.endswith("=")
        pending = eol
    if parts:
        out.append(("".join(parts), pending))
    return out


def _continues_base64(text: str) -> bool:
    """Whether a line that is not indented still belongs to a base64 block: the blank line that ends it does, too."""
    return text == "" or _BASE64.match(text) is not None


def unfold(raw: str, version: str) -> str:
    """A logical line without its folds; in 2.1 the white space of a fold is part of the value."""
    if "\n" not in raw and "\r" not in raw:
        return raw
    head = raw.partition(":")[0].upper()
    if "QUOTED-PRINTABLE" in head:
        raw = _SOFT.sub("", raw)
    if version == "2.1" and "BASE64" not in head and "ENCODING=B" not in head:
        return _FOLD21.sub("", raw) if raw.upper().lstrip()[:5] != "AGENT" else raw
    for fold in ("\r\n ", "\n "):
        text = raw.replace(fold, "")
        if "\n" not in text and "\r" not in text:
            return text
    return _FOLD.sub("", raw)
