"""Properties that a card has once: UID, KIND, PRODID, LANGUAGE, CREATED, gender, place, and JSPROP."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from ...errors import BadCard
from ..dates import parse_date
from ..paths import join_path, split_path
from ..registers import KNOWN_PROPERTIES, MAPS
from ..types import V21, Line, Value
from ..values import check_value
from .builder import Card


def read_uid(card: Card, line: Line) -> str | None:
    """UID, already known to the card; a second one is kept as it is."""
    if "uid" in card.registers or not line.value.strip():
        return None
    card.registers["uid"] = card.uid
    return "uid"


def read_kind(card: Card, line: Line) -> str | None:
    """KIND and X-ADDRESSBOOKSERVER-KIND."""
    return _once(card, line, "kind", card.text(line).strip().lower())


def read_prodid(card: Card, line: Line) -> str | None:
    """PRODID."""
    return _once(card, line, "prodId", card.text(line))


def read_card_language(card: Card, line: Line) -> str | None:
    """LANGUAGE (RFC 9554)."""
    return _once(card, line, "language", card.text(line))


def read_created(card: Card, line: Line) -> str | None:
    """CREATED (RFC 9554), a UTC time."""
    date = parse_date(card.text(line))
    return _once(card, line, "created", date["utc"]) if date and "utc" in date else None


def _once(card: Card, line: Line, prop: str, value: str) -> str | None:
    if not value or prop in card.registers or line.head.params or line.head.group:
        return None
    card.registers[prop] = value
    return prop


def read_geo(card: Card, line: Line) -> str | None:
    """GEO: coordinates of an address that may have nothing else."""
    text = card.text(line)
    if text[:4].lower() != "geo:":
        latitude, separator, longitude = text.partition(";" if ";" in text else ",")
        if not separator or not _number(latitude) or not _number(longitude):
            return None
        text = f"geo:{latitude.strip()},{longitude.strip()}"
    return card.add("addresses", text, {**card.members(line), "coordinates": text}, line)


def _number(text: str) -> bool:
    return re.fullmatch(r"\s*[+-]?\d{1,3}(\.\d{1,30})?\s*", text, re.A) is not None


def read_gender(card: Card, line: Line) -> str | None:
    """GRAMGENDER and PRONOUNS (RFC 9554) inside the one register ``speakToAs``."""
    text = card.text(line)
    speak = card.registers.get("speakToAs", {})
    if line.head.name == "GRAMGENDER":
        if "grammaticalGender" in speak or line.head.params or not text:
            return None
        speak["grammaticalGender"] = text.lower()
    else:
        if not text:
            return None
        entry = {**card.members(line), "pronouns": text}
        speak.setdefault("pronouns", {})[card.ids.make("pronouns", text)] = entry
    card.registers["speakToAs"] = speak
    return "speakToAs"


def read_jsprop(card: Card, line: Line) -> str | None:
    """JSPROP (RFC 9555): a JSContact member that vCard has no property for, by its JSON pointer."""
    pointer = line.head.param("JSPTR") or ""
    if card.version == V21:
        pointer = unquote(pointer)
    if pointer.count("/") == 2 and pointer.partition("/")[0] in MAPS - {"localizations"}:
        return _read_member(card, line, pointer)
    prop, key = split_path(pointer)
    path = join_path(prop, key)
    if not prop or path in card.registers or (prop in KNOWN_PROPERTIES and prop != "localizations"):
        return None
    value = _json(card, line)
    if value is None:
        return None
    card.registers[path] = value
    return path


def _read_member(card: Card, line: Line, pointer: str) -> str | None:
    """A member of an entry that its own line, with PROP-ID, cannot say. It never replaces what that line says."""
    path, _, member = pointer.rpartition("/")
    entry = card.registers.get(path)
    value = _json(card, line)
    # Which bytes are a photo's is decided by the bytes alone.
    inner = ("vCardParams", "digest", "size") if path.startswith(("media/", "cryptoKeys/")) else ("vCardParams",)
    if not isinstance(entry, dict) or value is None or member in entry or member in inner:
        return None
    entry[member] = value
    return path


def _json(card: Card, line: Line) -> Value:
    """The JSON of a line; None where it is none, or null, which no register holds."""
    try:
        value = json.loads(card.text(line), parse_constant=_refuse)
        check_value(value)
    except (ValueError, RecursionError, BadCard):
        return None
    return value


def _refuse(name: str) -> None:
    raise ValueError(name)
