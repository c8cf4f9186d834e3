"""Ways to reach a person: TEL, EMAIL, ADR, messaging services, links, dates, relations, notes, categories."""

from __future__ import annotations

from ..android import parse_row
from ..dates import parse_date
from ..jscomps import ordered
from ..phone import normalize_email, normalize_phone
from ..tables import (
    ADDRESS_CONTEXTS,
    ADDRESS_KINDS,
    ANNIVERSARIES,
    LEVELS,
    LINKS,
    PERSONAL,
    RELATION_KINDS,
    RELATION_PROPERTIES,
    RELATIONS,
    SERVICES,
)
from ..text import split, unescape
from ..types import VENDOR, Entry, Line
from .builder import Card


def read_phone(card: Card, line: Line) -> str | None:
    """TEL: text or a ``tel:`` URI, kept as it was typed."""
    text = card.text(line)
    if not text:
        return None
    entry = card.members(line)
    entry["number"] = text
    return card.add("phones", normalize_phone(text), entry, line)


def read_email(card: Card, line: Line) -> str | None:
    """EMAIL."""
    text = card.text(line)
    if not text:
        return None
    entry = card.members(line)
    entry["address"] = text
    return card.add("emails", normalize_email(text), entry, line)


def read_address(card: Card, line: Line) -> str | None:
    """ADR: the parts as components, a LABEL parameter as the full text."""
    parts = card.components(line)
    if any(parts[len(ADDRESS_KINDS) :]):
        return None
    entry = card.members(line, ADDRESS_CONTEXTS)
    entry |= address_parts(card, line, parts)
    _take(entry, {"label": "full", "cc": "countryCode", "geo": "coordinates", "tz": "timeZone"})
    return card.add("addresses", "\0".join(parts).casefold(), entry, line)


def address_parts(card: Card, line: Line, parts: list[str]) -> Entry:
    """What the parts of an ADR say: components, ordered where it has a JSCOMPS; nothing where all is empty."""
    lists = [card.items(part) if part else [] for part in parts]
    if (order := line.head.param("JSCOMPS")) and (found := ordered(order, lists, ADDRESS_KINDS)) is not None:
        return found
    components = [
        {"kind": kind, "value": value}
        for kind, values in zip(ADDRESS_KINDS, lists, strict=False) for value in values if value
    ]
    return {"components": components} if components else {}


def _take(entry: Entry, names: dict[str, str]) -> None:
    """Move parameters that have a JSContact member of their own out of ``vCardParams``."""
    params = entry.get("vCardParams")
    if params is None:
        return
    for param, member in names.items():
        if isinstance(params.get(param), str):
            entry[member] = params.pop(param)
    if not params:
        del entry["vCardParams"]


def read_service(card: Card, line: Line) -> str | None:
    """IMPP, SOCIALPROFILE and the X- properties of single services."""
    text, name = card.text(line), line.head.name
    if not text:
        return None
    entry = card.members(line)
    service = SERVICES.get(name)
    if service is not None:
        entry |= {"service": service, "user": text}
    else:
        _take(entry, {"service-type": "service", "x-service-type": "service", "username": "user", "x-user": "user"})
        entry["uri"] = text
        if name.endswith("SOCIALPROFILE") and "service" not in entry and "label" in entry:
            entry["service"] = entry.pop("label")
    entry["vCardName"] = name.lower()
    return card.add("onlineServices", f"{name}\0{text}", entry, line)


def read_link(card: Card, line: Line) -> str | None:
    """URL and its kin; a URI is never escaped, though some exports do."""
    text = card.decoded(line).replace("\\:", ":").replace("\\,", ",").replace("\\;", ";")
    if not text:
        return None
    prop, kind = LINKS[line.head.name]
    entry = card.members(line)
    entry["uri"] = text
    if kind:
        entry["kind"] = kind
    return card.add(prop, f"{kind}\0{text}", entry, line)


def read_note(card: Card, line: Line) -> str | None:
    """NOTE."""
    text = card.text(line)
    if not text:
        return None
    entry = {**card.members(line), "note": text}
    author: Entry = {}
    written = parse_date(line.head.param("CREATED") or "") or {}
    if "utc" in written:
        _take(entry, {"created": "created"})
        entry["created"] = written["utc"]
    for param, member in (("author", "uri"), ("author-name", "name")):
        _take(entry, {param: param})
        if param in entry:
            author[member] = entry.pop(param)
    return card.add("notes", text, entry | ({"author": author} if author else {}), line)


def read_anniversary(card: Card, line: Line) -> str | None:
    """BDAY, ANNIVERSARY and their old names."""
    entry = card.members(line)
    params = entry.get("vCardParams", {})
    date = parse_date(card.text(line), params.pop("x-apple-omit-year", ""))
    if date is None or entry.get("label") or entry.get("contexts"):
        return None
    if not params:
        entry.pop("vCardParams", None)
    kind = ANNIVERSARIES[line.head.name]
    entry |= {"kind": kind, "date": date}
    return card.add("anniversaries", kind, entry, line)


def read_apple_date(card: Card, line: Line) -> str | None:
    """X-ABDATE: a date whose kind is its label."""
    entry = card.members(line)
    label = entry.pop("label", "")
    date = parse_date(card.text(line))
    if date is None:
        return None
    if label == "Anniversary":
        entry |= {"kind": "wedding", "date": date}
    else:
        entry |= {"kind": VENDOR + "other", "date": date, VENDOR + "label": label}
    return card.add("anniversaries", f"{label}\0{card.text(line)}", entry, line)


def read_related(card: Card, line: Line) -> str | None:
    """RELATED, X-ABRELATEDNAMES and the like: whom, and what they are to the person."""
    text = card.text(line)
    path = f"relatedTo/{text}"
    if not text:
        return None
    entry = card.members(line)
    entry.pop("contexts", None)
    kinds = [kind.lower() for kind in line.head.types if kind.lower() in RELATION_KINDS]
    params = entry.get("vCardParams", {})
    if kinds and "type" in params:
        types = params["type"] if isinstance(params["type"], list) else [params["type"]]
        params["type"] = [kind for kind in types if kind not in RELATION_KINDS]
        if not params["type"]:
            del params["type"]
        if not params:
            del entry["vCardParams"]
    if line.head.name in RELATION_PROPERTIES:
        kinds.append(RELATION_PROPERTIES[line.head.name])
    elif entry.get("label") in RELATIONS:
        kinds.append(RELATIONS[entry["label"]])
    value = {**entry, "relation": dict.fromkeys(kinds, True)}
    return path if card.registers.setdefault(path, value) == value else None


def read_categories(card: Card, line: Line) -> str | None:
    """CATEGORIES: one register for each keyword.

    The line belongs to its first new keyword; one that says nothing new to what it repeats, so that it goes with it.
    """
    first = known = None
    # Every export of 2.1 writes a list here too, though that version knows no lists.
    for name in map(unescape, split(card.decoded(line), ",")):
        path = f"keywords/{name}"
        if name and path not in card.registers:
            card.registers[path] = True
            first = first or path
        elif name:
            known = known or path
    return first or known


def read_member(card: Card, line: Line) -> str | None:
    """MEMBER and X-ADDRESSBOOKSERVER-MEMBER: the uid of a member of this group."""
    text = card.text(line).strip()
    if not text or line.head.params or line.head.group:
        return None
    card.registers[f"members/{text}"] = True
    return f"members/{text}"


def read_personal(card: Card, line: Line) -> str | None:
    """EXPERTISE, HOBBY, INTEREST (RFC 6715)."""
    text = card.text(line)
    if not text:
        return None
    entry = card.members(line)
    params = entry.get("vCardParams", {})
    level = LEVELS.get(str(params.get("level", "")).lower(), params.get("level"))
    if isinstance(level, str) and level in ("low", "medium", "high"):
        entry["level"] = level
        params.pop("level")
    index = params.get("index")
    if isinstance(index, str) and index.isdigit() and len(index) < 6:
        entry["listAs"] = int(index)
        params.pop("index")
    if not params:
        entry.pop("vCardParams", None)
    return card.add("personalInfo", text, {**entry, "kind": PERSONAL[line.head.name], "value": text}, line)


def read_language(card: Card, line: Line) -> str | None:
    """LANG: a language the person prefers."""
    text = card.text(line)
    return card.add("preferredLanguages", text, {**card.members(line), "language": text}, line) if text else None


def read_android(card: Card, line: Line) -> str | None:
    """X-ANDROID-CUSTOM: a nickname, a day or a relation."""
    row = parse_row([unescape(column) for column in card.components(line)])
    if row is None or line.head.group:
        return None
    prop, key, entry = row
    if prop != "relatedTo":
        return card.add(prop, key, {**card.members(line), **entry}, line)
    path = f"relatedTo/{key}"
    if path in card.registers:
        return None
    relation = RELATIONS.get(str(entry.get("label", "")))
    card.registers[path] = {**entry, "relation": {relation: True} if relation else {}}
    return path
