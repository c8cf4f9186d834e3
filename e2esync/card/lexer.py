"""Bytes of a .vcf file into cards of content lines (SPEC "Card"): encodings, line ends, folds, nesting.

Invariants: nothing is lost: the raw text of the lines and their ends, joined, is the text of the card; a line ends
at CRLF or LF only (at CR in files that have no LF), so no other character can start a property (attack A51);
the time is linear in the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .text import clean
from .types import V40, Head, Line, Style

_BOUNDARY: Final = re.compile(r"^(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*\r*$", re.I | re.M)
_BOUNDARY_CR: Final = re.compile(r"(?:(?<=\r)|\A)(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*(?=\r|\Z)", re.I)
_MARK: Final = re.compile(r"(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*\Z", re.I)
_MARK_INITIALS: Final = frozenset("BbEe")
_BLANKS: Final = frozenset(" \t")
_SOFT: Final = re.compile(r"=[ \t]*[\r\n]+")
_FOLD: Final = re.compile(r"[\r\n]+[ \t]?")
_FOLD21: Final = re.compile(r"[\r\n]+(?=[ \t])")
_QUOTE_OR_COLON: Final = re.compile('[":]')
_QUOTE_OR_SEMICOLON: Final = re.compile('[";]')
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]+[ \t]*\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9_\-/ .]+\Z")
_CARET: Final = re.compile(r"\^([n^'])")
_CARETS: Final = {"n": "\n", "^": "^", "'": '"'}
HEADS_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class FileText:
    """A file as text: its encoding and byte order mark, and the line end that all of it uses, or LF."""

    text: str
    encoding: str
    bom: bool
    newline: str


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the file: the text of one card (from BEGIN to END, whole lines), or of what is between cards."""

    text: str
    line: int
    card: bool
    closed: bool = True


def decode_file(data: bytes) -> FileText:
    """The text of a file: UTF-8, or UTF-16 with or without a byte order mark; encoding it again gives ``data``."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark) and (text := _utf16(data[2:], encoding)) is not None:
            return FileText(text, encoding, True, _newline(text))
    for pattern, encoding in ((b"B\0E\0", "utf-16-le"), (b"\0B\0E", "utf-16-be")):
        if data[:4].upper() == pattern and (text := _utf16(data, encoding)) is not None:
            return FileText(text, encoding, False, _newline(text))
    bom = data.startswith(b"\xef\xbb\xbf")
    text = data[3 if bom else 0 :].decode("utf-8", "surrogateescape")
    return FileText(text, "utf-8", bom, _newline(text))


def encode_file(text: str, encoding: str, bom: bool) -> bytes:
    """The inverse of ``decode_file``."""
    if encoding == "utf-8":
        return (b"\xef\xbb\xbf" if bom else b"") + text.encode("utf-8", "surrogateescape")
    return ("\ufeff" * bom + text).encode(encoding, "surrogatepass")


def _utf16(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if text.encode(encoding) == data else None


def _newline(text: str) -> str:
    return "\r" if "\n" not in text and "\r" in text else "\n"


def blocks(file: FileText) -> Iterator[Block]:
    """The stretches of a file in order: joined they are its text.

    A BEGIN inside a card opens a nested card when END lines close both; without enough END lines the outer card is
    given as one that is not closed, and the inner one as a card of its own.
    """
    newline = file.newline
    boundary = _BOUNDARY if newline == "\n" else _BOUNDARY_CR
    text, position, line = file.text, 0, 1
    for start, end, closed in _spans(text, [(m.start(), m.end(), m[1][0] in "Bb") for m in boundary.finditer(text)]):
        if start > position:
            yield Block(text[position:start], line, card=False)
            line += text.count(newline, position, start)
        stop = text.find(newline, end) + 1 or len(text) if closed else end
        yield Block(text[start:stop], line, card=True, closed=closed)
        line += text.count(newline, start, stop)
        position = stop
    if position < len(text):
        yield Block(text[position:], line, card=False)


def _spans(text: str, marks: list[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
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
            yield start, marks[index + 1][0] if index + 1 < len(marks) else len(text), False
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
        if first in _MARK_INITIALS and (depth or parts) and (mark := _MARK.match(text)):
            begins = mark[1][0] in "Bb"
            joined = depth > 0 or (begins and parts[0].upper().rstrip(" :").endswith("AGENT"))
            depth += 1 if begins else -1 if depth else 0
        else:
            joined = bool(parts) and (
                depth > 0 or soft or first in _BLANKS or (base64 and _continues_base64(text))
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
    return _FOLD.sub("", raw)


def parse_line(raw: str, eol: str, version: str, heads: dict[str, Head]) -> Line | None:
    """The content line, or None where there is no colon or no property name."""
    text = raw if raw.isprintable() else unfold(raw, version)
    head_text, colon, value = text.partition(":")
    if '"' in head_text or (not colon and '"' in text):
        head_text, colon, value = _quoted_head(text)
    if not colon:
        return None
    head = heads.get(head_text)
    if head is None:
        head = parse_head(head_text)
        if head is None:
            return None
        if len(heads) < HEADS_KEPT and len(head_text) < 200:
            heads[head_text] = head
    return Line(head, value, raw, eol)


def _quoted_head(text: str) -> tuple[str, str, str]:
    position, quoted = 0, False
    for match in _QUOTE_OR_COLON.finditer(text):
        if match[0] == '"':
            quoted = not quoted
        elif not quoted:
            position = match.start()
            return text[:position], ":", text[position + 1 :]
    return text.partition(":")  # The quotes do not pair up: the first colon ends the head after all.


def parse_head(text: str) -> Head | None:
    """Group, name and parameters of a head, or None without a usable property name."""
    name, *rest = _head_parts(text)
    group, dot, bare = name.rpartition(".")
    name = (bare if dot else name).strip().upper()
    if not name or _NAME.match(name) is None or not group.isascii():
        return None
    head = Head(text, group, name, [])
    for part in rest:
        key, equals, value = part.partition("=")
        key = clean(key.strip().upper())
        if equals:
            _add_param(head, key, _unquote(value))
        elif key:
            _add_bare(head, clean(key), clean(part.strip()))
    head.traits = _traits(head)
    return head


def _traits(head: Head) -> int:
    """What the head shows of its writer's style, as the bits of ``Trait``."""
    bits, named = 0, 1 if ";type=" in head.text else 2
    for key, value in head.params:
        if key == "TYPE":
            bits |= named
            bits |= (4 if value.islower() else 8) if value.isalpha() and value != "pref" else 0
            bits |= 16 if "," in value else 0
            if head.name == "EMAIL":
                bits |= 32 if "internet" in value.lower() else 0
        elif key == "X-APPLE-OMIT-YEAR":
            bits |= 64
    low = head.text.lower()
    return bits | (128 if re.search(r"[;=]pref[,;]", low) else 0)


def guess_style(lines: list[Line | None], version: str, eol: str) -> int:
    """The number of the style in which most of a card is probably written."""
    bits, name_at, full_at, basic, long = 0, 0, 0, False, False
    for index, line in enumerate(lines):
        if line is None:
            continue
        head = line.head
        bits |= head.traits
        if head.name == "N":
            name_at = name_at or index
        elif head.name == "FN":
            full_at = full_at or index
        elif head.name in ("BDAY", "ANNIVERSARY") and line.value[:8].isdigit():
            basic = True
        if len(line.raw) > 75 and not long:
            long = line.raw.isprintable()
    flags = (
        bits & 3 == 1,  # type_lower
        bits & 12 == 4 or (not bits & 12 and version == V40),  # value_lower
        bits & 16 > 0,  # joined
        0 < name_at < full_at,  # name_first
        long,  # unfolded
        bits & 32 > 0,  # internet
        basic,  # basic_dates
        bits & 64 > 0,  # omit_year
        bits & 128 > 0,  # pref_first
    )
    return Style.number(version, eol, flags)


def _head_parts(text: str) -> list[str]:
    if '"' not in text:
        return text.split(";")
    parts, start, quoted = [], 0, False
    for match in _QUOTE_OR_SEMICOLON.finditer(text):
        if match[0] == '"':
            quoted = not quoted
        elif not quoted:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _unquote(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
        value = value[1:-1]
    value = clean(value)
    return _CARET.sub(lambda match: _CARETS[match[1]], value) if "^" in value else value


def _add_param(head: Head, key: str, value: str) -> None:
    if key == "TYPE":
        for kind in value.replace('"', "").split(","):
            if kind.strip().upper() == "PREF":
                head.pref = head.pref or 1
            elif kind.strip():
                head.types.append(kind.strip())
    elif key == "ENCODING":
        head.encoding = {"QUOTED-PRINTABLE": "Q", "BASE64": "B", "B": "B"}.get(value.upper(), head.encoding)
    elif key == "CHARSET":
        head.charset = value
    elif key == "PROP-ID":
        head.prop_id = value
    elif key == "PREF" and value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= 100:
        head.pref = int(value)
    head.params.append((key, value))


def _add_bare(head: Head, key: str, value: str) -> None:
    """A 2.1 parameter without a name: an encoding, the preference, or a type."""
    if key in ("QUOTED-PRINTABLE", "BASE64"):
        head.encoding = key[0]
        head.params.append(("ENCODING", value))
    elif key in ("8BIT", "7BIT", "INLINE"):
        head.params.append(("ENCODING", value))
    elif key == "PREF":
        head.pref = head.pref or 1
        head.params.append(("TYPE", value))
    else:
        head.types.append(value)
        head.params.append(("TYPE", value))
