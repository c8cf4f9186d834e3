"""jCard in and out (RFC 7095): vCard 4.0 as JSON, read by way of its content lines.

Each property becomes the content line that says the same, and is read as any line is; where the line would not give
the property back, the property itself, as JSON, is the line's raw text. So a jCard comes back equal as JSON, and after
an edit only the edited property differs.

Invariants: hostile JSON raises ``BadCard`` or is refused card by card; no value, name or parameter can become another
property (attack A51); linear time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from ..errors import BadCard
from .digests import encode_json
from .export import default_style, restored, write_card
from .heads import guess_style, parse_line
from .jscontact import Items, parse_json
from .text import escape, plain, split, unescape
from .types import JCARD_BIT, V40, Head, Line, Registers, Value
from .values import check_value
from .vcard import ReadCard, VCardFile, card_of
from .writer.target import MediaSource, quoted

_EOL: Final = "\n"
_NAME: Final = re.compile(r"[A-Za-z0-9_/ .-]{1,200}", re.A)
_DATES: Final = ("date", "time", "date-time", "date-and-or-time", "timestamp")
_KINDS: Final = {
    **dict.fromkeys(("bday", "anniversary", "deathdate"), "date-and-or-time"),
    **dict.fromkeys(("rev", "created"), "timestamp"),
    **dict.fromkeys((
        "source", "photo", "impp", "geo", "logo", "member", "sound", "url", "fburl", "caladruri", "caluri", "key",
        "related", "contact-uri", "org-directory", "socialprofile",
    ), "uri"),
    **dict.fromkeys(("lang", "language"), "language-tag"),
    **dict.fromkeys((
        "adr", "birthplace", "categories", "clientpidmap", "deathplace", "email", "expertise", "fn", "gender",
        "grammgender", "hobby", "interest", "jsprop", "kind", "n", "nickname", "note", "org", "prodid", "pronouns",
        "role", "tel", "title", "tz", "uid", "version", "xml",
    ), "text"),
}
"""The type of each property's value where no VALUE parameter says it; "unknown" for all others (RFC 7095 5.1)."""
_STRUCTURED: Final = {"n": True, "adr": True, "org": False, "gender": False, "clientpidmap": True}
"""Properties of components; whether one component alone is an array, too."""
_LISTS: Final = ("nickname", "categories")
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?=T|\Z)", re.A)
_DAY: Final = re.compile(r"--(\d\d)(\d\d)(?=T|\Z)", re.A)
_TIME: Final = re.compile(r"T(\d\d)(\d\d)(\d\d)?", re.A)


def read(data: bytes | str, *, salt: bytes) -> VCardFile:
    """The jCard, or the array of them, of a JSON text; ``BadCard`` where it is no strict JSON at all."""
    value = parse_json(data)
    many = not (isinstance(value, list) and value[:1] == ["vcard"])
    heads: dict[str, Head] = {}
    items = Items("jcard", many)
    for item in value if many and isinstance(value, list) else [value]:
        items.take(item, lambda card: _read_card(card, salt, heads))
    return items.result()


def _read_card(card: Value, salt: bytes, heads: dict[str, Head]) -> ReadCard:
    if not isinstance(card, list) or len(card) < 2 or card[0] != "vcard" or not isinstance(card[1], list):
        raise BadCard("a jCard is an array of \"vcard\" and an array of properties")
    check_value(card)
    texts, lines = [("BEGIN:VCARD", _EOL)], [parse_line("BEGIN:VCARD", _EOL, V40, heads)]
    for prop in card[1]:
        line = _line(prop, heads)
        lines.append(line)
        texts.append((line.raw, _EOL))
    if len(card) > 2:
        texts.append((encode_json(card[2:]), _EOL))
        lines.append(None)
    texts.append(("END:VCARD", _EOL))
    lines.append(parse_line("END:VCARD", _EOL, V40, heads))
    return card_of(lines, texts, guess_style(lines, V40, _EOL) | JCARD_BIT, salt)


def _line(prop: Value, heads: dict[str, Head]) -> Line:
    """A property as a content line."""
    if not isinstance(prop, list) or len(prop) < 4 or not isinstance(prop[1], dict):
        raise BadCard("a property of a jCard is an array of name, parameters, type and value")
    name, params, kind = prop[0], prop[1], prop[2]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in ("begin", "end"):
        raise BadCard("the name of a jCard property is not letters, digits and hyphens")
    head = name.upper()
    if isinstance(group := params.get("group"), str) and _NAME.fullmatch(group):
        head = f"{group}.{head}"
    for key, values in params.items():
        if not _NAME.fullmatch(key):
            raise BadCard("the name of a jCard parameter is not letters, digits and hyphens")
        for value in values if isinstance(values, list) else [values]:
            if key != "group":
                head += f";{key.upper()}={quoted(value if isinstance(value, str) else encode_json(value))}"
    if not isinstance(kind, str) or not _NAME.fullmatch(kind):
        raise BadCard("the type of a jCard value is not letters, digits and hyphens")
    if kind != _KINDS.get(name.lower(), "unknown"):
        head += f";VALUE={kind}"
    text = f"{head}:{_value_text(kind, prop[3:])}"
    line = parse_line(text, _EOL, V40, heads)
    if line is None:
        raise BadCard("a property of a jCard has no name")
    if to_property(line) != prop:
        line = Line(line.head, line.value, encode_json(prop), _EOL)
    return line


def _value_text(kind: str, values: list[Value]) -> str:
    texts = []
    for value in values:
        parts = value if isinstance(value, list) else [value]
        texts.append(";".join(
            ",".join(_scalar(kind, item) for item in (part if isinstance(part, list) else [part])) for part in parts
        ))
    return ",".join(texts)


def _scalar(kind: str, value: Value) -> str:
    if not isinstance(value, str):
        value = "" if value is None else encode_json(value)
    return escape(value) if kind == "text" else plain(value).replace("\n", "\\n")


def to_property(line: Line) -> list[Value]:
    """The jCard property of a 4.0 content line."""
    head, name = line.head, line.head.name.lower()
    lists: dict[str, list[str]] = {"group": [head.group]} if head.group else {}
    kind = _KINDS.get(name, "unknown")
    for key, value in head.params:
        if key == "VALUE":
            kind = value.lower()
        else:
            lists.setdefault(key.lower(), []).extend(value.split(",") if key == "TYPE" else [value])
    params: dict[str, Value] = {key: items[0] if len(items) == 1 else items for key, items in lists.items()}
    if name == "uid" and "value" not in params and kind == "text" and ":" in line.value and not head.param("VALUE"):
        kind = "uri"
    return [name, params, kind, *_values(name, kind, line.value)]


def _values(name: str, kind: str, text: str) -> list[Value]:
    if kind == "text":
        if name in _STRUCTURED:
            return [_structure(text, always=_STRUCTURED[name])]
        return [unescape(item) for item in split(text, ",")] if name in _LISTS else [unescape(text)]
    if kind in _DATES:
        return [_extended(text)]
    if kind in ("integer", "float", "boolean"):
        try:
            return [json.loads(text.lower())]
        except ValueError:
            return [text]
    return [text]


def _structure(text: str, *, always: bool) -> Value:
    parts: list[Value] = []
    for part in split(text, ";"):
        items = [unescape(item) for item in split(part, ",")]
        parts.append(items[0] if len(items) == 1 else items)
    return parts if always or len(parts) > 1 else parts[0]


def _extended(text: str) -> str:
    """A date in the spelling of RFC 7095: with hyphens and colons."""
    text = _DAY.sub(r"--\1-\2", _DATE.sub(r"\1-\2-\3", text, count=1), count=1)
    return _TIME.sub(lambda match: "T" + ":".join(part for part in match.groups() if part), text, count=1)


def write(cards: Iterable[Registers], *, media: MediaSource, indent: int | None = 2) -> str:
    """A JSON array of the jCards of these registers."""
    return json.dumps([to_jcard(card, media) for card in cards], ensure_ascii=False, indent=indent) + "\n"


def to_jcard(registers: Registers, media: MediaSource) -> list[Value]:
    """The jCard of these registers: what came as one and is untouched, as it came."""
    text = restored(registers, media)
    if text is None:
        text = write_card(registers, V40, media, default_style(V40, unfolded=True, eol=_EOL))
    return _from_text(text)


def restore(registers: Registers, media: MediaSource) -> str:
    """One jCard as JSON, for the file that it came in."""
    return json.dumps(to_jcard(registers, media), ensure_ascii=False)


def _from_text(text: str) -> list[Value]:
    properties: list[Value] = []
    rest: list[Value] = []
    heads: dict[str, Head] = {}
    for raw in text.split(_EOL):
        if raw[:1] == "[":
            # Raw text of the import: this device's own words, or a broken client's.
            value = _parse(raw)
            if value and isinstance(value[0], str):
                properties.append(value)
            else:
                rest = value
        elif raw[:6].upper() not in ("BEGIN:", "END:VC") and (line := parse_line(raw, _EOL, V40, heads)) is not None:
            properties.append(to_property(line))
    return ["vcard", properties, *rest]


def _parse(raw: str) -> list[Value]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else []
