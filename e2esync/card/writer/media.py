"""Media to lines: URIs as they are, inline bytes as base64 in the form of the version."""

from __future__ import annotations

import binascii

from ..tables import MEDIA_WORDS
from ..text import fold
from ..types import V21, V30, V40, Entry, Style
from .target import Params, Target

NAMES = {"photo": "PHOTO", "logo": "LOGO", "sound": "SOUND"}


def write_media(target: Target, path: str, entry: Entry) -> list[str] | None:
    """PHOTO, LOGO, SOUND or KEY; without the bytes there is nothing to write but what is known of them."""
    name = "KEY" if path.startswith("cryptoKeys/") else NAMES.get(str(entry.get("kind", "")))
    if name is None:
        return None
    digest = entry.get("digest")
    if isinstance(digest, str):
        data = target.media(digest)
        return [] if data is None else [media_line(media_head(target, name, entry), data, target.style)]
    uri = str(entry.get("uri", "")).replace("\r", "").replace("\n", "")
    if not uri:
        return None
    params = target.params(entry)
    if target.version != V40:
        params.insert(0, ("VALUE", "URL" if target.version == V21 else "uri"))
    elif entry.get("mediaType"):
        params.append(("MEDIATYPE", str(entry["mediaType"])))
    return target.labelled(entry, lambda group: target.line(name, params, uri, group))


def media_head(target: Target, name: str, entry: Entry) -> str:
    """The head of an inline property with its colon, and in 4.0 the start of the data URI."""
    media_type = str(entry.get("mediaType", ""))
    params: Params = target.params(entry)
    group = ""
    unknown = entry.get("vCardParams")
    if isinstance(unknown, dict) and "group" in unknown:
        group = str(unknown["group"])
    if target.version == V40:
        return f"{target.head(name, params, group)}:data:{media_type};base64,"
    params.insert(0, ("ENCODING", "BASE64" if target.version == V21 else "b"))
    if media_type:
        params.insert(1, ("TYPE", MEDIA_WORDS.get(media_type, media_type)))
    return target.head(name, params, group) + ":"


def media_line(head: str, data: bytes, style: Style) -> str:
    """The whole line: folded, and in 2.1 closed by an empty line."""
    encoded = binascii.b2a_base64(data, newline=False).decode("ascii")
    if style.version == V21:
        return wrap(head, encoded, (0, 74, " ", style.eol), style.eol)
    return fold(head + encoded, style.eol) if style.version in (V30, V40) else head + encoded


def wrap(head: str, encoded: str, form: tuple[int, int, str, str], eol: str) -> str:
    """Base64 laid out as ``form`` says: length of the first line, of the others, their indent, and what ends it."""
    first, width, indent, tail = form
    parts = [head + encoded[:first]]
    step = max(width, 1)
    parts.extend(indent + encoded[start : start + step] for start in range(first, len(encoded), step))
    return eol.join(parts) + tail
