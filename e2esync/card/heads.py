"""Content lines to heads and values, and the style that heads betray (SPEC 7).

Invariants: a head is parsed once for each distinct text of a file; what is no content line is None, never an error;
all texts of a head are valid Unicode, whatever the bytes of the file.
"""

from __future__ import annotations

import re
from typing import Final

from .lexer import unfold
from .text import clean
from .types import V40, Head, Line, Style

_NAME: Final = re.compile(r"[A-Za-z0-9_\-/ .]+\Z")
_CARET: Final = re.compile(r"\^([n^'])")
_CARETS: Final = {"n": "\n", "^": "^", "'": '"'}
HEADS_KEPT: Final = 4096
_QUOTE_OR_COLON: Final = re.compile('[":]')
_QUOTE_OR_SEMICOLON: Final = re.compile('[";]')


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
    elif key == "ALTID":
        head.altid = value
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
