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
from typing import Final

from ..errors import BadCard
from .digests import derive_uid, encode_json, media_digest
from .layout import Layout
from .model import check_card
from .registers import assemble, flatten
from .types import Registers, Value
from .vcard import ReadCard, Unreadable, VCardFile

_DATA_URI: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*);base64,", re.I)
NESTING_MAX: Final = 64


def read(data: bytes | str, *, salt: bytes) -> VCardFile:
    """Cards of a JSON array, or the one of a JSON object; ``BadCard`` where the text is no strict JSON at all."""
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadCard("this is not strict JSON: " + _reason(error), "check the file, or import it as vCard") from None
    cards: list[ReadCard] = []
    refused: list[Unreadable] = []
    seen: dict[str, int] = {}
    for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
        try:
            card = _card(item, salt)
        except BadCard as error:
            refused.append(Unreadable(_raw(item), number, error.message))
            continue
        ordinal = seen.get(card.uid, 0)
        seen[card.uid] = ordinal + 1
        cards.append(ReadCard(card.uid, ordinal, card.registers, card.media))
    items = tuple((card.uid, card.ordinal) for card in cards)
    return VCardFile(cards, refused, Layout("utf-8", False, items))


def _card(item: Value, salt: bytes) -> ReadCard:
    if not isinstance(item, dict):
        raise BadCard("a card is an object")
    media: dict[str, bytes] = {}
    item = {name: value for name, value in item.items() if name != "origin"}
    for prop in ("media", "cryptoKeys"):
        if isinstance(item.get(prop), dict):
            item[prop] = {key: _take_inline(entry, salt, media) for key, entry in item[prop].items()}
    check_card(item)
    registers = flatten(item)
    if not registers.get("uid"):
        registers["uid"] = derive_uid(salt, [encode_json(registers)])
    return ReadCard(registers["uid"], 0, registers, media)


def _take_inline(entry: Value, salt: bytes, media: dict[str, bytes]) -> Value:
    uri = entry.get("uri") if isinstance(entry, dict) else None
    match = _DATA_URI.match(uri) if isinstance(uri, str) else None
    if match is None or uri is None:
        return entry
    try:
        data = binascii.a2b_base64(uri[match.end() :].encode("ascii"), strict_mode=True)
    except ValueError:
        return entry
    digest = media_digest(salt, data)
    media[digest] = data
    rest = {name: value for name, value in entry.items() if name != "uri"}
    if match[1]:
        rest.setdefault("mediaType", match[1])
    return {**rest, "digest": digest, "size": len(data)}


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


def _raw(item: Value) -> bytes:
    return json.dumps(item, ensure_ascii=True).encode("ascii")
