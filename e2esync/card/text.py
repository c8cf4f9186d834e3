"""Text codecs of vCard (SPEC 7): escapes, quoted-printable, charsets, folding.

Invariants: every function is linear in its input; decoding never raises, whatever the bytes; what an encoder
writes holds no line feed but its own folds, so a value can never become another property (attack A51).
A file is held as ``str`` decoded with ``surrogateescape``: undecodable bytes are lone surrogates and come back
as the same bytes.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

_ESCAPE: Final = re.compile(r"\\([\\,;nN])")
_SEMICOLON: Final = re.compile(r"((?:[^\\;]|\\.)*)(?:;|\Z)", re.S)
_COMMA: Final = re.compile(r"((?:[^\\,]|\\.)*)(?:,|\Z)", re.S)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
# Real charsets only: Python also knows codecs such as punycode, which are neither and take quadratic time.
_CHARSET: Final = re.compile(
    r"(?:utf-?(?:8|16)|iso|windows|cp|shift|s-?jis|euc|gb|big5|koi8|latin|mac|us-ascii|ascii|tis)[\w-]{0,20}",
    re.I | re.A,
)
_ESCAPES: Final = {"n": "\n", "N": "\n", "\\": "\\", ",": ",", ";": ";"}


def to_bytes(text: str) -> bytes:
    """The bytes of file text: the inverse of decoding a file."""
    return text.encode("utf-8", "surrogateescape")


def unescape(text: str) -> str:
    r"""The text of a 3.0 or 4.0 value: ``\n \N \, \; \\`` are undone, any other backslash stays."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: _ESCAPES[match[1]], text)


def unescape21(text: str) -> str:
    r"""The text of a 2.1 value, where a backslash is a backslash except in ``\;``."""
    return text.replace("\\;", ";") if "\\" in text else text


def escape(text: str) -> str:
    """A text as a 3.0 or 4.0 value; carriage returns become newlines, other controls are dropped."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "," in text:
        text = text.replace(",", "\\,")
    if ";" in text:
        text = text.replace(";", "\\;")
    if text.isprintable():
        return text
    return plain(text).replace("\n", "\\n")


def escape21(text: str) -> str:
    """A text as one component of a 2.1 value; newlines are left for quoted-printable."""
    if ";" in text:
        text = text.replace(";", "\\;")
    if text.endswith("\\"):
        # A 2.1 reader takes a backslash before the next separator for an escape, and knows no other escape.
        text += " "
    return text


def plain(text: str) -> str:
    """The text with one kind of line end and without control characters, which vCard cannot carry."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text)


def split(text: str, separator: str, *, backslash: bool = True) -> list[str]:
    r"""The still escaped parts of a value between unescaped separators (``;`` or ``,``)."""
    if "\\" not in text or not backslash:
        return text.split(separator)
    pattern = _SEMICOLON if separator == ";" else _COMMA
    parts: list[str] = []
    position = 0
    while True:
        match = pattern.match(text, position)
        if match is None:  # A backslash at the very end escapes nothing.
            parts.append(text[position:])
            return parts
        parts.append(match[1])
        position = match.end()
        if position >= len(text):
            if text[match.end(1) : position] == separator:
                parts.append("")
            return parts


def split21(text: str) -> list[str]:
    r"""The components of a 2.1 value, decoded: only ``\;`` does not separate."""
    if "\\;" not in text:
        return text.split(";")
    return [part.replace("\0", ";") for part in text.replace("\0", "").replace("\\;", "\0").split(";")]


def has_surrogates(text: str) -> bool:
    """Whether the text stands for bytes that are no UTF-8."""
    return not text.isascii() and _SURROGATES.search(text) is not None


def decode(data: bytes, charset: str) -> str:
    """The text of bytes in a charset of any name; a wrong or unknown one falls back to UTF-8, then Windows-1252."""
    names = ["utf-8", "cp1252"]
    if _CHARSET.fullmatch(charset):
        names.insert(0, charset)
    for name in names:
        try:
            return data.decode(name)
        except (UnicodeError, LookupError):
            continue
    return data.decode("latin-1")


def clean(text: str) -> str:
    """Text of a file, where its charset is not declared, made valid Unicode."""
    return decode(to_bytes(text), "") if has_surrogates(text) else text


def unquote_printable(text: str) -> bytes:
    """The bytes of a quoted-printable value (folds already joined); stray ``=`` stay as they are."""
    return binascii.a2b_qp(to_bytes(text))


def quote_printable(text: str, head_length: int, eol: str, width: int = 75) -> str:
    """A text as quoted-printable with soft breaks, after a head of ``head_length`` octets."""
    out: list[str] = []
    room = width - head_length
    for byte in text.replace("\n", "\r\n").encode("utf-8", "surrogateescape"):
        token = chr(byte) if 32 <= byte < 127 and byte != 61 else f"={byte:02X}"
        if room < len(token) + 1:
            out.append("=" + eol)
            room = width
        out.append(token)
        room -= len(token)
    return "".join(out)


def fold(line: str, eol: str) -> str:
    """A content line folded at 75 octets, never inside a character."""
    if len(line) <= 75 and line.isascii():
        return line
    if line.isascii():
        parts = [line[:75]]
        parts.extend(line[start : start + 74] for start in range(75, len(line), 74))
        return (eol + " ").join(parts)
    return _fold_octets(line, eol)


def _fold_octets(line: str, eol: str) -> str:
    data = to_bytes(line)
    parts: list[str] = []
    start, room = 0, 75
    while len(data) - start > room:
        end = start + room
        while end > start and data[end] & 0xC0 == 0x80:
            end -= 1
        end = end if end > start else start + room
        parts.append(data[start:end].decode("utf-8", "surrogateescape"))
        start, room = end, 74
    parts.append(data[start:].decode("utf-8", "surrogateescape"))
    return (eol + " ").join(parts)
