"""Inline media and keys: PHOTO, LOGO, SOUND, KEY (SPEC 7).

Invariants: bytes are never decoded as what they claim to be, never re-encoded, and never fetched from a URI
(attack A53); inline bytes leave the card as ``{digest, size, mediaType}``; a URI stays a URI.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from ..digests import media_digest
from ..tables import MEDIA, MEDIA_TYPES
from ..text import to_bytes
from ..types import Entry, Line, Value
from ..writer.media import wrap
from .builder import Card

_DATA_URI: Final = re.compile(r"data:([A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+)?((?:;[^;,]*)*?);base64,", re.I | re.A)
MEDIA_MAX: Final = 16 << 20


def read_media(card: Card, line: Line) -> str | None:
    """PHOTO, LOGO, SOUND or KEY, inline in base64 or as a URI."""
    prop = "cryptoKeys" if line.head.name == "KEY" else "media"
    entry = card.members(line)
    entry.pop("label", None)
    if prop == "media":
        entry["kind"] = MEDIA[line.head.name]
    found = inline_bytes(line)
    if found is None:
        return _read_uri(card, line, prop, entry)
    data, media_type = found
    media_type = media_type or declared_type(line) or sniff_type(data)
    if not data or len(data) > MEDIA_MAX:
        return None
    digest = media_digest(card.salt, data)
    card.media[digest] = data
    entry |= {"digest": digest, "size": len(data)}
    if media_type:
        entry["mediaType"] = media_type
    _drop_params(entry)
    return card.add(prop, digest, entry, line)


def _read_uri(card: Card, line: Line, prop: str, entry: Entry) -> str | None:
    value = card.decoded(line).strip().replace("\\:", ":").replace("\\,", ",").replace("\\;", ";")
    kind = (line.head.param("VALUE") or "").upper()
    if line.head.encoding or not value or (kind not in ("URI", "URL") and ":" not in value) or kind == "TEXT":
        return None
    entry["uri"] = value
    media_type = line.head.param("MEDIATYPE") or declared_type(line)
    if media_type:
        entry["mediaType"] = media_type
    _drop_params(entry)
    return card.add(prop, f"{line.head.name}\0{value}", entry, line)


def _drop_params(entry: Entry) -> None:
    """Forget the parameters that ``mediaType`` and the form of the value say."""
    params = entry.get("vCardParams")
    if params is not None:
        for name in ("mediatype", "value", "type"):
            params.pop(name, None)
        if not params:
            del entry["vCardParams"]


def inline_bytes(line: Line) -> tuple[bytes, str] | None:
    """The inline bytes of a property and the media type that a data URI gives, or None where there are none."""
    value = line.value
    if line.head.encoding == "B":
        prefix, start = "", 0
        if value[:5].lower() == "data:" and (match := _DATA_URI.match(value)):
            prefix, start = (match[1] or "").lower(), match.end()
    elif value[:5].lower() == "data:" and (match := _DATA_URI.match(value.replace("\\", "", 4))):
        value = value.replace("\\", "", 4)
        prefix, start = (match[1] or "").lower(), match.end()
    else:
        return None
    try:
        return binascii.a2b_base64(to_bytes(value[start:])), prefix
    except binascii.Error:
        return None


def declared_type(line: Line) -> str:
    """The media type that a TYPE parameter names, as ``JPEG`` or ``image/jpeg``."""
    for kind in line.head.types:
        low = kind.lower()
        if low in MEDIA_TYPES:
            return MEDIA_TYPES[low]
        if "/" in low:
            return low
    return ""


def sniff_type(data: bytes) -> str:
    """The media type that the first bytes show, or "" (nothing more of the bytes is ever looked at)."""
    for magic, media_type in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF8", "image/gif"),
        (b"RIFF", "image/webp" if data[8:12] == b"WEBP" else "audio/wav"),
    ):
        if data.startswith(magic):
            return media_type
    return ""


def layout_of(line: Line, data: bytes, eol: str) -> list[Value] | None:
    """How base64 lies in a line: head, length of the first piece and of the others, indent, what ends it; or None.

    A sixth element is the line end between the pieces where it is not the card's.
    """
    raw = line.raw
    inner = eol if eol in raw or "\n" not in raw else "\n"
    encoded = binascii.b2a_base64(data, newline=False).decode("ascii")
    start = raw.find(":", len(line.head.text)) + 1
    if (comma := raw.find(";base64,", start)) >= 0:
        start = comma + 8
    piece, separator, tail = raw[start:].partition(inner)
    first = len(piece) if separator else len(encoded)
    second = tail.partition(inner)[0]
    indent = second[: len(second) - len(second.lstrip(" \t"))]
    width = max(len(second) - len(indent), 1)
    end = raw[raw.rfind(encoded[-1:]) + 1 :]
    if wrap(raw[:start], encoded, (first, width, indent, end), inner) != raw:
        return None
    layout: list[Value] = [to_bytes(raw[:start]), first, width, to_bytes(indent), to_bytes(end)]
    return layout if inner == eol else [*layout, to_bytes(inner)]
