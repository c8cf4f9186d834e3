"""JSContact as JSON (SPEC 7; RFC 9553): arrays of cards or single cards, strict, in and out.

Invariants: duplicate names, NaN, infinities and invalid Unicode are refused; a card that is refused does not take
the others of its file along; inline media leave the card on reading and come back on writing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from ..errors import BadCard
from .digests import base_digest, derive_uid, encode_json, media_digest
from .layout import Layout
from .model import check_card
from .origin import UID_DERIVED, UID_FIRST, decode_origin, encode_origin, slots_of
from .registers import PROPS, assemble, flatten
from .types import FOREIGN_BIT, ORIGIN, V40, Registers, Style, Value
from .vcard import ReadCard, Unreadable, VCardFile

_DATA_URI: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*);base64,", re.I)
NESTING_MAX: Final = 64


def parse_json(data: bytes | str) -> Value:
    """The value of a strict JSON text. Raises BadCard."""
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadCard("this is not strict JSON: " + _reason(error), "check the file, or import it as vCard") from None


class Items:
    """The elements of a JSON file on their way to cards, refused ones, and the layout that gives the file back."""

    def __init__(self, kind: str, many: bool) -> None:
        self._kind, self._many = kind, many
        self._cards: list[ReadCard] = []
        self._refused: list[Unreadable] = []
        self._items: list[tuple[str, int] | bytes] = []
        self._seen: dict[str, int] = {}
        self._copies: dict[str, tuple[str, int]] = {}

    def take(self, item: Value, read_item: Callable[[Value], ReadCard]) -> None:
        """Read one element: a card, a copy of one that was there before, another one with its uid, or none at all."""
        try:
            card = read_item(item)
        except BadCard as error:
            raw = json.dumps(item, ensure_ascii=True).encode("ascii")
            self._refused.append(Unreadable(raw, len(self._items) + 1, error.message))
            self._items.append(raw)
            return
        text = encode_json(item)
        if text in self._copies:
            self._items.append(self._copies[text])
            return
        ordinal = self._seen.get(card.uid, 0)
        if ordinal:
            notice = "another card of this file has the same uid; both are kept"
            card = replace(card, ordinal=ordinal, notices=(*card.notices, notice))
        self._seen[card.uid] = ordinal + 1
        self._copies[text] = (card.uid, ordinal)
        self._cards.append(card)
        self._items.append((card.uid, ordinal))

    def result(self) -> VCardFile:
        """What was read."""
        items = [b"[", *self._items, b"]"] if self._many else self._items
        return VCardFile(self._cards, self._refused, Layout("utf-8", False, tuple(items), self._kind))


def read(data: bytes | str, *, salt: bytes) -> VCardFile:
    """Cards of a JSON array, or the one of a JSON object; ``BadCard`` where the text is no strict JSON at all."""
    value = parse_json(data)
    items = Items("jscontact", isinstance(value, list))
    for item in value if isinstance(value, list) else [value]:
        items.take(item, lambda card: _card(card, salt))
    return items.result()


def _card(item: Value, salt: bytes) -> ReadCard:
    if not isinstance(item, dict):
        raise BadCard("a card is an object")
    media: dict[str, bytes] = {}
    item = {name: value for name, value in item.items() if name != "origin"}
    untyped: list[str] = []
    for prop in ("media", "cryptoKeys"):
        if isinstance(item.get(prop), dict):
            taken = {key: _take_inline(entry, salt, media) for key, entry in item[prop].items()}
            untyped += [f"{prop}/{key}" for key, entry in taken.items()
                        if entry is not item[prop][key] and "mediaType" in entry and "mediaType" not in item[prop][key]]
            item[prop] = taken
    check_card(item)
    registers = flatten(item)
    place = UID_FIRST if registers.get("uid") else UID_DERIVED
    if not place:
        registers["uid"] = derive_uid(salt, [encode_json(registers)])
    # The uid is the first slot, whatever the order of the members was: JSON does not know one.
    registers = {"uid": registers["uid"], **registers}
    registers[ORIGIN] = _origin(item, registers, place, untyped)
    return ReadCard(registers["uid"], 0, registers, media)


def _origin(item: dict[str, Value], registers: Registers, place: int, untyped: list[str]) -> list[Value]:
    """The origin record of a JSContact card; its ops: [members that it lacked, members that are no registers, media
    entries without a type of their own], where it had any of these."""
    lacking = [name for name in ("@type", "version") if name not in item]
    implied = {name: item[name] for name in ("version", "updated") if name in item and item[name] != "1.0"}
    base = [base_digest(path, value) for path, value in registers.items() if path != "uid"]
    style = Style.number(V40, "\n", ()) | FOREIGN_BIT
    ops: list[Value] | None = [lacking, implied, untyped] if lacking or implied or untyped else None
    return encode_origin(style, place, base, ops)


def _take_inline(entry: Value, salt: bytes, media: dict[str, bytes]) -> Value:
    """An entry whose inline bytes went into ``media``; the same entry where writing would not give its URI back."""
    uri = entry.get("uri") if isinstance(entry, dict) else None
    match = _DATA_URI.match(uri) if isinstance(uri, str) else None
    if match is None or uri is None:
        return entry
    try:
        data = binascii.a2b_base64(uri[match.end() :].encode("ascii"), strict_mode=True)
    except ValueError:
        return entry
    digest = media_digest(salt, data)
    rest = {name: value for name, value in entry.items() if name != "uri"}
    if match[1]:
        rest.setdefault("mediaType", match[1])
    taken = {**rest, "digest": digest, "size": len(data)}
    if _give_inline(taken, lambda _: data).get("uri") != uri:
        return entry
    media[digest] = data
    return taken


def write(cards: Iterable[Registers], *, media: Callable[[str], bytes | None], indent: int | None = 2) -> str:
    """A JSON array of the cards of these registers, inline media as data URIs where their bytes are here."""
    return json.dumps([to_json(card, media) for card in cards], ensure_ascii=False, indent=indent) + "\n"


def to_json(registers: Registers, media: Callable[[str], bytes | None]) -> dict[str, Value]:
    """The JSContact card of these registers with its inline media."""
    card = assemble(registers)
    for prop in ("media", "cryptoKeys"):
        if isinstance(card.get(prop), dict):
            card[prop] = {key: _give_inline(entry, media) for key, entry in card[prop].items()}
    return card


def _give_inline(entry: Value, media: Callable[[str], bytes | None]) -> Value:
    digest = entry.get("digest") if isinstance(entry, dict) else None
    data = media(digest) if isinstance(digest, str) else None
    if data is None:
        return entry
    rest = {name: value for name, value in entry.items() if name not in ("digest", "size")}
    uri = f"data:{entry.get('mediaType', '')};base64,{base64.b64encode(data).decode('ascii')}"
    return {**rest, "uri": uri}


def restore(registers: Registers, media: Callable[[str], bytes | None]) -> str:
    """The card as it was imported, but for what was edited since, as JSON."""
    card, origin = to_json(registers, media), decode_origin(registers.get(ORIGIN))
    if origin is None or not origin.style.foreign:
        return json.dumps(card, ensure_ascii=False)
    slots, rest = slots_of(origin, registers)
    props = [registers[path] for path in (*slots, *rest) if path and path.startswith(f"{PROPS}/")]
    if props:
        card[PROPS] = props
    if origin.uid_place == UID_DERIVED:
        card.pop("uid", None)
    ops = origin.ops
    if ops is not None and [type(op) for op in ops] == [list, dict, list]:
        for name in ops[0]:
            card.pop(str(name), None)
        touched = bool(rest) or None in slots
        # A time of the last change would lie after an edit.
        card |= {name: value for name, value in ops[1].items() if name == "version" or not touched}
        for path in ops[2]:
            prop, _, key = str(path).partition("/")
            entry = card.get(prop, {}).get(key, {})
            if isinstance(entry, dict) and path in slots:
                entry.pop("mediaType", None)
    return json.dumps(card, ensure_ascii=False)


def _unique(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _reason(error: Exception) -> str:
    """The parser's words without the text around the place."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}"
    return "a text is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
